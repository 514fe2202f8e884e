-- SPDX-License-Identifier: MIT
-- Restarts the service behind the cause and waits until it answers again. Page: README.md.

local TRIES = 30
local CHECKS = 5 -- a restart whose answer was lost needs a moment too

-- Where to ask, in this order: the parameters, then the labels of the cause's node in the topology.
local function urls(ctx)
    local params, labels = ctx.params or {}, ctx.cause and ctx.cause.labels or {}
    local base = params.url and params.url:gsub("/+$", "")
    return params.restart_url or base and base .. "/restart" or labels.restart_url,
        params.health_url or base and base .. "/health" or labels.health_url
end

local function is_healthy(health_url)
    local res, err = http { url = health_url, timeout = 5 * sec }
    return res ~= nil and res.status == 200, res and "status " .. res.status or err
end

playbook {
    name = "restart-service",
    version = "1",
    doc = "Restarts a service by its control URL or an allow-listed command, then waits until it is healthy.",
    approval = "required",
    disruptive = true,
    timeout = "3m",
    params = {
        url = "http://HOST:PORT: restarted by POST /restart, healthy when GET /health answers 200",
        restart_url = "instead of url/restart",
        health_url = "instead of url/health",
        unit = "restart this unit by command(\"restart-service\", unit) instead of a URL",
    },
    verify = { alerts_clear = true, within = "2m" },

    run = function(ctx)
        local restart_url, health_url = urls(ctx)
        local unit = ctx.params and ctx.params.unit
        if not unit and not restart_url then
            fail("no way to restart: give url, restart_url or unit, or label the node with restart_url")
        end

        step("restart", function()
            if unit then
                local res = command("restart-service", unit, { timeout = 60 * sec })
                if res.code ~= 0 then
                    fail("the command ended with code " .. res.code .. ": " .. res.stderr)
                end
            else
                local res, err = http { method = "POST", url = restart_url, timeout = 30 * sec, expect = "2xx" }
                if not res then
                    fail("could not ask for the restart: " .. err)
                end
            end
        end, {
            -- Asked when nobody knows whether the restart happened. Healthy within a while: nothing is left to do.
            -- Not healthy: it may still be coming up, and a second restart would throw it back; that is for a person.
            check = function()
                for _ = 1, health_url and CHECKS or 0 do
                    if is_healthy(health_url) then
                        return true
                    end
                    sleep(1 * sec)
                end
                return nil
            end,
        })

        if not health_url then
            log("restarted; no health URL to wait for")
            return { restarted = true }
        end
        local began = now()
        local ok, last
        for _ = 1, TRIES do
            ok, last = is_healthy(health_url)
            if ok then
                log("answers again")
                return { restarted = true, healthy = true, waited = math.floor(now() - began) }
            end
            sleep(1 * sec)
        end
        fail("does not answer after " .. TRIES .. " tries: " .. last)
    end,
}
