/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/http_priv.h -- what the files of the http stage share: request, route, reply (layer 5). */
#pragma once

#include <faultline/http.h>
#include <faultline/json.h>
#include <faultline/log.h>
#include <faultline/queue.h>

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    MAX_SEGMENTS = 12,          /* of a path; longer ones match no route */
    MAX_ARGS = 64,              /* query arguments; more is a 400 */
    MAX_PARAMS = 3,             /* {…} of one route */
    HEADER_MEMORY = 32 * 1024,  /* per connection: request line and headers (431 over it) */
    COMMAND_BODY_MAX = 1 << 20, /* body of a command */
    READ_THREADS = 4,
    SPOOLS_MAX = 32,       /* long answers in files at a time */
    READ_QUEUE = 256,      /* reads waiting for a thread; more is a 503 */
    REPLY_MAX = 256 << 20, /* bytes of one answer */
};

/* Who a caller is. */
struct caller {
    char name[128];
    char id[40];
    unsigned role; /* fl_role bit; 0 = nobody */
};

/* ---- routes ---- */

struct request;
struct fl_reader;

enum {
    ROLE_PUBLIC = 0,
    ROLE_ADMIN_ONLY = FL_ROLE_ADMIN,
    ROLE_APPROVE = FL_ROLE_APPROVER | FL_ROLE_ADMIN,
    ROLE_OPERATE = FL_ROLE_OPERATOR | FL_ROLE_APPROVER | FL_ROLE_ADMIN,
    ROLE_READ = FL_ROLE_VIEWER | FL_ROLE_OPERATOR | FL_ROLE_APPROVER | FL_ROLE_ADMIN,
    ROLE_SEND = FL_ROLE_INGEST | FL_ROLE_OPERATOR | FL_ROLE_APPROVER | FL_ROLE_ADMIN,
};
enum {
    ROUTE_LOOKALIKE = 1, /* errors as Alertmanager writes them */
    ROUTE_BODY = 2,      /* a body of JSON is required */
    ROUTE_BODY_MAY = 4,  /* a body of JSON is allowed */
    ROUTE_BULK = 8,      /* the body may be as long as max_body_bytes; others: COMMAND_BODY_MAX */
    ROUTE_JOURNAL = 16,  /* writes to the journal: 503 while draining */
    ROUTE_FORM = 32,     /* the body may be a form, too */
    ROUTE_ANY_TYPE = 64, /* the handler judges the body's type */
    ROUTE_BODY_TOKEN =
        128, /* the token may be in the body: the handler calls auth_secret() before anything else */
    ROUTE_PATH_TOKEN = 256,   /* the token may be the path's first parameter */
    ROUTE_NO_DATABASE = 1024, /* `read` needs no connection */
    ROUTE_ALIAS = 512,        /* only with the option `aliases` */
};
struct route {
    const char *method, *path;
    unsigned roles; /* mask of roles that may; ROLE_PUBLIC: anybody */
    unsigned flags;
    /* One of the two. `run` on the http thread, never blocks; `read` on a read thread with a connection. */
    void (*run)(struct request *r);
    void (*read)(struct request *r, struct fl_reader *db);
    int arg;             /* meaning per handler */
    const char *word;    /* meaning per handler: the command's op, … */
    const char *query;   /* names of query arguments, for the document */
    const char *summary; /* for the document */
};
extern const struct route routes[];
extern const size_t n_routes;

/* ---- request ---- */

struct arg {
    const char *name, *value;
};
struct answer {
    unsigned code;
    const char *type; /* static; NULL: no Content-Type */
    char *body;       /* malloc()ed */
    size_t n;
    bool is_file; /* the body is `fd`, n bytes of it, and counted among the spools */
    int fd;
    char allow[64]; /* of a 405 and of OPTIONS */
    bool close, challenge;
    unsigned retry_after; /* seconds, of a 503; 0 = 1 */
    const char *origin;   /* OPTIONS of a web hook: who may send; in the request's arena, or NULL */
    bool any_rate;
};
/* What the headers say; the texts are the library's and live as long as the request. */
struct head {
    unsigned n_length, n_coding, n_host, n_auth, n_type;
    const char *length, *coding, *type, *encoding, *host, *auth, *origin, *fetch_site, *bad_name;
};
/* RECEIVING: the http thread owns it. WAITING: suspended; whoever swaps it to ANSWERING fills the answer
 * and resumes. ANSWERED: the http thread queues the answer. */
