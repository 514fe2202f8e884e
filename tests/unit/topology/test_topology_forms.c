/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_topology_forms.c -- dependency graphs of other tools: Jaeger, CSV, GraphML: what becomes of them, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/intake.h>
#include <faultline/topology.h>

#define GRAPHML_KEYS                                                         \
    "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">"              \
    "<key id=\"n\" for=\"node\" attr.name=\"name\" attr.type=\"string\"/>"   \
    "<key id=\"l\" for=\"node\" attr.name=\"label\" attr.type=\"string\"/>"  \
    "<key id=\"t\" for=\"node\" attr.name=\"type\" attr.type=\"string\"/>"   \
    "<key id=\"m\" for=\"node\" attr.name=\"team\" attr.type=\"string\"/>"   \
    "<key id=\"c\" for=\"node\" attr.name=\"cores\" attr.type=\"int\"/>"     \
    "<key id=\"w\" for=\"edge\" attr.name=\"weight\" attr.type=\"double\"/>" \
    "<key id=\"k\" for=\"edge\" attr.name=\"type\" attr.type=\"string\"/>"
#define GRAPHML(body) GRAPHML_KEYS "<graph edgedefault=\"directed\">" body "</graph></graphml>"
#define NODE(id, data) "<node id=\"" id "\">" data "</node>"
#define EDGE(a, b, data) "<edge source=\"" a "\" target=\"" b "\">" data "</edge>"
#define DATA(key, v) "<data key=\"" key "\">" v "</data>"

static fl_status read_as(fl_topology_form form, struct fl_arena *a, const char *text, struct fl_buf *out,
                         struct fl_err *err)
{
    struct fl_topology_doc doc;
    fl_status st;
    *err = (struct fl_err){.status = FL_OK};
    if (form == FL_TF_CSV)
        st = fl_intake_topology_csv(a, "edges.csv", text, strlen(text), &doc, err);
    else if (form == FL_TF_JAEGER)
        st = fl_intake_topology_jaeger(a, text, strlen(text), &doc, err);
    else
        st = fl_topo_read_graphml(a, text, strlen(text), &doc, err);
    return st ? st : fl_topology_text(&doc, out);
}

