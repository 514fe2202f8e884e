/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/main.c -- the one table of subcommands: dispatch and every --help follow it (layer 6). */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#define OPTIONS(...) ((const struct option_def[]){__VA_ARGS__, {NULL, NULL, NULL}})
#define LIMIT                                                \
    {                                                        \
        "limit", "N", "at most this many rows (default 100)" \
    }
#define SINCE                                                                               \
    {                                                                                       \
        "since", "TIME", "from this time on: 2026-11-23T09:00:00Z, or 2h for two hours ago" \
    }
#define UNTIL                              \
    {                                      \
        "until", "TIME", "up to this time" \
    }
#define REASON                                  \
    {                                           \
        "reason", "TEXT", "why; it is recorded" \
    }
#define DATABASE                                                                                          \
    {"data", "DIR", "data directory of the engine"}, {"database", "URL", "PostgreSQL connection string"}, \
        {"realm", "NAME", "realm (default: default)"},                                                    \
    {                                                                                                     \
        "config", "FILE", "configuration file"                                                            \
    }

const struct command commands[] = {
    {"serve", NULL, 0, 0, CMD_CONFIG, NULL, cmd_serve, NULL, "run the engine"},
    {"demo", NULL, 0, 0, CMD_CLIENT,
     OPTIONS({"service-port", "PORT",
              "of the small service that breaks (default 9197; playbooks must be allowed to call it)"},
             {"no-approve", NULL, "leave the approval to you, in another terminal"},
             {"force", NULL, "replace the realm's own topology by the demo's"}),
     cmd_demo, NULL, "a scripted outage against a running engine, in under 60 s"},
    {"check", "[FILE…]", 0, POSITIONALS_MAX, CMD_CONFIG | CMD_JUNIT,
     OPTIONS(
         {"test", "FILE",
          "run this test of the pipeline, and FILE…, on the rules; exit 1 when one fails (-o json, junit)"}),
     cmd_check, NULL,
     "check configuration, rules, playbooks and topology together; print every problem as file:line: message"},
    {"migrate", NULL, 0, 0, CMD_CONFIG,
     OPTIONS({"status", NULL, "only say which migrations are applied"},
             {"dry-run", NULL, "only say what would be applied"}),
     cmd_migrate, NULL, "bring the database schema up to date"},
    {"doctor", NULL, 0, 0, CMD_CONFIG, NULL, cmd_doctor, NULL,
     "look at everything the engine needs and say what is wrong with it"},

    {"rank", NULL, 0, 0, 0, NULL, NULL, fl_cmd_rank, "order the likely causes of one incident from files"},
    {"evaluate", NULL, 0, 0, 0, NULL, NULL, fl_cmd_evaluate, "measure the ranking on labelled incidents"},
    {"replay", NULL, 0, 0, CMD_CONFIG,
     OPTIONS({"journal", "FILE",
              "journal file, one event a line (- for standard input); else that of --data or --database"},
             {"incident", "ID", "only decisions about this incident"}, SINCE, UNTIL,
             {"expect", "FILE", "compare with this file of decisions; exit 1 and print the difference"}),
     cmd_replay, NULL,
     "run a recorded journal through the core and print its decisions; with --rules, --playbooks or --model: what would "
     "have been otherwise (exit 1 when anything)"},
    {"journal export", NULL, 0, 0, 0,
     OPTIONS({"after", "SEQ", "only events after this sequence"},
             {"until", "SEQ", "only up to this sequence"}, {"out", "FILE", "write to a file"}, DATABASE),
     cmd_journal_export, NULL, "write the journal as lines for replay"},
    {"why", "FINGERPRINT|INCIDENT", 1, 1, CMD_CLIENT,
     OPTIONS({"at", "TIME", "of an alert: only the episode of that time"}), cmd_why, NULL,
     "say what became of an alert, or how an incident came about, and why"},

    {"alert list", "[MATCHER…]", 0, POSITIONALS_MAX, CMD_CLIENT,
     OPTIONS({"state", "STATE", "firing, stale, resolved, or unmapped: matches no component"},
             {"incident", "ID", "only of this incident"},
             {"after", "PLACE", "go on where the last list ended"}, LIMIT),
     cmd_alert_list, NULL, "list alerts, newest first; with matchers those that all of them hold for"},
    {"alert send", "NAME [label=value]…", 1, POSITIONALS_MAX, CMD_CLIENT,
     OPTIONS({"summary", "TEXT", "annotation"}, {"resolved", NULL, "say that it is over"},
             {"starts", "TIME", "when it began (default: now)"},
             {"file", "FILE", "send this JSON list instead"}),
     cmd_alert_send, NULL, "send an alert, as Prometheus would"},

    {"alert stats", NULL, 0, 0, CMD_CLIENT,
     OPTIONS(SINCE, {"by", "WHAT", "rule (default), team or source"},
             {"precision", NULL,
              "of each alert rule: how often an incident, a run, an acknowledgement, or nothing"},
             LIMIT),
     cmd_alert_stats, NULL, "say what makes the noise: reports, alerts, what was kept quiet, incidents"},

    {"silence add", "MATCHER…", 1, POSITIONALS_MAX, CMD_CLIENT,
     OPTIONS({"comment", "TEXT", "why; required"}, {"duration", "DURATION", "30m, 2h, 1d"},
             {"end", "TIME", "until then, instead of a duration"},
             {"start", "TIME", "from then on (default: now)"},
             {"author", "WHO", "default: the user you are"}),
     cmd_silence_add, NULL,
     "keep alerts out of incidents for a while: label=value, !=, =~ regex, !~; prints the id"},
    {"silence list", "[MATCHER…]", 0, POSITIONALS_MAX, CMD_CLIENT,
     OPTIONS({"expired", NULL, "those that are over, too"}), cmd_silence_list, NULL, "list silences"},
    {"silence show", "ID", 1, 1, CMD_CLIENT, NULL, cmd_quiet_show, NULL,
     "one silence: how much it hides, since when that is too much, and the alerts"},
    {"silence expire", "ID…", 1, POSITIONALS_MAX, CMD_CLIENT, NULL, cmd_silence_expire, NULL,
     "end silences now"},
    {"maintenance add", "[MATCHER…]", 0, POSITIONALS_MAX, CMD_CLIENT,
     OPTIONS({"comment", "TEXT", "why (required)"},
             {"component", "ID[,ID…]", "components of the topology, and the instances of a service"},
             {"dependants", NULL, "and whatever needs them"},
             {"start", "TIME", "from this time on (default now)"}, {"end", "TIME", "until then"},
             {"duration", "D", "for this long; with --weekly: each time"},
             {"weekly", "DAYS HH:MM", "every week: \"sat,sun 02:00\""},
             {"utc-offset", "+HH:MM", "of --weekly, fixed: no daylight saving (default UTC)"}),
     cmd_maintenance_add, NULL,
     "keep alerts quiet and playbooks off while people work on something: cluster=eu1, or --component db"},
    {"maintenance list", NULL, 0, 0, CMD_CLIENT, OPTIONS({"ended", NULL, "those that are over, too"}),
     cmd_maintenance_list, NULL, "list maintenance windows"},
    {"maintenance show", "ID", 1, 1, CMD_CLIENT, NULL, cmd_quiet_show, NULL,
     "one window: how much it hides, since when that is too much, and the alerts"},
    {"maintenance end", "ID…", 1, POSITIONALS_MAX, CMD_CLIENT, NULL, cmd_maintenance_end, NULL,
     "end maintenance windows for good"},

    {"deadletter list", NULL, 0, 0, CMD_CLIENT,
     OPTIONS({"source", "SOURCE", "only from this one: grafana, mapped:NAME, …"}, SINCE, LIMIT),
     cmd_deadletter_list, NULL, "list what was sent and could not be read, and why"},
    {"deadletter show", "N", 1, 1, CMD_CLIENT, NULL, cmd_deadletter_show, NULL, "show one with its body"},
    {"deadletter retry", "[N…]", 0, POSITIONALS_MAX, CMD_CLIENT,
     OPTIONS({"all", NULL, "all of them"}, {"source", "SOURCE", "with --all: only from this one"}),
     cmd_deadletter_retry, NULL, "read them again with the rules in force now; 1: some are refused still"},
    {"deadletter drop", "[N…]", 0, POSITIONALS_MAX, CMD_CLIENT,
     OPTIONS({"all", NULL, "all of them"}, {"source", "SOURCE", "with --all: only from this one"},
             {"reason", "TEXT", "why"}),
     cmd_deadletter_drop, NULL, "drop them; the audit trail keeps what they were"},

    {"incident list", NULL, 0, 0, CMD_CLIENT,
     OPTIONS({"state", "STATE", "open (default), quiet, recovering, resolved, merged, or all"}, SINCE, UNTIL,
             LIMIT),
     cmd_incident_list, NULL, "list incidents"},
    {"incident show", "ID", 1, 1, CMD_CLIENT,
     OPTIONS({"all", NULL, "every alert and every line of the timeline"},
             {"svg", "FILE", "write a picture instead: cause, candidates, alerts and path in the graph"}),
     cmd_incident_show, NULL, "everything about one incident, and what to do next"},
    {"incident export", "ID", 1, 1, CMD_CLIENT,
     OPTIONS({"case", "DIR", "directory to make; a confirmed cause goes into expected.jsonl beside it"}),
     cmd_incident_export, NULL, "write a case directory, as rank --case, evaluate and model train read it"},
    {"incident ack", "ID", 1, 1, CMD_CLIENT, NULL, cmd_incident_do, NULL, "acknowledge"},
    {"incident assign", "ID PERSON", 2, 2, CMD_CLIENT, NULL, cmd_incident_do, NULL, "assign to a person"},
    {"incident comment", "ID TEXT", 2, 2, CMD_CLIENT, NULL, cmd_incident_do, NULL,
     "add a comment to the timeline"},
    {"incident confirm", "ID [COMPONENT]", 1, 2, CMD_CLIENT, NULL, cmd_incident_do, NULL,
     "say that the first cause (or COMPONENT) was it"},
    {"incident reject", "ID", 1, 1, CMD_CLIENT, OPTIONS(REASON), cmd_incident_do, NULL,
     "say that the first cause was not it"},
    {"incident merge", "ID INTO", 2, 2, CMD_CLIENT, NULL, cmd_incident_do, NULL,
     "merge into another incident"},
    {"incident split", "ID FINGERPRINT…", 2, POSITIONALS_MAX, CMD_CLIENT, NULL, cmd_incident_do, NULL,
     "move alerts into an incident of their own"},
    {"incident resolve", "ID", 1, 1, CMD_CLIENT, OPTIONS(REASON), cmd_incident_do, NULL, "close by hand"},
    {"incident report", "ID", 1, 1, CMD_CLIENT,
     OPTIONS({"html", NULL, "a page to print instead of Markdown"}, {"out", "FILE", "write to a file"}),
     cmd_incident_report, NULL,
     "a postmortem draft: impact, cause with its evidence, timeline, actions, proof"},

    {"topology import", "FILE", 1, 1, CMD_CLIENT,
     OPTIONS(
         {"format", "FORM",
          "json, jaeger (its /api/dependencies), csv (from,to[,type][,weight]), graphml or lua; else told from the file"},
         {"dry-run", NULL, "print what would be imported, as JSON, and change nothing"}),
     cmd_topology_import, NULL,
     "replace the service-dependency graph by that of a file (- for standard input)"},
    {"topology export", NULL, 0, 0, CMD_CLIENT,
     OPTIONS({"out", "FILE", "write to a file"}, {"at", "TIME", "as known at that time"}),
     cmd_topology_export, NULL, "print the graph as JSON"},
    {"topology show", "[COMPONENT]", 0, 1, CMD_CLIENT, NULL, cmd_topology_show, NULL,
     "the graph in figures, or one component with its neighbours"},
    {"topology impact", "COMPONENT", 1, 1, CMD_CLIENT, OPTIONS({"at", "TIME", "as known at that time"}),
     cmd_topology_impact, NULL, "what needs a component, nearest first"},
    {"topology path", "FROM TO", 2, 2, CMD_CLIENT, NULL, cmd_topology_path, NULL,
     "the shortest way in which a component needs another; exit 1 when it does not"},
    {"topology history", NULL, 0, 0, CMD_CLIENT, OPTIONS(LIMIT), cmd_topology_history, NULL,
     "versions of the graph, newest first; `topology export --at` shows one"},

    {"playbook list", NULL, 0, 0, CMD_CONFIG, NULL, cmd_playbook_list, NULL,
     "the playbooks of the playbook directory"},
    {"playbook check", "[FILE…]", 0, 0, 0, NULL, NULL, fl_cmd_playbook_offline,
     "check playbooks, without a server"},
    {"playbook test", "[FILE…]", 0, 0, 0, NULL, NULL, fl_cmd_playbook_offline,
     "run the tests beside playbooks"},
    {"playbook dry-run", "FILE", 0, 0, 0, NULL, NULL, fl_cmd_playbook_offline,
     "show what a playbook would do"},
    {"playbook run", "NAME INCIDENT [param=value]…", 2, POSITIONALS_MAX, CMD_CLIENT, NULL, cmd_playbook_run,
     NULL, "ask for a playbook; another person approves"},
    {"playbook runs", NULL, 0, 0, CMD_CLIENT,
     OPTIONS({"state", "STATE", "proposed, running, in_doubt, verifying, succeeded, failed, …"},
             {"incident", "ID", "only of this incident"}, LIMIT),
     cmd_playbook_runs, NULL, "list runs"},
    {"playbook show", "RUN", 1, 1, CMD_CLIENT, NULL, cmd_playbook_show, NULL, "one run, call by call"},
    {"playbook approve", "RUN", 1, 1, CMD_CLIENT,
     OPTIONS({"override", NULL, "take cooldown and rate limits upon yourself; it is recorded"}),
     cmd_playbook_do, NULL, "approve a proposed run"},
    {"playbook deny", "RUN", 1, 1, CMD_CLIENT, OPTIONS(REASON), cmd_playbook_do, NULL, "deny a proposed run"},
    {"playbook abort", "RUN", 1, 1, CMD_CLIENT, OPTIONS(REASON), cmd_playbook_do, NULL, "stop a run"},
    {"playbook settle", "RUN done|retry", 2, 2, CMD_CLIENT,
     OPTIONS({"result", "JSON", "the result to record with done"}), cmd_playbook_do, NULL,
     "say what became of the call a run is in doubt about"},
    {"playbook halt", NULL, 0, 0, CMD_CLIENT, OPTIONS(REASON), cmd_automation, NULL,
     "stop all automation at once"},
    {"playbook resume", "[PLAYBOOK]", 0, 1, CMD_CLIENT, OPTIONS(REASON), cmd_automation, NULL,
     "let automation act again, or one playbook whose circuit breaker opened"},

    {"audit search", NULL, 0, 0, CMD_CLIENT,
     OPTIONS({"incident", "ID", "only about this incident"}, {"actor", "WHO", "only by this actor"},
             {"action", "VERB", "only this action; may end in *"}, SINCE, UNTIL, LIMIT,
             {"after", "SEQ", "only entries after this number"}),
     cmd_audit_search, NULL, "search the audit trail"},
    {"audit show", "SEQ", 1, 1, CMD_CLIENT, NULL, cmd_audit_show, NULL, "one entry of the audit trail"},
    {"audit verify", "[FILE]", 0, 1, CMD_CLIENT,
     OPTIONS({"head", "SEQ:HASH|FILE",
              "a head, or a file of signed heads, that the trail must agree with (default: of --data)"},
             {"key", "FILE", "public key the heads were signed with (default: audit.pub beside them)"},
             DATABASE),
     cmd_audit_verify, NULL,
     "verify the hash chain: of an exported file or a bundle, of --data or --database, else of the server"},
    {"audit head", NULL, 0, 0, CMD_CLIENT, NULL, cmd_audit_head, NULL, "head of the audit chain"},
    {"audit export", NULL, 0, 0, CMD_CLIENT, OPTIONS({"out", "FILE", "write to a file"}, DATABASE),
     cmd_audit_export, NULL, "the whole audit trail, one entry a line, for `audit verify FILE`"},

    {"audit bundle", NULL, 0, 0, CMD_CLIENT,
     OPTIONS({"incident", "ID", "the incident"}, {"out", "FILE", "write to a file"}), cmd_audit_bundle, NULL,
     "what proves one incident's part of the trail, for `audit verify FILE`"},

    {"model list", NULL, 0, 0, CMD_CLIENT, NULL, cmd_model_list, NULL,
     "ranking models at hand: which one ranks, and how often each was right"},
    {"model show", "[ID|FILE]", 0, 1, CMD_CLIENT,
     OPTIONS({"text", NULL, "only the model itself, as `model add` takes it"},
             {"all", NULL, "every weight, not only the largest"}),
     cmd_model_show, NULL,
     "what a model was made from and how it weighs, in words: of the engine, from a file, or the shipped one"},
    {"model train", "DIR…", 0, 0, 0, NULL, NULL, fl_cmd_model_train,
     "train the weights on folders of labelled cases"},
    {"model add", "FILE", 1, 1, CMD_CLIENT, NULL, cmd_model_add, NULL,
     "bring a model to the engine; prints its id; it ranks nothing yet"},
    {"model shadow", "ID|FILE", 1, 1, CMD_CLIENT, OPTIONS({"off", NULL, "end the trial"}, REASON),
     cmd_model_use, NULL, "let a model rank beside the live one, deciding nothing; verdicts compare the two"},
    {"model activate", "ID|FILE", 1, 1, CMD_CLIENT, OPTIONS(REASON), cmd_model_use, NULL,
     "rank by this model from now on"},
    {"model rollback", NULL, 0, 0, CMD_CLIENT, OPTIONS(REASON), cmd_model_rollback, NULL,
     "back to the model that was live before"},
    {"model evaluate", "[DIR…]", 0, 0, CMD_CLIENT, OPTIONS(SINCE, UNTIL), NULL, fl_cmd_model_evaluate,
     "the models against people's verdicts; with folders of labelled cases: as `evaluate`"},

    {"token create", NULL, 0, 0, CMD_CLIENT,
     OPTIONS({"name", "NAME", "who will use it"},
             {"role", "ROLE", "ingest, viewer, operator, approver or admin"},
             {"expires", "DURATION", "30d, 12h (default: never)"},
             {"out", "FILE", "write the secret to a file (0600) instead of printing it"}, DATABASE),
     cmd_token_create, NULL, "make a token; its secret is shown once"},
    {"token list", NULL, 0, 0, CMD_CLIENT, OPTIONS(DATABASE), cmd_token_list, NULL,
     "tokens, never their secrets"},
    {"token revoke", "ID|NAME", 1, 1, CMD_CLIENT, OPTIONS(DATABASE), cmd_token_revoke, NULL,
     "make a token useless"},

    {"version", NULL, 0, 0, 0, NULL, cmd_version, NULL, "print the version"},
};
const size_t n_commands = FL_ARRAY_LEN(commands);

