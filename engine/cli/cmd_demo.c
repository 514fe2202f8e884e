/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_demo.c -- a scripted outage of a ten-service shop against a running engine: real webhook
 * payloads over HTTP, a small real service that breaks and is restarted by a playbook. Also the end-to-end test. */
#include "cli.h"
#include "demo_shop.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    POLL_MS = 250,
    APPROVE_AFTER_MS = 7500, /* time to read before the button is pressed */
    GIVE_UP_MS = 75000,
    BEGIN_MS = 30000,    /* an engine that is just starting, or starting again, is waited for */
    SERVICE_PORT = 9197, /* the one `dev up` allows playbooks to call */
    BATCHES = 3,         /* groups of the recovery's resolved alerts */
};

struct demo {
    struct args *a;
    struct demo_service *service;
    fl_usec t0_wall, t0;
    size_t sent; /* firing alerts posted */
    bool resolved_sent, approved, asked, away, cause_right, no_approve;
    char incident[64], run[64], run_state[32], state[32], cause[256];
    int64_t last_event, last_n; /* of the timeline, printed */
    unsigned joins;
};

/* ---- telling the story ---- */

static double seconds(const struct demo *d)
{
    return (double)(fl_mono() - d->t0) / 1e6;
}

static void tell(const struct demo *d, const char *mark, const char *text)
{
    printf("%6.1f s  %-9s ", seconds(d), mark);
    put_text(stdout, text, 0);
    putchar('\n');
    fflush(stdout);
}

static void wait_ms(int ms)
{
    struct pollfd none = {.fd = -1};
    poll(&none, 1, ms);
}

/* ---- talking to the engine, which may be away for a moment (that is part of what the demo shows) ---- */

static int ask(struct demo *d, const char *method, const char *path, const struct fl_buf *body,
               struct reply *r)
{
    int rc = try_server(d->a, method, path, body ? body->p : NULL, body ? body->n : 0, r);
    bool away = rc == EXIT_UNREACHABLE;
    if (away && !d->away)
        tell(d, "engine", "is away; the senders keep trying, as an Alertmanager would");
    if (!away && d->away)
        tell(d, "engine", "is back and goes on where it was");
    d->away = away;
    return rc;
}

static int get(struct demo *d, const char *path, struct reply *r)
{
    return ask(d, "GET", path, NULL, r);
}

static bool post(struct demo *d, const char *path, const struct fl_buf *body)
{
    AUTO_REPLY r = {0};
    return ask(d, "POST", path, body, &r) == 0;
}

/* ---- the shop and its monitoring ---- */

static void send_due(struct demo *d, const struct demo_alert *v, size_t n)
{
    unsigned now_ms = (unsigned)((fl_mono() - d->t0) / 1000);
    size_t to = d->sent;
    while (to < n && v[to].at_ms <= now_ms)
        to++;
    if (to == d->sent)
        return;
    FL_AUTO_BUF b = fl_buf_init(0);
    demo_webhook(&b, v, d->sent, to, d->t0_wall, 0);
    if (!post(d, "/api/v1/intake/alertmanager", &b))
        return; /* a 503 or no engine: the same alerts go again next time */
    if (d->sent == 0)
        tell(d, "monitor", "first alerts are accepted and committed");
    d->sent = to;
    if (to == n) {
        char line[64];
        snprintf(line, sizeof line, "%zu alerts sent, the storm is complete", n);
        tell(d, "monitor", line);
    }
}

static void send_recovery(struct demo *d, const struct demo_alert *v, size_t n)
{
    fl_usec now = fl_now();
    for (size_t k = 0; k < BATCHES; k++) {
        FL_AUTO_BUF b = fl_buf_init(0);
        demo_webhook(&b, v, n * k / BATCHES, n * (k + 1) / BATCHES, d->t0_wall, now);
        if (!post(d, "/api/v1/intake/alertmanager", &b))
            return; /* resolving twice is harmless: all of it goes again */
    }
    d->resolved_sent = true;
    tell(d, "monitor", "pg-catalog answers again: all alerts are reported resolved");
}

/* ---- what the engine says ---- */