static void reads(void **state)
{
    (void)state;
    static const struct {
        fl_topology_form form;
        const char *text, *want;
    } good[] = {
        /* As GET /api/dependencies answers; a service that calls itself does not depend on itself. */
        {FL_TF_JAEGER,
         "{\"data\":[{\"parent\":\"web\",\"child\":\"api\",\"callCount\":12},{\"parent\":\"api\",\"child\":\"api\",\"callCount\":3},"
         "{\"parent\":\"api\",\"child\":\"db\",\"callCount\":0}],\"total\":0,\"errors\":null}",
         "{\"nodes\":[{\"id\":\"api\",\"type\":\"service\"},{\"id\":\"db\",\"type\":\"service\"},{\"id\":\"web\",\"type\":\"service\"}],"
         "\"edges\":[{\"from\":\"api\",\"to\":\"db\",\"type\":\"calls\"},{\"from\":\"web\",\"to\":\"api\",\"type\":\"calls\",\"weight\":12}]}"},
        {FL_TF_JAEGER, "[{\"parent\":\"a\",\"child\":\"b\"}]",
         "{\"nodes\":[{\"id\":\"a\",\"type\":\"service\"},{\"id\":\"b\",\"type\":\"service\"}],\"edges\":[{\"from\":\"a\",\"to\":\"b\","
         "\"type\":\"calls\"}]}"},
        /* Windows line ends, a byte order mark, quotes, a column nobody knows, an empty weight. */
        {FL_TF_CSV,
         "\xef\xbb\xbfteam,Client,server,calls\r\nx,web,\"a,p\"\"i\",3\r\n\r\ny,\"a,p\"\"i\",db,\r\n",
         "{\"nodes\":[{\"id\":\"a,p\\\"i\",\"type\":\"service\"},{\"id\":\"db\",\"type\":\"service\"},{\"id\":\"web\",\"type\":\"service\"}],"
         "\"edges\":[{\"from\":\"a,p\\\"i\",\"to\":\"db\",\"type\":\"calls\"},{\"from\":\"web\",\"to\":\"a,p\\\"i\",\"type\":\"calls\","
         "\"weight\":3}]}"},
        {FL_TF_CSV, "from,to,type\na,h1,runs_on\n",
         "{\"nodes\":[{\"id\":\"a\",\"type\":\"service\"},{\"id\":\"h1\",\"type\":\"service\"}],\"edges\":[{\"from\":\"a\",\"to\":\"h1\","
         "\"type\":\"runs_on\"}]}"},
        {FL_TF_CSV, "from,to\n", "{\"nodes\":[],\"edges\":[]}"},
        /* Called by name; a text becomes a label, a number does not; an edge may name a node that is not declared. */
        {FL_TF_GRAPHML,
         GRAPHML(NODE("n0", DATA("n", "web") DATA("t", "gateway") DATA("m", "shop") DATA("c", "4")) NODE(
             "n1", DATA("n", "api")) EDGE("n0", "n1", DATA("w", "2.5")) EDGE("n1", "n9", DATA("k", "data"))),
         "{\"nodes\":[{\"id\":\"api\",\"type\":\"service\"},{\"id\":\"n9\",\"type\":\"service\"},{\"id\":\"web\",\"type\":\"gateway\","
         "\"labels\":{\"team\":\"shop\"}}],\"edges\":[{\"from\":\"api\",\"to\":\"n9\",\"type\":\"data\"},{\"from\":\"web\",\"to\":\"api\","
         "\"type\":\"calls\",\"weight\":2.5}]}"},
        /* Names that do not tell the nodes apart: by label. Neither: by id. */
        {FL_TF_GRAPHML,
         GRAPHML(NODE("n0", DATA("n", "pod") DATA("l", "web")) NODE("n1", DATA("n", "pod") DATA("l", "api"))
                     EDGE("n0", "n1", "")),
         "{\"nodes\":[{\"id\":\"api\",\"type\":\"service\"},{\"id\":\"web\",\"type\":\"service\"}],\"edges\":[{\"from\":\"web\",\"to\":\"api\","
         "\"type\":\"calls\"}]}"},
        {FL_TF_GRAPHML, GRAPHML(NODE("b", "") NODE("a", "") EDGE("b", "a", "")),
         "{\"nodes\":[{\"id\":\"a\",\"type\":\"service\"},{\"id\":\"b\",\"type\":\"service\"}],\"edges\":[{\"from\":\"b\",\"to\":\"a\","
         "\"type\":\"calls\"}]}"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(good); i++) {
        FL_AUTO_ARENA a = fl_arena_new(0);
        FL_AUTO_BUF text = fl_buf_init(0);
        struct fl_err err;
        if (read_as(good[i].form, a, good[i].text, &text, &err) != FL_OK)
            fail_msg("case %zu: %s: %s", i, err.where, err.text);
        assert_string_equal(text.p, good[i].want);
    }
}

static void refuses_with_the_place(void **state)
{
    (void)state;
    static const struct {
        fl_topology_form form;
        const char *text;
        fl_status st;
        const char *where, *says;
    } bad[] = {
        {FL_TF_JAEGER, "{\"data\":", FL_E_SYNTAX, NULL, ""},
        {FL_TF_JAEGER, "{\"nodes\":[]}", FL_E_SHAPE, "", "/api/dependencies"},
        {FL_TF_JAEGER, "{\"data\":[]}", FL_E_SHAPE, "", "lookback"},
        {FL_TF_JAEGER, "[{\"parent\":\"a\",\"child\":\"b\"},{\"parent\":7,\"child\":\"b\"}]", FL_E_SHAPE,
         "data[1]", "parent"},
        {FL_TF_JAEGER, "[{\"parent\":\"\",\"child\":\"b\"}]", FL_E_SHAPE, "data[0]", "both ends"},
        {FL_TF_CSV, "", FL_E_SHAPE, "edges.csv", "is empty"},
        {FL_TF_CSV, "a,b\nweb,api\n", FL_E_SHAPE, "edges.csv:1", "must name the columns"},
        {FL_TF_CSV, "from,source,to\n", FL_E_SHAPE, "edges.csv:1", "\"source\""},
        {FL_TF_CSV, "from,to\na,b\na\n", FL_E_SHAPE, "edges.csv:3", "1 fields"},
        {FL_TF_CSV, "from,to\na,b,c\n", FL_E_SHAPE, "edges.csv:2", "3 fields"},
        {FL_TF_CSV, "from,to,weight\na,b,-1\n", FL_E_SHAPE, "edges.csv:2", "\"-1\""},
        {FL_TF_CSV, "from,to,weight\na,b,nan\n", FL_E_SHAPE, "edges.csv:2", "\"nan\""},
        {FL_TF_CSV, "from,to\na,\n", FL_E_SHAPE, "edges.csv:2", "both ends"},
        {FL_TF_CSV, "from,to\na,\xff\n", FL_E_SHAPE, "edges.csv:2", "UTF-8"},
        {FL_TF_GRAPHML, "", FL_E_SYNTAX, "", "is empty"},
        {FL_TF_GRAPHML, "hello", FL_E_SYNTAX, "", "Line 1"},
        {FL_TF_GRAPHML, "<graphml><graph edgedefault=\"directed\">\n</grph></graphml>", FL_E_SYNTAX, "",
         "Line 2"},
        {FL_TF_GRAPHML, GRAPHML_KEYS "<graph edgedefault=\"undirected\"/></graphml>", FL_E_SHAPE, "",
         "undirected"},
        {FL_TF_GRAPHML, GRAPHML(NODE("a", "") NODE("b", "") EDGE("a", "b", DATA("w", "0"))), FL_E_SHAPE,
         "edge 0 (a -> b)", "weight 0"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++) {
        FL_AUTO_ARENA a = fl_arena_new(0);
        FL_AUTO_BUF text = fl_buf_init(0);
        struct fl_err err;
        fl_status st = read_as(bad[i].form, a, bad[i].text, &text, &err);
        if (st != bad[i].st || (bad[i].where && strcmp(err.where, bad[i].where) != 0) ||
            !strstr(err.text, bad[i].says))
            fail_msg("case %zu: %d \"%s\": %s", i, st, err.where, err.text);
    }
}

/* What Lua returned, as JSON, on its way to the reader of ours. */
static fl_status read_lua(struct fl_arena *a, const char *data, struct fl_buf *out, struct fl_err *err)
{
    struct fl_topology_doc doc;
    FL_AUTO_BUF own = fl_buf_init(0);
    *err = (struct fl_err){.status = FL_OK};
    fl_status st = fl_intake_topology_lua(data, strlen(data), &own, err);
    if (!st)
        st = fl_intake_topology(a, own.p, own.n, &doc, err);
    return st ? st : fl_topology_text(&doc, out);
}

static void written_by_hand(void **state)
{
    (void)state;
    static const struct {
        const char *data, *want;
    } good[] = {
        /* One name, names, names with weights; types of what only a dependency names; the first that names it decides. */
        {"{\"service\":{\"web\":{\"calls\":{\"cart\":2.5},\"has_instance\":[\"web-0\"],\"tier\":1,\"labels\":{\"eu\":true}},"
         "\"cart\":{\"data\":\"db\",\"runs_on\":[\"h1\"],\"waits_for\":[\"db\",\"later\"],\"labels\":{}}},\"store\":[\"old\"]}",
         "{\"nodes\":[{\"id\":\"cart\",\"type\":\"service\"},{\"id\":\"db\",\"type\":\"store\"},{\"id\":\"h1\",\"type\":\"host\"},"
         "{\"id\":\"later\",\"type\":\"service\"},{\"id\":\"old\",\"type\":\"store\"},"
         "{\"id\":\"web\",\"type\":\"service\",\"tier\":\"1\",\"labels\":{\"eu\":\"true\"}},"
         "{\"id\":\"web-0\",\"type\":\"instance\",\"service\":\"web\"}],\"edges\":["
         "{\"from\":\"cart\",\"to\":\"db\",\"type\":\"data\"},{\"from\":\"cart\",\"to\":\"db\",\"type\":\"waits_for\"},"
         "{\"from\":\"cart\",\"to\":\"h1\",\"type\":\"runs_on\"},{\"from\":\"cart\",\"to\":\"later\",\"type\":\"waits_for\"},"
         "{\"from\":\"web\",\"to\":\"cart\",\"type\":\"calls\",\"weight\":2.5},"
         "{\"from\":\"web\",\"to\":\"web-0\",\"type\":\"has_instance\"}]}"},
        {"{\"service\":{\"a\":{}}}", "{\"nodes\":[{\"id\":\"a\",\"type\":\"service\"}],\"edges\":[]}"},
        {"{\"nodes\":[{\"id\":\"a\",\"type\":\"x\"}],\"edges\":{}}",
         "{\"nodes\":[{\"id\":\"a\",\"type\":\"x\"}],\"edges\":[]}"},
    };
    static const struct {
        const char *data, *where, *text;
    } bad[] = {
        {"{}", "", "has no components"},
        {"[\"a\"]", "", "has no components"},
        {"{\"service\":\"a\"}", "service", "must be a table of the components"},
        {"{\"service\":[{\"id\":\"a\"}]}", "service[0]", "must be the name of a component"},
        {"{\"service\":{\"a\":5}}", "service.a", "must be a table"},
        {"{\"service\":{\"a\":{\"calls\":5}}}", "service.a.calls", "must be names"},
        {"{\"service\":{\"a\":{\"calls\":[\"b\",1]}}}", "service.a.calls", "must be names"},
        {"{\"service\":{\"a\":{\"calls\":{\"b\":\"x\"}}}}", "service.a.calls.b",
         "its weight must be a number"},
        {"{\"service\":{\"a\":{\"calls\":{\"b\":0}}}}", "edges[0]", "must be a number above 0"},
        {"{\"service\":{\"a\":{\"host\":[\"h\"]}}}", "service.a.host", "must be a text"},
        {"{\"service\":{\"a\":{\"labels\":[\"h\"]}}}", "service.a.labels", "must be a table"},
        {"{\"service\":{\"a\":{\"labels\":{\"x\":[]}}}}", "service.a.labels.x", "must be a text"},
        {"{\"service\":[\"a\"],\"store\":[\"a\"]}", "nodes[1].id", "is given twice"},
    };
    struct fl_err err;
    for (size_t i = 0; i < FL_ARRAY_LEN(good); i++) {
        FL_AUTO_ARENA a = fl_arena_new(0);
        FL_AUTO_BUF out = fl_buf_init(0);
        if (read_lua(a, good[i].data, &out, &err) != FL_OK)
            fail_msg("%s: %s: %s", good[i].data, err.where, err.text);
        assert_string_equal(out.p, good[i].want);
    }
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++) {
        FL_AUTO_ARENA a = fl_arena_new(0);
        FL_AUTO_BUF out = fl_buf_init(0);
        assert_int_not_equal(read_lua(a, bad[i].data, &out, &err), FL_OK);
        assert_string_equal(err.where, bad[i].where);
        if (!strstr(err.text, bad[i].text))
            fail_msg("%s: \"%s\"", bad[i].data, err.text);
    }
}

static void names_that_are_too_long(void **state)
{
    (void)state;
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_BUF text = fl_buf_init(0), out = fl_buf_init(0);
    struct fl_err err;
    fl_buf_str(&text, "from,to\na,");
    for (unsigned i = 0; i <= FL_NODE_ID_MAX; i++)
        fl_buf_add(&text, "x", 1);
    assert_int_equal(read_as(FL_TF_CSV, a, text.p, &out, &err), FL_E_LIMIT);
    assert_string_equal(err.where, "edges.csv:2");
}

static void guesses(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        fl_topology_form want;
    } files[] = {
        {"x.json", "{\"nodes\":[]}", FL_TF_JSON},
        {"x.json", " {\n \"data\": []}", FL_TF_JAEGER},
        {"-", "[{\"parent\":\"a\"}]", FL_TF_JAEGER},
        {"-", "<?xml version=\"1.0\"?>", FL_TF_GRAPHML},
        {"g.graphml", "", FL_TF_GRAPHML},
        {"shop.lua", "{", FL_TF_LUA},
        {"E.CSV", "{", FL_TF_CSV},
        {"-", "from,to\n", FL_TF_CSV},
        {"-", "", FL_TF_JSON},
        {"-", "\xef\xbb\xbf<graphml>", FL_TF_GRAPHML},
        {"-", "{", FL_TF_JSON},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(files); i++)
        if (fl_topology_form_guess(files[i].name, files[i].text, strlen(files[i].text)) != files[i].want)
            fail_msg("%zu: %s \"%s\"", i, files[i].name, files[i].text);
    fl_topology_form f;
    assert_true(fl_topology_form_parse("csv", &f) && f == FL_TF_CSV);
    assert_false(fl_topology_form_parse("xml", &f));
    assert_string_equal(fl_topology_form_name(FL_TF_GRAPHML), "graphml");
}

/* After the reader has swapped igraph's handlers, an error is a status again and graphs are built as before. */
static void handlers_are_put_back(void **state)
{
    (void)state;
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_BUF out = fl_buf_init(0);
    struct fl_err err;
    struct fl_topology_doc doc;
    struct fl_topo *t = NULL;
    static const char one[] = GRAPHML(NODE("a", "") NODE("b", "") EDGE("a", "b", ""));
    assert_int_equal(read_as(FL_TF_GRAPHML, a, "<graphml>", &out, &err), FL_E_SYNTAX);
    assert_int_equal(fl_topo_read_graphml(a, one, sizeof one - 1, &doc, &err), FL_OK);
    assert_int_equal(fl_topo_new(&doc, &t, &err), FL_OK);
    assert_int_equal(fl_topo_n_edges(t), 1);
    fl_topo_free(t);
}

static int init(void **state)
{
    (void)state;
    fl_topo_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),           cmocka_unit_test(refuses_with_the_place),
        cmocka_unit_test(written_by_hand), cmocka_unit_test(names_that_are_too_long),
        cmocka_unit_test(guesses),         cmocka_unit_test(handlers_are_put_back),
    };
    return cmocka_run_group_tests(tests, init, NULL);
}
