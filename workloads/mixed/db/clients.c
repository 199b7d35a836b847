/* Client processes: each makes its share of a batch of transactions. */
#include "clients.h"
#include "device.h"

#define LOG_PAGES 384u
#define CHECKED 64u     /* transactions before the checksum */
#define LOST (1u << 31) /* in shared->done: no use waiting for the rest */

/* What the processes share. */
static struct shared {
    struct db db;
    struct db_tally tally[DB_CLIENTS]; /* since the database was filled */
    uint64_t first, count;             /* of the batch */
    uint32_t batch;                    /* changes when there is one */
    uint32_t done;                     /* clients that have done their share */
    uint32_t failed;                   /* a transaction did: the error */
    const char *lost;                  /* why a client is missing, or NULL */
    bool leave;
    uint8_t written[DB_REGION_BYTES / DB_PAGE];
} * shared;

static const struct db_load *load;
static uint64_t next_op;
static int keeper;
static const char *problem;

static const struct db_config config = {
    .device = &guest_device,
    .sync = &guest_sync,
    .log_pages = LOG_PAGES,
    .frames = DB_FRAMES,
};

static void fail(const char *what)
{
    if (!problem)
        problem = what;
}

/* ---- The clients --------------------------------------------------------- */

/* Operations with the same remainder are one client's, in order. */
static int run_share(unsigned me)
{
    struct db_tally *t = &shared->tally[me];
    uint64_t end = shared->first + shared->count;
    uint64_t op = shared->first;
    int err = 0;

    op += (me + DB_CLIENTS - op % DB_CLIENTS) % DB_CLIENTS;
    for (; op < end && !err; op += DB_CLIENTS)
        err = load->run(&shared->db, op, t);
    return err;
}

static void __attribute__((noreturn)) client(unsigned me)
{
    uint32_t batch = 0;

    for (;;) {
        int err;

        while (__atomic_load_n(&shared->batch, __ATOMIC_ACQUIRE) == batch)
            sys_word_wait(&shared->batch, batch);
        batch++;
        if (shared->leave)
            sys_exit(0);
        err = run_share(me);
        if (err)
            shared->failed = (uint32_t)-err;
        if (__atomic_add_fetch(&shared->done, 1, __ATOMIC_ACQ_REL) ==
            DB_CLIENTS)
            sys_word_wake(&shared->done);
    }
}

/* ---- Their keeper ---------------------------------------------------------
 *
 * A client that dies never does its share, and whoever waits for its locks
 * doesn't either. So all are children of a process that does nothing but wait
 * for their ends, and says so.
 */

static void lose(const char *why)
{
    __atomic_store_n(&shared->lost, why, __ATOMIC_RELEASE);
    __atomic_fetch_or(&shared->done, LOST, __ATOMIC_RELEASE);
    sys_word_wake(&shared->done);
}

static void __attribute__((noreturn)) keep_clients(void)
{
    int status;

    for (unsigned i = 0; i < DB_CLIENTS; i++) {
        int pid = sys_fork();

        if (!pid)
            client(i);
        if (pid < 0)
            lose("fork failed");
    }
    while (sys_wait(&status) > 0)
        if (status)
            lose("a client process died");
    sys_exit(0);
}

/* ---- Batches ------------------------------------------------------------- */

static void post_batch(void)
{
    __atomic_store_n(&shared->done, 0, __ATOMIC_RELAXED);
    __atomic_add_fetch(&shared->batch, 1, __ATOMIC_RELEASE);
    sys_word_wake(&shared->batch);
}

/* Operations [next_op, next_op + n), by all clients. */
static void run_batch(uint64_t n)
{
    uint32_t done;

    if (problem)
        return;
    shared->first = next_op;
    shared->count = n;
    next_op += n;
    post_batch();
    while ((done = __atomic_load_n(&shared->done, __ATOMIC_ACQUIRE)) <
               DB_CLIENTS &&
           !shared->lost)
        sys_word_wait(&shared->done, done);
    if (shared->lost)
        fail(shared->lost);
    if (shared->failed)
        fail("a transaction failed");
}

void clients_run(uint64_t n)
{
    run_batch(n);
}

void clients_idle(uint64_t n)
{
    (void)n;
    run_batch(0);
}

/* ---- The database -------------------------------------------------------- */

static void fill(void)
{
    int err = db_format(&shared->db, &config);

    memset(shared->tally, 0, sizeof(shared->tally));
    if (!err)
        err = load->fill(&shared->db);
    if (!err)
        err = db_checkpoint(&shared->db);
    if (err)
        fail("the database can't be filled");
}

const char *clients_init(const struct db_load *l)
{
    load = l;
    shared = sys_mmap_shared(sizeof(*shared));
    if (!shared)
        return "no memory for the database's cache";
    device_note_writes(shared->written);
    fill();
    if (problem)
        return problem;
    keeper = sys_fork();
    if (!keeper)
        keep_clients();
    return keeper < 0 ? "fork failed" : NULL;
}

void clients_reset(uint64_t n)
{
    int64_t used;

    if (problem || !load->pages_per_100 || db_begin(&shared->db, 0))
        return;
    used = db_used(&shared->db);
    db_end(&shared->db);
    if (used < 0 ||
        (uint64_t)used + n * load->pages_per_100 / 100 + DB_PUTS * 8 >
            shared->db.pages)
        fill();
}

/* What the load finds wrong; *digest is left alone then. */
static const char *check(uint64_t *digest)
{
    struct db_tally all = {0};

    for (unsigned i = 0; i < DB_CLIENTS; i++) {
        all.count += shared->tally[i].count;
        all.sum += shared->tally[i].sum;
    }
    return load->check(&shared->db, &all, digest);
}

uint64_t clients_checksum(void)
{
    uint64_t digest = 0;
    const char *wrong;

    clients_run(CHECKED);
    wrong = problem ? problem : check(&digest);
    if (wrong)
        fail(wrong);
    return digest;
}

const char *clients_verify(void)
{
    uint64_t before = 0, after = 1;
    const char *wrong = problem ? problem : check(&before);

    if (wrong)
        return wrong;
    /* The clients are idle. What is in memory only is lost; all that they did
     * was committed. */
    if (db_recover(&shared->db, &config))
        return "the database can't be recovered";
    wrong = check(&after);
    if (!wrong && before != after)
        wrong = "recovery changed the database";
    return wrong;
}

void clients_cleanup(void)
{
    int status;

    if (!shared)
        return;
    shared->leave = true;
    post_batch();
    /* Some may sleep for ever on a dead client's lock. */
    if (keeper > 0 && !shared->lost)
        sys_wait(&status);
    device_restore();
}
