/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/loop.c -- the threads that run libmicrohttpd, each with a daemon of its own (layer 5).
 *
 * Not the library's own threads: those cost a request that waits for its commit two changes of the epoll set, a look at a
 * socket in which nothing is, and a wake-up of its own. A request whose body is complete need not be suspended: as long as
 * the handler gives no answer, the library asks it again in each turn. Its own threads would do that without a pause; this
 * one sleeps until a socket or an answer is ready, and one wake-up serves all that a commit has answered. */
#include "http_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    PARKED_MOST = 128, /* each is asked in every turn; more are suspended */
    /* While requests are parked the library cannot say whether a socket has more to read or to take than one turn did. */
    PARKED_MS = 2,
    TROUBLE_MS = 10, /* after a turn that failed */
};

void loop_wake(struct loop *l)
{
    if (!atomic_exchange(&l->woken, true) && eventfd_write(l->wake, 1) != 0)
        fl_log(FL_LOG_ERROR, "http", "a thread could not be woken: %s", strerror(errno));
}

bool loop_park(struct loop *l)
{
    if (l->parked >= PARKED_MOST)
        return false;
    l->parked++;
    return true;
}

void loop_unpark(struct loop *l)
{
    l->parked--;
}

static void *loop_thread(void *ctx)
{
    struct loop *l = ctx;
    bool quiet = false;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    for (;;) {
        bool parked = l->parked > 0;
        if (parked && !l->again && !atomic_load(&l->woken))
            poll(&(struct pollfd){.fd = l->epoll, .events = POLLIN}, 1, PARKED_MS);
        bool at_once = parked || l->again;
        l->again = false;
        /* Before the flags and the turn: what is set or answered after this wakes us once more. The other way round, a stop
         * that follows a quiesce at once finds `woken` still true, writes nothing, and is slept over. */
        atomic_store(&l->woken, false);
        if (atomic_load(&l->stop))
            break;
        if (!quiet && atomic_load(&l->quiet)) {
            close(MHD_quiesce_daemon(l->daemon));
            quiet = true;
        }
        if (MHD_run_wait(l->daemon, at_once ? 0 : -1) != MHD_YES && !atomic_load(&l->stop))
            poll(NULL, 0, TROUBLE_MS);
    }
    return NULL;
}

/* The library passes over events without a pointer; at an edge nobody has to read the counter. */
static bool watch_wake(struct loop *l)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct epoll_event e = {.events = EPOLLIN | EPOLLET};
    l->epoll = info ? info->epoll_fd : -1;
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->wake, &e) == 0;
}

static bool start_daemon(struct loop *l, bool v6, unsigned connections)
{
    const struct fl_config *c = l->http->o.config;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    unsigned silence = (unsigned)c->request_deadline_s + 1;
    l->daemon = MHD_start_daemon(v6 ? flags | MHD_USE_IPv6 : flags, 0, http_accepts, l->http, http_request,
                                 NULL, MHD_OPTION_EXTERNAL_LOGGER, http_log, NULL, MHD_OPTION_LISTEN_SOCKET,
                                 l->listen, MHD_OPTION_CONNECTION_LIMIT, connections,
                                 MHD_OPTION_CONNECTION_TIMEOUT, silence, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                 (size_t)HEADER_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                                 MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_URI_LOG_CALLBACK,
                                 request_open, l, MHD_OPTION_NOTIFY_COMPLETED, http_completed, l->http,
                                 MHD_OPTION_NOTIFY_CONNECTION, http_connection, l->http, MHD_OPTION_END);
    return l->daemon != NULL;
}

static fl_status start(struct loop *l, int fd, bool v6, unsigned connections, struct fl_err *err)
{
    l->nothing = reply_nothing();
    if (!l->nothing)
        return fl_fail(err, FL_E_NOMEM, "http", "out of memory");
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->listen = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (l->wake < 0 || l->listen < 0)
        return fl_fail(err, FL_E_IO, "http", "could not open a descriptor: %s", strerror(errno));
    if (!start_daemon(l, v6, connections) || !watch_wake(l))
        return fl_fail(err, FL_E_INTERNAL, "http", "could not start the HTTP server: %s", strerror(errno));
    int rc = pthread_create(&l->thread, NULL, loop_thread, l);
    l->has_thread = rc == 0;
    return rc ? fl_fail(err, FL_E_IO, "http", "could not start a thread: %s", strerror(rc)) : FL_OK;
}

fl_status loops_start(struct fl_http *h, int fd, bool v6, struct fl_err *err)
{
    size_t n = (size_t)h->o.config->http_threads, most = (size_t)h->o.config->max_connections;
    fl_status st = FL_OK;
    h->n_loops = n < most ? n : most;
    for (size_t i = 0; i < h->n_loops; i++)
        h->loops[i] = (struct loop){.http = h, .epoll = -1, .wake = -1, .listen = -1};
    for (size_t i = 0; i < h->n_loops && st == FL_OK; i++)
        st = start(&h->loops[i], fd, v6, (unsigned)(most / h->n_loops + (i < most % h->n_loops)), err);
    return st;
}

void loops_quiesce(struct fl_http *h)
{
    for (size_t i = 0; i < h->n_loops; i++) {
        atomic_store(&h->loops[i].quiet, true);
        if (h->loops[i].has_thread)
            loop_wake(&h->loops[i]);
    }
}

void loops_stop(struct fl_http *h)
{
    for (size_t i = 0; i < h->n_loops; i++) {
        struct loop *l = &h->loops[i];
        atomic_store(&l->stop, true);
        if (l->has_thread) {
            loop_wake(l);
            pthread_join(l->thread, NULL);
        }
        if (l->daemon)
            MHD_stop_daemon(l->daemon);
        else if (l->listen >= 0)
            close(l->listen);
        if (l->nothing)
            MHD_destroy_response(l->nothing);
    }
}

void loops_done(struct fl_http *h)
{
    for (size_t i = 0; i < h->n_loops; i++)
        if (h->loops[i].wake >= 0)
            close(h->loops[i].wake);
}
