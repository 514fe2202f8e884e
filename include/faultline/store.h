/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/store.h -- PostgreSQL: private cluster, migrations, journal, projections, reads (layer 2).
 * The only user of libpq. A connection belongs to one thread. */
#pragma once

#include <faultline/model.h>

struct fl_pack;

/* ---- private cluster -------------------------------------------------------------------------------- */

struct fl_cluster;
/**
 * Make (initdb: UTF-8, C.UTF-8, checksums) and run a cluster under `dir`, unix socket only in a short
 * private directory, durable settings on, as an unprivileged user when started as root. Starting again
 * after a kill -9 of either side works; a second process on the same directory is refused.
 */
FL_MUST_CHECK fl_status fl_cluster_start(const char *dir, struct fl_cluster **ret, struct fl_err *err);
/** Connection string (superuser of the private cluster). Borrowed. */
const char *fl_cluster_conninfo(const struct fl_cluster *c);
/** Fast shutdown and wait. */
/** Fast shutdown, then harder; at most 16 s, half of that once fl_store_hurry() has named an end. */
struct fl_cluster *fl_cluster_stop(struct fl_cluster *c);
/**
 * The process is about to end: from now on no statement, connection or wait for a server of this stage lasts beyond `until`
 * (monotonic), or 0.3 s where that is later, so that a database that does not answer cannot hold up the stop. What is not written then is
 * written at the next start: it is in the journal. For the whole process; 0 takes it back. Any thread.
 */
void fl_store_hurry(fl_usec until);
/** The conninfo of a cluster some `serve` runs under `dir`, without owning it. */
FL_MUST_CHECK fl_status fl_cluster_find(const char *dir, char *ret, size_t cap, struct fl_err *err);
/** Restart the postmaster if it died (called by the supervisor). */
FL_MUST_CHECK fl_status fl_cluster_check(struct fl_cluster *c, struct fl_err *err);

/* ---- migrations --------------------------------------------------------------------------------------- */

struct fl_migration_report {
    int current, latest, applied;
    char text[2048]; /* a line per migration */
};
/** Apply schema/NNNN_*.sql under a lock, each in a transaction, hashes checked. Refuses a newer schema.
 *  @param dry_run  only report. */
FL_MUST_CHECK fl_status fl_migrate(const char *conninfo, bool dry_run, struct fl_migration_report *ret,
                                   struct fl_err *err);

/* ---- the store: one per process and realm ------------------------------------------------------------- */

struct fl_store;
struct fl_effects;

/** A request waiting for its journal row. Made by http, runner or daemon; owned by the store from submit on. */
struct fl_submission {
    fl_event_kind kind;
    const char *actor, *source;
    const void *body;
    size_t body_len;
    struct fl_sha256 body_hash;  /* of body; the submitter computes it (spreads the work) */
    struct fl_alert *alerts;     /* already parsed, or NULL */
    size_t n_alerts;
    struct fl_arena *arena;      /* owns all of the above, and this struct */
    bool reserved;               /* engine's own: may use the reserved part of the queue */
    /** Called on the journal thread when the row has its time: make `alerts` what a parse at that time gives. False, or NULL:
     *  they are not used, whoever needs them parses the body. */
    bool (*numbered)(void *ctx, fl_usec at);
    /** Called on the journal thread, exactly once: FL_OK after the commit (then the event goes to the core), else why
     *  not; after a failure `answered` is never called. May be NULL. */
    void (*committed)(void *ctx, fl_status st, uint64_t seq, fl_usec at);
    /** Called on the projector thread once the step's rows are committed (commands: the core's answer). May be NULL. */
    void (*answered)(void *ctx, fl_status st, const char *json);
    void *ctx;
    struct fl_event event; /* the store's: filled when the row has its number; what `deliver` is given */
    /* The store's: of a row that holds several bodies, whose they are and how many alerts each has. Their arenas belong to this one. */
    struct fl_submission **members;
    size_t n_members;
    const size_t *parts;
};

