---@meta faultline
-- luacheck: ignore
-- SPDX-License-Identifier: MIT
-- Stubs for lua-language-server: what a playbook and a rule file can name. Never loaded by the engine.

---@alias seconds number
---@alias duration seconds|string seconds, or "250ms", "30s", "5m", "4h", "7d"

---One second, in seconds.
sec = 1
---One minute, in seconds.
minute = 60
---One hour, in seconds.
hour = 3600
---One day, in seconds.
day = 86400
---JSON null inside a list.
---@type userdata
null = nil

---Make a table write [] in JSON when it is empty.
---@generic T: table
---@param t T
---@return T
function array(t) end

---@class jsonlib
json = {}
---@param text string
---@return any value nil when the text is no JSON
---@return string? error
function json.decode(text) end
---@param value any
---@return string
function json.encode(value) end

---@class HttpRequest
---@field url string host and port must be on the engine's allow-list
---@field method? string default "GET"
---@field headers? table<string, string>
---@field body? string
---@field json? any body as JSON, with its content type
---@field timeout? duration default 30 s
---@field idempotent? boolean safe to send again; default true for GET and HEAD
---@field expect? integer|string|(integer|string)[] 200, "2xx", {200, "3xx"}: any other status is an error

---@class HttpResponse
---@field status integer
---@field headers table<string, string> names in lower case
---@field body string bytes that are no text show as \xNN
---@field json? any when the answer says it is JSON and is
---@field truncated? boolean
---@field escaped? boolean
---@field elapsed_us integer

---Send a request. Refusals raise; what fails on the way returns nil and the reason.
---@param request HttpRequest
---@return HttpResponse?
---@return string? error
function http(request) end

---@class CommandOptions
---@field timeout? duration default 60 s
---@field idempotent? boolean safe to run again

---@class CommandResult
---@field code integer exit code; 128 + signal when a signal ended it
---@field signal? integer
---@field stdout string
---@field stderr string
---@field truncated boolean
---@field escaped? boolean
---@field elapsed_us integer

---Run a command of the engine's allow-list; each argument must fit its pattern. The last argument may be options.
---@param name string
---@param ... string|number|CommandOptions
---@return CommandResult
function command(name, ...) end

---@param duration duration
function sleep(duration) end

---A line in the incident's timeline and the audit trail; a table may have `text` and other members.
---@param ... any
function log(...) end
---The same as log.
---@param ... any
function print(...) end

---End the run as failed.
---@param text string
function fail(text) end

---The run's own clock: when it started plus what its calls took. The same in a replay.
---@return number seconds since 1970
function now() end

---@class StepOptions
---@field check? fun(ctx: Context): any asked when it is unknown whether a call acted: true or a value = done, false = do it again, nil = ask a person
---@field idempotent? boolean every call inside is safe to repeat

---A named part of the run.
---@generic T
---@param name string
---@param fn fun(ctx: Context): T
---@param options? StepOptions
---@return T
function step(name, fn, options) end

---@class Cause
---@field node? string
---@field type? string
---@field service? string
---@field host? string
---@field owner? string
---@field labels? table<string, string>
---@field confidence? number

---@class Context
---@field run string
---@field playbook string
---@field now integer
---@field incident table
---@field cause Cause
---@field params table<string, string>

---@class Verify
---@field alerts_clear boolean
---@field within? duration default 60 s

---@class Playbook
---@field name string a-z, 0-9, "-", "_", "."
---@field version string
---@field doc string one sentence
---@field run fun(ctx: Context): any
---@field undo? fun(ctx: Context): any
---@field trigger? table
---@field params? table<string, any> name → what it is
---@field guards? table
---@field approval? "required"|"none" default "required"
---@field disruptive? boolean default true
---@field timeout? duration default 60 s, at most a day
---@field verify? Verify

---@param declaration Playbook
function playbook(declaration) end

---@class Matcher
---@field label string
---@field op? "="|"!="|"=~"|"!~"
---@field value? string

---@class MappingRule
---@field name string
---@field match? (Matcher|string)[]
---@field from? string
---@field regex? string
---@field node string
---@field peer? string

---@param rule MappingRule|MappingRule[]
function mapping(rule) end
---@param rule { name: string, match?: (Matcher|string)[], class: string }
function class(rule) end
---@param rule { name: string, match?: (Matcher|string)[], severity: string }
function severity(rule) end

---@param rule { name: string, source: (Matcher|string)[], target: (Matcher|string)[], equal?: string[] }
function inhibition(rule) end
---@param rule { name: string, upstream: (Matcher|string)[], target?: (Matcher|string)[], edge_types?: string[], distance?: integer, hold_down: string|number }
function graph_inhibition(rule) end
---@param rule { name: string, match: (Matcher|string)[], group_by?: string[], count: integer, within: string|number, distinct?: string }
function threshold(rule) end
---@param rule { name: string, match?: (Matcher|string)[], group_by?: string[], wait: string|number }
function grouping(rule) end
---@param rule { name: string, match?: (Matcher|string)[], source?: string, interval: string|number, grace?: string|number, severity?: string, labels?: table<string, string> }
function heartbeat(rule) end
---@param rule { name: string, match?: (Matcher|string)[], changes: integer, within: string|number, quiet_for: string|number }
function flapping(rule) end
---@param rule { name: string, comment?: string, match?: (Matcher|string)[], components?: string[], dependants?: boolean, starts_at?: string, ends_at?: string, weekly?: { days: string[], at: string, duration: string|number, utc_offset?: string } }
function maintenance(rule) end
---@param rule { name: string, severity?: string, alerts?: integer, lasts?: string|number, ends_within?: string|number, every?: string|number }
function reminder(rule) end
---@param rule { name: string, playbook: string, match?: (Matcher|string)[], any_alert?: boolean, cause_types?: string[], min_confidence?: number, approval?: string, params?: table<string, string> }
function binding(rule) end
---@param members table<string, any>
function correlation(members) end
---@param members table<string, any>
function guards(members) end
---@param members table<string, any>
function leases(members) end
---@param rule { name: string, list?: string, labels?: table<string, string|string[]>, annotations?: table<string, string|string[]>, fixed?: table<string, string>, status?: table, severity?: table, starts?: string|string[], ends?: string|string[], url?: string|string[], lease?: string }
function source(rule) end
