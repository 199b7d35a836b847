/* The workloads' database on a disk that can lose its power. */
#ifndef TM_DB_FIXTURE_H
#define TM_DB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backends/devices/disk.h"
#include "workloads/mixed/db/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LOG_PAGES 64u
#define FRAMES 48u
#define STORE (4u << 20)

/* ---- The device ---------------------------------------------------------- */

struct power {
    pthread_mutex_t mutex; /* the log is written while others read */
    struct disk disk;
    uint64_t left; /* writes and flushes until it fails */
    uint64_t used;
};

static inline bool power_fails(struct power *p)
{
    p->used++;
    if (!p->left)
        return true;
    p->left--;
    return false;
}

static inline int power_read(void *context, uint64_t offset, void *to,
                             uint64_t len)
{
    struct power *p = context;
    int err;

    assert_true(offset % DB_SECTOR == 0 && len % DB_SECTOR == 0);
    assert_true(offset + len <= STORE);
    pthread_mutex_lock(&p->mutex);
    err = p->left ? disk_read(&p->disk, offset, to, len) : -DB_EIO;
    pthread_mutex_unlock(&p->mutex);
    return err;
}

/* A cut within a write: some of it may be there; see disk_lose_power. */
static inline int power_write_one(struct power *p, const struct db_extent *e)
{
    assert_true(e->offset % DB_SECTOR == 0 && e->len % DB_SECTOR == 0);
    assert_true(e->offset + e->len <= STORE);
    if (!p->left)
        return -DB_EIO;
    assert_int_equal(disk_write(&p->disk, e->offset, e->from, e->len), 0);
    return power_fails(p) ? -DB_EIO : 0;
}

static inline int power_write(void *context, const struct db_extent *e,
                              unsigned n)
{
    struct power *p = context;
    int err = 0;

    assert_true(n > 0 && n <= DB_EXTENTS);
    pthread_mutex_lock(&p->mutex);
    for (unsigned i = 0; i < n && !err; i++)
        err = power_write_one(p, &e[i]);
    pthread_mutex_unlock(&p->mutex);
    return err;
}

static inline int power_flush(void *context)
{
    struct power *p = context;
    int err;

    pthread_mutex_lock(&p->mutex);
    err = power_fails(p) ? -DB_EIO : disk_flush(&p->disk);
    pthread_mutex_unlock(&p->mutex);
    return err;
}

static inline void power_on(struct power *p)
{
    char why[REASON_MAX];

    memset(p, 0, sizeof(*p));
    pthread_mutex_init(&p->mutex, NULL);
    assert_int_equal(disk_open(&p->disk, NULL, why), 0);
    assert_int_equal(disk_keep_unflushed(&p->disk), 0);
    p->left = UINT64_MAX;
}

/* ---- One process that never waits ---------------------------------------- */

static inline void one_lock(uint32_t *word)
{
    assert_int_equal(*word, 0);
    *word = 1;
}

static inline void one_unlock(uint32_t *word)
{
    assert_int_equal(*word, 1);
    *word = 0;
}

static inline void one_wait(uint32_t *word, uint32_t value)
{
    if (*word == value)
        fail_msg("waits for itself");
}

static inline void one_wake(uint32_t *word)
{
    (void)word;
}

static const struct db_sync alone = {
    .lock = one_lock, .unlock = one_unlock, .wait = one_wait, .wake = one_wake};

struct store {
    struct power power;
    struct db_device device;
    struct db_config config;
    struct db *db;
};

static inline void store_open(struct store *s)
{
    power_on(&s->power);
    s->device = (struct db_device){power_read, power_write, power_flush,
                                   &s->power, STORE};
    s->config = (struct db_config){&s->device, &alone, LOG_PAGES, FRAMES};
    s->db = aligned_alloc(4096, sizeof(*s->db));
    assert_non_null(s->db);
    assert_int_equal(db_format(s->db, &s->config), 0);
}

static inline void store_close(struct store *s)
{
    disk_close(&s->power.disk);
    free(s->db);
}

/* What is in memory is gone; of what wasn't flushed, whatever `seed` says. */
static inline void store_crash(struct store *s, uint64_t seed)
{
    disk_lose_power(&s->power.disk, seed);
    s->power.left = UINT64_MAX;
    memset(s->db, 0xa5, sizeof(*s->db));
}

#endif
