-- SPDX-License-Identifier: MIT
-- When alerts belong to one incident, and when it is over. Page: correlation.md.

correlation {
    window = "10m",
    distance = 2,
    unmapped_distance = 0,
    edge_types = { "calls", "data", "has_instance", "runs_on", "registers_with" },
    group_by = { "cluster", "namespace", "alertname" },
    quiet_after = "5m",
    resolve_after = "30s",
    rerank_delay = "500ms",
}
