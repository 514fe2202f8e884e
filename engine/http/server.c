/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/server.c -- start, the life of a connection and a request, deadlines, stop (layer 5). */
#include "http_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* The journal may still hold requests when the server has stopped: the last one out frees. */
void http_unref(struct fl_http *h)
{
    if (atomic_fetch_sub(&h->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&h->lock);
    hold_done(&h->hold);
    peers_done(&h->peers);
    loops_done(h);
    free(h->stats);
    free(h);
}

/* ---- one request, as libmicrohttpd hands it over piece by piece ---- */

enum { SWALLOW_MAX = 1 << 20 }; /* of the body of a refused request; past it the connection is cut */

/* The caller is known, or refused, or being looked for (suspended). */
static void admit(struct request *r)
{
    if (auth_check(r) && headers_check_body(r) && hold_admits(r))
        r->admitted = true;
}

static enum MHD_Result on_head(struct request *r, const char *method)
{
    r->head_seen = true;
    if (headers_check(r) && route_find(r, method))
        admit(r);
    if (r->suspended)
        return MHD_YES;
    return atomic_load(&r->phase) == PHASE_ANSWERED ? reply_queue(r) : MHD_YES;
}

/* Refused, but only after the first call: libmicrohttpd takes an answer at the end of the body. */
static enum MHD_Result on_refused(struct request *r, size_t *upload_n)
{
    if (!*upload_n)
        return reply_queue(r);
    r->body_n += *upload_n;
    *upload_n = 0;
    return r->body_n <= SWALLOW_MAX ? MHD_YES : MHD_NO;
}

static void dispatch(struct request *r)
{
    struct fl_http *h = r->http;
    if ((r->route->flags & ROUTE_JOURNAL) && atomic_load(&h->draining)) {
        r->answer.close = true;
        reply_error(r, 503, "draining", NULL, "send it to another replica, or again in a moment",
                    "the engine is stopping");
        return;
    }
    char why[128] = "";
    if ((r->route->flags & ROUTE_JOURNAL) && h->o.ready && !h->o.ready(h->o.ctx, why, sizeof why)) {
        why[strcspn(why, "\n")] = 0;
        reply_error(r, 503, "not_ready", NULL, "send it again", "%s", why);
        return;
    }
    if (r->route->run) {
        r->route->run(r);
        return;
    }
    if (!request_suspend(r))
        return;
    request_ref(r);
    if (fl_queue_push(h->reads, r, 1, false) != FL_OK) {
        reply_error(r, 503, "overload", NULL, "try again in a moment", "too many reads are waiting");
        request_unref(r);
    }
}

static enum MHD_Result on_end(struct request *r)
{
    switch (request_body_end(r)) {
    case FL_OK: dispatch(r); break;
    case FL_E_LIMIT:
        r->answer.close = true;
        reply_error(r, 413, "too_large", NULL, too_large_hint(r), "the body is longer than the limit");
        break;
    default: reply_error(r, 503, "nomem", NULL, NULL, "out of memory"); break;
    }
    /* A suspended connection must not be touched: the handler is called again once it is resumed. */
    if (r->suspended)
        return MHD_YES;
    return atomic_load(&r->phase) == PHASE_ANSWERED ? reply_queue(r) : MHD_YES;
}

enum MHD_Result http_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                             const char *version, const char *upload, size_t *upload_n, void **req_cls)
{
    struct request *r = *req_cls;
    (void)cls;
    (void)mhd;
    (void)url;
    if (!r)
        return MHD_NO;
    r->suspended = false;
    int phase = atomic_load(&r->phase);
    if (phase == PHASE_ANSWERED)
        request_unpark(r);
    if (phase == PHASE_ANSWERED && r->held) {
        r->held = false; /* the first call once more */
        return r->swallow ? MHD_YES : reply_queue(r);
    }
    if (phase == PHASE_ANSWERED)
        return on_refused(r, upload_n);
    if (phase != PHASE_RECEIVING)
        return MHD_YES;
    if (!r->head_seen) {
        r->http10 = strcmp(version, "HTTP/1.1") != 0;
        return on_head(r, method);
    }
    if (!r->admitted) { /* back from looking for the token: this is the first call once more */
        admit(r);
        if (!r->admitted)
            return r->suspended ? MHD_YES : on_refused(r, upload_n);
        if (!*upload_n)
            return MHD_YES;
    }
    if (!*upload_n)
        return on_end(r);
    size_t n = *upload_n;
    *upload_n = 0;
    r->loop->again = true;
    return request_body(r, upload, n) ? MHD_YES : MHD_NO;
}

