-- SPDX-License-Identifier: MIT
-- Rules of the test ../quiet.lua, which shows how each way of keeping alerts quiet is tested.
-- What they leave out is as shipped.

threshold { name = "three pods", match = { "alertname=PodRestarts" }, group_by = { "ns" }, count = 3, within = "5m" }
grouping { name = "batch comes together", match = { "team=batch" }, group_by = { "cluster" }, wait = "20s" }
inhibition {
    name = "down hides slow",
    source = { "alertname=HostDown" },
    target = { "alertname=HostSlow" },
    equal = { "host" },
}
graph_inhibition {
    name = "the database takes its callers along",
    upstream = { "severity=critical" },
    target = { "alertname=HighErrorRate" },
    hold_down = "15s",
}
flapping { name = "four in ten minutes", changes = 4, within = "10m", quiet_for = "5m" }
maintenance {
    name = "backup",
    match = { "job=backup" },
    weekly = { days = { "thu" }, at = "01:00", duration = "1h" },
}
heartbeat {
    name = "prometheus eu1",
    match = { "alertname=Watchdog", "cluster=eu1" },
    interval = "1m",
    grace = "4m",
    severity = "critical",
    labels = { team = "monitoring" },
}
reminder { name = "two for an hour", alerts = 2, lasts = "1h" }
