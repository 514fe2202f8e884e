-- SPDX-License-Identifier: MIT
-- Each way of keeping alerts quiet, tested:
-- `faultline check --test rules/tests/quiet.lua --rules rules/tests/quiet_rules`.

local pg = { alertname = "PostgresDown", service = "pg-catalog", severity = "critical" }
local catalog = { alertname = "HighErrorRate", service = "catalog", severity = "error" }
local function pod(n)
    return { alertname = "PodRestarts", ns = "shop", pod = n, severity = "warning" }
end

test "a threshold: two are held, the third lets all of them go"
fire(pod "a")
fire(pod "b")
at "1m"
expect { incidents = 0 }
expect { alert = pod "b", held = "it takes 3 alerts", kept_by = "threshold three pods" }
fire(pod "c")
at "2m"
expect { incidents = 1, together = { pod "a", pod "b", pod "c" } }

test "a grouping window: the first ones wait for each other"
fire { alertname = "JobFailed", team = "batch", cluster = "eu", job = "a" }
at "10s"
fire { alertname = "JobLate", team = "batch", cluster = "eu", job = "b" }
expect { alert = { job = "b" }, kept_by = "grouping batch comes together" }
at "21s"
expect { incidents = 1, together = { { job = "a" }, { job = "b" } } }

test "label inhibition, as in Alertmanager"
fire { alertname = "HostDown", host = "h1" }
fire { alertname = "HostSlow", host = "h1" }
fire { alertname = "HostSlow", host = "h2" }
at "1m"
expect { alert = { alertname = "HostSlow", host = "h1" }, inhibited = true, inhibited_by = { alertname = "HostDown" } }
expect { alert = { alertname = "HostSlow", host = "h1" }, held = "until that is over", kept_by = "down hides slow" }
expect { alert = { host = "h2" }, inhibited = false, in_incident = true }

test "graph inhibition: the caller is first to notice, and it does not matter"
topology "shop.json"
fire(catalog)
at "5s"
expect { alert = catalog, held = "what catalog needs may alert, too", kept_by = "hold-down" }
fire(pg)
at "1m"
expect { incidents = 1 }
expect { alert = catalog, inhibited_by = pg, kept_by = "the database takes its callers along", in_incident = false }
expect { incident_of = pg, cause = "pg-catalog", ranking = { "pg-catalog" } }
at "10m"
resolve(pg)
at "11m"
expect { alert = catalog, in_incident = true, inhibited = false }

test "graph inhibition: the database is first"
topology "shop.json"
fire(pg)
at "5s"
fire(catalog)
at "1m"
expect { alert = catalog, inhibited_by = pg, in_incident = false }

test "a silence, and what is said of one that hides much for long"
silence { match = { team = "x" }, lasts = "6h", comment = "moving house" }
fire { alertname = "A", team = "x" }
fire { alertname = "B", team = "x" }
at "59m"
expect { incidents = 0, reminders = 0 }
expect { alert = { alertname = "A" }, silenced = true, kept_by = "silence", why = "moving house" }
at "61m"
expect { reminders = 1 }
at "7h"
expect { incidents = 2 }

test "maintenance: of one component and what needs it, then every Thursday" -- the test begins on a Thursday, 00:00 UTC
topology "shop.json"
maintenance { components = { "pg-catalog" }, dependants = true, lasts = "30m", comment = "new disks" }
fire(catalog)
fire { alertname = "TapeFull", service = "tape" }
at "1m"
expect { alert = catalog, maintenance = true, held = "new disks", kept_by = "maintenance MNT-000001" }
expect { alert = { service = "tape" }, maintenance = false, in_incident = true }
at "31m"
expect { alert = catalog, maintenance = false, in_incident = true }
at "65m"
fire { alertname = "Late", job = "backup" }
expect { alert = { job = "backup" }, maintenance = true, kept_by = "maintenance rule:backup" }
at "121m"
expect { alert = { job = "backup" }, maintenance = false, in_incident = true }

test "an alert that flaps counts as firing, is in one incident until it is quiet"
topology "shop.json"
for turn = 0, 3 do
    at(turn * 40)
    fire(pg)
    at(turn * 40 + 20)
    resolve(pg)
end
at "160s"
fire(pg)
at "5m"
expect { incidents = 1, resolved = 0 }
expect { alert = pg, flapping = true, state = "firing", why = 'rule "four in ten minutes"' }
resolve(pg)
at "6m"
expect { alert = pg, flapping = true, state = "firing" }
at "30m"
expect { incidents = 0, resolved = 1 }
expect { alert = pg, flapping = false, state = "resolved" }

test "a sender that falls silent is an incident itself, until it reports again"
local watchdog = { alertname = "Watchdog", cluster = "eu1" }
local silence_of = { alertname = "SenderSilent", heartbeat = "prometheus eu1" }
fire(watchdog)
sends "prometheus eu1"
at "1h"
expect { incidents = 0 }
expect { alert = watchdog, held = "sign of life", kept_by = "heartbeat prometheus eu1" }
silent "prometheus eu1"
at "65m"
expect { incidents = 0 } -- the whole interval and grace is its own
at "3901s"
expect { incidents = 1 }
expect { alert = silence_of, state = "firing", severity = "critical", in_incident = true }
at "2h"
fire(watchdog) -- one sign of life is enough
expect { alert = silence_of, state = "resolved" }
at "124m"
expect { incidents = 0, resolved = 1 }
at "126m" -- but it was one only
expect { incidents = 1 }
sends "prometheus eu1"
at "3h"
expect { incidents = 0 }
