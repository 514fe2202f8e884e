/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/daemon.c -- the order of start and stop; signals (layer 6). Contract in <faultline/daemon.h>.
 * Start follows the flow from its end to its beginning, stop goes the other way round. */
#include "daemon_priv.h"

#include <faultline/json.h>
#include <faultline/script.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- events of the engine itself ---- */

typedef void (*on_committed)(void *ctx, fl_status st, uint64_t seq, fl_usec at);
typedef void (*on_answered)(void *ctx, fl_status st, const char *json);

static fl_status post_as(struct engine *e, const char *actor, fl_event_kind kind, const char *body, size_t n,
                         on_committed committed, on_answered answered)
{
    struct fl_arena *a = fl_arena_new(0);
    struct fl_submission *sub = a ? fl_arena_calloc(a, 1, sizeof *sub) : NULL;
    const void *copy = sub ? fl_arena_strndup(a, body, n) : NULL;
    const char *by = sub ? fl_arena_strdup(a, actor) : NULL;
    if (!copy || !by) {
        fl_arena_free(a);
        return FL_E_NOMEM;
    }
    *sub = (struct fl_submission){.kind = kind,
                                  .actor = by,
                                  .source = "",
                                  .body = copy,
                                  .body_len = n,
                                  .arena = a,
                                  .reserved = true,
                                  .committed = committed,
                                  .answered = answered,
                                  .ctx = e};
    fl_sha256(copy, n, &sub->body_hash);
    fl_status st = fl_store_submit(e->store, sub);
    if (st != FL_OK)
        fl_arena_free(a);
    return st;
}

static fl_status post(struct engine *e, fl_event_kind kind, const char *body, size_t n,
                      on_committed committed, on_answered answered)
{
    return post_as(e, "engine", kind, body, n, committed, answered);
}

fl_status engine_post_as(struct engine *e, const char *actor, fl_event_kind kind, const char *body, size_t n,
                         void (*committed)(void *ctx, fl_status st, uint64_t seq, fl_usec at))
{
    return post_as(e, actor, kind, body, n, committed, NULL);
}

fl_status engine_post(struct engine *e, fl_event_kind kind, const char *body, size_t n)
{
    return post(e, kind, body, n, NULL, NULL);
}

static fl_status post_of_runner(void *ctx, fl_event_kind kind, const char *body, size_t n)
{
    return engine_post(ctx, kind, body, n);
}

/*
 * Steps that recovery projects carry orders of a life that ended. What must still be done is decided anew by the
 * step of engine.started, which knows what may have been released before; so orders count from that step on.
 */
static void on_order(void *ctx, const struct fl_effects *fx)
{
    struct engine *e = ctx;
    if (fx->event_seq >= atomic_load(&e->orders_from))
        fl_runner_order(e->runner, fx);
}

/* Before the event reaches the core, so before any order of its step. */
static void started_committed(void *ctx, fl_status st, uint64_t seq, fl_usec at)
{
    struct engine *e = ctx;
    (void)at;
    if (st == FL_OK) {
        atomic_store(&e->orders_from, seq);
        return;
    }
    /* Nothing would ever be ordered again: better to end and be started anew. */
    struct fl_err err = {0};
    fl_fail(&err, st, "daemon", "the start could not be committed");
    core_fail(e, &err);
}

/* ---- configuration: checked whole, then swapped by an event ---- */

static void config_answered(void *ctx, fl_status st, const char *json)
{
    (void)ctx;
    if (st != FL_OK)
        fl_log(FL_LOG_ERROR, "daemon", "the new configuration was refused: %s",
               json ? json : fl_status_name(st));
    else
        fl_log(FL_LOG_INFO, "daemon", "the new configuration is in force");
}

static void topology_answered(void *ctx, fl_status st, const char *json)
{
    (void)ctx;
    fl_log(st == FL_OK ? FL_LOG_INFO : FL_LOG_ERROR, "daemon", "topology %s: %s",
           st == FL_OK ? "loaded" : "refused", json ? json : fl_status_name(st));
}

struct first_problem {
    struct fl_err err;
    size_t n;
};