static void find_incident(struct demo *d)
{
    AUTO_REPLY r = {0};
    char since[FL_TIME_LEN], path[128];
    snprintf(path, sizeof path, "/api/v1/incidents?state=open&since=%s",
             fl_time_format(d->t0_wall - FL_USEC_PER_SEC, since));
    if (get(d, path, &r))
        return;
    const struct fl_json *list = list_of(r.json, "incidents");
    int64_t most = 0;
    for (size_t i = 0; i < fl_json_len(list); i++) {
        const struct fl_json *row = fl_json_at(list, i);
        int64_t n = fl_json_int(row, "alerts_total", 0);
        if (n > most) {
            most = n;
            snprintf(d->incident, sizeof d->incident, "%s", fl_json_str(row, "id", ""));
        }
    }
}

static void tell_timeline(struct demo *d)
{
    AUTO_REPLY r = {0};
    char path[160];
    snprintf(path, sizeof path, "/api/v1/incidents/%s/timeline", d->incident);
    if (get(d, path, &r))
        return;
    const struct fl_json *list = list_of(r.json, "timeline");
    for (size_t i = 0; i < fl_json_len(list); i++) {
        const struct fl_json *row = fl_json_at(list, i);
        int64_t event = fl_json_int(row, "event_seq", 0), n = fl_json_int(row, "n", 0);
        if (event < d->last_event || (event == d->last_event && n <= d->last_n))
            continue;
        d->last_event = event;
        d->last_n = n;
        const char *kind = fl_json_str(row, "kind", ""), *dot = strrchr(kind, '.');
        if (strcmp(kind, "alert.joined") == 0 && d->joins++ >= 4)
            continue; /* the rest of a storm is in `incident show` */
        if (strcmp(kind, "alert.changed") == 0)
            continue;
        tell(d, dot ? dot + 1 : kind, fl_json_str(row, "text", ""));
    }
}

static void look_at_incident(struct demo *d)
{
    AUTO_REPLY r = {0};
    char path[160];
    snprintf(path, sizeof path, "/api/v1/incidents/%s", d->incident);
    if (get(d, path, &r))
        return;
    const struct fl_json *into = fl_json_get(r.json, "merged_into");
    if (into && *fl_json_string(into)) {
        snprintf(d->incident, sizeof d->incident, "%s", fl_json_string(into));
        d->last_event = d->last_n = 0;
        return;
    }
    snprintf(d->state, sizeof d->state, "%s", fl_json_str(r.json, "state", ""));
    snprintf(d->cause, sizeof d->cause, "%s", fl_json_str(r.json, "cause", ""));
    const struct fl_json *runs = fl_json_get(r.json, "runs");
    for (size_t i = 0; i < fl_json_len(runs); i++) {
        const struct fl_json *run = fl_json_at(runs, i);
        if (strcmp(fl_json_str(run, "playbook", ""), "restart-service") != 0)
            continue;
        snprintf(d->run, sizeof d->run, "%s", fl_json_str(run, "id", ""));
        snprintf(d->run_state, sizeof d->run_state, "%s", fl_json_str(run, "state", ""));
    }
}

static void tell_ranking(struct demo *d)
{
    AUTO_REPLY r = {0};
    char path[160], line[600];
    snprintf(path, sizeof path, "/api/v1/incidents/%s/ranking", d->incident);
    if (get(d, path, &r))
        return;
    const struct fl_json *ranking = fl_json_get(r.json, "ranking");
    const struct fl_json *list = fl_json_get(ranking ? ranking : r.json, "candidates");
    for (size_t i = 0; i < fl_json_len(list) && i < 3; i++) {
        const struct fl_json *c = fl_json_at(list, i);
        const struct fl_json *first = fl_json_at(fl_json_get(c, "contributions"), 0);
        snprintf(line, sizeof line, "%zu. %-12.60s %3.0f %%  %.400s", i + 1, fl_json_str(c, "node", "?"),
                 100 * fl_json_real(c, "confidence", 0), fl_json_str(first, "text", ""));
        tell(d, i ? "" : "causes", line);
    }
}

/* ---- approval ---- */

