/* Recovery of the workloads' database after a power cut at every write and
 * flush.
 */
#include "db_fixture.h"

#define KEYS 1900u /* of the model: more than the cache holds */

/* ---- The model ----------------------------------------------------------- */

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

/* ---- Transactions -------------------------------------------------------- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cut_at_every_write),
        cmocka_unit_test(test_life_goes_on),
        cmocka_unit_test(test_log_goes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