static void log_problem(void *ctx, const struct fl_err *err)
{
    struct first_problem *p = ctx;
    fl_log_err(FL_LOG_ERROR, "daemon", "cannot load", err);
    if (!p->n++)
        p->err = *err;
}

static bool same_hash(const struct fl_sha256 *a, const struct fl_sha256 *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static bool topology_in_force(struct engine *e, const struct fl_sources *s)
{
    struct fl_topology_doc doc;
    FL_AUTO_ARENA arena = fl_arena_new(0);
    if (!arena || fl_intake_topology(arena, s->topology, s->topology_n, &doc, NULL) != FL_OK)
        return true;
    FL_AUTO_BUF canonical = fl_buf_init(0);
    if (fl_topology_text(&doc, &canonical) != FL_OK)
        return true;
    pthread_mutex_lock(&e->lock);
    bool same = same_hash(&e->topology_hash, &doc.hash);
    pthread_mutex_unlock(&e->lock);
    return same;
}

/* Sources are read where bodies are received, and go into the journal with each body: no event of their own. */
static void take_mappings(struct engine *e, const struct fl_sources *s)
{
    struct fl_err err = {0};
    FL_AUTO_JSON config = fl_json_parse(s->config, s->config_n, &err);
    const struct fl_json *list = fl_json_get(fl_json_get(config, "rules"), "sources");
    FL_AUTO_FREE char *text = list ? fl_json_text(list, true) : NULL;
    struct fl_json *fresh = text ? fl_json_parse(text, strlen(text), &err) : NULL;
    pthread_mutex_lock(&e->lock);
    struct fl_json *old = e->mappings;
    e->mappings = fresh;
    pthread_mutex_unlock(&e->lock);
    fl_json_free(old);
    /* A copy of its own: what the core has belongs to the core's thread. */
    const struct fl_json *part = fl_json_get(config, "rules");
    FL_AUTO_FREE char *rules_text = part ? fl_json_text(part, true) : NULL;
    struct fl_rules *rules = NULL;
    if (rules_text && fl_rules_from_json(rules_text, strlen(rules_text), &rules, &err) == FL_OK &&
        !fl_heartbeats_rules(e->heartbeats, rules, fl_mono()))
        fl_log(FL_LOG_ERROR, "daemon", "out of memory: heartbeats are watched by the old rules");
}

static char *engine_mapping(void *ctx, const char *source)
{
    struct engine *e = ctx;
    char *text = NULL;
    pthread_mutex_lock(&e->lock);
    for (size_t i = 0; !text && i < fl_json_len(e->mappings); i++)
        if (strcmp(fl_json_str(fl_json_at(e->mappings, i), "name", ""), source) == 0)
            text = fl_json_text(fl_json_at(e->mappings, i), true);
    pthread_mutex_unlock(&e->lock);
    return text;
}

/* What differs from what is in force becomes an event. */
static fl_status apply_sources(struct engine *e, const struct fl_sources *s, struct fl_err *err)
{
    pthread_mutex_lock(&e->lock);
    bool same = same_hash(&e->config_hash, &s->hash);
    pthread_mutex_unlock(&e->lock);
    fl_status st = same ? FL_OK : post(e, FL_EV_CONFIG, s->config, s->config_n, NULL, config_answered);
    if (st == FL_OK && s->topology && !topology_in_force(e, s))
        st = post(e, FL_EV_TOPOLOGY, s->topology, s->topology_n, NULL, topology_answered);
    if (st == FL_OK)
        take_mappings(e, s);
    return st == FL_OK
               ? st
               : fl_fail(err, st, "configuration", "it could not be committed: the database is away or busy");
}

static fl_status reload(void *ctx, struct fl_err *err)
{
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    struct engine *e = ctx;
    struct fl_sources fresh;
    struct first_problem p = {.n = 0};
    pthread_mutex_lock(&one);
    fl_status st = fl_sources_load(e->config, &fresh, log_problem, &p);
    if (st == FL_OK) {
        st = apply_sources(e, &fresh, err);
        fl_sources_done(&fresh);
    } else {
        *err = p.err;
        fl_log(FL_LOG_ERROR, "daemon", "%zu problems: rules and playbooks stay as they are", p.n);
    }
    pthread_mutex_unlock(&one);
    return st;
}

/* ---- what http asks ---- */

bool engine_ready(void *ctx, char *why, size_t cap)
{
    struct engine *e = ctx;
    pthread_mutex_lock(&e->lock);
    enum core_state state = e->state;
    pthread_mutex_unlock(&e->lock);
    enum fl_store_health health = fl_store_health(e->store);
    const char *text = state == CORE_RECOVERING    ? "recovering: the journal is being read\n"
                       : state == CORE_FAILED      ? "the core stopped on an error\n"
                       : state == CORE_STOPPED     ? "stopping\n"
                       : health == FL_STORE_DOWN   ? "the database is away\n"
                       : health == FL_STORE_FENCED ? "another process owns the realm\n"
                                                   : NULL;
    if (text && cap)
        snprintf(why, cap, "%s", text);
    return !text;
}

static void metric(struct fl_buf *b, const char *name, const char *type, const char *help,
                   unsigned long long v)
{
    fl_buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, type, name, v);
}

