/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/http/fake_store.h -- a store in memory: commits from a thread of its own, on command. */
#pragma once

#include <faultline/flow.h>
#include <faultline/http.h>

/* A row of the table of alerts. */
struct fake_episode {
    struct fl_alert_key key;
    struct fl_labels labels;
    const char *state;
};
struct fake {
    bool hold;               /* submissions wait for fake_release() */
    fl_status submit;        /* what fl_store_submit says */
    _Atomic bool behind;     /* what fl_store_is_behind says */
    int64_t max_connections; /* of the configuration, for the next server; 0 = as it comes */
    fl_status commit;        /* what `committed` is told */
    fl_status answer;        /* what `answered` is told */
    const char *answer_json;
    fl_status ask;                            /* what the core says to a question */
    void (*between)(struct fl_flow *f);       /* before the core answers one; NULL: nothing */
    const char *silences_json, *silence_json; /* what reads give; NULL: something of its own */
    const char *documents[64];                /* the same, by fl_read; "": there is no such thing */
    bool db_down;                             /* readers do not open */
    _Atomic fl_usec slow_reads;               /* how long a read takes */
    bool aliases;                             /* of the configuration, for the next server */
    const char *grafana_secret;
    struct fl_letter box[4]; /* dead letters that are there */
    size_t n_box, removed;
    char still[256]; /* where|reason of the last one that was tried in vain */
    char *(*mapping)(void *ctx, const char *source);
    const struct fake_episode *episodes; /* newest first */
    size_t n_episodes;
    _Atomic size_t looked; /* rows of it that were looked at */
};
extern struct fake fake;

void fake_reset(void);
void fake_release(void);
size_t fake_submissions(void);
/* The last submission's body, actor and kind. */
const char *fake_body(void);
const char *fake_actor(void);
fl_event_kind fake_kind(void);
const char *fake_source(void);
bool fake_had_alerts(void);
size_t fake_letters(void);
/* One event for the core that is asked. @return its answer's JSON, until the next one. */
const char *fake_step(fl_event_kind kind, const char *source, const char *body);
void fake_flow_step(struct fl_flow *f, fl_event_kind kind, const char *source, const char *body);
/* Add a token; @return its secret. */
const char *fake_token(const char *name, fl_role role, fl_usec expires_at, fl_usec revoked_at);
void fake_revoke(const char *name);
/* A started server on a free port, auth on unless `auth` is "off". */
struct fl_http *fake_server(const char *auth, int64_t deadline_s, int64_t max_body, int64_t per_address);
void fake_server_stop(struct fl_http *h);
