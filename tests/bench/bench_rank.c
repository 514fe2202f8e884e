/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench_rank.c -- time of one incident's ranking on scale-free graphs, the whole evidence model included.
 * usage: bench_rank [ROUNDS]. Prints one line per graph: build, then p50 and p99
 * (processor time) of a ranking, and of a walk; then a window of 30,000 alarms.
 * usage: bench_rank edges NODES. Prints the graph as pairs, for another program to work on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <faultline/rank.h>

enum { ALERTING = 200, PER_COMPONENT = 2 };

static uint64_t seed = 42;
static uint32_t roll(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

/* Preferential attachment: each new service calls two that exist, the popular ones more often. */
static struct fl_topo *make_graph(uint32_t n, double *ret_ms)
{
    struct fl_node *nodes = calloc(n, sizeof *nodes);
    struct fl_edge *edges = calloc(2 * (size_t)n, sizeof *edges);
    char(*ids)[16] = calloc(n, sizeof *ids);
    uint32_t *ends = calloc(4 * (size_t)n, sizeof *ends);
    size_t m = 0, e = 0;
    FL_REQUIRE(nodes && edges && ids && ends);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(ids[i], sizeof ids[i], "svc-%06u", i);
        nodes[i] = (struct fl_node){.id = ids[i], .type = "service"};
        for (int k = 0; i > 1 && k < 2; k++) {
            uint32_t to = m ? ends[roll((uint32_t)m)] : 0;
            edges[e++] = (struct fl_edge){ids[i], ids[to], "calls", 1};
            ends[m++] = to;
            ends[m++] = i;
        }
    }
    struct fl_topo *t = NULL;
    fl_usec begin = fl_mono();
    fl_status st = fl_topo_new(&(struct fl_topology_doc){nodes, n, edges, e, {{0}}}, &t, NULL);
    *ret_ms = (double)(fl_mono() - begin) / 1000;
    FL_REQUIRE(st == FL_OK);
    free(nodes);
    free(edges);
    free(ids);
    free(ends);
    return t;
}

static void add_alert(struct fl_rank_alert *v, struct fl_arena *a, struct fl_topo *t, fl_vertex node,
                      int kind, int at)
{
    static const char *const names[] = {"HighLatency", "HighErrorRate", "CpuHigh"};
    static const fl_evidence_class classes[] = {FL_EC_LATENCY, FL_EC_ERROR, FL_EC_RESOURCE};
    struct fl_label *l = fl_arena_calloc(a, 2, sizeof *l);
    struct fl_alert *alert = fl_arena_calloc(a, 1, sizeof *alert);
    FL_REQUIRE(l && alert);
    l[0] = (struct fl_label){"alertname", names[kind]};
    l[1] = (struct fl_label){"component", fl_topo_node(t, node)->id};
    alert->labels = (struct fl_labels){l, 2};
    alert->starts_at = INT64_C(1790000000000000) + at * FL_USEC_PER_SEC;
    alert->generator_url = "";
    alert->fingerprint = fl_labels_fingerprint(&alert->labels);
    *v = (struct fl_rank_alert){alert, node, -1, classes[kind], FL_SEV_ERROR};
}

struct spread {
    fl_vertex v[ALERTING];
    size_t n;
};

static bool take(void *ctx, fl_vertex v, unsigned hops)
{
    struct spread *s = ctx;
    (void)hops;
    s->v[s->n++] = v;
    return s->n == ALERTING;
}

