/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/form_priv.h -- what the readers of foreign formats share: a forgiving JSON tree, one alert put
 * together member by member, and the list of alerts and rejects. fl_raw_judge decides what is acceptable. */
#pragma once

#include "alert_priv.h"

#include <faultline/json.h>

enum { FL_FORM_RAW_MAX = FL_REJECT_RAW_MAX, FL_FORM_DETAILS_MAX = 64 };

/** One body being read. Stack: 8 KiB. */
struct fl_form {
    struct fl_judge judge;
    struct fl_raw_alert raw;
    struct fl_intake out;
    size_t cap_alerts, cap_rejects;
    struct fl_json *root;
    struct fl_err *err;
    fl_status st; /* FL_E_NOMEM, or the failure of the whole body */
    /* the element being read */
    size_t index;
    const char *place; /* "alerts[3]", "" for the body itself */
    const struct fl_json *element;
    fl_usec lease; /* 0 = the configured default */
    bool refused;
};

/**
 * Parse the body. What a sender's encoder may do and jansson refuses is mended first, always in the same way: NUL
 * and halves of surrogate pairs become U+FFFD, bytes that are no UTF-8 '?', whole numbers of 19 digits and more
 * get ".0", numbers beyond a double become null.
 * @return FL_OK, else the failure is in f->err; fl_form_close must be called in either case.
 */
FL_MUST_CHECK fl_status fl_form_open(struct fl_form *f, struct fl_arena *arena, fl_format format,
                                     const char *body, size_t len, fl_usec now, struct fl_err *err);
/** @return the first failure; else FL_OK and the alerts in *ret. */
FL_MUST_CHECK fl_status fl_form_close(struct fl_form *f, struct fl_intake *ret);
/** The tree alone, mended as above; for canonical forms. NULL with *err. */
struct fl_json *fl_form_tree(struct fl_arena *arena, const char *body, size_t len, struct fl_err *err);
/** The body is none of the format: nothing of it is kept. */
FL_COLD fl_status fl_form_fail(struct fl_form *f, fl_status st, const char *where, const char *fmt, ...)
    FL_PRINTF(4, 5);

/* One element. Until fl_form_end the calls below add to it; after fl_form_refuse they do nothing. */
void fl_form_begin(struct fl_form *f, size_t index, const char *place, const struct fl_json *element);
void fl_form_end(struct fl_form *f);
/** This element is left out on purpose (a kind of notice that is no alert): counted, not kept. */
void fl_form_ignore(struct fl_form *f);
/** This element cannot be an alert. */
FL_COLD void fl_form_refuse(struct fl_form *f, fl_status st, const char *where, const char *fmt, ...)
    FL_PRINTF(4, 5);
/** Elements more than this are a failure of the body. False: it has failed. */
bool fl_form_list(struct fl_form *f, const char *where, const struct fl_json *list);
/** "name[i]" in the arena; "" when out of memory. */
const char *fl_form_at(struct fl_form *f, const char *name, size_t i);

/** NULL and "" values are left out. Names are taken as they are. A label that is too long refuses the alert, an
 *  annotation is cut. */
void fl_form_label(struct fl_form *f, const char *name, const char *value);
void fl_form_note(struct fl_form *f, const char *name, const char *value);
/** What a sender may put freely beside its own fields: simple members as annotations of their own names, at most
 *  FL_FORM_DETAILS_MAX; what does not fit that is kept whole as the annotation `name`. Call it before the
 *  format's own annotations: of equal names the last counts. */
void fl_form_details(struct fl_form *f, const char *name, const struct fl_json *v);
void fl_form_status(struct fl_form *f, bool firing);
void fl_form_starts(struct fl_form *f, const char *text);
void fl_form_ends(struct fl_form *f, const char *text);
void fl_form_url(struct fl_form *f, const char *text);
/** Every string value of `obj` as label / annotation; another type refuses the element at `where`. */
void fl_form_labels(struct fl_form *f, const struct fl_json *obj, const char *where);
void fl_form_notes(struct fl_form *f, const struct fl_json *obj, const char *where);

/** A value as text: a string as it is, a number in its shortest form, true/false, else canonical JSON. In the
 *  arena; NULL when v is NULL. */
const char *fl_form_text(struct fl_form *f, const struct fl_json *v);
/** Member `key` as text, or NULL. */
const char *fl_form_member(struct fl_form *f, const struct fl_json *obj, const char *key);
/** A required string member; refuses the element ("payload.summary") when absent, empty or of another type. */
const char *fl_form_need(struct fl_form *f, const struct fl_json *obj, const char *key, const char *where);
/** A time as RFC 3339: such a text, or seconds, milliseconds, microseconds or nanoseconds since 1970, as number or
 *  digits (told apart by magnitude). NULL when absent; what cannot be read comes back as it is, to be refused. */
const char *fl_form_time(struct fl_form *f, const struct fl_json *v);
/** As a classic label name: every other byte becomes '_'. */
const char *fl_form_name(struct fl_form *f, const char *s);

/* The readers; fl_intake_parse calls them. */
fl_status fl_read_grafana(struct fl_form *f);
fl_status fl_read_pagerduty(struct fl_form *f);
fl_status fl_read_cloudevents(struct fl_form *f);
fl_status fl_read_nagios(struct fl_form *f);
fl_status fl_read_zabbix(struct fl_form *f);
fl_status fl_read_kubernetes(struct fl_form *f);
fl_status fl_read_mapped(struct fl_form *f);

/* ---- changes: written as the JSON of fl_intake_changes, which is what the journal keeps ---- */

struct fl_change_form {
    const char *time, *component, *kind, *id, *author, *title, *link; /* NULL: absent; component "unknown" */
    const struct fl_json *detail;
    fl_usec now; /* when `time` is absent or unreadable */
};
/** One change, texts cut to what fl_intake_changes takes. Without an id one is made of everything else. */
void fl_change_write(struct fl_jw *w, const char *key, const struct fl_change_form *c);
