/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <faultline/pack.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_values_come_back(void **state)
{
    (void)state;
    static const uint64_t u[] = {0, 1, 127, 128, 300, UINT32_MAX, UINT64_MAX >> 1, UINT64_MAX};
    static const int64_t v[] = {0, 1, -1, 63, -64, 64, INT64_MAX, INT64_MIN};
    FL_AUTO_PACK p = fl_pack_init(0);
    fl_pack_begin(&p, 'a');
    for (size_t i = 0; i < FL_ARRAY_LEN(u); i++) {
        fl_pack_u64(&p, u[i]);
        fl_pack_i64(&p, v[i]);
        fl_pack_hash(&p, u[i]);
        fl_pack_after(&p, v[i], v[FL_ARRAY_LEN(v) - 1 - i]);
    }
    fl_pack_text(&p, NULL);
    fl_pack_text(&p, "");
    fl_pack_text(&p, "gr\xc3\xbc\xc3\x9f");
    fl_pack_end(&p);
    fl_pack_begin(&p, 'b');
    fl_pack_end(&p);
    assert_false(p.failed);
    struct fl_unpack r = fl_unpack_init(p.first->p, p.first->n);
    assert_int_equal(fl_unpack_next(&r), 'a');
    for (size_t i = 0; i < FL_ARRAY_LEN(u); i++) {
        assert_true(fl_unpack_u64(&r) == u[i]);
        assert_true(fl_unpack_i64(&r) == v[i]);
        assert_true(fl_unpack_hash(&r) == u[i]);
        assert_true(fl_unpack_after(&r, v[i]) == v[FL_ARRAY_LEN(v) - 1 - i]);
    }
    size_t n = 9;
    assert_null(fl_unpack_text(&r, &n));
    assert_int_equal(n, 0);
    assert_string_equal(fl_unpack_text(&r, &n), "");
    assert_string_equal(fl_unpack_text(&r, &n), "gr\xc3\xbc\xc3\x9f");
    assert_int_equal(n, 6);
    assert_false(fl_unpack_more(&r));
    assert_int_equal(fl_unpack_next(&r), 'b');
    assert_int_equal(fl_unpack_next(&r), 0);
    assert_false(r.bad);
}

/* A record lies in one piece, however large it is and wherever the piece before ends. */
static void test_records_are_whole(void **state)
{
    (void)state;
    static char text[3 * FL_PACK_PIECE + 1];
    FL_AUTO_PACK p = fl_pack_init(0);
    size_t sizes[400], n = 0, bytes = 0;
    memset(text, 'x', sizeof text - 1);
    for (size_t i = 0; i < FL_ARRAY_LEN(sizes); i++) {
        sizes[i] = i == 200 || i == 0 ? sizeof text - 1 : (i * 7919) % 9001;
        fl_pack_begin(&p, 't');
        fl_pack_u64(&p, i);
        fl_pack_textn(&p, text, sizes[i]);
        fl_pack_end(&p);
    }
    assert_false(p.failed);
    size_t all = p.bytes, pieces = 0;
    struct fl_piece *k;
    while ((k = fl_pack_take(&p)) != NULL) {
        struct fl_unpack r = fl_unpack_init(k->p, k->n);
        while (fl_unpack_next(&r)) {
            size_t length;
            assert_int_equal(fl_unpack_u64(&r), n);
            fl_unpack_text(&r, &length);
            assert_int_equal(length, sizes[n++]);
        }
        assert_false(r.bad);
        assert_true(k->n > 0);
        bytes += k->n;
        pieces++;
        free(k);
    }
    assert_int_equal(n, FL_ARRAY_LEN(sizes));
    assert_int_equal(bytes, all);
    assert_true(pieces >= 2);
}

static void test_the_limit(void **state)
{
    (void)state;
    FL_AUTO_PACK p = fl_pack_init(100);
    for (int i = 0; i < 3; i++) {
        fl_pack_begin(&p, 't');
        fl_pack_textn(&p, "0123456789012345678901234567890123456789", 40);
        fl_pack_end(&p);
    }
    assert_true(p.failed);
    assert_true(p.bytes <= 100);
    fl_pack_done(&p);
    fl_pack_begin(&p, 't'); /* as after init */
    fl_pack_end(&p);
    assert_false(p.failed);
}

/* Cut anywhere, any byte changed: bad or other values, and never a byte outside of the piece. */
static void test_any_bytes(void **state)
{
    (void)state;
    FL_AUTO_PACK p = fl_pack_init(0);
    for (int i = 0; i < 3; i++) {
        fl_pack_begin(&p, 't');
        fl_pack_u64(&p, 1000);
        fl_pack_text(&p, "text");
        fl_pack_hash(&p, 42);
        fl_pack_end(&p);
    }
    for (size_t n = 0; n <= p.first->n; n++)
        for (unsigned change = 0; change < 256; change++) {
            unsigned char *copy = malloc(n + 1); /* so that a sanitizer sees its end */
            memcpy(copy, p.first->p, n);
            copy = realloc(copy, n ? n : 1);
            if (n)
                copy[(n * 31) % n] = (unsigned char)change;
            struct fl_unpack r = fl_unpack_init(copy, n);
            while (fl_unpack_next(&r)) {
                fl_unpack_count(&r);
                const char *text = fl_unpack_text(&r, NULL);
                assert_true(!text || strlen(text) < 64);
                fl_unpack_hash(&r);
                fl_unpack_i64(&r);
            }
            free(copy);
        }
    static const unsigned char endless[] = {17,   0,    0,    0,    't',  0xff, 0xff, 0xff, 0xff,
                                            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct fl_unpack r = fl_unpack_init(endless, sizeof endless);
    assert_int_equal(fl_unpack_next(&r), 't');
    assert_int_equal(fl_unpack_u64(&r), 0);
    assert_true(r.bad);
    assert_int_equal(fl_unpack_next(&r), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values_come_back),
                                       cmocka_unit_test(test_records_are_whole),
                                       cmocka_unit_test(test_the_limit), cmocka_unit_test(test_any_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
