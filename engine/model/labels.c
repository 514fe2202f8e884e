/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/labels.c -- label sets, fingerprints, copies of alerts; contract in <faultline/model.h>. */
#include <faultline/json.h>
#include <faultline/model.h>

#include <stdlib.h>
#include <string.h>

const char *fl_label_get(const struct fl_labels *l, const char *name)
{
    /* Label sets have a handful of names: a scan beats a binary search and needs no order. Rules ask for far more names
     * than an alert has, so most answers come from the first byte. */
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].name[0] == name[0] && strcmp(l->v[i].name, name) == 0)
            return l->v[i].value;
    return "";
}

const char *fl_team_of_labels(const struct fl_labels *l)
{
    const char *team = fl_label_get(l, "team");
    return *team ? team : fl_label_get(l, "owner");
}

/* Stable insertion sort: sets are small and arrive sorted from every Go program. */
static void insertion_sort(struct fl_label *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct fl_label x = v[i];
        size_t k = i;
        for (; k && strcmp(v[k - 1].name, x.name) > 0; k--)
            v[k] = v[k - 1];
        v[k] = x;
    }
}

size_t fl_labels_normalise(struct fl_label *v, size_t n)
{
    insertion_sort(v, n);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool shadowed = i + 1 < n && strcmp(v[i].name, v[i + 1].name) == 0;
        if (!shadowed && v[i].value[0])
            v[kept++] = v[i];
    }
    return kept;
}

uint64_t fl_labels_fingerprint(const struct fl_labels *l)
{
    uint64_t h = FL_FNV1A_INIT;
    for (size_t i = 0; i < l->n; i++) {
        h = fl_fnv1a(h, l->v[i].name, strlen(l->v[i].name));
        h = fl_fnv1a(h, "\xff", 1);
        h = fl_fnv1a(h, l->v[i].value, strlen(l->v[i].value));
        h = fl_fnv1a(h, "\xff", 1);
    }
    return h;
}

static size_t labels_bytes(const struct fl_labels *l)
{
    size_t bytes = 0;
    for (size_t i = 0; i < l->n; i++)
        bytes += strlen(l->v[i].name) + strlen(l->v[i].value) + 2;
    return bytes;
}

static const char *copy_text(char **at, const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = memcpy(*at, s, n);
    *at += n;
    return p;
}

static struct fl_labels copy_labels(struct fl_label *v, const struct fl_labels *from, char **text)
{
    for (size_t i = 0; i < from->n; i++) {
        v[i].name = copy_text(text, from->v[i].name);
        v[i].value = copy_text(text, from->v[i].value);
    }
    return (struct fl_labels){.v = v, .n = from->n};
}

struct fl_alert *fl_alert_dup(const struct fl_alert *a)
{
    const char *url = a->generator_url ? a->generator_url : "";
    size_t pairs = a->labels.n + a->annotations.n;
    size_t text = labels_bytes(&a->labels) + labels_bytes(&a->annotations) + strlen(url) + 1;
    struct fl_alert *copy = malloc(sizeof *copy + pairs * sizeof(struct fl_label) + text);
    if (!copy)
        return NULL;
    *copy = *a;
    struct fl_label *v = (struct fl_label *)(copy + 1);
    char *at = (char *)(v + pairs);
    copy->labels = copy_labels(v, &a->labels, &at);
    copy->annotations = copy_labels(v + a->labels.n, &a->annotations, &at);
    copy->generator_url = copy_text(&at, url);
    return copy;
}

void fl_labels_text(const struct fl_labels *l, struct fl_buf *out)
{
    for (size_t i = 0; i < l->n; i++) {
        if (i)
            fl_buf_str(out, ", ");
        fl_buf_str(out, l->v[i].name);
        fl_buf_chr(out, '=');
        fl_json_quote(out, l->v[i].value, strlen(l->v[i].value));
    }
}

void fl_labels_json(struct fl_jw *w, const char *key, const struct fl_labels *l)
{
    fl_jw_obj(w, key);
    for (size_t i = 0; i < l->n; i++)
        fl_jw_str(w, l->v[i].name, l->v[i].value);
    fl_jw_obj_end(w);
}
