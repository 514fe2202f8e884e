/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/model.h -- plain structs of the domain, shared by all stages (layer 1).
 * Strings are NUL-terminated UTF-8 without NUL inside, borrowed from the arena that made the struct. */
#pragma once

#include <faultline/base.h>

struct fl_json;
struct fl_jw;

/* ---- alerts --------------------------------------------------------------------------------- */

/* Limits on what a sender controls; over them the alert is refused with its reason. */
#define FL_ALERTS_MAX 100000u    /* alerts in one body */
#define FL_LABELS_MAX 128u       /* labels, and annotations, of one alert */
#define FL_LABEL_NAME_MAX 1024u  /* bytes */
#define FL_LABEL_VALUE_MAX 65536u
#define FL_ANNOTATION_MAX 65536u
#define FL_URL_MAX 65536u
#define FL_NODE_ID_MAX 512u

struct fl_label {
    const char *name, *value;
};
struct fl_labels {
    const struct fl_label *v; /* sorted by name bytewise, names unique, no empty values */
    size_t n;
};

typedef enum fl_alert_status { FL_ALERT_FIRING, FL_ALERT_RESOLVED, FL_ALERT_STALE } fl_alert_status;

/** One report of one alert. An *episode* is (fingerprint, starts_at). */
struct fl_alert {
    uint64_t fingerprint;          /* Alertmanager's FNV-1a 64 of `labels`; never the sender's claim */
    struct fl_labels labels, annotations;
    fl_usec starts_at;             /* never 0 */
    fl_usec ends_at;               /* 0 = not set; for a resolved one when it ended */
    fl_usec lease_until;           /* firing: when silence makes it stale; 0 = the configured default */
    fl_usec received_at;
    fl_alert_status status;
    bool starts_guessed;           /* startsAt was absent: an open episode of the fingerprint is meant */
    bool lease_guessed;            /* endsAt was absent where that means a lease of fixed length, counted from the receipt */
    const char *generator_url;     /* "" when absent */
};

/** Are these two starts of one fingerprint the same one? One interface of a sender writes milliseconds, another more. */
static inline bool fl_same_start(fl_usec a, fl_usec b)
{
    return a == b || (a / 1000 == b / 1000 && (a % 1000 == 0 || b % 1000 == 0));
}
/** A report that a start fires counts as late for so long after its end was heard; after that its sender says what is so now. An
 *  Alertmanager tries for a group_interval (5 min) to deliver what it made before; Prometheus promises 4 min at most. */
#define FL_LATE_FOR (6 * 60 * FL_USEC_PER_SEC)

const char *fl_label_get(const struct fl_labels *l, const char *name); /* "" when absent */
/** Whose alert it is by its labels: team, else owner, else "". */
const char *fl_team_of_labels(const struct fl_labels *l);
/** Sort by name, drop empty values; duplicates keep the last. In place; returns the new count. */
size_t fl_labels_normalise(struct fl_label *v, size_t n);
/** Alertmanager's fingerprint of normalised labels. */
uint64_t fl_labels_fingerprint(const struct fl_labels *l);
/** Deep copy as one malloc()ed block: free() it. For a few alerts that outlive their arena; many: fl_pool_alert(). */
struct fl_alert *fl_alert_dup(const struct fl_alert *a);
const char *fl_alert_status_name(fl_alert_status s); /* firing, resolved, stale */
bool fl_alert_status_parse(const char *s, fl_alert_status *ret);
/** {"alertname"="X", …} as people write matchers: alertname="X", instance="db1". */
void fl_labels_text(const struct fl_labels *l, struct fl_buf *out);
void fl_labels_json(struct fl_jw *w, const char *key, const struct fl_labels *l);

typedef enum fl_severity {
    FL_SEV_NONE, FL_SEV_INFO, FL_SEV_WARNING, FL_SEV_ERROR, FL_SEV_CRITICAL
} fl_severity;
const char *fl_severity_name(fl_severity s);
const char *const *fl_severity_names(size_t *ret_n); /* lowest first */
/** Known spellings (critical, crit, page, P1, error, major, warning, warn, minor, info, …); else dflt. */
fl_severity fl_severity_parse(const char *s, fl_severity dflt);

