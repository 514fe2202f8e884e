/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/correlate_priv.h -- state shared by the files of this stage; nobody else includes it. */
#pragma once

#include <faultline/correlate.h>
#include <faultline/heap.h>
#include <faultline/pack.h>
#include <faultline/pool.h>

#include <stdlib.h>

#define HASH_NONFATAL_OOM 0
#include <uthash.h>

struct incident;

/* table.c: an index beside a list that keeps the order */
struct table_kind {
    const void *(*key)(const void *item);
    uint64_t (*hash)(const void *key);
    bool (*same)(const void *a, const void *b); /* keys */
};
struct table {
    const struct table_kind *kind;
    void **v;
    uint8_t *tag; /* of the item at the same place; 0: none */
    size_t n, cap;
};
extern const struct table_kind episodes_by_key, episodes_by_fingerprint, tombs_by_key;
void *table_find(const struct table *t, const void *key);
void table_put(struct table *t, void *item); /* takes the place of an item with the same key */
void table_drop(struct table *t, const void *key);
void table_expect(struct table *t, size_t n); /* room for n items at once */
void table_done(struct table *t);

extern const struct fl_heap_kind holds_by_end, incidents_by_due, incidents_by_number, flaps_by_due;

/* Key of an episode; 16 bytes without padding, hashed as they are. */
struct ep_key {
    uint64_t fingerprint;
    fl_usec starts_at;
};

/* What the database has of an episode. Between steps it is ROW_SAME. */
enum row_state {
    ROW_NONE,
    ROW_OTHER, /* a row with other labels, annotations or another link */
    ROW_SAME,
};

/* order.c: some neighbours in the order of arrival, never none; a block's first NULLs are skipped by `first`. */
enum { BLOCK_EPISODES = 256, BLOCK_FILTER_WORDS = 128 };
struct block {
    struct block *next, *prev;
    uint32_t n, live, first; /* slots in use, of them not NULL, the first of those */
    struct episode *v[BLOCK_EPISODES];
    uint64_t filter[BLOCK_FILTER_WORDS]; /* of the labels of all that are or were here */
};

/* A million of them are in memory in a bad hour: their texts are the pool's (episode_text), each kept once. */
struct episode {
    struct ep_key key;
    struct fl_alert *alert;      /* owned; content of the newest report, texts in the pool */
    struct block *block;         /* where it is in the order of arrival, the order of all iteration */
    struct incident *incident;   /* NULL: none: a live one is held back by a silence or an inhibition */
    struct episode *next, *prev; /* in the incident, order of joining */
    const char *node_id, *peer_id, *map_rule, *source; /* NULL when none */
    const char *joined;                                /* the sentence that says why it is in its incident */
    const char *silenced_by;                           /* ids of silences, "," between; NULL when none */
    const char *quiet;     /* the sentence that says what suppresses it, or did last … */
    const char *kept_by;   /* … and its kind and name: "threshold three pods" */
    uint64_t inhibited_by; /* fingerprint; 0 = none */
    struct inhibit_role *roles;
    struct hold *hold;    /* NULL: nothing but silences and label inhibition was ever about it */
    fl_usec updated_at;   /* of its row */
    fl_vertex node, peer; /* of the current snapshot */
    uint32_t
        settle;   /* 1 + its place among those to be looked at in the tick of this step; 0: not among them */
    uint8_t slot; /* in the block */
    fl_alert_status status : 4;
    enum row_state row : 4;
    fl_evidence_class cls : 8;
    fl_severity severity : 8;
};

