/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/bench/latency.c -- from POST to ranked incident readable over HTTP.
 *
 *   latency HOST:PORT --token-file F [--nodes 1000] [--stride 20] [--samples 40] [--topology-only]
 *
 * The graph is a ring of services with chords; each sample is one alert on a service too far from all others to
 * join their incidents, so it opens and ranks one of its own. Prints the topology, or one JSON object. */
#include "client.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    const char *host, *port;
    char token[256];
    unsigned nodes, stride, samples;
} opt = {.nodes = 1000, .stride = 20, .samples = 40};

static int fd = -1;
static char *answer_text;

static void die(const char *what, const char *detail)
{
    fprintf(stderr, "latency: %s: %.400s\n", what, detail);
    exit(1);
}

/* One request on the kept connection; the answer's body is *ret_body. */
static int request(const char *method, const char *path, const char *body, const char **ret_body)
{
    static char out[8192];
    int n = snprintf(out, sizeof out,
                     "%s %s HTTP/1.1\r\nHost: %s:%s\r\nAuthorization: Bearer %s\r\n"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     method, path, opt.host, opt.port, opt.token, strlen(body), body);
    if (n < 0 || (size_t)n >= sizeof out)
        die("request too long", path);
    if (fd < 0 && (fd = client_dial(opt.host, opt.port)) < 0)
        die("cannot connect to", opt.port);
    bool closing = false;
    int status = client_send(fd, out, (size_t)n) ? client_answer(fd, answer_text, CLIENT_ANSWER_MAX, &closing)
                                                 : 0;
    if (status == 0)
        die("connection lost", path);
    if (closing) {
        close(fd);
        fd = -1;
    }
    *ret_body = answer_text + strlen(answer_text) + 4;
    return status;
}

static uint64_t fnv1a(uint64_t h, const char *s)
{
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
    return (h ^ 0xff) * UINT64_C(1099511628211);
}

/* The value of "key" : "…" at its first place, or "". */
static const char *member(const char *json, const char *key, char *ret, size_t cap)
{
    char needle[64];
    snprintf(needle, sizeof needle, "\"%s\"", key);
    const char *p = strstr(json, needle);
    *ret = 0;
    if (p) {
        p += strlen(needle);
        p += strspn(p, " :");
        if (*p++ != '"')
            return ret;
        size_t n = strcspn(p, "\"");
        snprintf(ret, cap, "%.*s", (int)n, p);
    }
    return ret;
}

static double sample(unsigned i)
{
    char node[32], body[2048], path[128], incident[64] = "", first[64], starts[40];
    const char *text;
    time_t t = time(NULL);
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(starts, sizeof starts, "%Y-%m-%dT%H:%M:%SZ", &tm);
    snprintf(node, sizeof node, "svc-%04u", i * opt.stride % opt.nodes);
    snprintf(
        body, sizeof body,
        "{\"version\":\"4\",\"status\":\"firing\",\"receiver\":\"f\",\"alerts\":[{\"status\":\"firing\",\"labels\":"
        "{\"alertname\":\"HighErrorRate\",\"service\":\"%s\",\"severity\":\"critical\"},\"annotations\":{},"
        "\"startsAt\":\"%s\",\"endsAt\":\"0001-01-01T00:00:00Z\"}]}",
        node, starts);
    uint64_t h = UINT64_C(14695981039346656037);
    const char *labels[] = {"alertname", "HighErrorRate", "service", node, "severity", "critical"};
    for (size_t k = 0; k < sizeof labels / sizeof labels[0]; k++)
        h = fnv1a(h, labels[k]);
    double began = client_now();
    if (request("POST", "/api/v1/intake/alertmanager", body, &text) != 200)
        die("the alert was refused", text);
    while (!incident[0]) {
        snprintf(path, sizeof path, "/api/v1/why/%016llx", (unsigned long long)h);
        if (request("GET", path, "", &text) == 200)
            member(text, "incident", incident, sizeof incident);
        if (client_now() - began > 10)
            die("no incident within 10 s", text);
    }
    snprintf(path, sizeof path, "/api/v1/incidents/%s/ranking", incident);
    for (;;) {
        if (request("GET", path, "", &text) == 200 &&
            strcmp(member(text, "node", first, sizeof first), node) == 0)
            return client_now() - began;
        if (client_now() - began > 10)
            die("no ranking with the alert's component within 10 s", text);
    }
}

static void topology(void)
{
    printf("{\"nodes\":[");
    for (unsigned i = 0; i < opt.nodes; i++)
        printf("%s{\"id\":\"svc-%04u\",\"type\":\"service\"}", i > 0 ? "," : "", i);
    printf("],\"edges\":[");
    for (unsigned i = 0; i < opt.nodes; i++)
        printf("%s{\"from\":\"svc-%04u\",\"to\":\"svc-%04u\",\"type\":\"calls\"},"
               "{\"from\":\"svc-%04u\",\"to\":\"svc-%04u\",\"type\":\"calls\"}",
               i > 0 ? "," : "", i, (i + 1) % opt.nodes, i, (i + 3) % opt.nodes);
    printf("]}\n");
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void usage(void)
{
    fprintf(
        stderr,
        "usage: latency HOST:PORT --token-file F [--nodes N] [--stride N] [--samples N] [--topology-only]\n");
    exit(2);
}

int main(int argc, char **argv)
{
    static char address[256];
    bool only_topology = false;
    if (argc < 2 || !strchr(argv[1], ':'))
        usage();
    snprintf(address, sizeof address, "%s", argv[1]);
    char *colon = strrchr(address, ':');
    *colon = 0;
    opt.host = address;
    opt.port = colon + 1;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--topology-only") == 0) {
            only_topology = true;
            continue;
        }
        if (i + 1 == argc)
            usage();
        const char *name = argv[i], *value = argv[++i];
        if (strcmp(name, "--token-file") == 0)
            client_token(value, opt.token, sizeof opt.token);
        else if (strcmp(name, "--nodes") == 0)
            opt.nodes = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(name, "--stride") == 0)
            opt.stride = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(name, "--samples") == 0)
            opt.samples = (unsigned)strtoul(value, NULL, 10);
        else
            usage();
    }
    if (only_topology) {
        topology();
        return 0;
    }
    /* More samples than places on the ring would meet incidents that are open already. */
    if (opt.samples < 1 || opt.samples > opt.nodes / opt.stride)
        usage();
    answer_text = client_must(malloc(CLIENT_ANSWER_MAX));
    double *took = client_must(calloc(opt.samples, sizeof *took));
    for (unsigned i = 0; i < opt.samples; i++) {
        took[i] = sample(i);
        /* The engine is idle between samples. */
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    qsort(took, opt.samples, sizeof *took, by_value);
    printf("{\"nodes\":%u,\"samples\":%u,\"min_ms\":%.1f,\"p50_ms\":%.1f,\"p90_ms\":%.1f,\"max_ms\":%.1f}\n",
           opt.nodes, opt.samples, took[0] * 1e3, took[opt.samples / 2] * 1e3,
           took[opt.samples * 9 / 10] * 1e3, took[opt.samples - 1] * 1e3);
    free(took);
    free(answer_text);
    return 0;
}
