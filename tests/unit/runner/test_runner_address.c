/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which numbers may be dialled, in every form they come in; text of arbitrary bytes. */
#include "runner_priv.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} made;

static const struct sockaddr *address(const char *text, int port)
{
    memset(&made, 0, sizeof made);
    if (inet_pton(AF_INET, text, &made.v4.sin_addr) == 1) {
        made.v4.sin_family = AF_INET;
        made.v4.sin_port = htons((uint16_t)port);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &made.v6.sin6_addr), 1);
        made.v6.sin6_family = AF_INET6;
        made.v6.sin6_port = htons((uint16_t)port);
    }
    return &made.any;
}

static void classes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        address_class cls;
    } cases[] = {
        {"8.8.8.8", ADDRESS_PUBLIC},
        {"1.1.1.1", ADDRESS_PUBLIC},
        {"172.15.255.255", ADDRESS_PUBLIC},
        {"172.32.0.1", ADDRESS_PUBLIC},
        {"100.63.255.255", ADDRESS_PUBLIC},
        {"100.128.0.0", ADDRESS_PUBLIC},
        {"9.255.255.255", ADDRESS_PUBLIC},
        {"11.0.0.0", ADDRESS_PUBLIC},
        {"192.167.255.255", ADDRESS_PUBLIC},
        {"223.255.255.255", ADDRESS_PUBLIC},
        {"2606:4700::1111", ADDRESS_PUBLIC},
        {"::ffff:8.8.8.8", ADDRESS_PUBLIC},
        {"64:ff9b::8.8.8.8", ADDRESS_PUBLIC},
        {"127.0.0.1", ADDRESS_PRIVATE},
        {"127.255.255.254", ADDRESS_PRIVATE},
        {"10.0.0.1", ADDRESS_PRIVATE},
        {"172.16.0.1", ADDRESS_PRIVATE},
        {"172.31.255.255", ADDRESS_PRIVATE},
        {"192.168.0.1", ADDRESS_PRIVATE},
        {"100.64.0.1", ADDRESS_PRIVATE},
        {"100.127.255.255", ADDRESS_PRIVATE},
        {"::1", ADDRESS_PRIVATE},
        {"fc00::1", ADDRESS_PRIVATE},
        {"fdff::1", ADDRESS_PRIVATE},
        {"::ffff:127.0.0.1", ADDRESS_PRIVATE},
        {"::ffff:10.1.2.3", ADDRESS_PRIVATE},
        {"64:ff9b::10.0.0.1", ADDRESS_PRIVATE},
        {"0.0.0.0", ADDRESS_NEVER},
        {"0.1.2.3", ADDRESS_NEVER},
        {"169.254.169.254", ADDRESS_NEVER},
        {"::ffff:169.254.169.254", ADDRESS_NEVER},
        {"64:ff9b::169.254.169.254", ADDRESS_NEVER},
        {"192.0.2.1", ADDRESS_NEVER},
        {"198.18.0.1", ADDRESS_NEVER},
        {"198.19.255.255", ADDRESS_NEVER},
        {"203.0.113.9", ADDRESS_NEVER},
        {"224.0.0.1", ADDRESS_NEVER},
        {"240.0.0.1", ADDRESS_NEVER},
        {"255.255.255.255", ADDRESS_NEVER},
        {"::", ADDRESS_NEVER},
        {"::127.0.0.1", ADDRESS_NEVER},
        {"::ffff:0:127.0.0.1", ADDRESS_NEVER},
        {"fe80::1", ADDRESS_NEVER},
        {"fec0::1", ADDRESS_NEVER},
        {"ff02::1", ADDRESS_NEVER},
        {"2002:7f00:1::", ADDRESS_NEVER},
        {"2001::1", ADDRESS_NEVER},
        {"2001:db8::1", ADDRESS_NEVER},
        {"64:ff9b:1::1", ADDRESS_NEVER},
        {"100::1", ADDRESS_NEVER},
        {"4000::1", ADDRESS_NEVER},
        {"192.0.0.8", ADDRESS_NEVER},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++)
        if (address_classify(address(cases[i].text, 80)) != cases[i].cls)
            fail_msg("%s is class %d", cases[i].text, address_classify(address(cases[i].text, 80)));
    const struct sockaddr unix_socket = {.sa_family = AF_UNIX};
    assert_int_equal(address_classify(&unix_socket), ADDRESS_NEVER);
}

static void own_listeners_are_barred(void **state)
{
    (void)state;
    static const char *const one[] = {"127.0.0.1:9094", NULL};
    assert_true(address_is_barred(address("127.0.0.1", 9094), one));
    assert_true(address_is_barred(address("::ffff:127.0.0.1", 9094), one));
    assert_false(address_is_barred(address("127.0.0.1", 9095), one));
    assert_false(address_is_barred(address("8.8.8.8", 9094), one));
    static const char *const all[] = {"0.0.0.0:9094", NULL}, *const six[] = {"[::]:9094", NULL};
    static const char *const none[] = {":9094", NULL}, *const name[] = {"localhost:9094", NULL};
    const char *const *const wide[] = {all, six, none, name};
    for (size_t i = 0; i < FL_ARRAY_LEN(wide); i++) {
        assert_true(address_is_barred(address("127.0.0.1", 9094), wide[i]));
        assert_true(address_is_barred(address("127.1.2.3", 9094), wide[i]));
        assert_true(address_is_barred(address("::1", 9094), wide[i]));
        assert_false(address_is_barred(address("127.0.0.1", 80), wide[i]));
        assert_false(address_is_barred(address("8.8.8.8", 9094), wide[i]));
    }
    assert_false(address_is_barred(address("127.0.0.1", 9094), NULL));
}

static void bytes_become_text(void **state)
{
    (void)state;
    FL_AUTO_BUF out = fl_buf_init(0);
    assert_false(text_escape(&out, "a\n\t\xc3\xa9\xf0\x9f\x98\x80", 9));
    assert_string_equal(out.p, "a\n\t\xc3\xa9\xf0\x9f\x98\x80");
    fl_buf_reset(&out);
    assert_true(text_escape(&out, "\0\x1b\xff\xc3(\xed\xa0\x80\xe2\x82", 10));
    assert_string_equal(out.p, "\\x00\\x1b\\xff\\xc3(\\xed\\xa0\\x80\\xe2\\x82");
    assert_int_equal(text_whole("ab\xe2\x82", 4), 2);
    assert_int_equal(text_whole("ab\xe2\x82\xac", 5), 5);
    assert_int_equal(text_whole("ab", 2), 2);
    assert_int_equal(text_whole("", 0), 0);
    assert_int_equal(text_whole("\x80\x80", 2), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes),
        cmocka_unit_test(own_listeners_are_barred),
        cmocka_unit_test(bytes_become_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
