/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/heads.c -- signed heads of the audit trail, kept in the data directory: outside the database they
 * vouch for (layer 6). Recorder thread, and the main thread while stopping. */
#include "daemon_priv.h"

#include <faultline/json.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const fl_usec HEAD_EVERY = 60 * FL_USEC_PER_SEC;
enum { HEAD_ENTRIES = 1000, HEADS_FILE_MAX = 1 << 30 };

/* ---- files: written whole or not at all ---- */

static fl_status write_new(const char *dir, const char *name, mode_t mode, const char *text,
                           struct fl_err *err)
{
    char path[600], temporary[620];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    unlink(temporary);
    FL_AUTO_FD fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    FL_AUTO_FD folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t n = strlen(text);
    bool ok = fd >= 0 && folder >= 0 && fchmod(fd, mode) == 0 && write(fd, text, n) == (ssize_t)n &&
              fsync(fd) == 0 && rename(temporary, path) == 0 && fsync(folder) == 0;
    return ok ? FL_OK : fl_fail(err, FL_E_IO, path, "could not write %s: %s", path, strerror(errno));
}

/* The public file is derived: written again when it is missing. */
static fl_status load_key(struct engine *e, struct fl_err *err)
{
    char path[600], text[FL_AUDIT_KEY_LEN], public[FL_AUDIT_PUBLIC_LEN], *have = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/audit.key", e->data);
    fl_status st = fl_read_file(path, 4096, &have, &n, err);
    if (st == FL_OK && !fl_audit_key_parse(have, &e->audit_key))
        st = fl_fail(err, FL_E_CORRUPT, path, "%s holds no key: 64 hexadecimal digits", path);
    else if (st == FL_E_NOTFOUND) {
        fl_err_clear(err);
        fl_audit_key_make(&e->audit_key);
        fl_audit_key_text(&e->audit_key, text);
        st = write_new(e->data, "audit.key", 0600, text, err);
        explicit_bzero(text, sizeof text);
    }
    if (have)
        explicit_bzero(have, n);
    free(have);
    fl_audit_public_text(e->audit_key.open, public);
    snprintf(path, sizeof path, "%s/audit.pub", e->data);
    have = NULL;
    if (st == FL_OK && (fl_read_file(path, 4096, &have, &n, NULL) != FL_OK || strcmp(have, public) != 0))
        st = write_new(e->data, "audit.pub", 0644, public, err);
    free(have);
    return st;
}

/* The last whole line of this realm; a line that a crash cut short is left behind, and ended. */
static fl_status load_last(struct engine *e, const char *path, struct fl_err *err)
{
    char *text = NULL;
    size_t n = 0;
    fl_status st = fl_read_file(path, HEADS_FILE_MAX, &text, &n, err);
    if (st == FL_E_NOTFOUND) {
        fl_err_clear(err);
        return FL_OK;
    }
    for (char *p = text, *nl; st == FL_OK && (nl = memchr(p, '\n', n - (size_t)(p - text))) != NULL;
         p = nl + 1) {
        struct fl_audit_head h;
        if (fl_audit_head_parse(p, (size_t)(nl - p), &h, NULL) == FL_OK &&
            fl_streq(h.realm, e->config->realm) && fl_audit_head_check(&h, e->audit_key.open))
            e->head = h;
    }
    e->heads_torn = st == FL_OK && n && text[n - 1] != '\n';
    free(text);
    return st;
}

fl_status heads_open(struct engine *e, struct fl_err *err)
{
    char path[600];
    snprintf(path, sizeof path, "%s/heads.jsonl", e->data);
    e->heads_fd = -1;
    fl_status st = load_key(e, err);
    if (st == FL_OK)
        st = load_last(e, path, err);
    if (st != FL_OK)
        return st;
    e->heads_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (e->heads_fd < 0 || (e->heads_torn && write(e->heads_fd, "\n", 1) != 1))
        return fl_fail(err, FL_E_IO, path, "could not write %s: %s", path, strerror(errno));
    return FL_OK;
}

void heads_close(struct engine *e)
{
    if (e->heads_fd > 0)
        close(e->heads_fd);
    e->heads_fd = -1;
    explicit_bzero(&e->audit_key, sizeof e->audit_key);
}

/* ---- signing ---- */

