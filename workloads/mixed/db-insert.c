/* db-insert: a database that grows: inserts in random order, splits, log. */
#include "db/clients.h"

#define SEED 0x696e73u

/* No two operations have the same: mix64 is a bijection. */
static uint64_t key_of(uint64_t op)
{
    return mix64(SEED, op);
}

static int insert_run(struct db *db, uint64_t op, struct db_tally *t)
{
    uint64_t key = key_of(op);
    struct db_value v;
    int err = db_begin(db, 1);

    if (err)
        return err;
    for (unsigned i = 0; i < DB_WORDS; i++)
        v.w[i] = mix64(key, i);
    err = db_put(db, key, &v);
    if (err) {
        db_end(db);
        return err;
    }
    err = db_commit(db);
    if (!err) {
        t->count++;
        t->sum += key;
    }
    return err;
}

/* It begins empty. */
static int insert_fill(struct db *db)
{
    (void)db;
    return 0;
}

struct look {
    struct db_tally found;
    uint64_t digest;
};

static const char *look_at(void *opaque, uint64_t key, const struct db_value *v)
{
    struct look *l = opaque;

    for (unsigned i = 0; i < DB_WORDS; i++)
        if (v->w[i] != mix64(key, i))
            return "a record is damaged";
    l->found.count++;
    l->found.sum += key;
    l->digest = mix64(l->digest, key);
    return NULL;
}

static const char *insert_check(struct db *db, const struct db_tally *t,
                                uint64_t *digest)
{
    struct look l = {{0}, 0};
    const char *wrong = db_check(db, look_at, &l);

    if (!wrong && (l.found.count != t->count || l.found.sum != t->sum))
        wrong = "an insert was lost";
    *digest = l.digest;
    return wrong;
}

/* A leaf holds 33 records, and is at least half full. */
static const struct db_load load = {insert_fill, insert_run, insert_check, 7};

DEFINE_DB_BENCHMARK(db_insert, "db-insert", "transaction",
                    "B+tree, log and cache: inserts only; 4 clients", 0, &load,
                    CLIENTS_MAX_BATCH);
