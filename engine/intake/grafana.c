/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/grafana.c -- Grafana's alerting webhook (version "1"); contract in <faultline/intake.h>. */
#include "form_priv.h"

#include <string.h>

static void read_alert(struct fl_form *f, const struct fl_json *a)
{
    const char *status = fl_json_str(a, "status", "");
    bool firing = strcmp(status, "firing") == 0;
    if (!firing && strcmp(status, "resolved") != 0)
        fl_form_refuse(f, FL_E_SHAPE, "status", "expected \"firing\" or \"resolved\"");
    fl_form_status(f, firing);
    fl_form_labels(f, fl_json_get(a, "labels"), "labels");
    fl_form_starts(f, fl_form_member(f, a, "startsAt"));
    /* While it fires an end is a guess of Grafana's evaluation, not a promise to send again. */
    if (!firing)
        fl_form_ends(f, fl_form_member(f, a, "endsAt"));
    fl_form_url(f, fl_form_member(f, a, "generatorURL"));
    /* First what Grafana adds, then the user's own annotations: of equal names the last one counts. */
    static const struct {
        const char *member, *note;
    } extra[] = {
        {"dashboardURL", "dashboard_url"},
        {"panelURL", "panel_url"},
        {"silenceURL", "silence_url"},
        {"imageURL", "image_url"},
        {"valueString", "value_string"},
        {"ruleUID", "rule_uid"},
        {"values", "values"},
        {"orgId", "grafana_org"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(extra); i++)
        fl_form_note(f, extra[i].note, fl_form_member(f, a, extra[i].member));
    fl_form_notes(f, fl_json_get(a, "annotations"), "annotations");
}

fl_status fl_read_grafana(struct fl_form *f)
{
    const struct fl_json *root = f->root, *list = root ? fl_json_get(root, "alerts") : NULL;
    if (!fl_json_is_object(root))
        return fl_form_fail(f, FL_E_SHAPE, NULL, "expected a Grafana webhook message, an object");
    /* A custom template may leave the version out, but then it must still list its alerts. */
    const char *version = fl_form_member(f, root, "version");
    if (version && strcmp(version, "1") != 0) {
        fl_form_fail(f, FL_E_SHAPE, "version",
                     "expected a Grafana webhook message of version \"1\", got \"%.16s\"", version);
        if (strcmp(version, "4") == 0)
            fl_hint(f->err, "this looks like Alertmanager's webhook: send it to /api/v1/intake/alertmanager");
        return f->st;
    }
    if (!fl_form_list(f, "alerts", list)) {
        fl_hint(f->err, "a custom payload is read by a source mapping: POST /api/v1/intake/<source>");
        return f->st;
    }
    for (size_t i = 0; i < fl_json_len(list) && !f->st; i++) {
        const struct fl_json *a = fl_json_at(list, i);
        fl_form_begin(f, i, fl_form_at(f, "alerts", i), a);
        if (!f->refused)
            read_alert(f, a);
        fl_form_end(f);
    }
    int64_t truncated = fl_json_int(root, "truncatedAlerts", 0);
    f->out.truncated = truncated > 0 ? (uint64_t)truncated : 0;
    const char *key = fl_form_member(f, root, "groupKey"), *receiver = fl_form_member(f, root, "receiver");
    f->out.group_key = key ? key : "";
    f->out.receiver = receiver ? receiver : "";
    return f->st;
}
