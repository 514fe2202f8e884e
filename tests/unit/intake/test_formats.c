/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/intake/test_formats.c -- foreign formats by example: formats/<format>/NAME.<kind> is what was received,
 * NAME.expected what it means, one JSON object a line. Kinds: json a body, form a form (nagios), http headers, a
 * blank line and a body (cloudevents), change a PagerDuty change event, mapped a mapping and, after a blank line, a
 * body. `test_intake_formats --update` writes the expectations anew; the diff is then for people to read. */
#include "intake_fixture.h"

#include <faultline/json.h>

#include <dirent.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20 };

static bool update;
static size_t n_seen;

/* ---- what a body means, as text ---- */

static void write_alert(struct fl_buf *b, const struct fl_alert *a)
{
    struct fl_jw w = fl_jw_init(b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "status", fl_alert_status_name(a->status));
    fl_labels_json(&w, "labels", &a->labels);
    fl_labels_json(&w, "annotations", &a->annotations);
    if (a->starts_guessed)
        fl_jw_str(&w, "starts", "guessed");
    else
        fl_jw_time(&w, "starts", a->starts_at);
    fl_jw_time(&w, "ends", a->ends_at);
    fl_jw_time(&w, "lease", a->lease_until);
    fl_jw_str(&w, "url", a->generator_url);
    fl_jw_obj_end(&w);
    fl_buf_chr(b, '\n');
}

static void write_intake(struct fl_buf *b, const struct fl_intake *in)
{
    struct fl_jw w = fl_jw_init(b);
    fl_jw_obj(&w, NULL);
    fl_jw_int(&w, "alerts", (int64_t)in->n_alerts);
    fl_jw_int(&w, "rejects", (int64_t)in->n_rejects);
    fl_jw_int(&w, "ignored", (int64_t)in->n_ignored);
    fl_jw_int(&w, "changes", (int64_t)in->n_changes);
    fl_jw_int(&w, "truncated", (int64_t)in->truncated);
    fl_jw_obj_end(&w);
    fl_buf_chr(b, '\n');
    for (size_t i = 0; i < in->n_alerts; i++) {
        assert_true(in->alerts[i].fingerprint == fl_labels_fingerprint(&in->alerts[i].labels));
        write_alert(b, &in->alerts[i]);
    }
    for (size_t i = 0; i < in->n_rejects; i++) {
        const struct fl_reject *r = &in->rejects[i];
        assert_true(strlen(r->raw) <= FL_REJECT_RAW_MAX && fl_utf8_valid(r->raw, strlen(r->raw)));
        w = fl_jw_init(b);
        fl_jw_obj(&w, NULL);
        fl_jw_int(&w, "reject", (int64_t)r->index);
        fl_jw_str(&w, "where", r->where);
        fl_jw_str(&w, "reason", r->reason);
        fl_jw_obj_end(&w);
        fl_buf_chr(b, '\n');
    }
}

static void write_error(struct fl_buf *b, const struct fl_err *err)
{
    struct fl_jw w = fl_jw_init(b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "error", fl_status_name(err->status));
    fl_jw_str(&w, "where", err->where);
    fl_jw_str(&w, "text", err->text);
    if (*err->hint)
        fl_jw_str(&w, "hint", err->hint);
    fl_jw_obj_end(&w);
    fl_buf_chr(b, '\n');
}

static void explain_body(fl_format f, const char *body, size_t n, struct fl_buf *out)
{
    struct parsed p = parse_at(f, body, n, at(NOW_TEXT));
    if (p.st == FL_OK)
        write_intake(out, &p.in);
    else
        write_error(out, &p.err);
    if (p.st == FL_OK && p.in.n_changes) {
        struct fl_err err = {0};
        FL_AUTO_BUF list = fl_buf_init(FILE_MAX);
        assert_int_equal(fl_intake_cloudevents_changes(p.arena, body, n, at(NOW_TEXT), &list, &err), FL_OK);
        fl_buf_add(out, list.p, list.n);
        fl_buf_chr(out, '\n');
        struct fl_change *c = NULL;
        size_t n_changes = 0;
        assert_int_equal(fl_intake_changes(p.arena, list.p, list.n, at(NOW_TEXT), &c, &n_changes, &err),
                         FL_OK);
        assert_int_equal(n_changes, p.in.n_changes);
    }
    done(&p);
}

