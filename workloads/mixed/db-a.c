/* db-a: a database of which half the operations are updates. */
#include "db/ycsb.h"

static int db_a_run(struct db *db, uint64_t op, struct db_tally *t)
{
    return ycsb_run(db, op, t, 50);
}

static const struct db_load load = {ycsb_fill, db_a_run, ycsb_check, 0};

DEFINE_DB_BENCHMARK(
    db_a, "db-a", "transaction",
    "B+tree, log and cache: half reads, half updates; 4 clients", 0, &load, 0);
