/* YCSB-like loads: records with skewed popularity, read and updated. */
#ifndef TM_DB_YCSB_H
#define TM_DB_YCSB_H

#include "clients.h"

int ycsb_fill(struct db *db);
/* One operation; of a hundred, so many are updates. */
int ycsb_run(struct db *db, uint64_t op, struct db_tally *t, unsigned updates);
const char *ycsb_check(struct db *db, const struct db_tally *t,
                       uint64_t *digest);

#endif