/* Why an alert that nothing hides is kept out of incidents all the same, for a while. */
enum hold_kind {
    HOLD_NONE,
    HOLD_UPSTREAM,  /* what it needs may alert, too */
    HOLD_THRESHOLD, /* its group has not enough alerts */
    HOLD_GROUP,     /* it waits for the others of its group */
    HOLD_LIFE,      /* it is the sign of life of a heartbeat rule */
    HOLD_N
};
struct hold {
    enum hold_kind kind;
    fl_usec since, until;        /* until: 0 = as long as it takes */
    uint64_t n;                  /* order in which holds began */
    size_t at;                   /* place among the timers, from 1; 0: it has none */
    struct gate *threshold;      /* of the threshold rule it falls under; NULL: none */
    bool through;                /* it has passed that threshold, or did not have to */
    char *flap;                  /* owned: what is shown while it flaps; NULL: it does not */
    char *window;                /* owned: the maintenance window that hides it; NULL: none */
    bool waited;                 /* the hold-down for what it needs is over */
    struct up_role *up;          /* sides of graph inhibitions it is on */
    struct gate *in;             /* the gate that lists it while it is held there */
    struct episode *next, *prev; /* in that list */
};

/* How much a silence or a window hides, and what was said of that. */
enum remind_kind { REMIND_SILENCE, REMIND_WINDOW };
struct remind {
    uint32_t hidden[FL_SEV_CRITICAL + 1]; /* firing alerts, by severity; follows from the episodes */
    struct remind_at {
        fl_usec since; /* it hides as much as the rule says; 0: it does not */
        fl_usec told;  /* last; 0: not yet */
    } at[FL_REMINDERS_MAX];
    uint64_t times; /* it was spoken of */
    fl_usec told_at;
    char *text; /* owned: what was said last; NULL: that is not so any more */
};

/* A component of an incident. */
struct part {
    char *id; /* owned; key */
    fl_vertex vertex;
    fl_vertex service; /* for which it is among those that alert (services_alerting); -1: none */
    size_t firing, total;
    UT_hash_handle hh;
};

/* An incident while a snapshot is written. */
struct shot {
    uint64_t ordinal;           /* in order of opening, from 1 */
    const struct episode *next; /* the member that should come next */
    bool out_of_order;
};

struct incident {
    struct fl_incident pub; /* first: a fl_incident pointer is an incident pointer */
    struct episode *head, *tail;
    struct part *parts;
    char *group;                  /* owned; key of an incident of alerts with no component, else NULL */
    bool dirty;                   /* row to be written at the end of the step */
    bool by_hand;                 /* a person resolved it: that stands */
    bool changed;                 /* it is among those that this step looks at */
    fl_usec due;                  /* its key in that heap: the deadline that comes first; 0: it has none */
    size_t due_at, over_at;       /* places in heaps */
    struct incident *busy;        /* while some are set aside */
    fl_vertex first_at;           /* of the vertices it is found at; -1: none */
    size_t joined_now;            /* alerts that joined in this step */
    struct shot shot;             /* nothing to the state */
    size_t quiet_now;             /* alerts that were silenced, inhibited or released in this step */
    size_t over_now;              /* alerts that were resolved in this step */
    struct incident *next, *prev; /* order of opening */
    UT_hash_handle hh, hh_group;
};

enum { HALVES_MAX = 8 };

/* One start of an alert of which several are heard; pairs.c. */
struct half {
    fl_usec starts_at, ends_at; /* ends_at: of resolved ones, and the end that was not true of one that is told on */
    fl_alert_status status;
    bool for_all; /* heard from a sender whose resolve speaks for all it has merged */
};

/* The starts of one live episode; its own is the first. */
struct pair {
    uint64_t fingerprint;
    fl_usec episode; /* start of the episode */
    unsigned n;
    struct half v[HALVES_MAX];
    UT_hash_handle hh;
};

/* The last episode of a fingerprint that left memory the moment it was over. */
struct passed {
    uint64_t fingerprint;
    fl_usec starts_at, ends_at, until;
    UT_hash_handle hh;
};

/* An episode that is over and forgotten: a late firing report of it must not open it again. */
struct tomb {
    struct ep_key key; /* the start in whole milliseconds */
    fl_usec until;     /* TOMB_TIME after its end was heard */
    bool open;         /* nobody said that this start is over: its sender fell silent, and another one's resolve settled it */
    struct tomb *next, *prev; /* order of expiry */
};

