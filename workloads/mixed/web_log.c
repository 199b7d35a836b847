/* A log that many processes append to without a lock. */
#include "web_log.h"
#include "../../guest/lib/lib.h"
#include "../../guest/user/user.h"

#define BLOCK 4096u
#define RING 16u /* blocks in memory */
/* On the disk: its last MiB of those that abi.h knows, again and again. */
#define DISK_BLOCKS 256u
#define DISK_START (TM_DISK_MIN - DISK_BLOCKS * BLOCK)

static struct web_log {
    uint64_t reserved; /* bytes; each line's place is its own */
    uint64_t lines;
    uint64_t written; /* blocks */
    uint32_t failed;
    uint32_t filled[RING]; /* bytes that are in place */
    char text[RING * BLOCK];
} * log;

bool web_log_init(void)
{
    log = sys_mmap_shared(sizeof(*log));
    return log;
}

static void write_block(uint64_t block)
{
    uint64_t at = DISK_START + block % DISK_BLOCKS * BLOCK;
    uint32_t slot = block % RING;

    if (sys_blk_write(at, log->text + slot * BLOCK, BLOCK) != BLOCK)
        __atomic_fetch_add(&log->failed, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&log->filled[slot], 0, __ATOMIC_RELEASE);
    __atomic_fetch_add(&log->written, 1, __ATOMIC_RELEASE);
}

/* Bytes that lie in one block. */
static void put(uint64_t at, const char *text, size_t len)
{
    uint64_t block = at / BLOCK;
    uint32_t slot = block % RING;

    /* Somebody who has his place in an older block must first fill it. */
    while (__atomic_load_n(&log->written, __ATOMIC_ACQUIRE) + RING <= block)
        sys_yield();
    memcpy(log->text + at % (RING * BLOCK), text, len);
    if (__atomic_add_fetch(&log->filled[slot], (uint32_t)len,
                           __ATOMIC_ACQ_REL) == BLOCK)
        write_block(block);
}

void web_log_add(const char *line, size_t len)
{
    uint64_t at = __atomic_fetch_add(&log->reserved, len, __ATOMIC_RELAXED);
    size_t first = BLOCK - at % BLOCK;

    first = first < len ? first : len;
    put(at, line, first);
    if (first < len)
        put(at + first, line + first, len - first);
    __atomic_fetch_add(&log->lines, 1, __ATOMIC_RELAXED);
}

uint64_t web_log_lines(void)
{
    return __atomic_load_n(&log->lines, __ATOMIC_RELAXED);
}

bool web_log_sound(void)
{
    return !log->failed && log->written == log->reserved / BLOCK;
}

void web_log_cleanup(void)
{
    static uint64_t original[BLOCK / 8];

    for (uint64_t b = 0; log && b < log->written && b < DISK_BLOCKS; b++) {
        uint64_t at = DISK_START + b * BLOCK;

        for (uint32_t w = 0; w < BLOCK / 8; w++)
            original[w] = tm_disk_word(at / BLOCK, w);
        sys_blk_write(at, original, BLOCK);
    }
}