/* Headers as `ce-…: value` and `content-type: …`, a blank line, the body. */
static fl_status fold_http(struct fl_arena *a, char *text, size_t n, struct fl_buf *out, struct fl_err *err)
{
    struct fl_label headers[32];
    size_t k = 0;
    const char *type = NULL;
    char *line = text;
    while (*line && *line != '\n') {
        char *end = strchr(line, '\n'), *colon = strchr(line, ':');
        assert_non_null(end);
        assert_non_null(colon);
        *end = *colon = 0;
        const char *value = colon + 1 + strspn(colon + 1, " ");
        if (strcmp(line, "content-type") == 0)
            type = value;
        else if (strncmp(line, "ce-", 3) == 0)
            headers[k++] = (struct fl_label){line + 3, value};
        line = end + 1;
    }
    const char *body = *line ? line + 1 : line;
    assert_int_equal(fl_cloudevents_mode(type, k > 0), FL_CE_BINARY);
    return fl_intake_canonical_cloudevent(a, headers, k, type, body, n - (size_t)(body - text), out, err);
}

static fl_status fold_mapped(struct fl_arena *a, char *text, size_t n, struct fl_buf *out, struct fl_err *err)
{
    char *blank = strstr(text, "\n\n");
    assert_non_null(blank);
    *blank = 0;
    FL_AUTO_JSON mapping = fl_json_parse(text, strlen(text), err);
    assert_non_null(mapping);
    fl_status st = fl_mapping_check(mapping, err);
    const char *body = blank + 2;
    return st ? st : fl_intake_canonical_mapped(a, text, body, n - (size_t)(body - text), out, err);
}

static void explain(fl_format f, const char *kind, char *text, size_t n, struct fl_buf *out)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_BUF folded = fl_buf_init(FILE_MAX);
    struct fl_err err = {0};
    const char *token = "";
    fl_status st = FL_OK;
    if (strcmp(kind, "json") == 0) {
        explain_body(f, text, n, out);
        return;
    }
    if (strcmp(kind, "form") == 0)
        st = fl_intake_canonical_nagios(a, text, n, &folded, &token, &err);
    else if (strcmp(kind, "http") == 0)
        st = fold_http(a, text, n, &folded, &err);
    else if (strcmp(kind, "mapped") == 0)
        st = fold_mapped(a, text, n, &folded, &err);
    else if (strcmp(kind, "change") == 0)
        st = fl_intake_pagerduty_change(a, text, n, at(NOW_TEXT), &folded, &err);
    else
        fail_msg("unknown kind \"%s\"", kind);
    if (st) {
        write_error(out, &err);
        return;
    }
    assert_null(strstr(folded.p, "s3cr3t"));
    if (*token)
        fl_buf_printf(out, "{\"token\":\"%s\"}\n", token);
    fl_buf_add(out, folded.p, folded.n);
    fl_buf_chr(out, '\n');
    if (strcmp(kind, "change") == 0) {
        struct fl_change *c = NULL;
        size_t n_changes = 0;
        assert_int_equal(fl_intake_changes(a, folded.p, folded.n, at(NOW_TEXT), &c, &n_changes, &err), FL_OK);
        return;
    }
    explain_body(f, folded.p, folded.n, out);
}

/* ---- files ---- */

static char *slurp(const char *path, size_t *ret_n)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    char *p = malloc(FILE_MAX + 1);
    assert_non_null(p);
    *ret_n = fread(p, 1, FILE_MAX, f);
    p[*ret_n] = 0;
    fclose(f);
    return p;
}