void http_completed(void *cls, struct MHD_Connection *mhd, void **req_cls,
                    enum MHD_RequestTerminationCode toe)
{
    struct fl_http *h = cls;
    struct request *r = *req_cls;
    (void)mhd;
    (void)toe;
    *req_cls = NULL;
    if (!r)
        return;
    request_unpark(r); /* the client may be gone before the answer: whoever gives it finds nobody */
    pthread_mutex_lock(&h->lock);
    h->n_requests--;
    if (r->connection) {
        r->connection->request = NULL;
        r->connection->since = fl_mono();
    }
    r->connection = NULL;
    pthread_mutex_unlock(&h->lock);
    if (r->budget)
        atomic_fetch_sub(&h->body_bytes, r->budget);
    request_unref(r);
}

static const struct sockaddr *address_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : NULL;
}

enum MHD_Result http_accepts(void *cls, const struct sockaddr *address, socklen_t n)
{
    struct fl_http *h = cls;
    (void)n;
    return peers_room(&h->peers, address) ? MHD_YES : MHD_NO;
}

/* Another loop may have accepted the last one of this address meanwhile: then this one is cut. */
static void count_peer(struct fl_http *h, struct connection *c, struct MHD_Connection *mhd)
{
    const struct sockaddr *address = address_of(mhd);
    c->counted = address && peers_add(&h->peers, address);
    if (c->counted || !address)
        return;
    c->cut = true;
    shutdown(c->fd, SHUT_RDWR);
}

void http_connection(void *cls, struct MHD_Connection *mhd, void **context,
                     enum MHD_ConnectionNotificationCode code)
{
    struct fl_http *h = cls;
    struct connection *c = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd,
                                                                       MHD_CONNECTION_INFO_CONNECTION_FD);
        c = calloc(1, sizeof *c);
        *context = c;
        if (!c)
            return; /* only without a deadline of its own; the idle timeout still holds */
        c->fd = info ? info->connect_fd : -1;
        c->since = fl_mono();
        count_peer(h, c, mhd);
        pthread_mutex_lock(&h->lock);
        c->next = h->connections;
        if (c->next)
            c->next->prev = c;
        h->connections = c;
        h->n_connections++;
        pthread_mutex_unlock(&h->lock);
    } else if (c) {
        pthread_mutex_lock(&h->lock);
        if (c->prev)
            c->prev->next = c->next;
        else
            h->connections = c->next;
        if (c->next)
            c->next->prev = c->prev;
        h->n_connections--;
        pthread_mutex_unlock(&h->lock);
        if (c->counted)
            peers_remove(&h->peers, address_of(mhd));
        free(c);
        *context = NULL;
    }
}

void http_log(void *cls, const char *fmt, va_list ap)
{
    char text[512];
    (void)cls;
    vsnprintf(text, sizeof text, fmt, ap);
    text[strcspn(text, "\n")] = 0;
    fl_log(FL_LOG_DEBUG, "http", "%s", text);
}

/* ---- deadlines: libmicrohttpd counts silence only, a client that drips would live for ever ---- */

enum { LATE_MAX = 256 };

static size_t find_late(struct fl_http *h, struct request **late)
{
    size_t n = 0;
    fl_usec now = fl_mono();
    pthread_mutex_lock(&h->lock);
    for (struct connection *c = h->connections; c; c = c->next) {
        struct request *r = c->request;
        int phase = r ? atomic_load(&r->phase) : PHASE_RECEIVING;
        fl_usec limit = phase >= PHASE_ANSWERING ? 4 * h->deadline
                                                 : h->deadline; /* a slow reader of a long answer */
        if (now - (r ? r->started : c->since) <= limit || c->cut)
            continue;
        if (phase == PHASE_WAITING && n < LATE_MAX) {
            request_ref(r);
            late[n++] = r;
        } else if (phase != PHASE_WAITING && c->fd >= 0) {
            c->cut = true;
            atomic_fetch_add(&h->cut, 1);
            shutdown(c->fd, SHUT_RDWR);
        }
    }
    pthread_mutex_unlock(&h->lock);
    return n;
}

enum { REAP_MS = 250, HOLD_MS = 25 }; /* between two looks; while answers are held back */

