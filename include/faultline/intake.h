/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/intake.h -- monitoring payloads → model structs; leases and dedup (layer 2). */
#pragma once

#include <faultline/model.h>

/** One element of a body that cannot be an alert: kept for the dead-letter list and the answer. */
#define FL_REJECT_RAW_MAX 65536u
struct fl_reject {
    size_t index; /* place in the body */
    fl_status status;
    const char *where;  /* "alerts[3].labels" */
    const char *reason; /* lower case, no period */
    const char *raw;    /* the element's own JSON text, cut at FL_REJECT_RAW_MAX; bytes that are no UTF-8 became '?' */
    unsigned code;      /* alertmanager-v2: the "code" of Alertmanager's error object; 0 = a plain string */
};
struct fl_intake {
    struct fl_alert *alerts; /* in body order */
    size_t n_alerts;
    struct fl_reject *rejects;
    size_t n_rejects;
    uint64_t truncated; /* webhook v4 truncatedAlerts */
    size_t n_ignored;   /* elements that are no alerts by intent: Normal events, acknowledgements, … */
    size_t n_changes;   /* cloudevents: changes among the events (fl_intake_cloudevents_changes) */
    const char *group_key, *receiver; /* display only; "" when absent */
};

typedef enum fl_format {
    FL_FORMAT_ALERTMANAGER,    /* webhook, version "4" */
    FL_FORMAT_ALERTMANAGER_V2, /* POST /api/v2/alerts */
    FL_FORMAT_GRAFANA,         /* webhook, version "1" */
    FL_FORMAT_PAGERDUTY,       /* Events API v2, canonical or as sent */
    FL_FORMAT_CLOUDEVENTS,     /* 1.0: one event or a list, structured */
    FL_FORMAT_NAGIOS,          /* {"checkresults":[…]} (NRDP) or one notification */
    FL_FORMAT_ZABBIX,          /* packaging/zabbix */
    FL_FORMAT_KUBERNETES, /* events of core/v1 and events.k8s.io/v1: one, a list, or lines of a watch in a list */
    FL_FORMAT_MAPPED,     /* {"mapping":{…},"body":…} */
    FL_FORMAT_N
} fl_format;
/** alertname of the alert that the engine raises itself for a heartbeat rule; with a label `heartbeat` it is nobody else's:
 *  an element that claims to be one is refused (a dead letter), whatever its format. */
#define FL_ALERT_SILENT "SenderSilent"
const char *fl_format_name(fl_format f); /* "alertmanager", "alertmanager-v2", "grafana", …, "mapped" */
/** Also reads "mapped:NAME", the name a journal row of a mapped source has. */
bool fl_format_parse(const char *s, fl_format *ret);

/**
 * Parse one body. Pure; any thread; the same bytes and `now` always give the same result (replay).
 * Elements that cannot be alerts become rejects; the others are returned. The whole body fails only
 * when it is not JSON of the format at all.
 * @param arena  owner of everything returned.   @param now receive time = the event's `at`.
 * @param err    for alertmanager-v2 err->text is what Alertmanager itself would answer.
 * @return FL_OK, FL_E_SYNTAX, FL_E_SHAPE, FL_E_LIMIT, FL_E_NOMEM.
 * Alertmanager-v2 semantics: ../shared FACTS §3: startsAt absent = now, endsAt absent = now + 5 min
 * (lease), resolved ⇔ endsAt <= now; empty labels dropped. Webhook: state per alert, firing endsAt zero.
 * A repeated key counts once, the last one, as in Go. startsAt before 1970 or more than a year ahead is
 * refused (a clamped start would be another episode); a lease is cut at one year.
 */
FL_MUST_CHECK fl_status fl_intake_parse(struct fl_arena *arena, fl_format format, const char *body,
                                        size_t len, fl_usec now, struct fl_intake *ret, struct fl_err *err);

#define FL_V2_LEASE (300 * FL_USEC_PER_SEC) /* endsAt absent: Alertmanager's default resolve_timeout */
/**
 * Turn what was parsed at `received_at` into exactly what a parse of the same body at `at` gives, without parsing it again.
 * @return false: that cannot be told, `in` is as before. The two formats of Alertmanager only. Any thread; cost O(alerts).
 */