/** What kind of evidence an alert is; set by rules. */
typedef enum fl_evidence_class {
    FL_EC_OTHER, FL_EC_RESOURCE, FL_EC_ERROR, FL_EC_LATENCY, FL_EC_NETWORK, FL_EC_TRAFFIC, FL_EC_LOG,
    FL_EC_MISSING, FL_EC_AVAILABILITY, FL_EC_N
} fl_evidence_class;
const char *fl_evidence_class_name(fl_evidence_class c);
bool fl_evidence_class_parse(const char *s, fl_evidence_class *ret);
const char *const *fl_evidence_class_names(size_t *ret_n);

/** Of a reader that goes through many alerts piece by piece. */
enum fl_cursor_state { FL_CURSOR_END, FL_CURSOR_MORE, FL_CURSOR_LOST };

/* ---- topology --------------------------------------------------------------------------------- */

#define FL_NODES_MAX 1000000u
#define FL_EDGES_MAX 4000000u

struct fl_node {
    const char *id, *type;                     /* type: service, instance, host, store, queue, gateway, external, … */
    const char *service, *host, *tier, *owner; /* NULL when absent; `service` = the service it counts as */
    struct fl_labels labels;
};
/** `from` needs `to`: a caller needs its callee. */
struct fl_edge {
    const char *from, *to, *type; /* calls, data, has_instance, runs_on, registers_with, … */
    double weight;                /* > 0 and finite; 1 when absent */
};
struct fl_topology_doc {
    const struct fl_node *nodes;
    size_t n_nodes;
    const struct fl_edge *edges;
    size_t n_edges;
    struct fl_sha256 hash; /* of the canonical text: the topology's version */
};

/** A deploy, flag flip or configuration change. */
struct fl_change {
    fl_usec time;
    const char *component, *kind, *id, *author, *title, *link, *detail; /* last four NULL when absent */
};

/* ---- rules (data; made from rules/<topic>.lua) -------------------------------------------------- */

/** op: '=' equal, '!' not equal, '~' regex match, 'n' no regex match; regexes are anchored. */
struct fl_matcher {
    const char *name, *value;
    char op;
    void *compiled; /* owned by the rules; see fl_matcher_* */
};

#define FL_RULES_DURATION_MAX (366 * 86400 * FL_USEC_PER_SEC)

/** labels → component: every matcher holds, then `node` with {label} replaced is the node's id.
 *  With `regex`, {1}..{9} are its captures on label `from`. First rule whose node *exists* wins. */
struct fl_mapping_rule {
    const char *name;
    const struct fl_matcher *match;
    size_t n_match;
    const char *from, *regex; /* NULL when unused */
    void *compiled;
    const char *node;         /* template */
    const char *peer;         /* template of the caller's / other endpoint's id; NULL when none */
    /* Both may list alternatives, "{caller}|{client}": the first whose placeholders are all non-empty. */
};
struct fl_class_rule {
    const char *name;
    const struct fl_matcher *match;
    size_t n_match;
    fl_evidence_class cls;
};
struct fl_severity_rule {
    const char *name;
    const struct fl_matcher *match;
    size_t n_match;
    fl_severity severity;
};
struct fl_correlation_params {
    fl_usec window;             /* an alert joins an incident whose last new alert is at most this old */
    unsigned distance;          /* hops on the dependency graph, either direction */
    unsigned unmapped_distance; /* reserved */
    const char *const *edge_types; /* edge types that correlate */
    size_t n_edge_types;
    const char *const *group_by;   /* labels that group alerts with no component */
    size_t n_group_by;
    fl_usec quiet_after;        /* no new alert for this long: quiet */
    fl_usec resolve_after;      /* all alerts resolved for this long: resolved (until then a return reopens) */
    fl_usec rerank_delay;       /* collect alerts this long before ranking again; first rank is at once */
};
/** Which playbook is tried for which incident. */
struct fl_binding_rule {
    const char *name, *playbook;
    const struct fl_matcher *match; /* on an alert of the incident mapped to the top cause (or any, see any_alert) */
    size_t n_match;
    bool any_alert;
    const char *const *cause_types; /* node types of the top cause; empty = any */
    size_t n_cause_types;
    double min_confidence;
    const char *approval;           /* "required" (default) or "none" */
    struct { const char *name, *value; } params[16]; /* value is a template: {cause} {service} {label:x} */
    size_t n_params;
};
struct fl_guard_params { /* brakes; RELIABILITY guard 5 */
    fl_usec cooldown;              /* per target after a disruptive run */
    unsigned max_disruptive;       /* fleet-wide … */
    fl_usec disruptive_window;     /* … in this long */
    double max_alerting_share;     /* of known services; above it automation halts */
    unsigned breaker_failures;     /* in a row of one playbook → off until acknowledged */
    fl_usec approval_ttl;          /* an approval request older than this expires */
};
/** As Alertmanager's inhibit_rules: while an alert of `source` fires, alerts of `target` with the same values of the
 *  labels `equal` are inhibited. An alert of both sides is not inhibited by such a one. */
