/* db-tpcb: transfers as in TPC-B: an account, its teller and its branch change
 * by the same amount, and a line of history says so. */
#include "db/clients.h"

#define BRANCHES 4u
#define TELLERS 40u
#define ACCOUNTS 2000u
#define HISTORY 1024u /* lines, used in turn: a multiple of DB_CLIENTS */
#define SEED 0x74706362u

enum table { BRANCH = 1, TELLER, ACCOUNT, LINE };

static uint64_t key_of(enum table t, uint64_t row)
{
    return (uint64_t)t << 32 | row;
}

/* w[0] is the balance; of a line: the operation, its account, the amount. */
static int add(struct db *db, uint64_t key, uint64_t amount)
{
    struct db_value v;

    if (db_get(db, key, &v) != 1)
        return -DB_ECORRUPT;
    v.w[0] += amount;
    return db_put(db, key, &v);
}

struct transfer {
    uint64_t account, teller, branch, amount;
};

static struct transfer transfer_of(uint64_t op)
{
    uint64_t random = mix64(SEED, op);
    struct transfer t;

    t.account = random % ACCOUNTS;
    t.teller = random / ACCOUNTS % TELLERS;
    t.branch = t.teller % BRANCHES;
    t.amount = random / ACCOUNTS / TELLERS % 1999 - 999; /* of either sign */
    return t;
}

static int make(struct db *db, uint64_t op, const struct transfer *t)
{
    struct db_value line = {{op, t->account, t->amount}};
    int err = add(db, key_of(ACCOUNT, t->account), t->amount);

    if (!err)
        err = add(db, key_of(TELLER, t->teller), t->amount);
    if (!err)
        err = add(db, key_of(BRANCH, t->branch), t->amount);
    return err ? err : db_put(db, key_of(LINE, op % HISTORY), &line);
}

static int tpcb_run(struct db *db, uint64_t op, struct db_tally *t)
{
    struct transfer x = transfer_of(op);
    int err = db_begin(db, 4);

    if (err)
        return err;
    err = make(db, op, &x);
    if (err) {
        db_end(db);
        return err;
    }
    err = db_commit(db);
    if (!err) {
        t->count++;
        t->sum += x.amount;
    }
    return err;
}

static int fill_table(struct db *db, enum table t, unsigned rows)
{
    static const struct db_value zero;
    int err = 0;

    for (unsigned i = 0; i < rows && !err; i++) {
        err = db_begin(db, 1);
        if (err)
            break;
        err = db_put(db, key_of(t, i), &zero);
        db_end(db);
    }
    return err;
}

static int tpcb_fill(struct db *db)
{
    int err = fill_table(db, BRANCH, BRANCHES);

    if (!err)
        err = fill_table(db, TELLER, TELLERS);
    return err ? err : fill_table(db, ACCOUNT, ACCOUNTS);
}

struct look {
    uint64_t rows[LINE + 1], balance[LINE + 1], digest;
};

static const char *look_at(void *opaque, uint64_t key, const struct db_value *v)
{
    struct look *l = opaque;
    uint64_t table = key >> 32;
    struct transfer x;

    if (table < BRANCH || table > LINE)
        return "a record of no table";
    l->rows[table]++;
    l->balance[table] += v->w[0];
    l->digest = mix64(l->digest, mix64(key, v->w[0]));
    if (table != LINE)
        return NULL;
    x = transfer_of(v->w[0]);
    return v->w[0] % HISTORY != (uint32_t)key || v->w[1] != x.account ||
                   v->w[2] != x.amount
               ? "a line of history is wrong"
               : NULL;
}

static const char *tpcb_check(struct db *db, const struct db_tally *t,
                              uint64_t *digest)
{
    struct look l = {{0}, {0}, 0};
    const char *wrong = db_check(db, look_at, &l);
    uint64_t lines = t->count < HISTORY ? t->count : HISTORY;

    *digest = l.digest;
    if (wrong)
        return wrong;
    if (l.rows[BRANCH] != BRANCHES || l.rows[TELLER] != TELLERS ||
        l.rows[ACCOUNT] != ACCOUNTS || l.rows[LINE] != lines)
        return "a record is missing";
    if (l.balance[BRANCH] != t->sum || l.balance[TELLER] != t->sum ||
        l.balance[ACCOUNT] != t->sum)
        return "the balances don't agree";
    return NULL;
}

static const struct db_load load = {tpcb_fill, tpcb_run, tpcb_check, 0};

DEFINE_DB_BENCHMARK(db_tpcb, "db-tpcb", "transaction",
                    "TPC-B-like transfers on B+tree and log; 4 clients", 0,
                    &load, 0);
