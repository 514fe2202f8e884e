/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/cluster.c -- the private cluster: make, start, adopt, watch, stop; contract in <faultline/store.h>. */
#include "cluster_priv.h"
#include "pq_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_PATIENCE (600 * FL_USEC_PER_SEC) /* crash recovery of a large cluster takes its time */
#define DATABASE "faultline"

struct fl_cluster {
    char dir[PATH_MAX / 2], data[PATH_MAX / 2 + 8], log[PATH_MAX / 2 + 16], bin[512], sock[96], conninfo[256];
    struct fl_account account;
    bool durable, ours; /* ours: our child, so we reap it */
    pid_t pid;
    int lock;
};

pid_t fl_cluster_pid(const struct fl_cluster *c)
{
    return c->pid;
}

const char *fl_cluster_conninfo(const struct fl_cluster *c)
{
    return c->conninfo;
}

static fl_usec nap(fl_usec d)
{
    usleep((useconds_t)d);
    return d;
}

/* ---- files --------------------------------------------------------------------------------------------- */

static void set_conninfo(const char *sock, char *ret, size_t cap)
{
    snprintf(ret, cap, "host=%s port=5432 user=postgres dbname=" DATABASE " sslmode=disable", sock);
}

static bool read_small(const char *path, char *out, size_t cap)
{
    FL_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, cap - 1);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* dir/cluster: where clients of the same host find the socket. Replaced whole, so nobody reads half of it. */
static fl_status write_record(const struct fl_cluster *c, struct fl_err *err)
{
    char tmp[sizeof c->dir + 16], path[sizeof c->dir + 16];
    snprintf(tmp, sizeof tmp, "%s/cluster.new", c->dir);
    snprintf(path, sizeof path, "%s/cluster", c->dir);
    FILE *f = fopen(tmp, "we");
    if (!f)
        return fl_fail(err, FL_E_IO, tmp, "could not write: %s", strerror(errno));
    fprintf(f, "socket=%s\nport=5432\n", c->sock);
    if (fclose(f) != 0 || rename(tmp, path) != 0)
        return fl_fail(err, FL_E_IO, path, "could not write: %s", strerror(errno));
    return FL_OK;
}

static bool read_record(const char *dir, char *sock, size_t cap)
{
    char path[PATH_MAX], text[256];
    snprintf(path, sizeof path, "%s/cluster", dir);
    if (!read_small(path, text, sizeof text) || strncmp(text, "socket=/", 8) != 0)
        return false;
    text[strcspn(text, "\n")] = '\0';
    if (strlen(text + 7) >= cap)
        return false;
    snprintf(sock, cap, "%s", text + 7);
    return true;
}

static fl_status give(const struct fl_cluster *c, const char *path, mode_t mode, struct fl_err *err)
{
    if (chmod(path, mode) != 0 || (c->account.change && chown(path, c->account.uid, c->account.gid) != 0))
        return fl_fail(err, FL_E_IO, path, "could not set its owner: %s", strerror(errno));
    return FL_OK;
}

static fl_status take_lock(struct fl_cluster *c, struct fl_err *err)
{
    char path[sizeof c->dir + 16];
    snprintf(path, sizeof path, "%s/lock", c->dir);
    c->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (c->lock < 0)
        return fl_fail(err, FL_E_IO, path, "could not open: %s", strerror(errno));
    if (flock(c->lock, LOCK_EX | LOCK_NB) != 0) {
        fl_fail(err, FL_E_CONFLICT, c->dir, "another process runs the private database of this folder");
        fl_hint(err, "stop it, or give another --data");
        return FL_E_CONFLICT;
    }
    return FL_OK;
}

static fl_status make_dir(struct fl_cluster *c, const char *dir, struct fl_err *err)
{
    for (char *p = strchr(c->dir + 1, '/');; p = strchr(p + 1, '/')) {
        if (p)
            *p = '\0';
        /* As root the database's own account has to get through; it is not let to list. */
        if (mkdir(c->dir, c->account.change ? 0711 : 0700) != 0 && errno != EEXIST)
            return fl_fail(err, FL_E_IO, dir, "could not make folder \"%s\": %s", c->dir, strerror(errno));
        if (!p)
            break;
        *p = '/';
    }
    char full[PATH_MAX];
    if (!realpath(dir, full) || strlen(full) >= sizeof c->dir)
        return fl_fail(err, FL_E_IO, dir, "not a usable folder");
    memcpy(c->dir, full, strlen(full) + 1);
    snprintf(c->data, sizeof c->data, "%s/pg", c->dir);
    snprintf(c->log, sizeof c->log, "%s/pg.log", c->dir);
    return FL_OK;
}

/* ---- initdb ---------------------------------------------------------------------------------------------- */

