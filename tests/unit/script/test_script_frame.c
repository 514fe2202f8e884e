/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames: whole, split at every byte, too long. */
#include <faultline/script.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void frames_split_at_every_byte(void **state)
{
    (void)state;
    FL_AUTO_BUF all = fl_buf_init(0);
    fl_frame_put(&all, "{\"a\":1}", 7);
    fl_frame_put(&all, "{}", 2);
    for (size_t cut = 0; cut <= all.n; cut++) {
        FL_AUTO_BUF in = fl_buf_init(0);
        char *json = NULL;
        size_t n, got = 0;
        fl_buf_add(&in, all.p, cut);
        while (fl_frame_get(&in, 100, &json, &n) == FL_OK) {
            assert_string_equal(json, got++ ? "{}" : "{\"a\":1}");
            free(json);
        }
        fl_buf_add(&in, all.p + cut, all.n - cut);
        while (fl_frame_get(&in, 100, &json, &n) == FL_OK) {
            assert_string_equal(json, got++ ? "{}" : "{\"a\":1}");
            free(json);
        }
        assert_int_equal(got, 2);
        assert_int_equal(in.n, 0);
    }
}

static void a_long_frame_is_refused_by_its_head(void **state)
{
    (void)state;
    FL_AUTO_BUF in = fl_buf_init(0);
    char *json = NULL;
    size_t n;
    fl_buf_add(&in, "\x00\x00\x00\x65", 4);
    assert_int_equal(fl_frame_get(&in, 100, &json, &n), FL_E_LIMIT);
    in.p[3] = 0x64;
    assert_int_equal(fl_frame_get(&in, 100, &json, &n), FL_E_NOTFOUND);
    in.p[0] = (char)0xff;
    assert_int_equal(fl_frame_get(&in, 100, &json, &n), FL_E_LIMIT);
}

static void replies_have_their_form(void **state)
{
    (void)state;
    FL_AUTO_BUF out = fl_buf_init(0);
    fl_frame_put_done(&out, 7, NULL);
    assert_string_equal(out.p + 4, "{\"t\":\"reply\",\"n\":7,\"state\":\"done\",\"result\":null}");
    fl_buf_reset(&out);
    fl_frame_put_failed(&out, 8, "denied", "no \"x\"");
    assert_string_equal(out.p + 4,
                        "{\"t\":\"reply\",\"n\":8,\"state\":\"denied\",\"error\":\"no \\\"x\\\"\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_split_at_every_byte),
        cmocka_unit_test(a_long_frame_is_refused_by_its_head),
        cmocka_unit_test(replies_have_their_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
