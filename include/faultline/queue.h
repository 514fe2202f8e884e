/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/queue.h -- bounded queue between threads, counted in items and bytes (layer 0). */
#pragma once

#include <faultline/base.h>

struct fl_queue;
/** @param max_items, max_bytes both are limits; 0 = no limit of that kind. */
struct fl_queue *fl_queue_new(size_t max_items, size_t max_bytes);
struct fl_queue *fl_queue_free(struct fl_queue *q); /* must be empty or its items owned elsewhere */
/**
 * Never waits. Success moves ownership of `item` to the queue; failure leaves it with the caller.
 * @param reserved  true: may use the reserved quarter that outsiders cannot fill (outcomes, commands).
 * @return FL_OK, FL_E_FULL, FL_E_UNAVAILABLE (closed). Any thread.
 */
FL_MUST_CHECK fl_status fl_queue_push(struct fl_queue *q, void *item, size_t bytes, bool reserved);
/** As push, but waits while full; for pipeline stages where back-pressure is the policy. */
FL_MUST_CHECK fl_status fl_queue_push_wait(struct fl_queue *q, void *item, size_t bytes);
/** Up to `max` items in order; waits until `deadline` (fl_mono; 0 = for ever) for the first one.
 *  @return the number taken; 0 on the deadline, or when closed and drained. */
size_t fl_queue_pop(struct fl_queue *q, void **items, size_t max, fl_usec deadline);
/** As pop, but waits for `least` items and is not woken before they are there. At the deadline, a kick or the close it takes
 *  what there is, which may be nothing. More than one only for a queue with a single popper: others would not be woken. */
size_t fl_queue_pop_least(struct fl_queue *q, void **items, size_t least, size_t max, fl_usec deadline);
/** No more pushes; poppers drain what is left. Idempotent. */
void fl_queue_close(struct fl_queue *q);
bool fl_queue_closed_and_empty(struct fl_queue *q);
size_t fl_queue_items(struct fl_queue *q);
size_t fl_queue_bytes(struct fl_queue *q);
/** Wake one popper with 0 items (a timer changed). */
void fl_queue_kick(struct fl_queue *q);
