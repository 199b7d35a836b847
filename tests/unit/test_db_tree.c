/* The workloads' database: its tree against a sorted array, a full disk,
 * damage, an older database's remains, several users. */
#include "db_fixture.h"

#include <pthread.h>
#include <sched.h>

/* ---- The tree ------------------------------------------------------------ */

#define RECORDS 12000u

struct order {
    uint64_t last, count;
};

static const char *in_order(void *opaque, uint64_t key,
                            const struct db_value *v)
{
    struct order *o = opaque;

    if (o->count++ && key <= o->last)
        return "not in order";
    o->last = key;
    return v->w[0] == mix64(key, 0) ? NULL : "another's value";
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Keys in the order that `key` gives; a cache far smaller than the tree. */
static void check_tree(uint64_t (*key_of)(uint64_t i))
{
    static uint64_t keys[RECORDS];
    struct order o = {0};
    struct db_value v;
    struct store s;

    store_open(&s);
    for (uint64_t i = 0; i < RECORDS; i++) {
        keys[i] = key_of(i);
        for (unsigned w = 0; w < DB_WORDS; w++)
            v.w[w] = mix64(keys[i], w);
        assert_int_equal(db_begin(s.db, 1), 0);
        assert_int_equal(db_put(s.db, keys[i], &v), 0);
        db_end(s.db);
        if (i % 1000 == 0)
            assert_null(db_check(s.db, NULL, NULL));
    }
    assert_null(db_check(s.db, in_order, &o));
    assert_int_equal(db_checkpoint(s.db), 0);
    store_crash(&s, UINT64_MAX);
    assert_int_equal(db_recover(s.db, &s.config), 0);
    qsort(keys, RECORDS, sizeof(keys[0]), compare);
    for (uint64_t i = 0, unique = 0; i < RECORDS; i++) {
        unique += !i || keys[i] != keys[i - 1];
        if (i == RECORDS - 1)
            assert_int_equal(o.count, unique);
        assert_int_equal(db_begin(s.db, 0), 0);
        assert_int_equal(db_get(s.db, keys[i], &v), 1);
        assert_true(v.w[DB_WORDS - 1] == mix64(keys[i], DB_WORDS - 1));
        if (i && keys[i] - keys[i - 1] > 1)
            assert_int_equal(db_get(s.db, keys[i] - 1, &v), 0);
        db_end(s.db);
    }
    store_close(&s);
}

static uint64_t random_key(uint64_t i)
{
    return mix64(3, i);
}

static uint64_t rising_key(uint64_t i)
{
    return i * 10;
}

static uint64_t falling_key(uint64_t i)
{
    return UINT64_MAX - i * 3;
}

static uint64_t repeated_key(uint64_t i)
{
    return mix64(5, i % 700);
}

static void test_tree(void **state)
{
    (void)state;
    check_tree(random_key);
    check_tree(rising_key);
    check_tree(falling_key);
    check_tree(repeated_key);
}

/* A full disk is an error of that put; what was committed stays. */
static void test_full(void **state)
{
    struct db_value v = {{0}};
    struct store s;
    struct order o = {0}, after = {0};
    uint64_t i = 0;
    int err = 0;

    (void)state;
    store_open(&s);
    for (; !err; i++) {
        assert_true(i < 1000000);
        assert_int_equal(db_begin(s.db, 1), 0);
        v.w[0] = mix64(mix64(9, i), 0);
        err = db_put(s.db, mix64(9, i), &v);
        db_end(s.db);
    }
    assert_int_equal(err, -DB_EFULL);
    assert_true(i > RECORDS / 2);
    assert_null(db_check(s.db, in_order, &o));
    assert_int_equal(db_checkpoint(s.db), 0);
    store_crash(&s, UINT64_MAX);
    assert_int_equal(db_recover(s.db, &s.config), 0);
    assert_null(db_check(s.db, in_order, &after));
    assert_int_equal(after.count, o.count);
    store_close(&s);
}

/* What isn't a database, and one whose pages were damaged. */
static void test_damage(void **state)
{
    struct db_value v = {{7}};
    uint8_t page[DB_PAGE];
    struct store s;

    (void)state;
    store_open(&s);
    assert_int_equal(db_begin(s.db, 1), 0);
    assert_int_equal(db_put(s.db, 1, &v), 0);
    assert_int_equal(db_commit(s.db), 0);
    assert_int_equal(db_checkpoint(s.db), 0);
    assert_int_equal(power_read(&s.power,
                                DB_LOG_OFFSET + (LOG_PAGES + 1) * DB_PAGE, page,
                                DB_PAGE),
                     0);
    page[100] ^= 1;
    assert_int_equal(power_write(&s.power,
                                 &(struct db_extent){
                                     DB_LOG_OFFSET + (LOG_PAGES + 1) * DB_PAGE,
                                     page, DB_PAGE},
                                 1),
                     0);
    assert_int_equal(db_recover(s.db, &s.config), 0);
    assert_int_equal(db_begin(s.db, 0), 0);
    assert_int_equal(db_get(s.db, 1, &v), -DB_ECORRUPT);
    db_end(s.db);
    assert_string_equal(db_check(s.db, NULL, NULL), "the tree has no root");
    memset(page, 0, sizeof(page));
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(
            power_write(&s.power,
                        &(struct db_extent){i * DB_PAGE, page, DB_PAGE}, 1),
            0);
    assert_int_equal(db_recover(s.db, &s.config), -DB_ECORRUPT);
    store_close(&s);
}

/* The log of a database that was here before says nothing to the next one. */
static void test_format_again(void **state)
{
    struct order o = {0};
    struct store s;

    (void)state;
    store_open(&s);
    for (uint64_t key = 0; key < 12; key++) {
        struct db_value v = {{mix64(key, 0)}};

        if (key == 10)
            assert_int_equal(db_format(s.db, &s.config), 0);
        assert_int_equal(db_begin(s.db, 1), 0);
        assert_int_equal(db_put(s.db, key, &v), 0);
        assert_int_equal(db_commit(s.db), 0);
    }
    store_crash(&s, UINT64_MAX);
    assert_int_equal(db_recover(s.db, &s.config), 0);
    assert_null(db_check(s.db, in_order, &o));
    assert_int_equal(o.count, 2);
    store_close(&s);
}

/* ---- Several users ------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t word_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t word_changed = PTHREAD_COND_INITIALIZER;

static void many_lock(uint32_t *word)
{
    (void)word;
    pthread_mutex_lock(&mutex);
}

static void many_unlock(uint32_t *word)
{
    (void)word;
    pthread_mutex_unlock(&mutex);
}

static void many_wait(uint32_t *word, uint32_t value)
{
    pthread_mutex_lock(&word_mutex);
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
        pthread_cond_wait(&word_changed, &word_mutex);
    pthread_mutex_unlock(&word_mutex);
}

static void many_wake(uint32_t *word)
{
    (void)word;
    pthread_mutex_lock(&word_mutex);
    pthread_cond_broadcast(&word_changed);
    pthread_mutex_unlock(&word_mutex);
}

static void many_yield(void)
{
    sched_yield();
}

static const struct db_sync together = {many_lock, many_unlock, many_wait,
                                        many_wake, many_yield};

#define USERS 4u
#define EACH 2000u

struct user {
    struct db *db;
    uint64_t number;
    int err;
};

static void *use(void *opaque)
{
    struct user *u = opaque;

    for (uint64_t i = 0; i < EACH && !u->err; i++) {
        uint64_t key = mix64(u->number << 32, i % (EACH / 2));
        struct db_value v;

        for (unsigned w = 0; w < DB_WORDS; w++)
            v.w[w] = mix64(key, w);
        u->err = db_begin(u->db, 1);
        if (u->err)
            break;
        u->err = db_put(u->db, key, &v);
        if (u->err)
            db_end(u->db);
        else
            u->err = db_commit(u->db);
    }
    return NULL;
}

/* Fewer groups than commits: they came together. */
static void test_users_commit_in_groups(void **state)
{
    pthread_t thread[USERS];
    struct user user[USERS];
    struct order o = {0};
    struct store s;

    (void)state;
    store_open(&s);
    s.db->config.sync = s.config.sync = &together;
    s.power.used = 0;
    for (unsigned i = 0; i < USERS; i++) {
        user[i] = (struct user){s.db, i, 0};
        assert_int_equal(pthread_create(&thread[i], NULL, use, &user[i]), 0);
    }
    for (unsigned i = 0; i < USERS; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(user[i].err, 0);
    }
    assert_true(s.db->log.group < USERS * EACH);
    store_crash(&s, UINT64_MAX);
    assert_int_equal(db_recover(s.db, &s.config), 0);
    assert_null(db_check(s.db, in_order, &o));
    assert_int_equal(o.count, USERS * EACH / 2);
    store_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_format_again),
        cmocka_unit_test(test_users_commit_in_groups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
