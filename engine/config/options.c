/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/config/options.c -- the one option table: names, defaults, ranges, help. Flags, environment, the
 * configuration file, the dump and docs/reference/configuration.md all come from here. */
#include "options_priv.h"

#define AT(member) offsetof(struct fl_config, member)
#define SECONDS(n) ((n)*FL_USEC_PER_SEC)

/* name, type, default, unit, help, reloadable */
static const struct fl_option options[] = {
    {"listen", "string", "127.0.0.1:9195", "", "address and port to serve HTTP on", false},
    {"data", "string", "", "",
     "folder for the private database, tokens and audit heads; empty: the usual place", false},
    {"database", "string", "", "",
     "PostgreSQL connection string; empty: a private server that Faultline runs itself", false},
    {"rules", "string", "", "", "folder of rule files; empty: the shipped ones", true},
    {"playbooks", "string", "", "", "folder of playbooks; empty: the shipped ones", true},
    {"topology", "string", "", "", "topology file loaded at start; empty: none", true},
    {"model", "string", "", "", "ranking model file; empty: the shipped one", true},
    {"worker", "string", "", "", "playbook worker executable; empty: beside the engine's own", false},
    {"realm", "string", "default", "", "realm that alerts and tokens without another one belong to", false},
    {"auth", "string", "on", "", "on: every request needs a token; off: allowed on loopback addresses only",
     false},
    {"log_level", "string", "info", "", "least severity that is logged", true},
    {"max_body", "integer", "33554432", "bytes",
     "largest request body; a larger one is refused on announcement", true},
    {"max_connections", "integer", "2048", "", "connections served at once", false},
    {"max_connections_per_address", "integer", "512", "", "connections served at once from one address",
     false},
    {"request_deadline", "integer", "30", "seconds", "time from a request's first byte to its last", true},
    {"queue", "integer", "67108864", "bytes", "memory of requests waiting for the journal; above it 503",
     false},
    {"lag_events", "integer", "20000", "",
     "how far the projections may lag behind, in events of 32 KiB (some 64 alerts); above it 503", true},
    {"http_threads", "integer", "2", "", "threads that serve HTTP", false},
    {"snapshot_events", "integer", "10000", "", "journal rows between two snapshots of the state", true},
    {"lease_default", "duration", "9h", "",
     "firing alert whose sender promises no end: stale after this long without a repeat (twice Alertmanager's "
     "default repeat_interval and an hour)",
     true},
    {"lease_grace", "duration", "5m", "",
     "time for senders to renew before alerts go stale, after a restart and when an Alertmanager names a later start",
     true},
    {"max_workers", "integer", "4", "", "playbooks running at once", true},
    {"allow_private_targets", "boolean", "false", "",
     "playbooks may call loopback and private network addresses", true},
    {"aliases", "boolean", "false", "",
     "also take alerts at the paths of Keep, Robusta, OnCall and Alerta, to move senders by name only",
     false},
    {"grafana_secret", "string", "", "",
     "secret that signs Grafana's webhooks; empty: signatures are not checked", false},
    {"http_allow", "list", "[]", "", "where playbooks may send HTTP requests: host, port, methods", true},
    {"commands", "list", "[]", "", "commands playbooks may run: name, path, args, patterns", true},
};

static const struct option_slot slots[] = {
    {OPT_STRING, AT(listen), 0, 0, NULL},
    {OPT_STRING, AT(data), 0, 0, NULL},
    {OPT_STRING, AT(database), 0, 0, NULL},
    {OPT_STRING, AT(rules_dir), 0, 0, NULL},
    {OPT_STRING, AT(playbooks_dir), 0, 0, NULL},
    {OPT_STRING, AT(topology), 0, 0, NULL},
    {OPT_STRING, AT(model), 0, 0, NULL},
    {OPT_STRING, AT(worker), 0, 0, NULL},
    {OPT_STRING, AT(realm), 0, 0, NULL},
    {OPT_STRING, AT(auth), 0, 0, "on|off"},
    {OPT_STRING, AT(log_level), 0, 0, "debug|info|warn|error"},
    {OPT_INTEGER, AT(max_body_bytes), 1024, INT64_C(1) << 30, NULL},
    {OPT_INTEGER, AT(max_connections), 1, 100000, NULL},
    {OPT_INTEGER, AT(max_connections_per_address), 1, 100000, NULL},
    {OPT_INTEGER, AT(request_deadline_s), 1, 3600, NULL},
    {OPT_INTEGER, AT(queue_bytes), 1 << 20, INT64_C(1) << 34, NULL},
    {OPT_INTEGER, AT(lag_events), 100, 10000000, NULL},
    {OPT_INTEGER, AT(http_threads), 1, 64, NULL},
    {OPT_INTEGER, AT(snapshot_events), 100, 10000000, NULL},
    {OPT_DURATION, AT(lease_default), SECONDS(60), SECONDS(30 * 86400), NULL},
    {OPT_DURATION, AT(lease_grace), SECONDS(1), SECONDS(86400), NULL},
    {OPT_INTEGER, AT(max_workers), 1, 256, NULL},
    {OPT_BOOLEAN, AT(allow_private_targets), 0, 0, NULL},
    {OPT_BOOLEAN, AT(aliases), 0, 0, NULL},
    {OPT_STRING, AT(grafana_secret), 0, 0, NULL},
    {OPT_HTTP_ALLOW, AT(http_allow), 0, 0, NULL},
    {OPT_COMMANDS, AT(commands), 0, 0, NULL},
};
_Static_assert(FL_ARRAY_LEN(options) == FL_ARRAY_LEN(slots), "one slot per option, in the same order");

const struct fl_option *fl_config_options(size_t *ret_n)
{
    *ret_n = FL_ARRAY_LEN(options);
    return options;
}

const struct option_slot *fl_config_slots(void)
{
    return slots;
}
