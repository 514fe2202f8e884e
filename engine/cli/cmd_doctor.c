/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_doctor.c -- doctor: everything the engine needs, one line each (layer 6). */
#include "audit_lines.h"

#include <faultline/daemon.h>
#include <faultline/script.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

struct doctor {
    const struct fl_config *c;
    char data[512], conninfo[1024];
    bool has_database;
    size_t bad;
};

static void FL_PRINTF(4, 5) say(struct doctor *d, bool ok, const char *what, const char *fmt, ...)
{
    va_list ap;
    printf("%-5s %-12s ", ok ? "ok" : "BAD", what);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    d->bad += !ok;
}

static void say_err(struct doctor *d, const char *what, const struct fl_err *err)
{
    say(d, false, what, "%s%s%s", err->text, err->hint[0] ? "; " : "", err->hint);
}

static void look_at_data(struct doctor *d)
{
    struct fl_err err = {0};
    struct statvfs v;
    if (fl_data_dir(d->c, d->data, sizeof d->data, &err) != FL_OK) {
        say_err(d, "data", &err);
    } else if (statvfs(d->data, &v) != 0) {
        say(d, true, "data", "%s does not exist yet; `faultline serve` makes it", d->data);
    } else {
        double free_gb = (double)v.f_bavail * (double)v.f_frsize / 1e9;
        say(d, free_gb > 1, "data", "%s, %.1f GB free%s", d->data, free_gb,
            free_gb > 1 ? "" : ": too little, 1 GB at least");
    }
}

static void look_at_worker(struct doctor *d)
{
    struct fl_err err = {0};
    char path[512], *json = NULL;
    static const char probe[] = "return { listen = \"127.0.0.1:1\" }";
    if (fl_worker_find(d->c->worker, path, sizeof path, &err) != FL_OK) {
        say_err(d, "worker", &err);
        return;
    }
    fl_usec began = fl_mono();
    fl_status st = fl_script_eval(FL_SCRIPT_CONFIG, "probe", probe, strlen(probe), 20 * FL_USEC_PER_SEC,
                                  &json, &err);
    free(json);
    if (st != FL_OK)
        say_err(d, "worker", &err);
    else
        say(d, true, "worker", "%s, starts and runs in %.1f ms", path, (double)(fl_mono() - began) / 1000);
}

static void count_problem(void *ctx, const struct fl_err *err)
{
    struct doctor *d = ctx;
    say(d, false, "files", "%s: %s", err->where, err->text);
}

static void look_at_sources(struct doctor *d)
{
    struct fl_sources s;
    if (fl_sources_load(d->c, &s, count_problem, d) != FL_OK)
        return;
    if (*s.rules_dir)
        say(d, true, "rules", "%zu files in %s", s.n_rule_files, s.rules_dir);
    else
        say(d, true, "rules", "built in: no folder of rules was found");
    say(d, true, "playbooks", "%zu in %s", s.n_playbooks, *s.playbooks_dir ? s.playbooks_dir : "no folder");
    fl_sources_done(&s);
}

static void look_at_database(struct doctor *d)
{
    struct fl_err err = {0};
    char dir[600];
    struct fl_migration_report r = {0};
    fl_status st = FL_OK;
    if (d->c->database && *d->c->database) {
        snprintf(d->conninfo, sizeof d->conninfo, "%s", d->c->database);
    } else {
        snprintf(dir, sizeof dir, "%s/postgres", d->data);
        st = fl_cluster_find(dir, d->conninfo, sizeof d->conninfo, &err);
    }
    if (st == FL_OK)
        st = fl_migrate(d->conninfo, true, &r, &err);
    if (st != FL_OK) {
        say_err(d, "database", &err);
        return;
    }
    d->has_database = true;
    say(d, r.current == r.latest, "database", "reachable, schema %d of %d%s", r.current, r.latest,
        r.current == r.latest ? "" : ": run `faultline migrate`");
}

struct trail {
    struct fl_audit_verifier v;
    struct heads heads;
    fl_usec last_at;
    uint64_t contradicted; /* entry that a signed head speaks against */
};

static fl_status feed(void *ctx, const struct fl_audit_entry *e)
{
    struct trail *t = ctx;
    if (fl_audit_verify_row(&t->v, e) && !t->contradicted && !heads_pass(&t->heads, e->seq, &e->hash))
        t->contradicted = e->seq;
    t->last_at = e->at;
    return FL_OK;
}

static void say_heads(struct doctor *d, const struct trail *t)
{
    const struct known_head *last = t->heads.n ? &t->heads.v[t->heads.n - 1] : NULL;
    uint64_t end = t->v.next_seq - 1;
    char at[FL_TIME_LEN];
    if (t->contradicted)
        say(d, false, "heads", "entry %llu is not the one that was signed: the trail was rewritten",
            (unsigned long long)t->contradicted);
    else if (last && t->v.broken && last->seq >= t->v.bad_seq)
        say(d, false, "heads", "entry %llu was signed, but the trail is broken at entry %llu",
            (unsigned long long)last->seq, (unsigned long long)t->v.bad_seq);
    else if (last && last->seq > end && !t->v.broken)
        say(d, false, "heads", "entry %llu was signed, but the trail ends with %llu: its tail was cut",
            (unsigned long long)last->seq, (unsigned long long)end);
    else if (last)
        say(d, true, "heads", "%zu signed, the last one on %s seals entries up to %llu", t->heads.n,
            fl_time_format(last->at, at), (unsigned long long)last->seq);
    else
        say(d, true, "heads", "none signed yet in %s", d->data);
}

