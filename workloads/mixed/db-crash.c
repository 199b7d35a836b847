/* db-crash: one of a database's clients crashes in the middle of a transaction,
 * as a hidden benchmark: its row has to fail, soon and with the reason. */
#include "db/ycsb.h"

#define FATAL 38 /* the operation */

static int db_crash_run(struct db *db, uint64_t op, struct db_tally *t)
{
    if (op == FATAL && !db_begin(db, 1))
        __asm__ volatile(".globl crash_client\ncrash_client: ud2");
    return ycsb_run(db, op, t, 50);
}

static const struct db_load load = {ycsb_fill, db_crash_run, ycsb_check, 0};

DEFINE_DB_BENCHMARK(db_crash, "db-crash", "transaction",
                    "a client of the database crashes", TM_BENCH_HIDDEN, &load,
                    0);
