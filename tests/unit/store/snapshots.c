/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/store/snapshots.c -- snapshots in parts: kept, found again, and what damage does to them. */
#include "support.h"

#include <faultline/pack.h>
#include <string.h>

static struct pg_test *pg;

static void step(struct fl_store *s, uint64_t seq)
{
    struct fl_effects *fx = fl_effects_new();
    fx->realm = "default";
    fx->event_seq = seq;
    fl_store_project(s, fx, NULL);
}

static void run_sql(const char *db, const char *sql)
{
    const char *answer = pg_test_sql(db, sql);
    if (strncmp(answer, "ERROR", 5) == 0)
        fail_msg("%s: %s", sql, answer);
}

static fl_status save(struct fl_store *s, uint64_t seq, const char *text, size_t copies, struct fl_err *err)
{
    struct fl_pack p = fl_pack_init(0);
    size_t stored;
    for (size_t i = 0; i < copies; i++) {
        fl_pack_begin(&p, 't');
        fl_pack_text(&p, text);
        fl_pack_end(&p);
    }
    fl_status st = fl_store_save_snapshot(s, seq, &p, &stored, err);
    assert_null(p.first);
    assert_true(st != FL_OK || stored > 0);
    return st;
}

struct loaded {
    struct fl_buf text; /* of the last record */
    size_t pieces, records;
};

static fl_status take(void *ctx, const void *piece, size_t n)
{
    struct loaded *l = ctx;
    struct fl_unpack u = fl_unpack_init(piece, n);
    l->pieces++;
    while (fl_unpack_next(&u)) {
        l->records++;
        fl_buf_reset(&l->text);
        fl_buf_str(&l->text, fl_unpack_text(&u, NULL));
    }
    assert_false(u.bad);
    return FL_OK;
}

static void test_snapshots(void **state)
{
    (void)state;
    struct fl_err err = {0};
    const char *db = pg_test_database(pg, true);
    struct counts c = {0};
    struct loaded l = {.text = fl_buf_init(0)};
    uint64_t seq;
    open_store(db, &c);
    assert_int_equal(fl_store_load_snapshot(c.store, UINT64_MAX, &seq, take, &l, &err), FL_E_NOTFOUND);
    for (uint64_t i = 1; i <= 4; i++)
        step(c.store, i);
    AWAIT(fl_store_projected_seq(c.store) == 4);
    assert_ok(save(c.store, 1, "one", 1, &err));
    assert_ok(save(c.store, 2, "two", 1, &err));
    assert_ok(save(c.store, 3, "three", 300000, &err));
    assert_int_equal(pg_test_number(db, "SELECT min(seq) FROM faultline.snapshot"), 2);
    assert_int_equal(pg_test_number(db, "SELECT min(seq) FROM faultline.snapshot_part"), 2);
    /* Ahead of the projections: kept, but not used, and nothing that can be used is dropped for it. */
    assert_ok(save(c.store, 8, "eight", 1, &err));
    assert_ok(save(c.store, 9, "nine", 1, &err));
    assert_ok(fl_store_load_snapshot(c.store, UINT64_MAX, &seq, take, &l, &err));
    assert_int_equal(seq, 3);
    assert_string_equal(l.text.p, "three");
    assert_int_equal(l.records, 300000);
    assert_true(l.pieces > 1);
    fl_buf_done(&l.text);
    fl_err_clear(&err);
    fl_store_close(c.store, FL_USEC_PER_SEC);
}

/* Whatever has become of a snapshot: it is refused with a reason, and the one before it is there. */
static void test_damaged_snapshots(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *text;
    } cases[] = {
        {"UPDATE faultline.snapshot_part SET body = set_byte(body, 20, get_byte(body, 20) # 1) WHERE seq = 3 AND n = 1",
         "its part 1 is damaged"},
        {"DELETE FROM faultline.snapshot_part WHERE seq = 3 AND n = 1",
         "its parts are not those it was saved with"},
        {"UPDATE faultline.snapshot SET hash = sha256('') WHERE seq = 3",
         "its parts are not those it was saved with"},
        {"UPDATE faultline.snapshot_part SET bytes = bytes - 1 WHERE seq = 3 AND n = 0",
         "its part 0 does not unpack"},
        {"UPDATE faultline.snapshot SET format = 1, body = '{}' WHERE seq = 3",
         "it has form 1 of another program"},
    };
    for (size_t k = 0; k < FL_ARRAY_LEN(cases); k++) {
        struct fl_err err = {0};
        const char *db = pg_test_database(pg, true);
        struct counts c = {0};
        struct loaded l = {.text = fl_buf_init(0)};
        uint64_t seq;
        open_store(db, &c);
        for (uint64_t i = 1; i <= 3; i++)
            step(c.store, i);
        AWAIT(fl_store_projected_seq(c.store) == 3);
        assert_ok(save(c.store, 2, "two", 1, &err));
        assert_ok(save(c.store, 3, "three", 300000, &err));
        run_sql(db, cases[k].sql);
        if (strstr(cases[k].sql, "DELETE"))
            run_sql(db, "UPDATE faultline.snapshot SET parts = parts - 1 WHERE seq = 3");
        assert_int_equal(fl_store_load_snapshot(c.store, UINT64_MAX, &seq, take, &l, &err), FL_E_CORRUPT);
        assert_int_equal(seq, 3);
        assert_non_null(strstr(err.text, cases[k].text));
        fl_err_clear(&err);
        assert_ok(fl_store_load_snapshot(c.store, seq, &seq, take, &l, &err));
        assert_int_equal(seq, 2);
        assert_string_equal(l.text.p, "two");
        assert_int_equal(fl_store_load_snapshot(c.store, seq, &seq, take, &l, &err), FL_E_NOTFOUND);
        fl_buf_done(&l.text);
        fl_store_close(c.store, FL_USEC_PER_SEC);
    }
}

/* Parts that were written before the engine was killed are no snapshot, and go with the next one. */
static void test_an_unfinished_snapshot(void **state)
{
    (void)state;
    struct fl_err err = {0};
    const char *db = pg_test_database(pg, true);
    struct counts c = {0};
    struct loaded l = {.text = fl_buf_init(0)};
    uint64_t seq;
    open_store(db, &c);
    step(c.store, 1);
    AWAIT(fl_store_projected_seq(c.store) == 1);
    run_sql(db, "INSERT INTO faultline.snapshot_part (realm, seq, n, bytes, hash, body)"
                " VALUES ('default', 1, 0, 5, sha256('x'), 'x')");
    assert_int_equal(fl_store_load_snapshot(c.store, UINT64_MAX, &seq, take, &l, &err), FL_E_NOTFOUND);
    fl_err_clear(&err);
    assert_ok(save(c.store, 1, "one", 1, &err));
    assert_ok(fl_store_load_snapshot(c.store, UINT64_MAX, &seq, take, &l, &err));
    assert_string_equal(l.text.p, "one");
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.snapshot_part"), 1);
    fl_buf_done(&l.text);
    fl_store_close(c.store, FL_USEC_PER_SEC);
}

static int setup(void **state)
{
    (void)state;
    pg = pg_test_start(false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pg = pg_test_stop(pg);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_snapshots),
                                       cmocka_unit_test(test_damaged_snapshots),
                                       cmocka_unit_test(test_an_unfinished_snapshot)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