/* Names in an alert's labels that are no components: of episode_map() for the row that follows. */
struct tries {
    struct fl_buf text;
    size_t n;
    const struct episode *of; /* compared, never followed; NULL: of none */
};

/* A vertex in the list of those that find the same incident. */
struct at {
    struct incident *i;
    fl_vertex prev, next; /* -1: none */
};

enum { CURSORS_MAX = 16, CURSOR_LABELS = 64 };
struct cursor {
    uint64_t handle, used; /* used: order of use; 0: free */
    struct episode *at;
    uint64_t labels[CURSOR_LABELS]; /* hashes of labels that whoever is not skipped may have */
    bool or_next[CURSOR_LABELS];    /* it, or the one after it */
    size_t n_labels;
};

struct fl_corr {
    struct fl_pool *pool;
    struct block *blocks, *last_block; /* of episodes, in order of arrival */
    struct table by_key;               /* episodes */
    struct table
        newest; /* by fingerprint, the episode of it that came last: the only one that may be open, but for
                            incidents closed by hand */
    struct tomb *tombs, *last_tomb; /* order of expiry */
    struct table tombs_by_key;
    struct passed *passed; /* insertion order = order of expiry */
    struct pair *pairs;
    struct incident *by_id, *by_group;
    struct incident *first, *last;
    struct {
        struct incident **v; /* those that this step looks at: changed, or due */
        size_t n, cap;
        bool unsorted;
    } changed;
    struct fl_heap due;      /* incidents that have a deadline, by (due, number) */
    struct fl_heap over;     /* that are over for good, by number: the first ones leave memory */
    size_t open;          /* active incidents */
    size_t firing, stale; /* their alerts */
    struct at *at;        /* by vertex: the active incident it belongs to */
    size_t n_vertices;
    uint32_t *service_parts;  /* by vertex of a service: components of it that alert in active incidents */
    size_t services_alerting; /* of them, with at least one */
    uint64_t next_number;
    int last_year;
    struct fl_corr_stats stats;
    const struct fl_topo *topo;                     /* the snapshot in force: whose component it is */
    struct fl_team_figures teams[FL_TEAMS_MAX + 1]; /* in order of appearance; the last one is "other" */
    size_t n_teams;
    struct fl_team_figures alert_rules[FL_ALERT_RULES_MAX + 1]; /* the same by alertname */
    size_t n_alert_rules;
    struct silence *silences; /* order of creation */
    fl_usec silence_due;      /* when the next one begins or ends; 0 = never */
    struct inhibit_group *inhibit;
    struct fl_sha256 rules_seen; /* the rules the index was made with */
    struct episode **settle;     /* to be looked at, in order; NULL: no longer; empty between steps */
    size_t n_settle, settle_cap;
    struct cursor cursors[CURSORS_MAX];
    uint64_t cursor_uses;
    struct corr_load *load; /* while a snapshot is read */
    struct tries tries;
    struct fl_buf line, why; /* a sentence being made, and the list of them */
    struct fl_buf group;     /* of an alert of no component, in words */
    struct grades *grades;   /* NULL: none yet */
    size_t held;             /* live episodes in no incident */
    struct gate *gates;      /* groups of thresholds and grouping windows */
    struct fl_heap timers;      /* episodes whose hold ends by time, by (until, n) */
    uint64_t holds;          /* that ever began */
    struct window *windows;  /* of maintenance, in order of creation */
    uint64_t window_number;
    fl_usec window_due; /* when one of them opens or closes; 0 = never */
    bool windows_moved; /* whom they cover is to be found out again */
    size_t hidden[2],
        reminded[2]; /* by kind: alerts that silences, windows hide; those that were spoken of and still do */
    bool reminders_moved;    /* what they hide changed in this step */
    fl_usec remind_due;      /* when one of them is to be spoken of; 0 = never */
    uint64_t reminders_seen; /* the reminders of the rules; a hash */
    struct flap *flaps;      /* histories of changes, by fingerprint */
    struct fl_heap flaps_due;   /* of them, those that flap, by (when they are quiet for long enough, turn) */
    uint64_t flap_turns;
    struct up_node *up;                 /* components with alerts on a side of a graph inhibition */
    struct up_node *up_first, *up_last; /* of them, where alerts began or stopped to inhibit in this step */
    fl_vertex
        *cycles[FL_GRAPH_INHIBITIONS_MAX]; /* per rule: which vertices need each other; NULL until asked */
};

