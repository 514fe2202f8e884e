/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/lease.c -- owning a realm: take, renew, release; and the keeper thread that renews. */
#include "cluster_priv.h"
#include "store_priv.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static fl_pq_fault one_try(struct fl_store *s, PGconn *c, bool *ret_taken, char *holder, size_t cap,
                           struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p, q;
    FL_AUTO_PGRESULT *r = NULL, *t = NULL;
    char me[256];
    fl_pid_identity(getpid(), me, sizeof me);
    fl_pq_params_init(&p, a);
    fl_pq_params_init(&q, a);
    fl_pq_text(&p, s->realm);
    fl_pq_text(&q, s->realm);
    fl_pq_text(&q, s->owner);
    fl_pq_text(&q, me);
    fl_pq_i64(&q, s->lease);
    /* FOR UPDATE waits for transactions that passed the fence (they hold a key share) and holds off new ones. */
    fl_pq_fault f = fl_pq_exec(
        c, "SELECT owner, owner_proc, lease_until > clock_timestamp() FROM realm WHERE name = $1 FOR UPDATE",
        &p, NULL, &r, err);
    if (f)
        return f;
    if (PQntuples(r) == 1) {
        const char *owner = fl_pq_get_text(r, 0, 0), *proc = fl_pq_get_text(r, 0, 1);
        snprintf(holder, cap, "%s", owner);
        bool held = *owner && fl_pq_get_i64(r, 0, 2) && !fl_pid_identity_dead(proc);
        if (held)
            return FL_PQ_NONE;
    }
    f = fl_pq_exec(
        c,
        "UPDATE realm SET owner = $2, owner_proc = $3, epoch = epoch + 1, taken_at = clock_timestamp(),"
        " lease_until = clock_timestamp() + $4 * interval '1 microsecond' WHERE name = $1 RETURNING epoch",
        &q, NULL, &t, err);
    if (f)
        return f;
    s->epoch = (uint64_t)fl_pq_get_i64(t, 0, 0);
    *ret_taken = true;
    return FL_PQ_NONE;
}

static fl_pq_fault make_rows(struct fl_store *s, PGconn *c, struct fl_err *err)
{
    static const char *const sql[] = {
        "INSERT INTO realm (name) VALUES ($1) ON CONFLICT DO NOTHING",
        "INSERT INTO projection (realm) VALUES ($1) ON CONFLICT DO NOTHING",
        "INSERT INTO deadletter_head (realm) VALUES ($1) ON CONFLICT DO NOTHING"};
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    fl_pq_fault f = FL_PQ_NONE;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, s->realm);
    for (size_t i = 0; !f && i < FL_ARRAY_LEN(sql); i++)
        f = fl_pq_exec(c, sql[i], &p, NULL, NULL, err);
    return f;
}

fl_status fl_lease_take(struct fl_store *s, PGconn *c, struct fl_err *err)
{
    /* Longer than a lease: an owner that died is gone by then, one that renews is alive. */
    fl_usec until = fl_mono() + s->lease + s->lease / 2;
    bool taken = false, said = false;
    fl_pq_fault f = make_rows(s, c, err);
    for (unsigned n = 0; !f && !taken; n++) {
        char holder[128] = "";
        f = fl_pq_script(c, "BEGIN", NULL, err);
        if (!f)
            f = one_try(s, c, &taken, holder, sizeof holder, err);
        if (!f)
            f = fl_pq_script(c, "COMMIT", NULL, err);
        if (f || taken)
            break;
        if (fl_mono() > until) {
            fl_fail(err, FL_E_CONFLICT, s->realm, "realm \"%s\" is owned by \"%s\", which is alive", s->realm,
                    holder);
            fl_hint(err, "stop that process first, or serve another realm");
            return FL_E_CONFLICT;
        }
        if (!said)
            fl_log(FL_LOG_INFO, "store", "realm %s is owned by %s: waiting for its lease to end", s->realm,
                   holder);
        said = true;
        fl_store_nap(s, fl_retry_delay(&fl_retry_lease, n));
    }
    return fl_pq_status(f);
}

void fl_lease_release(struct fl_store *s, PGconn *c)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, s->realm);
    fl_pq_i64(&p, (int64_t)s->epoch);
    fl_pq_fault f = fl_pq_exec(c,
                               "UPDATE realm SET owner = '', owner_proc = '', lease_until = clock_timestamp()"
                               " WHERE name = $1 AND epoch = $2",
                               &p, NULL, NULL, NULL);
    if (f)
        fl_log(FL_LOG_INFO, "store", "lease of realm %s was not released: it ends by itself", s->realm);
}

static fl_pq_fault renew(struct fl_store *s, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *r = NULL;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, s->realm);
    fl_pq_i64(&p, (int64_t)s->epoch);
    fl_pq_i64(&p, s->lease);
    fl_pq_fault f = fl_pq_exec(
        s->keeper_c,
        "UPDATE realm SET lease_until = clock_timestamp() + $3 * interval '1 microsecond'"
        " WHERE name = $1 AND epoch = $2 RETURNING 1",
        &p, NULL, &r, err);
    if (!f && PQntuples(r) == 0)
        f = FL_PQ_FENCED;
    return f;
}

void *fl_keeper_thread(void *store)
{
    struct fl_store *s = store;
    fl_usec next = 0;
    unsigned failed = 0;
    while (!s->abandon) {
        struct fl_err err = {0};
        fl_pq_fault f = FL_PQ_NONE;
        if (!s->keeper_c && fl_store_session(s, "keeper", &s->keeper_c, &err) != FL_OK)
            f = FL_PQ_LOST;
        if (!f && !s->fenced && fl_mono() >= next) {
            f = renew(s, &err);
            if (!f)
                fl_letters_count(s);
            next = fl_mono() + s->lease * 3 / 10;
        }
        if (f == FL_PQ_FENCED)
            fl_store_fence(s, "lease");
        else if (f == FL_PQ_LOST)
            s->keeper_c = fl_pq_close(s->keeper_c);
        if (f && f != FL_PQ_FENCED)
            next = 0;
        failed = f ? failed + 1 : 0;
        if (s->keeper_c)
            fl_letters_write(s);
        fl_store_nap(s, failed                   ? fl_retry_delay(&fl_retry_reconnect, failed - 1)
                        : s->lease / 10 < 200000 ? s->lease / 10
                                                 : 200000);
    }
    if (s->keeper_c)
        fl_letters_write(s);
    return NULL;
}
