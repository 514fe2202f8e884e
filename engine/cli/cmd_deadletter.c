/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_deadletter.c -- what was sent and could not be read: list, show, retry, drop (layer 6). */
#include "cli.h"

#include <faultline/store.h>

#include <stdlib.h>
#include <string.h>

static const struct column columns[] = {
    {"LETTER", "n", 0, 'n'},   {"SEEN", "at", 0, 'a'},     {"SOURCE", "source", 24, 's'},
    {"KEPT", "kept", 0, 's'},  {"TRIES", "tries", 0, 'n'}, {"WHERE", "where", 32, 's'},
    {"WHY", "reason", 0, 's'},
};

int cmd_deadletter_list(struct args *a)
{
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(1 << 16);
    const char *const pairs[] = {"source", arg(a, "source"), "since", arg(a, "since"),
                                 "limit",  arg(a, "limit"),  NULL};
    fl_buf_str(&path, "/api/v1/deadletters");
    url_query(&path, pairs);
    int code = call_server(a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    if (a->json) {
        print_json(&r.body);
        return EXIT_FINE;
    }
    const struct fl_json *list = list_of(r.json, "deadletters");
    size_t lost = 0;
    if (fl_json_len(list))
        print_table(list, columns, FL_ARRAY_LEN(columns));
    for (size_t i = 0; i < fl_json_len(list); i++)
        lost += fl_json_str(fl_json_at(list, i), "no_retry", NULL) != NULL;
    if (lost)
        fprintf(
            stderr,
            "%zu of these cannot be retried (KEPT part or nothing): `faultline deadletter show N` says why and what to do\n",
            lost);
    fprintf(stderr, "%lld dead letter%s held, %.1f MB of %.0f", (long long)fl_json_int(r.json, "held", 0),
            fl_json_int(r.json, "held", 0) == 1 ? "" : "s", (double)fl_json_int(r.json, "bytes", 0) / 1e6,
            (double)fl_json_int(r.json, "max_bytes", 0) / 1e6);
    if (fl_json_int(r.json, "dropped", 0))
        fprintf(stderr, "; %lld dropped so far for want of room",
                (long long)fl_json_int(r.json, "dropped", 0));
    fputc('\n', stderr);
    return EXIT_FINE;
}

int cmd_deadletter_show(struct args *a)
{
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(4096);
    char at[64];
    fl_buf_str(&path, "/api/v1/deadletters/");
    url_add(&path, a->pos[0]);
    int code = call_server(a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    if (a->json) {
        print_json(&r.body);
        return EXIT_FINE;
    }
    const struct fl_json *l = fl_json_get(r.json, "letter");
    printf("dead letter %lld from ", (long long)fl_json_int(l, "n", 0));
    put_text(stdout, fl_json_str(l, "source", "?"), 0);
    printf(", %s, kept: %s, tried %lld times\n", format_clock(fl_json_str(l, "at", NULL), at, sizeof at),
           fl_json_str(l, "kept", "?"), (long long)fl_json_int(l, "tries", 0));
    put_text(stdout, fl_json_str(l, "where", ""), 0);
    printf("%s", *fl_json_str(l, "where", "") ? ": " : "");
    put_text(stdout, fl_json_str(l, "reason", "?"), 0);
    if (fl_json_str(l, "no_retry", NULL)) {
        printf("\ncannot be retried: ");
        put_text(stdout, fl_json_str(l, "no_retry", ""), 0);
    } else {
        printf("\nnext: put right what is wrong, then faultline deadletter retry %lld",
               (long long)fl_json_int(l, "n", 0));
    }
    printf("\n\n");
    put_text(stdout, fl_json_str(r.json, "raw", ""), 0);
    printf("\n");
    return EXIT_FINE;
}

/* ---- retry and drop: some by number, or all in pages ---- */

struct tally {
    int64_t good, refused;
};

static void tell(const struct fl_json *answer, const char *word, struct tally *t)
{
    const struct fl_json *list = fl_json_get(answer, "deadletters");
    t->good += fl_json_int(answer, word, 0);
    t->refused += fl_json_int(answer, "refused", 0);
    for (size_t i = 0; i < fl_json_len(list); i++) {
        const struct fl_json *v = fl_json_at(list, i);
        const char *where = fl_json_str(v, "where", "");
        printf("%lld %s", (long long)fl_json_int(v, "n", 0), fl_json_str(v, "outcome", "?"));
        if (!strcmp(fl_json_str(v, "outcome", ""), "refused")) {
            printf(": ");
            put_text(stdout, where, 0);
            printf("%s", *where ? ": " : "");
            put_text(stdout, fl_json_str(v, "reason", ""), 0);
        } else if (!strcmp(word, "accepted")) {
            printf(": %lld alert%s", (long long)fl_json_int(v, "alerts", 0),
                   fl_json_int(v, "alerts", 0) == 1 ? "" : "s");
            if (fl_json_int(v, "rejected", 0))
                printf(", %lld still dead letters", (long long)fl_json_int(v, "rejected", 0));
        }
        putchar('\n');
    }
}

static int one_call(struct args *a, const char *path, const char *word, int64_t after, struct tally *t,
                    int64_t *next)
{
    AUTO_REPLY r = {0};
    FL_AUTO_BUF b = fl_buf_init(1 << 16);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    if (arg(a, "source"))
        fl_jw_str(&w, "source", arg(a, "source"));
    if (!strcmp(word, "dropped") && arg(a, "reason"))
        fl_jw_str(&w, "reason", arg(a, "reason"));
    if (after)
        fl_jw_int(&w, "after", after);
    fl_jw_obj_end(&w);
    int code = call_server(a, "POST", path, b.p, b.n, &r);
    *next = code ? 0 : fl_json_int(r.json, "next_after", 0);
    if (!code && a->json)
        print_json(&r.body);
    else if (!code)
        tell(r.json, word, t);
    if (!code && a->json)
        t->refused += fl_json_int(r.json, "refused", 0);
    return code;
}

static int each_letter(struct args *a, const char *verb, const char *word)
{
    struct tally t = {0};
    int code = EXIT_FINE;
    int64_t next = 0;
    char all[64];
    if (arg_set(a, "all") == (a->n_pos > 0))
        return usage_error("name the letters (`faultline deadletter list` has their numbers), or use --all");
    if (arg(a, "source") && !arg_set(a, "all"))
        return usage_error("--source goes with --all");
    snprintf(all, sizeof all, "/api/v1/deadletters/%s", verb);
    for (size_t i = 0; i < a->n_pos && !code; i++) {
        FL_AUTO_BUF path = fl_buf_init(4096);
        fl_buf_str(&path, "/api/v1/deadletters/");
        url_add(&path, a->pos[i]);
        fl_buf_printf(&path, "/%s", verb);
        code = one_call(a, path.p, word, 0, &t, &next);
    }
    if (arg_set(a, "all"))
        do
            code = one_call(a, all, word, next, &t, &next);
        while (!code && next);
    if (!code && !a->json && arg_set(a, "all"))
        fprintf(stderr, "%lld %s, %lld refused\n", (long long)t.good, word, (long long)t.refused);
    return code ? code : t.refused ? EXIT_FINDING : EXIT_FINE;
}

int cmd_deadletter_retry(struct args *a)
{
    return each_letter(a, "retry", "accepted");
}

int cmd_deadletter_drop(struct args *a)
{
    return each_letter(a, "drop", "dropped");
}
