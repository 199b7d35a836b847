/* db-b: a database that is mostly read. */
#include "db/ycsb.h"

static int db_b_run(struct db *db, uint64_t op, struct db_tally *t)
{
    return ycsb_run(db, op, t, 5);
}

static const struct db_load load = {ycsb_fill, db_b_run, ycsb_check, 0};

DEFINE_DB_BENCHMARK(db_b, "db-b", "transaction",
                    "B+tree, log and cache: 95 % reads, 5 % updates; 4 clients",
                    0, &load, 0);
