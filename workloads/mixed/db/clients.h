/* What the db workloads share: a database on the disk, and the client processes
 * that make its transactions. */
#ifndef TM_DB_CLIENTS_H
#define TM_DB_CLIENTS_H

#include "../../../guest/user/user.h"
#include "db.h"

#define DB_CLIENTS 4

/* What transactions did: sums, so that their order doesn't matter. */
struct db_tally {
    uint64_t count, sum;
};

/* A kind of load. Errors of the database are the transaction's. */
struct db_load {
    /* Fills the empty database. */
    int (*fill)(struct db *db);
    /* Transaction number `op`, begun and committed; adds to t. */
    int (*run)(struct db *db, uint64_t op, struct db_tally *t);
    /* Looks at all records, that the tree is sound, and that they are what fill
     * and the transactions of t made of them. NULL, or what is wrong; *digest
     * is then a value that depends on them alone. */
    const char *(*check)(struct db *db, const struct db_tally *t,
                         uint64_t *digest);
    /* Pages that a transaction may take for good, in hundredths; 0: none. The
     * database is filled anew when a batch might not fit. */
    unsigned pages_per_100;
};

/* The members of struct bench. init starts the clients, cleanup ends them and
 * gives the disk its contents again. A client that dies fails the benchmark. */
const char *clients_init(const struct db_load *load);
void clients_run(uint64_t n);
/* The control: wakes the clients, for nothing. */
void clients_idle(uint64_t n);
void clients_reset(uint64_t n);
uint64_t clients_checksum(void);
/* Lets the database crash, recovers it, and checks all of it. */
const char *clients_verify(void);
void clients_cleanup(void);

/* A batch's limit for loads that take pages; and from below: waking the clients
 * costs a few switches. */
#define CLIENTS_MAX_BATCH 8192
#define CLIENTS_MIN_BATCH 32

/* Defines the benchmark of a load; flags beside TM_BENCH_NEEDS_DISK. */
#define DEFINE_DB_BENCHMARK(ident, name, op, summary, flags, load, max)        \
    static const char *ident##_init(void)                                      \
    {                                                                          \
        return clients_init(load);                                             \
    }                                                                          \
    DEFINE_BENCHMARK(ident, name, "mixed", op, summary,                        \
                     TM_BENCH_NEEDS_DISK | (flags), .refuse = user_blk_refuse, \
                     .init = ident##_init, .kernel = clients_run,              \
                     .control = clients_idle, .reset = clients_reset,          \
                     .max_batch = max, .min_batch = CLIENTS_MIN_BATCH,         \
                     .checksum = clients_checksum, .verify = clients_verify,   \
                     .cleanup = clients_cleanup)

#endif