enum phase { PHASE_RECEIVING, PHASE_WAITING, PHASE_ANSWERING, PHASE_ANSWERED, PHASE_QUEUED };

/* What the sender of alerts expects as an answer. */
enum answer_style { STYLE_OWN, STYLE_PAGERDUTY, STYLE_NRDP };

struct connection {
    struct connection *prev, *next;
    int fd;
    fl_usec since; /* mono: accepted, or the last request was completed */
    struct request *request;
    bool cut, counted; /* counted: among those of its address */
};
struct request {
    struct fl_http *http;
    struct loop *loop; /* whose thread serves the connection */
    struct MHD_Connection *mhd;
    struct connection *connection;
    atomic_int refs, phase;
    bool head_seen, admitted, suspended; /* http thread only */
    bool in_turns;                       /* counted as parked; http thread only */
    bool parked;                         /* waits, or has waited, without being suspended: set once */
    bool held, swallow;                  /* refused on its headers; its body is read and thrown away */
    fl_usec started;                     /* mono: the request line was read */
    fl_usec received_at;                 /* wall: the body was complete */

    struct fl_arena *arena; /* path, arguments, parameters */
    const char *uri;        /* as received */
    const char *segments[MAX_SEGMENTS];
    size_t n_segments;
    struct arg *args; /* room for MAX_ARGS, or NULL */
    size_t n_args;
    const char *bad; /* why the request line is refused; NULL = fine */
    struct head head;
    const struct route *route;
    const char *params[MAX_PARAMS];
    bool lookalike, is_head, http10;
    bool spooled; /* the answer under way is a file */
    bool db_lost; /* a read handler's: its connection is of no more use */

    struct caller caller;
    struct fl_sha256 token_hash;
    bool asked; /* the token was looked for in the database, too */

    struct fl_arena *body_arena; /* the body, then what was parsed from it; moves to a submission */
    char *body;
    size_t body_n, body_cap; /* cap: announced */
    bool chunked, too_long;
    struct fl_buf spill; /* body of unknown length */
    size_t budget;       /* bytes taken from http->body_bytes */

    /* of an intake request: what the answer and the leases need after the commit */
    fl_format format;
    const char *source; /* its name in the journal; NULL: the format's */
    const char
        *sent; /* of a mapped source: the body before the mapping was put beside it; NULL: body is it */
    size_t sent_n;
    enum answer_style style;
    const char *dedup_key; /* PagerDuty's answer */
    atomic_int pending;    /* rows that must be committed before the answer */
    struct fl_intake intake;
    bool settled; /* its times are the journal's already */
    struct answer answer;
};

/* ---- hold: requests that are refused a moment later (hold.c) ---- */

enum { HOLD_MAX = 512, HOLD_SENDERS = 64 };
struct held {
    struct request *r; /* a reference */
    fl_usec due;       /* mono */
};
struct looks { /* at bodies of one sender, since */
    fl_usec since;
    unsigned n;
};
struct hold {
    pthread_mutex_t lock;
    struct held v[HOLD_MAX];
    size_t n, max;
    unsigned turn;
    struct looks looks[HOLD_SENDERS];
    _Atomic fl_usec said; /* mono: when the log was told last */
};
void hold_init(struct hold *x, size_t max_connections);
void hold_done(struct hold *x);
/* On the headers: may the body be read? False: suspended, it will be refused. http thread. */
bool hold_admits(struct request *r);
/* The store was full after all; r is suspended. */
void hold_refusal(struct request *r);
/* Answer those that are due. @return how many are left. */
size_t hold_answer(struct hold *x);
size_t hold_count(struct hold *x);

/* ---- peers: connections of each address (peers.c); any thread ---- */

