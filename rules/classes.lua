-- SPDX-License-Identifier: MIT
-- What kind of evidence an alert is. The first rule whose matchers all hold wins; none: "other".
-- A rule holds when all its matchers do, so "alertname or metric" takes two. Page: classes.md.

class {
    {
        name = "missing alert",
        class = "missing",
        match = {
            { label = "alertname", op = "=~",
              value = "(?i:.*(absent|missing|no_?data).*)" },
        },
    },
    {
        name = "log source",
        class = "log",
        match = {
            { label = "source", op = "=",
              value = "log" },
        },
    },
    {
        name = "log alert",
        class = "log",
        match = {
            { label = "alertname", op = "=~",
              value = "Log(Pattern|Error|Anomaly|s?Match).*" },
        },
    },
    {
        name = "network alert",
        class = "network",
        match = {
            { label = "alertname", op = "=~",
              value = "(?i:.*(network|packet|retransmit|tcp|dns|nettime|conntrack).*)" },
        },
    },
    {
        name = "error metric",
        class = "error",
        match = {
            { label = "metric", op = "=~",
              value = "(?i:(.*[^a-z])?(errors?|5xx|4xx|exceptions?|fail(ed|ures?)?|success|sr|"
                  .. "panics?|timeouts?|cancel(led|ed)?|exhausted|rejected)([^a-z].*)?)" },
        },
    },
    {
        name = "network metric",
        class = "network",
        match = {
            { label = "metric", op = "=~",
              value = "(?i:(.*[^a-z])?(net|network|packets?|retrans(mit|mits|missions?)?|rx|tx|"
                  .. "tcp|drops?|dropped|conntrack)([^a-z].*)?)" },
        },
    },
    {
        name = "latency metric",
        class = "latency",
        match = {
            { label = "metric", op = "=~",
              value = "(?i:(.*[^a-z])?(latency|duration|response_time|p[5-9][0-9]+|p[5-9][0-9]|"
                  .. "mrt|rtt|slow)([^a-z0-9].*)?)" },
        },
    },
    {
        name = "availability metric",
        class = "availability",
        match = {
            { label = "metric", op = "=~",
              value = "(?i:(.*[^a-z])?(availability|up|uptime|restarts?|health|healthy|"
                  .. "ready)([^a-z].*)?)" },
        },
    },
    {
        name = "resource metric",
        class = "resource",
        match = {
            { label = "metric", op = "=~",
              value = "(?i:(.*[^a-z])?(cpu|mem|memory|rss|heap|gc|disk|diskio|fs|filesystem|io|"
                  .. "inodes?|oom|saturation|throttl(ed|ing)|threads?|goroutines|fds?|sockets?|"
                  .. "connections?|pool|load|core|swap|pgmajfault|buffers?|throttle|capacity|"
                  .. "depth|backlog|lag|connected)([^a-z].*)?)" },
        },
    },
    {
        name = "traffic metric",
        class = "traffic",
        match = {
            { label = "metric", op = "=~",
              value = "(?i:(.*[^a-z])?(qps|rps|rate|requests?|traffic|throughput|count|calls|ops|"
                  .. "rr|per_second|per_min)([^a-z].*)?)" },
        },
    },
    {
        name = "error alert",
        class = "error",
        match = {
            { label = "alertname", op = "=~",
              value = "(?i:.*(error|5xx|4xx|exception|fail(ed|ure|ing)|panic|crash).*)" },
        },
    },
    {
        name = "latency alert",
        class = "latency",
        match = {
            { label = "alertname", op = "=~",
              value = "(?i:.*(latency|duration|slow|p9[0-9]|responsetime|response_time|timeout).*)" },
        },
    },
    {
        name = "resource alert",
        class = "resource",
        match = {
            { label = "alertname", op = "=~",
              value = "(?i:.*(cpu|memory|mem(high|usage|full)|disk|filesystem|inode|oom|saturat|"
                  .. "throttl|thread|connections|pool|heap|swap|fdexhaust|filedesc|outofspace|"
                  .. "space).*)" },
        },
    },
    {
        name = "availability alert",
        class = "availability",
        match = {
            { label = "alertname", op = "=~",
              value = "(?i:.*(down|unavailab|availab|unreachable|notready|not_ready|offline|"
                  .. "dead).*)" },
        },
    },
    {
        name = "traffic alert",
        class = "traffic",
        match = {
            { label = "alertname", op = "=~",
              value = "(?i:.*(qps|rps|traffic|requestrate|request_rate|throughput).*)" },
        },
    },
}
