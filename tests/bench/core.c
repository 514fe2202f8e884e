/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/bench/core.c -- what the core costs without a database: alerts step by step, then the snapshot and back.
 *
 *   core [--alerts 100000] [--body 64] [--incidents N] [--runs N]
 *
 * --runs: so many runs of playbooks wait for an approval. --incidents: spread over that many values of alertname, each of which opens an incident of its own. Prints one
 * JSON object: microseconds of processor time and bytes an alert, the same for a step that brings nothing when nothing is due, the
 * longest step that another graph brings and how many steps it takes until all is ranked on it, and what a snapshot takes. Processor time, so that what else the machine does counts little. */
#include <faultline/flow.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static size_t n_alerts = 100000, n_body = 64, n_incidents = 1, n_runs = 0;
static const fl_usec T0 = INT64_C(1790000000) * FL_USEC_PER_SEC;
static fl_usec late;

static size_t in_use(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* About what Prometheus sends for a common rule: seven labels, two annotations, a generator URL; a third is unique. */
static void one(struct fl_buf *b, size_t i)
{
    fl_buf_printf(
        b,
        "%s{\"labels\":{\"alertname\":\"HighErrorRate%zu\",\"cluster\":\"prod\",\"instance\":\"n%010zu.example:8080\","
        "\"job\":\"api\",\"namespace\":\"shop\",\"service\":\"checkout\",\"severity\":\"critical\"},"
        "\"annotations\":{\"summary\":\"error rate above 5%% for 5 minutes\",\"description\":\"12.4%% of requests failed"
        " in the last 5 minutes on %010zu\"},\"startsAt\":\"2026-09-21T14:13:20Z\",\"endsAt\":\"2026-09-22T14:13:20Z\","
        "\"generatorURL\":\"http://prometheus.example:9090/graph?g0.expr=sum%%28rate%%28http_requests_total"
        "%%7Bcode%%3D~%%225..%%22%%7D%%5B5m%%5D%%29%%29&g0.tab=1\"}",
        b->n > 1 ? "," : "", i % n_incidents, i, i);
}

static void step(struct fl_flow *f, uint64_t seq, const struct fl_buf *b, fl_event_kind kind)
{
    struct fl_err err = {0};
    struct fl_effects *fx = fl_effects_new();
    struct fl_event ev = {.seq = seq,
                          .at = T0 + (fl_usec)seq * 1000 + late,
                          .kind = kind,
                          .realm = "default",
                          .actor = "bench",
                          .source = kind == FL_EV_ALERTS ? "alertmanager-v2" : "",
                          .body = b->n ? b->p : "",
                          .body_len = b->n};
    if (!fx || fl_flow_step(f, &ev, fx, &err) != FL_OK) {
        fprintf(stderr, "step %llu: %s\n", (unsigned long long)seq, err.text);
        exit(1);
    }
    fl_effects_free(fx);
}

static double cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

enum { SERVICES = 1000 };

/* A graph on which the alerts have a component, then a tick at each deadline of the next two minutes. */
static void another_graph(struct fl_flow *f, uint64_t *seq)
{
    struct fl_buf b = fl_buf_init(0), none = fl_buf_init(0);
    double first = 0, longest = 0;
    size_t steps = 0;
    fl_buf_str(&b, "{\"nodes\":[{\"id\":\"checkout\",\"type\":\"service\"}");
    for (int i = 0; i < SERVICES; i++)
        fl_buf_printf(&b, ",{\"id\":\"s%d\",\"type\":\"service\"}", i);
    fl_buf_str(&b, "],\"edges\":[{\"from\":\"s0\",\"to\":\"checkout\",\"type\":\"calls\"}");
    for (int i = 1; i < SERVICES; i++)
        fl_buf_printf(&b, ",{\"from\":\"s%d\",\"to\":\"s%d\",\"type\":\"calls\"}", i, i / 3);
    fl_buf_str(&b, "]}");
    fl_usec until = T0 + (fl_usec)*seq * 1000 + late + 120 * FL_USEC_PER_SEC;
    for (fl_usec due = 0; !steps || (due && due < until); steps++) {
        if (due > T0 + (fl_usec)(*seq + 1) * 1000 + late)
            late = due - T0 - (fl_usec)(*seq + 1) * 1000;
        double began = cpu();
        step(f, ++*seq, steps ? &none : &b, steps ? FL_EV_TICK : FL_EV_TOPOLOGY);
        double took = (cpu() - began) / 1e3;
        first = steps ? first : took;
        longest = took > longest ? took : longest;
        due = fl_flow_deadline(f);
    }
    printf(",\"ms_another_graph\":%.1f,\"ms_longest_step\":%.1f,\"steps_until_ranked\":%zu", first, longest,
           steps);
    fl_buf_done(&b);
}

static void request_runs(struct fl_flow *f, uint64_t *seq)
{
    struct fl_buf b = fl_buf_init(0);
    fl_buf_str(
        &b,
        "{\"rules\":{\"guards\":{\"approval_ttl\":\"24h\"}},\"playbooks\":[{\"source\":\"x\",\"meta\":{\"name\":\"mend\"}}]}");
    step(f, ++*seq, &b, FL_EV_CONFIG);
    fl_buf_reset(&b);
    fl_buf_str(&b, "{\"op\":\"run.request\",\"incident\":\"INC-2026-000001\",\"playbook\":\"mend\"}");
    for (size_t i = 0; i < n_runs; i++)
        step(f, ++*seq, &b, FL_EV_COMMAND);
    fl_buf_done(&b);
    if (!fl_flow_deadline(f)) {
        fprintf(stderr, "no run waits\n");
        exit(1);
    }
}

static void options(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        int64_t v = 0;
        size_t *to = !strcmp(argv[i], "--alerts")      ? &n_alerts
                     : !strcmp(argv[i], "--body")      ? &n_body
                     : !strcmp(argv[i], "--incidents") ? &n_incidents
                     : !strcmp(argv[i], "--runs")      ? &n_runs
                                                       : NULL;
        if (!to || !fl_parse_i64(argv[i + 1], 1, 100000000, &v)) {
            fprintf(stderr, "usage: core [--alerts N] [--body N] [--incidents N] [--runs N]\n");
            exit(2);
        }
        *to = (size_t)v;
    }
}