struct beat_lines {
    struct fl_buf *silent, *age;
};

static void beat_line(void *ctx, const char *name, bool missed, fl_usec silent)
{
    struct beat_lines *l = ctx;
    FL_AUTO_BUF label = fl_buf_init(1024);
    for (const char *c = name; *c; c++)
        fl_buf_printf(&label, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c == '\n' ? ' ' : *c);
    fl_buf_printf(l->silent, "faultline_heartbeat_silent{heartbeat=\"%s\"} %d\n", label.p ? label.p : "",
                  missed);
    fl_buf_printf(l->age, "faultline_heartbeat_age_seconds{heartbeat=\"%s\"} %.3f\n", label.p ? label.p : "",
                  (double)silent / 1e6);
}

static void beat_metrics(struct engine *e, struct fl_buf *b)
{
    FL_AUTO_BUF silent = fl_buf_init(1 << 20), age = fl_buf_init(1 << 20);
    struct beat_lines l = {&silent, &age};
    fl_heartbeats_each(e->heartbeats, fl_mono(), beat_line, &l);
    fl_buf_printf(b, "# HELP faultline_heartbeat_silent 1 while a watched sender is silent.\n"
                     "# TYPE faultline_heartbeat_silent gauge\n");
    fl_buf_add(b, silent.p, silent.n);
    fl_buf_printf(b, "# HELP faultline_heartbeat_age_seconds Since the last report of a watched sender.\n"
                     "# TYPE faultline_heartbeat_age_seconds gauge\n");
    fl_buf_add(b, age.p, age.n);
}

