/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/fuzz_rules.c -- rules JSON: all or nothing, and what loads can be applied. */
#include "fuzz.h"

#include <faultline/model.h>

#include <string.h>

static bool never(void *ctx, const struct fl_mapping_rule *rule, const char *node, const char *peer)
{
    (void)ctx;
    HOLDS(rule->node && node[0] && strlen(node) <= FL_NODE_ID_MAX && (!peer || peer[0]));
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fl_rules *r = NULL;
    struct fl_err err = {.status = FL_OK};
    fl_status st = fl_rules_from_json((const char *)data, size, &r, &err);
    HOLDS(st == err.status && (st == FL_OK) == (r != NULL));
    struct fl_label v[] = {{"alertname", "aaaaaaaaaaaaaaaaaaaaaaaa"}, {"instance", "h:1"}, {"pod", "a-0"}};
    struct fl_alert a = {.labels = {v, 3}};
    if (r) {
        fl_rules_map(r, &a, never, NULL);
        fl_rules_class(r, &a);
        fl_rules_severity(r, &a);
    } else {
        HOLDS(err.text[0] && fl_utf8_valid(err.text, strlen(err.text)));
    }
    fl_rules_free(r);
    return 0;
}