struct fl_store_options {
    const char *conninfo, *realm, *owner; /* owner: unique name of this process */
    size_t queue_bytes;                   /* journal queue, memory of what waits; over it submit says FL_E_FULL */
    size_t lag_events; /* projections may lag this far; past it submit says FL_E_FULL. An event counts by its body: one for 32 KiB */
    /** Journal thread → core: an event in seq order. Takes ownership of sub (it owns the event's memory). */
    void (*deliver)(void *ctx, const struct fl_event *ev, struct fl_submission *sub);
    /** Projector thread → runner: orders of a committed step (kinds FL_FX_RUN_START … FL_FX_STOP). */
    void (*order)(void *ctx, const struct fl_effects *fx);
    void *ctx;
    fl_usec lease; /* length of the realm's lease; 0 = 10 s */
};
/** Connect, take the realm's lease (a new fencing epoch), start the journal and projector threads.
 *  Waits while another owner's lease runs (at once when that owner was a process of this host that is gone).
 *  @return FL_E_CONFLICT when the owner is alive and renews. */
FL_MUST_CHECK fl_status fl_store_open(const struct fl_store_options *o, struct fl_store **ret, struct fl_err *err);
/** First half of closing: refuse submissions, commit what is queued, wait until the core's steps of it are projected.
 *  After it the core thread can be stopped; then fl_store_close. */
void fl_store_drain(struct fl_store *s, fl_usec patience);
/** Drain both queues (bounded by `patience`), release the lease, join the threads.
 *  The core must not be inside fl_store_project any more when it returns: call fl_store_drain and stop it before. */
struct fl_store *fl_store_close(struct fl_store *s, fl_usec patience);

/** Hand over a submission. Never waits. On failure ownership stays with the caller.
 *  @return FL_OK, FL_E_FULL, FL_E_UNAVAILABLE (database away or closing). Any thread. */
FL_MUST_CHECK fl_status fl_store_submit(struct fl_store *s, struct fl_submission *sub);
/** The projections lag further than allowed: a submission that is not reserved would get FL_E_FULL. Any thread; some loads. */
bool fl_store_is_behind(const struct fl_store *s);
/** Core thread: effects of one step, in order. Takes ownership of fx and sub. Waits while the projector is behind. */
void fl_store_project(struct fl_store *s, struct fl_effects *fx, struct fl_submission *sub);

/** Between two pieces of derived work: rest in proportion to what the last one took, while intake needs the processor
 *  and the projections may lag further. Returns at once otherwise. Core and projector thread. */
void fl_store_rest(struct fl_store *s, fl_usec worked);

/**
 * Recovery, before deliver is called for new events: the newest snapshot of an event before `below`, piece by piece in order
 * as they were packed, each checked against its hash before it is visited; then every event after it.
 * @param ret_seq  its event, also when it is of no use: the caller can ask for the one below.
 * @return FL_E_NOTFOUND: there is none; FL_E_CORRUPT: damaged, or of the form of another program; else what visit returned.
 */
FL_MUST_CHECK fl_status fl_store_load_snapshot(struct fl_store *s, uint64_t below, uint64_t *ret_seq,
                                               fl_status (*visit)(void *ctx, const void *piece, size_t n), void *ctx,
                                               struct fl_err *err);
FL_MUST_CHECK fl_status fl_store_read_journal(struct fl_store *s, uint64_t after, uint64_t until, /* until 0: end */
                                              fl_status (*visit)(void *ctx, const struct fl_event *ev),
                                              void *ctx, struct fl_err *err);
/** The last event whose rows and orders are committed. */
uint64_t fl_store_projected_seq(struct fl_store *s);
uint64_t fl_store_epoch(struct fl_store *s);
/** Any thread; blocks; empties the pack, piece by piece. May run ahead of the projections: then it is loaded only once they
 *  have reached it. @param ret_stored  bytes written. */