static void metrics(void *ctx, struct fl_buf *b)
{
    struct engine *e = ctx;
    struct fl_runner_stats r = {0};
    pthread_mutex_lock(&e->lock);
    struct fl_flow_stats f = e->flow_stats;
    struct fl_model_stats models = e->model_stats;
    bool running = e->state == CORE_RUNNING;
    uint64_t head = e->head.seq;
    pthread_mutex_unlock(&e->lock);
    fl_runner_stats(e->runner, &r);
    metric(b, "faultline_ready", "gauge", "1 once recovered.", running);
    fl_buf_printf(
        b,
        "# HELP faultline_recovery_seconds Time the last recovery took.\n# TYPE faultline_recovery_seconds gauge\n"
        "faultline_recovery_seconds %.6f\n",
        (double)e->recovery_took / 1e6);
    metric(b, "faultline_recovery_events", "gauge", "Journal events read by the last recovery.", e->replayed);
    snapshot_metrics(e, b);
    metric(b, "faultline_core_seq", "gauge", "Sequence of the last event the core took.",
           atomic_load(&e->core_seq));
    metric(b, "faultline_core_inbox", "gauge", "Events waiting for the core.", fl_queue_items(e->inbox));
    metric(b, "faultline_core_reread_total", "counter",
           "Events read from the journal again because too many waited for the core.",
           atomic_load(&e->reread));
    metric(b, "faultline_core_events_total", "counter", "Events the state was made of.", f.events);
    metric(b, "faultline_core_alerts_total", "counter", "Alerts the core took.", f.alerts_in);
    metric(b, "faultline_core_repeats_total", "counter", "Alerts that were known already.", f.repeats);
    metric(b, "faultline_core_unmapped_total", "counter", "Alerts that match no component.", f.unmapped);
    metric(b, "faultline_alerts_firing", "gauge", "Alerts firing.", f.alerts_firing);
    metric(b, "faultline_alerts_stale", "gauge", "Alerts whose sender fell silent.", f.alerts_stale);
    metric(b, "faultline_alerts_held", "gauge",
           "Live alerts that something keeps out of incidents: a silence, an inhibition, a threshold, …",
           f.alerts_held);
    metric(b, "faultline_alerts_suppressed_total", "counter",
           "Alerts that were kept out of incidents when they came.", f.suppressed);
    metric(b, "faultline_alerts_flapping", "gauge", "Alerts that flap: they count as firing.",
           f.alerts_flapping);
    metric(b, "faultline_alert_flaps_total", "counter", "How often an alert began to flap.", f.flaps);
    metric(b, "faultline_incidents_open", "gauge", "Incidents not over.", f.incidents_open);
    metric(b, "faultline_incidents_opened_total", "counter", "Incidents opened.", f.incidents_opened);
    metric(b, "faultline_incidents_merged_total", "counter", "Incidents merged into another.", f.merges);
    metric(b, "faultline_runs_total", "counter", "Playbook runs.", f.runs);
    beat_metrics(e, b);
    noise_metrics(e, &f, b);
    metric(b, "faultline_audit_head_seq", "gauge", "Entry of the audit trail that was signed last.", head);
    model_metrics(&models, b);
    metric(b, "faultline_runner_workers", "gauge", "Playbook workers alive.", r.workers);
    metric(b, "faultline_runner_runs_started_total", "counter", "Workers started.", r.runs_started);
    metric(b, "faultline_runner_calls_total", "counter", "Host calls of playbooks.", r.calls);
    metric(b, "faultline_runner_acts_total", "counter", "Effects carried out.", r.acts);
    metric(b, "faultline_runner_acts_failed_total", "counter", "Effects that failed.", r.acts_failed);
    metric(b, "faultline_runner_workers_killed_total", "counter", "Workers killed.", r.workers_killed);
}

/* ---- start ---- */

static fl_status make_dir(const char *path, struct fl_err *err)
{
    char part[512];
    for (size_t i = 1; i <= strlen(path) && i < sizeof part; i++) {
        if (path[i] != '/' && path[i])
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        /* Traversable: a private cluster runs as another user when we are root; secrets inside are 0600. */
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return fl_fail(err, FL_E_IO, path, "could not make the directory %s: %s", part, strerror(errno));
    }
    return FL_OK;
}

static fl_status start_database(struct engine *e, struct fl_err *err)
{
    struct fl_migration_report report;
    fl_status st = FL_OK;
    if (e->config->database && *e->config->database) {
        snprintf(e->conninfo, sizeof e->conninfo, "%s", e->config->database);
    } else {
        char dir[600];
        snprintf(dir, sizeof dir, "%s/postgres", e->data);
        st = make_dir(e->data, err);
        if (st == FL_OK)
            st = fl_cluster_start(dir, &e->cluster, err);
        if (st == FL_OK)
            snprintf(e->conninfo, sizeof e->conninfo, "%s", fl_cluster_conninfo(e->cluster));
    }
    if (st == FL_OK)
        st = fl_migrate(e->conninfo, false, &report, err);
    if (st == FL_OK && report.applied)
        fl_log(FL_LOG_INFO, "daemon", "schema: %d migrations applied, now at %d", report.applied,
               report.current);
    return st;
}

/* An engine beside a database of its own may have no data directory it can write: it works, and says what it lacks. */
static void start_heads(struct engine *e)
{
    struct fl_err err = {0};
    fl_status st = make_dir(e->data, &err);
    if (st == FL_OK)
        st = heads_open(e, &err);
    if (st != FL_OK)
        fl_log_err(FL_LOG_ERROR, "audit", "heads of the audit trail are not signed", &err);
}

