/* The workloads' database on a disk that loses its power: recovery after a cut
 * at every write and flush, and the tree against a sorted array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backends/devices/disk.h"
#include "workloads/mixed/db/store.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 1900u /* of the model: more than the cache holds */
#define LOG_PAGES 64u
#define FRAMES 48u
#define STORE (4u << 20)

/* ---- The device -----------------------------------------------------------
 */

struct power {
    struct disk disk;
    uint64_t left; /* writes and flushes until it fails */
    uint64_t used;
};

static bool power_fails(struct power *p)
{
    p->used++;
    if (!p->left)
        return true;
    p->left--;
    return false;
}

static int power_read(void *context, uint64_t offset, void *to, uint64_t len)
{
    struct power *p = context;

    assert_true(offset % DB_SECTOR == 0 && len % DB_SECTOR == 0);
    assert_true(offset + len <= STORE);
    return p->left ? disk_read(&p->disk, offset, to, len) : -DB_EIO;
}

/* A cut within a write: some of it may be there; see disk_lose_power. */
static int power_write(void *context, const struct db_extent *e, unsigned n)
{
    struct power *p = context;

    assert_true(n > 0 && n <= DB_EXTENTS);
    for (unsigned i = 0; i < n; i++) {
        assert_true(e[i].offset % DB_SECTOR == 0 && e[i].len % DB_SECTOR == 0);
        assert_true(e[i].offset + e[i].len <= STORE);
        if (!p->left)
            return -DB_EIO;
        assert_int_equal(disk_write(&p->disk, e[i].offset, e[i].from, e[i].len),
                         0);
        if (power_fails(p))
            return -DB_EIO;
    }
    return 0;
}

static int power_flush(void *context)
{
    struct power *p = context;

    return power_fails(p) ? -DB_EIO : disk_flush(&p->disk);
}

static void power_on(struct power *p)
{
    char why[REASON_MAX];

    memset(p, 0, sizeof(*p));
    assert_int_equal(disk_open(&p->disk, NULL, why), 0);
    assert_int_equal(disk_keep_unflushed(&p->disk), 0);
    p->left = UINT64_MAX;
}

/* ---- One process that never waits ------------------------------------------
 */

static void one_lock(uint32_t *word)
{
    assert_int_equal(*word, 0);
    *word = 1;
}

static void one_unlock(uint32_t *word)
{
    assert_int_equal(*word, 1);
    *word = 0;
}

static void one_wait(uint32_t *word, uint32_t value)
{
    if (*word == value)
        fail_msg("waits for itself");
}

static void one_wake(uint32_t *word)
{
    (void)word;
}

static const struct db_sync alone = {
    .lock = one_lock, .unlock = one_unlock, .wait = one_wait, .wake = one_wake};

struct store {
    struct power power;
    struct db_device device;
    struct db_config config;
    struct db *db;
};

static void store_open(struct store *s)
{
    power_on(&s->power);
    s->device = (struct db_device){power_read, power_write, power_flush,
                                   &s->power, STORE};
    s->config = (struct db_config){&s->device, &alone, LOG_PAGES, FRAMES};
    s->db = aligned_alloc(4096, sizeof(*s->db));
    assert_non_null(s->db);
    assert_int_equal(db_format(s->db, &s->config), 0);
}

static void store_close(struct store *s)
{
    disk_close(&s->power.disk);
    free(s->db);
}

/* What is in memory is gone; of what wasn't flushed, whatever `seed` says. */
static void store_crash(struct store *s, uint64_t seed)
{
    disk_lose_power(&s->power.disk, seed);
    s->power.left = UINT64_MAX;
    memset(s->db, 0xa5, sizeof(*s->db));
}

/* ---- The model -------------------------------------------------------------
 */

static uint64_t rng_state;

static uint64_t rng(void)
{
    return random_next(&rng_state);
}

struct model {
    bool there[KEYS];
    struct db_value value[KEYS];
    uint64_t digest; /* of all that is there: a sum, so updates are cheap */
};