#define TOMB_TIME (24 * 3600 * FL_USEC_PER_SEC)
enum { TOMBS_MAX = 1000000, PASSED_MAX = 100000, OVER_KEEP = 1000, JOINS_TOLD = 3 };
enum {
    SILENCES_MAX = 10000,     /* that are not over */
    SILENCES_SHOWN = 8,       /* ids of one alert */
    SILENCE_KEEP_HOURS = 120, /* expired ones can be listed and re-created this long, as in Alertmanager */
    RENAME_MAX = 256,         /* targets of one inhibition that get another inhibitor's name */
};

/* incident_fsm.c */
enum incident_event {
    IE_ALERT,   /* a new alert joined, or one returned */
    IE_QUIET,   /* no new alert for quiet_after */
    IE_CLEAR,   /* no firing or stale alert is left */
    IE_SETTLED, /* clear for resolve_after */
    IE_CLOSED,  /* an operator resolved it */
    IE_MERGED,
    IE_TOLD_ON, /* it is over, and an alert of it never stopped */
    IE_N
};
/* The only writer of state. Returns false (and changes nothing) when the table refuses. */
bool incident_event(struct fl_corr *c, struct fl_step *s, struct incident *i, enum incident_event e,
                    const char *detail);

/* incidents.c */
static inline bool is_active(const struct incident *i)
{
    return i->pub.state <= FL_INC_RECOVERING;
}
struct incident *incident_open(struct fl_corr *c, struct fl_step *s, const struct episode *first,
                               const char *group);
struct incident *incident_new(struct fl_corr *c, uint64_t number, int year);
void incident_add(struct fl_corr *c, struct fl_step *s, struct incident *i, struct episode *e);
/* e takes the place of old, and nothing happens by it. */
void incident_link(struct incident *i, struct episode *e); /* last in its list; counts nothing */
void incident_replace(struct fl_corr *c, struct incident *i, struct episode *old, struct episode *e);
void incident_drop(struct fl_corr *c, struct incident *i, struct episode *e);
void incident_absorb(struct fl_corr *c, struct fl_step *s, struct incident *into, struct incident *from,
                     const char *why);
void incident_touch(struct fl_corr *c, struct incident *i, struct fl_step *s);
/* An episode changed between firing, stale and resolved: counts, parts, and the state that follows. */
void incident_episode_changed(struct fl_corr *c, struct fl_step *s, struct episode *e,
                              fl_alert_status before);
void incident_title(struct incident *i);
void incident_forget(struct fl_corr *c, struct incident *i);
/* It is over, and an alert of it never stopped: @return whether that opens it again. */
bool incident_can_reopen(const struct incident *i, fl_usec at);
void incident_reopen(struct fl_corr *c, struct fl_step *s, struct incident *i, const char *why);
/* It is not active any more: it counts for nothing. */
void incident_left(struct fl_corr *c, struct incident *i);
/* It is active again. */
void incident_back(struct fl_corr *c, struct incident *i);
/* If it is over and no alert of it fires: it may leave memory, once there are enough younger ones. */
void incident_over(struct fl_corr *c, struct incident *i);
struct fl_episode episode_view(const struct episode *e);
struct part *incident_part(struct incident *i, const char *id, fl_vertex v);

