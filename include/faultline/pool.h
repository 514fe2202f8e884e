/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/pool.h -- texts kept once, however many alerts carry them (layer 1, part of the model).
 * Of a storm's labels, annotations and links nearly all are the same text again. One thread at a time. */
#pragma once

#include <faultline/model.h>

struct fl_pool;
struct fl_pool *fl_pool_new(void); /* aborts instead of NULL, as all of the core's memory */
/** Frees the pool and every text in it, kept or not; returns NULL. */
struct fl_pool *fl_pool_free(struct fl_pool *p);
/** The pool's copy of the text, kept once more; equal texts have one address. NULL -> NULL. */
const char *fl_pool_keep(struct fl_pool *p, const char *text);
/** Give back what fl_pool_keep returned; the last one frees it. NULL is fine. */
void fl_pool_drop(struct fl_pool *p, const char *kept);
/** The pool's copy, not kept once more; NULL when nobody keeps such a text. */
const char *fl_pool_find(const struct fl_pool *p, const char *text);
/** *slot becomes the pool's copy of the text (NULL: none); what was there is given back. */
void fl_pool_set(struct fl_pool *p, const char **slot, const char *text);
/** Keep once more what fl_pool_keep returned. */
void fl_pool_again(const char *kept);
/** Is it kept more than once? */
bool fl_pool_shared(const char *kept);
/** Keyed hash of a text, and the same of one the pool keeps, in no time. */
uint32_t fl_pool_hash(const char *text);
uint32_t fl_pool_kept_hash(const char *kept);
/** Room for so many different texts at once. */
void fl_pool_expect(struct fl_pool *p, size_t n);
size_t fl_pool_count(const struct fl_pool *p); /* different texts */

/** A copy of the alert whose texts are the pool's; aborts instead of NULL. */
struct fl_alert *fl_pool_alert(struct fl_pool *p, const struct fl_alert *a);
/** The same of an alert whose texts have all been kept for it already: the copy takes them over. */
struct fl_alert *fl_pool_adopt_alert(const struct fl_alert *a);
void fl_pool_drop_alert(struct fl_pool *p, struct fl_alert *kept);