static bool same_bytes(const struct fl_pack *a, const struct fl_pack *b)
{
    const struct fl_piece *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next)
        if (x->n != y->n || memcmp(x->p, y->p, x->n) != 0)
            return false;
    return !x && !y;
}

static void snapshot(struct fl_flow *f)
{
    struct fl_err err = {0};
    struct fl_pack b = fl_pack_init(0);
    struct fl_flow *again = NULL;
    double began = cpu();
    if (fl_flow_snapshot(f, &b) != FL_OK) {
        fprintf(stderr, "no snapshot\n");
        exit(1);
    }
    double wrote = (cpu() - began) / 1e3;
    size_t n = b.bytes;
    fl_flow_free(f);
    began = cpu();
    if (fl_flow_restore(&(struct fl_flow_options){.realm = "default"}, &b, &again, &err) != FL_OK) {
        fprintf(stderr, "restore: %s\n", err.text);
        exit(1);
    }
    printf(",\"snapshot_bytes\":%zu,\"snapshot_ms\":%.0f,\"restore_ms\":%.0f", n, wrote,
           (cpu() - began) / 1e3);
    struct fl_pack second = fl_pack_init(0);
    bool same = fl_flow_snapshot(again, &second) == FL_OK && same_bytes(&b, &second);
    printf(",\"snapshot_same\":%s", same ? "true" : "false");
    fl_pack_done(&second);
    fl_pack_done(&b);
    fl_flow_free(again);
}

int main(int argc, char **argv)
{
    struct fl_err err = {0};
    struct fl_flow *f = NULL;
    options(argc, argv);
    if (fl_base_init() != FL_OK ||
        fl_flow_new(&(struct fl_flow_options){.realm = "default"}, &f, &err) != FL_OK)
        return 1;
    struct fl_buf b = fl_buf_init(0), none = fl_buf_init(0);
    size_t before = in_use();
    uint64_t seq = 0;
    double spent = 0;
    for (size_t i = 0; i < n_alerts;) {
        fl_buf_reset(&b);
        fl_buf_chr(&b, '[');
        for (size_t k = 0; k < n_body && i < n_alerts; k++)
            one(&b, i++);
        fl_buf_chr(&b, ']');
        double began = cpu();
        step(f, ++seq, &b, FL_EV_ALERTS);
        spent += cpu() - began;
    }
    fl_buf_done(&b);
    struct fl_flow_stats st;
    fl_flow_stats(f, &st);
    printf("{\"alerts\":%zu,\"incidents\":%llu,\"us_an_alert\":%.2f,\"bytes_an_alert\":%.0f", n_alerts,
           (unsigned long long)st.incidents_open, spent / (double)n_alerts,
           (double)(in_use() - before) / (double)n_alerts);
    /* What the alerts left to do comes first: each incident is ranked once more when it is two seconds old. */
    late = 10 * FL_USEC_PER_SEC;
    step(f, ++seq, &none, FL_EV_TICK);
    if (n_runs)
        request_runs(f, &seq);
    step(f, ++seq, &none, FL_EV_TICK);
    double began = cpu();
    for (int i = 0; i < 1000; i++) {
        struct fl_flow_stats each; /* the daemon asks for it after each step, and for the deadline */
        step(f, ++seq, &none, FL_EV_TICK);
        fl_flow_stats(f, &each);
        (void)fl_flow_deadline(f);
    }
    printf(",\"us_an_empty_step\":%.2f", (cpu() - began) / 1000);
    another_graph(f, &seq);
    snapshot(f);
    printf("}\n");
    return 0;
}