struct fl_inhibition_rule {
    const char *name;
    const struct fl_matcher *source, *target;
    size_t n_source, n_target;
    const char *const *equal;
    size_t n_equal;
};
#define FL_GRAPH_INHIBITIONS_MAX 32u /* each may cost a walk of the graph for each new alert */
#define FL_GRAPH_DISTANCE_MAX 5u
#define FL_HOLD_DOWN_MAX (300 * FL_USEC_PER_SEC)
/** While an alert of `upstream` fires on a component, alerts of `target` on components that need it are inhibited. */
struct fl_graph_inhibition_rule {
    const char *name;
    const struct fl_matcher *upstream, *target; /* target: none = every alert */
    size_t n_upstream, n_target;
    const char *const *edge_types;
    size_t n_edge_types;
    unsigned distance; /* hops from a dependant to what it needs */
    fl_usec hold_down; /* a dependant waits this long for what it needs to alert, too */
};
#define FL_THRESHOLD_COUNT_MAX 1000u
/** Alerts of a group (same values of `group_by`) open nothing before `count` of them fire that began within `within`. */
struct fl_threshold_rule {
    const char *name;
    const struct fl_matcher *match;
    size_t n_match;
    const char *const *group_by;
    size_t n_group_by;
    unsigned count;
    fl_usec within;
    const char *distinct; /* count different values of this label; NULL: alerts */
};
#define FL_GROUP_WAIT_MAX (900 * FL_USEC_PER_SEC)
/** The first alerts of a group wait for each other, then open one incident together. */
struct fl_grouping_rule {
    const char *name;
    const struct fl_matcher *match;
    size_t n_match;
    const char *const *group_by;
    size_t n_group_by;
    fl_usec wait;
};
#define FL_HEARTBEATS_MAX 100u     /* each is looked at for each alert that comes in */
#define FL_HEARTBEAT_NAME_MAX 64u
#define FL_HEARTBEAT_INTERVAL_MAX (7 * 86400 * FL_USEC_PER_SEC)
/** A sender that must not fall silent. Either `match`: a firing alert that says it lives, and opens no incident itself;
 *  or `source`: any body of that format. */
struct fl_heartbeat_rule {
    const char *name;
    const struct fl_matcher *match;
    size_t n_match;
    const char *source; /* NULL when unused */
    fl_usec interval, grace;
    fl_severity severity;    /* of the alert that is raised … */
    struct fl_labels labels; /* … and labels it gets besides */
};
#define FL_FLAP_CHANGES_MAX 50u
/** An alert that changes between firing and resolved more than `changes` times within `within` is flapping. */
struct fl_flapping_rule {
    const char *name;
    const struct fl_matcher *match;
    size_t n_match;
    unsigned changes; /* 0: the alerts of this rule never flap */
    fl_usec within;
    fl_usec quiet_for; /* without a change for this long it flaps no more */
};
#define FL_REMINDERS_MAX 8u /* each is looked at for each silence and window whenever what they hide changes */
/** A silence or a maintenance window is spoken of when it hides much for long: at least `alerts` firing ones, `severity`
 *  or worse, for as long as `lasts`; or when it is to end within `ends_within` and still hides them. */