static void check_file(fl_format f, const char *dir, const char *file)
{
    char path[1200], expected_path[1200];
    const char *dot = strrchr(file, '.');
    snprintf(path, sizeof path, "%s/%s", dir, file);
    snprintf(expected_path, sizeof expected_path, "%s/%.*s.expected", dir, (int)(dot - file), file);
    size_t n = 0, expected_n = 0;
    FL_AUTO_FREE char *text = slurp(path, &n);
    assert_non_null(text);
    FL_AUTO_BUF out = fl_buf_init(FILE_MAX * 4);
    explain(f, dot + 1, text, n, &out);
    assert_false(out.failed);
    n_seen++;
    if (update) {
        FILE *to = fopen(expected_path, "wb");
        assert_non_null(to);
        assert_int_equal(fwrite(out.p, 1, out.n, to), out.n);
        fclose(to);
        return;
    }
    FL_AUTO_FREE char *expected = slurp(expected_path, &expected_n);
    if (!expected)
        fail_msg("%s is missing: run with --update and read it", expected_path);
    if (strcmp(expected, out.p) != 0)
        fail_msg("%s means\n%s\nand should mean\n%s", path, out.p, expected);
}

static void each_file(fl_format f, void (*check)(fl_format f, const char *dir, const char *file))
{
    char dir[1024];
    snprintf(dir, sizeof dir, "%s/tests/unit/intake/formats/%s", FL_SOURCE_DIR, fl_format_name(f));
    DIR *d = opendir(dir);
    if (!d)
        fail_msg("no folder %s", dir);
    for (struct dirent *e; (e = readdir(d));) {
        const char *dot = strrchr(e->d_name, '.');
        if (dot && e->d_name[0] != '.' && strcmp(dot, ".expected") != 0)
            check(f, dir, e->d_name);
    }
    closedir(d);
}

static void fixtures_mean_what_is_expected(void **state)
{
    (void)state;
    for (unsigned f = FL_FORMAT_GRAFANA; f < FL_FORMAT_N; f++) {
        size_t before = n_seen;
        each_file((fl_format)f, check_file);
        assert_true(n_seen >= before + 3);
    }
}

/* Half a body is never an alert, never a crash, and always the same answer. */
static void check_prefixes(fl_format f, const char *dir, const char *file)
{
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    size_t n = 0;
    FL_AUTO_FREE char *text = slurp(path, &n);
    assert_non_null(text);
    if (!strstr(file, ".json") || n > 20000)
        return;
    for (size_t k = 0; k<n; k += n> 4000 ? 7 : 1) {
        struct parsed a = parse_at(f, text, k, at(NOW_TEXT)), b = parse_at(f, text, k, at(NOW_TEXT));
        assert_int_equal(a.st, b.st);
        assert_string_equal(a.err.text, b.err.text);
        if (a.st == FL_OK) {
            assert_int_equal(a.in.n_alerts, b.in.n_alerts);
            assert_true(strspn(text + k, " \n\r\t") == n - k); /* only white space was cut */
        }
        done(&a);
        done(&b);
    }
}

static void truncated_bodies_are_refused_whole(void **state)
{
    (void)state;
    for (unsigned f = FL_FORMAT_GRAFANA; f < FL_FORMAT_N; f++)
        each_file((fl_format)f, check_prefixes);
}

/* ---- by name ---- */

static void names_read_back(void **state)
{
    (void)state;
    fl_format f;
    for (unsigned i = 0; i < FL_FORMAT_N; i++)
        assert_true(fl_format_parse(fl_format_name((fl_format)i), &f) && f == (fl_format)i);
    assert_true(fl_format_parse("mapped:datadog", &f) && f == FL_FORMAT_MAPPED);
    assert_false(fl_format_parse("mappe", &f));
}

static void canonical_pagerduty_means_the_same(void **state)
{
    (void)state;
    static const char body[] =
        "{\"routing_key\":\"s3cr3t\",\"event_action\":\"trigger\",\"payload\":{\"summary\":\"disk "
        "full\",\"source\":\"db1\",\"severity\":\"critical\"},\"client_url\":\"http://x/\"}";
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_BUF once = fl_buf_init(4096), twice = fl_buf_init(4096);
    const char *key = NULL, *routing = NULL, *again = NULL, *none = NULL;
    struct fl_err err = {0};
    assert_int_equal(fl_intake_canonical_pagerduty(a, body, strlen(body), &once, &key, &routing, &err),
                     FL_OK);
    assert_string_equal(routing, "s3cr3t");
    assert_int_equal(strlen(key), 32);
    assert_null(strstr(once.p, "s3cr3t"));
    assert_int_equal(fl_intake_canonical_pagerduty(a, once.p, once.n, &twice, &again, &none, &err), FL_OK);
    assert_string_equal(once.p, twice.p);
    assert_string_equal(key, again);
    assert_string_equal(none, "");
    struct parsed raw = parse(FL_FORMAT_PAGERDUTY, body), folded = parse(FL_FORMAT_PAGERDUTY, once.p);
    assert_int_equal(raw.st, FL_OK);
    assert_int_equal(folded.st, FL_OK);
    assert_true(raw.in.alerts[0].fingerprint == folded.in.alerts[0].fingerprint);
    assert_string_equal(fl_label_get(&raw.in.alerts[0].labels, "dedup_key"), key);
    done(&raw);
    done(&folded);
}

