/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/bench/load.c -- posts alerts as fast as the server takes them, and says how fast that was.
 *
 *   load HOST:PORT [--path P] [--format v2|webhook] [--connections 8] [--alerts 64] [--seconds 5]
 *        [--requests 0] [--token-file F] [--same] [--prefix TEXT] [--rate R] [--flip N] [--nodes N]
 *        [--spread S] [--get]
 *
 * --rate: R requests a second over all connections, each at its time whether the one before was answered or not; a latency
 * counts from when it was due. --flip: N alerts, over and over, firing and resolved in turn, each time with a start of its own. --nodes: as many values of the
 * label "service". --spread: each body's alerts began at a second of their own, within the S before now. --get: GET without a body, for paths like /-/healthy.
 * One blocking thread a connection; a body is rendered once and only its counters are overwritten, so that the
 * generator costs next to nothing beside the server it measures. Prints one JSON object. */
#include "client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { DIGITS = 10, ALERTS_MAX = 4096, LATENCIES_MAX = 1 << 20, COUNTERS = 3 };

static struct {
    const char *host, *port, *path, *prefix;
    char token[256];
    bool webhook, same, get;
    unsigned connections, alerts;
    double seconds, rate;
    uint64_t requests, flip, nodes, spread;
} opt = {.path = NULL, .prefix = "n", .connections = 8, .alerts = 64, .seconds = 5};

static atomic_uint_fast64_t next_alert, requests_left;
static atomic_uint_fast64_t next_due;
static double deadline, start;
static time_t today; /* when the run began, by the wall clock */

struct worker {
    pthread_t thread;
    uint64_t ok, refused, other, broken; /* requests answered 2xx, 503, else; connections lost */
    uint32_t *us;                        /* latencies of the ones answered 2xx */
    size_t n_us;
    int last_status;
};

/* ---- the body: rendered once, the places of its counters remembered ---------------------------------- */

struct body {
    char *p;
    size_t n, headers;                /* of which headers */
    size_t at[ALERTS_MAX * COUNTERS]; /* where counters stand */
    bool is_node[ALERTS_MAX * COUNTERS];
    size_t n_at;
    size_t starts
        [ALERTS_MAX]; /* where times stand that --flip moves on; an end lies END_AFTER bytes behind its start */
    size_t n_starts;
};

static void add(struct body *b, size_t cap, const char *text)
{
    size_t n = strlen(text);
    if (b->n + n > cap)
        exit(1);
    memcpy(b->p + b->n, text, n);
    b->n += n;
}

static void counter(struct body *b, size_t cap)
{
    b->at[b->n_at++] = b->n;
    add(b, cap, "0000000000");
}

/* From the first byte of startsAt's value to that of endsAt's. */
#define END_AFTER (sizeof "0000-00-00T00:00:00.000Z\",\"endsAt\":\"" - 1)

/* About what Prometheus sends for a common rule: seven labels, two annotations, a generator URL. */
static void one_alert(struct body *b, size_t cap, const char *starts, bool over)
{
    char head[256];
    add(b, cap, !opt.webhook ? "{" : over ? "{\"status\":\"resolved\"," : "{\"status\":\"firing\",");
    add(b, cap, "\"labels\":{\"alertname\":\"HighErrorRate\",\"cluster\":\"prod\",\"instance\":\"");
    add(b, cap, opt.prefix);
    counter(b, cap);
    add(b, cap, ".example:8080\",\"job\":\"api\",\"namespace\":\"shop\",\"service\":\"");
    if (opt.nodes) {
        b->is_node[b->n_at] = true;
        counter(b, cap);
    } else {
        add(b, cap, "checkout");
    }
    add(b, cap,
        "\",\"severity\":"
        "\"critical\"},\"annotations\":{\"summary\":\"error rate above 5% for 5 minutes\",\"description\":"
        "\"12.4% of requests failed in the last 5 minutes on ");
    counter(b, cap);
    add(b, cap, "\"},\"startsAt\":\"");
    b->starts[b->n_starts++] = b->n;
    snprintf(head, sizeof head, "%s\",", starts);
    add(b, cap, head);
    if (over)
        snprintf(head, sizeof head, "\"endsAt\":\"%s\",", starts);
    if (over || opt.webhook)
        add(b, cap, over ? head : "\"endsAt\":\"0001-01-01T00:00:00Z\",");
    add(b, cap,
        "\"generatorURL\":\"http://prometheus.example:9090/graph?g0.expr=sum%28rate%28http_requests_total%7B"
        "code%3D~%225..%22%7D%5B5m%5D%29%29&g0.tab=1\"}");
}

