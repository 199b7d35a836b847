/* Checked reads through the kernel's virtio-blk driver. */
#include "blkread.h"

static const char *problem;

static uint64_t expected(const struct blk_shape *s, uint64_t unit, uint64_t w)
{
    return tm_disk_word(unit * (s->bytes / BLK_BYTES) + w / 512, w % 512);
}

static void read_units(const struct blk_shape *s, const uint64_t *units,
                       unsigned n)
{
    if (!blkload_transfer(s, units, n, BLK_OP_READ))
        problem = "a block read failed";
}

static void check_ends(const struct blk_shape *s, const uint64_t *units,
                       unsigned n)
{
    uint64_t last = s->bytes / 8 - 1;

    for (unsigned i = 0; i < n; i++) {
        const uint64_t *got = blkload_buffer(i);

        if (got[0] != expected(s, units[i], 0) ||
            got[last] != expected(s, units[i], last))
            problem = "the disk does not hold what it was filled with";
    }
}

void blkread_run(const struct blk_shape *s, uint64_t n)
{
    uint64_t units[BLK_BATCH_MAX];
    unsigned count = 0;

    sys_blk_mode(s->eager ? BLK_EAGER : 0);
    for (uint64_t op = 0; op < n; op++) {
        units[count++] = blkload_unit(s, op);
        if (count < s->depth && op + 1 < n)
            continue;
        read_units(s, units, count);
        check_ends(s, units, count);
        count = 0;
    }
}

const char *blkread_verify(void)
{
    return problem;
}

static uint64_t digest(const struct blk_shape *s, uint64_t sum,
                       const uint64_t *units, unsigned n)
{
    /* A read that transfers nothing must not pass for one that did. */
    for (unsigned i = 0; i < n; i++)
        memset(blkload_buffer(i), 0, s->bytes);
    read_units(s, units, n);
    for (unsigned i = 0; i < n; i++) {
        const uint64_t *got = blkload_buffer(i);

        for (uint64_t w = 0; w < s->bytes / 8; w++) {
            if (got[w] != expected(s, units[i], w))
                problem = "the disk does not hold what it was filled with";
            sum = mix64(sum, got[w]);
        }
    }
    return sum;
}

uint64_t blkread_checksum(const struct blk_shape *s, uint64_t count,
                          uint64_t step)
{
    uint64_t units[BLK_BATCH_MAX], sum = 0;
    unsigned n = 0;

    sys_blk_mode(s->eager ? BLK_EAGER : 0);
    for (uint64_t i = 0; i < count; i++) {
        units[n++] = i * step % (s->region / s->bytes);
        if (n < s->depth && i + 1 < count)
            continue;
        sum = digest(s, sum, units, n);
        n = 0;
    }
    return sum;
}