static fl_status run_initdb(struct fl_cluster *c, const char *into, struct fl_err *err)
{
    char program[600];
    snprintf(program, sizeof program, "%s/initdb", c->bin);
    const char *argv[] = {program,    "-D",
                          into,       "-U",
                          "postgres", "-A",
                          "trust",    "-E",
                          "UTF8",     "--locale=C.UTF-8",
                          "-k",       c->durable ? NULL : "-N",
                          NULL};
    pid_t pid;
    int code = 0;
    fl_status st = fl_spawn_as(&c->account, argv, c->log, &pid, err);
    if (!st)
        st = fl_spawn_wait(pid, &code, err);
    if (st)
        return st;
    if (code) {
        fl_fail(err, FL_E_IO, into, "initdb failed with code %d", code);
        fl_hint(err, "see %s; user %s must be able to reach the folder", c->log,
                c->account.change ? c->account.name : "running this");
        return FL_E_IO;
    }
    return FL_OK;
}

/* Made beside and renamed: a kill in between leaves nothing that looks finished. */
static fl_status make_cluster(struct fl_cluster *c, struct fl_err *err)
{
    char version[64], path[sizeof c->data + 32], fresh[sizeof c->data + 8];
    snprintf(path, sizeof path, "%s/PG_VERSION", c->data);
    bool exists = read_small(path, version, sizeof version);
    version[strcspn(version, "\n")] = '\0';
    fl_status st = fl_pg_bindir(exists ? version : NULL, c->bin, sizeof c->bin, err);
    if (st || exists)
        return st;
    snprintf(fresh, sizeof fresh, "%s.new", c->data);
    fl_remove_tree(fresh);
    if (mkdir(fresh, 0700) != 0)
        return fl_fail(err, FL_E_IO, fresh, "could not make folder: %s", strerror(errno));
    st = give(c, fresh, 0700, err);
    if (!st)
        st = run_initdb(c, fresh, err);
    if (!st && rename(fresh, c->data) != 0)
        st = fl_fail(err, FL_E_IO, c->data, "could not rename: %s", strerror(errno));
    return st;
}

/* ---- sockets: a short private folder, kept over restarts so that conninfos stay good ------------------------- */

static bool good_socket_dir(const struct fl_cluster *c, const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == c->account.uid &&
           (st.st_mode & 077) == 0;
}

static fl_status socket_dir(struct fl_cluster *c, struct fl_err *err)
{
    if (read_record(c->dir, c->sock, sizeof c->sock) && good_socket_dir(c, c->sock)) {
        set_conninfo(c->sock, c->conninfo, sizeof c->conninfo);
        return FL_OK;
    }
    const char *base = getenv("XDG_RUNTIME_DIR");
    /* A socket's path ends at 107 bytes; another account cannot enter our runtime folder; blanks would need quoting. */
    if (c->account.change || !base || base[0] != '/' || strlen(base) > 60 || strpbrk(base, " '\\,") ||
        access(base, W_OK) != 0)
        base = "/tmp";
    snprintf(c->sock, sizeof c->sock, "%s/fl-XXXXXX", base);
    if (!mkdtemp(c->sock))
        return fl_fail(err, FL_E_IO, c->sock, "could not make the socket folder: %s", strerror(errno));
    set_conninfo(c->sock, c->conninfo, sizeof c->conninfo);
    fl_status st = give(c, c->sock, 0700, err);
    return st ? st : write_record(c, err);
}

/* ---- the server -------------------------------------------------------------------------------------------- */

static PGPing ping(const struct fl_cluster *c)
{
    fl_pq_scrub_environment();
    char conninfo[320];
    snprintf(conninfo, sizeof conninfo,
             "host=%s port=5432 user=postgres dbname=postgres sslmode=disable connect_timeout=2", c->sock);
    return PQping(conninfo);
}

/* The pid in postmaster.pid when that process runs and works in our data folder; else 0. */
static pid_t running_postmaster(const struct fl_cluster *c)
{
    char path[sizeof c->data + 32], text[512], link[64], cwd[PATH_MAX];
    snprintf(path, sizeof path, "%s/postmaster.pid", c->data);
    if (!read_small(path, text, sizeof text))
        return 0;
    pid_t pid = (pid_t)strtol(text, NULL, 10);
    if (!fl_pid_runs(pid))
        return 0;
    snprintf(link, sizeof link, "/proc/%d/cwd", (int)pid);
    ssize_t n = readlink(link, cwd, sizeof cwd - 1);
    cwd[n > 0 ? n : 0] = '\0';
    return strcmp(cwd, c->data) == 0 ? pid : 0;
}

static bool gone_within(struct fl_cluster *c, pid_t pid, fl_usec patience)
{
    for (fl_usec waited = 0; fl_pid_runs(pid); waited += nap(10000)) {
        if (c->ours && waitpid(pid, NULL, WNOHANG) == pid)
            return true;
        if (waited >= patience)
            return false;
    }
    if (c->ours)
        waitpid(pid, NULL, WNOHANG);
    return true;
}