struct fl_reminder_rule {
    const char *name;
    fl_severity severity;
    unsigned alerts;
    fl_usec lasts, ends_within; /* one of them; the other is 0 */
    fl_usec every;              /* said again after this long while it is so; 0: once */
};
#define FL_WINDOWS_MAX 1000u
/** A maintenance window: once, or every week. Days and times are at a fixed offset from UTC. */
struct fl_window {
    const char *name; /* of the rules' own; else "" */
    const char *comment;
    const struct fl_matcher *match; /* all must hold … */
    size_t n_match;
    const char *const *components; /* … and the alert's component is one of these; empty: any */
    size_t n_components;
    bool dependants;            /* or needs one of them */
    fl_usec starts_at, ends_at; /* ends_at 0: no end */
    bool weekly;
    unsigned days; /* bit 0 = Monday */
    fl_usec at;    /* since midnight */
    fl_usec lasts;
    int utc_offset; /* minutes */
};
struct fl_rules {
    const struct fl_heartbeat_rule *heartbeats;
    size_t n_heartbeats;
    const struct fl_inhibition_rule *inhibitions;
    size_t n_inhibitions;
    const struct fl_graph_inhibition_rule *graph_inhibitions;
    size_t n_graph_inhibitions;
    const struct fl_threshold_rule *thresholds;
    size_t n_thresholds;
    const struct fl_grouping_rule *groupings;
    size_t n_groupings;
    const struct fl_window *windows;
    size_t n_windows;
    const struct fl_flapping_rule *flapping;
    size_t n_flapping;
    const struct fl_reminder_rule *reminders;
    size_t n_reminders;
    const struct fl_mapping_rule *mapping;
    size_t n_mapping;
    const struct fl_class_rule *classes;
    size_t n_classes;
    const struct fl_severity_rule *severities;
    size_t n_severities;
    struct fl_correlation_params correlation;
    const struct fl_binding_rule *bindings;
    size_t n_bindings;
    struct fl_guard_params guards;
    fl_usec lease_default; /* firing alerts whose sender promises no end (webhook) */
    fl_usec lease_grace;   /* after a restart */
    struct fl_sha256 hash; /* version of the rules */
    struct fl_arena *arena; /* owns everything */
};
/** Build rules from the canonical JSON that the rule files yield (docs/reference/rules.md).
 *  Missing parts take defaults; an unknown key is an error with "did you mean". */
FL_MUST_CHECK fl_status fl_rules_from_json(const char *json, size_t n, struct fl_rules **ret, struct fl_err *err);
/** The built-in rules, used when no rule file is given: same bytes as rules/<all>.lua yield. */
const char *fl_rules_default_json(void);
struct fl_rules *fl_rules_free(struct fl_rules *r);
/** All matchers hold (a missing label equals ""). Pure, any thread, bounded work (PCRE2 match limit). */
bool fl_match_all(const struct fl_matcher *m, size_t n, const struct fl_labels *l);
#define FL_REGEX_MAX 4096u         /* bytes of one pattern */
#define FL_REGEX_SUBJECT_MAX 4096u /* a longer value is undecided: neither =~ nor !~ holds */
#define FL_MATCHER_MAX 8192u       /* bytes of one matcher's text */
/** Compile / free one matcher's regex (anchored at both ends; what RE2 lacks is refused with the reason). */
FL_MUST_CHECK fl_status fl_matcher_compile(struct fl_matcher *m, struct fl_err *err);
void fl_matcher_done(struct fl_matcher *m);
/** One matcher as people write it: `name op value`, op one of = != =~ !~, the value bare or in double quotes
 *  with Go's escapes. Not compiled yet. On failure err->text is Alertmanager's ("bad matcher format: …"). */
