/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_topology_json.c -- topology JSON: what is read, what is refused and where, the canonical text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/intake.h>

static void reads_everything(void **state)
{
    (void)state;
    static const char body[] =
        "{\"nodes\":[{\"id\":\"b\",\"type\":\"host\",\"tier\":\"1\",\"owner\":\"ops\",\"labels\":{\"y\":\"2\",\"x\":\"1\"},"
        "\"extra\":[1]},{\"id\":\"a\",\"service\":\"s\",\"host\":\"b\"}],"
        "\"edges\":[{\"from\":\"a\",\"to\":\"b\",\"type\":\"runs_on\",\"weight\":0.5},{\"from\":\"b\",\"to\":\"c\"}]}";
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_BUF text = fl_buf_init(0);
    struct fl_topology_doc doc, again;
    struct fl_err err = {.status = FL_OK};
    assert_int_equal(fl_intake_topology(a, body, strlen(body), &doc, &err), FL_OK);
    assert_int_equal(doc.n_nodes, 2);
    assert_int_equal(doc.n_edges, 2);
    assert_string_equal(doc.nodes[0].owner, "ops");
    assert_string_equal(doc.nodes[1].type, "service");
    assert_string_equal(doc.edges[1].type, "calls");
    assert_int_equal(fl_topology_text(&doc, &text), FL_OK);
    assert_string_equal(
        text.p,
        "{\"nodes\":[{\"id\":\"a\",\"type\":\"service\",\"service\":\"s\",\"host\":\"b\"},"
        "{\"id\":\"b\",\"type\":\"host\",\"tier\":\"1\",\"owner\":\"ops\",\"labels\":{\"x\":\"1\",\"y\":\"2\"}}],"
        "\"edges\":[{\"from\":\"a\",\"to\":\"b\",\"type\":\"runs_on\",\"weight\":0.5},"
        "{\"from\":\"b\",\"to\":\"c\",\"type\":\"calls\"}]}");
    assert_int_equal(fl_intake_topology(a, text.p, text.n, &again, &err), FL_OK);
    assert_memory_equal(&doc.hash, &again.hash, sizeof doc.hash);
}

static void refuses_with_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        fl_status st;
        const char *where;
    } bad[] = {
        {"{\"nodes\":[", FL_E_SYNTAX, NULL},
        {"[]", FL_E_SHAPE, ""},
        {"{}", FL_E_SHAPE, ""},
        {"{\"nodes\":{}}", FL_E_SHAPE, "nodes"},
        {"{\"nodes\":[{\"id\":\"a\"},7]}", FL_E_SHAPE, "nodes[1]"},
        {"{\"nodes\":[{\"type\":\"x\"}]}", FL_E_SHAPE, "nodes[0]"},
        {"{\"nodes\":[{\"id\":7}]}", FL_E_SHAPE, "nodes[0].id"},
        {"{\"nodes\":[{\"id\":\"a\",\"labels\":[]}]}", FL_E_SHAPE, "nodes[0].labels"},
        {"{\"nodes\":[{\"id\":\"a\",\"labels\":{\"x\":1}}]}", FL_E_SHAPE, "nodes[0].labels"},
        {"{\"edges\":[{\"from\":\"a\"}]}", FL_E_SHAPE, "edges[0]"},
        {"{\"edges\":[{\"from\":\"a\",\"to\":\"b\",\"weight\":0}]}", FL_E_SHAPE, "edges[0]"},
        {"{\"edges\":[{\"from\":\"a\",\"to\":\"b\",\"weight\":\"1\"}]}", FL_E_SHAPE, "edges[0]"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++) {
        FL_AUTO_ARENA a = fl_arena_new(0);
        struct fl_topology_doc doc;
        struct fl_err err = {.status = FL_OK};
        assert_int_equal(fl_intake_topology(a, bad[i].body, strlen(bad[i].body), &doc, &err), bad[i].st);
        if (bad[i].where)
            assert_string_equal(err.where, bad[i].where);
    }
    char long_id[FL_NODE_ID_MAX + 64];
    int n = snprintf(long_id, sizeof long_id, "{\"nodes\":[{\"id\":\"%0*d\"}]}", (int)FL_NODE_ID_MAX + 1, 0);
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_topology_doc doc;
    assert_int_equal(fl_intake_topology(a, long_id, (size_t)n, &doc, NULL), FL_E_LIMIT);
}

int main(void)
{
    if (fl_base_init())
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_everything),
                                       cmocka_unit_test(refuses_with_the_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