static void approve(struct demo *d)
{
    char path[160];
    snprintf(path, sizeof path, "/api/v1/runs/%s/approve", d->run);
    FL_AUTO_BUF plain = fl_buf_init(0), override = fl_buf_init(0);
    fl_buf_str(&plain, "{}");
    fl_buf_str(&override, "{\"override\":true}");
    AUTO_REPLY r = {0};
    int rc = ask(d, "POST", path, &plain, &r);
    if (rc == EXIT_UNREACHABLE)
        return;
    if (r.code == 409) {
        /* Played twice within the hour: the cooldown holds it back, and a person may say so knowingly. */
        const struct fl_json *e = fl_json_get(r.json, "error");
        tell(d, "guard", fl_json_str(e, "message", "refused"));
        if (strcmp(fl_json_str(e, "field", ""), "guard") == 0) {
            tell(d, "you", "override it (recorded): faultline playbook approve --override");
            AUTO_REPLY r2 = {0};
            rc = ask(d, "POST", path, &override, &r2);
        }
    }
    d->approved = rc == 0 || r.code == 409;
}

/* The engine was stopped in the middle of the restart and cannot know: a person looks at the service and says. */
static void maybe_settle(struct demo *d)
{
    if (strcmp(d->run_state, "in_doubt") != 0)
        return;
    bool done = demo_service_restarts(d->service) > 0;
    char path[160];
    FL_AUTO_BUF b = fl_buf_init(0);
    snprintf(path, sizeof path, "/api/v1/runs/%s/settle", d->run);
    fl_buf_printf(&b, "{\"verdict\":\"%s\"}", done ? "done" : "retry");
    if (post(d, path, &b))
        tell(d, "you",
             done ? "settle the call in doubt: the restart did happen"
                  : "settle the call in doubt: it never arrived, try again");
}

static void maybe_approve(struct demo *d)
{
    if (!*d->run || strcmp(d->run_state, "proposed") != 0 || d->approved)
        return;
    if (!d->asked && seconds(d) * 1000 >= APPROVE_AFTER_MS - 2000) {
        tell_ranking(d);
        char line[160];
        snprintf(line, sizeof line, "%s asks for an approval%s", d->run,
                 d->no_approve ? ": faultline playbook approve it in another terminal"
                               : "; a person says yes");
        tell(d, "playbook", line);
        d->asked = true;
    }
    if (!d->no_approve && seconds(d) * 1000 >= APPROVE_AFTER_MS)
        approve(d);
}

/* ---- beginning and end ---- */

/* As call_server(), but an engine that is away or starting is asked again: all that is sent here may be sent twice.
 * @return its exit code; what else went wrong has been said, except a 404. */
static int insist(struct demo *d, const char *method, const char *path, const struct fl_buf *body,
                  struct reply *r)
{
    const char *text = body ? body->p : NULL;
    size_t n = body ? body->n : 0;
    fl_usec until = fl_mono() + BEGIN_MS * INT64_C(1000);
    int rc = try_server(d->a, method, path, text, n, r);
    if (rc == EXIT_UNREACHABLE) {
        printf("faultline: the engine does not answer; waiting up to %d s for it\n", BEGIN_MS / 1000);
        fflush(stdout);
    }
    while (rc == EXIT_UNREACHABLE && fl_mono() < until) {
        wait_ms(POLL_MS);
        reply_done(r);
        rc = try_server(d->a, method, path, text, n, r);
    }
    if (!rc || (r->code == 404 && !body))
        return rc;
    reply_done(r);
    return call_server(d->a, method, path, text, n, r); /* says aloud what is wrong */
}

/* The demo's graph replaces the realm's: never somebody's real one. */
static int refuse_foreign_topology(struct demo *d)
{
    AUTO_REPLY r = {0};
    int rc = insist(d, "GET", "/api/v1/topology", NULL, &r);
    if (rc)
        return r.code == 404 ? 0 : rc; /* no graph yet; not knowing is no leave to replace somebody's */
    const struct fl_json *nodes = fl_json_get(r.json, "nodes");
    for (size_t i = 0; i < fl_json_len(nodes); i++) {
        const struct fl_json *n = fl_json_at(nodes, i);
        if (strcmp(fl_json_str(fl_json_get(n, "labels"), "demo", ""), "shop") != 0 &&
            !arg_set(d->a, "force")) {
            fprintf(
                stderr,
                "faultline: topology: this realm has a graph of its own (component \"%s\"), which the demo would "
                "replace; run the demo on another engine, or with --force\n",
                fl_json_str(n, "id", "?"));
            return EXIT_REFUSED;
        }
    }
    return 0;
}