/* due.c: which incidents a step looks at: those that changed in it and those whose time has come, in order of number */
/* Every writer of state, dirty, last_alert_at, recovering_at, rank_due, joined_now, quiet_now, over_now calls it. */
void incident_changed(struct fl_corr *c, struct incident *i);
/* Its row is to be written, too. */
static inline void incident_dirty(struct fl_corr *c, struct incident *i)
{
    i->dirty = true;
    incident_changed(c, i);
}
/* Other rules, other deadlines: look at all that are active. */
void due_rules(struct fl_corr *c);
/* After all incidents of a snapshot are there. */
void due_restored(struct fl_corr *c, const struct fl_rules *rules);
/* Those whose time has come are among the changed ones from here on. */
void due_on_time(struct fl_corr *c, fl_usec at);
/* At the end of a step: keys of the heap are right again, nothing is changed. */
void due_settled(struct fl_corr *c, const struct fl_rules *rules);
void changed_sort(struct fl_corr *c);
fl_usec state_deadline(const struct incident *i, const struct fl_rules *rules);
fl_usec incident_deadline(const struct incident *i,
                          const struct fl_rules *rules); /* or its next ranking; 0 = never */

/* where.c: which incident is found at a vertex; which services alert */
struct incident *vertex_incident(const struct fl_corr *c, fl_vertex v); /* NULL: none, or no such vertex */
void vertex_set(struct fl_corr *c, fl_vertex v, struct incident *i);    /* no such vertex: nothing */
void vertices_move(struct fl_corr *c, struct incident *from, struct incident *to); /* to NULL: nowhere */
void vertices_reset(struct fl_corr *c, size_t n);
/* A component of i has `by` more alerts that are not over. */
void part_count(struct fl_corr *c, const struct incident *i, struct part *p, int by);
/* i is not active any more, or again: nothing of it counts, or what alerts does. */
void services_weigh(struct fl_corr *c, struct incident *i);
/* Count again: another graph, or a restored state. */
void services_reset(struct fl_corr *c);

/* silence.c */
/* Ids of the silences that hide e ("," between; NULL: none); *ret_text says which, and is left alone when none does. */
char *silence_ids(struct fl_corr *c, struct fl_step *s, const struct episode *e, const char **ret_text);
void silences_on_time(struct fl_corr *c, struct fl_step *s);
void silences_free(struct fl_corr *c);
void silences_write(const struct fl_corr *c, struct fl_jw *w);
fl_status silences_read(struct fl_corr *c, const struct fl_json *list, struct fl_err *err);

struct remind *silence_remind(const struct fl_corr *c, const char *id, size_t n); /* NULL: there is none */
void silences_remind(struct fl_corr *c, struct fl_step *s);
void silences_remind_again(struct fl_corr *c);

/* remind.c: silences and windows that hide much for long */
struct remind_about {
    enum remind_kind kind;
    const char *what, *action, *id, *by, *comment;
    fl_usec starts_at, ends_at; /* of the present opening of a window; ends_at 0: no end */
    bool in_force;
    bool (*hides)(const char *id, const struct episode *e);
};
/* Around every change of what hides an episode, of its state and its severity: it counts no more, it counts. */
void remind_leaves(struct fl_corr *c, const struct episode *e);
void remind_is(struct fl_corr *c, const struct episode *e);
/* @return whether what its row says of it changed. */
bool remind_look(struct fl_corr *c, struct fl_step *s, struct remind *r, const struct remind_about *v);
/* It was changed by a person, who knows of it: times begin anew. */
void remind_again(struct fl_corr *c, struct remind *r);
void remind_done(struct remind *r);
void reminders_tick(struct fl_corr *c, struct fl_step *s);
void reminders_rules(struct fl_corr *c, const struct fl_rules *rules);
void remind_write(struct fl_jw *w, const struct remind *r);
void remind_read(struct remind *r, const struct fl_json *v);
void reminders_write(const struct fl_corr *c, struct fl_jw *w);
/* After the episodes, silences and windows of a snapshot are there. */
void reminders_read(struct fl_corr *c, const struct fl_rules *rules, const struct fl_json *v);

/* teams.c */
void team_alert(struct fl_corr *c, const struct episode *e);
void team_incident(struct fl_corr *c, const struct episode *first);
void teams_write(const struct fl_corr *c, struct fl_jw *w);
void teams_read(struct fl_corr *c, const struct fl_json *v); /* of the whole snapshot */