static uint64_t spread(unsigned k)
{
    return (uint64_t)k * 0x0123456789abcdull;
}

static uint64_t digest_of(uint64_t key, const struct db_value *v)
{
    uint64_t sum = mix64(1, key);

    for (unsigned i = 0; i < DB_WORDS; i++)
        sum = mix64(sum, v->w[i]);
    return sum;
}

static void model_put(struct model *m, unsigned k, const struct db_value *v)
{
    if (m->there[k])
        m->digest -= digest_of(spread(k), &m->value[k]);
    m->there[k] = true;
    m->value[k] = *v;
    m->digest += digest_of(spread(k), v);
}

static const char *add_digest(void *opaque, uint64_t key,
                              const struct db_value *v)
{
    *(uint64_t *)opaque += digest_of(key, v);
    return NULL;
}

static uint64_t db_digest(struct db *db)
{
    uint64_t sum = 0;
    const char *wrong = db_check(db, add_digest, &sum);

    if (wrong)
        fail_msg("%s", wrong);
    return sum;
}

/* All keys are there, and on the disk. */
static void model_fill(struct store *s, struct model *m)
{
    memset(m, 0, sizeof(*m));
    for (unsigned k = 0; k < KEYS; k++) {
        const struct db_value v = {{k}};

        model_put(m, k, &v);
        assert_int_equal(db_begin(s->db, 1), 0);
        assert_int_equal(db_put(s->db, spread(k), &v), 0);
        db_end(s->db);
    }
    assert_int_equal(db_checkpoint(s->db), 0);
}

/* ---- Transactions ----------------------------------------------------------
 */

#define TRANSACTIONS 450u

struct history {
    struct model model;
    uint64_t digest[TRANSACTIONS + 1]; /* after so many */
    unsigned made, durable; /* begun to commit; known to be on the disk */
};

/* Some puts in one transaction; most without waiting for the disk, so that the
 * cache is full of changes that the log must not lag behind; now and then with
 * a checkpoint. Stops at the first error: the power failed. */
static int transact(struct store *s, struct history *h)
{
    unsigned puts = 1 + (unsigned)rng() % 4, way = (unsigned)(rng() % 64);
    int err = db_begin(s->db, puts);

    if (err)
        return err;
    for (unsigned i = 0; i < puts && !err; i++) {
        unsigned k = (unsigned)(rng() % KEYS);
        struct db_value v;

        for (unsigned w = 0; w < DB_WORDS; w++)
            v.w[w] = rng();
        model_put(&h->model, k, &v);
        err = db_put(s->db, spread(k), &v);
    }
    h->digest[++h->made] = h->model.digest;
    if (err || way < 44) {
        db_end(s->db);
        return err;
    }
    err = db_commit(s->db);
    if (!err)
        h->durable = h->made;
    if (!err && way == 44)
        err = db_checkpoint(s->db);
    return err;
}

static void run(struct store *s, struct history *h, unsigned transactions)
{
    while (h->made < transactions && !transact(s, h))
        ;
}

/* The database is what it was after some number of transactions, none of which
 * is missing that was durable. That history goes on from there. */
static void check_recovered(struct store *s, struct history *h, uint64_t cut)
{
    uint64_t digest = db_digest(s->db);

    for (unsigned i = h->durable; i <= h->made; i++)
        if (h->digest[i] == digest)
            return;
    fail_msg("cut %llu: not the state after any of transactions %u to %u",
             (unsigned long long)cut, h->durable, h->made);
}

static uint64_t seed_of(uint64_t cut)
{
    return cut % 3 ? cut : UINT64_MAX; /* every third: all is lost */
}

