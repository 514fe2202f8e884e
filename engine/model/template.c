/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/template.c -- contract in template.h. */
#include "template.h"

#include <string.h>

struct template_names {
    const char **v;
    size_t n, cap;
};

/* Text as it is, the value of a name, or what a group of the regex took. */
struct part {
    enum { PART_TEXT, PART_NAME, PART_GROUP } kind;
    const char *text;
    size_t n; /* bytes, place of the name, or number of the group from 0 */
};
struct alternative {
    struct part *v;
    size_t n;
};
struct fl_template {
    struct alternative *v;
    size_t n;
};

/* ---- when the rules are read ---- */

struct template_names *template_names_new(struct fl_arena *arena)
{
    return fl_arena_calloc(arena, 1, sizeof(struct template_names));
}

size_t template_name(struct fl_arena *arena, struct template_names *names, const char *name, size_t n)
{
    for (size_t i = 0; i < names->n; i++)
        if (strncmp(names->v[i], name, n) == 0 && !names->v[i][n])
            return i;
    if (names->n == names->cap) {
        size_t cap = names->cap ? names->cap * 2 : 64;
        const char **v = fl_arena_alloc(arena, cap * sizeof *v);
        if (!v)
            return SIZE_MAX;
        if (names->n)
            memcpy(v, names->v, names->n * sizeof *v);
        names->v = v;
        names->cap = cap;
    }
    const char *copy = fl_arena_strndup(arena, name, n);
    if (!copy)
        return SIZE_MAX;
    names->v[names->n] = copy;
    return names->n++;
}

static bool read_placeholder(struct fl_arena *arena, struct template_names *names, const char *name, size_t n,
                             struct part *ret)
{
    if (n == 1 && name[0] >= '1' && name[0] <= '9') {
        *ret = (struct part){PART_GROUP, NULL, (size_t)(name[0] - '1')};
        return true;
    }
    *ret = (struct part){PART_NAME, NULL, template_name(arena, names, name, n)};
    return ret->n != SIZE_MAX;
}

static bool read_alternative(struct fl_arena *arena, struct template_names *names, const char *p, size_t n,
                             struct alternative *ret)
{
    const char *end = p + n;
    /* Each placeholder has at most one text before it, and one may follow the last. */
    ret->v = fl_arena_alloc(arena, (n + 1) * sizeof *ret->v);
    if (!ret->v)
        return false;
    while (p < end) {
        if (*p == '{') {
            const char *close = memchr(p, '}', (size_t)(end - p));
            FL_REQUIRE(close != NULL);
            if (!read_placeholder(arena, names, p + 1, (size_t)(close - p - 1), &ret->v[ret->n++]))
                return false;
            p = close + 1;
        } else {
            const char *brace = memchr(p, '{', (size_t)(end - p));
            size_t len = (size_t)((brace ? brace : end) - p);
            ret->v[ret->n++] = (struct part){PART_TEXT, p, len};
            p += len;
        }
    }
    return true;
}

struct fl_template *template_new(struct fl_arena *arena, struct template_names *names, const char *text)
{
    struct fl_template *t = fl_arena_calloc(arena, 1, sizeof *t);
    size_t bars = 0;
    for (const char *p = text; *p; p++)
        bars += *p == '|';
    if (t)
        t->v = fl_arena_calloc(arena, bars + 1, sizeof *t->v);
    if (!t || !t->v)
        return NULL;
    for (const char *p = text;; p++) {
        size_t n = strcspn(p, "|");
        if (!read_alternative(arena, names, p, n, &t->v[t->n++]))
            return NULL;
        p += n;
        if (!*p)
            return t;
    }
}

/* ---- for each alert ---- */

static void forget(struct words *w)
{
    size_t n = w->names->n < TEMPLATE_WORDS ? w->names->n : TEMPLATE_WORDS;
    memset(w->known, 0, n * sizeof w->known[0]);
}

void words_init(struct words *w, const struct template_names *names, const struct fl_labels *labels)
{
    w->names = names;
    w->labels = labels;
    w->notes = NULL;
    w->n_matches = 0;
    forget(w);
}

void words_add(struct words *w, const struct fl_labels *notes)
{
    w->notes = notes;
    forget(w);
}

static const char *look_up(const struct words *w, const char *name)
{
    const char *value = fl_label_get(w->labels, name);
    return *value || !w->notes ? value : fl_label_get(w->notes, name);
}

const char *words_get(struct words *w, size_t name)
{
    if (name >= TEMPLATE_WORDS)
        return look_up(w, w->names->v[name]);
    if (!w->known[name])
        w->known[name] = look_up(w, w->names->v[name]);
    return w->known[name];
}

static bool append(char *out, size_t *used, const char *p, size_t n)
{
    if (*used + n > FL_NODE_ID_MAX)
        return false;
    memcpy(out + *used, p, n);
    *used += n;
    return true;
}

/* False when a placeholder is empty: half an id is no id. */
static bool expand(const struct alternative *a, struct words *w, const struct fl_capture *captures, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < a->n; i++) {
        const struct part *part = &a->v[i];
        const char *p = part->text;
        size_t n = part->n;
        if (part->kind == PART_NAME) {
            p = words_get(w, part->n);
            n = strlen(p);
        } else if (part->kind == PART_GROUP) {
            p = captures[part->n].p;
            n = p ? captures[part->n].n : 0;
        }
        if (!n || !append(out, &used, p, n))
            return false;
    }
    out[used] = 0;
    return used > 0;
}

bool template_expand(const struct fl_template *t, struct words *w, const struct fl_capture *captures,
                     char *out)
{
    for (size_t i = 0; i < t->n; i++)
        if (expand(&t->v[i], w, captures, out))
            return true;
    return false;
}
