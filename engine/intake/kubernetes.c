/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/kubernetes.c -- Kubernetes events, events.k8s.io/v1 and core/v1; contract in <faultline/intake.h>.
 * Events have no end: a warning that is not repeated becomes stale. Its labels name the workload that owns the
 * object, because pods and replica sets are replaced by the very trouble they report. */
#include "form_priv.h"

#include <string.h>

enum { OWNERS_MAX = 32 };

/* The API server repeats a lasting warning at least every few minutes; a quarter of an hour without is over. */
#define EVENT_LEASE (15 * 60 * FL_USEC_PER_SEC)

struct object {
    const char *kind, *name;
    size_t name_n; /* without the generated end */
};

/* ---- the owner ---- */

static bool is_among(const char *s, size_t n, const char *alphabet)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(alphabet, s[i]))
            return false;
    return n > 0;
}

/* Kubernetes draws its suffixes from these, without vowels; template hashes too. */
static const char suffix_alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
static const char digits[] = "0123456789";

/* Length of `name` before its last dash when what follows looks generated; else 0. */
static size_t before_suffix(const char *name, size_t n, const char *alphabet, size_t min, size_t max)
{
    size_t dash = n;
    while (dash && name[dash - 1] != '-')
        dash--;
    size_t len = n - dash;
    return dash > 1 && len >= min && len <= max && is_among(name + dash, len, alphabet) ? dash - 1 : 0;
}

/* What controls a replica set or a job is named in it. */
static struct object above(struct object o)
{
    size_t n;
    if (strcmp(o.kind, "ReplicaSet") == 0 && (n = before_suffix(o.name, o.name_n, suffix_alphabet, 6, 10)))
        return (struct object){"Deployment", o.name, n};
    if (strcmp(o.kind, "Job") == 0 && (n = before_suffix(o.name, o.name_n, digits, 8, 10)))
        return (struct object){"CronJob", o.name, n};
    return o;
}

static struct object pod_owner(struct object o)
{
    size_t n = before_suffix(o.name, o.name_n, suffix_alphabet, 5, 5);
    if (n) {
        struct object set = above((struct object){"ReplicaSet", o.name, n});
        if (strcmp(set.kind, "Deployment") == 0)
            return set;
        struct object job = above((struct object){"Job", o.name, n});
        if (strcmp(job.kind, "CronJob") == 0)
            return job;
        /* A daemon set's pod or a job's: without more the kind is unknown, the name is not. */
        return (struct object){"Workload", o.name, n};
    }
    n = before_suffix(o.name, o.name_n, digits, 1, 5);
    return n ? (struct object){"StatefulSet", o.name, n} : o;
}

static const struct fl_json *controller(const struct fl_json *owners)
{
    for (size_t i = 0; i < fl_json_len(owners) && i < OWNERS_MAX; i++)
        if (fl_json_bool(fl_json_at(owners, i), "controller", false))
            return fl_json_at(owners, i);
    return fl_json_at(owners, 0);
}

/* Forwarders put the owners into the event's own metadata or into the object they add to the reference. */
static struct object owner_of(const struct fl_json *ref)
{
    struct object o = {fl_json_str(ref, "kind", ""), fl_json_str(ref, "name", ""), 0};
    const struct fl_json *owner = controller(fl_json_get(ref, "ownerReferences"));
    if (*fl_json_str(owner, "kind", "") && *fl_json_str(owner, "name", ""))
        o = (struct object){fl_json_str(owner, "kind", ""), fl_json_str(owner, "name", ""), 0};
    o.name_n = strlen(o.name);
    return strcmp(o.kind, "Pod") == 0 ? pod_owner(o) : above(o);
}

static void add_owner(struct fl_form *f, struct object o)
{
    char *kind = fl_arena_strdup(f->judge.arena, o.kind);
    const char *name = fl_arena_strndup(f->judge.arena, o.name, o.name_n);
    if (!kind || !name) {
        f->st = FL_E_NOMEM;
        return;
    }
    for (char *c = kind; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 'a' - 'A') : *c;
    fl_form_label(f, fl_form_name(f, kind), name);
}

/* ---- one event ---- */

static fl_usec time_of(const struct fl_json *obj, const char *key)
{
    const char *s = fl_json_str(obj, key, "");
    fl_usec t = 0;
    return fl_time_parse(s, strlen(s), &t) ? t : 0;
}

