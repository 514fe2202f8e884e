/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/audit/chain.c -- canonical bytes, the SHA-256 chain and its verification; contract in <faultline/audit.h>. */
#include <faultline/audit.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* Length before bytes: no two different entries share canonical bytes, whatever their text holds. */
static void feed(crypto_hash_sha256_state *st, const void *p, size_t n)
{
    unsigned char len[8];
    for (size_t i = 0; i < 8; i++)
        len[i] = (unsigned char)((uint64_t)n >> (56 - 8 * i));
    crypto_hash_sha256_update(st, len, sizeof len);
    crypto_hash_sha256_update(st, p, n);
}

static void feed_text(crypto_hash_sha256_state *st, const char *s)
{
    feed(st, s ? s : "", s ? strlen(s) : 0);
}

static void feed_number(crypto_hash_sha256_state *st, long long v)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%lld", v);
    feed(st, text, (size_t)n);
}

void fl_audit_hash(const struct fl_audit_entry *e, struct fl_sha256 *ret)
{
    static const char magic[] = "faultline audit v1\n";
    crypto_hash_sha256_state st;
    crypto_hash_sha256_init(&st);
    crypto_hash_sha256_update(&st, (const unsigned char *)magic, sizeof magic - 1);
    feed_text(&st, e->realm);
    feed_number(&st, (long long)e->seq);
    feed_number(&st, (long long)e->at);
    feed_number(&st, (long long)e->event_seq);
    feed_text(&st, e->actor);
    feed_text(&st, e->action);
    feed_text(&st, e->subject);
    feed_text(&st, e->incident);
    feed_text(&st, e->reason);
    feed_text(&st, e->detail);
    crypto_hash_sha256_update(&st, e->prev.b, sizeof e->prev.b);
    crypto_hash_sha256_final(&st, ret->b);
}

void fl_audit_append(struct fl_audit_chain *chain, struct fl_audit_entry *e)
{
    e->seq = ++chain->seq;
    e->prev = chain->head;
    fl_audit_hash(e, &e->hash);
    chain->head = e->hash;
}

void fl_audit_verify_init(struct fl_audit_verifier *v)
{
    *v = (struct fl_audit_verifier){.next_seq = 1};
}

static bool bad(struct fl_audit_verifier *v, uint64_t seq, const char *problem)
{
    v->broken = true;
    v->bad_seq = seq;
    snprintf(v->problem, sizeof v->problem, "%s", problem);
    return false;
}

bool fl_audit_verify_row(struct fl_audit_verifier *v, const struct fl_audit_entry *e)
{
    if (v->broken)
        return false;
    if (e->seq != v->next_seq) {
        char text[200];
        snprintf(text, sizeof text,
                 "expected row %llu but found row %llu: a row is missing, inserted or out of order",
                 (unsigned long long)v->next_seq, (unsigned long long)e->seq);
        return bad(v, e->seq < v->next_seq ? e->seq : v->next_seq, text);
    }
    if (memcmp(e->prev.b, v->head.b, sizeof v->head.b) != 0)
        return bad(v, e->seq, "its previous hash is not the hash of the row before it");
    struct fl_sha256 h;
    fl_audit_hash(e, &h);
    if (memcmp(h.b, e->hash.b, sizeof h.b) != 0)
        return bad(v, e->seq, "its contents do not match its hash: the row was changed");
    v->head = h;
    v->next_seq++;
    v->checked++;
    return true;
}

bool fl_audit_verify_end(struct fl_audit_verifier *v, uint64_t head_seq, const struct fl_sha256 *head)
{
    if (v->broken)
        return false;
    if (!head_seq)
        return true;
    uint64_t last = v->next_seq - 1;
    if (last < head_seq) {
        char text[200];
        snprintf(text, sizeof text, "the trail ends at row %llu but its head is row %llu: the tail was cut",
                 (unsigned long long)last, (unsigned long long)head_seq);
        return bad(v, last + 1, text);
    }
    if (last == head_seq && memcmp(head->b, v->head.b, sizeof v->head.b) != 0)
        return bad(v, head_seq, "the last row's hash is not the recorded head");
    return true;
}

void fl_audit_entry_json(struct fl_jw *w, const struct fl_audit_entry *e)
{
    char hex[65];
    fl_jw_obj(w, NULL);
    fl_jw_str(w, "realm", e->realm);
    fl_jw_int(w, "seq", (int64_t)e->seq);
    fl_jw_time(w, "at", e->at);
    fl_jw_int(w, "event_seq", (int64_t)e->event_seq);
    fl_jw_str(w, "actor", e->actor);
    fl_jw_str(w, "action", e->action);
    fl_jw_str(w, "subject", e->subject);
    fl_jw_str(w, "incident", e->incident);
    fl_jw_str(w, "reason", e->reason);
    fl_jw_str(w, "detail", e->detail);
    fl_jw_str(w, "prev", fl_sha256_hex(&e->prev, hex));
    fl_jw_str(w, "hash", fl_sha256_hex(&e->hash, hex));
    fl_jw_obj_end(w);
}
