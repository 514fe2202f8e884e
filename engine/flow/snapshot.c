/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/flow/snapshot.c -- the realm's whole state as records, and back. */
#include "flow_priv.h"

#include <stdlib.h>
#include <string.h>

enum { SNAPSHOT_VERSION = 2 };

static void write_changes(const struct fl_flow *f, struct fl_jw *w)
{
    fl_jw_arr(w, "changes");
    for (const struct change_item *k = f->changes; k; k = k->next) {
        const struct fl_change *c = &k->change;
        fl_jw_obj(w, NULL);
        fl_jw_int(w, "time", c->time);
        fl_jw_str(w, "component", c->component);
        fl_jw_str(w, "kind", c->kind);
        fl_jw_str(w, "id", c->id);
        fl_jw_str(w, "author", c->author);
        fl_jw_str(w, "title", c->title);
        fl_jw_str(w, "link", c->link);
        fl_jw_str(w, "detail", c->detail);
        fl_jw_obj_end(w);
    }
    fl_jw_arr_end(w);
}

enum {
    REC_HEAD = 'h', /* JSON: all but what correlate has, which comes after it */
    REC_END = 'z',  /* the event it was taken after, once more: nothing is missing */
};

static void write_head(const struct fl_flow *f, struct fl_buf *out)
{
    struct fl_jw w = fl_jw_init(out);
    char hex[65];
    fl_jw_obj(&w, NULL);
    fl_jw_int(&w, "version", SNAPSHOT_VERSION);
    fl_jw_str(&w, "realm", f->realm);
    fl_jw_int(&w, "seq", (int64_t)f->seq);
    fl_jw_int(&w, "at", f->at);
    fl_jw_int(&w, "alerts_in", (int64_t)f->alerts_in);
    fl_jw_int(&w, "audit_seq", (int64_t)f->chain.seq);
    fl_jw_str(&w, "audit_head", fl_sha256_hex(&f->chain.head, hex));
    fl_jw_raw(&w, "config", f->config_text);
    flow_models_write(f, &w, "models");
    fl_jw_raw(&w, "topology", f->topo_text);
    write_changes(f, &w);
    flow_write_silent(f, &w);
    fl_history_write(f->history, &w, "history");
    fl_resp_write(f->resp, &w, "runs");
    flow_feedback_write(f->feedback, &w, "feedback");
    flow_drift_write(f->drift, &w, "drift");
    fl_jw_obj_end(&w);
}

fl_status fl_flow_snapshot(const struct fl_flow *f, struct fl_pack *out)
{
    FL_AUTO_BUF head = fl_buf_init(0);
    write_head(f, &head);
    if (head.failed)
        return FL_E_NOMEM;
    fl_pack_begin(out, REC_HEAD);
    fl_pack_textn(out, head.p, head.n);
    fl_pack_end(out);
    fl_corr_write(f->corr, out);
    fl_pack_begin(out, REC_END);
    fl_pack_u64(out, f->seq);
    fl_pack_end(out);
    return out->failed ? FL_E_NOMEM : FL_OK;
}

static fl_status read_head(struct fl_flow *f, const struct fl_json *root, struct fl_err *err)
{
    f->seq = (uint64_t)fl_json_int(root, "seq", 0);
    f->at = fl_json_int(root, "at", 0);
    f->alerts_in = (uint64_t)fl_json_int(root, "alerts_in", 0);
    f->chain.seq = (uint64_t)fl_json_int(root, "audit_seq", 0);
    const char *head = fl_json_str(root, "audit_head", "");
    if (strlen(head) != 64 || !fl_unhex(head, 64, f->chain.head.b))
        return fl_fail(err, FL_E_CORRUPT, "snapshot", "its audit head is no SHA-256");
    fl_status st = FL_OK;
    const struct fl_json *config = fl_json_get(root, "config"), *topology = fl_json_get(root, "topology");
    if (config)
        st = flow_apply_config(f, NULL, config, err);
    if (st == FL_OK)
        st = flow_models_read(f, fl_json_get(root, "models"), err);
    if (st == FL_OK && topology) {
        FL_AUTO_ARENA a = fl_arena_new(0);
        FL_AUTO_FREE char *text = fl_json_text(topology, false);
        FL_REQUIRE(a != NULL && text != NULL);
        struct fl_topology_doc doc;
        st = flow_apply_topology(f, NULL, text, strlen(text), a, &doc, err);
    }
    const struct fl_json *list = fl_json_get(root, "changes");
    for (size_t i = 0; i < fl_json_len(list); i++) {
        const struct fl_json *v = fl_json_at(list, i);
        flow_keep_change(f,
                         &(struct fl_change){fl_json_int(v, "time", 0), fl_json_str(v, "component", ""),
                                             fl_json_str(v, "kind", ""), fl_json_str(v, "id", ""),
                                             fl_json_str(v, "author", NULL), fl_json_str(v, "title", NULL),
                                             fl_json_str(v, "link", NULL), fl_json_str(v, "detail", NULL)});
    }
    flow_read_silent(f, fl_json_get(root, "silent"));
    if (st == FL_OK)
        st = fl_history_read(f->history, fl_json_get(root, "history"), err);
    if (st == FL_OK)
        st = fl_resp_read(f->resp, fl_json_get(root, "runs"), err);
    flow_feedback_read(f->feedback, fl_json_get(root, "feedback"));
    flow_drift_read(f->drift, fl_json_get(root, "drift"));
    return st;
}

