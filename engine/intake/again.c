/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/again.c -- what a dead letter kept → a body that its format reads again; contract in <faultline/intake.h>. */
#include <faultline/intake.h>
#include <faultline/json.h>

#include <stdlib.h>
#include <string.h>

/* How one element stands in a body of its format; where an element is a body already, as it is. */
static const struct {
    const char *before, *after;
} frame[FL_FORMAT_N] = {
    [FL_FORMAT_ALERTMANAGER] = {"{\"version\":\"4\",\"alerts\":[", "]}"},
    [FL_FORMAT_ALERTMANAGER_V2] = {"[", "]"},
    [FL_FORMAT_GRAFANA] = {"{\"alerts\":[", "]}"},
    [FL_FORMAT_NAGIOS] = {"{\"checkresults\":[", "]}"},
};

/* One element of the list is the whole body now. */
static char *without_list(const char *mapping, struct fl_err *err)
{
    FL_AUTO_JSON root = fl_json_parse(mapping, strlen(mapping), err);
    FL_AUTO_BUF b = fl_buf_init(1 << 20);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    for (void *it = fl_json_is_object(root) ? fl_json_first(root) : NULL; it; it = fl_json_next(root, it)) {
        FL_AUTO_FREE char *text = fl_json_text(fl_json_value(it), false);
        if (strcmp(fl_json_key(it), "list") != 0)
            fl_jw_raw(&w, fl_json_key(it), text ? text : "null");
    }
    fl_jw_obj_end(&w);
    return root && !b.failed ? fl_buf_take(&b, NULL) : NULL;
}

static fl_status mapped_again(struct fl_arena *arena, const char *mapping, const char *raw, size_t n,
                              bool whole, struct fl_buf *out, struct fl_err *err)
{
    if (whole)
        return fl_intake_canonical_mapped(arena, mapping, raw, n, out, err);
    FL_AUTO_FREE char *single = without_list(mapping, err);
    return single ? fl_intake_canonical_mapped(arena, single, raw, n, out, err)
                  : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
}

fl_status fl_intake_again(struct fl_arena *arena, fl_format format, const char *mapping, const char *raw,
                          size_t n, bool whole, struct fl_buf *out, struct fl_err *err)
{
    if (format == FL_FORMAT_MAPPED)
        return mapped_again(arena, mapping, raw, n, whole, out, err);
    const char *before = whole ? NULL : frame[format].before, *after = whole ? NULL : frame[format].after;
    fl_buf_str(out, before ? before : "");
    fl_buf_add(out, raw, n);
    fl_buf_str(out, after ? after : "");
    return out->failed ? fl_fail(err, FL_E_NOMEM, NULL, "out of memory") : FL_OK;
}
