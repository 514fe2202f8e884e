/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/lookalike.c -- what amtool, Grafana and Karma ask an Alertmanager for (layer 5).
 * Reading only; alerts come in through alerts.c. */
#include "http_priv.h"

#include <stdlib.h>
#include <string.h>

static void answer_json(struct request *r, unsigned code, const char *text)
{
    struct fl_buf b = fl_buf_init(1 << 20);
    fl_buf_str(&b, text);
    fl_buf_chr(&b, '\n');
    reply_buf(r, code, TYPE_JSON, &b);
}

void run_v2_status(struct request *r)
{
    static fl_usec started; /* of the first question: nobody computes with it */
    if (!started)
        started = fl_now();
    char t[FL_TIME_LEN];
    struct fl_buf b = fl_buf_init(1 << 16);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_raw(&w, "cluster", "{\"status\":\"disabled\",\"peers\":[]}");
    /* amtool parses this as Alertmanager YAML. */
    fl_jw_raw(&w, "config",
              "{\"original\":\"route:\\n  receiver: faultline\\nreceivers:\\n- name: faultline\\n\"}");
    fl_jw_str(&w, "uptime", fl_time_format_ms(started, t));
    fl_jw_obj(&w, "versionInfo");
    fl_jw_str(&w, "branch", "faultline");
    fl_jw_str(&w, "buildDate", "");
    fl_jw_str(&w, "buildUser", "");
    fl_jw_str(&w, "goVersion", "");
    fl_jw_str(&w, "revision", FL_VERSION);
    fl_jw_str(&w, "version", "0.27.0");
    fl_jw_obj_end(&w);
    fl_jw_obj_end(&w);
    reply_buf(r, 200, TYPE_JSON, &b);
}

void run_v2_receivers(struct request *r)
{
    answer_json(r, 200, "[{\"name\":\"faultline\"}]");
}

void run_v2_silences(struct request *r)
{
    answer_json(r, 200, "[]");
}

/* ---- GET alerts ---- */

enum { MAX_FILTERS = 32 };
static const fl_usec V2_ENDS = 300 * FL_USEC_PER_SEC; /* a firing alert is shown with an end, as there */

struct query {
    struct fl_matcher m[MAX_FILTERS];
    size_t n;
    bool active;
};

/* name OP value, the value bare or in double quotes: alertname="X", team=db, instance=~"db.*" */
static bool parse_filter(struct request *r, const char *text, struct fl_matcher *m)
{
    size_t name_n = strcspn(text, "=!~ ");
    const char *p = text + name_n;
    while (*p == ' ')
        p++;
    if (!strncmp(p, "=~", 2))
        m->op = '~', p += 2;
    else if (!strncmp(p, "!~", 2))
        m->op = 'n', p += 2;
    else if (!strncmp(p, "!=", 2))
        m->op = '!', p += 2;
    else if (*p == '=')
        m->op = '=', p += 1;
    else
        return false;
    while (*p == ' ')
        p++;
    size_t n = strlen(p);
    char *value = fl_arena_alloc(r->arena, n + 1);
    m->name = fl_arena_strndup(r->arena, text, name_n);
    if (!value || !m->name || !name_n)
        return false;
    bool quoted = n >= 2 && p[0] == '"' && p[n - 1] == '"';
    size_t out = 0;
    for (size_t i = quoted; i < n - quoted; i++) {
        if (quoted && p[i] == '\\' && i + 1 < n - 1)
            i++;
        value[out++] = p[i];
    }
    value[out] = 0;
    m->value = value;
    m->compiled = NULL;
    return true;
}

static void query_done(struct query *q)
{
    for (size_t i = 0; i < q->n; i++)
        fl_matcher_done(&q->m[i]);
    q->n = 0;
}

static bool parse_query(struct request *r, struct query *q)
{
    struct fl_err err = {0};
    const char *active = request_arg(r, "active");
    *q = (struct query){.active = !fl_streq(active, "false")};
    for (size_t i = 0; i < r->n_args; i++) {
        if (strcmp(r->args[i].name, "filter") != 0)
            continue;
        bool ok = q->n < MAX_FILTERS && parse_filter(r, r->args[i].value, &q->m[q->n]);
        if (ok && (q->m[q->n].op == '~' || q->m[q->n].op == 'n'))
            ok = fl_matcher_compile(&q->m[q->n], &err) == FL_OK;
        if (!ok) {
            FL_AUTO_BUF text = fl_buf_init(4096);
            struct fl_buf b = fl_buf_init(1 << 16);
            fl_buf_printf(&text, "bad matcher format: %.256s", r->args[i].value);
            fl_json_quote(&b, text.p, text.n);
            fl_buf_chr(&b, '\n');
            query_done(q);
            reply_buf(r, 400, TYPE_JSON, &b);
            return false;
        }
        q->n++;
    }
    return true;
}

