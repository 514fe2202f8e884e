/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/names.c -- the one spelling of every enum; stored, served and printed: never change a
 * name, only add. Contract in <faultline/model.h>. */
#include <faultline/effects.h>
#include <faultline/model.h>

#include <string.h>
#include <strings.h>

static const char *const alert_statuses[] = {"firing", "resolved", "stale"};
static const char *const severities[] = {"none", "info", "warning", "error", "critical"};
static const char *const classes[FL_EC_N] = {"other",   "resource", "error",   "latency",     "network",
                                             "traffic", "log",      "missing", "availability"};
static const char *const incident_states[FL_INC_N] = {"open", "quiet", "recovering", "resolved", "merged"};
static const char *const run_states[FL_RUN_N] = {"proposed",  "running",  "in_doubt", "verifying",
                                                 "succeeded", "failed",   "denied",   "expired",
                                                 "aborted",   "diverged", "timed_out"};
static const char *const call_states[FL_CALL_N] = {"intent", "done", "failed", "denied", "in_doubt"};
static const char *const event_kinds[FL_EV_N] = {"none",        "alerts",    "alert.expired",  "topology",
                                                 "change",      "command",   "tick",           "run.call",
                                                 "run.outcome", "run.ended", "engine.started", "config",
                                                 "token",       "heartbeat", "alerts.bodies"};
static const char *const fx_kinds[] = {"alert", "incident",  "timeline", "ranking", "run",
                                       "call",  "topology",  "change",   "silence", "maintenance",
                                       "model", "model_use", "verdict",  "audit",   "run_start",
                                       "act",   "reply",     "stop",     "answer"};

static const char *name_of(const char *const *names, size_t n, unsigned i)
{
    FL_REQUIRE(i < n);
    return names[i];
}

static bool find(const char *const *names, unsigned first, size_t n, const char *s, unsigned *ret)
{
    for (unsigned i = first; s && i < n; i++)
        if (strcmp(names[i], s) == 0) {
            *ret = i;
            return true;
        }
    return false;
}

/* One pair of functions per enum; `first` hides a name that is no value (event kind 0). */
#define NAMES(type, stem, table, first)                          \
    const char *stem##_name(type v)                              \
    {                                                            \
        return name_of(table, FL_ARRAY_LEN(table), (unsigned)v); \
    }                                                            \
    bool stem##_parse(const char *s, type *ret)                  \
    {                                                            \
        unsigned i;                                              \
        if (!find(table, first, FL_ARRAY_LEN(table), s, &i))     \
            return false;                                        \
        *ret = (type)i;                                          \
        return true;                                             \
    }

NAMES(fl_alert_status, fl_alert_status, alert_statuses, 0u)
NAMES(fl_evidence_class, fl_evidence_class, classes, 0u)
NAMES(fl_incident_state, fl_incident_state, incident_states, 0u)
NAMES(fl_run_state, fl_run_state, run_states, 0u)
NAMES(fl_call_state, fl_call_state, call_states, 0u)
NAMES(fl_event_kind, fl_event_kind, event_kinds, 1u)
NAMES(fl_fx_kind, fl_fx_kind, fx_kinds, 0u)

const char *const *fl_evidence_class_names(size_t *ret_n)
{
    *ret_n = FL_ARRAY_LEN(classes);
    return classes;
}

const char *const *fl_severity_names(size_t *ret_n)
{
    *ret_n = FL_ARRAY_LEN(severities);
    return severities;
}

const char *fl_severity_name(fl_severity s)
{
    return name_of(severities, FL_ARRAY_LEN(severities), (unsigned)s);
}

/* Spellings seen in Prometheus, Grafana, PagerDuty, Zabbix, syslog and ticketing rules. */
static const struct {
    const char *word;
    fl_severity severity;
} spellings[] = {
    {"critical", FL_SEV_CRITICAL},  {"crit", FL_SEV_CRITICAL},    {"page", FL_SEV_CRITICAL},
    {"pager", FL_SEV_CRITICAL},     {"p0", FL_SEV_CRITICAL},      {"p1", FL_SEV_CRITICAL},
    {"sev0", FL_SEV_CRITICAL},      {"sev1", FL_SEV_CRITICAL},    {"s1", FL_SEV_CRITICAL},
    {"emergency", FL_SEV_CRITICAL}, {"emerg", FL_SEV_CRITICAL},   {"fatal", FL_SEV_CRITICAL},
    {"disaster", FL_SEV_CRITICAL},  {"blocker", FL_SEV_CRITICAL}, {"error", FL_SEV_ERROR},
    {"err", FL_SEV_ERROR},          {"major", FL_SEV_ERROR},      {"high", FL_SEV_ERROR},
    {"p2", FL_SEV_ERROR},           {"sev2", FL_SEV_ERROR},       {"s2", FL_SEV_ERROR},
    {"warning", FL_SEV_WARNING},    {"warn", FL_SEV_WARNING},     {"minor", FL_SEV_WARNING},
    {"medium", FL_SEV_WARNING},     {"moderate", FL_SEV_WARNING}, {"average", FL_SEV_WARNING},
    {"ticket", FL_SEV_WARNING},     {"p3", FL_SEV_WARNING},       {"sev3", FL_SEV_WARNING},
    {"s3", FL_SEV_WARNING},         {"info", FL_SEV_INFO},        {"information", FL_SEV_INFO},
    {"informational", FL_SEV_INFO}, {"notice", FL_SEV_INFO},      {"low", FL_SEV_INFO},
    {"debug", FL_SEV_INFO},         {"p4", FL_SEV_INFO},          {"p5", FL_SEV_INFO},
    {"sev4", FL_SEV_INFO},          {"sev5", FL_SEV_INFO},        {"s4", FL_SEV_INFO},
    {"none", FL_SEV_NONE},          {"ok", FL_SEV_NONE},          {"not classified", FL_SEV_NONE},
};

fl_severity fl_severity_parse(const char *s, fl_severity dflt)
{
    for (size_t i = 0; s && i < FL_ARRAY_LEN(spellings); i++)
        if (strcasecmp(s, spellings[i].word) == 0)
            return spellings[i].severity;
    return dflt;
}
