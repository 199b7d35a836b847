/* db-c: a database that is only read. */
#include "db/ycsb.h"

static int db_c_run(struct db *db, uint64_t op, struct db_tally *t)
{
    return ycsb_run(db, op, t, 0);
}

static const struct db_load load = {ycsb_fill, db_c_run, ycsb_check, 0};

DEFINE_DB_BENCHMARK(db_c, "db-c", "transaction",
                    "B+tree and cache: reads only; 4 clients", 0, &load, 0);
