/* The database's disk by virtio-blk, and locks that sleep. */
#include "device.h"
#include "../../../guest/user/user.h"

#define PAGES (DB_REGION_BYTES / DB_PAGE)

static uint8_t *noted;

void device_note_writes(uint8_t *written)
{
    noted = written;
}

static int device_read(void *context, uint64_t offset, void *to, uint64_t len)
{
    (void)context;
    return sys_blk_read(DB_REGION_OFFSET + offset, to, len) == (int64_t)len
               ? 0
               : -DB_EIO;
}

static int send(struct user_blk *requests, unsigned *n)
{
    int err = sys_blk_batch(requests, *n);

    *n = 0;
    return err ? -DB_EIO : 0;
}

static int device_write(void *context, const struct db_extent *e, unsigned n)
{
    struct user_blk r[BLK_BATCH_MAX];
    unsigned count = 0;
    int err = 0;

    (void)context;
    for (unsigned i = 0; i < n; i++) {
        for (uint64_t done = 0; done < e[i].len && !err;) {
            uint64_t left = e[i].len - done, at = e[i].offset + done;
            uint32_t part = left < BLK_LEN_MAX ? (uint32_t)left : BLK_LEN_MAX;

            for (uint64_t p = at / DB_PAGE; p * DB_PAGE < at + part; p++)
                noted[p] = 1;
            r[count++] = (struct user_blk){DB_REGION_OFFSET + at,
                                           (uint64_t)e[i].from + done, part,
                                           BLK_OP_WRITE};
            done += part;
            if (count == BLK_BATCH_MAX)
                err = send(r, &count);
        }
    }
    return err || !count ? err : send(r, &count);
}

static int device_flush(void *context)
{
    (void)context;
    return sys_blk_flush() ? -DB_EIO : 0;
}

const struct db_device guest_device = {
    .read = device_read,
    .write = device_write,
    .flush = device_flush,
    .size = DB_REGION_BYTES,
};

void device_restore(void)
{
    static uint64_t words[BLK_LEN_MAX / 8];
    const uint64_t many = BLK_LEN_MAX / DB_PAGE;

    for (uint64_t p = 0; noted && p < PAGES;) {
        uint64_t n = 0;

        for (; n < many && p + n < PAGES && noted[p + n]; n++)
            for (uint64_t w = 0; w < DB_PAGE / 8; w++)
                words[n * (DB_PAGE / 8) + w] =
                    tm_disk_word(DB_REGION_OFFSET / DB_PAGE + p + n, w);
        if (n)
            sys_blk_write(DB_REGION_OFFSET + p * DB_PAGE, words, n * DB_PAGE);
        p += n ? n : 1;
    }
    sys_blk_flush();
}

/* ---- Locks --------------------------------------------------------------- */

enum { FREE, TAKEN, CONTENDED };

static void device_lock(uint32_t *word)
{
    uint32_t expected = FREE;

    if (__atomic_compare_exchange_n(word, &expected, TAKEN, false,
                                    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(word, CONTENDED, __ATOMIC_ACQUIRE) != FREE)
        sys_word_wait(word, CONTENDED);
}

static void device_unlock(uint32_t *word)
{
    if (__atomic_exchange_n(word, FREE, __ATOMIC_RELEASE) == CONTENDED)
        sys_word_wake(word);
}

const struct db_sync guest_sync = {
    .lock = device_lock,
    .unlock = device_unlock,
    .wait = sys_word_wait,
    .wake = sys_word_wake,
    .yield = sys_yield,
};