struct sockaddr;
struct peers {
    pthread_mutex_t lock;
    void *tree;
    size_t most;
};
void peers_init(struct peers *p, size_t most);
void peers_done(struct peers *p);
bool peers_room(struct peers *p, const struct sockaddr *sa);
bool peers_add(struct peers *p, const struct sockaddr *sa); /* false: as many as may be are there */
void peers_remove(struct peers *p, const struct sockaddr *sa);

/* ---- loop: a thread that runs a daemon of libmicrohttpd (loop.c) ---- */

enum { LOOPS_MAX = 64 };
struct loop {
    struct fl_http *http;
    struct MHD_Daemon *daemon;
    pthread_t thread;
    bool has_thread;
    int epoll, wake, listen;
    atomic_bool woken; /* and has not begun the turn yet */
    atomic_bool quiet, stop;
    /* Its thread's own. */
    size_t parked; /* requests that wait without being suspended */
    bool again;    /* the next turn has work whatever the sockets say */
    struct MHD_Response *nothing; /* 200 without a body, the answer to most requests */
};
fl_status loops_start(struct fl_http *h, int fd, bool v6, struct fl_err *err);
void loops_quiesce(struct fl_http *h); /* no more connections */
void loops_stop(struct fl_http *h);    /* no request may be suspended */
void loops_done(struct fl_http *h);    /* when nobody can wake them any more */
void loop_wake(struct loop *l);        /* any thread */
bool loop_park(struct loop *l);        /* false: too many */
void loop_unpark(struct loop *l);

/* ---- server ---- */

/* What libmicrohttpd calls. */
enum MHD_Result http_accepts(void *cls, const struct sockaddr *address, socklen_t n);
enum MHD_Result http_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                             const char *version, const char *upload, size_t *upload_n, void **req_cls);
void http_completed(void *cls, struct MHD_Connection *mhd, void **req_cls,
                    enum MHD_RequestTerminationCode toe);
void http_connection(void *cls, struct MHD_Connection *mhd, void **context,
                     enum MHD_ConnectionNotificationCode code);
void http_log(void *cls, const char *fmt, va_list ap);

void http_unref(struct fl_http *h);

struct token_cache;
struct route_stats {
    atomic_ullong by_class[6], usec; /* by_class[code / 100] */
};
struct fl_http {
    atomic_size_t refs; /* the server's own, and one per request */
    struct fl_http_options o;
    struct loop loops[LOOPS_MAX];
    size_t n_loops;
    int port;
    bool auth_off;
    atomic_bool draining, stopping;

    pthread_mutex_t lock; /* connections and their requests */
    struct connection *connections;
    size_t n_connections, n_requests;

    pthread_t reaper, readers[READ_THREADS];
    size_t n_readers;
    bool has_reaper;
    int wake; /* eventfd of the reaper */
    struct fl_queue *reads;
    struct token_cache *tokens;

    atomic_uint spools;
    atomic_size_t body_bytes; /* of all bodies being received */
    size_t body_budget;
    fl_usec deadline;

    struct hold hold;
    struct peers peers;
    struct route_stats *stats; /* per route, then one for what matched none */
    atomic_ullong turned_away; /* requests refused because the engine is behind */
    atomic_ullong alerts_accepted, alerts_repeated, alerts_rejected, intake_refused, cut, framing_refused,
        auth_refused;
};

/* request.c */
void *request_open(void *cls, const char *uri, struct MHD_Connection *mhd); /* MHD's URI log callback */
void request_ref(struct request *r);
void request_unref(struct request *r);
const char *request_arg(const struct request *r, const char *name); /* NULL when absent */
/* Argument as a number / time; false: a 400 was given. */
bool request_arg_size(struct request *r, const char *name, size_t dflt, size_t max, size_t *ret);
bool request_arg_time(struct request *r, const char *name, fl_usec *ret);
/* Take n bytes of the body; false: cut the connection. */
bool request_body(struct request *r, const char *p, size_t n);
/* After the last byte: r->body is NUL terminated and lies in r->body_arena. */
fl_status request_body_end(struct request *r);
/* Suspend: from now on any thread may answer. False: stopping, a 503 was given. */
bool request_suspend(struct request *r);
/* The same for a request whose body is complete and whose answer comes with the next commit. */
bool request_park(struct request *r);
void request_unpark(struct request *r); /* http thread */
/* Its phase has left WAITING: the http thread is to look at it. Any thread that holds a reference. */
void request_resume(struct request *r);
/* Resume without an answer: the http thread goes on where it was. Any thread. */
void request_continue(struct request *r);