FL_MUST_CHECK fl_status fl_matcher_parse(struct fl_arena *arena, const char *text, size_t n, struct fl_matcher *ret,
                                         struct fl_err *err);
/** The only values a `=~` can hold for, where its pattern is plain alternatives (`a|b|c`, with or without ^(?:…)$ around it).
 *  @return how many, at most max, in the arena; 0: more, another pattern, another operator, or out of memory. */
size_t fl_matcher_literals(struct fl_arena *arena, const struct fl_matcher *m, size_t max, const char ***ret);
/** The text form back: name="value". */
void fl_matcher_text(const struct fl_matcher *m, struct fl_buf *out);
fl_evidence_class fl_rules_class(const struct fl_rules *r, const struct fl_alert *a);
/** The rule whose sign of life this alert is; NULL: none. */
const struct fl_heartbeat_rule *fl_rules_heartbeat(const struct fl_rules *r, const struct fl_labels *l);
fl_severity fl_rules_severity(const struct fl_rules *r, const struct fl_alert *a);
/**
 * Candidate node ids of one alert in rule order, already expanded.
 * @param emit  called with (rule, node id, peer id or NULL); returns true to stop (the node exists).
 * @return true when emit accepted one.
 */
bool fl_rules_map(const struct fl_rules *r, const struct fl_alert *a,
                  bool (*emit)(void *ctx, const struct fl_mapping_rule *rule, const char *node, const char *peer),
                  void *ctx);

/**
 * A window as people post it: {"comment","match":[…],"components":[…],"dependants"?,"starts_at"?,"ends_at"?,
 * "weekly"?:{"days":["mon",…],"at":"HH:MM","duration","utc_offset"?}}. fl_window_done() frees the matchers, the arena the rest.
 * @param now  checks the times, and wants a comment; 0 = a stored one.
 */
FL_MUST_CHECK fl_status fl_window_parse(struct fl_arena *arena, const struct fl_json *v, fl_usec now, struct fl_window *ret,
                                        struct fl_err *err);
void fl_window_done(struct fl_window *w);
/** @param ret_until when it closes (0: not before somebody ends it). */
bool fl_window_open(const struct fl_window *w, fl_usec at, fl_usec *ret_until);
/** When it opens or closes next, after `at`; 0: never. */
fl_usec fl_window_next(const struct fl_window *w, fl_usec at);
void fl_window_json(struct fl_jw *jw, const char *key, const struct fl_window *w);

/* ---- noise figures ---- */

#define FL_TEAMS_MAX 64u /* told apart; those that come later are counted together as "other" */
#define FL_ALERT_RULES_MAX 128u /* the same of names of alert rules */
#define FL_TEAM_OTHER "other"
#define FL_TEAM_MAX 64u  /* bytes of a name */
/** What came of one team's alerts since the realm began. */
struct fl_team_figures {
    char name[FL_TEAM_MAX + 1]; /* "" = nobody's */
    uint64_t alerts;            /* episodes */
    uint64_t silenced, inhibited, held; /* of them kept out of incidents when they came; held: for any other reason */
    uint64_t incidents;         /* opened by an alert of theirs */
};
/** Firing reports of one alert rule, team and source. */
struct fl_noise_count {
    const char *rule, *team, *source;
    uint64_t reports;
};

/* ---- silences ---- */

#define FL_SILENCE_ID_LEN 37 /* a UUID's text and a NUL */
#define FL_SILENCE_MATCHERS_MAX 64u
struct fl_silence {
    const char *id; /* "" when new */
    struct fl_matcher *m;
    size_t n;
    fl_usec starts_at, ends_at, updated_at;
    const char *created_by, *comment;
};
/**
 * Alertmanager's postable silence. Matchers are compiled: fl_silence_done() frees that, the arena the rest.
 * @param now  checks the times against it; 0 = a stored one, whose end may have passed.
 * @param ret_code  how Alertmanager answers: 0 a string with 400, 400 an object, over 600 an object with 422. May be NULL.
 * @return on failure err->text is Alertmanager's own.
 */