/* "labels" of one element as sorted struct; NULL when it has none. */
static struct fl_labels labels_of(struct fl_arena *arena, const struct fl_json *labels)
{
    struct fl_label *v = fl_arena_calloc(arena, FL_LABELS_MAX, sizeof *v);
    size_t n = 0;
    for (void *it = v ? fl_json_first(labels) : NULL; it && n < FL_LABELS_MAX; it = fl_json_next(labels, it)) {
        const char *value = fl_json_string(fl_json_value(it));
        v[n++] = (struct fl_label){fl_json_key(it), value ? value : ""};
    }
    return (struct fl_labels){v, fl_labels_normalise(v, n)};
}

static void time_member(struct fl_jw *w, const char *key, const char *text, fl_usec dflt)
{
    char out[FL_TIME_LEN];
    fl_usec t = 0;
    if (!text || !fl_time_parse(text, strlen(text), &t) || !t)
        t = dflt;
    fl_jw_str(w, key, fl_time_format_ms(t, out));
}

static void raw_member(struct fl_jw *w, const char *key, const struct fl_json *v)
{
    FL_AUTO_FREE char *text = v ? fl_json_text(v, true) : NULL;
    fl_jw_raw(w, key, text ? text : "{}");
}

static void add_alert(struct fl_jw *w, const struct fl_json *a)
{
    fl_usec now = fl_now();
    fl_jw_obj(w, NULL);
    raw_member(w, "annotations", fl_json_get(a, "annotations"));
    time_member(w, "endsAt", fl_json_str(a, "ends_at", NULL), now + V2_ENDS);
    fl_jw_str(w, "fingerprint", fl_json_str(a, "fingerprint", ""));
    fl_jw_raw(w, "receivers", "[{\"name\":\"faultline\"}]");
    time_member(w, "startsAt", fl_json_str(a, "starts_at", NULL), now);
    fl_jw_raw(w, "status", "{\"inhibitedBy\":[],\"mutedBy\":[],\"silencedBy\":[],\"state\":\"active\"}");
    time_member(w, "updatedAt", fl_json_str(a, "updated_at", NULL), now);
    fl_jw_str(w, "generatorURL", fl_json_str(a, "generator_url", ""));
    raw_member(w, "labels", fl_json_get(a, "labels"));
    fl_jw_obj_end(w);
}

static void answer_alerts(struct request *r, const struct query *q, const struct fl_json *list)
{
    struct fl_buf b = fl_buf_init(REPLY_MAX);
    struct fl_jw w = fl_jw_init(&b);
    FL_AUTO_ARENA arena = fl_arena_new(0);
    fl_jw_arr(&w, NULL);
    for (size_t i = 0; arena && q->active && i < fl_json_len(list); i++) {
        const struct fl_json *a = fl_json_at(list, i);
        struct fl_labels l = labels_of(arena, fl_json_get(a, "labels"));
        if (fl_match_all(q->m, q->n, &l))
            add_alert(&w, a);
        fl_arena_reset(arena);
    }
    fl_jw_arr_end(&w);
    fl_buf_chr(&b, '\n');
    reply_buf(r, 200, TYPE_JSON, &b);
}

void read_v2_alerts(struct request *r, struct fl_reader *db)
{
    struct fl_err err = {0};
    struct query q;
    if (!parse_query(r, &q))
        return;
    struct fl_read_args a = {.realm = r->http->o.config->realm, .state = "firing", .limit = 10000};
    FL_AUTO_BUF b = fl_buf_init(REPLY_MAX);
    FL_AUTO_JSON doc = NULL;
    if (fl_read_json(db, FL_READ_ALERTS, &a, &b, &err) == FL_OK)
        doc = fl_json_parse(b.p, b.n, &err);
    if (!doc) {
        r->db_lost = true;
        reply_status(r, &err);
    } else {
        /* The document is a list, or an object that holds it. */
        const struct fl_json *list = fl_json_is_array(doc) ? doc : fl_json_get(doc, "alerts");
        answer_alerts(r, &q, list);
    }
    query_done(&q);
}