/* suppress.c: what is quiet, and what follows from it */
static inline bool is_suppressed(const struct episode *e)
{
    return e->silenced_by || e->inhibited_by || (e->hold && (e->hold->kind || e->hold->window));
}
/* A new episode: it is held back, or joins. */
void suppress_new(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e);
/* Look at its suppression again in this step's tick. */
void settle_later(struct fl_corr *c, struct episode *e);
void settle_not(struct fl_corr *c, struct episode *e);
void settle_nobody(struct fl_corr *c);
void suppress_tick(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo);
fl_usec suppress_due(const struct fl_corr *c);
/* Indexes that follow from the rules and the live episodes: a new one, one that changed, one that is over or leaves. */
void quiet_enter(struct fl_corr *c, const struct fl_rules *rules, struct episode *e);
void quiet_changed(struct fl_corr *c, struct episode *e, fl_alert_status before);
void quiet_leave(struct fl_corr *c, struct episode *e);
/* Make them again if the rules are others, and look at everybody. */
void quiet_rules(struct fl_corr *c, const struct fl_rules *rules);
const char *alert_name(const struct episode *e);

/* hold.c */
struct hold *hold_of(struct episode *e); /* made when it has none */
/* @return whether anything changed. */
bool hold_set(struct fl_corr *c, const struct fl_rules *rules, fl_usec at, struct episode *e,
              enum hold_kind kind, fl_usec until);
void hold_free(struct fl_corr *c, struct episode *e);
void holds_on_time(struct fl_corr *c, fl_usec at);
fl_usec holds_due(const struct fl_corr *c);
/* After all episodes and incidents of a snapshot are there. */
void holds_restored(struct fl_corr *c, const struct fl_rules *rules);
const char *hold_word(const struct episode *e); /* threshold, grouping, …; NULL: nothing holds it */

/* gate.c: thresholds and grouping windows. A text: what holds it, *ret_until until when, *ret_name kind and name of the
 * rule; NULL: nothing. */
void gate_enter(struct fl_corr *c, const struct fl_rules *rules, struct episode *e);
void gate_leave(struct fl_corr *c, struct episode *e);
void gate_list(struct fl_corr *c, const struct fl_rules *rules, struct episode *e);
void gate_unlist(struct fl_corr *c, struct episode *e);
void gate_passed(struct episode *e);
const char *threshold_holds(struct fl_corr *c, struct fl_step *s, const struct episode *e,
                            const char **ret_name);
const char *grouping_holds(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e,
                           fl_usec *ret_until, const char **ret_name);
/* Into the incident that its group has just opened, or as any alert. */
void gate_join(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e);

/* upstream.c: graph inhibition */
void upstream_enter(struct fl_corr *c, const struct fl_rules *rules, struct episode *e);
void upstream_changed(struct fl_corr *c, struct episode *e, fl_alert_status before);
void upstream_leave(struct fl_corr *c, struct episode *e);
/* Queue the dependants of where alerts began or stopped to inhibit. */
void upstream_tick(struct fl_corr *c, const struct fl_rules *rules, struct fl_topo *topo);
void upstream_not(struct fl_corr *c); /* forget who is to be queued */
/* Another graph: every alert is on another vertex. */
void upstream_topology(struct fl_corr *c, const struct fl_rules *rules);
void upstream_forget_graph(struct fl_corr *c);
/* A text: an alert of what e needs inhibits it. NULL: none does. */
const char *upstream_inhibits(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo,
                              const struct episode *e, uint64_t *ret_by, const char **ret_name);
const char *upstream_holds(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e,
                           fl_usec *ret_until, const char **ret_name);

/* cursor.c: it leaves its place in the order of arrival */
void cursors_leave(struct fl_corr *c, const struct episode *e);