static fl_status newest(struct engine *e, struct fl_reader *db, struct fl_audit_head *ret, struct fl_err *err)
{
    FL_AUTO_BUF b = fl_buf_init(4096);
    struct fl_read_args a = {.realm = e->config->realm};
    fl_status st = fl_read_json(db, FL_READ_AUDIT_HEAD, &a, &b, err);
    if (st != FL_OK)
        return st;
    FL_AUTO_JSON v = fl_json_parse(b.p, b.n, err);
    const char *hash = v ? fl_json_str(v, "hash", "") : "";
    *ret = (struct fl_audit_head){.seq = v ? (uint64_t)fl_json_int(v, "seq", 0) : 0, .at = fl_now()};
    if (strlen(hash) != 64 || !fl_unhex(hash, 64, ret->hash.b))
        return fl_fail(err, FL_E_CORRUPT, "audit", "the head of the audit trail could not be read");
    snprintf(ret->realm, sizeof ret->realm, "%s", e->config->realm);
    return FL_OK;
}

static fl_status compare(void *ctx, const struct fl_audit_entry *e)
{
    struct fl_audit_head *h = ctx; /* seq 0 from here on: it is still there */
    if (e->seq == h->seq && !memcmp(&e->hash, &h->hash, sizeof h->hash))
        h->seq = 0;
    return FL_OK;
}

/* What was signed once must still be there: else somebody cut the trail, or put an old database in its place. */
static fl_status check_last(struct engine *e, struct fl_reader *db, struct fl_err *err)
{
    struct fl_audit_head last = e->head;
    struct fl_audit_query q = {.after_seq = last.seq - 1, .limit = 1};
    fl_status st = last.seq ? fl_read_audit(db, e->config->realm, &q, compare, &last, err) : FL_OK;
    if (st != FL_OK)
        return st;
    if (last.seq && !e->heads_broken)
        fl_log(
            FL_LOG_ERROR, "audit",
            "entry %llu was signed as the head of the trail, which holds it no more: it was cut or replaced; no head is "
            "signed until it has been looked into (faultline audit verify --data '%s')",
            (unsigned long long)last.seq, e->data);
    e->heads_broken = last.seq != 0;
    return FL_OK;
}

static bool append(struct engine *e, const struct fl_audit_head *h)
{
    FL_AUTO_BUF b = fl_buf_init(4096);
    fl_audit_head_json(h, &b);
    fl_buf_chr(&b, '\n');
    if (!b.failed && write(e->heads_fd, b.p, b.n) == (ssize_t)b.n && fdatasync(e->heads_fd) == 0) {
        fl_log(FL_LOG_INFO, "audit", "signed head %.*s", (int)b.n - 1, b.p);
        return true;
    }
    fl_log(FL_LOG_ERROR, "audit", "a signed head could not be written: %s", strerror(errno));
    return false;
}

fl_status heads_turn(struct engine *e, struct fl_reader *db, bool now, struct fl_err *err)
{
    struct fl_audit_head h;
    bool due = now || !e->head_signed_at || fl_mono() - e->head_signed_at >= HEAD_EVERY;
    if (e->heads_fd < 0)
        return FL_OK;
    fl_status st = newest(e, db, &h, err);
    if (st != FL_OK || !h.seq || (!due && h.seq < e->head.seq + HEAD_ENTRIES))
        return st;
    st = check_last(e, db, err);
    if (st != FL_OK || e->heads_broken)
        return st;
    if (!fl_audit_head_sign(&h, &e->audit_key))
        return fl_fail(err, FL_E_INTERNAL, "audit", "the head could not be signed");
    e->head_signed_at = fl_mono(); /* also after a failure: once a minute is often enough to say so */
    if (append(e, &h)) {
        pthread_mutex_lock(&e->lock);
        e->head = h;
        pthread_mutex_unlock(&e->lock);
    }
    return FL_OK;
}

void heads_text(void *ctx, struct fl_buf *out)
{
    struct engine *e = ctx;
    char public[FL_AUDIT_PUBLIC_LEN];
    FL_AUTO_BUF b = fl_buf_init(4096);
    struct fl_jw w = fl_jw_init(out);
    pthread_mutex_lock(&e->lock);
    struct fl_audit_head h = e->head;
    pthread_mutex_unlock(&e->lock);
    fl_audit_public_text(e->audit_key.open, public);
    if (h.seq)
        fl_audit_head_json(&h, &b);
    fl_jw_obj(&w, NULL);
    fl_jw_raw(&w, "signed", h.seq ? b.p : "null");
    fl_jw_str(&w, "key", e->heads_fd >= 0 ? public : NULL);
    fl_jw_obj_end(&w);
}