bool fl_intake_settle(struct fl_intake *in, fl_format format, fl_usec received_at, fl_usec at);

/**
 * What Alertmanager itself answers to a POST /api/v2/alerts: HTTP status, and the body for a status other than
 * 200. Several refused alerts are joined with "; ", as there; the good ones of the same body are kept anyway.
 * @param st,err  of fl_intake_parse.   @param in  its result when st is FL_OK, else NULL.
 */
unsigned fl_intake_v2_answer(fl_status st, const struct fl_err *err, const struct fl_intake *in,
                             struct fl_buf *body);

/* ---- what HTTP says beside the body, folded into a body before it is journalled ---------------- */

/**
 * Grafana's signature on the raw body: lower-case hex HMAC-SHA256 of the body, or of "<timestamp>:<body>" when the
 * sender sets a timestamp header (then within 5 minutes of `now`). Constant time.
 * @param signature  value of the header, NULL when absent.   @param timestamp  NULL: the plain form.
 * @return FL_OK or FL_E_DENIED with the reason.
 */
FL_MUST_CHECK fl_status fl_intake_signature(const char *secret, const char *signature, const char *timestamp,
                                            const void *body, size_t n, fl_usec now, struct fl_err *err);
/**
 * PagerDuty: the routing key, a credential, becomes a short hash, and a trigger without a key gets the one it will
 * always get. *ret_key is the answer's dedup_key, *ret_routing_key what may authenticate the sender ("" if none);
 * both in the arena.
 */
FL_MUST_CHECK fl_status fl_intake_canonical_pagerduty(struct fl_arena *arena, const char *body, size_t len,
                                                      struct fl_buf *out, const char **ret_key,
                                                      const char **ret_routing_key, struct fl_err *err);
/** Nagios forms: NRDP's (cmd=submitcheck, JSONDATA) or the fields of our notification; `token` is taken out. */
FL_MUST_CHECK fl_status fl_intake_canonical_nagios(struct fl_arena *arena, const char *body, size_t len,
                                                   struct fl_buf *out, const char **ret_token,
                                                   struct fl_err *err);
typedef enum fl_ce_mode { FL_CE_STRUCTURED, FL_CE_BATCH, FL_CE_BINARY, FL_CE_UNKNOWN } fl_ce_mode;
/** @param has_ce_headers  a ce-… header is there.   FL_CE_UNKNOWN: 415. */
fl_ce_mode fl_cloudevents_mode(const char *content_type, bool has_ce_headers);
/** Binary mode → one structured event. @param headers  the ce-… headers without "ce-", names lower case. */
FL_MUST_CHECK fl_status fl_intake_canonical_cloudevent(struct fl_arena *arena, const struct fl_label *headers,
                                                       size_t n, const char *content_type, const char *body,
                                                       size_t len, struct fl_buf *out, struct fl_err *err);
/** WebHook-Request-Origin may be echoed: a DNS name (no header injection). */
bool fl_cloudevents_origin(const char *origin);
/** A mapped source: the mapping (checked) and the body as one document. */
FL_MUST_CHECK fl_status fl_intake_canonical_mapped(struct fl_arena *arena, const char *mapping,
                                                   const char *body, size_t len, struct fl_buf *out,
                                                   struct fl_err *err);
/** One `source` of the rules: {name, list?, labels, annotations?, fixed?, status?, severity?, starts?, ends?, url?,
 *  lease?}; docs/reference/sources.md. */
struct fl_json;
FL_MUST_CHECK fl_status fl_mapping_check(const struct fl_json *mapping, struct fl_err *err);

/**
 * What a dead letter kept, as a body to be read once more by its format.
 * @param mapping  of a mapped source, as it is now; else NULL.   @param whole  raw is a body, not one element of it.
 */
FL_MUST_CHECK fl_status fl_intake_again(struct fl_arena *arena, fl_format format, const char *mapping, const char *raw,
                                        size_t n, bool whole, struct fl_buf *out, struct fl_err *err);

/** Change events in other forms, written as the JSON that fl_intake_changes reads and the journal keeps. */
FL_MUST_CHECK fl_status fl_intake_pagerduty_change(struct fl_arena *arena, const char *body, size_t len,
                                                   fl_usec now, struct fl_buf *out, struct fl_err *err);
