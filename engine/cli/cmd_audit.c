/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_audit.c -- audit search, show, verify, head, export (layer 6). Verification trusts nothing but
 * the bytes it reads: over HTTP, from the database, or from an exported file without either. */
#include "audit_lines.h"

#include <faultline/daemon.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 5000, LINE_MAX_BYTES = 64 << 20 };

/* ---- one entry back from JSON ---- */

static bool entry_from(const struct fl_json *v, struct fl_audit_entry *e)
{
    const char *at = fl_json_str(v, "at", ""), *prev = fl_json_str(v, "prev", ""),
               *hash = fl_json_str(v, "hash", "");
    *e = (struct fl_audit_entry){.realm = fl_json_str(v, "realm", ""),
                                 .seq = (uint64_t)fl_json_int(v, "seq", 0),
                                 .event_seq = (uint64_t)fl_json_int(v, "event_seq", 0),
                                 .actor = fl_json_str(v, "actor", ""),
                                 .action = fl_json_str(v, "action", ""),
                                 .subject = fl_json_str(v, "subject", ""),
                                 .incident = fl_json_str(v, "incident", ""),
                                 .reason = fl_json_str(v, "reason", ""),
                                 .detail = fl_json_str(v, "detail", "")};
    return fl_json_is_object(v) && fl_time_parse(at, strlen(at), &e->at) && strlen(prev) == 64 &&
           strlen(hash) == 64 && fl_unhex(prev, 64, e->prev.b) && fl_unhex(hash, 64, e->hash.b);
}

/* ---- sources of rows ---- */

struct sink {
    bool (*take)(struct sink *s, const struct fl_audit_entry *e); /* false: stop */
    struct fl_audit_verifier v;
    FILE *out;
    uint64_t n;
    struct heads heads;
    bool stopped, is_bundle;
    char incident[64]; /* of a bundle */
    uint64_t about;    /* its entries about the incident … */
    int64_t promised;  /* … and how many there should be */
};

static fl_status from_database(void *ctx, const struct fl_audit_entry *e)
{
    struct sink *s = ctx;
    if (!s->stopped)
        s->stopped = !s->take(s, e);
    s->n = e->seq;
    return FL_OK;
}

static int read_database(struct args *a, struct sink *s)
{
    struct fl_config *c = NULL;
    struct fl_reader *r = NULL;
    struct fl_err err = {0};
    char conninfo[1024];
    int code = find_database(a, &c, conninfo, sizeof conninfo);
    if (code)
        return code;
    fl_status st = fl_reader_open(conninfo, &r, &err);
    uint64_t before = UINT64_MAX;
    while (st == FL_OK && !s->stopped && before != s->n) {
        struct fl_audit_query q = {.after_seq = s->n, .limit = PAGE};
        before = s->n;
        st = fl_read_audit(r, c->realm, &q, from_database, s, &err);
    }
    fl_reader_close(r);
    fl_config_free(c);
    if (st == FL_OK)
        return 0;
    fail_with("audit", &err);
    return EXIT_UNREACHABLE;
}

static int bad_line(const char *from, uint64_t line)
{
    fprintf(stderr, "faultline: %s: line %llu is no audit entry\n", from, (unsigned long long)line);
    return EXIT_FINDING;
}