FL_MUST_CHECK fl_status fl_store_save_snapshot(struct fl_store *s, uint64_t seq, struct fl_pack *pack, size_t *ret_stored,
                                               struct fl_err *err);
enum fl_store_health { FL_STORE_OK, FL_STORE_DEGRADED, FL_STORE_DOWN, FL_STORE_FENCED };
enum fl_store_health fl_store_health(struct fl_store *s);
struct fl_store_stats {
    uint64_t journal_bodies; /* what the rows were made of: short bodies of one sender share a row */
    uint64_t journal_rows, journal_commits, journal_bytes, projected_steps, projected_rows, projector_commits,
        errors, reconnects, refused_full, refused_down;
    uint64_t skipped_rows; /* rows the database refused (never audit rows) */
    uint64_t deadletters, deadletter_bytes, deadletters_dropped; /* now, as counted last; dropped ever, for want of room */
    uint64_t last_seq, projected_seq;
    size_t queue_items, queue_bytes;
};
void fl_store_stats(struct fl_store *s, struct fl_store_stats *ret);

/* ---- reads: a small pool of connections; a call blocks, so http hands it to its read workers ------------ */

struct fl_reader;
FL_MUST_CHECK fl_status fl_reader_open(const char *conninfo, struct fl_reader **ret, struct fl_err *err);
struct fl_reader *fl_reader_close(struct fl_reader *r);

struct fl_audit_query {
    const char *incident, *actor, *action; /* NULL = any; action may end in '*' */
    fl_usec since, until;                  /* 0 = open */
    uint64_t after_seq;                    /* paging */
    size_t limit;                          /* 0 = 100, at most 10,000 */
};
struct fl_audit_entry;
FL_MUST_CHECK fl_status fl_read_audit(struct fl_reader *r, const char *realm, const struct fl_audit_query *q,
                                      fl_status (*visit)(void *ctx, const struct fl_audit_entry *e), void *ctx,
                                      struct fl_err *err);
/** Named documents as JSON text built in SQL: appended to out. Keys are the columns of schema/ (times RFC 3339 with
 *  microseconds or null, hashes and fingerprints hex). Lists are arrays, "[]" when empty; the others are objects.
 *  @return FL_E_NOTFOUND when there is no such thing. */
struct fl_read_args {
    const char *realm, *id, *text, *state; /* meaning per name; NULL when unused */
    fl_usec since, until;
    size_t limit, offset;
};
typedef enum fl_read {
    FL_READ_INCIDENTS,   /* list, newest first; state filters ("" = all, "open" = not over) */
    FL_READ_INCIDENT,    /* id: the row + "alerts" + "ranking" (null: none yet) + "runs" */
    FL_READ_TIMELINE,    /* id; with what was written to the incidents it has absorbed ("incident" says where) */
    FL_READ_RANKING,     /* id: last one; offset = version when > 0: {"incident","version","at","event_seq","model",
                            "rules_hash","topology_hash","ranking":{…}} */
    FL_READ_ALERTS,      /* state, text = incident or ""; "unmapped" as state lists those with no component */
    FL_READ_ALERT,       /* id = fingerprint hex: its episodes, newest first, with `why` */
    FL_READ_RUNS,        /* state, text = incident, newest first */
    FL_READ_RUN,         /* id: the row + "calls" */
    FL_READ_TOPOLOGY,    /* current, or as known at `until`: {"nodes","edges","hash","at","event_seq"} */
    FL_READ_DEADLETTERS, /* newest first, without their bodies; text = source: {"deadletters","held","bytes",…} */
    FL_READ_AUDIT_HEAD,  /* {"seq","hash","at"}; seq 0 when empty */
    FL_READ_CHANGES,     /* newest first; text = component, since/until */
    FL_READ_TOPOLOGY_HISTORY, /* newest first: {"event_seq","at","hash","nodes","edges"} + nodes and edges added, removed */
    FL_READ_SILENCES,    /* those that end after `since`, last to end first */
    FL_READ_SILENCE,     /* id */
    FL_READ_DEADLETTER,  /* id = its number: with its body */
    FL_READ_MODELS,      /* what is in force first, then newest first; how often each was right */
    FL_READ_MODEL,       /* id: the row + "model" (its text), "uses" */
    FL_READ_MODEL_EVALUATION, /* verdicts against rankings: per model, live and shadow on the same incidents, said and right */
    FL_READ_NOISE,       /* state = rule, team or source; since (0: 7 days): {"since","by","total","groups"} */
    FL_READ_PRECISION,   /* what came of the alerts of each rule; since (0: 30 days) */
    FL_READ_SILENT,      /* senders that are silent now, as the engine's own alerts say: {"heartbeat","since","incident"} */
    FL_READ_FOLLOWED,    /* id = component: past incidents it caused (a person says so) or in which it alerted first, and what
                            alerted after it: {"incidents","confirmed","alerts":[{"node","alertname","incidents","after_s"}]} */
    FL_READ_NEAR,        /* id = fingerprint hex: {"near":[{"fingerprint","alertname"}],"deadletters"}: whom a mistyped one may mean */
    FL_READ_MAINTENANCE, /* windows: open and scheduled; state = open, scheduled, ended or "all" */
    FL_READ_QUIET,       /* silences and windows that are not over, those that were spoken of first; how much each hides;
                            state = active, pending, expired, open, scheduled, ended or "all" */
    FL_READ_QUIET_ONE,   /* id: the same of one + "alerts": the first 1,000 that it hides now */
} fl_read;
FL_MUST_CHECK fl_status fl_read_json(struct fl_reader *r, fl_read what, const struct fl_read_args *a,
                                     struct fl_buf *out, struct fl_err *err);