static fl_usec last_seen(const struct fl_json *e)
{
    const fl_usec times[] = {time_of(fl_json_get(e, "series"), "lastObservedTime"),
                             time_of(e, "lastTimestamp"),
                             time_of(e, "deprecatedLastTimestamp"),
                             time_of(e, "eventTime"),
                             time_of(e, "firstTimestamp"),
                             time_of(fl_json_get(e, "metadata"), "creationTimestamp")};
    fl_usec last = 0;
    for (size_t i = 0; i < FL_ARRAY_LEN(times); i++)
        last = times[i] > last ? times[i] : last;
    return last;
}

static const char *first_of(const struct fl_json *e, const char *a, const char *b)
{
    return fl_json_str(e, a, fl_json_str(e, b, NULL));
}

static void add_notes(struct fl_form *f, const struct fl_json *e, const struct fl_json *ref)
{
    const struct fl_json *source = fl_json_get(e, "source");
    if (!source)
        source = fl_json_get(e, "deprecatedSource");
    const char *reporter = fl_json_str(e, "reportingController", fl_json_str(e, "reportingComponent", ""));
    fl_form_note(f, "summary", first_of(e, "note", "message"));
    fl_form_note(f, "object", fl_json_str(ref, "name", NULL));
    fl_form_note(f, "object_kind", fl_json_str(ref, "kind", NULL));
    fl_form_note(f, "field", fl_json_str(ref, "fieldPath", NULL));
    fl_form_note(f, "reporter", *reporter ? reporter : fl_json_str(source, "component", NULL));
    fl_form_note(f, "reporter_host", fl_json_str(source, "host", NULL));
    fl_form_note(f, "action", fl_json_str(e, "action", NULL));
}

static void read_event(struct fl_form *f, const struct fl_json *e)
{
    /* One line of a watch. */
    if (fl_json_get(e, "object") && fl_json_is_string(fl_json_get(e, "type"))) {
        if (strcmp(fl_json_str(e, "type", ""), "DELETED") == 0 ||
            strcmp(fl_json_str(e, "type", ""), "BOOKMARK") == 0) {
            fl_form_ignore(f);
            return;
        }
        e = fl_json_get(e, "object");
    }
    const char *kind = fl_json_str(e, "kind", "Event"), *type = fl_json_str(e, "type", "");
    const struct fl_json *ref = fl_json_get(e, "regarding");
    if (!ref)
        ref = fl_json_get(e, "involvedObject");
    if (strcmp(kind, "Event") != 0)
        fl_form_refuse(f, FL_E_SHAPE, "kind", "expected \"Event\", got \"%.60s\"", kind);
    if (!fl_json_is_object(ref))
        fl_form_refuse(f, FL_E_SHAPE, "regarding", "is required (or involvedObject)");
    (void)fl_form_need(f, e, "reason", "reason");
    (void)fl_form_need(f, ref, "kind", "regarding.kind");
    (void)fl_form_need(f, ref, "name", "regarding.name");
    fl_usec last = last_seen(e);
    if (f->refused)
        return;
    /* Normal events are no alerts; what a forwarder repeats on its start may be long over. */
    if (strcmp(type, "Normal") == 0 || (last && last + EVENT_LEASE <= f->judge.now)) {
        fl_form_ignore(f);
        return;
    }
    fl_form_label(f, "alertname", fl_json_str(e, "reason", ""));
    fl_form_label(f, "severity", "warning");
    fl_form_label(f, "namespace", fl_json_str(ref, "namespace", NULL));
    add_owner(f, owner_of(ref));
    add_notes(f, e, ref);
    fl_form_status(f, true);
    f->lease = (last && last < f->judge.now ? last : f->judge.now) + EVENT_LEASE;
}

fl_status fl_read_kubernetes(struct fl_form *f)
{
    const struct fl_json *root = f->root, *list = NULL;
    const char *place = "";
    if (fl_json_is_array(root)) {
        list = root;
    } else if (fl_json_is_object(root) && fl_json_get(root, "items")) {
        list = fl_json_get(root, "items");
        place = "items";
    } else if (!fl_json_is_object(root)) {
        return fl_form_fail(f, FL_E_SHAPE, NULL, "expected a Kubernetes event or a list of them");
    }
    if (list && !fl_form_list(f, place, list))
        return f->st;
    for (size_t i = 0; i < (list ? fl_json_len(list) : 1) && !f->st; i++) {
        const struct fl_json *e = list ? fl_json_at(list, i) : root;
        fl_form_begin(f, i, list ? fl_form_at(f, place, i) : "", e);
        if (!f->refused)
            read_event(f, e);
        fl_form_end(f);
    }
    return f->st;
}