/* The first line of a bundle: where the chain begins, and the head that seals it. */
static int open_bundle(struct args *a, const char *from, const struct fl_json *v, struct sink *s)
{
    const char *anchor = fl_json_str(v, "anchor", ""), *pem = fl_json_str(v, "key", NULL);
    const struct fl_json *sealed = fl_json_get(v, "head");
    FL_AUTO_FREE char *text = sealed ? fl_json_text(sealed, false) : NULL;
    struct fl_audit_head h;
    uint8_t key[32];
    int64_t first = fl_json_int(v, "first", 0);
    if (strcmp(fl_json_str(v, "bundle", ""), "faultline audit bundle v1") != 0 || first < 1 ||
        strlen(anchor) != 64 || !fl_unhex(anchor, 64, s->v.head.b)) {
        fprintf(stderr, "faultline: %s: no audit bundle this program can read\n", from);
        return EXIT_FINDING;
    }
    s->is_bundle = true;
    s->v.next_seq = (uint64_t)first;
    s->promised = fl_json_int(v, "entries", 0);
    snprintf(s->incident, sizeof s->incident, "%s", fl_json_str(v, "incident", ""));
    if (!text) {
        fprintf(stderr,
                "faultline: %s: no signed head: the chain is checked, but nothing says who vouches for it\n",
                from);
        return 0;
    }
    if (arg(a, "key")) {
        char *own = NULL;
        size_t n = 0;
        struct fl_err err = {0};
        if (fl_read_file(arg(a, "key"), 4096, &own, &n, &err) != FL_OK)
            return fail_with("--key", &err);
        bool ok = fl_audit_public_parse(own, key);
        free(own);
        if (!ok)
            return usage_error("%s: no public key of audit heads (audit.pub)", arg(a, "key"));
    } else if (!pem || !fl_audit_public_parse(pem, key)) {
        fprintf(stderr, "faultline: %s: the bundle holds no key; give the engine's audit.pub with --key\n",
                from);
        return EXIT_FINDING;
    } else {
        fprintf(
            stderr,
            "the key is the bundle's own: compare it with the engine's audit.pub, or give that with --key\n");
    }
    if (fl_audit_head_parse(text, strlen(text), &h, NULL) != FL_OK || !fl_audit_head_check(&h, key)) {
        fprintf(stderr, "faultline: %s: the signature of its head does not hold\n", from);
        return EXIT_FINDING;
    }
    return heads_add(&s->heads, h.seq, &h.hash, h.at) ? 0 : usage_error("out of memory");
}

static int read_lines(struct args *a, const char *from, FILE *f, struct sink *s)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    uint64_t number = 0;
    int code = 0;
    while (!code && !s->stopped && (n = getline(&line, &cap, f)) > 0) {
        struct fl_err err = {0};
        struct fl_audit_entry e;
        FL_AUTO_JSON v = fl_json_parse(line, (size_t)n, &err);
        number++;
        if (v && number == 1 && fl_json_is_object(v) && fl_json_get(v, "bundle"))
            code = open_bundle(a, from, v, s);
        else if (!v || !entry_from(v, &e))
            code = bad_line(from, number);
        else
            s->stopped = !s->take(s, &e);
    }
    free(line);
    return code;
}

static int read_file(struct args *a, const char *path, struct sink *s)
{
    FILE *f = !strcmp(path, "-") ? stdin : fopen(path, "re");
    if (!f) {
        fprintf(stderr, "faultline: %s: %s\n", path, strerror(errno));
        return EXIT_USAGE;
    }
    int code = read_lines(a, path, f, s);
    if (f != stdin)
        fclose(f);
    return code;
}

static int read_server(struct args *a, struct sink *s)
{
    for (;;) {
        AUTO_REPLY r = {0};
        char path[128];
        snprintf(path, sizeof path, "/api/v1/audit?limit=%d&after=%llu", PAGE, (unsigned long long)s->n);
        int code = call_server(a, "GET", path, NULL, 0, &r);
        const struct fl_json *list = r.json ? fl_json_get(r.json, "entries") : NULL;
        size_t n = list ? fl_json_len(list) : 0;
        if (code)
            return code;
        for (size_t i = 0; i < n && !s->stopped; i++) {
            struct fl_audit_entry e;
            if (!entry_from(fl_json_at(list, i), &e))
                return bad_line(path, i + 1);
            s->stopped = !s->take(s, &e);
            s->n = e.seq;
        }
        if (n < PAGE || s->stopped)
            return 0;
    }
}

static int read_all(struct args *a, struct sink *s)
{
    if (a->n_pos)
        return read_file(a, a->pos[0], s);
    if (arg(a, "data") || arg(a, "database"))
        return read_database(a, s);
    return read_server(a, s);
}

/* ---- verify ---- */

static bool verify_one(struct sink *s, const struct fl_audit_entry *e)
{
    if (!fl_audit_verify_row(&s->v, e))
        return false;
    s->about += s->is_bundle && !strcmp(e->incident, s->incident);
    if (heads_pass(&s->heads, e->seq, &e->hash))
        return true;
    s->v.broken = true;
    s->v.bad_seq = e->seq;
    s->v.checked--;
    snprintf(s->v.problem, sizeof s->v.problem,
             "its hash is not the one that is known: the trail was rewritten");
    return false;
}