static void render_get(struct body *b)
{
    b->p = client_must(malloc(2048));
    b->n = b->headers = (size_t)snprintf(b->p, 2048, "GET %s HTTP/1.1\r\nHost: %s:%s\r\n\r\n", opt.path,
                                         opt.host, opt.port);
}

static void render(struct body *b, bool over)
{
    size_t cap = 4096 + (size_t)opt.alerts * 1024;
    char *json = client_must(malloc(cap)), starts[40], head[1024];
    struct body j = {.p = json};
    time_t t = today;
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(starts, sizeof starts, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
    add(&j, cap,
        opt.webhook ? "{\"version\":\"4\",\"groupKey\":\"{}:{}\",\"truncatedAlerts\":0,\"status\":\"firing\","
                      "\"receiver\":\"faultline\",\"groupLabels\":{},\"commonLabels\":{},"
                      "\"commonAnnotations\":{},\"externalURL\":\"http://am.example:9093\",\"alerts\":["
                    : "[");
    for (unsigned i = 0; i < opt.alerts; i++) {
        if (i > 0)
            add(&j, cap, ",");
        one_alert(&j, cap, starts, over);
    }
    add(&j, cap, opt.webhook ? "]}\n" : "]");
    snprintf(head, sizeof head,
             "POST %s HTTP/1.1\r\nHost: %s:%s\r\nUser-Agent: load\r\nContent-Type: application/json\r\n%s%s%s"
             "Content-Length: %zu\r\n\r\n",
             opt.path, opt.host, opt.port, opt.token[0] ? "Authorization: Bearer " : "", opt.token,
             opt.token[0] ? "\r\n" : "", j.n);
    b->headers = strlen(head);
    b->n = b->headers + j.n;
    b->p = client_must(malloc(b->n));
    memcpy(b->p, head, b->headers);
    memcpy(b->p + b->headers, json, j.n);
    b->n_at = j.n_at;
    b->n_starts = j.n_starts;
    for (size_t i = 0; i < j.n_starts; i++)
        b->starts[i] = j.starts[i] + b->headers;
    for (size_t i = 0; i < j.n_at; i++) {
        b->at[i] = j.at[i] + b->headers;
        b->is_node[i] = j.is_node[i];
    }
    free(json);
}

static void put_number(char *p, uint64_t v)
{
    for (int i = DIGITS; i-- > 0; v /= 10)
        p[i] = (char)('0' + v % 10);
}

static void number(struct body *b, uint64_t first)
{
    size_t each = opt.alerts ? b->n_at / opt.alerts : 1;
    for (size_t i = 0; i < b->n_at; i++) {
        uint64_t v = first + i / each;
        if (opt.flip)
            v %= opt.flip;
        put_number(b->p + b->at[i], b->is_node[i] ? v % opt.nodes : v);
    }
}

static void move_times(struct body *b, time_t t, bool over)
{
    struct tm tm;
    char text[32];
    gmtime_r(&t, &tm);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    for (size_t i = 0; i < b->n_starts; i++) {
        memcpy(b->p + b->starts[i], text, n);
        if (over)
            memcpy(b->p + b->starts[i] + END_AFTER, text, n);
        if (over)
            b->p[b->starts[i] + END_AFTER + n + 1] = '5'; /* .500Z */
    }
}

/* The next body: with its own counters, firing or over. */
static struct body *next_body(struct body pair[2])
{
    if (opt.get)
        return &pair[0];
    uint64_t first = opt.same ? 0 : atomic_fetch_add(&next_alert, opt.alerts);
    struct body *b = &pair[opt.flip ? first / opt.flip % 2 : 0];
    number(b, first);
    /* Each firing of an alert is an episode with a start of its own, a second after the one before; it lasts half of one.
     * All of it lies in the past hours, so that no end is in the future however long this runs. */
    if (opt.flip)
        move_times(b, today - 6 * 3600 + (time_t)(first / opt.flip / 2), b == &pair[1]);
    else if (opt.spread)
        move_times(b, today - (time_t)(first / opt.alerts % opt.spread), false);
    return b;
}

/* When the next request is due; at once without a rate. */
static double wait_turn(void)
{
    double now = client_now();
    if (opt.rate <= 0)
        return now;
    double due = start + (double)atomic_fetch_add(&next_due, 1) / opt.rate;
    if (due > now) {
        double left = due - now;
        struct timespec ts = {.tv_sec = (time_t)left, .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};
        nanosleep(&ts, NULL);
    }
    return due;
}

/* ---- one connection ---------------------------------------------------------------------------------- */

static void count(struct worker *w, int status, double began)
{
    if (status >= 200 && status < 300) {
        w->ok++;
        if (w->n_us < LATENCIES_MAX)
            w->us[w->n_us++] = (uint32_t)((client_now() - began) * 1e6);
    } else if (status == 503) {
        w->refused++;
    } else if (status > 0) {
        w->other++;
        w->last_status = status;
    } else {
        w->broken++;
    }
}

static bool more(void)
{
    if (client_now() >= deadline)
        return false;
    if (opt.requests == 0)
        return true;
    uint_fast64_t left = atomic_load(&requests_left);
    while (left > 0) {
        if (atomic_compare_exchange_weak(&requests_left, &left, left - 1))
            return true;
    }
    return false;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct body *pair = client_must(calloc(2, sizeof *pair));
    char *buf = client_must(malloc(CLIENT_ANSWER_MAX));
    if (opt.get) {
        render_get(&pair[0]);
    } else {
        render(&pair[0], false);
        render(&pair[1], true);
    }
    int fd = -1;
    while (more()) {
        if (fd < 0 && (fd = client_dial(opt.host, opt.port)) < 0) {
            w->broken++;
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
            continue;
        }
        bool closing = false;
        double began = wait_turn();
        const struct body *b = next_body(pair);
        int status = client_send(fd, b->p, b->n) ? client_answer(fd, buf, CLIENT_ANSWER_MAX, &closing) : 0;
        count(w, status, began);
        if (status == 0 || closing) {
            close(fd);
            fd = -1;
        }
    }
    if (fd >= 0)
        close(fd);
    free(pair[0].p);
    free(pair[1].p);
    free(pair);
    free(buf);
    return NULL;
}

/* ---- the sum ----------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* What the generator itself used of the processors that it shares with the server. */
static double processor_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int report(struct worker *w, double took)
{
    struct worker sum = {0};
    for (unsigned i = 0; i < opt.connections; i++) {
        sum.ok += w[i].ok;
        sum.refused += w[i].refused;
        sum.other += w[i].other;
        sum.broken += w[i].broken;
        sum.n_us += w[i].n_us;
        if (w[i].last_status)
            sum.last_status = w[i].last_status;
    }
    sum.us = client_must(calloc(sum.n_us + 1, sizeof *sum.us));
    size_t n = 0;
    for (unsigned i = 0; i < opt.connections; i++) {
        memcpy(sum.us + n, w[i].us, w[i].n_us * sizeof *sum.us);
        n += w[i].n_us;
        free(w[i].us);
    }
    qsort(sum.us, n, sizeof *sum.us, by_value);
    printf(
        "{\"alerts_per_s\":%.0f,\"requests_per_s\":%.0f,\"alerts\":%lu,\"seconds\":%.3f,\"ok\":%lu,\"refused_503\":%lu,"
        "\"other\":%lu,\"broken\":%lu,\"last_other_status\":%d,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"processor_s\":%.3f}\n",
        (double)(sum.ok * opt.alerts) / took, (double)sum.ok / took, sum.ok * opt.alerts, took, sum.ok,
        sum.refused, sum.other, sum.broken, sum.last_status, n ? sum.us[n / 2] / 1e3 : 0.0,
        n ? sum.us[n * 99 / 100] / 1e3 : 0.0, processor_seconds());
    free(sum.us);
    return sum.ok > 0 && sum.other == 0 ? 0 : 1;
}

static void usage(void)
{
    fprintf(
        stderr,
        "usage: load HOST:PORT [--path P] [--format v2|webhook] [--connections N] [--alerts N] [--seconds S]\n"
        "            [--requests N] [--token-file F] [--same] [--prefix TEXT] [--rate R] [--flip N] [--nodes N]\n"
        "            [--spread S] [--get]\n");
    exit(2);
}

static void options(int argc, char **argv)
{
    static char address[256];
    if (argc < 2 || !strchr(argv[1], ':'))
        usage();
    snprintf(address, sizeof address, "%s", argv[1]);
    char *colon = strrchr(address, ':');
    *colon = 0;
    opt.host = address;
    opt.port = colon + 1;
    for (int i = 2; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--same") == 0) {
            opt.same = true;
            continue;
        }
        if (strcmp(name, "--get") == 0) {
            opt.get = true;
            continue;
        }
        const char *value = i + 1 < argc ? argv[++i] : (usage(), "");
        if (strcmp(name, "--path") == 0)
            opt.path = value;
        else if (strcmp(name, "--prefix") == 0)
            opt.prefix = value;
        else if (strcmp(name, "--format") == 0)
            opt.webhook = strcmp(value, "webhook") == 0;
        else if (strcmp(name, "--connections") == 0)
            opt.connections = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(name, "--alerts") == 0)
            opt.alerts = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(name, "--seconds") == 0)
            opt.seconds = strtod(value, NULL);
        else if (strcmp(name, "--rate") == 0)
            opt.rate = strtod(value, NULL);
        else if (strcmp(name, "--flip") == 0)
            opt.flip = strtoull(value, NULL, 10);
        else if (strcmp(name, "--spread") == 0)
            opt.spread = strtoull(value, NULL, 10);
        else if (strcmp(name, "--nodes") == 0)
            opt.nodes = strtoull(value, NULL, 10);
        else if (strcmp(name, "--requests") == 0)
            opt.requests = strtoull(value, NULL, 10);
        else if (strcmp(name, "--token-file") == 0)
            client_token(value, opt.token, sizeof opt.token);
        else
            usage();
    }
    if (!opt.path)
        opt.path = opt.webhook ? "/api/v1/intake/alertmanager" : "/api/v2/alerts";
    if (opt.connections < 1 || opt.connections > 1024 || opt.alerts < 1 || opt.alerts > ALERTS_MAX)
        usage();
}

int main(int argc, char **argv)
{
    options(argc, argv);
    atomic_store(&requests_left, opt.requests);
    struct worker *w = client_must(calloc(opt.connections, sizeof *w));
    double began = client_now();
    today = time(NULL);
    start = began;
    deadline = began + opt.seconds;
    for (unsigned i = 0; i < opt.connections; i++) {
        w[i].us = client_must(malloc(LATENCIES_MAX * sizeof *w[i].us)); /* touched as it fills */
        if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0) {
            fprintf(stderr, "load: cannot start a thread\n");
            return 1;
        }
    }
    for (unsigned i = 0; i < opt.connections; i++)
        pthread_join(w[i].thread, NULL);
    int rc = report(w, client_now() - began);
    free(w);
    return rc;
}
