-- SPDX-License-Identifier: MIT
-- How long a firing alert counts without being renewed. Page: leases.md.

leases {
    default = "9h",
    grace = "5m",
}
