/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/script/eval.c -- a file that is data, run once in a worker; contract in <faultline/script.h>. */
#include "script_priv.h"

#include <stdlib.h>
#include <string.h>

/* Rule and configuration files may be longer than what a run may send. */
#define EVAL_LIMITS             \
    ((struct fl_worker_limits){ \
        .memory_bytes = 128u << 20, .cpu_seconds = 5, .frame_bytes = 16u << 20, .depth = 32})

/* "rules/a.lua:12: text" → where and text. */
static fl_status fail_at_line(struct fl_err *err, fl_status st, const char *name, const char *error)
{
    size_t n = strlen(name);
    if (strncmp(error, name, n) == 0 && error[n] == ':') {
        size_t digits = strspn(error + n + 1, "0123456789");
        const char *rest = error + n + 1 + digits;
        if (digits && rest[0] == ':' && rest[1] == ' ') {
            char where[sizeof err->where];
            size_t k = n + 1 + digits;
            if (k >= sizeof where)
                k = sizeof where - 1;
            memcpy(where, error, k);
            where[k] = 0;
            return fl_fail(err, st, where, "%s", rest + 2);
        }
    }
    return fl_fail(err, st, name, "%s", error);
}

fl_status fl_script_eval(fl_script_kind kind, const char *name, const char *text, size_t n, fl_usec budget,
                         char **ret_json, struct fl_err *err)
{
    static const char *const kinds[] = {"config", "rules", "playbook", "timeline"};
    const struct fl_worker_limits limits = EVAL_LIMITS;
    char program[4096];
    fl_status st = fl_worker_find(NULL, program, sizeof program, err);
    if (st)
        return st;
    struct fl_rehearsal r;
    st = fl_script_session(program, &limits, kinds[kind], name, text, n, "{}", budget, NULL, NULL, &r, err);
    if (st)
        return st;
    if (strcmp(r.ending, "ok") == 0 && r.result) {
        *ret_json = r.result;
        r.result = NULL;
    } else {
        bool spent = strcmp(r.ending, "error") != 0 && strcmp(r.ending, "bad_value") != 0;
        st = fail_at_line(err, spent ? FL_E_LIMIT : FL_E_SYNTAX, name, r.error ? r.error : "no reason given");
    }
    fl_rehearsal_done(&r);
    return st;
}
