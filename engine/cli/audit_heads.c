/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/audit_heads.c -- signed heads from a file, checked before anything is believed (layer 6). */
#include "audit_lines.h"

#include <faultline/daemon.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADS_MAX = 1 << 30 };

bool heads_add(struct heads *h, uint64_t seq, const struct fl_sha256 *hash, fl_usec at)
{
    if (h->n == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 64;
        struct known_head *v = realloc(h->v, cap * sizeof *v);
        if (!v)
            return false;
        h->v = v;
        h->cap = cap;
    }
    h->v[h->n++] = (struct known_head){seq, *hash, at};
    return true;
}

void heads_done(struct heads *h)
{
    free(h->v);
    *h = (struct heads){0};
}

bool heads_pass(struct heads *h, uint64_t seq, const struct fl_sha256 *hash)
{
    for (; h->next < h->n && h->v[h->next].seq <= seq; h->next++)
        if (h->v[h->next].seq == seq && memcmp(&h->v[h->next].hash, hash, sizeof *hash) != 0)
            return false;
    return true;
}

static int by_seq(const void *a, const void *b)
{
    const struct known_head *x = a, *y = b;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int bad_head(const char *path, size_t line, const char *why)
{
    fprintf(stderr, "faultline: %s: line %zu: %s\n", path, line, why);
    return EXIT_FINDING;
}

static int read_key(const char *path, uint8_t *ret)
{
    struct fl_err err = {0};
    FL_AUTO_FREE char *text = NULL;
    size_t n = 0;
    if (fl_read_file(path, 4096, &text, &n, &err) != FL_OK)
        return fail_with("--key", &err);
    return fl_audit_public_parse(text, ret)
               ? 0
               : usage_error("%s: no public key of audit heads (audit.pub)", path);
}

/* Lines of heads.jsonl. Where a crash tore one, the engine began a new line: what is no head is left out, and said. */
static int read_heads(const char *path, const char *realm, const uint8_t *key, struct heads *h)
{
    struct fl_err err = {0};
    FL_AUTO_FREE char *text = NULL;
    size_t n = 0, line = 0;
    if (fl_read_file(path, HEADS_MAX, &text, &n, &err) != FL_OK)
        return fail_with("--head", &err);
    for (char *p = text, *end = text + n; p < end;) {
        struct fl_audit_head one;
        size_t len = strcspn(p, "\n");
        const char *at = p;
        p += len + 1;
        line++;
        if (!len)
            continue;
        if (fl_audit_head_parse(at, len, &one, NULL) != FL_OK)
            fprintf(stderr, "faultline: %s: line %zu is no signed head; left out\n", path, line);
        else if (realm && strcmp(one.realm, realm) != 0)
            continue;
        else if (!fl_audit_head_check(&one, key))
            return bad_head(path, line,
                            "its signature does not hold: the head was changed, or signed with another key");
        else if (!heads_add(h, one.seq, &one.hash, one.at))
            return usage_error("out of memory");
    }
    if (h->n)
        qsort(h->v, h->n, sizeof *h->v, by_seq);
    return 0;
}

static int read_signed(const char *path, const char *realm, const char *named, struct heads *h)
{
    char beside[1024];
    uint8_t key[32];
    const char *slash = strrchr(path, '/');
    snprintf(beside, sizeof beside, "%.*saudit.pub", slash ? (int)(slash - path) + 1 : 0, path);
    int code = read_key(named ? named : beside, key);
    return code ? code : read_heads(path, realm, key, h);
}

int heads_of_dir(const char *dir, const char *realm, const char *key, struct heads *h)
{
    char path[600];
    snprintf(path, sizeof path, "%s/heads.jsonl", dir);
    return access(path, F_OK) == 0 ? read_signed(path, realm, key, h) : 0;
}

/* Heads in the data directory of an engine here, if it has one. */
static int read_own(struct args *a, struct heads *h)
{
    struct fl_config *c = NULL;
    char data[512];
    int code = load_config(a, &c);
    if (code >= 0)
        return code;
    code = fl_data_dir(c, data, sizeof data, NULL) == FL_OK ? heads_of_dir(data, c->realm, arg(a, "key"), h)
                                                            : 0;
    fl_config_free(c);
    return code;
}

int heads_find(struct args *a, struct heads *h)
{
    const char *text = arg(a, "head"), *colon = text ? strrchr(text, ':') : NULL;
    char seq[32];
    int64_t n = 0;
    struct fl_sha256 hash;
    if (!text)
        return arg(a, "data") ? read_own(a, h) : 0;
    if (access(text, F_OK) == 0) {
        int code = read_signed(text, arg(a, "realm"), arg(a, "key"), h);
        return code || h->n ? code : usage_error("--head: %s: no signed head in it", text);
    }
    snprintf(seq, sizeof seq, "%.*s", colon ? (int)(colon - text) : 0, text);
    if (!colon || !fl_parse_i64(seq, 1, INT64_MAX, &n) || strlen(colon + 1) != 64 ||
        !fl_unhex(colon + 1, 64, hash.b))
        return usage_error(
            "--head: \"%.80s\": no such file; or write SEQ:HASH as `faultline audit head` prints it", text);
    return heads_add(h, (uint64_t)n, &hash, 0) ? 0 : usage_error("out of memory");
}