static void say_broken(const struct args *a, uint64_t seq, const char *problem, uint64_t checked)
{
    if (a->json) {
        FL_AUTO_BUF b = fl_buf_init(1 << 16);
        struct fl_jw w = fl_jw_init(&b);
        fl_jw_obj(&w, NULL);
        fl_jw_bool(&w, "ok", false);
        fl_jw_int(&w, "bad_seq", (int64_t)seq);
        fl_jw_str(&w, "problem", problem);
        fl_jw_int(&w, "checked", (int64_t)checked);
        fl_jw_obj_end(&w);
        print_json(&b);
        return;
    }
    printf("BROKEN at entry %llu: ", (unsigned long long)seq);
    put_text(stdout, problem, 0);
    printf("\n%llu entries before it hold\n", (unsigned long long)checked);
}

static int say_verified(const struct args *a, const struct sink *s)
{
    char hex[65], at[FL_TIME_LEN];
    const struct known_head *h = s->heads.n ? &s->heads.v[s->heads.n - 1] : NULL;
    fl_sha256_hex(&s->v.head, hex);
    if (a->json) {
        printf(
            "{\"ok\":true,\"checked\":%llu,\"seq\":%llu,\"hash\":\"%s\",\"heads\":%zu,\"sealed_seq\":%llu}\n",
            (unsigned long long)s->v.checked, (unsigned long long)s->v.next_seq - 1, hex, s->heads.n,
            h ? (unsigned long long)h->seq : 0ULL);
        return EXIT_FINE;
    }
    printf("%llu entries, the chain holds\nhead %llu:%s\n", (unsigned long long)s->v.checked,
           (unsigned long long)s->v.next_seq - 1, hex);
    if (s->is_bundle)
        printf("%llu of them are about %s\n", (unsigned long long)s->about, s->incident);
    if (h && h->at)
        printf("%zu signed head%s hold; the last one, of %s, seals entries up to %llu\n", s->heads.n,
               s->heads.n == 1 ? "" : "s", fl_time_format(h->at, at), (unsigned long long)h->seq);
    return EXIT_FINE;
}

static int verify_all(struct args *a, struct sink *s)
{
    fl_audit_verify_init(&s->v);
    int code = heads_find(a, &s->heads);
    if (!code)
        code = read_all(a, s);
    if (code)
        return code;
    const struct known_head *last = s->heads.n ? &s->heads.v[s->heads.n - 1] : NULL;
    if (s->v.broken) {
        say_broken(a, s->v.bad_seq, s->v.problem, s->v.checked);
        return EXIT_FINDING;
    }
    if (last && last->seq >= s->v.next_seq) {
        say_broken(a, s->v.next_seq, "the trail ends before the head that is known: its tail was cut",
                   s->v.checked);
        return EXIT_FINDING;
    }
    if (s->is_bundle && (int64_t)s->about != s->promised) {
        say_broken(a, s->v.next_seq, "the bundle does not hold the entries its first line speaks of",
                   s->v.checked);
        return EXIT_FINDING;
    }
    return say_verified(a, s);
}

int cmd_audit_verify(struct args *a)
{
    struct sink s = {.take = verify_one};
    int code = verify_all(a, &s);
    heads_done(&s.heads);
    return code;
}

/* ---- bundle ---- */

int cmd_audit_bundle(struct args *a)
{
    const char *incident = arg(a, "incident"), *path = arg(a, "out");
    AUTO_REPLY r = {0};
    FL_AUTO_BUF url = fl_buf_init(4096);
    if (!incident)
        return usage_error("--incident: needed: the incident to prove");
    const char *const pairs[] = {"incident", incident, NULL};
    fl_buf_str(&url, "/api/v1/audit/bundle");
    url_query(&url, pairs);
    int code = call_server(a, "GET", url.p, NULL, 0, &r);
    if (code)
        return code;
    FILE *f = path ? fopen(path, "we") : stdout;
    bool ok = f && fwrite(r.body.p, 1, r.body.n, f) == r.body.n && fflush(f) == 0;
    if (path && f && fclose(f) != 0)
        ok = false;
    if (!ok)
        return usage_error("--out: %s: %s", path ? path : "standard output", strerror(errno));
    if (path)
        fprintf(stderr, "written to %s; `faultline audit verify %s --key audit.pub` checks it anywhere\n",
                path, path);
    return EXIT_FINE;
}

/* ---- export ---- */