/* How many words of argv (from 1) a command's path takes; 0 when it is another one. */
static int words_matched(const struct command *c, int argc, char **argv)
{
    const char *p = c->path;
    int n = 0;
    while (*p) {
        size_t len = strcspn(p, " ");
        if (n + 1 >= argc || strlen(argv[n + 1]) != len || memcmp(argv[n + 1], p, len) != 0)
            return 0;
        n++;
        p += len + (p[len] == ' ');
    }
    return n;
}

/* "faultline incident": list what there is; "faultline incidnet": did you mean. */
static int unknown(int argc, char **argv)
{
    const char *words[128];
    size_t n = 0;
    bool group = false;
    for (size_t i = 0; i < n_commands; i++) {
        size_t len = strcspn(commands[i].path, " ");
        if (strlen(argv[1]) == len && !memcmp(argv[1], commands[i].path, len)) {
            if (!group)
                fprintf(argc > 2 ? stderr : stdout, "faultline %s:\n", argv[1]);
            group = true;
            fprintf(argc > 2 ? stderr : stdout, "  %-20s %s\n", commands[i].path, commands[i].help);
        }
    }
    if (group && argc > 2 && argv[2][0] != '-')
        fprintf(stderr, "faultline: \"%s %s\": there is no such command\n", argv[1], argv[2]);
    if (group)
        return argc == 3 && (!strcmp(argv[2], "--help") || !strcmp(argv[2], "-h")) ? EXIT_FINE : EXIT_USAGE;
    for (size_t i = 0; i < n_commands && n < FL_ARRAY_LEN(words); i++) {
        char *word = strndup(commands[i].path, strcspn(commands[i].path, " "));
        if (word)
            words[n++] = word;
    }
    const char *near = fl_nearest_word(argv[1], words, n);
    fprintf(stderr, "faultline: \"%.64s\": there is no such command; %s%s%s\n", argv[1],
            near ? "did you mean \"" : "", near ? near : "see faultline --help", near ? "\"?" : "");
    for (size_t i = 0; i < n; i++)
        free((void *)(uintptr_t)words[i]);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (fl_base_init() != FL_OK) {
        fprintf(stderr, "faultline: the crypto library does not start\n");
        return EXIT_FINDING;
    }
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_overview(argc < 2 ? stderr : stdout);
        return argc < 2 ? EXIT_USAGE : EXIT_FINE;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
        return cmd_version(NULL);
    const struct command *best = NULL;
    int words = 0;
    for (size_t i = 0; i < n_commands; i++) {
        int n = words_matched(&commands[i], argc, argv);
        if (n > words) {
            words = n;
            best = &commands[i];
        }
    }
    if (!best)
        return unknown(argc, argv);
    if (best->raw)
        return best->raw(argc - words, argv + words);
    struct args a;
    int code = args_parse(best, argc - words, argv + words, &a);
    return code >= 0 ? code : best->run(&a);
}