/** An episode by its key, for lists of alerts whose labels SQL does not decide about. */
struct fl_alert_key {
    uint64_t fingerprint;
    fl_usec starts_at;
};
#define FL_ALERT_LOOK_NAMES 12u
struct fl_alert_look {
    const char *realm, *incident, *state; /* NULL, "": any; "unmapped" as state: no component */
    fl_usec since, until;                 /* of the start; 0 = open */
    struct fl_alert_key after;            /* go on below this one; starts_at 0: from the newest */
    const struct fl_label *having;        /* all of these, none with an empty value, no name twice */
    size_t n_having;
    const char *const *names; /* labels given along, at most FL_ALERT_LOOK_NAMES */
    size_t n_names;
    size_t most; /* rows looked at, whether they are wanted or not */
};
/**
 * Look at the next `most` episodes, newest start first, and visit those that are wanted; values: of `names`, "" where it has none.
 * `visit` returns false when it has enough. One statement; cost: `most` rows, and with equal starts all of that start.
 * @param ret_looked  rows looked at, fewer than `most`: those were all.   @param ret_last  the last one looked at.
 */
FL_MUST_CHECK fl_status fl_read_alert_keys(struct fl_reader *r, const struct fl_alert_look *look,
                                           bool (*visit)(void *ctx, struct fl_alert_key key, const char *const *values),
                                           void *ctx, size_t *ret_looked, struct fl_alert_key *ret_last, struct fl_err *err);
/** Those of the episodes that are there, in the order given, as FL_READ_ALERTS has them; state as above.
 *  @param ret_n  how many. */
FL_MUST_CHECK fl_status fl_read_alerts_at(struct fl_reader *r, const char *realm, const char *state,
                                          const struct fl_alert_key *v, size_t n, struct fl_buf *out, size_t *ret_n,
                                          struct fl_err *err);
/** Journal rows of an incident or a span, for replay. */
FL_MUST_CHECK fl_status fl_read_journal(struct fl_reader *r, const char *realm, uint64_t after, uint64_t until,
                                        fl_status (*visit)(void *ctx, const struct fl_event *ev), void *ctx,
                                        struct fl_err *err);

/* ---- dead letters, tokens ------------------------------------------------------------------------------- */