/* Fast, then immediate, then by force. */
static void stop_server(struct fl_cluster *c, pid_t pid)
{
    static const struct {
        int sig;
        fl_usec patience;
    } steps[] = {
        /* What a long last checkpoint does not finish, the next start recovers; who stops us waits 35 s. */
        {SIGINT, 8 * FL_USEC_PER_SEC},
        {SIGQUIT, 3 * FL_USEC_PER_SEC},
        {SIGKILL, 5 * FL_USEC_PER_SEC}};
    for (size_t i = 0; i < FL_ARRAY_LEN(steps); i++) {
        kill(pid, SIGCONT);
        kill(pid, steps[i].sig);
        if (gone_within(c, pid, fl_pq_hurried() ? steps[i].patience / 2 : steps[i].patience))
            return;
    }
}

static fl_status launch(struct fl_cluster *c, struct fl_err *err)
{
    char program[600], sockets[160], path[sizeof c->data + 32];
    snprintf(program, sizeof program, "%s/postgres", c->bin);
    snprintf(sockets, sizeof sockets, "unix_socket_directories=%s", c->sock);
    /* Nobody runs here (asked before, and we hold the lock). After a kill -9 the file stays, and where nobody reaps
     * zombies the server would refuse to start over it for ever. Orphaned backends it finds by shared memory. */
    snprintf(path, sizeof path, "%s/postmaster.pid", c->data);
    unlink(path);
    const char *sync = c->durable ? "on" : "off";
    char fsync[32], fpw[32];
    snprintf(fsync, sizeof fsync, "fsync=%s", sync);
    snprintf(fpw, sizeof fpw, "full_page_writes=%s", sync);
    const char *argv[] = {
        program,
        "-D",
        c->data,
        "-c",
        sockets,
        "-c",
        "listen_addresses=",
        "-c",
        "port=5432",
        "-c",
        "unix_socket_permissions=0700",
        "-c",
        "synchronous_commit=on",
        "-c",
        fsync,
        "-c",
        fpw,
        "-c",
        "max_connections=60",
        "-c",
        "logging_collector=off",
        "-c",
        "log_destination=stderr",
        "-c",
        "log_min_messages=warning",
        "-c",
        "log_min_error_statement=panic",
        "-c",
        "idle_session_timeout=0",
        "-c",
        "wal_compression=on",
        "-c",
        "jit=off", /* short queries only, and the unit forbids memory both writable and executable */
        "-c",
        "max_wal_size=2GB",
        NULL};
    fl_status st = fl_spawn_as(&c->account, argv, c->log, &c->pid, err);
    c->ours = !st;
    return st;
}

static fl_status start_server(struct fl_cluster *c, struct fl_err *err)
{
    fl_usec deadline = fl_mono() + START_PATIENCE, retry_until = fl_mono() + 15 * FL_USEC_PER_SEC;
    fl_status st = launch(c, err);
    while (!st) {
        PGPing p = ping(c);
        if (p == PQPING_OK)
            return FL_OK;
        if (waitpid(c->pid, NULL, WNOHANG) == c->pid) {
            c->ours = false;
            c->pid = 0;
            /* Backends of a killed server may live a moment longer and hold its shared memory. */
            if (fl_mono() > retry_until) {
                fl_fail(err, FL_E_UNAVAILABLE, c->data, "the private database does not start");
                fl_hint(err, "see %s", c->log);
                return FL_E_UNAVAILABLE;
            }
            nap(300000);
            st = launch(c, err);
        } else if (fl_mono() > deadline) {
            return fl_fail(err, FL_E_TIMEOUT, c->data, "the private database is not ready after 10 minutes");
        }
        if (fl_pq_hurried())
            return fl_fail(err, FL_E_TIMEOUT, c->data, "the private database does not start before the stop");
        nap(20000);
    }
    return st;
}

/* A server that a killed engine left behind is as good as a new one when it answers. */
static bool adopt(struct fl_cluster *c)
{
    pid_t pid = running_postmaster(c);
    if (!pid)
        return false;
    c->ours = false;
    fl_usec silent_until = fl_mono() + 5 * FL_USEC_PER_SEC, recovering_until = fl_mono() + START_PATIENCE;
    for (PGPing p = PQPING_REJECT; good_socket_dir(c, c->sock); nap(50000)) {
        p = ping(c);
        if (p == PQPING_OK) {
            c->pid = pid;
            return true;
        }
        /* A server that says "starting up" is alive; one that says nothing is not worth waiting for. */
        if (fl_mono() > (p == PQPING_REJECT ? recovering_until : silent_until) || !fl_pid_runs(pid))
            break;
    }
    stop_server(c, pid);
    return false;
}

