-- SPDX-License-Identifier: MIT
-- Which alerts change so often that they count as firing. Page: flapping.md.

flapping {
    name = "more than six times in half an hour",
    changes = 12,
    within = "30m",
    quiet_for = "15m",
}