/* order.c: for (e = order_first(c); e; e = order_later(e)). Both NULL when there is none. */
struct episode *order_first(const struct fl_corr *c);
struct episode *order_later(const struct episode *e);
void order_append(struct fl_corr *c, struct episode *e);
void order_remove(struct fl_corr *c, struct episode *e);
void order_labels(struct episode *e); /* its labels are in the filter of its block: after they changed */
struct episode *block_after(const struct block *b); /* the first of the next block */
/* False: nobody in the block has all of these labels, where one of alternatives will do. */
bool block_may_have(const struct block *b, const uint64_t *labels, const bool *or_next, size_t n);
uint64_t label_hash(const char *name, const char *value);

/* cycles.c: which vertices need each other, directly or not, over edges of these types: they get the same number. */
fl_vertex *cycles_of(struct fl_topo *topo, const char *const *types, size_t n_types);

/* maintenance.c */
/* The window that hides e, and a text that says so; NULL: none. */
const char *window_hides(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const struct episode *e,
                         const char **ret_text);
void windows_on_time(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo);
void windows_rules(struct fl_corr *c, const struct fl_rules *rules);
void windows_topology(struct fl_corr *c);
struct remind *window_remind(const struct fl_corr *c, const char *id); /* NULL: there is none */
void windows_remind(struct fl_corr *c, struct fl_step *s);
void windows_remind_again(struct fl_corr *c);
void windows_free(struct fl_corr *c);
void windows_write(const struct fl_corr *c, struct fl_jw *w);
fl_status windows_read(struct fl_corr *c, const struct fl_json *v, const struct fl_rules *rules,
                       struct fl_err *err);

/* flap.c */
/* @return true when it flaps: then the resolve does not count yet. */
bool flap_resolved(struct fl_corr *c, struct fl_step *s, struct episode *e, fl_usec ends_at);
void flap_fired(struct fl_corr *c, struct fl_step *s, struct episode *e);
/* Is there a resolve that does not count yet? */
bool flap_waits(const struct fl_corr *c, uint64_t fingerprint, fl_usec *ret_ends_at);
void flap_still_fires(struct fl_corr *c, uint64_t fingerprint);
void flaps_on_time(struct fl_corr *c, struct fl_step *s);
fl_usec flaps_due(const struct fl_corr *c); /* 0 = never */
void flaps_free(struct fl_corr *c);
void flaps_write(const struct fl_corr *c, struct fl_pack *out);
void flap_read(struct fl_corr *c, struct fl_unpack *u);

/* restore.c */
void restore_free(struct fl_corr *c);

/* refire.c: a report that an alert which flaps, and whose resolve does not count yet, fires. @return true: it was that. */
bool refires(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const char *source,
             const struct fl_alert *a, bool *ret_same);

/* A start fires on whose incident is over for too long to reopen: a new episode with the key and the row of the old one, which
 * leaves memory. @return false: a is about no such start. */
bool episode_anew(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const char *source,
                  const struct fl_alert *a);

/* inhibit.c */
void inhibit_enter(struct fl_corr *c, const struct fl_rules *rules, struct episode *e);
void inhibit_changed(struct fl_corr *c, struct episode *e, fl_alert_status before);
void inhibit_leave(struct fl_corr *c, struct episode *e);
/* Is e inhibited, by whom, by which rule? */
bool inhibit_find(struct fl_corr *c, const struct fl_step *s, const struct episode *e,
                  const struct episode **ret_by, const char **ret_rule);
bool inhibit_is_source(const struct fl_rules *rules, const struct fl_labels *l);

/* join.c */
/* i is open again, and e of it fires: what an alert like e would merge, or be part of, is one incident with it. */
void join_reopened(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e);
void join_episode(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e);
/* Would it join an incident that is there, rather than open one? */
bool join_finds(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e);
void join_into(struct fl_corr *c, struct fl_step *s, struct incident *i, struct episode *e,
               const char *reason);

/* grade.c: as fl_rules_class() */
fl_evidence_class grade_class(struct fl_corr *c, const struct fl_rules *rules, const struct fl_alert *a);
void grades_free(struct fl_corr *c);

/* suppress.c */
void quiet_index(struct fl_corr *c, const struct fl_rules *rules);