/* ---- after the start ---------------------------------------------------------------------------------------- */

static fl_status assert_durable(PGconn *conn, struct fl_err *err)
{
    static const char *const names[] = {"fsync", "full_page_writes", "synchronous_commit"};
    for (size_t i = 0; i < FL_ARRAY_LEN(names); i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "SHOW %s", names[i]);
        FL_AUTO_PGRESULT *r = NULL;
        fl_pq_fault f = fl_pq_exec(conn, sql, NULL, NULL, &r, err);
        if (f)
            return fl_pq_status(f);
        if (strcmp(PQgetvalue(r, 0, 0), "on") != 0)
            return fl_fail(err, FL_E_CONFLICT, names[i], "the private database runs with %s = %s", names[i],
                           PQgetvalue(r, 0, 0));
    }
    return FL_OK;
}

static fl_status prepare(struct fl_cluster *c, struct fl_err *err)
{
    char conninfo[320];
    snprintf(conninfo, sizeof conninfo, "host=%s port=5432 user=postgres dbname=postgres sslmode=disable",
             c->sock);
    FL_AUTO_PGCONN *conn = NULL;
    struct fl_pq_options o = {.name = "faultline start", .patience = 10 * FL_USEC_PER_SEC};
    fl_status st = fl_pq_connect(conninfo, &o, &conn, err);
    if (!st && c->durable)
        st = assert_durable(conn, err);
    if (st)
        return st;
    FL_AUTO_PGRESULT *r = NULL;
    fl_pq_fault f = fl_pq_exec(conn, "SELECT 1 FROM pg_database WHERE datname = '" DATABASE "'", NULL, NULL,
                               &r, err);
    if (!f && PQntuples(r) == 0)
        f = fl_pq_script(conn, "CREATE DATABASE " DATABASE,
                         &(struct fl_pq_wait){.patience = 60 * FL_USEC_PER_SEC}, err);
    return fl_pq_status(f);
}

static fl_status bring_up(struct fl_cluster *c, const char *dir, struct fl_err *err)
{
    fl_status st = fl_account_find(&c->account, err);
    if (!st)
        st = make_dir(c, dir, err);
    if (!st)
        st = take_lock(c, err);
    if (!st)
        st = make_cluster(c, err);
    if (!st)
        st = socket_dir(c, err);
    if (!st && !adopt(c))
        st = start_server(c, err);
    return st ? st : prepare(c, err);
}

static struct fl_cluster *release(struct fl_cluster *c)
{
    if (c->lock >= 0)
        close(c->lock);
    free(c);
    return NULL;
}

fl_status fl_cluster_start_as(const char *dir, bool durable, struct fl_cluster **ret, struct fl_err *err)
{
    struct fl_cluster *c = calloc(1, sizeof *c);
    if (!c)
        return fl_fail(err, FL_E_NOMEM, dir, "out of memory");
    c->lock = -1;
    c->durable = durable;
    if (strlen(dir) >= sizeof c->dir) {
        release(c);
        return fl_fail(err, FL_E_USAGE, dir, "the folder's name is too long");
    }
    snprintf(c->dir, sizeof c->dir, "%s", dir);
    fl_status st = bring_up(c, dir, err);
    if (st) {
        if (c->pid)
            stop_server(c, c->pid);
        release(c);
        return st;
    }
    *ret = c;
    return FL_OK;
}

fl_status fl_cluster_start(const char *dir, struct fl_cluster **ret, struct fl_err *err)
{
    return fl_cluster_start_as(dir, true, ret, err);
}

struct fl_cluster *fl_cluster_stop(struct fl_cluster *c)
{
    if (!c)
        return NULL;
    char record[sizeof c->dir + 16];
    if (c->pid)
        stop_server(c, c->pid);
    snprintf(record, sizeof record, "%s/cluster", c->dir);
    unlink(record);
    fl_remove_tree(c->sock);
    return release(c);
}

fl_status fl_cluster_check(struct fl_cluster *c, struct fl_err *err)
{
    if (c->ours && waitpid(c->pid, NULL, WNOHANG) == c->pid)
        c->ours = false;
    if (c->pid && fl_pid_runs(c->pid))
        return FL_OK;
    c->pid = 0;
    /* A cleaner of /tmp may have taken the folder. */
    fl_status st = socket_dir(c, err);
    return st ? st : start_server(c, err);
}

fl_status fl_cluster_find(const char *dir, char *ret, size_t cap, struct fl_err *err)
{
    char sock[96];
    if (!read_record(dir, sock, sizeof sock)) {
        fl_fail(err, FL_E_NOTFOUND, dir, "no private database is running for this folder");
        fl_hint(err, "start `faultline serve`, or give --database");
        return FL_E_NOTFOUND;
    }
    set_conninfo(sock, ret, cap);
    return FL_OK;
}
