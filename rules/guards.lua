-- SPDX-License-Identifier: MIT
-- The brakes before a playbook may disturb anything. Page: guards.md.

guards {
    cooldown = "1h",
    max_disruptive = 3,
    disruptive_window = "10m",
    max_alerting_share = 0.55,
    breaker_failures = 3,
    approval_ttl = "15m",
}