/* Fire and recover: the same labels whatever else the two messages say. */
static void recovery_is_the_same_alert(void **state)
{
    (void)state;
    static const struct {
        fl_format f;
        const char *fire, *recover;
    } pairs[] = {
        {FL_FORMAT_GRAFANA,
         "{\"alerts\":[{\"status\":\"firing\",\"labels\":{\"alertname\":\"A\"},\"startsAt\":\"2026-11-23T09:00:00Z\","
         "\"endsAt\":\"2026-11-23T11:00:00Z\",\"values\":{\"B\":1.5}}]}",
         "{\"alerts\":[{\"status\":\"resolved\",\"labels\":{\"alertname\":\"A\"},\"startsAt\":\"2026-11-23T09:00:00Z\","
         "\"endsAt\":\"2026-11-23T09:30:00Z\",\"values\":{\"B\":0}}]}"},
        {FL_FORMAT_PAGERDUTY,
         "{\"routing_key\":\"k\",\"event_action\":\"trigger\",\"dedup_key\":\"d\",\"payload\":{\"summary\":\"s\","
         "\"source\":\"h\",\"severity\":\"error\",\"timestamp\":\"2026-11-23T09:00:00.000+0000\"}}",
         "{\"routing_key\":\"k\",\"event_action\":\"resolve\",\"dedup_key\":\"d\"}"},
        {FL_FORMAT_CLOUDEVENTS,
         "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"disk.full.firing\",\"time\":"
         "\"2026-11-23T09:00:00Z\"}",
         "{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"/s\",\"type\":\"disk.full.resolved\"}"},
        {FL_FORMAT_NAGIOS,
         "{\"type\":\"PROBLEM\",\"host\":\"h\",\"service\":\"HTTP\",\"state\":\"WARNING\",\"output\":\"a\"}",
         "{\"type\":\"RECOVERY\",\"host\":\"h\",\"service\":\"HTTP\",\"state\":\"OK\",\"output\":\"b\"}"},
        {FL_FORMAT_ZABBIX,
         "{\"value\":\"1\",\"trigger_name\":\"T\",\"trigger_id\":\"7\",\"host\":\"h\",\"severity\":\"2\",\"tags\":[{\"tag\":"
         "\"a\",\"value\":\"b\"}],\"timestamp\":\"1795413600\"}",
         "{\"value\":\"0\",\"trigger_name\":\"T\",\"trigger_id\":\"7\",\"host\":\"h\",\"severity\":\"5\",\"tags\":\"[{\\\"tag"
         "\\\":\\\"a\\\",\\\"value\\\":\\\"b\\\"}]\",\"timestamp\":\"1795413600\"}"},
        {FL_FORMAT_MAPPED,
         "{\"mapping\":{\"name\":\"m\",\"labels\":{\"alertname\":\"/n\"},\"severity\":{\"from\":\"/p\"},\"status\":{\"from\":"
         "\"/s\"}},\"body\":{\"n\":\"A\",\"p\":\"P1\",\"s\":\"bad\"}}",
         "{\"mapping\":{\"name\":\"m\",\"labels\":{\"alertname\":\"/n\"},\"severity\":{\"from\":\"/p\"},\"status\":{\"from\":"
         "\"/s\"}},\"body\":{\"n\":\"A\",\"p\":\"P4\",\"s\":\"OK\"}}"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(pairs); i++) {
        struct parsed fire = parse(pairs[i].f, pairs[i].fire), over = parse(pairs[i].f, pairs[i].recover);
        if (fire.st || over.st || fire.in.n_alerts != 1 || over.in.n_alerts != 1)
            fail_msg("%s: %s %s", fl_format_name(pairs[i].f), fire.err.text, over.err.text);
        const struct fl_alert *a = fire.in.alerts, *b = over.in.alerts;
        assert_int_equal(a->status, FL_ALERT_FIRING);
        assert_int_equal(b->status, FL_ALERT_RESOLVED);
        assert_true(a->fingerprint == b->fingerprint);
        assert_true(a->starts_guessed == b->starts_guessed);
        assert_true(a->starts_guessed || a->starts_at == b->starts_at);
        done(&fire);
        done(&over);
    }
}

/* ---- signatures, origins, modes ---- */

static void signatures_are_checked(void **state)
{
    (void)state;
    /* HMAC-SHA256 with key "key" of the well-known sentence. */
    static const char body[] = "The quick brown fox jumps over the lazy dog";
    static const char good[] = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
    struct fl_err err = {0};
    fl_usec now = at(NOW_TEXT);
    assert_int_equal(fl_intake_signature("key", good, NULL, body, strlen(body), now, &err), FL_OK);
    assert_int_equal(fl_intake_signature("kex", good, NULL, body, strlen(body), now, NULL), FL_E_DENIED);
    assert_int_equal(fl_intake_signature("key", good, NULL, body, strlen(body) - 1, now, NULL), FL_E_DENIED);
    assert_int_equal(fl_intake_signature("key", NULL, NULL, body, strlen(body), now, NULL), FL_E_DENIED);
    assert_int_equal(fl_intake_signature("key", "", NULL, body, strlen(body), now, NULL), FL_E_DENIED);
    char upper[65];
    for (size_t i = 0; i < 65; i++)
        upper[i] = (char)(good[i] >= 'a' && good[i] <= 'f' ? good[i] - 32 : good[i]);
    assert_int_equal(fl_intake_signature("key", upper, NULL, body, strlen(body), now, NULL), FL_E_DENIED);
    upper[63] = 0;
    assert_int_equal(fl_intake_signature("key", upper, NULL, body, strlen(body), now, NULL), FL_E_DENIED);
}

static void signed_times_are_checked(void **state)
{
    (void)state;
    fl_usec now = at(NOW_TEXT);
    static const int64_t off[] = {0, -300, 300, -301, 301};
    for (size_t i = 0; i < FL_ARRAY_LEN(off); i++) {
        char stamp[32], hex[65];
        snprintf(stamp, sizeof stamp, "%lld", (long long)(now / FL_USEC_PER_SEC + off[i]));
        char text[64];
        int n = snprintf(text, sizeof text, "%s:body", stamp);
        struct fl_sha256 mac;
        fl_hmac_sha256("key", 3, text, (size_t)n, "", 0, &mac);
        fl_sha256_hex(&mac, hex);
        fl_status st = fl_intake_signature("key", hex, stamp, "body", 4, now, NULL);
        assert_int_equal(st, i < 3 ? FL_OK : FL_E_DENIED);
        assert_int_equal(fl_intake_signature("key", hex, NULL, "body", 4, now, NULL), FL_E_DENIED);
    }
    struct fl_err err = {0};
    assert_int_equal(fl_intake_signature("key", "00", "soon", "body", 4, now, &err), FL_E_DENIED);
    assert_string_equal(err.text, "the signature's timestamp is no number of seconds: \"soon\"");
}

static void modes_and_origins(void **state)
{
    (void)state;
    assert_int_equal(fl_cloudevents_mode("application/cloudevents+json; charset=utf-8", false),
                     FL_CE_STRUCTURED);
    assert_int_equal(fl_cloudevents_mode("Application/CloudEvents-Batch+JSON", true), FL_CE_BATCH);
    assert_int_equal(fl_cloudevents_mode("application/cloudevents+avro", true), FL_CE_UNKNOWN);
    assert_int_equal(fl_cloudevents_mode("application/json", true), FL_CE_BINARY);
    assert_int_equal(fl_cloudevents_mode(NULL, true), FL_CE_BINARY);
    assert_int_equal(fl_cloudevents_mode("application/json", false), FL_CE_UNKNOWN);
    assert_true(fl_cloudevents_origin("eventemitter.example.com"));
    assert_false(fl_cloudevents_origin("a\r\nSet-Cookie: x"));
    assert_false(fl_cloudevents_origin(""));
    assert_false(fl_cloudevents_origin(NULL));
}

/* ---- limits on what a sender controls ---- */

/* `before`, n times `unit` with its number, `after`. */
static char *repeated(const char *before, const char *unit, size_t n, const char *after)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_buf_str(&b, before);
    for (size_t i = 0; i < n; i++) {
        fl_buf_str(&b, i ? "," : "");
        for (const char *c = unit; *c; c++)
            if (*c == '#')
                fl_buf_printf(&b, "%zu", i);
            else
                fl_buf_chr(&b, *c);
    }
    fl_buf_str(&b, after);
    size_t ignored;
    char *p = fl_buf_take(&b, &ignored);
    assert_non_null(p);
    return p;
}

