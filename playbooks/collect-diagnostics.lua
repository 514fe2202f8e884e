-- SPDX-License-Identifier: MIT
-- Looks at the cause and writes what it sees into the incident; changes nothing. Page: README.md.

local BODY_MAX = 1000 -- of each answer, into the timeline

local function targets(ctx)
    local params, labels = ctx.params or {}, ctx.cause and ctx.cause.labels or {}
    local list = {}
    for _, name in ipairs({ "health_url", "status_url", "metrics_url" }) do
        local url = params[name] or labels[name]
        if url then
            list[#list + 1] = { name = name, url = url }
        end
    end
    return list
end

playbook {
    name = "collect-diagnostics",
    version = "1",
    doc = "Reads health, status, metrics and an allow-listed command's output of the cause into the timeline.",
    approval = "none",
    disruptive = false,
    timeout = "60s",
    params = {
        health_url = "GET; default: the node's label of the same name",
        status_url = "GET; default: the node's label of the same name",
        metrics_url = "GET; default: the node's label of the same name",
        host = "argument of command(\"diagnose\", host); left out: no command",
    },

    run = function(ctx)
        local seen = {}
        for _, target in ipairs(targets(ctx)) do
            step(target.name, function()
                local res, err = http { url = target.url, timeout = 10 * sec }
                if res then
                    log { text = target.name .. ": status " .. res.status, body = res.body:sub(1, BODY_MAX) }
                    seen[target.name] = res.status
                else
                    log(target.name .. ": " .. err)
                    seen[target.name] = "no answer"
                end
            end, { idempotent = true })
        end
        local host = ctx.params and ctx.params.host
        if host then
            local res = command("diagnose", host, { timeout = 30 * sec, idempotent = true })
            log { text = "diagnose: code " .. res.code, stdout = res.stdout:sub(1, BODY_MAX) }
            seen.diagnose = res.code
        end
        return seen
    end,
}