/* An incident as they are: it spreads from one component to those around it. */
static size_t make_incident(struct fl_arena *a, struct fl_topo *t, struct fl_rank_alert *v)
{
    struct spread s = {.n = 0};
    size_t n = 0;
    while (s.n < ALERTING) {
        s.n = 0;
        FL_REQUIRE(fl_topo_walk(t, (fl_vertex)roll((uint32_t)fl_topo_n_nodes(t)), FL_DIR_BOTH, 4, NULL, 0,
                                take, &s, NULL) == FL_OK);
    }
    for (size_t i = 0; i < s.n; i++)
        for (int k = 0; k < PER_COMPONENT; k++)
            add_alert(&v[n++], a, t, s.v[i], i == 0 ? 2 - k : k, (int)i);
    return n;
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static bool count(void *ctx, fl_vertex v, unsigned hops)
{
    (void)v;
    (void)hops;
    ++*(size_t *)ctx;
    return false;
}

/* Processor time of this thread: on a busy machine the clock on the wall measures the others. */
static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void bench(uint32_t nodes, int rounds)
{
    double build_ms, *ms = calloc((size_t)rounds, sizeof *ms), *walk = calloc((size_t)rounds, sizeof *walk);
    struct fl_topo *t = make_graph(nodes, &build_ms);
    struct fl_rank_alert *v = calloc(ALERTING * PER_COMPONENT, sizeof *v);
    struct fl_arena *a = fl_arena_new(0), *work = fl_arena_new(0);
    struct fl_history *h = fl_history_new();
    size_t seen = 0;
    FL_REQUIRE(ms && walk && v && a && work && h);
    for (int i = 0; i < 40; i++) {
        size_t n = make_incident(a, t, v);
        FL_REQUIRE(fl_history_learn(h, t, v, n, 0) == FL_OK);
    }
    for (int i = 0; i < rounds; i++) {
        struct fl_ranking *r;
        size_t n = make_incident(a, t, v);
        struct fl_rank_input in = {.topo = t, .alerts = v, .n_alerts = n, .entry = -1, .history = h};
        fl_arena_reset(work);
        double begin = cpu_ms();
        FL_REQUIRE(fl_rank(work, fl_model_default(), &in, &r, NULL) == FL_OK);
        ms[i] = cpu_ms() - begin;
        begin = cpu_ms();
        FL_REQUIRE(fl_topo_walk(t, v[0].node, FL_DIR_BOTH, 3, NULL, 0, count, &seen, NULL) == FL_OK);
        walk[i] = cpu_ms() - begin;
    }
    qsort(ms, (size_t)rounds, sizeof *ms, by_time);
    qsort(walk, (size_t)rounds, sizeof *walk, by_time);
    printf(
        "%7u nodes  build %8.1f ms  rank p50 %7.3f ms  p99 %7.3f ms  3-hop walk p50 %6.3f ms (%zu vertices)\n",
        nodes, build_ms, ms[rounds / 2], ms[rounds * 99 / 100], walk[rounds / 2], seen / (size_t)rounds);
    fl_history_free(h);
    fl_topo_free(t);
    fl_arena_free(a);
    fl_arena_free(work);
    free(ms);
    free(walk);
    free(v);
}

/* Fifteen kinds of alarm on each of 2,000 components around one, all in one incident. */
static void bench_window(uint32_t nodes, int rounds)
{
    enum { COMPONENTS = 2000, KINDS = 15 };
    double build_ms, *ms = calloc((size_t)rounds, sizeof *ms);
    struct fl_topo *t = make_graph(nodes, &build_ms);
    struct fl_rank_alert *v = calloc(COMPONENTS * KINDS, sizeof *v);
    struct fl_arena *a = fl_arena_new(0), *work = fl_arena_new(0);
    struct fl_history *h = fl_history_new();
    size_t n = 0;
    FL_REQUIRE(ms && v && a && work && h);
    for (int i = 0; i < COMPONENTS; i++)
        for (int k = 0; k < KINDS; k++) {
            add_alert(&v[n], a, t, (fl_vertex)i, k % 3, (int)roll(300));
            ((struct fl_alert *)v[n].alert)->fingerprint += (uint64_t)k; /* one more of that kind */
            n++;
        }
    for (int i = 0; i < 40; i++)
        FL_REQUIRE(fl_history_learn(h, t, v + i * 10, n / 40, 0) == FL_OK);
    for (int i = 0; i < rounds; i++) {
        struct fl_ranking *r;
        struct fl_rank_input in = {.topo = t, .alerts = v, .n_alerts = n, .entry = -1, .history = h};
        fl_arena_reset(work);
        double begin = cpu_ms();
        FL_REQUIRE(fl_rank(work, fl_model_default(), &in, &r, NULL) == FL_OK);
        ms[i] = cpu_ms() - begin;
    }
    qsort(ms, (size_t)rounds, sizeof *ms, by_time);
    printf("%7u nodes  window of %zu alarms on %d components  rank p50 %7.3f ms  worst %7.3f ms\n", nodes, n,
           COMPONENTS, ms[rounds / 2], ms[rounds - 1]);
    fl_history_free(h);
    fl_topo_free(t);
    fl_arena_free(a);
    fl_arena_free(work);
    free(ms);
    free(v);
}

static int print_edges(uint32_t nodes)
{
    double build_ms;
    struct fl_topo *t = make_graph(nodes, &build_ms);
    for (size_t v = 0; v < fl_topo_n_nodes(t); v++) {
        const fl_vertex *next;
        size_t n = fl_topo_neighbours(t, (fl_vertex)v, FL_DIR_NEEDS, &next);
        for (size_t i = 0; i < n; i++)
            printf("%zu %d\n", v, (int)next[i]);
    }
    fl_topo_free(t);
    return 0;
}

int main(int argc, char **argv)
{
    int64_t rounds = 200, nodes;
    bool edges = argc == 3 && strcmp(argv[1], "edges") == 0;
    if (edges ? !fl_parse_i64(argv[2], 2, 10000000, &nodes)
              : argc > 1 && !fl_parse_i64(argv[1], 1, 100000, &rounds))
        return 2;
    if (fl_base_init())
        return 1;
    fl_topo_init();
    if (edges)
        return print_edges((uint32_t)nodes);
    static const uint32_t sizes[] = {1000, 10000, 100000};
    for (size_t i = 0; i < FL_ARRAY_LEN(sizes); i++)
        bench(sizes[i], (int)rounds);
    bench_window(100000, rounds > 20 ? 20 : (int)rounds);
    return 0;
}