FL_MUST_CHECK fl_status fl_silence_parse(struct fl_arena *arena, const struct fl_json *v, fl_usec now, struct fl_silence *ret,
                                         unsigned *ret_code, struct fl_err *err);
void fl_silence_done(struct fl_silence *s);
bool fl_silence_same_matchers(const struct fl_silence *a, const struct fl_silence *b);
/** [{"isEqual","isRegex","name","value"}] */
void fl_silence_matchers_json(struct fl_jw *w, const char *key, const struct fl_silence *s);
/** alertname="X", cluster=~"us.*" */
void fl_silence_text(const struct fl_silence *s, struct fl_buf *out);
bool fl_silence_id_valid(const char *id);

/* ---- incidents, ranking ------------------------------------------------------------------------- */

typedef enum fl_incident_state {
    FL_INC_OPEN, FL_INC_QUIET, FL_INC_RECOVERING, FL_INC_RESOLVED, FL_INC_MERGED, FL_INC_N
} fl_incident_state;
const char *fl_incident_state_name(fl_incident_state s);
bool fl_incident_state_parse(const char *s, fl_incident_state *ret);

#define FL_ID_LEN 40 /* "INC-2026-000042", "RUN-2026-000007" and a NUL, with room */

/** One signed term of a candidate's score, in words and numbers. */
struct fl_contribution {
    const char *term;             /* stable key: rarity, resource, explains_upstream, … */
    double value;                 /* log-odds */
    const char *text;             /* a sentence for people */
    const uint64_t *alerts;       /* fingerprints behind it */
    size_t n_alerts;
    const char *const *path;      /* node ids, cause first; empty when none */
    size_t n_path;
};
struct fl_candidate {
    const char *node, *service, *type; /* type: the node's */
    double score, confidence;          /* log-odds; calibrated probability within the incident */
    const struct fl_contribution *contributions; /* largest magnitude first */
    size_t n_contributions;
    const char *counterfactual; /* "without alert X rank 3"; NULL when not computed */
};
struct fl_ranking {
    const struct fl_candidate *candidates; /* best first; ties by node id */
    size_t n_candidates;
    bool convincing;          /* false: "no convincing cause" */
    double confidence;        /* of the first */
    const char *model;        /* id of the weights */
    const char *culprit_change; /* change id, or NULL for none */
    const char *culprit_text;
};
/** Canonical JSON of a ranking (stored, served, printed). */
void fl_ranking_json(struct fl_jw *w, const char *key, const struct fl_ranking *r);

/* ---- playbooks and runs ------------------------------------------------------------------------- */

/** What a playbook file declares (its metadata as JSON comes from the script stage). */
struct fl_playbook {
    const char *name, *version, *doc;
    struct fl_sha256 hash;         /* of the source text: pinned by each run */
    const char *approval;          /* "required" or "none" */
    fl_usec timeout;
    bool disruptive;
    const char *verify;            /* "alerts_clear" or NULL */
    fl_usec verify_within;
    const char *meta_json;         /* everything as declared */
};

typedef enum fl_run_state {
    FL_RUN_PROPOSED,  /* waits for an approval */
    FL_RUN_RUNNING,
    FL_RUN_IN_DOUBT,  /* waits for a person to settle one call */
    FL_RUN_VERIFYING,
    FL_RUN_SUCCEEDED, FL_RUN_FAILED, FL_RUN_DENIED, FL_RUN_EXPIRED, FL_RUN_ABORTED, FL_RUN_DIVERGED,
    FL_RUN_TIMED_OUT, FL_RUN_N
} fl_run_state;
const char *fl_run_state_name(fl_run_state s); /* lower case, in_doubt, timed_out */
bool fl_run_state_parse(const char *s, fl_run_state *ret);
static inline bool fl_run_is_over(fl_run_state s)
{
    return s >= FL_RUN_SUCCEEDED;
}