/** The changes among CloudEvents, as a list; those that are none were reported by fl_intake_parse. */
FL_MUST_CHECK fl_status fl_intake_cloudevents_changes(struct fl_arena *arena, const char *body, size_t len,
                                                      fl_usec now, struct fl_buf *out, struct fl_err *err);

/* ---- other documents ------------------------------------------------------------------------------- */

/** Topology JSON (DESIGN.md §3). Unknown members are ignored, wrong types named by JSON path. */
FL_MUST_CHECK fl_status fl_intake_topology(struct fl_arena *arena, const char *body, size_t len,
                                           struct fl_topology_doc *ret, struct fl_err *err);
/** How dependency graphs are written: ours, and what other tools have. */
typedef enum fl_topology_form { FL_TF_JSON, FL_TF_JAEGER, FL_TF_CSV, FL_TF_GRAPHML, FL_TF_LUA } fl_topology_form;
const char *fl_topology_form_name(fl_topology_form f);
bool fl_topology_form_parse(const char *s, fl_topology_form *ret); /* json, jaeger, csv, graphml, lua */
/** By the ending of the file's name, else by how the text begins. A guess: the reader of that form has the word. */
fl_topology_form fl_topology_form_guess(const char *name, const char *text, size_t len);
/** Answer of Jaeger's GET /api/dependencies, or its list alone: parent calls child; callCount is the weight (1 when it is
 *  absent or 0); calls of a service to itself are left out. Components are what edges name, all of type service. */
FL_MUST_CHECK fl_status fl_intake_topology_jaeger(struct fl_arena *arena, const char *body, size_t len,
                                                  struct fl_topology_doc *ret, struct fl_err *err);
/** Edges in CSV with a line of column names: from,to[,type][,weight] or their synonyms, in any order; other columns
 *  are passed over. Errors name `name`:line. Components as with Jaeger. */
FL_MUST_CHECK fl_status fl_intake_topology_csv(struct fl_arena *arena, const char *name, const char *body, size_t len,
                                               struct fl_topology_doc *ret, struct fl_err *err);
/** What a Lua file of the graph returned (fl_script_eval, as JSON), written as topology JSON for fl_intake_topology: sections are
 *  types, a component's members other than service, host, tier, owner and labels list what it depends on. `nodes` and `edges`
 *  go through as they are. Errors name the member: "service.cart.calls". Cost: n log n in the names. */
FL_MUST_CHECK fl_status fl_intake_topology_lua(const char *data, size_t len, struct fl_buf *out, struct fl_err *err);
/** Canonical text of a topology (sorted nodes and edges); the hash is taken over it. */
FL_MUST_CHECK fl_status fl_topology_text(const struct fl_topology_doc *doc, struct fl_buf *out);
/** Change events: one object or a list. */
FL_MUST_CHECK fl_status fl_intake_changes(struct fl_arena *arena, const char *body, size_t len, fl_usec now,
                                          struct fl_change **ret, size_t *ret_n, struct fl_err *err);

/* ---- leases: what the journal already knows, and until when its sender vouches for it ---------------- */

struct fl_leases; /* thread safe; outside the deterministic core */
/** An alert whose sender promises no end is vouched for during default_lease. Once a sender that merges what it hears of a
 *  fingerprint names a later start of it, the earlier one is vouched for during moved_on at most, unless somebody repeats it. */
struct fl_leases *fl_leases_new(fl_usec default_lease, fl_usec moved_on);
struct fl_leases *fl_leases_free(struct fl_leases *l);
/**
 * True when *every* alert is a repeat of a committed, firing (or already resolved) episode with the same
 * content: then the leases are renewed and nothing needs to be written. Any thread.
 * @param merged  the sender has merged all it hears of a fingerprint, as an alert manager does: all but /api/v2/alerts
 */
bool fl_leases_renew_all(struct fl_leases *l, const struct fl_alert *alerts, size_t n, fl_usec now, bool merged);
/** After the commit of alerts (grace 0), or while rebuilding after a restart: an alert with a lease of its own
 *  is then vouched for until now + grace at least, one on the default lease for a full default lease from now,
 *  because renewals write nothing and its sender may repeat only hours later. */