static void lists_are_bounded(void **state)
{
    (void)state;
    static const struct {
        fl_format f;
        const char *before, *unit, *after, *where;
    } cases[] = {
        {FL_FORMAT_GRAFANA, "{\"alerts\":[", "{}", "]}", "alerts"},
        {FL_FORMAT_CLOUDEVENTS, "[", "{}", "]", ""},
        {FL_FORMAT_NAGIOS, "{\"checkresults\":[", "{}", "]}", "checkresults"},
        {FL_FORMAT_KUBERNETES, "{\"items\":[", "{}", "]}", "items"},
        {FL_FORMAT_MAPPED, "{\"mapping\":{\"name\":\"m\",\"labels\":{\"a\":\"/a\"}},\"body\":[", "{}", "]}",
         ""},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        FL_AUTO_FREE char *body = repeated(cases[i].before, cases[i].unit, FL_ALERTS_MAX + 1u,
                                           cases[i].after);
        struct parsed p = parse(cases[i].f, body);
        assert_int_equal(p.st, FL_E_LIMIT);
        assert_string_equal(p.err.where, cases[i].where);
        assert_string_equal(p.err.text, "more than 100000 elements in one body");
        done(&p);
    }
}

static void one_reject(fl_format f, const char *body, const char *where, const char *reason)
{
    struct parsed p = parse(f, body);
    if (p.st != FL_OK || p.in.n_rejects != 1 || p.in.n_alerts)
        fail_msg("%.200s: status %d %s, %zu rejects", body, (int)p.st, p.err.text, p.in.n_rejects);
    assert_string_equal(p.in.rejects[0].where, where);
    assert_string_equal(p.in.rejects[0].reason, reason);
    assert_int_equal(p.in.rejects[0].status, FL_E_LIMIT);
    assert_true(strlen(p.in.rejects[0].raw) <= FL_REJECT_RAW_MAX);
    done(&p);
}