static void *reaper_thread(void *ctx)
{
    struct fl_http *h = ctx;
    struct request *late[LATE_MAX];
    struct pollfd p = {.fd = h->wake, .events = POLLIN};
    fl_usec last = 0;
    for (size_t held = 0; poll(&p, 1, held ? HOLD_MS : REAP_MS) == 0 || (p.revents == 0 && errno == EINTR);) {
        held = hold_answer(&h->hold);
        if (fl_mono() - last < REAP_MS * 1000)
            continue;
        last = fl_mono();
        /* All of them: the library cuts a silent connection a second later, without a word. */
        size_t n;
        do {
            n = find_late(h, late);
            for (size_t i = 0; i < n; i++) {
                reply_error(late[i], 503, "timeout", NULL, "try again: it may or may not have been committed",
                            "no answer within the deadline of the request");
                request_unref(late[i]);
            }
        } while (n == LATE_MAX);
    }
    return NULL;
}

static void *read_thread(void *ctx)
{
    struct fl_http *h = ctx;
    struct fl_reader *db = NULL;
    void *item;
    for (;;) {
        if (!fl_queue_pop(h->reads, &item, 1, 0)) {
            if (fl_queue_closed_and_empty(h->reads))
                break;
            continue;
        }
        struct request *r = item;
        struct fl_err err = {0};
        bool needs = !(r->route->flags & ROUTE_NO_DATABASE);
        if (needs && !db && fl_reader_open(h->o.conninfo, &db, &err) != FL_OK)
            reply_status(r, &err);
        else if (atomic_load(&r->phase) == PHASE_WAITING)
            r->route->read(r, db);
        if (r->db_lost)
            db = fl_reader_close(db);
        request_unref(r);
    }
    fl_reader_close(db);
    return NULL;
}

/* ---- listening ---- */

static bool is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24) == 127;
    return sa->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

static fl_status resolve(const char *listen_on, struct addrinfo **ret, struct fl_err *err)
{
    char host[256];
    const char *colon = strrchr(listen_on, ':');
    if (!colon || (size_t)(colon - listen_on) >= sizeof host)
        return fl_fail(err, FL_E_USAGE, "listen", "cannot listen on \"%s\": it is no ADDRESS:PORT",
                       listen_on);
    size_t n = (size_t)(colon - listen_on);
    const char *from = listen_on;
    if (n >= 2 && from[0] == '[' && from[n - 1] == ']') {
        from++;
        n -= 2;
    }
    memcpy(host, from, n);
    host[n] = 0;
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    int rc = getaddrinfo(n ? host : NULL, colon + 1, &hints, ret);
    return rc ? fl_fail(err, FL_E_USAGE, "listen", "cannot listen on \"%s\": %s", listen_on, gai_strerror(rc))
              : FL_OK;
}

/* Our own socket: libmicrohttpd would only say that it did not work. */
static fl_status open_socket(struct fl_http *h, int *ret_fd, bool *ret_v6, struct fl_err *err)
{
    const char *on = h->o.config->listen;
    struct addrinfo *ai = NULL;
    fl_status st = resolve(on, &ai, err);
    if (st != FL_OK)
        return st;
    FL_AUTO_FD fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    if (h->auth_off && !is_loopback(ai->ai_addr)) {
        st = fl_fail(err, FL_E_USAGE, "listen",
                     "cannot listen on \"%s\" with auth = \"off\": it is no loopback address", on);
        fl_hint(err, "listen on 127.0.0.1, or set auth = \"on\" and make tokens");
    } else if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
               bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, 1024) != 0) {
        bool taken = errno == EADDRINUSE;
        st = fl_fail(err, FL_E_IO, "listen", "could not listen on \"%s\": %s", on, strerror(errno));
        if (taken)
            fl_hint(err, "another program uses the port: stop it, or choose another with --listen");
    } else {
        struct sockaddr_storage ss;
        socklen_t len = sizeof ss;
        getsockname(fd, (struct sockaddr *)&ss, &len);
        h->port = ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)&ss)->sin6_port
                                                 : ((struct sockaddr_in *)(void *)&ss)->sin_port);
        *ret_v6 = ss.ss_family == AF_INET6;
        *ret_fd = fd;
        fd = -1;
    }
    freeaddrinfo(ai);
    return st;
}

static fl_status start_listening(struct fl_http *h, struct fl_err *err)
{
    FL_AUTO_FD fd = -1;
    bool v6 = false;
    fl_status st = open_socket(h, &fd, &v6, err);
    return st == FL_OK ? loops_start(h, fd, v6, err) : st;
}