static fl_status start_store(struct engine *e, struct fl_err *err)
{
    char host[64] = "host", id[40];
    gethostname(host, sizeof host - 1);
    snprintf(e->owner, sizeof e->owner, "%s/%d/%s", host, (int)getpid(), fl_uuid7(id));
    e->leases = fl_leases_new(e->config->lease_default, e->config->lease_grace);
    e->heartbeats = fl_heartbeats_new();
    e->noise = fl_noise_new();
    e->inbox = fl_queue_new(0, 0);
    if (!e->heartbeats || !e->noise || !e->leases || !e->inbox)
        return fl_fail(err, FL_E_NOMEM, "daemon", "out of memory");
    struct fl_store_options o = {.conninfo = e->conninfo,
                                 .realm = e->config->realm,
                                 .owner = e->owner,
                                 .queue_bytes = (size_t)e->config->queue_bytes,
                                 .lag_events = (size_t)e->config->lag_events,
                                 .deliver = core_deliver,
                                 .order = on_order,
                                 .ctx = e};
    return fl_store_open(&o, &e->store, err);
}

static fl_status start_runner(struct engine *e, struct fl_err *err)
{
    const struct fl_config *c = e->config;
    char halt_file[600];
    fl_status st = fl_worker_find(c->worker, e->worker, sizeof e->worker, err);
    struct fl_http_allow *http = calloc(c->n_http_allow + 1, sizeof *http);
    struct fl_command_allow *commands = calloc(c->n_commands + 1, sizeof *commands);
    if (st == FL_OK && (!http || !commands))
        st = fl_fail(err, FL_E_NOMEM, "daemon", "out of memory");
    for (size_t i = 0; st == FL_OK && i < c->n_http_allow; i++)
        http[i] = (struct fl_http_allow){c->http_allow[i].host, (int)c->http_allow[i].port,
                                         c->http_allow[i].methods};
    for (size_t i = 0; st == FL_OK && i < c->n_commands; i++)
        commands[i] = (struct fl_command_allow){c->commands[i].name, c->commands[i].path, c->commands[i].args,
                                                c->commands[i].patterns};
    snprintf(halt_file, sizeof halt_file, "%s/halt", e->data);
    snprintf(e->own_address, sizeof e->own_address, "%s", c->listen);
    e->barred[0] = e->own_address;
    struct fl_runner_options o = {.worker_program = e->worker,
                                  .http = http,
                                  .n_http = c->n_http_allow,
                                  .commands = commands,
                                  .n_commands = c->n_commands,
                                  .allow_private = c->allow_private_targets,
                                  .barred = e->barred,
                                  .max_workers = (size_t)c->max_workers,
                                  .max_output = 64 * 1024,
                                  .halt_file = halt_file,
                                  .post = post_of_runner,
                                  .ctx = e};
    if (st == FL_OK)
        st = fl_runner_new(&o, &e->runner, err);
    free(http);
    free(commands);
    return st;
}

static fl_status start_http(struct engine *e, struct fl_err *err)
{
    struct fl_http_options o = {.config = e->config,
                                .store = e->store,
                                .leases = e->leases,
                                .heartbeats = e->heartbeats,
                                .noise = e->noise,
                                .conninfo = e->conninfo,
                                .metrics = metrics,
                                .ready = engine_ready,
                                .reload = reload,
                                .mapping = engine_mapping,
                                .head = heads_text,
                                .picture = engine_picture,
                                .ask = engine_ask,
                                .spool_dir = e->data,
                                .ctx = e};
    return fl_http_start(&o, &e->http, err);
}

static void count_token(void *ctx, const struct fl_token *t)
{
    size_t *n = ctx;
    *n += !t->revoked_at;
}