/* headers.c: framing, content type, length. True: go on; false: an error was given. */
bool headers_check(struct request *r);
bool headers_check_body(struct request *r);
/** The next step of whoever sent a body over the limit. */
const char *too_large_hint(const struct request *r);

/* routes.c */
/* Sets r->route and r->params; false: a 404 or 405 (or the answer to OPTIONS) was given. */
bool route_find(struct request *r, const char *method);
/* 0 no, 1 path matches but the method does not, 2 both: for tests too. */
int route_match(const struct route *t, const char *method, const char *const *segments, size_t n,
                const char **params);

/* auth.c */
fl_status tokens_start(struct fl_http *h, struct token_cache **ret, struct fl_err *err);
struct token_cache *tokens_stop(struct token_cache *t);
void tokens_reload(struct token_cache *t); /* now; waits a moment for it */
/* True: r->caller is set. False: 401 or 403 was given. */
bool auth_check(struct request *r);
/* ROUTE_BODY_TOKEN: the secret in the body, unless the Authorization header was good already. False: 401 or 403. */
bool auth_secret(struct request *r, const char *secret);

/* reply.c: every one gives the answer exactly once; later ones are dropped. Any thread once suspended. */
void reply_bytes(struct request *r, unsigned code, const char *type, char *body, size_t n);
void reply_buf(struct request *r, unsigned code, const char *type, struct fl_buf *b);
void reply_text(struct request *r, unsigned code, const char *text);
void reply_empty(struct request *r, unsigned code);
void reply_error(struct request *r, unsigned code, const char *word, const char *field, const char *hint,
                 const char *fmt, ...) FL_PRINTF(6, 7);
void reply_status(struct request *r, const struct fl_err *err); /* maps the status to a code */
unsigned status_code(fl_status st);
void answer_drop(struct request *r, struct answer *a);
/* Hand the answer to libmicrohttpd. http thread. */
enum MHD_Result reply_queue(struct request *r);
struct MHD_Response *reply_nothing(void); /* 200 without a body, to be given any number of times; NULL: no memory */
extern const char TYPE_SVG[], TYPE_HTML[], TYPE_JSON[], TYPE_TEXT[], TYPE_NDJSON[], TYPE_METRICS[];

/* A file as the body, counted among the spools; takes it. */
void reply_file(struct request *r, unsigned code, const char *type, int fd, uint64_t n);

/* spool.c */
struct spool {
    struct fl_http *http;
    struct fl_buf b; /* written to; spool_turn() empties it when it is long */
    int fd;
    uint64_t n; /* in the file */
    bool failed;
};
void spool_init(struct spool *s, struct fl_http *h);
void spool_done(struct spool *s);
bool spool_turn(struct spool *s); /* between pieces; false: no use to go on */
void reply_spool(struct request *r, unsigned code, const char *type, struct spool *s);

/* handlers */
void run_healthy(struct request *r);
void run_ready(struct request *r);
void read_reload(struct request *r, struct fl_reader *db);
void run_metrics(struct request *r);
void run_openapi(struct request *r);
void run_intake(struct request *r); /* arg: fl_format */
void run_grafana(struct request *r);
void run_pagerduty(struct request *r);
void run_pagerduty_change(struct request *r);
void run_cloudevents(struct request *r);
void run_nagios(struct request *r);
void run_sender(struct request *r); /* arg: fl_format */
void run_mapped(struct request *r);
void run_incident_command(struct request *r); /* word: op */
void run_run_command(struct request *r);
void run_plain_command(struct request *r);
void run_maintenance_add(struct request *r);
void run_maintenance_end(struct request *r);
void run_model_command(struct request *r); /* word: op */
void run_model_add(struct request *r);
void run_topology_put(struct request *r);
void run_changes_post(struct request *r);
void run_v2_status(struct request *r);
void run_v2_receivers(struct request *r);
void run_v1_gone(struct request *r);
void run_v2_silence_post(struct request *r);
void run_v2_silence_delete(struct request *r);
void read_v2_silences(struct request *r, struct fl_reader *db);
void read_v2_silence(struct request *r, struct fl_reader *db);
void read_v2_groups(struct request *r, struct fl_reader *db);
void read_document(struct request *r,
                   struct fl_reader *db); /* arg: fl_read; word: name of the list, or NULL */
