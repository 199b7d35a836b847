/* The guest's database after its machine was stopped in the middle of
 * transfers: recovered and checked by the same sources, on the host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backends/machine/machine.h"
#include "guest/abi/abi.h"
#include "workloads/mixed/db/db.h"
#include "workloads/mixed/db/device.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIVES 10 /* that came as far as transfers */

/* ---- A guest that dies --------------------------------------------------- */

struct life {
    struct machine *machine;
    unsigned ms; /* from the start of the benchmark to its end */
    pthread_t killer;
    bool started;
};

static void *kill_it(void *opaque)
{
    struct life *l = opaque;

    usleep(l->ms * 1000);
    machine_stop(l->machine);
    return NULL;
}

static void start_killer(void *opaque, const char *text, size_t len)
{
    struct life *l = opaque;

    (void)len;
    if (!l->started && strstr(text, "\"tm\":\"start\"")) {
        l->started = true;
        assert_int_equal(pthread_create(&l->killer, NULL, kill_it, l), 0);
    }
}

static void live(const char *disk, unsigned ms)
{
    struct life l = {.ms = ms};
    char why[REASON_MAX] = "";
    const struct machine_config c = {
        .backend = backend_find("interp"),
        .kernel = GUEST_DIR "/kernel.elf",
        .initrd = GUEST_DIR "/initrd.cpio",
        .cmdline = "bench=db-tpcb samples=1 iters=10000000",
        .disk = disk,
        .tsc_khz = 1000000,
        .line = start_killer,
        .opaque = &l,
    };
    struct machine_result end;

    l.machine = machine_create(&c, why);
    if (!l.machine)
        fail_msg("%s", why);
    machine_run(l.machine, &end);
    assert_true(l.started);
    pthread_join(l.killer, NULL);
    machine_destroy(l.machine);
    if (end.end != END_STOPPED)
        fail_msg("the guest ended by itself: %s", end.why);
}

/* ---- What it left -------------------------------------------------------- */

static int file_read(void *context, uint64_t offset, void *to, uint64_t len)
{
    return pread(*(int *)context, to, len, DB_REGION_OFFSET + offset) ==
                   (ssize_t)len
               ? 0
               : -DB_EIO;
}

static int file_write(void *context, const struct db_extent *e, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (pwrite(*(int *)context, e[i].from, e[i].len,
                   DB_REGION_OFFSET + e[i].offset) != (ssize_t)e[i].len)
            return -DB_EIO;
    return 0;
}

static int file_flush(void *context)
{
    (void)context;
    return 0;
}

static void no_lock(uint32_t *word)
{
    (void)word;
}

static void no_wait(uint32_t *word, uint32_t value)
{
    (void)word;
    (void)value;
    fail_msg("nobody is there to wait for");
}

static const struct db_sync alone = {no_lock, no_lock, no_wait, no_lock, NULL};

/* By table: branches, tellers, accounts, lines of history. */
struct books {
    uint64_t rows[5], sum[5], amounts;
};

static const char *add_row(void *opaque, uint64_t key, const struct db_value *v)
{
    struct books *b = opaque;
    uint64_t table = key >> 32;

    if (table < 1 || table > 4)
        return "a record of no table";
    b->rows[table]++;
    b->sum[table] += v->w[0];
    b->amounts += table == 4 ? v->w[2] : 0;
    return NULL;
}

/* A transfer changed three balances, or none. Lines of history: 0 also where
 * the guest had not come so far. */
static uint64_t check_books(int fd)
{
    const struct db_device device = {file_read, file_write, file_flush, &fd,
                                     DB_REGION_BYTES};
    const struct db_config c = {&device, &alone, 0, DB_FRAMES};
    struct db *db = aligned_alloc(4096, sizeof(*db));
    struct books b = {{0}, {0}, 0};
    const char *wrong = NULL;
    int err;

    assert_non_null(db);
    err = db_recover(db, &c);
    if (!err)
        wrong = db_check(db, add_row, &b);
    else if (err != -DB_ECORRUPT) /* there is none yet */
        fail_msg("recovery: %d", err);
    if (wrong)
        fail_msg("%s", wrong);
    assert_true(b.sum[1] == b.sum[2] && b.sum[2] == b.sum[3]);
    if (b.rows[4] < 1024) /* no line was used again */
        assert_true(b.amounts == b.sum[1]);
    free(db);
    return b.rows[4];
}

static void test_stopped_guest(void **state)
{
    char path[] = "/tmp/trapmark-db-XXXXXX";
    int fd = mkstemp(path);
    unsigned ms = 60, told = 0;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, TM_DISK_MIN), 0);
    for (unsigned i = 0; told < LIVES; i++) {
        assert_true(ms < 60000);
        live(path, ms + i * 17 % 100);
        if (check_books(fd))
            told++;
        else
            ms *= 2;
    }
    unlink(path);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stopped_guest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