static fl_status start_threads(struct fl_http *h, struct fl_err *err)
{
    h->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = h->wake < 0 ? errno : pthread_create(&h->reaper, NULL, reaper_thread, h);
    h->has_reaper = !rc;
    for (size_t i = 0; i < READ_THREADS && !rc; i++) {
        rc = pthread_create(&h->readers[i], NULL, read_thread, h);
        h->n_readers += !rc;
    }
    return rc ? fl_fail(err, FL_E_IO, "http", "could not start a thread: %s", strerror(rc)) : FL_OK;
}

fl_status fl_http_start(const struct fl_http_options *o, struct fl_http **ret, struct fl_err *err)
{
    struct fl_http *h = calloc(1, sizeof *h);
    if (!h)
        return fl_fail(err, FL_E_NOMEM, "http", "out of memory");
    atomic_init(&h->refs, 1);
    h->o = *o;
    h->wake = -1;
    h->auth_off = fl_streq(o->config->auth, "off");
    h->deadline = (fl_usec)o->config->request_deadline_s * FL_USEC_PER_SEC;
    h->body_budget = (size_t)o->config->queue_bytes + (size_t)o->config->max_body_bytes;
    pthread_mutex_init(&h->lock, NULL);
    hold_init(&h->hold, (size_t)o->config->max_connections);
    peers_init(&h->peers, (size_t)o->config->max_connections_per_address);
    h->reads = fl_queue_new(READ_QUEUE + READ_QUEUE / 3, 0);
    h->stats = calloc(n_routes + 1, sizeof *h->stats);
    fl_status st = h->reads && h->stats ? FL_OK : fl_fail(err, FL_E_NOMEM, "http", "out of memory");
    if (st == FL_OK)
        st = tokens_start(h, &h->tokens, err);
    if (st == FL_OK)
        st = start_threads(h, err);
    if (st == FL_OK)
        st = start_listening(h, err);
    if (st != FL_OK) {
        fl_http_stop(h);
        return st;
    }
    *ret = h;
    return FL_OK;
}

int fl_http_port(const struct fl_http *h)
{
    return h->port;
}

void fl_http_drain(struct fl_http *h)
{
    atomic_store(&h->draining, true);
}

/* ---- stop ---- */

static size_t take_waiting(struct fl_http *h, struct request **out, size_t max)
{
    size_t n = 0;
    pthread_mutex_lock(&h->lock);
    for (struct connection *c = h->connections; c && n < max; c = c->next)
        if (c->request && atomic_load(&c->request->phase) == PHASE_WAITING) {
            request_ref(c->request);
            out[n++] = c->request;
        }
    pthread_mutex_unlock(&h->lock);
    return n;
}

/* MHD_stop_daemon aborts the process while a connection is suspended. */
static void answer_waiting(struct fl_http *h)
{
    struct request *w[LATE_MAX];
    size_t n;
    while ((n = take_waiting(h, w, LATE_MAX)) > 0)
        for (size_t i = 0; i < n; i++) {
            reply_error(w[i], 503, "stopping", NULL, NULL, "the engine is stopping");
            request_unref(w[i]);
        }
}

/* Commits and answers under way are let through; only what is late gets a 503. */
static bool any_waiting(struct fl_http *h)
{
    struct request *w = NULL;
    if (!take_waiting(h, &w, 1))
        return false;
    request_unref(w);
    return true;
}

static size_t requests_left(struct fl_http *h)
{
    pthread_mutex_lock(&h->lock);
    size_t n = h->n_requests;
    pthread_mutex_unlock(&h->lock);
    return n;
}

struct fl_http *fl_http_stop(struct fl_http *h)
{
    if (!h)
        return NULL;
    atomic_store(&h->draining, true);
    if (h->n_loops) {
        loops_quiesce(h);
        for (int i = 0; i < 400 && any_waiting(h); i++)
            poll(NULL, 0, 5);
        atomic_store(&h->stopping, true);
        answer_waiting(h);
        for (int i = 0; i < 100 && requests_left(h);
             i++) /* let the answers leave; half-sent requests are cut */
            poll(NULL, 0, 5);
        answer_waiting(h);
    }
    if (h->reads)
        fl_queue_close(h->reads);
    for (size_t i = 0; i < h->n_readers; i++)
        pthread_join(h->readers[i], NULL);
    if (h->has_reaper && eventfd_write(h->wake, 1) == 0)
        pthread_join(h->reaper, NULL);
    loops_stop(h);
    tokens_stop(h->tokens);
    fl_queue_free(h->reads);
    if (h->wake >= 0)
        close(h->wake);
    http_unref(h);
    return NULL;
}
