/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The chain: a known vector, and every single-field edit, gap, swap, insertion and tail cut is found. */
#include <faultline/audit.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 20 };
static struct fl_audit_entry rows[ROWS];
static struct fl_audit_chain chain;

static int setup(void **state)
{
    (void)state;
    chain = (struct fl_audit_chain){0};
    static char subject[ROWS][16];
    for (int i = 0; i < ROWS; i++) {
        snprintf(subject[i], sizeof subject[i], "INC-%d", i);
        rows[i] = (struct fl_audit_entry){.realm = "default",
                                          .at = 1000 + i,
                                          .event_seq = (uint64_t)i + 1,
                                          .actor = "engine",
                                          .action = "incident.opened",
                                          .subject = subject[i],
                                          .incident = subject[i],
                                          .reason = "because",
                                          .detail = "{}"};
        fl_audit_append(&chain, &rows[i]);
    }
    return 0;
}

static bool verify(const struct fl_audit_entry *v, size_t n, struct fl_audit_verifier *ver)
{
    fl_audit_verify_init(ver);
    for (size_t i = 0; i < n; i++)
        if (!fl_audit_verify_row(ver, &v[i]))
            return false;
    return fl_audit_verify_end(ver, chain.seq, &chain.head);
}

static void test_whole_chain_passes(void **state)
{
    (void)state;
    struct fl_audit_verifier ver;
    assert_true(verify(rows, ROWS, &ver));
    assert_int_equal(ver.checked, ROWS);
}

/* The bytes are a public format: this hash was computed outside the program, from the text of audit-format.md. */
static void test_known_vector(void **state)
{
    (void)state;
    struct fl_audit_entry e = {.realm = "r",
                               .seq = 1,
                               .at = 2,
                               .event_seq = 3,
                               .actor = "a",
                               .action = "b",
                               .subject = "c",
                               .incident = "",
                               .reason = "d",
                               .detail = "{}"};
    struct fl_sha256 h;
    char hex[65];
    fl_audit_hash(&e, &h);
    assert_string_equal(fl_sha256_hex(&h, hex),
                        "8ebff3147fc1f65dcf5e0a11822c0df5461c2f278aa42407ab0e5efacb8ee408");
}

static void test_every_edit_is_found(void **state)
{
    (void)state;
    struct fl_audit_verifier ver;
    for (int i = 0; i < ROWS; i++)
        for (int field = 0; field < 9; field++) {
            struct fl_audit_entry copy[ROWS];
            memcpy(copy, rows, sizeof copy);
            struct fl_audit_entry *e = &copy[i];
            switch (field) {
            case 0: e->realm = "other"; break;
            case 1: e->at++; break;
            case 2: e->event_seq++; break;
            case 3: e->actor = "mallory"; break;
            case 4: e->action = "incident.resolved"; break;
            case 5: e->subject = "INC-x"; break;
            case 6: e->reason = "becaus"; break;
            case 7: e->detail = "{ }"; break;
            default: e->hash.b[7] ^= 1; break;
            }
            assert_false(verify(copy, ROWS, &ver));
            assert_int_equal(ver.bad_seq, i + 1);
        }
}

/* Moving a byte from one field to the next keeps the concatenation but not the canonical bytes. */
static void test_field_borders_count(void **state)
{
    (void)state;
    struct fl_audit_entry a = rows[3], b = rows[3];
    struct fl_sha256 ha, hb;
    a.actor = "ab";
    a.action = "c";
    b.actor = "a";
    b.action = "bc";
    fl_audit_hash(&a, &ha);
    fl_audit_hash(&b, &hb);
    assert_memory_not_equal(ha.b, hb.b, 32);
}

static void test_gap_swap_insert_cut(void **state)
{
    (void)state;
    struct fl_audit_verifier ver;
    struct fl_audit_entry copy[ROWS + 1];
    memcpy(copy, rows, sizeof rows);
    memmove(copy + 5, copy + 6, (ROWS - 6) * sizeof *copy);
    assert_false(verify(copy, ROWS - 1, &ver));
    assert_int_equal(ver.bad_seq, 6);

    memcpy(copy, rows, sizeof rows);
    struct fl_audit_entry t = copy[8];
    copy[8] = copy[9];
    copy[9] = t;
    assert_false(verify(copy, ROWS, &ver));

    memcpy(copy, rows, sizeof rows);
    memmove(copy + 5, copy + 4, (ROWS - 4) * sizeof *copy);
    assert_false(verify(copy, ROWS + 1, &ver));

    assert_false(verify(rows, ROWS - 1, &ver));
    assert_int_equal(ver.bad_seq, ROWS);
}

/* Someone who re-hashes the whole tail after an edit is found by the head. */
static void test_rewritten_tail_is_found_by_the_head(void **state)
{
    (void)state;
    struct fl_audit_entry copy[ROWS];
    memcpy(copy, rows, sizeof copy);
    struct fl_audit_chain forged = {.seq = 9, .head = rows[8].hash};
    copy[9].reason = "forged";
    for (int i = 9; i < ROWS; i++)
        fl_audit_append(&forged, &copy[i]);
    struct fl_audit_verifier ver;
    assert_false(verify(copy, ROWS, &ver));
    assert_int_equal(ver.bad_seq, ROWS);
}

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_whole_chain_passes, setup),
        cmocka_unit_test_setup(test_known_vector, setup),
        cmocka_unit_test_setup(test_every_edit_is_found, setup),
        cmocka_unit_test_setup(test_field_borders_count, setup),
        cmocka_unit_test_setup(test_gap_swap_insert_cut, setup),
        cmocka_unit_test_setup(test_rewritten_tail_is_found_by_the_head, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