static void test_power_cut_at_every_write(void **state)
{
    static struct history h;
    struct store s;
    uint64_t total = 1;

    (void)state;
    for (uint64_t cut = 0; cut < total; cut++) {
        int err;

        store_open(&s);
        memset(&h, 0, sizeof(h));
        model_fill(&s, &h.model);
        h.digest[0] = h.model.digest;
        rng_state = 0x6462;
        s.power.used = 0;
        s.power.left = cut ? cut : UINT64_MAX; /* the first counts them */
        run(&s, &h, TRANSACTIONS);
        if (!cut) {
            assert_int_equal(h.made, TRANSACTIONS);
            total = s.power.used;
            assert_true(total > 200);
        }
        store_crash(&s, seed_of(cut));
        if (cut % 4 == 1) { /* and again, while it recovers */
            s.power.left = cut % 37;
            if (db_recover(s.db, &s.config))
                store_crash(&s, cut * 7);
            s.power.left = UINT64_MAX;
        }
        err = db_recover(s.db, &s.config);
        if (err)
            fail_msg("cut %llu: recovery: %d", (unsigned long long)cut, err);
        check_recovered(&s, &h, cut);
        store_close(&s);
    }
}

/* Recovery is good for more than a look: the next failure is survived too. */
static void test_life_goes_on(void **state)
{
    static struct history h;
    struct store s;

    (void)state;
    store_open(&s);
    rng_state = 99;
    for (uint64_t life = 0; life < 150; life++) {
        memset(&h, 0, sizeof(h));
        h.digest[0] = h.model.digest = db_digest(s.db);
        for (unsigned k = 0; k < KEYS; k++) {
            assert_int_equal(db_begin(s.db, 0), 0);
            h.model.there[k] = db_get(s.db, spread(k), &h.model.value[k]) == 1;
            db_end(s.db);
        }
        s.power.left = 1 + rng() % 150;
        run(&s, &h, TRANSACTIONS);
        store_crash(&s, rng());
        assert_int_equal(db_recover(s.db, &s.config), 0);
        check_recovered(&s, &h, life);
    }
    store_close(&s);
}

/* A changed page stays in memory until the log that explains it is durable,
 * whoever wants its frame. */
static void test_log_goes_first(void **state)
{
    static struct model m;
    const struct db_value new = {{1, 2, 3}};
    struct db_value v;
    struct store s;

    (void)state;
    store_open(&s);
    model_fill(&s, &m);
    for (unsigned k = 0; k < KEYS; k += KEYS / 4) {
        assert_int_equal(db_begin(s.db, 1), 0);
        assert_int_equal(db_put(s.db, spread(k), &new), 0);
        db_end(s.db);
    }
    for (unsigned k = 0; k < 3 * KEYS; k++) {
        assert_int_equal(db_begin(s.db, 0), 0);
        assert_int_equal(db_get(s.db, spread(k % KEYS), &v), 1);
        db_end(s.db);
    }
    memset(s.db, 0xa5, sizeof(*s.db)); /* all that was written is there */
    assert_int_equal(db_recover(s.db, &s.config), 0);
    assert_true(db_digest(s.db) == m.digest);
    store_close(&s);
}

/* ---- The tree --------------------------------------------------------------
 */

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
    uint64_t i = 0, digest;
    int err = 0;

    (void)state;
    store_open(&s);
    for (; !err; i++) {
        assert_true(i < 1000000);
        assert_int_equal(db_begin(s.db, 1), 0);
        err = db_put(s.db, mix64(9, i), &v);
        db_end(s.db);
    }
    assert_int_equal(err, -DB_EFULL);
    assert_true(i > RECORDS / 2);
    digest = db_digest(s.db);
    assert_int_equal(db_checkpoint(s.db), 0);
    store_crash(&s, UINT64_MAX);
    assert_int_equal(db_recover(s.db, &s.config), 0);
    assert_true(db_digest(s.db) == digest);
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

/* ---- Several users ----------------------------------------------------------
 */

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
        cmocka_unit_test(test_power_cut_at_every_write),
        cmocka_unit_test(test_life_goes_on),
        cmocka_unit_test(test_log_goes_first),
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_format_again),
        cmocka_unit_test(test_users_commit_in_groups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