static char *times(char c, size_t n)
{
    char *s = malloc(n + 1);
    assert_non_null(s);
    memset(s, c, n);
    s[n] = 0;
    return s;
}

static void elements_are_bounded(void **state)
{
    (void)state;
    FL_AUTO_FREE char *labels = repeated("{\"alerts\":[{\"status\":\"firing\",\"labels\":{", "\"l#\":\"v\"",
                                         FL_LABELS_MAX + 1u, "}}]}");
    one_reject(FL_FORMAT_GRAFANA, labels, "alerts[0].labels", "labels: more than 128 entries");
    FL_AUTO_FREE char *tags = repeated("{\"value\":\"1\",\"name\":\"n\",\"host\":\"h\",\"tags\":[",
                                       "{\"tag\":\"t#\",\"value\":\"v\"}", 101, "]}");
    one_reject(FL_FORMAT_ZABBIX, tags, "tags", "more than 100 tags");
    FL_AUTO_FREE char *long_value = times('x', FL_LABEL_VALUE_MAX + 1u);
    FL_AUTO_BUF b = fl_buf_init(1 << 20);
    fl_buf_printf(&b, "{\"type\":\"PROBLEM\",\"host\":\"%s\",\"state\":\"DOWN\"}", long_value);
    one_reject(FL_FORMAT_NAGIOS, b.p, "labels", "labels: a value longer than 65536 bytes");
    FL_AUTO_FREE char *key = times('k', 256);
    fl_buf_reset(&b);
    fl_buf_printf(&b, "{\"routing_key\":\"r\",\"event_action\":\"resolve\",\"dedup_key\":\"%s\"}", key);
    one_reject(FL_FORMAT_PAGERDUTY, b.p, "dedup_key", "longer than 255 bytes");
    fl_buf_reset(&b);
    fl_buf_printf(&b, "{\"routing_key\":\"%sx\",\"event_action\":\"resolve\",\"dedup_key\":\"d\"}", key);
    one_reject(FL_FORMAT_PAGERDUTY, b.p, "routing_key", "longer than 256 bytes");
    FL_AUTO_FREE char *url = times('u', FL_URL_MAX + 1u);
    fl_buf_reset(&b);
    fl_buf_printf(&b, "{\"type\":\"PROBLEM\",\"host\":\"h\",\"state\":\"DOWN\",\"url\":\"%s\"}", url);
    one_reject(FL_FORMAT_NAGIOS, b.p, "generatorURL", "generatorURL: longer than 65536 bytes");
}