/* A head that held when it was written may hold no more: a feature or a rule this program does not know, a limit that was
 * lowered. The journal has the same, and there it is refused by itself; a snapshot of it is of no use. */
static fl_status no_use(fl_status st, struct fl_err *err)
{
    if (st == FL_OK || st == FL_E_NOMEM || st == FL_E_TIMEOUT)
        return st;
    if (err)
        err->status = FL_E_CORRUPT;
    return FL_E_CORRUPT;
}

static fl_status load_head(struct fl_flow *f, struct fl_unpack *u, struct fl_err *err)
{
    size_t n;
    const char *text = fl_unpack_text(u, &n);
    FL_AUTO_JSON root = text ? fl_json_parse(text, n, err) : NULL;
    if (!root)
        return fl_fail(err, FL_E_CORRUPT, "snapshot", "its head does not hold");
    int64_t version = fl_json_int(root, "version", 0);
    if (version != SNAPSHOT_VERSION)
        return fl_fail(err, FL_E_CORRUPT, "snapshot", "its version is %lld, this program reads %d",
                       (long long)version, SNAPSHOT_VERSION);
    return no_use(read_head(f, root, err), err);
}

fl_status fl_flow_load(struct fl_flow *f, const void *piece, size_t n, struct fl_err *err)
{
    struct fl_unpack u = fl_unpack_init(piece, n);
    fl_status st = FL_OK;
    for (char kind; st == FL_OK && (kind = fl_unpack_next(&u)) != 0;) {
        if (f->load == LOAD_DONE || (kind == REC_HEAD) != (f->load == LOAD_NOTHING))
            return fl_fail(err, FL_E_CORRUPT, "snapshot", "its records are out of order");
        f->load = kind == REC_END ? LOAD_DONE : LOAD_BEGUN;
        if (kind == REC_HEAD)
            st = load_head(f, &u, err);
        else if (kind != REC_END)
            st = fl_corr_load(f->corr, kind, &u, f->topo, err);
        else if (fl_unpack_u64(&u) != f->seq)
            u.bad = true;
    }
    if (st == FL_OK && u.bad)
        return fl_fail(err, FL_E_CORRUPT, "snapshot", "a piece of it does not hold");
    return st;
}

fl_status fl_flow_loaded(struct fl_flow *f, struct fl_err *err)
{
    if (f->load != LOAD_DONE)
        return fl_fail(err, FL_E_CORRUPT, "snapshot", "it ends too early");
    return fl_corr_loaded(f->corr, f->topo, f->rules, err);
}

fl_status fl_flow_restore(const struct fl_flow_options *o, const struct fl_pack *from, struct fl_flow **ret,
                          struct fl_err *err)
{
    struct fl_flow *f;
    fl_status st = fl_flow_new(o, &f, err);
    if (st != FL_OK)
        return st;
    for (const struct fl_piece *k = from->first; st == FL_OK && k; k = k->next)
        st = fl_flow_load(f, k->p, k->n, err);
    if (st == FL_OK)
        st = fl_flow_loaded(f, err);
    if (st == FL_OK)
        *ret = f;
    else
        fl_flow_free(f);
    return st;
}
