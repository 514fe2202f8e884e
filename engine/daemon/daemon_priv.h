/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/daemon_priv.h -- the running engine: its parts, threads and what they share (layer 6). */
#pragma once

#include <faultline/audit.h>
#include <faultline/daemon.h>
#include <faultline/flow.h>
#include <faultline/http.h>
#include <faultline/intake.h>
#include <faultline/log.h>
#include <faultline/pack.h>
#include <faultline/queue.h>
#include <faultline/runner.h>
#include <faultline/store.h>

#include <pthread.h>
#include <stdatomic.h>

enum {
    NEWS_BATCH = 100,       /* senders that fell silent or are back, in one event */
    LAPSE_BATCH = 1000,     /* lapsed leases in one event */
    SNAPSHOT_MAX = 1 << 30, /* bytes of one snapshot in memory */
    SNAPSHOT_SHARE = 10,    /* making and saving them takes at most one part in so many of the time */
};
static const fl_usec STOP_PATIENCE = 15 * FL_USEC_PER_SEC; /* for what is under way when SIGTERM comes */
static const fl_usec SNAPSHOT_IDLE = 600 * FL_USEC_PER_SEC;
/* Steps that took the core longer than this are not left to be repeated at the next start. */
static const fl_usec SNAPSHOT_STEPPED = 3 * FL_USEC_PER_SEC / 2;

enum core_state { CORE_RECOVERING, CORE_RUNNING, CORE_FAILED, CORE_STOPPED };

struct engine {
    const struct fl_config *config;
    char data[512], owner[128], worker[512], own_address[64];
    const char *barred[4];
    char conninfo[1024];
    struct fl_cluster *cluster;
    struct fl_store *store;
    struct fl_leases *leases;
    struct fl_heartbeats *heartbeats;
    struct fl_noise *noise;
    fl_usec noise_written_at; /* mono; recorder thread */
    struct fl_http *http;
    struct fl_runner *runner;
    struct fl_sources sources;

    /* core thread */
    pthread_t core;
    struct fl_queue *inbox;   /* struct delivery */
    struct delivery *stretch; /* under the lock: the last one in the inbox, when it may still grow */
    atomic_ullong reread;     /* events that were left in the journal while the core was behind */
    atomic_bool core_ending;  /* the core need not finish what it would have to read again */
    struct fl_flow *flow;
    uint64_t last_snapshot_seq;
    fl_usec last_snapshot_at; /* mono */
    fl_usec stepped;          /* time in steps since then */
    pthread_mutex_t lock;     /* the fields below */
    pthread_cond_t changed;
    enum core_state state;
    struct fl_err failure;
    struct fl_flow_stats flow_stats;
    struct fl_model_stats model_stats;
    struct fl_json *mappings;                    /* rules.sources in force: a list; NULL = none */
    struct fl_sha256 config_hash, topology_hash; /* in force; zero = none */
    bool picture_out;                            /* somebody has one drawn */
    fl_usec picture_free_at;                     /* mono: before it the core draws none */
    uint64_t replayed;
    fl_usec recovery_took;
    atomic_ullong core_seq, orders_from; /* orders of earlier steps are of an earlier life */
    atomic_bool tick_out, stopping, want_snapshot;
    int sig_fd;              /* signalfd of the main thread; -1 in tests */
    atomic_bool interrupted; /* SIGTERM came before recovery was through */
    atomic_ullong token_seq; /* journal row of the last token event of this life */
    atomic_int tokens_out;   /* token events on their way into the journal */

    struct fl_pack snapshot; /* to be saved; the saver's while has_snapshot */
    bool has_snapshot;
    uint64_t snapshot_seq, saved_seq;
    uint64_t snapshots_saved;
    fl_usec snapshot_pause, snapshot_cost; /* the core stood still; that and saving: of the last one */
    size_t snapshot_stored;                /* bytes of the last one that was saved */

    /* signed heads: recorder thread; `head` under the lock */
    struct fl_audit_key audit_key;
    struct fl_audit_head head; /* the last one in the file; seq 0 = none */
    fl_usec head_signed_at;    /* mono */
    int heads_fd;
    bool heads_torn, heads_broken;