/* What is only for reading never costs the alert. */
static void annotations_are_cut(void **state)
{
    (void)state;
    FL_AUTO_FREE char *x = times('x', FL_ANNOTATION_MAX - 8u);
    FL_AUTO_BUF b = fl_buf_init(1 << 20);
    fl_buf_printf(&b, "{\"type\":\"PROBLEM\",\"host\":\"h\",\"state\":\"DOWN\",\"output\":\"%s€€€€\"}", x);
    struct parsed p = parse(FL_FORMAT_NAGIOS, b.p);
    assert_int_equal(p.st, FL_OK);
    assert_int_equal(p.in.n_alerts, 1);
    const char *summary = fl_label_get(&p.in.alerts[0].annotations, "summary");
    assert_true(strlen(summary) <= FL_ANNOTATION_MAX && strlen(summary) > FL_ANNOTATION_MAX - 16u);
    assert_true(fl_utf8_valid(summary, strlen(summary)));
    assert_string_equal(summary + strlen(summary) - 6, " [cut]");
    done(&p);
    FL_AUTO_FREE char *details = repeated(
        "{\"routing_key\":\"k\",\"event_action\":\"trigger\",\"payload\":{\"summary\":\"s"
        "\",\"source\":\"h\",\"severity\":\"info\",\"custom_details\":{",
        "\"d#\":#", 300, "}}}");
    p = parse(FL_FORMAT_PAGERDUTY, details);
    assert_int_equal(p.st, FL_OK);
    assert_int_equal(p.in.n_alerts, 1);
    const struct fl_labels *notes = &p.in.alerts[0].annotations;
    assert_string_equal(fl_label_get(notes, "d63"), "63");
    assert_string_equal(fl_label_get(notes, "d64"), "");
    assert_non_null(strstr(fl_label_get(notes, "custom_details"), "\"d299\":299"));
    done(&p);
}

static void forms_and_headers_are_bounded(void **state)
{
    (void)state;
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_BUF form = fl_buf_init(1 << 20), out = fl_buf_init(1 << 20);
    for (int i = 0; i < 129; i++)
        fl_buf_printf(&form, "f%d=1&", i);
    const char *token = NULL;
    struct fl_err err = {0};
    assert_int_equal(fl_intake_canonical_nagios(a, form.p, form.n, &out, &token, &err), FL_E_LIMIT);
    assert_string_equal(err.text, "more than 128 form fields");
    assert_null(token);
    FL_AUTO_FREE char *value = times('v', 65537);
    struct fl_label header = {"subject", value};
    fl_err_clear(&err);
    assert_int_equal(fl_intake_canonical_cloudevent(a, &header, 1, NULL, "", 0, &out, &err), FL_E_LIMIT);
    assert_string_equal(err.where, "subject");
}

