/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/flap.c -- alerts that fire and resolve again and again: from some point on they count as firing
 * until they are quiet, so that each turn is not an incident, and a playbook, of its own.
 *
 * The history is by fingerprint, and begins with the first resolve: an alert that just fires costs nothing here. */
#include "correlate_priv.h"
#include "snapshot_priv.h"

#include <stdlib.h>
#include <string.h>

enum { FLAPS_MAX = 100000 }; /* histories; the one that changed longest ago goes first */

struct flap {
    uint64_t fingerprint;
    fl_usec since;     /* it flaps since then; 0: it does not */
    fl_usec quiet_for; /* of the rule when it began */
    fl_usec ended;     /* it was reported as resolved, which does not count yet; 0: it fires */
    fl_usec ends_at;   /* when the sender says that was */
    unsigned n, cap;
    fl_usec *at;       /* owned: the last changes, oldest first */
    fl_usec due;       /* its key in the heap */
    uint64_t turn;     /* order of the last change */
    size_t due_at;     /* place in the heap; 0: it does not flap */
    UT_hash_handle hh; /* insertion order = order of the last change */
};

static const struct fl_flapping_rule *rule_of(const struct fl_rules *rules, const struct episode *e)
{
    for (size_t k = 0; k < rules->n_flapping; k++)
        if (fl_match_all(rules->flapping[k].match, rules->flapping[k].n_match, &e->alert->labels))
            return rules->flapping[k].changes ? &rules->flapping[k] : NULL;
    return NULL;
}

static struct flap *find(const struct fl_corr *c, uint64_t fingerprint)
{
    struct flap *f = NULL;
    if (c->flaps)
        HASH_FIND(hh, c->flaps, &fingerprint, sizeof fingerprint, f);
    return f;
}

static void drop(struct fl_corr *c, struct flap *f)
{
    HASH_DEL(c->flaps, f);
    fl_heap_drop(&c->flaps_due, f);
    c->stats.flapping -= f->since != 0;
    free(f->at);
    free(f);
}

void flaps_free(struct fl_corr *c)
{
    while (c->flaps)
        drop(c, c->flaps);
    fl_heap_done(&c->flaps_due);
}

static fl_usec last_change(const struct flap *f)
{
    return f->n ? f->at[f->n - 1] : 0;
}

/* When it is quiet for long enough, if nothing changes. */
static fl_usec steady_at(const struct flap *f)
{
    return last_change(f) + f->quiet_for;
}

static bool sooner(const void *a, const void *b)
{
    const struct flap *x = a, *y = b;
    return x->due != y->due ? x->due < y->due : x->turn < y->turn;
}

static size_t *place(void *item)
{
    return &((struct flap *)item)->due_at;
}

const struct fl_heap_kind flaps_by_due = {sooner, place};

/* After a change of it, and last in the order of changes. */
static void append(struct fl_corr *c, struct flap *f)
{
    fl_heap_drop(&c->flaps_due, f);
    HASH_ADD(hh, c->flaps, fingerprint, sizeof f->fingerprint, f);
    f->turn = ++c->flap_turns;
    f->due = steady_at(f);
    if (f->since)
        fl_heap_put(&c->flaps_due, f);
}

fl_usec flaps_due(const struct fl_corr *c)
{
    const struct flap *f = fl_heap_first(&c->flaps_due);
    return f ? f->due : 0;
}

/* ---- saying it ---- */

static void say(struct fl_step *s, const struct episode *e, const char *action, const char *text)
{
    const struct incident *i = e->incident;
    char hex[17];
    s->note(s, &(struct fl_note){.to = FL_NOTE_TIMELINE | FL_NOTE_AUDIT,
                                 .action = action,
                                 .incident = i ? i->pub.id : "",
                                 .subject = fl_fx_str(s->fx, fl_fingerprint_hex(e->key.fingerprint, hex)),
                                 .text = fl_fx_printf(s->fx, "%.200s%s%.300s %s", alert_name(e),
                                                      e->node_id ? " on " : "", e->node_id ? e->node_id : "",
                                                      text)});
}