#define FL_DEADLETTERS_MAX 100000u      /* of a realm; over it, or over the bytes, the oldest is dropped and counted */
#define FL_DEADLETTERS_BYTES (128u << 20)
#define FL_DEADLETTER_RAW_MAX 262144u   /* bytes kept of one */
struct fl_deadletter {
    const char *source, *where, *reason, *raw;
    bool whole; /* raw is a body as it was sent, not one element of it */
    bool cut;   /* raw is not all of it */
};
/** Best kept beside the journal row they came with; bounded (oldest dropped, counted). Any thread: queued. */
void fl_store_deadletters(struct fl_store *s, const struct fl_deadletter *v, size_t n);

/** A letter that is there, to be tried again or dropped; in the caller's arena. */
struct fl_letter {
    uint64_t n;
    const char *source, *where, *reason, *raw;
    size_t raw_n;
    bool whole, cut;
};
#define FL_LETTERS_PAGE 100u
/** Letters with a higher number than `after` (or just the one numbered `only`, when not 0), in order.
 *  @param source  NULL = any.   @param max  at most FL_LETTERS_PAGE. */
FL_MUST_CHECK fl_status fl_letters_read(struct fl_reader *r, const char *realm, struct fl_arena *arena, uint64_t only,
                                        uint64_t after, const char *source, size_t max, struct fl_letter **ret,
                                        size_t *ret_n, struct fl_err *err);
/** Take letters out: the journal tells what became of them by now. */
FL_MUST_CHECK fl_status fl_letters_remove(struct fl_reader *r, const char *realm, const uint64_t *v, size_t n,
                                          struct fl_err *err);
/** One that was tried in vain stays, with where and why now. */
FL_MUST_CHECK fl_status fl_letter_failed(struct fl_reader *r, const char *realm, uint64_t n, const char *where,
                                         const char *reason, struct fl_err *err);

/** Add sums of reports to the hour that is now; those older than 31 days go. */
FL_MUST_CHECK fl_status fl_reports_add(struct fl_reader *r, const char *realm, const struct fl_noise_count *v, size_t n,
                                       struct fl_err *err);

typedef enum fl_role { FL_ROLE_INGEST = 1, FL_ROLE_VIEWER = 2, FL_ROLE_OPERATOR = 4, FL_ROLE_APPROVER = 8, FL_ROLE_ADMIN = 16 } fl_role;
const char *fl_role_name(fl_role r);
bool fl_role_parse(const char *s, fl_role *ret);
struct fl_token {
    char id[40], name[128], realm[64];
    struct fl_sha256 hash; /* of the secret */
    fl_role role;
    fl_usec created_at, expires_at, revoked_at;
    char created_by[128];
};
/** A new secret ("flt_" + 43 base64url characters + 6 of checksum) and its row. @param secret 64 bytes. */
FL_MUST_CHECK fl_status fl_token_create(struct fl_reader *r, const char *realm, const char *name, fl_role role,
                                        fl_usec expires_at, const char *by, char *secret, struct fl_token *ret,
                                        struct fl_err *err);
FL_MUST_CHECK fl_status fl_token_revoke(struct fl_reader *r, const char *realm, const char *id_or_name, const char *by,
                                        struct fl_err *err);
FL_MUST_CHECK fl_status fl_token_list(struct fl_reader *r, const char *realm,
                                      void (*visit)(void *ctx, const struct fl_token *t), void *ctx, struct fl_err *err);
/** Something that became of a token and that no audit entry tells of yet. */
struct fl_token_act {
    const char *id, *name, *role, *action, *actor; /* action: created, revoked */
};
/** First marks what the projected audit trail holds, then visits the rest, oldest first, at most 100, one act a token. */
FL_MUST_CHECK fl_status fl_token_unaudited(struct fl_reader *r, const char *realm,
                                           void (*visit)(void *ctx, const struct fl_token_act *act), void *ctx,
                                           struct fl_err *err);
