-- SPDX-License-Identifier: MIT
-- Which component an alert is about. The first rule whose node exists in the topology wins; {label} is replaced
-- by the label's value, {1}..{9} by what the regex caught on label `from`. Page: mapping.md.

local peer = "{caller}|{source_workload}|{client}"

mapping {
    { name = "component", node = "{component}", peer = peer },
    { name = "pod", node = "{pod}", peer = peer },
    {
        name = "pod's workload",
        from = "pod",
        regex = "(.+)-[a-f0-9]{8,10}-[a-z0-9]{5}",
        node = "{1}",
        peer = peer,
    },
    {
        name = "stateful pod's workload",
        from = "pod",
        regex = "(.+)-[0-9]+",
        node = "{1}",
        peer = peer,
    },
    {
        name = "instance without port",
        from = "instance",
        regex = "(.+):[0-9]+",
        node = "{1}",
        peer = peer,
    },
    {
        name = "instance's short host name",
        from = "instance",
        regex = "([^.:]+)\\..+",
        node = "{1}",
        peer = peer,
    },
    { name = "instance", node = "{instance}", peer = peer },
    { name = "container", node = "{container}", peer = peer },
    { name = "host", node = "{host}", peer = peer },
    { name = "hostname", node = "{hostname}", peer = peer },
    { name = "node", node = "{node}", peer = peer },
    { name = "nodename", node = "{nodename}", peer = peer },
    { name = "server of a call", node = "{server}", peer = peer },
    { name = "destination workload", node = "{destination_workload}", peer = peer },
    { name = "namespace/service", node = "{namespace}/{service}", peer = peer },
    { name = "service", node = "{service}", peer = peer },
    { name = "service_name", node = "{service_name}", peer = peer },
    { name = "deployment", node = "{deployment}", peer = peer },
    { name = "statefulset", node = "{statefulset}", peer = peer },
    { name = "daemonset", node = "{daemonset}", peer = peer },
    { name = "job", node = "{job}", peer = peer },
    { name = "app", node = "{app}", peer = peer },
    { name = "app_kubernetes_io_name", node = "{app_kubernetes_io_name}", peer = peer },
    { name = "application", node = "{application}", peer = peer },
    { name = "database", node = "{database}|{datname}", peer = peer },
    { name = "queue", node = "{queue}|{topic}", peer = peer },
}