/* What its row shows while it flaps. */
static void show(const struct fl_step *s, const struct flap *f, struct episode *e)
{
    const struct fl_flapping_rule *r = rule_of(s->rules, e);
    char quiet[24], since[FL_TIME_LEN], earliest[FL_TIME_LEN];
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_buf_printf(&b, "flapping since %s", fl_time_format_ms(f->since, since));
    if (r)
        fl_buf_printf(&b, " (rule \"%.100s\")", r->name);
    fl_buf_printf(&b,
                  ": counts as firing until it has not changed for %s, at %s if it does not change before",
                  fl_format_duration(f->quiet_for, quiet), fl_time_format_ms(steady_at(f), earliest));
    set_text(&hold_of(e)->flap, b.p);
}

static void begins(struct fl_corr *c, struct fl_step *s, struct flap *f, const struct fl_flapping_rule *r,
                   struct episode *e)
{
    char span[24], quiet[24];
    f->since = s->at;
    f->quiet_for = r->quiet_for;
    c->stats.flapping++;
    c->stats.flaps++;
    show(s, f, e);
    say(s, e, "alert.flapping",
        fl_fx_printf(
            s->fx,
            "is flapping (rule \"%.100s\"): %u changes in %s; it counts as firing until it is quiet for %s",
            r->name, f->n, fl_format_duration(last_change(f) - f->at[0], span),
            fl_format_duration(r->quiet_for, quiet)));
}

/* ---- changes ---- */

static void add(struct flap *f, fl_usec at, unsigned cap)
{
    if (f->cap != cap) {
        fl_usec *v = fl_core_alloc(cap, sizeof *v);
        unsigned keep = f->n < cap ? f->n : cap;
        if (keep)
            memcpy(v, f->at + (f->n - keep), keep * sizeof *v);
        free(f->at);
        f->at = v;
        f->n = keep;
        f->cap = cap;
    }
    if (f->n == cap)
        memmove(f->at, f->at + 1, --f->n * sizeof *f->at);
    f->at[f->n++] = at;
}

static struct flap *change(struct fl_corr *c, struct fl_step *s, struct episode *e, bool fires)
{
    struct flap *f = find(c, e->key.fingerprint);
    const struct fl_flapping_rule *r = rule_of(s->rules, e);
    if (!f && (fires || !r))
        return NULL;
    if (f)
        HASH_DEL(c->flaps, f);
    else
        f = fl_core_alloc(1, sizeof *f);
    f->fingerprint = e->key.fingerprint;
    add(f, s->at, r ? r->changes + 1 : f->cap);
    if (!f->since && r && f->n > r->changes && last_change(f) - f->at[0] <= r->within)
        begins(c, s, f, r, e);
    append(c, f);
    return f;
}

bool flap_resolved(struct fl_corr *c, struct fl_step *s, struct episode *e, fl_usec ends_at)
{
    struct flap *f = change(c, s, e, false);
    if (!f || !f->since)
        return false;
    f->ended = s->at;
    f->ends_at = ends_at;
    show(s, f, e);
    return true;
}

void flap_fired(struct fl_corr *c, struct fl_step *s, struct episode *e)
{
    struct flap *f = change(c, s, e, true);
    if (!f)
        return;
    f->ended = 0;
    if (f->since)
        show(s, f, e);
}

bool flap_waits(const struct fl_corr *c, uint64_t fingerprint, fl_usec *ret_ends_at)
{
    const struct flap *f = find(c, fingerprint);
    if (!f || !f->since || !f->ended)
        return false;
    *ret_ends_at = f->ends_at;
    return true;
}

void flap_still_fires(struct fl_corr *c, uint64_t fingerprint)
{
    struct flap *f = find(c, fingerprint);
    if (f)
        f->ended = 0;
}

/* ---- time ---- */