static void look_at_audit(struct doctor *d)
{
    struct fl_err err = {0};
    struct fl_reader *r = NULL;
    struct trail t = {.last_at = 0};
    fl_status st = fl_reader_open(d->conninfo, &r, &err);
    fl_audit_verify_init(&t.v);
    if (heads_of_dir(d->data, d->c->realm, NULL, &t.heads) != 0)
        say(d, false, "heads", "those in %s cannot be used; see above", d->data);
    fl_usec began = fl_mono();
    uint64_t before = 1;
    while (st == FL_OK && !t.v.broken && before != t.v.checked) {
        struct fl_audit_query q = {.after_seq = t.v.checked, .limit = 10000};
        before = t.v.checked;
        st = fl_read_audit(r, d->c->realm, &q, feed, &t, &err);
    }
    fl_reader_close(r);
    if (st != FL_OK) {
        say_err(d, "audit", &err);
    } else {
        if (t.v.broken)
            say(d, false, "audit", "entry %llu: %s", (unsigned long long)t.v.bad_seq, t.v.problem);
        else
            say(d, true, "audit", "%llu entries, the chain holds (%.2f s)", (unsigned long long)t.v.checked,
                (double)(fl_mono() - began) / 1e6);
        say_heads(d, &t);
        if (t.last_at > fl_now() + 60 * FL_USEC_PER_SEC)
            say(d, false, "clock",
                "the last entry of the audit trail lies in the future: the clock was set back");
    }
    heads_done(&t.heads);
}

/* Full, the next letter pushes the oldest out. */
static void look_at_letters(struct doctor *d)
{
    struct fl_err err = {0};
    struct fl_reader *r = NULL;
    FL_AUTO_BUF b = fl_buf_init(1 << 20);
    struct fl_read_args q = {.realm = d->c->realm, .limit = 1};
    fl_status st = fl_reader_open(d->conninfo, &r, &err);
    if (st == FL_OK)
        st = fl_read_json(r, FL_READ_DEADLETTERS, &q, &b, &err);
    fl_reader_close(r);
    FL_AUTO_JSON doc = st == FL_OK ? fl_json_parse(b.p, b.n, &err) : NULL;
    if (!doc) {
        say_err(d, "letters", &err);
        return;
    }
    int64_t held = fl_json_int(doc, "held", 0), bytes = fl_json_int(doc, "bytes", 0),
            gone = fl_json_int(doc, "dropped", 0);
    bool full = held >= fl_json_int(doc, "max", 1) ||
                bytes + (int64_t)FL_DEADLETTER_RAW_MAX >= fl_json_int(doc, "max_bytes", 1);
    say(d, !full, "letters", "%lld dead letters, %.1f MB, %lld dropped so far%s", (long long)held,
        (double)bytes / 1e6, (long long)gone,
        full ? ": no room for more; see `faultline deadletter list`, then retry or drop them" : "");
}

static void look_at_senders(struct doctor *d)
{
    struct fl_err err = {0};
    struct fl_reader *r = NULL;
    FL_AUTO_BUF b = fl_buf_init(1 << 20), names = fl_buf_init(1 << 16);
    struct fl_read_args q = {.realm = d->c->realm};
    fl_status st = fl_reader_open(d->conninfo, &r, &err);
    if (st == FL_OK)
        st = fl_read_json(r, FL_READ_SILENT, &q, &b, &err);
    fl_reader_close(r);
    FL_AUTO_JSON list = st == FL_OK ? fl_json_parse(b.p, b.n, &err) : NULL;
    if (!list) {
        say_err(d, "senders", &err);
        return;
    }
    size_t n = fl_json_len(list);
    for (size_t i = 0; i < n && i < 5; i++) {
        const struct fl_json *v = fl_json_at(list, i);
        fl_buf_printf(&names, "%s%.64s since %.20s", i ? ", " : ": ", fl_json_str(v, "heartbeat", "?"),
                      fl_json_str(v, "since", "?"));
    }
    if (n)
        say(d, false, "senders", "%zu silent%s%s", n, names.p ? names.p : "", n > 5 ? ", …" : "");
    else
        say(d, true, "senders", "none that a heartbeat rule watches is silent");
}

static void look_at_clock(struct doctor *d)
{
    fl_usec now = fl_now();
    char text[FL_TIME_LEN];
    say(d, now > 1700000000 * FL_USEC_PER_SEC && now < 4000000000 * FL_USEC_PER_SEC, "clock", "%s",
        fl_time_format(now, text));
}

int cmd_doctor(struct args *a)
{
    struct fl_config *c = NULL;
    int code = load_config(a, &c);
    if (code >= 0)
        return code;
    struct doctor d = {.c = c};
    say(&d, true, "version", "%s", FL_VERSION);
    look_at_clock(&d);
    look_at_data(&d);
    look_at_worker(&d);
    look_at_sources(&d);
    look_at_database(&d);
    if (d.has_database) {
        look_at_audit(&d);
        look_at_letters(&d);
        look_at_senders(&d);
    }
    fl_config_free(c);
    printf("%zu finding%s\n", d.bad, d.bad == 1 ? "" : "s");
    return d.bad ? EXIT_FINDING : EXIT_FINE;
}
