-- SPDX-License-Identifier: MIT
-- The functions that the worker gives: engine/script/worker/sandbox.c (everywhere), host.c (playbooks), data.c.
std = {
  read_globals = {
    "assert", "error", "getmetatable", "ipairs", "rawequal", "rawget", "rawlen", "select", "tonumber", "type",
    "pairs", "next", "tostring", "setmetatable", "pcall", "xpcall", "array", "null",
    "sec", "minute", "hour", "day",
    string = { fields = {
      "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "pack", "packsize", "rep",
      "reverse", "sub", "unpack", "upper",
    } },
    table = { fields = { "concat", "insert", "move", "pack", "remove", "sort", "unpack" } },
    math = { fields = {
      "abs", "ceil", "cos", "exp", "floor", "fmod", "huge", "log", "max", "maxinteger", "min", "mininteger",
      "modf", "pi", "random", "sin", "sqrt", "tan", "tointeger", "type", "ult",
    } },
    utf8 = { fields = { "char", "charpattern", "codepoint", "codes", "len", "offset" } },
    json = { fields = { "decode", "encode" } },
  },
}
max_line_length = 120
files["**/rules"] = { read_globals = {
  "mapping", "class", "severity", "source", "inhibition", "binding", "correlation", "guards", "leases",
  "graph_inhibition", "threshold", "grouping", "heartbeat", "flapping", "maintenance", "reminder",
  "silences",
} }
files["**/rules/tests/*.lua"] = { read_globals = {
  "test", "topology", "at", "fire", "resolve", "silent", "sends", "silence", "maintenance", "change", "command", "expect",
} }
files["**/playbooks"] = { read_globals = {
  "playbook", "http", "command", "sleep", "log", "print", "fail", "now", "step",
} }