static void say_ready(struct engine *e)
{
    const char *listen_on = e->config->listen, *colon = strrchr(listen_on, ':');
    int host_n = colon ? (int)(colon - listen_on) : 0;
    struct fl_reader *r = NULL;
    size_t tokens = 1;
    fprintf(stderr, "\nfaultline %s is ready on http://%.*s:%d\n", FL_VERSION, host_n, listen_on,
            fl_http_port(e->http));
    fprintf(stderr, "  data      %s\n", e->data);
    fprintf(stderr, "  database  %s\n", e->cluster ? "private cluster under the data directory" : "as given");
    fprintf(stderr, "  rules     %s\n",
            *e->sources.rules_dir ? e->sources.rules_dir : "built in: no folder of rules was found");
    fprintf(stderr, "  playbooks %s (%zu)\n",
            *e->sources.playbooks_dir ? e->sources.playbooks_dir : "none: no folder was found",
            e->sources.n_playbooks);
    if (fl_streq(e->config->auth, "off"))
        fprintf(stderr, "  tokens    none needed: auth = \"off\" on a loopback address\n");
    else if (fl_reader_open(e->conninfo, &r, NULL) == FL_OK) {
        tokens = 0;
        if (fl_token_list(r, e->config->realm, count_token, &tokens, NULL) == FL_OK && !tokens)
            fprintf(stderr,
                    "  tokens    none yet; make the first one with\n"
                    "            faultline token create %s'%s' --role admin --name %s\n",
                    /* a connection string may hold a password: it is not printed */
                    e->cluster ? "--data " : "--database ", e->cluster ? e->data : "URL",
                    getenv("USER") ? getenv("USER") : "admin");
    }
    fl_reader_close(r);
    fprintf(stderr, "\n");
}

/* Recovery first, so that what the state says about configuration and runs is known. */
static fl_status start_core(struct engine *e, struct fl_err *err)
{
    uint64_t projected = fl_store_projected_seq(e->store);
    fl_status st = snapshots_start(e, err);
    if (st == FL_OK)
        st = supervise_start(e, err);
    if (st == FL_OK)
        st = core_start(e, err);
    if (st != FL_OK)
        return st;
    char body[256];
    int n = snprintf(body, sizeof body, "{\"version\":\"%s\",\"epoch\":%llu,\"projected_seq\":%llu}",
                     FL_VERSION, (unsigned long long)fl_store_epoch(e->store), (unsigned long long)projected);
    st = apply_sources(e, &e->sources, err);
    if (st == FL_OK && post(e, FL_EV_ENGINE_STARTED, body, (size_t)n, started_committed, NULL) != FL_OK)
        st = fl_fail(err, FL_E_UNAVAILABLE, "daemon", "the start could not be committed");
    e->has_core_run = st == FL_OK;
    return st == FL_OK ? record_start(e, err) : st;
}

/* ---- stop ---- */

/* Workers under way get a moment to end; what is left resumes at the next start. */
static void stop_runner(struct engine *e)
{
    struct fl_runner_stats r = {0};
    fl_usec until = fl_mono() + STOP_PATIENCE / 3;
    do {
        fl_runner_stats(e->runner, &r);
    } while (r.workers && fl_mono() < until && poll(NULL, 0, 20) == 0);
    fl_runner_stop(e->runner); /* from here on it posts nothing: the store is about to close */
}

static void stop(struct engine *e)
{
    notify("STOPPING=1");
    fl_store_hurry(fl_mono() + STOP_PATIENCE); /* who stops us waits 35 s; the cluster needs some of them */
    if (e->http)
        fl_http_drain(e->http);
    if (e->runner && e->http)
        stop_runner(e);
    record_stop(e);
    supervise_stop(e);
    bool cut = atomic_load(
        &e->interrupted); /* what was not read and projected again is so at the next start */
    if (e->has_core && e->store && !cut) {
        fl_store_drain(e->store, STOP_PATIENCE / 3);
        atomic_store(&e->want_snapshot, true);
        fl_queue_kick(e->inbox);
    }
    e->http = fl_http_stop(e->http);
    if (e->inbox)
        core_stop(e);
    snapshots_stop(e);
    if (e->heads_fd >= 0 && e->has_core_run && !cut)
        record_last(e);
    heads_close(e);
    /* The projector may still hand orders over: the runner goes after the store. */
    e->store = fl_store_close(e->store, cut ? 0 : STOP_PATIENCE / 3);
    e->runner = fl_runner_free(e->runner);
    e->cluster = fl_cluster_stop(e->cluster);
    fl_leases_free(e->leases);
    fl_heartbeats_free(e->heartbeats);
    fl_noise_free(e->noise);
    e->mappings = fl_json_free(e->mappings);
    fl_queue_free(e->inbox);
    fl_sources_done(&e->sources);
    if (e->wake_fd >= 0)
        close(e->wake_fd);
}