    pthread_t supervisor, saver, recorder;
    bool has_core, has_supervisor, has_saver, has_recorder, has_core_run;
    struct {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        struct ask *first; /* in order */
        atomic_uint n;
        bool closed;
    } asks;
    int wake_fd; /* eventfd: the main thread should look (core failed, fenced) */
};

struct ask;
struct picture;
struct delivery {
    struct fl_event ev;
    struct fl_submission *sub; /* owns ev and this; NULL: journal rows ev.seq … until, to be read again */
    struct picture *picture;   /* no event: draw this */
    uint64_t until;
};

/* core.c */
fl_status core_start(struct engine *e, struct fl_err *err); /* waits for recovery */
void core_stop(struct engine *e);
void core_publish(struct engine *e);
void core_fail(struct engine *e, const struct fl_err *err); /* any thread: the process ends with this error */

/* inbox.c */
void core_deliver(void *ctx, const struct fl_event *ev, struct fl_submission *sub); /* journal thread */
uint64_t inbox_close_stretch(struct engine *e, struct delivery *d);                 /* core thread */
void inbox_drop(struct engine *e, struct delivery *d);

/* recover.c: core thread */
fl_status recover(struct engine *e, struct fl_err *err);

/* snapshots.c */
void snapshot_turn(struct engine *e); /* core thread: make one if it is time */
void snapshot_last(struct engine *e); /* core thread, at its end */
fl_status snapshots_start(struct engine *e, struct fl_err *err);
void snapshots_stop(struct engine *e); /* after the core: what it left is saved */
void snapshot_metrics(struct engine *e, struct fl_buf *b);

/* supervise.c */
fl_status supervise_start(struct engine *e, struct fl_err *err);
void supervise_stop(struct engine *e);

/* record.c */
fl_status record_start(struct engine *e, struct fl_err *err);
void record_last(struct engine *e);
void record_stop(struct engine *e); /* also sets `stopping` */

/* noise.c: how much comes of what; recorder thread, and the last time after it */
void noise_turn(struct engine *e, struct fl_reader *db, bool now);
void noise_metrics(struct engine *e, const struct fl_flow_stats *f, struct fl_buf *b);

/* heads.c */
fl_status heads_open(struct engine *e, struct fl_err *err);
void heads_close(struct engine *e);
/* Sign the head of the trail when a minute or a thousand entries have passed, or `now`. */
fl_status heads_turn(struct engine *e, struct fl_reader *db, bool now, struct fl_err *err);
void heads_text(void *ctx, struct fl_buf *out); /* {"signed":{…}|null,"key":PEM|null}; any thread */

/* daemon.c */
/* Post an event of the engine itself; the body is copied. Any thread. */
fl_status engine_post(struct engine *e, fl_event_kind kind, const char *body, size_t n);
/* The same in somebody's name; `committed` is called with e as its ctx. */
fl_status engine_post_as(struct engine *e, const char *actor, fl_event_kind kind, const char *body, size_t n,
                         void (*committed)(void *ctx, fl_status st, uint64_t seq, fl_usec at));
bool engine_ready(void *ctx, char *why, size_t cap);

/* pictures.c */
fl_status engine_picture(void *ctx, const struct fl_picture *w, struct fl_buf *out, struct fl_err *err);
void picture_take(struct engine *e, struct picture *p);   /* core thread */
void picture_refuse(struct engine *e, struct picture *p); /* the core is gone */

/* model_metrics.c */
void model_metrics(const struct fl_model_stats *s, struct fl_buf *b);

/* asks.c */
void asks_init(struct engine *e);
void asks_done(struct engine *e);
bool asks_serve(struct engine *e); /* core thread: one of them; false: there is none */
void asks_close(struct engine *e); /* core thread, last: whoever asks is refused from now on */
fl_status engine_ask(void *ctx, void (*run)(void *arg, struct fl_flow *flow), void *arg, struct fl_err *err);

/* memory.c: supervisor thread */
struct memory_watch {
    size_t floor; /* resident bytes after the last time */
    uint64_t seq; /* of the core, a second ago */
};
void memory_begin(void); /* before the first thread */
void memory_turn(struct memory_watch *w, uint64_t seq);

/* notify.c: systemd's protocol, nothing when NOTIFY_SOCKET is not set */
void notify(const char *text);
