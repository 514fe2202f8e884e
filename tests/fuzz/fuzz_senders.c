/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/fuzz_senders.c -- each input as a body of every foreign format, as a form, as headers' body and as a
 * source's; twice, because a replay must read the same. */
#include "intake_check.h"

#include <faultline/json.h>

static void check_format(fl_format format, const char *p, size_t n)
{
    struct fl_arena *arena = fl_arena_new(0);
    struct fl_intake one = {0}, two = {0};
    struct fl_err err = {.status = FL_OK}, again = {.status = FL_OK};
    fl_status st = fl_intake_parse(arena, format, p, n, FUZZ_NOW, &one, &err);
    HOLDS(st == err.status && st == fl_intake_parse(arena, format, p, n, FUZZ_NOW, &two, &again));
    HOLDS(strcmp(err.text, again.text) == 0 &&
          (!st || (err.text[0] && fl_utf8_valid(err.text, strlen(err.text)))));
    HOLDS(one.n_alerts == two.n_alerts && one.n_rejects == two.n_rejects && one.n_ignored == two.n_ignored);
    for (size_t i = 0; i < one.n_alerts; i++) {
        check_alert(&one.alerts[i]);
        HOLDS(one.alerts[i].fingerprint == two.alerts[i].fingerprint);
    }
    for (size_t i = 0; i < one.n_rejects; i++) {
        const struct fl_reject *r = &one.rejects[i];
        HOLDS(r->status && r->reason[0] && strlen(r->raw) <= FL_REJECT_RAW_MAX &&
              fl_utf8_valid(r->raw, strlen(r->raw)));
        HOLDS(fl_utf8_valid(r->reason, strlen(r->reason)) && fl_utf8_valid(r->where, strlen(r->where)));
    }
    fl_arena_free(arena);
}

/* What a folding yields must be JSON that its format can at least take apart. */
static void check_folded(fl_format format, fl_status st, const struct fl_buf *b)
{
    if (st == FL_OK) {
        struct fl_err err = {.status = FL_OK};
        FL_AUTO_JSON root = fl_json_parse(b->p, b->n, &err);
        HOLDS(root || err.status == FL_E_LIMIT); /* one level deeper than what was read */
        check_format(format, b->p, b->n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    for (unsigned f = FL_FORMAT_GRAFANA; f < FL_FORMAT_N; f++)
        check_format((fl_format)f, p, size);
    struct fl_arena *a = fl_arena_new(0);
    const char *key, *token;
    FL_AUTO_BUF pd = fl_buf_init(1 << 24), form = fl_buf_init(1 << 24), ce = fl_buf_init(1 << 24),
                mapped = fl_buf_init(1 << 24);
    FL_AUTO_BUF change = fl_buf_init(1 << 24);
    check_folded(FL_FORMAT_PAGERDUTY, fl_intake_canonical_pagerduty(a, p, size, &pd, &key, &token, NULL),
                 &pd);
    check_folded(FL_FORMAT_NAGIOS, fl_intake_canonical_nagios(a, p, size, &form, &token, NULL), &form);
    const struct fl_label h[] = {{"id", "1"}, {"source", "/s"}, {"specversion", "1.0"}, {"type", "t"}};
    check_folded(
        FL_FORMAT_CLOUDEVENTS,
        fl_intake_canonical_cloudevent(a, h, FL_ARRAY_LEN(h), "application/json", p, size, &ce, NULL), &ce);
    static const char mapping[] =
        "{\"name\":\"m\",\"labels\":{\"alertname\":[\"/title\",\"/labels/alertname\",\"/0\"]}}";
    check_folded(FL_FORMAT_MAPPED, fl_intake_canonical_mapped(a, mapping, p, size, &mapped, NULL), &mapped);
    if (fl_intake_pagerduty_change(a, p, size, FUZZ_NOW, &change, NULL) == FL_OK) {
        struct fl_change *c = NULL;
        size_t n = 0;
        HOLDS(fl_intake_changes(a, change.p, change.n, FUZZ_NOW, &c, &n, NULL) == FL_OK && n == 1);
    }
    fl_buf_reset(&change);
    if (fl_intake_cloudevents_changes(a, p, size, FUZZ_NOW, &change, NULL) == FL_OK) {
        struct fl_change *c = NULL;
        size_t n = 0;
        HOLDS(fl_intake_changes(a, change.p, change.n, FUZZ_NOW, &c, &n, NULL) == FL_OK);
    }
    fl_arena_free(a);
    return 0;
}