/* ---- the main thread ---- */

static fl_status watch(struct engine *e, int sig_fd, struct fl_err *err)
{
    struct pollfd p[2] = {{.fd = sig_fd, .events = POLLIN}, {.fd = e->wake_fd, .events = POLLIN}};
    for (;;) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return fl_fail(err, FL_E_IO, "daemon", "poll: %s", strerror(errno));
        struct signalfd_siginfo si;
        if ((p[0].revents & POLLIN) && read(sig_fd, &si, sizeof si) == sizeof si) {
            struct fl_err problem = {0};
            if (si.ssi_signo == SIGHUP) {
                fl_log(FL_LOG_INFO, "daemon", "SIGHUP: reading rules and playbooks again");
                (void)!reload(e, &problem);
                continue;
            }
            fl_log(FL_LOG_INFO, "daemon", "signal %u: stopping", si.ssi_signo);
            return FL_OK;
        }
        if (p[1].revents & POLLIN) {
            pthread_mutex_lock(&e->lock);
            bool failed = e->state == CORE_FAILED;
            if (failed)
                *err = e->failure;
            pthread_mutex_unlock(&e->lock);
            if (failed)
                return err->status;
            if (fl_store_health(e->store) == FL_STORE_FENCED)
                return fl_fail(err, FL_E_FENCED, "daemon", "another process owns the realm \"%s\" now",
                               e->config->realm);
            eventfd_t n;
            (void)!eventfd_read(e->wake_fd, &n);
        }
    }
}

static fl_status block_signals(int *ret_fd, struct fl_err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || (*ret_fd = signalfd(-1, &set, SFD_CLOEXEC)) < 0)
        return fl_fail(err, FL_E_IO, "daemon", "signals: %s", strerror(errno));
    return FL_OK;
}

static fl_status start(struct engine *e, struct fl_err *err)
{
    struct first_problem p = {.n = 0};
    fl_status st = fl_data_dir(e->config, e->data, sizeof e->data, err);
    if (st == FL_OK && fl_sources_load(e->config, &e->sources, log_problem, &p) != FL_OK) {
        *err = p.err;
        fl_hint(err, "faultline check prints every problem");
        st = err->status;
    }
    if (st == FL_OK)
        st = start_database(e, err);
    if (st == FL_OK)
        start_heads(e);
    if (st == FL_OK)
        st = start_runner(e, err);
    if (st == FL_OK)
        st = start_store(e, err);
    if (st == FL_OK)
        st = start_http(e, err);
    return st == FL_OK ? start_core(e, err) : st;
}

fl_status fl_daemon_run(const struct fl_config *c, struct fl_err *err)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    struct engine *e = calloc(1, sizeof *e);
    FL_AUTO_FD sig_fd = -1;
    if (!e)
        return fl_fail(err, FL_E_NOMEM, "daemon", "out of memory");
    for (size_t i = 0; i < FL_ARRAY_LEN(levels); i++)
        if (fl_streq(c->log_level, levels[i]))
            fl_log_set_level((fl_log_level)i);
    memory_begin();
    e->config = c;
    atomic_store(&e->orders_from, UINT64_MAX);
    e->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&e->lock, NULL);
    asks_init(e);
    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_cond_init(&e->changed, &mono);
    pthread_condattr_destroy(&mono);
    fl_status st = block_signals(&sig_fd, err);
    e->sig_fd = sig_fd;
    e->heads_fd = -1;
    if (st == FL_OK)
        st = start(e, err);
    if (st == FL_OK) {
        say_ready(e);
        notify("READY=1\nSTATUS=accepting alerts");
        st = watch(e, sig_fd, err);
    }
    stop(e);
    if (atomic_load(&e->interrupted)) {
        fl_log(FL_LOG_INFO, "daemon",
               "stopped before recovery was through: nothing is lost, the next start reads it again");
        fl_err_clear(err);
        st = FL_OK;
    }
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
    asks_done(e);
    free(e);
    return st;
}
