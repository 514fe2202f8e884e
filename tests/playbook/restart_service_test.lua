-- SPDX-License-Identifier: GPL-3.0-or-later
local url = "http://127.0.0.1:9197"
local restart, health = "http POST " .. url .. "/restart", "http GET " .. url .. "/health"
local params = { params = { url = url } }
local labels = { restart_url = url .. "/restart", health_url = url .. "/health" }

local CHECKS = 5 -- how often the step's check looks before it gives up

-- The restart in doubt, the check that never sees it healthy, what the person says, and then `rest`.
local function never_healthy(verdict, rest)
    local replies, calls = { { call = restart, in_doubt = true } }, { restart }
    for _ = 1, CHECKS do
        replies[#replies + 1] = { call = health, reply = { status = 503 } }
        calls[#calls + 1] = health
    end
    replies[#replies + 1] = { call = "settle ask", reply = { verdict = verdict } }
    calls[#calls + 1] = "settle ask"
    for _, call in ipairs(rest) do
        replies[#replies + 1] = { call = call }
        calls[#calls + 1] = call
    end
    return replies, calls
end
local done_replies, done_calls = never_healthy("done", { health })
local retry_replies, retry_calls = never_healthy("retry", { restart, health })

return {
    playbook = "../../playbooks/restart-service.lua",
    cases = {
        {
            name = "restarts and waits until it answers",
            ctx = params,
            replies = {
                { call = restart, reply = { status = 202 } },
                { call = health, reply = { status = 503 } },
                { call = health, error = "connection refused" },
                { call = health, reply = { status = 200 } },
            },
            expect = { ending = "ok", result = { restarted = true, healthy = true, waited = 2 } },
        },
        {
            name = "finds the URLs in the cause's labels",
            ctx = { cause = { node = "db", labels = labels } },
            expect = { ending = "ok", calls = { restart, health } },
        },
        {
            name = "restarts a unit by command",
            ctx = { params = { unit = "shop.service" } },
            expect = { calls = { "command restart-service shop.service" }, result = { restarted = true } },
        },
        {
            name = "a failing command ends the run",
            ctx = { params = { unit = "shop.service" } },
            replies = { { reply = { code = 5, stderr = "no such unit" } } },
            expect = { ending = "error", error = "code 5: no such unit" },
        },
        {
            name = "a refused restart ends the run",
            ctx = params,
            replies = { { call = restart, reply = { status = 500 } } },
            expect = { ending = "error", error = "the answer's status is 500" },
        },
        {
            name = "says so when nothing tells how to restart",
            expect = { ending = "error", error = "no way to restart", calls = array {} },
        },
        {
            name = "in doubt and healthy: done, no second restart",
            ctx = params,
            replies = { { call = restart, in_doubt = true }, { call = health }, { call = health } },
            expect = { ending = "ok", calls = { restart, health, health } },
        },
        {
            name = "in doubt and healthy after a while: done, no second restart",
            ctx = params,
            replies = {
                { call = restart, in_doubt = true },
                { call = health, error = "connection refused" },
                { call = health },
                { call = health },
            },
            expect = { ending = "ok", calls = { restart, health, health, health } },
        },
        {
            name = "in doubt and not healthy: a person is asked, no second restart",
            ctx = params,
            replies = done_replies,
            expect = { ending = "ok", calls = done_calls },
        },
        {
            name = "a person who says retry gets a second restart",
            ctx = params,
            replies = retry_replies,
            expect = { ending = "ok", calls = retry_calls },
        },
    },
}
