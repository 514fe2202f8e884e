-- SPDX-License-Identifier: MIT
-- Tests of the shipped rules: `faultline check --test rules/tests/*.lua`.
-- How to write your own: docs/how-to/test-your-rules.md.

local pg = { alertname = "PostgresDown", service = "pg-catalog", severity = "critical" }
local catalog = { alertname = "HighErrorRate", service = "catalog", severity = "error" }
local checkout = { alertname = "HighLatency", service = "checkout", severity = "warning" }

test "a database takes its callers along: one incident, the database is the cause"
topology "shop.json"
fire(pg)
at "20s"
fire(catalog)
at "40s"
fire(checkout)
at "2m"
expect { incidents = 1, together = { pg, catalog, checkout } }
expect { incident_of = pg, state = "open", alerts = 3, firing = 3, severity = "critical", cause = "pg-catalog" }
expect { alert = checkout, node = "checkout", state = "firing", in_incident = true }
expect { incident_of = pg, playbook = "restart-service", timeline = "restart what can be restarted" }
at "5m"
resolve(pg)
resolve(catalog)
resolve(checkout)
at "30m"
expect { incidents = 0, resolved = 1 }

test "outages that have nothing to do with each other stay apart"
topology "shop.json"
fire(pg)
fire { alertname = "TapeFull", service = "tape", severity = "error" }
at "1m"
expect { incidents = 2, apart = { pg, { service = "tape" } } }

test "an alert that names no component still opens an incident, and nothing restarts"
topology "shop.json"
fire { alertname = "Odd", service = "unheard-of", severity = "warning" }
at "1m"
expect { alert = { alertname = "Odd" }, node = false, why = "matches no component" }
expect { incident_of = { alertname = "Odd" }, playbook = false, timeline = "no playbook: no convincing cause" }

test "only what has a restart_url is restarted, and it is said why the others are not"
topology "shop.json"
fire { alertname = "TapeFull", service = "tape", severity = "critical" }
at "1m"
expect { incident_of = { service = "tape" }, cause = "tape", playbook = false }
expect { incident_of = { service = "tape" }, timeline = "its parameter {node:restart_url} is empty for tape" }

test "a silence holds an alert back, and lets it go when it ends"
topology "shop.json"
silence { match = { alertname = "PostgresDown" }, lasts = "10m", comment = "planned work" }
at "1m"
fire(pg)
at "2m"
expect { incidents = 0 }
expect { alert = pg, held = "silence", silenced = true }
at "11m"
expect { incidents = 1 }
expect { alert = pg, held = false, silenced = false }

test "a sender that falls silent makes an alert stale, not resolved"
topology "shop.json"
fire(pg)
at "1m"
silent(pg)
at "2h"
expect { incidents = 1 }
expect { alert = pg, state = "stale" }

test "a deploy just before is in the timeline of what it broke"
topology "shop.json"
change { component = "catalog", kind = "deploy", id = "v42", title = "catalog v42" }
at "2m"
fire(catalog)
at "3m"
expect { incident_of = catalog, cause = "catalog" }
