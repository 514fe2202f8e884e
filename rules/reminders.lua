-- SPDX-License-Identifier: MIT
-- Which silences and maintenance windows are spoken of, because they hide much for long. Page: reminders.md.

reminder {
    name = "much for long",
    alerts = 20,
    lasts = "4h",
    every = "24h",
}
reminder {
    name = "something critical for long",
    severity = "critical",
    lasts = "8h",
    every = "24h",
}
reminder {
    name = "ends while alerts fire",
    ends_within = "1h",
}
