-- SPDX-License-Identifier: GPL-3.0-or-later
return {
    playbook = "../../playbooks/collect-diagnostics.lua",
    cases = {
        {
            name = "reads what the labels name, and goes on past what does not answer",
            ctx = { cause = { labels = { health_url = "http://db/health", metrics_url = "http://db/metrics" } } },
            replies = {
                { call = "http GET http://db/health", error = "refused" },
                { call = "http GET http://db/metrics", reply = { body = ("m"):rep(5000) } },
            },
            expect = { result = { health_url = "no answer", metrics_url = 200 } },
        },
        {
            name = "asks a host by command when it has one",
            ctx = { params = { host = "db1" } },
            expect = { calls = { "command diagnose db1" }, result = { diagnose = 0 } },
        },
        { name = "nothing to look at is no failure", expect = { ending = "ok", calls = array {} } },
    },
}