void fl_leases_commit(struct fl_leases *l, const struct fl_alert *alerts, size_t n, fl_usec now,
                      fl_usec grace, bool merged);
/** While rebuilding: the end of this start was heard at `at`. What repeats it is written again, and who says that it fires is late
 *  for a while (FL_LATE_FOR): that is written again, too. */
void fl_leases_over(struct fl_leases *l, uint64_t fingerprint, fl_usec starts_at, fl_usec at);
struct fl_lapsed {
    uint64_t fingerprint;
    fl_usec starts_at;
};
/** Episodes whose lease lapsed before `now`; each is reported once and then known as stale, so that a
 *  repeat is journalled again. @return count, at most max. */
size_t fl_leases_lapse(struct fl_leases *l, fl_usec now, struct fl_lapsed *ret, size_t max);
/** The event that was to report them could not be submitted: report them again next time. */
void fl_leases_unlapse(struct fl_leases *l, const struct fl_lapsed *lapsed, size_t n);
size_t fl_leases_count(struct fl_leases *l);

/* ---- heartbeats: senders that must not fall silent ----------------------------------------------------- */

struct fl_heartbeats; /* thread safe; outside the deterministic core, which learns of changes by events */
struct fl_heartbeats *fl_heartbeats_new(void);
struct fl_heartbeats *fl_heartbeats_free(struct fl_heartbeats *h);
/** The rules in force; owns them from here on, also on failure. @param mono  fl_mono(). @return false: out of memory. */
bool fl_heartbeats_rules(struct fl_heartbeats *h, struct fl_rules *rules, fl_usec mono);
/** Before the first rules: what the state says is missed already. */
void fl_heartbeats_restore(struct fl_heartbeats *h, const char *name);
/** A body was read: whose sign of life is it? @param source  its name in the journal. Any thread. */
void fl_heartbeats_see(struct fl_heartbeats *h, const char *source, const struct fl_alert *v, size_t n, fl_usec mono);
struct fl_heartbeat_news {
    char name[FL_HEARTBEAT_NAME_MAX + 1];
    bool missed;    /* false: it is back */
    fl_usec silent; /* since its last report */
};
/** Once a second: senders that fell silent or came back since, each told once. Time in which nobody could be heard (not
 *  `listening`, or nobody looked) counts for none of them. @return count, at most max. */
size_t fl_heartbeats_look(struct fl_heartbeats *h, fl_usec mono, bool listening, struct fl_heartbeat_news *ret,
                          size_t max);
/** The event that was to tell them could not be submitted: tell them again. */
void fl_heartbeats_unlook(struct fl_heartbeats *h, const struct fl_heartbeat_news *news, size_t n);
void fl_heartbeats_each(struct fl_heartbeats *h, fl_usec mono,
                        void (*visit)(void *ctx, const char *name, bool missed, fl_usec silent), void *ctx);

/* ---- noise: how much comes of which alert rule, team and source -------------------------------------------- */

struct fl_noise; /* thread safe; at most 4,095 keys between two takes, the rest is counted together */
struct fl_noise *fl_noise_new(void);
struct fl_noise *fl_noise_free(struct fl_noise *z);
/** Firing reports of a body that was read, repeats included. @param source  its name in the journal. Any thread. */
void fl_noise_count(struct fl_noise *z, const char *source, const struct fl_alert *v, size_t n);
/** What came since the last take, in the arena. @return count. */
size_t fl_noise_take(struct fl_noise *z, struct fl_arena *arena, struct fl_noise_count **ret);
/** It could not be written: it comes with the next take. */
void fl_noise_put_back(struct fl_noise *z, const struct fl_noise_count *v, size_t n);
struct fl_team_reports {
    char name[FL_TEAM_MAX + 1];
    uint64_t reports; /* since this process began */
};
/** By the labels alone. @return count; the last one may be "other". */
size_t fl_noise_teams(struct fl_noise *z, struct fl_team_reports ret[FL_TEAMS_MAX + 1]);
/** The same by alertname, cut to the length of a team's name. */
size_t fl_noise_rules(struct fl_noise *z, struct fl_team_reports ret[FL_ALERT_RULES_MAX + 1]);
