/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/intake.h -- monitoring payloads → model structs; leases and dedup (layer 2). */
#pragma once

#include <faultline/model.h>

/** One element of a body that cannot be an alert: kept for the dead-letter list and the answer. */
struct fl_reject {
    size_t index;       /* place in the body */
    fl_status status;
    const char *where;  /* "alerts[3].labels" */
    const char *reason; /* lower case, no period */
    const char *raw;    /* the element's own JSON text, cut at 16 KiB; bytes that are no UTF-8 became '?' */
    unsigned code;      /* alertmanager-v2: the "code" of Alertmanager's error object; 0 = a plain string */
};
struct fl_intake {
    struct fl_alert *alerts; /* in body order */
    size_t n_alerts;
    struct fl_reject *rejects;
    size_t n_rejects;
    uint64_t truncated;      /* webhook v4 truncatedAlerts */
    const char *group_key, *receiver; /* display only; "" when absent */
};

typedef enum fl_format { FL_FORMAT_ALERTMANAGER, FL_FORMAT_ALERTMANAGER_V2, FL_FORMAT_N } fl_format;
const char *fl_format_name(fl_format f); /* "alertmanager", "alertmanager-v2" */
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
FL_MUST_CHECK fl_status fl_intake_parse(struct fl_arena *arena, fl_format format, const char *body, size_t len,
                                        fl_usec now, struct fl_intake *ret, struct fl_err *err);

/**
 * What Alertmanager itself answers to a POST /api/v2/alerts: HTTP status, and the body for a status other than
 * 200. Several refused alerts are joined with "; ", as there; the good ones of the same body are kept anyway.
 * @param st,err  of fl_intake_parse.   @param in  its result when st is FL_OK, else NULL.
 */
unsigned fl_intake_v2_answer(fl_status st, const struct fl_err *err, const struct fl_intake *in,
                             struct fl_buf *body);

/** Topology JSON (DESIGN.md §3). Unknown members are ignored, wrong types named by JSON path. */
FL_MUST_CHECK fl_status fl_intake_topology(struct fl_arena *arena, const char *body, size_t len,
                                           struct fl_topology_doc *ret, struct fl_err *err);
/** Canonical text of a topology (sorted nodes and edges); the hash is taken over it. */
FL_MUST_CHECK fl_status fl_topology_text(const struct fl_topology_doc *doc, struct fl_buf *out);
/** Change events: one object or a list. */
FL_MUST_CHECK fl_status fl_intake_changes(struct fl_arena *arena, const char *body, size_t len, fl_usec now,
                                          struct fl_change **ret, size_t *ret_n, struct fl_err *err);

/* ---- leases: what the journal already knows, and until when its sender vouches for it ---------------- */

struct fl_leases; /* thread safe; outside the deterministic core */
struct fl_leases *fl_leases_new(fl_usec default_lease);
struct fl_leases *fl_leases_free(struct fl_leases *l);
/**
 * True when *every* alert is a repeat of a committed, firing (or already resolved) episode with the same
 * content: then the leases are renewed and nothing needs to be written. Any thread.
 */
bool fl_leases_renew_all(struct fl_leases *l, const struct fl_alert *alerts, size_t n, fl_usec now);
/** After the commit of alerts (grace 0), or while rebuilding after a restart: an alert with a lease of its own
 *  is then vouched for until now + grace at least, one on the default lease for a full default lease from now,
 *  because renewals write nothing and its sender may repeat only hours later. */
void fl_leases_commit(struct fl_leases *l, const struct fl_alert *alerts, size_t n, fl_usec now, fl_usec grace);
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