typedef enum fl_call_state {
    FL_CALL_INTENT,   /* journalled, may be acting */
    FL_CALL_DONE,     /* has a result */
    FL_CALL_FAILED,   /* has an error as result */
    FL_CALL_DENIED,   /* a guard or policy said no: never acted */
    FL_CALL_IN_DOUBT, /* acted or not: unknown */
    FL_CALL_N
} fl_call_state;
const char *fl_call_state_name(fl_call_state s);
bool fl_call_state_parse(const char *s, fl_call_state *ret);

/* ---- events: everything the core ever sees -------------------------------------------------------- */

typedef enum fl_event_kind {
    FL_EV_ALERTS = 1,      /* body: as received; source names the format */
    FL_EV_ALERT_EXPIRED,   /* body: {"alerts":[{"fingerprint","starts_at"}]}: leases that lapsed */
    FL_EV_TOPOLOGY,        /* body: topology JSON (DESIGN.md §3) */
    FL_EV_CHANGE,          /* body: one change object or a list */
    FL_EV_COMMAND,         /* body: {"op", …}: what an operator or reviewer asked */
    FL_EV_TICK,            /* empty: time has passed a deadline */
    FL_EV_RUN_CALL,        /* body: {"run","n","fn","args","args_sha256","step"?} a worker asks */
    FL_EV_RUN_OUTCOME,     /* body: {"run","n","ok","result"|"error"} an effect came back */
    FL_EV_RUN_ENDED,       /* body: {"run","ending","error"?,"result"?} a worker ended */
    FL_EV_ENGINE_STARTED,  /* body: {"version","epoch","projected_seq"} */
    FL_EV_CONFIG,          /* body: {"rules":{…},"playbooks":[{meta…,"source"}],"model":{…}?} */
    FL_EV_TOKEN,           /* body: token created or revoked (never the secret) */
    FL_EV_HEARTBEAT,       /* body: {"heartbeats":[{"name","state":"missed|back","silent_us"}]}: what a clock outside found */
    FL_EV_ALERT_BODIES,    /* several short bodies of one sender and format, as received, one behind the other (fl_bodies_next) */
    FL_EV_N
} fl_event_kind;
const char *fl_event_kind_name(fl_event_kind k);
bool fl_event_kind_parse(const char *s, fl_event_kind *ret);

/** One journal row. `at` never goes back within a realm; seq has no gaps. */
struct fl_event {
    uint64_t seq;
    fl_usec at;
    fl_event_kind kind;
    const char *realm;
    const char *actor;  /* token name, "system", … : who */
    const char *source; /* alerts: "alertmanager", "alertmanager-v2", …; else "" */
    const void *body;
    size_t body_len;
    struct fl_sha256 body_hash;
    /* What intake parsed already, or NULL: then the driver parses the body itself (replay, recovery). */
    const struct fl_alert *alerts;
    size_t n_alerts;
    /* FL_EV_ALERT_BODIES, parsed already: how many of the alerts each body holds, in order. */
    const size_t *parts;
    size_t n_parts;
};

/* ---- bodies of one row: each is "<SHA-256, 64 hex digits> <length>\n<bytes>\n" ---------------------- */

#define FL_BODIES_MAX 256u /* in one row */
#define FL_BODIES_HEAD 96u /* bytes that a body takes more than its own, at most */
/** Append one at p, where there is room for FL_BODIES_HEAD + n bytes. @return its end. Any thread. */
char *fl_bodies_put(char *p, const struct fl_sha256 *hash, const void *body, size_t n);
/**
 * The next body of *rest (*n bytes left), which moves behind it. The hash is checked. Nothing is copied.
 * @return FL_OK, FL_E_NOTFOUND at the end, FL_E_CORRUPT: what is there is no body, or not the one that was put there.
 */
FL_MUST_CHECK fl_status fl_bodies_next(const char **rest, size_t *n, const char **ret, size_t *ret_n, struct fl_err *err);
