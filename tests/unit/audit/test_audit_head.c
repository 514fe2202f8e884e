/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signed heads: what is signed, byte by byte; nothing of a head can be changed; keys there and back. */
#include <faultline/audit.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char seed[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

static struct fl_audit_head head_of(const struct fl_audit_key *k)
{
    struct fl_audit_head h = {.realm = "default", .seq = 42, .at = 1700000000000001};
    fl_sha256("entry", 5, &h.hash);
    assert_true(fl_audit_head_sign(&h, k));
    return h;
}

static void test_bytes(void **state)
{
    (void)state;
    static const char want[] = "faultline head v1\n"
                               "\0\0\0\0\0\0\0\7default"
                               "\0\0\0\0\0\0\0\2"
                               "42"
                               "\0\0\0\0\0\0\0\20"
                               "1700000000000001";
    struct fl_audit_key k;
    assert_true(fl_audit_key_parse(seed, &k));
    struct fl_audit_head h = head_of(&k);
    FL_AUTO_BUF b = fl_buf_init(4096);
    fl_audit_head_bytes(&h, &b);
    assert_int_equal(b.n, sizeof want - 1 + 32);
    assert_memory_equal(b.p, want, sizeof want - 1);
    assert_memory_equal(b.p + sizeof want - 1, h.hash.b, 32);
}

static void test_every_part_is_signed(void **state)
{
    (void)state;
    struct fl_audit_key k, other;
    assert_true(fl_audit_key_parse(seed, &k));
    fl_audit_key_make(&other);
    const struct fl_audit_head h = head_of(&k);
    assert_true(fl_audit_head_check(&h, k.open));
    assert_false(fl_audit_head_check(&h, other.open));
    struct fl_audit_head c = h;
    c.realm[0] = 'D';
    assert_false(fl_audit_head_check(&c, k.open));
    c = h;
    c.seq++;
    assert_false(fl_audit_head_check(&c, k.open));
    c = h;
    c.at++;
    assert_false(fl_audit_head_check(&c, k.open));
    c = h;
    c.hash.b[31] ^= 1;
    assert_false(fl_audit_head_check(&c, k.open));
    for (size_t i = 0; i < sizeof c.signature; i++) {
        c = h;
        c.signature[i] ^= 1;
        assert_false(fl_audit_head_check(&c, k.open));
    }
}

static void test_texts(void **state)
{
    (void)state;
    struct fl_audit_key k, back;
    char text[FL_AUDIT_KEY_LEN], public[FL_AUDIT_PUBLIC_LEN];
    uint8_t open_key[32];
    assert_true(fl_audit_key_parse(seed, &k));
    fl_audit_key_text(&k, text);
    assert_string_equal(text, seed);
    fl_audit_public_text(k.open, public);
    /* What openssl derives from the same seed. */
    assert_string_equal(public, "-----BEGIN PUBLIC KEY-----\n"
                                "MCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n"
                                "-----END PUBLIC KEY-----\n");
    assert_true(fl_audit_public_parse(public, open_key));
    assert_memory_equal(open_key, k.open, 32);
    assert_false(
        fl_audit_public_parse("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n", open_key));
    assert_false(fl_audit_public_parse("", open_key));
    assert_false(fl_audit_key_parse("00", &back));
    assert_false(fl_audit_key_parse("", &back));

    struct fl_audit_head h = head_of(&k), again;
    struct fl_err err = {0};
    FL_AUTO_BUF b = fl_buf_init(4096);
    fl_audit_head_json(&h, &b);
    assert_int_equal(fl_audit_head_parse(b.p, b.n, &again, &err), FL_OK);
    assert_true(fl_audit_head_check(&again, k.open));
    assert_int_equal(again.seq, h.seq);
    assert_int_equal(fl_audit_head_parse("{\"seq\":1}", 9, &again, &err), FL_E_SHAPE);
    fl_err_clear(&err);
    assert_int_equal(fl_audit_head_parse("[", 1, &again, &err), FL_E_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_every_part_is_signed),
        cmocka_unit_test(test_texts),
    };
    if (fl_base_init() != FL_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