static bool write_one(struct sink *s, const struct fl_audit_entry *e)
{
    FL_AUTO_BUF b = fl_buf_init(LINE_MAX_BYTES);
    struct fl_jw w = fl_jw_init(&b);
    fl_audit_entry_json(&w, e);
    fl_buf_chr(&b, '\n');
    return !b.failed && fwrite(b.p, 1, b.n, s->out) == b.n;
}

int cmd_audit_export(struct args *a)
{
    const char *path = arg(a, "out");
    struct sink s = {.take = write_one, .out = path ? fopen(path, "we") : stdout};
    if (!s.out)
        return usage_error("--out: %s: %s", path, strerror(errno));
    int code = read_all(a, &s);
    bool failed = s.stopped || fflush(s.out) != 0;
    if (path)
        failed |= fclose(s.out) != 0;
    if (!code && failed) {
        fprintf(stderr, "faultline: %s: could not be written\n", path ? path : "standard output");
        code = EXIT_FINDING;
    }
    return code;
}

/* ---- search, show, head ---- */

static const struct column columns[] = {
    {"SEQ", "seq", 0, 'n'},        {"TIME", "at", 0, 't'},          {"ACTOR", "actor", 24, 's'},
    {"ACTION", "action", 28, 's'}, {"SUBJECT", "subject", 28, 's'}, {"REASON", "reason", 0, 's'},
};

int cmd_audit_search(struct args *a)
{
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(1 << 16);
    const char *const pairs[] = {"incident", arg(a, "incident"), "actor", arg(a, "actor"),
                                 "action",   arg(a, "action"),   "since", arg(a, "since"),
                                 "until",    arg(a, "until"),    "after", arg(a, "after"),
                                 "limit",    arg(a, "limit"),    NULL};
    fl_buf_str(&path, "/api/v1/audit");
    url_query(&path, pairs);
    int code = call_server(a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    const struct fl_json *list = list_of(r.json, "entries");
    if (a->json)
        print_json(&r.body);
    else
        print_table(list, columns, FL_ARRAY_LEN(columns));
    int64_t next = r.json && fl_json_is_object(r.json) ? fl_json_int(r.json, "next_after", 0) : 0;
    if (next && !a->json)
        fprintf(stderr, "more: --after %lld\n", (long long)next);
    return fl_json_len(list) ? EXIT_FINE : EXIT_FINDING;
}

int cmd_audit_show(struct args *a)
{
    AUTO_REPLY r = {0};
    char path[128];
    int64_t seq;
    if (!fl_parse_i64(a->pos[0], 1, INT64_MAX, &seq))
        return usage_error("\"%.32s\": not a number of an entry", a->pos[0]);
    snprintf(path, sizeof path, "/api/v1/audit?limit=1&after=%lld", (long long)seq - 1);
    int code = call_server(a, "GET", path, NULL, 0, &r);
    if (code)
        return code;
    const struct fl_json *e = fl_json_at(list_of(r.json, "entries"), 0);
    if (!e || fl_json_int(e, "seq", 0) != seq) {
        fprintf(stderr, "faultline: there is no entry %lld\n", (long long)seq);
        return EXIT_FINDING;
    }
    FL_AUTO_FREE char *text = fl_json_text(e, false);
    if (a->json) {
        printf("%s\n", text ? text : "");
        return EXIT_FINE;
    }
    for (void *it = fl_json_first(e); it; it = fl_json_next(e, it)) {
        FL_AUTO_FREE char *raw = fl_json_text(fl_json_value(it), false);
        const char *s = fl_json_string(fl_json_value(it));
        printf("%-10s ", fl_json_key(it));
        put_text(stdout, s ? s : raw ? raw : "", 0);
        putchar('\n');
    }
    return EXIT_FINE;
}

int cmd_audit_head(struct args *a)
{
    AUTO_REPLY r = {0};
    int code = call_server(a, "GET", "/api/v1/audit/head", NULL, 0, &r);
    if (code)
        return code;
    if (a->json || !r.json)
        print_json(&r.body);
    else
        printf("%lld:%s\n", (long long)fl_json_int(r.json, "seq", 0), fl_json_str(r.json, "hash", ""));
    const struct fl_json *sealed = !a->json && r.json ? fl_json_get(r.json, "signed") : NULL;
    FL_AUTO_FREE char *text = sealed ? fl_json_text(sealed, false) : NULL;
    if (text)
        printf("signed: %s\n", text);
    return EXIT_FINE;
}