static void mapping_refused(const char *text, const char *where, const char *reason)
{
    struct fl_err err = {0};
    FL_AUTO_JSON m = fl_json_parse(text, strlen(text), &err);
    assert_non_null(m);
    assert_int_equal(fl_mapping_check(m, &err), FL_E_LIMIT);
    assert_string_equal(err.where, where);
    assert_string_equal(err.text, reason);
}

static void mappings_are_bounded(void **state)
{
    (void)state;
    FL_AUTO_FREE char *labels = repeated("{\"name\":\"m\",\"labels\":{", "\"l#\":\"/a\"", 65, "}}");
    mapping_refused(labels, "labels", "more than 64 entries");
    FL_AUTO_FREE char *many = repeated("{\"name\":\"m\",\"labels\":{\"l\":[", "\"/a#\"", 17, "]}}");
    mapping_refused(many, "labels.l", "expected 1 to 16 JSON pointers");
    FL_AUTO_FREE char *pointer = times('/', 513);
    FL_AUTO_BUF b = fl_buf_init(4096);
    fl_buf_printf(&b, "{\"name\":\"m\",\"labels\":{\"l\":\"%s\"}}", pointer);
    mapping_refused(b.p, "labels.l", "a JSON pointer longer than 512 bytes");
}

/* Times as numbers: the unit follows from the size. */
static void numbers_as_times(void **state)
{
    (void)state;
    static const struct {
        const char *number, *time;
    } cases[] = {
        {"1795424400", "2026-11-23T09:00:00Z"},
        {"1795424400.5", "2026-11-23T09:00:00.5Z"},
        {"1795424400500", "2026-11-23T09:00:00.5Z"},
        {"1795424400500000", "2026-11-23T09:00:00.5Z"},
        {"\"1795424400\"", "2026-11-23T09:00:00Z"},
        {"1795424400500000000", "2026-11-23T09:00:00.5Z"},
        {"\"2026-11-23T10:00:00+0100\"", "2026-11-23T09:00:00Z"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        FL_AUTO_BUF b = fl_buf_init(4096);
        fl_buf_printf(&b,
                      "{\"mapping\":{\"name\":\"m\",\"labels\":{\"a\":\"/a\"},\"starts\":\"/t\"},\"body\":{"
                      "\"a\":1,\"t\":%s}}",
                      cases[i].number);
        struct parsed p = parse(FL_FORMAT_MAPPED, b.p);
        assert_int_equal(p.in.n_alerts, 1);
        assert_true(p.in.alerts[0].starts_at == at(cases[i].time));
        done(&p);
    }
}

/* No memory at any point is an answer, not a crash. */
static void small_arenas_fail_cleanly(void **state)
{
    (void)state;
    static const char body[] =
        "{\"alerts\":[{\"status\":\"firing\",\"labels\":{\"a\":\"b\"}},{\"status\":7}]}";
    size_t failures = 0;
    for (size_t max = 64; max < 65536; max += 512) {
        FL_AUTO_ARENA a = fl_arena_new(max);
        struct fl_intake in = {0};
        struct fl_err err = {0};
        fl_status st = a ? fl_intake_parse(a, FL_FORMAT_GRAFANA, body, strlen(body), at(NOW_TEXT), &in, &err)
                         : FL_E_NOMEM;
        assert_true(st == FL_OK || st == FL_E_NOMEM);
        failures += st == FL_E_NOMEM;
    }
    assert_true(failures > 0);
}

int main(int argc, char **argv)
{
    update = argc > 1 && strcmp(argv[1], "--update") == 0;
    if (fl_base_init() != FL_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixtures_mean_what_is_expected),
        cmocka_unit_test(truncated_bodies_are_refused_whole),
        cmocka_unit_test(names_read_back),
        cmocka_unit_test(canonical_pagerduty_means_the_same),
        cmocka_unit_test(recovery_is_the_same_alert),
        cmocka_unit_test(signatures_are_checked),
        cmocka_unit_test(signed_times_are_checked),
        cmocka_unit_test(modes_and_origins),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(elements_are_bounded),
        cmocka_unit_test(annotations_are_cut),
        cmocka_unit_test(forms_and_headers_are_bounded),
        cmocka_unit_test(mappings_are_bounded),
        cmocka_unit_test(numbers_as_times),
        cmocka_unit_test(small_arenas_fail_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
