/* SPDX-License-Identifier: GPL-3.0-or-later */
/* case_table.c -- files of a case: unpacking, metric tables and trace aggregates in CSV. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "case_priv.h"

fl_status fl_case_file(const char *path, struct fl_buf *out, struct fl_err *err)
{
    char chunk[65536];
    int got;
    gzFile f = gzopen(path, "rbe"); /* reads plain files as they are */
    if (!f)
        return fl_fail(err, FL_E_IO, path, "cannot read: %s", strerror(errno));
    while ((got = gzread(f, chunk, sizeof chunk)) > 0) {
        if (out->n + (size_t)got > FL_CASE_FILE_MAX) {
            gzclose(f);
            return fl_fail(err, FL_E_LIMIT, path, "more than %u bytes unpacked", FL_CASE_FILE_MAX);
        }
        fl_buf_add(out, chunk, (size_t)got);
    }
    int closed = gzclose(f);
    if (got < 0 || closed == Z_BUF_ERROR)
        return fl_fail(err, FL_E_SYNTAX, path, "damaged or cut gzip data");
    return out->failed ? fl_fail(err, FL_E_NOMEM, path, "out of memory") : FL_OK;
}

fl_status fl_case_lines(const char *path, char *text, size_t n,
                        fl_status (*each)(void *ctx, const char *line, size_t n, struct fl_err *err),
                        void *ctx, struct fl_err *err)
{
    size_t number = 0;
    for (char *line = text, *end = text + n; line < end; number++) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop)
            stop = end;
        size_t len = (size_t)(stop - line);
        *stop = '\0'; /* a fl_buf has room for one NUL more */
        if (len && line[len - 1] == '\r')
            line[--len] = '\0';
        if (strspn(line, " \t") < len) {
            fl_status st = each(ctx, line, len, err);
            if (st) {
                fl_err_in_file(err, path, number + 1);
                return st;
            }
        }
        line = stop + 1;
    }
    return FL_OK;
}

char *fl_csv_field(char **p)
{
    char *start = *p, *r = start, *w = start;
    if (*r != '"') {
        char *comma = strchr(r, ',');
        if (comma)
            *comma++ = '\0';
        *p = comma;
        return start;
    }
    for (r++; *r; r++) {
        if (*r == '"' && *++r != '"')
            break;
        *w++ = *r;
    }
    *p = *r == ',' ? r + 1 : NULL;
    *w = '\0';
    return start;
}

/* A number; empty, unreadable and infinite ones are NaN: a hole, not an error. */
static double csv_number(const char *s)
{
    char *end;
    double v = strtod(s, &end);
    return end == s || *end || !isfinite(v) ? NAN : v;
}

struct table_reader {
    struct fl_arena *arena;
    struct fl_table *t;
    double *rows; /* row after row while reading: time, then the columns */
    size_t cap;
    bool headed;
};

static fl_status table_head(struct table_reader *r, char *line, struct fl_err *err)
{
    struct fl_table *t = r->t;
    size_t cap = 1;
    for (const char *c = line; *c; c++)
        cap += *c == ',';
    if (cap > FL_CASE_COLUMNS_MAX)
        return fl_fail(err, FL_E_LIMIT, NULL, "%zu columns, at most %u are allowed", cap,
                       FL_CASE_COLUMNS_MAX);
    const char **component = fl_arena_calloc(r->arena, cap, sizeof *component);
    const char **metric = fl_arena_calloc(r->arena, cap, sizeof *metric);
    if (!component || !metric)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    char *p = line;
    const char *first = fl_csv_field(&p);
    if (strcmp(first, "time") != 0)
        return fl_fail(err, FL_E_SHAPE, NULL, "the first column is \"%.40s\", not time", first);
    while (p) {
        char *name = fl_csv_field(&p), *bar = strrchr(name, '|');
        if (!bar)
            return fl_fail(err, FL_E_SHAPE, NULL, "column \"%.80s\" is not component|metric", name);
        *bar = '\0';
        component[t->n_cols] = fl_arena_strdup(r->arena, name);
        metric[t->n_cols] = fl_arena_strdup(r->arena, bar + 1);
        if (!component[t->n_cols] || !metric[t->n_cols])
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        t->n_cols++;
    }
    t->component = component;
    t->metric = metric;
    r->headed = true;
    return FL_OK;
}

static fl_status table_row(void *ctx, const char *line, size_t n, struct fl_err *err)
{
    struct table_reader *r = ctx;
    struct fl_table *t = r->t;
    char *p = (char *)line;
    (void)n;
    if (!r->headed)
        return table_head(r, p, err);
    size_t width = t->n_cols + 1;
    if (t->n_rows == FL_CASE_ROWS_MAX)
        return fl_fail(err, FL_E_LIMIT, NULL, "more than %u rows", FL_CASE_ROWS_MAX);
    if ((t->n_rows + 1) * t->n_cols > FL_CASE_VALUES_MAX)
        return fl_fail(err, FL_E_LIMIT, NULL, "more than %u values in one table", FL_CASE_VALUES_MAX);
    if (t->n_rows == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 64;
        double *grown = realloc(r->rows, r->cap * width * sizeof *grown);
        if (!grown)
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        r->rows = grown;
    }
    double *row = r->rows + t->n_rows * width;
    for (size_t c = 0; c < width; c++)
        row[c] = p ? csv_number(fl_csv_field(&p)) : NAN;
    if (p)
        return fl_fail(err, FL_E_SHAPE, NULL, "more fields than the %zu that the head names", width);
    if (isnan(row[0]))
        return fl_fail(err, FL_E_SHAPE, NULL, "the time is not a number");
    if (t->n_rows && row[0] < row[-(ptrdiff_t)width])
        return fl_fail(err, FL_E_SHAPE, NULL, "time goes back");
    t->n_rows++;
    return FL_OK;
}

