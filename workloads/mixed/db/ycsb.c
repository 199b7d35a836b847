/* Records that know how often they were updated, and a skewed choice of them.
 */
#include "ycsb.h"

#define RECORDS 2048u /* a power of two: see pick() */
#define SEED 0x79637362u

/* w[0] counts updates, w[1] sums what they added, the rest follows from them
 * and the key. */
static uint64_t filler(uint64_t key, const struct db_value *v, unsigned i)
{
    return mix64(key + v->w[0], v->w[1] + i);
}

static void complete(uint64_t key, struct db_value *v)
{
    for (unsigned i = 2; i < DB_WORDS; i++)
        v->w[i] = filler(key, v, i);
}

/* Weights 1/1, 1/2, 1/3 ... in 32-bit fractions, summed up. */
static uint64_t upto[RECORDS];

static void weigh(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < RECORDS; i++)
        upto[i] = sum += (1ull << 32) / (i + 1);
}

/* Popular records lie anywhere: an odd factor permutes them. */
static uint64_t pick(uint64_t random)
{
    uint64_t at = random % upto[RECORDS - 1];
    unsigned low = 0, high = RECORDS - 1;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (upto[middle] <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low * 2654435761u % RECORDS;
}

int ycsb_fill(struct db *db)
{
    int err = 0;

    weigh();
    for (uint64_t key = 0; key < RECORDS && !err; key++) {
        struct db_value v = {{0}};

        complete(key, &v);
        err = db_begin(db, 1);
        if (err)
            break;
        err = db_put(db, key, &v);
        db_end(db);
    }
    return err;
}

static int update(struct db *db, uint64_t key, uint64_t delta)
{
    struct db_value v;
    int err = db_begin(db, 1);

    if (err)
        return err;
    err = db_get(db, key, &v) == 1 ? 0 : -DB_ECORRUPT;
    if (!err) {
        v.w[0]++;
        v.w[1] += delta;
        complete(key, &v);
        err = db_put(db, key, &v);
    }
    if (!err)
        return db_commit(db);
    db_end(db);
    return err;
}

static int read(struct db *db, uint64_t key)
{
    struct db_value v;
    int r = db_begin(db, 0);

    if (r)
        return r;
    r = db_get(db, key, &v);
    db_end(db);
    return r == 1 && v.w[DB_WORDS - 1] == filler(key, &v, DB_WORDS - 1)
               ? 0
               : -DB_ECORRUPT;
}

int ycsb_run(struct db *db, uint64_t op, struct db_tally *t, unsigned updates)
{
    uint64_t random = mix64(SEED, op), delta = random % 1000;
    uint64_t key = pick(mix64(random, 1));
    int err;

    if (random / 1000 % 100 >= updates)
        return read(db, key);
    err = update(db, key, delta);
    if (!err) {
        t->count++;
        t->sum += delta;
    }
    return err;
}

struct look {
    struct db_tally found;
    uint64_t records, digest;
};

static const char *look_at(void *opaque, uint64_t key, const struct db_value *v)
{
    struct look *l = opaque;

    if (key != l->records++)
        return "a record is missing";
    for (unsigned i = 2; i < DB_WORDS; i++)
        if (v->w[i] != filler(key, v, i))
            return "a record is damaged";
    l->found.count += v->w[0];
    l->found.sum += v->w[1];
    l->digest = mix64(l->digest, mix64(v->w[0], v->w[1]));
    return NULL;
}

const char *ycsb_check(struct db *db, const struct db_tally *t,
                       uint64_t *digest)
{
    struct look l = {{0}, 0, 0};
    const char *wrong = db_check(db, look_at, &l);

    if (!wrong && l.records != RECORDS)
        wrong = "a record is missing";
    if (!wrong && (l.found.count != t->count || l.found.sum != t->sum))
        wrong = "an update was lost or made twice";
    *digest = l.digest;
    return wrong;
}