static void ends(struct fl_corr *c, struct fl_step *s, struct flap *f)
{
    fl_usec ended = f->ended, ends_at = f->ends_at;
    struct episode *e = episode_newest(c, f->fingerprint);
    char quiet[24];
    f->since = f->ended = 0;
    fl_heap_drop(&c->flaps_due, f);
    c->stats.flapping--;
    if (!e || !is_live(e) || !e->hold || !e->hold->flap)
        return;
    set_text(&e->hold->flap, NULL);
    say(s, e, "alert.steady",
        fl_fx_printf(s->fx, "is not flapping any more: %s for %s",
                     ended ? "resolved" : "firing without a break", fl_format_duration(f->quiet_for, quiet)));
    if (ended)
        episode_over(c, s, e, ends_at);
    else
        episode_row(c, s, e);
}

static int by_turn(const void *a, const void *b)
{
    const struct flap *const *x = a, *const *y = b;
    return ((*x)->turn > (*y)->turn) - ((*x)->turn < (*y)->turn);
}

/* Those that are quiet for long enough, in the order of their last changes. */
static void end_due(struct fl_corr *c, struct fl_step *s)
{
    size_t n = 0, cap = c->flaps_due.n;
    struct flap **v = fl_core_alloc(cap, sizeof(struct flap *));
    for (struct flap *f; (f = fl_heap_first(&c->flaps_due)) && f->due <= s->at;) {
        fl_heap_drop(&c->flaps_due, f);
        v[n++] = f;
    }
    qsort(v, n, sizeof(struct flap *), by_turn);
    for (size_t k = 0; k < n; k++)
        ends(c, s, v[k]);
    free(v);
}

void flaps_on_time(struct fl_corr *c, struct fl_step *s)
{
    fl_usec longest = 0;
    for (size_t k = 0; k < s->rules->n_flapping; k++)
        if (s->rules->flapping[k].within > longest)
            longest = s->rules->flapping[k].within;
    if (c->flaps_due.n && flaps_due(c) <= s->at)
        end_due(c, s);
    while (c->flaps && (HASH_COUNT(c->flaps) > FLAPS_MAX ||
                        (!c->flaps->since && last_change(c->flaps) + longest < s->at))) {
        if (c->flaps->since)
            ends(c, s, c->flaps);
        drop(c, c->flaps);
    }
}

/* ---- snapshot ---- */

void flaps_write(const struct fl_corr *c, struct fl_pack *out)
{
    for (const struct flap *f = c->flaps; f; f = f->hh.next) {
        fl_pack_begin(out, REC_FLAP);
        fl_pack_hash(out, f->fingerprint);
        fl_pack_i64(out, f->since);
        fl_pack_i64(out, f->quiet_for);
        fl_pack_i64(out, f->ended);
        fl_pack_i64(out, f->ends_at);
        fl_pack_u64(out, f->cap);
        fl_usec from = 0;
        for (unsigned k = 0; k < f->n; k++) {
            fl_pack_after(out, from, f->at[k]);
            from = f->at[k];
        }
        fl_pack_end(out);
    }
}

void flap_read(struct fl_corr *c, struct fl_unpack *u)
{
    struct flap *f = fl_core_alloc(1, sizeof *f);
    f->fingerprint = fl_unpack_hash(u);
    f->since = fl_unpack_i64(u);
    f->quiet_for = fl_unpack_i64(u);
    f->ended = fl_unpack_i64(u);
    f->ends_at = fl_unpack_i64(u);
    uint64_t cap = fl_unpack_u64(u);
    u->bad |= cap < 1 || cap > FL_FLAP_CHANGES_MAX + 1;
    for (fl_usec at = 0; fl_unpack_more(u);) {
        at = fl_unpack_after(u, at);
        add(f, at, (unsigned)cap);
    }
    if (u->bad) {
        free(f->at);
        free(f);
        return;
    }
    append(c, f);
    c->stats.flapping += f->since != 0;
}