struct place {
    double v;
    uint32_t row;
};

static int by_value(const void *pa, const void *pb)
{
    const struct place *a = pa, *b = pb;
    if (isnan(a->v) != isnan(b->v))
        return isnan(a->v) ? 1 : -1;
    if (a->v < b->v || a->v > b->v)
        return a->v < b->v ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

/* The rows of each column by value: quartiles of any part of it are then one pass. */
static fl_status table_sort(struct table_reader *r, struct fl_err *err)
{
    struct fl_table *t = r->t;
    uint32_t *order = fl_arena_alloc(r->arena, (t->n_rows * t->n_cols + 1) * sizeof *order);
    FL_AUTO_FREE struct place *p = malloc((t->n_rows + 1) * sizeof *p);
    if (!order || !p)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t c = 0; c < t->n_cols; c++) {
        for (size_t i = 0; i < t->n_rows; i++)
            p[i] = (struct place){t->v[c * t->n_rows + i], (uint32_t)i};
        if (t->n_rows > 1)
            qsort(p, t->n_rows, sizeof *p, by_value);
        for (size_t i = 0; i < t->n_rows; i++)
            order[c * t->n_rows + i] = p[i].row;
    }
    t->order = order;
    return FL_OK;
}

static fl_status table_transpose(struct table_reader *r, struct fl_err *err)
{
    struct fl_table *t = r->t;
    double *time = fl_arena_alloc(r->arena, (t->n_rows + 1) * sizeof *time);
    double *v = fl_arena_alloc(r->arena, (t->n_rows * t->n_cols + 1) * sizeof *v);
    if (!time || !v)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < t->n_rows; i++) {
        const double *row = r->rows + i * (t->n_cols + 1);
        time[i] = row[0];
        for (size_t c = 0; c < t->n_cols; c++)
            v[c * t->n_rows + i] = row[c + 1];
    }
    t->time = time;
    t->v = v;
    return FL_OK;
}

fl_status fl_case_table(struct fl_arena *arena, const char *path, struct fl_table *ret, struct fl_err *err)
{
    FL_AUTO_BUF text = fl_buf_init(0);
    struct table_reader r = {.arena = arena, .t = ret};
    *ret = (struct fl_table){.n_rows = 0};
    fl_status st = fl_case_file(path, &text, err);
    if (!st)
        st = fl_case_lines(path, text.p, text.n, table_row, &r, err);
    if (!st)
        st = table_transpose(&r, err);
    if (!st)
        st = table_sort(&r, err);
    free(r.rows);
    return st;
}

struct trace_reader {
    struct fl_arena *arena;
    struct fl_trace_row *v;
    size_t n, cap;
    bool headed;
};

static fl_status trace_line(void *ctx, const char *line, size_t n, struct fl_err *err)
{
    static const char head[] = "bucket,caller,callee,operation,spans,p50_ms,p90_ms,self_p90_ms,net_p90_ms";
    struct trace_reader *r = ctx;
    char *p = (char *)line, *f[9];
    (void)n;
    if (!r->headed) {
        r->headed = true;
        return strcmp(line, head) == 0 ? FL_OK
                                       : fl_fail(err, FL_E_SHAPE, NULL, "the columns are not %s", head);
    }
    if (r->n == FL_CASE_ROWS_MAX)
        return fl_fail(err, FL_E_LIMIT, NULL, "more than %u rows", FL_CASE_ROWS_MAX);
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 256;
        struct fl_trace_row *grown = realloc(r->v, r->cap * sizeof *grown);
        if (!grown)
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        r->v = grown;
    }
    for (size_t i = 0; i < FL_ARRAY_LEN(f); i++) {
        if (!p)
            return fl_fail(err, FL_E_SHAPE, NULL, "%zu columns instead of 9", i);
        f[i] = fl_csv_field(&p);
    }
    double bucket = csv_number(f[0]);
    uint64_t key = FL_FNV1A_INIT;
    for (size_t i = 1; i <= 3; i++)
        key = fl_fnv1a(key, f[i], strlen(f[i]) + 1);
    struct fl_trace_row row = {.key = key ? key : 1,
                               .bucket = isnan(bucket) ? 0 : (int64_t)bucket,
                               .caller = fl_arena_strdup(r->arena, f[1]),
                               .callee = fl_arena_strdup(r->arena, f[2]),
                               .operation = fl_arena_strdup(r->arena, f[3]),
                               .spans = csv_number(f[4]),
                               .p50_ms = csv_number(f[5]),
                               .p90_ms = csv_number(f[6]),
                               .self_p90_ms = csv_number(f[7]),
                               .net_p90_ms = csv_number(f[8])};
    if (!row.caller || !row.callee || !row.operation)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    r->v[r->n++] = row;
    return FL_OK;
}

fl_status fl_case_traces(struct fl_arena *arena, const char *path, struct fl_traces *ret, struct fl_err *err)
{
    FL_AUTO_BUF text = fl_buf_init(0);
    struct trace_reader r = {.arena = arena};
    *ret = (struct fl_traces){.n = 0};
    fl_status st = fl_case_file(path, &text, err);
    if (!st)
        st = fl_case_lines(path, text.p, text.n, trace_line, &r, err);
    if (!st && r.n) {
        struct fl_trace_row *v = fl_arena_dup(arena, r.v, r.n * sizeof *v);
        if (v)
            *ret = (struct fl_traces){v, r.n};
        else
            st = fl_fail(err, FL_E_NOMEM, path, "out of memory");
    }
    free(r.v);
    return st;
}