void read_alerts(struct request *r, struct fl_reader *db);
void read_why(struct request *r, struct fl_reader *db);
void read_noise(struct request *r, struct fl_reader *db);
void read_ranking(struct request *r, struct fl_reader *db);
void read_audit(struct request *r, struct fl_reader *db);
void read_impact(struct request *r, struct fl_reader *db);
void read_audit_head(struct request *r, struct fl_reader *db);
void read_audit_bundle(struct request *r, struct fl_reader *db);
void read_graph_svg(struct request *r, struct fl_reader *db);
/* picture.c: an answer of FL_READ_INCIDENT as SVG */
fl_status picture_draw(struct request *r, const struct fl_json *incident, struct fl_buf *out,
                       struct fl_err *err);
void read_report(struct request *r, struct fl_reader *db); /* arg: 1 = HTML */
/* proof.c: entries about one incident */
struct audit_span {
    uint64_t first, last;
    struct fl_sha256 anchor; /* what the first one follows */
    uint64_t at, until;      /* of a bundle: last entry visited, last one wanted */
    size_t n;
    struct fl_buf *out;
};
fl_status audit_measure(struct request *r, struct fl_reader *db, const char *incident, struct audit_span *ret,
                        struct fl_err *err);
struct fl_json *audit_signed(struct request *r, struct fl_err *err); /* {"signed","key"} */
/* reads.c: for the files beside it */
void read_failed(struct request *r, const struct fl_err *err);
void copy_members(struct fl_jw *w, const struct fl_json *from, const char *skip);
void read_v2_alerts(struct request *r, struct fl_reader *db);
void read_tokens(struct request *r, struct fl_reader *db);
void read_token_create(struct request *r, struct fl_reader *db);
void read_token_revoke(struct request *r, struct fl_reader *db);

/* alerts.c: r->format, r->source, r->style and r->body are set: parse, journal, answer. */
void intake_body(struct request *r);
/* One list of changes, journalled; then the answer in r->style. */
void intake_changes_only(struct request *r, const char *json, size_t n);
/* The whole body could not be read: a dead letter, with the body when it holds no secret. */
void intake_letter(struct request *r, const struct fl_err *err, bool with_body);
/* Elements that cannot be alerts: a dead letter each. */
void intake_rejects(struct fl_store *store, const char *source, const struct fl_intake *in);
/* After the commit: times that were guessed become the journal's. */
void intake_settle(struct fl_intake *in, fl_usec at);

/* letters.c */
void read_letters_retry(struct request *r, struct fl_reader *db);
void read_letters_drop(struct request *r, struct fl_reader *db);

/* senders.c */
bool sender_answer(struct request *r); /* false: not one of the styles */
void sender_unreadable(struct request *r, const struct fl_err *err);
void options_cloudevents(struct request *r); /* the web hook handshake */

/* A submission that owns r's body; NULL when out of memory (a 503 was given). */
struct fl_submission *submission_new(struct request *r, fl_event_kind kind, const char *source);
/* Suspend and submit; on failure an answer was given. `sub` is spent either way. */
void submission_send(struct request *r, struct fl_submission *sub);
/* The same for a request that is suspended already. */
void submission_push(struct request *r, struct fl_submission *sub);
/* A command {"op":…}: journal it and answer what the core says. Takes the text. */
void command_send(struct request *r, fl_event_kind kind, const char *json, size_t n);
/* The same, answered by `answered` (projector thread; it ends with request_unref). */
void command_send_to(struct request *r, fl_event_kind kind, const char *json, size_t n,
                     void (*answered)(void *ctx, fl_status st, const char *json));
