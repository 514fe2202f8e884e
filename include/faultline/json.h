/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/json.h -- the one JSON helper of layer 0: a writer with a fixed form, and a reader
 * that hides jansson, so that layers 3 and 4 can take event bodies apart without a json_t (layer 0). */
#pragma once

#include <faultline/base.h>

/* ---- writer: deterministic bytes, keys in the order written ---------------------------------- */

struct fl_jw {
    struct fl_buf *out;
    bool comma;
};
static inline struct fl_jw fl_jw_init(struct fl_buf *out)
{
    return (struct fl_jw){.out = out};
}
/* `key` is NULL inside an array and at the top. A NULL string writes null. */
void fl_jw_obj(struct fl_jw *w, const char *key);
void fl_jw_obj_end(struct fl_jw *w);
void fl_jw_arr(struct fl_jw *w, const char *key);
void fl_jw_arr_end(struct fl_jw *w);
void fl_jw_str(struct fl_jw *w, const char *key, const char *value);
void fl_jw_strn(struct fl_jw *w, const char *key, const char *value, size_t n);
void fl_jw_int(struct fl_jw *w, const char *key, int64_t value);
void fl_jw_bool(struct fl_jw *w, const char *key, bool value);
void fl_jw_null(struct fl_jw *w, const char *key);
/** Fixed decimals, so that the same number is always the same bytes; NaN and infinity write null. */
void fl_jw_fixed(struct fl_jw *w, const char *key, double value, int decimals);
/** RFC 3339 with microseconds; 0 writes null. */
void fl_jw_time(struct fl_jw *w, const char *key, fl_usec t);
/** Text that is JSON already. */
void fl_jw_raw(struct fl_jw *w, const char *key, const char *json);
/** A JSON string literal with its quotes; invalid UTF-8 becomes U+FFFD. */
void fl_json_quote(struct fl_buf *out, const char *s, size_t n);

/* ---- reader ------------------------------------------------------------------------------------ */

struct fl_json; /* a value; borrowed from its root except from fl_json_parse */

/** @return new root (fl_json_free), or NULL with *err (FL_E_SYNTAX, where = "line L column C").
 *  Duplicate keys, NUL, bad UTF-8 and nesting over 128 are refused. */
struct fl_json *fl_json_parse(const char *p, size_t n, struct fl_err *err);
struct fl_json *fl_json_free(struct fl_json *root);
void fl_json_freep(struct fl_json **root);
#define FL_AUTO_JSON __attribute__((cleanup(fl_json_freep))) struct fl_json *

bool fl_json_is_object(const struct fl_json *v);
bool fl_json_is_array(const struct fl_json *v);
/** The same of what Lua wrote, in which an empty list and an empty table with names are one: {} and [] are both. */
bool fl_json_is_list(const struct fl_json *v);
bool fl_json_is_map(const struct fl_json *v);
bool fl_json_is_string(const struct fl_json *v);
bool fl_json_is_bool(const struct fl_json *v);
bool fl_json_truth(const struct fl_json *v); /* the value itself: true and nothing else */
bool fl_json_is_number(const struct fl_json *v);
const struct fl_json *fl_json_get(const struct fl_json *obj, const char *key); /* NULL: absent or null */
size_t fl_json_len(const struct fl_json *arr);
const struct fl_json *fl_json_at(const struct fl_json *arr, size_t i);
/** String member, or `dflt` when absent or no string. Borrowed. */
const char *fl_json_str(const struct fl_json *obj, const char *key, const char *dflt);
int64_t fl_json_int(const struct fl_json *obj, const char *key, int64_t dflt); /* also reads reals */
double fl_json_real(const struct fl_json *obj, const char *key, double dflt);
bool fl_json_bool(const struct fl_json *obj, const char *key, bool dflt);
const char *fl_json_string(const struct fl_json *v); /* the value itself, NULL when no string */
double fl_json_number(const struct fl_json *v, double dflt);
/** Members in insertion order: for (void *it = …first; it; it = …next). */
void *fl_json_first(const struct fl_json *obj);
void *fl_json_next(const struct fl_json *obj, void *it);
const char *fl_json_key(void *it);
const struct fl_json *fl_json_value(void *it);
/** Compact text. Sorted keys when `sorted` (the canonical form of stored arguments). malloc()ed. */
char *fl_json_text(const struct fl_json *v, bool sorted);