/* pairs.c */
struct pair *pair_of(const struct fl_corr *c, const struct episode *e); /* NULL: one start only */
struct pair *pair_new(struct fl_corr *c, const struct episode *e);
bool pair_has(const struct fl_corr *c, const struct episode *e, fl_usec starts_at);
/* A report of a half that is resolved already, or of an end that was not true. */
bool pair_settled(const struct fl_corr *c, const struct episode *e, const struct fl_alert *a);
/* What e is after this report of it; pair_silent: after one of its senders fell silent (ret_end: its last resolve). */
fl_alert_status pair_report(struct fl_corr *c, const struct episode *e, const char *source,
                            const struct fl_alert *a, fl_usec at);
fl_alert_status pair_silent(struct fl_corr *c, const struct episode *e, fl_usec starts_at, fl_usec *ret_end);
/* Is the resolved a of a time when e fired? */
bool pair_overlaps(const struct fl_corr *c, const struct episode *e, const struct fl_alert *a);
void pair_drop(struct fl_corr *c, const struct episode *e);
/* All starts of e are over. */
void bury(struct fl_corr *c, const struct fl_step *s, const struct episode *e);
void tomb_add(struct fl_corr *c, uint64_t fingerprint, fl_usec starts_at, fl_usec until, bool open);
/* This start's end was heard at `at`. */
void tomb_now(struct fl_corr *c, uint64_t fingerprint, fl_usec starts_at, fl_usec at);
/* A firing report of a start that is over, and no late one: whoever sends it never heard of that end. */
bool told_on(const struct fl_corr *c, fl_usec at, const struct fl_alert *a);
/* Then: that half fires, whatever the others say. What e is after it is for the caller to say. */
void pair_goes_on(struct fl_corr *c, const struct episode *e, const char *source, const struct fl_alert *a,
                  fl_usec at);
bool tomb_has(const struct fl_corr *c, uint64_t fingerprint, fl_usec starts_at);
void passed_add(struct fl_corr *c, uint64_t fingerprint, fl_usec starts_at, fl_usec ends_at, fl_usec until);
bool passed_returns(struct fl_corr *c, const struct fl_alert *a, struct half *ret);
void pair_again(struct fl_corr *c, const struct episode *e, const struct half *over, fl_usec starts_at);
bool passed_holds(const struct fl_corr *c, const struct fl_alert *a); /* passed_returns() would find it */
bool passed_overlaps(const struct fl_corr *c, const struct fl_alert *a);
void tombs_expire(struct fl_corr *c, fl_usec now);
void pairs_free(struct fl_corr *c);

/* episodes.c */
struct episode *episode_make(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const char *source,
                             const struct fl_alert *a);
/* A new one: resolved already, held, or in an incident. */
void episode_fresh(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const char *source,
                   const struct fl_alert *a);
struct episode *episode_newest(struct fl_corr *c, uint64_t fingerprint); /* the one that came last; NULL */
void episode_over(struct fl_corr *c, struct fl_step *s, struct episode *e, fl_usec ends_at);
void episode_reported_again(struct fl_corr *c, struct fl_step *s, struct episode *e); /* e is stale */
void episode_map(struct fl_corr *c, struct episode *e, const struct fl_rules *rules, struct fl_topo *topo);
void episode_row(struct fl_corr *c, struct fl_step *s, struct episode *e);
void episode_free(struct fl_corr *c, struct episode *e);
void episode_insert(struct fl_corr *c, struct episode *e);
uint64_t ep_key_hash(const void *key);
bool ep_key_same(const void *a, const void *b);
struct episode *episode_find(const struct fl_corr *c, const struct ep_key *key);
static inline bool is_live(const struct episode *e)
{
    return e->status != FL_ALERT_RESOLVED;
}
/* A text of an episode. */
static inline void episode_text(struct fl_corr *c, const char **slot, const char *text)
{
    fl_pool_set(c->pool, slot, text);
}
/* A text that is owned. */
static inline void set_text(char **slot, const char *text)
{
    char *old = *slot;
    *slot = fl_core_strdup(text);
    free(old);
}
