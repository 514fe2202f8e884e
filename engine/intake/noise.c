/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/noise.c -- how many reports came of which alert rule, team and source; contract in
 * <faultline/intake.h>. Repeats write nothing, so they are counted here and the sums are written now and then. */
#include <faultline/intake.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 8192, KEYS_MAX = 4096, RULE_MAX = 200, TEAM_MAX = FL_TEAM_MAX, SOURCE_MAX = 80 };

struct key {
    char rule[RULE_MAX + 1], team[TEAM_MAX + 1], source[SOURCE_MAX + 1];
};
struct fl_noise {
    pthread_mutex_t lock;
    uint32_t slot[SLOTS]; /* place in v, from 1 */
    struct key *keys;
    uint64_t *counts;
    size_t n;
    struct fl_team_reports teams[FL_TEAMS_MAX + 1],
        rules[FL_ALERT_RULES_MAX + 1]; /* ever; the last: all others */
    size_t n_teams, n_rules;
};

struct fl_noise *fl_noise_new(void)
{
    struct fl_noise *z = calloc(1, sizeof *z);
    if (!z)
        return NULL;
    pthread_mutex_init(&z->lock, NULL);
    z->keys = calloc(KEYS_MAX, sizeof *z->keys);
    z->counts = calloc(KEYS_MAX, sizeof *z->counts);
    return z->keys && z->counts ? z : fl_noise_free(z);
}

struct fl_noise *fl_noise_free(struct fl_noise *z)
{
    if (!z)
        return NULL;
    pthread_mutex_destroy(&z->lock);
    free(z->keys);
    free(z->counts);
    free(z);
    return NULL;
}

/* Cut between characters; long names share a key then. */
static void put(char *to, const char *from, size_t max)
{
    size_t n = strnlen(from, max + 1);
    if (n > max)
        for (n = max; n && ((unsigned char)from[n] & 0xc0) == 0x80;)
            n--;
    memcpy(to, from, n);
}

/* The place of a key, made when it is new; KEYS_MAX: there is no room. */
static size_t place_of(struct fl_noise *z, const struct key *k)
{
    size_t i = (size_t)fl_keyed_hash(k, sizeof *k) % SLOTS;
    for (; z->slot[i]; i = (i + 1) % SLOTS)
        if (memcmp(&z->keys[z->slot[i] - 1], k, sizeof *k) == 0)
            return z->slot[i] - 1;
    if (z->n == KEYS_MAX - 1) /* the last place is that of all the others */
        return KEYS_MAX;
    z->keys[z->n] = *k;
    z->counts[z->n] = 0;
    z->slot[i] = (uint32_t)++z->n;
    return z->n - 1;
}

static void add(struct fl_noise *z, const struct key *k, uint64_t n)
{
    size_t at = place_of(z, k);
    z->counts[at < KEYS_MAX ? at : KEYS_MAX - 1] += n;
}

/* Of the first `max` names each has its place, all others the one after them. */
static void add_name(struct fl_team_reports *v, size_t *known, size_t max, const char *name, uint64_t n)
{
    struct fl_team_reports cut = {.name = ""};
    size_t i = 0;
    put(cut.name, name, FL_TEAM_MAX);
    while (i < *known && strcmp(v[i].name, cut.name) != 0)
        i++;
    if (!strcmp(cut.name, FL_TEAM_OTHER))
        i = max;
    else if (i == *known && i < max)
        v[(*known)++] = cut;
    v[i].reports += n;
}

static void came(struct fl_noise *z, const struct key *k, uint64_t n)
{
    pthread_mutex_lock(&z->lock);
    add(z, k, n);
    add_name(z->teams, &z->n_teams, FL_TEAMS_MAX, k->team, n);
    add_name(z->rules, &z->n_rules, FL_ALERT_RULES_MAX, k->rule, n);
    pthread_mutex_unlock(&z->lock);
}

void fl_noise_count(struct fl_noise *z, const char *source, const struct fl_alert *v, size_t n)
{
    struct key k, last = {.rule = ""};
    uint64_t same = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i].status != FL_ALERT_FIRING)
            continue;
        memset(&k, 0, sizeof k);
        put(k.rule, fl_label_get(&v[i].labels, "alertname"), RULE_MAX);
        put(k.team, fl_team_of_labels(&v[i].labels), TEAM_MAX);
        put(k.source, source, SOURCE_MAX);
        if (same && memcmp(&k, &last, sizeof k) == 0) { /* bodies are mostly of one rule */
            same++;
            continue;
        }
        if (same)
            came(z, &last, same);
        last = k;
        same = 1;
    }
    if (same)
        came(z, &last, same);
}

static void forget(struct fl_noise *z)
{
    memset(z->slot, 0, sizeof z->slot);
    z->n = 0;
    z->counts[KEYS_MAX - 1] = 0;
}

size_t fl_noise_take(struct fl_noise *z, struct fl_arena *arena, struct fl_noise_count **ret)
{
    struct fl_noise_count *v = fl_arena_calloc(arena, KEYS_MAX, sizeof *v);
    struct key *k = fl_arena_alloc(arena, KEYS_MAX * sizeof *k);
    size_t n = 0;
    *ret = v;
    if (!v || !k)
        return 0; /* next time */
    pthread_mutex_lock(&z->lock);
    memcpy(k, z->keys, z->n * sizeof *k);
    for (; n < z->n; n++)
        v[n] = (struct fl_noise_count){k[n].rule, k[n].team, k[n].source, z->counts[n]};
    if (z->counts[KEYS_MAX - 1])
        v[n++] = (struct fl_noise_count){"(others)", "", "", z->counts[KEYS_MAX - 1]};
    forget(z);
    pthread_mutex_unlock(&z->lock);
    return n;
}

void fl_noise_put_back(struct fl_noise *z, const struct fl_noise_count *v, size_t n)
{
    pthread_mutex_lock(&z->lock);
    for (size_t i = 0; i < n; i++) {
        struct key k;
        memset(&k, 0, sizeof k);
        put(k.rule, v[i].rule, RULE_MAX);
        put(k.team, v[i].team, TEAM_MAX);
        put(k.source, v[i].source, SOURCE_MAX);
        add(z, &k, v[i].reports);
    }
    pthread_mutex_unlock(&z->lock);
}

static size_t names(struct fl_noise *z, const struct fl_team_reports *v, const size_t *known, size_t max,
                    struct fl_team_reports *ret)
{
    pthread_mutex_lock(&z->lock);
    size_t n = *known;
    memcpy(ret, v, n * sizeof *ret);
    if (v[max].reports) {
        ret[n] = v[max];
        memcpy(ret[n++].name, FL_TEAM_OTHER, sizeof FL_TEAM_OTHER);
    }
    pthread_mutex_unlock(&z->lock);
    return n;
}

size_t fl_noise_teams(struct fl_noise *z, struct fl_team_reports ret[FL_TEAMS_MAX + 1])
{
    return names(z, z->teams, &z->n_teams, FL_TEAMS_MAX, ret);
}

size_t fl_noise_rules(struct fl_noise *z, struct fl_team_reports ret[FL_ALERT_RULES_MAX + 1])
{
    return names(z, z->rules, &z->n_rules, FL_ALERT_RULES_MAX, ret);
}
