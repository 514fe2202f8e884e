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

/* What is wrong, where, with which value, and what to do: each part is there. */
static void refuses_with_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        fl_status st;
        const char *where, *text, *hint;
    } bad[] = {
        {"", FL_E_SYNTAX, "line 1 column 1", "unexpected end", ""},
        {"{\"nodes\":[", FL_E_SYNTAX, "line 1 column 11", "unexpected end", ""},
        {"{\"nodes\":[]}\n x", FL_E_SYNTAX, "line 2 column 2", "after the document", ""},
        {"{\"nodes\":[{\"id\":\"a\\u0000b\"}]}", FL_E_SYNTAX, "nodes[0].id", "NUL", ""},
        {"{\"nodes\":[{\"id\":\"a\xff\"}]}", FL_E_SYNTAX, "nodes[0].id", "UTF-8", ""},
        {"[]", FL_E_SHAPE, "", "an object with nodes and edges", ""},
        {"{}", FL_E_SHAPE, "", "neither nodes nor edges", "{\"nodes\": []}"},
        {"{\"nodes\":null}", FL_E_SHAPE, "", "neither nodes nor edges", "{\"nodes\": []}"},
        {"{\"nodes\":{}}", FL_E_SHAPE, "nodes", "a list, not {}", ""},
        {"{\"nodes\":[],\"nodes\":[]}", FL_E_SHAPE, "nodes", "given twice", ""},
        {"{\"nodes\":[{\"id\":\"a\"}, 7]}", FL_E_SHAPE, "nodes[1]", "an object, not 7", "a node is"},
        {"{\"nodes\":[ {\"type\":\"x\"}]}", FL_E_SHAPE, "nodes[0]", "has no id: {\"type\":\"x\"}",
         "give it an id"},
        {"{\"nodes\":[{\"id\":\"\"}]}", FL_E_SHAPE, "nodes[0]", "has no id", "give it an id"},
        {"{\"nodes\":[{\"id\":7}]}", FL_E_SHAPE, "nodes[0].id", "a string, not 7", "quotes"},
        {"{\"nodes\":[{\"id\":\"a\",\"id\":\"b\"}]}", FL_E_SHAPE, "nodes[0].id", "given twice", ""},
        {"{\"nodes\":[{\"id\":\"a\",\"labels\":[]}]}", FL_E_SHAPE, "nodes[0].labels", "not []", ""},
        {"{\"nodes\":[{\"id\":\"a\",\"labels\":{\"x\":1}}]}", FL_E_SHAPE, "nodes[0].labels.x",
         "a string, not 1", "quotes"},
        {"{\"nodes\":[{\"id\":\"a\",\"labels\":{\"x\":\"1\",\"x\":\"2\"}}]}", FL_E_SHAPE, "nodes[0].labels.x",
         "given twice", ""},
        {"{\"nodes\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"a\"}]}", FL_E_SHAPE, "nodes[2].id",
         "\"a\" is given twice", "nodes[0] has it, too"},
        {"{\"edges\":{}}", FL_E_SHAPE, "edges", "a list, not {}", ""},
        {"{\"edges\":[[]]}", FL_E_SHAPE, "edges[0]", "an object, not []", "an edge is"},
        {"{\"edges\":[{\"from\":\"a\"}]}", FL_E_SHAPE, "edges[0]", "needs from and to: {\"from\":\"a\"}",
         "who needs"},
        {"{\"edges\":[{\"from\":\"a\",\"to\":true}]}", FL_E_SHAPE, "edges[0].to", "a string, not true",
         "quotes"},
        {"{\"edges\":[{\"weight\":0,\"from\":\"a\",\"to\":\"b\"}]}", FL_E_SHAPE, "edges[0]",
         "weight of \"a\" -> \"b\" must be a number above 0, not 0", "leave weight out"},
        {"{\"edges\":[{\"from\":\"a\",\"to\":\"b\",\"weight\":\"1\"}]}", FL_E_SHAPE, "edges[0]", "not \"1\"",
         "leave weight out"},
        {"{\"edges\":[{\"from\":\"a\",\"to\":\"b\",\"weight\":1e999}]}", FL_E_SHAPE, "edges[0]", "not 1e999",
         "leave weight out"},
        {"{\"edges\":[{\"from\":\"a\",\"to\":\"b\",\"weight\":NaN}]}", FL_E_SYNTAX, "line 1 column 41",
         "unexpected", ""},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++) {
        FL_AUTO_ARENA a = fl_arena_new(0);
        struct fl_topology_doc doc;
        struct fl_err err = {.status = FL_OK};
        fl_status st = fl_intake_topology(a, bad[i].body, strlen(bad[i].body), &doc, &err);
        if (st != bad[i].st || strcmp(err.where, bad[i].where) != 0 || !strstr(err.text, bad[i].text) ||
            !strstr(err.hint, bad[i].hint))
            fail_msg("%s: %s, \"%s\": %s; %s", bad[i].body, fl_status_name(st), err.where, err.text,
                     err.hint);
    }
}

static void long_names_and_deep_values(void **state)
{
    (void)state;
    char long_id[FL_NODE_ID_MAX + 64], deep[400] = "{\"nodes\":[],\"x\":";
    struct fl_err err = {.status = FL_OK};
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_topology_doc doc;
    int n = snprintf(long_id, sizeof long_id, "{\"nodes\":[{\"id\":\"%0*d\"}]}", (int)FL_NODE_ID_MAX + 1, 0);
    assert_int_equal(fl_intake_topology(a, long_id, (size_t)n, &doc, &err), FL_E_LIMIT);
    assert_non_null(strstr(err.text, "is 513 bytes long, at most 512"));
    err = (struct fl_err){.status = FL_OK};
    memset(deep + strlen(deep), '[', 200);
    assert_int_equal(fl_intake_topology(a, deep, strlen(deep), &doc, &err), FL_E_LIMIT);
}

/* Order of members and lists, escapes, null members and what nobody knows change nothing. */
static void the_same_graph_in_other_words(void **state)
{
    (void)state;
    static const char one[] = "{\"nodes\":[{\"id\":\"a/b\",\"type\":\"host\"},{\"id\":\"ü\"}],"
                              "\"edges\":[{\"from\":\"ü\",\"to\":\"a/b\",\"weight\":2}]}";
    static const char two[] =
        " {\"v\":[1,{\"nodes\":[7]}],\"edges\":[{\"weight\":2.0e0,\"to\":\"a\\/b\",\"from\":\"\\u00fc\",\"type\":null}],\n"
        "\"nodes\":[{\"tier\":null,\"id\":\"\\u00fc\",\"labels\":null},{\"type\":\"host\",\"id\":\"a/b\",\"x\":{}}]} ";
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_topology_doc x, y;
    struct fl_err err = {.status = FL_OK};
    assert_int_equal(fl_intake_topology(a, one, strlen(one), &x, &err), FL_OK);
    if (fl_intake_topology(a, two, strlen(two), &y, &err) != FL_OK)
        fail_msg("%s: %s", err.where, err.text);
    assert_memory_equal(&x.hash, &y.hash, sizeof x.hash);
    assert_ptr_equal(y.edges[0].from, y.nodes[0].id); /* equal texts are kept once */
}

int main(void)
{
    if (fl_base_init())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_everything), cmocka_unit_test(refuses_with_the_place),
        cmocka_unit_test(long_names_and_deep_values), cmocka_unit_test(the_same_graph_in_other_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