static int prepare(struct demo *d, int port)
{
    int rc = refuse_foreign_topology(d);
    if (rc)
        return rc;
    struct fl_err err = {0};
    fl_status st = demo_service_start(port, &d->service, &err);
    if (st != FL_OK)
        return fail_with("demo", &err);
    FL_AUTO_BUF topology = fl_buf_init(0), change = fl_buf_init(0);
    demo_topology(&topology, demo_service_port(d->service));
    demo_change(&change, fl_now());
    AUTO_REPLY put = {0}, posted = {0};
    rc = insist(d, "PUT", "/api/v1/topology", &topology, &put);
    return rc ? rc : insist(d, "POST", "/api/v1/changes", &change, &posted);
}

static bool is_over(const struct demo *d)
{
    return strcmp(d->state, "resolved") == 0;
}

static void play(struct demo *d)
{
    const struct demo_alert *v;
    size_t n = demo_alerts(&v);
    demo_service_break(d->service);
    d->t0 = fl_mono();
    d->t0_wall = fl_now();
    tell(d, "shop",
         "pg-catalog, the catalogue's database, runs out of connections (a real process on loopback)");
    while (!is_over(d) && (fl_mono() - d->t0) / 1000 < GIVE_UP_MS) {
        send_due(d, v, n);
        if (!*d->incident || d->sent < n)
            find_incident(d);
        if (*d->incident) {
            look_at_incident(d);
            tell_timeline(d);
            if (d->sent == n)
                maybe_approve(d);
            maybe_settle(d);
        }
        if (d->sent == n && !d->resolved_sent && demo_service_healthy(d->service))
            send_recovery(d, v, n);
        if (strcmp(d->cause, "pg-catalog") == 0)
            d->cause_right = true;
        else if (*d->cause)
            d->cause_right = false;
        wait_ms(POLL_MS);
    }
}

static int sum_up(struct demo *d)
{
    unsigned restarts = demo_service_restarts(d->service);
    bool good = is_over(d) && d->cause_right && restarts == 1 && strcmp(d->run_state, "succeeded") == 0;
    printf("\n%s\n", good ? "The outage is over." : "The demo did not end as it should.");
    printf("  incident   %s, %s\n", *d->incident ? d->incident : "none",
           *d->state ? d->state : "never opened");
    printf("  cause      %s (%s)\n", *d->cause ? d->cause : "none named",
           d->cause_right ? "right" : "it was pg-catalog");
    printf("  run        %s, %s\n", *d->run ? d->run : "none", *d->run_state ? d->run_state : "not started");
    printf("  witness    the service was restarted %u time%s\n\n", restarts, restarts == 1 ? "" : "s");
    printf("Look deeper:\n");
    printf("  faultline incident show %s      causes, evidence, timeline\n", d->incident);
    printf("  faultline playbook show %s      every call, its intent and its outcome\n",
           *d->run ? d->run : "RUN");
    printf("  faultline audit search --incident %s\n", d->incident);
    printf("  faultline audit verify                        the whole chain\n");
    return good ? EXIT_FINE : EXIT_FINDING;
}

int cmd_demo(struct args *a)
{
    struct demo d = {.a = a, .no_approve = arg_set(a, "no-approve")};
    int64_t port = SERVICE_PORT;
    const char *p = arg(a, "service-port");
    if (p && !fl_parse_i64(p, 0, 65535, &port))
        return usage_error("--service-port: \"%s\" is no port number", p);
    signal(SIGPIPE, SIG_IGN);
    int rc = prepare(&d, (int)port);
    if (!rc) {
        play(&d);
        rc = sum_up(&d);
    }
    demo_service_stop(d.service);
    return rc;
}
