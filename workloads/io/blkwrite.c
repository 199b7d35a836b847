/* Writes through the kernel's virtio-blk driver, read back at the end. */
#include "blkwrite.h"

#define UNITS (BLKWRITE_REGION / BLK_BYTES)

/* The number of the last write to each unit; 0: none. */
static uint64_t written[UNITS], writes;
static const struct blk_shape *shape; /* of the writes so far */
static const char *problem;

static bool write_original(const struct blk_shape *s, uint64_t unit)
{
    uint64_t *to = blkload_buffer(0);

    for (uint64_t w = 0; w < s->bytes / 8; w++)
        to[w] = tm_disk_word(unit * (s->bytes / BLK_BYTES) + w / 512, w % 512);
    return blkload_transfer(s, &unit, 1, BLK_OP_WRITE);
}

const char *blkwrite_refuse(void)
{
    static const struct blk_shape block = {.bytes = BLK_BYTES, .depth = 1};
    const char *why = user_blk_refuse();

    if (why)
        return why;
    /* What it holds anyway. */
    return write_original(&block, 0) ? NULL : "the disk can't be written to";
}

/* Every buffer holds what block 0 does, again and again. A write is told by its
 * first and last word, so that filling the buffer is no part of the work. */
static void begin(const struct blk_shape *s)
{
    sys_blk_mode(s->eager ? BLK_EAGER : 0);
    if (shape)
        return;
    shape = s;
    for (unsigned i = 0; i < s->depth; i++)
        for (uint64_t w = 0; w < s->bytes / 8; w++)
            blkload_buffer(i)[w] = tm_disk_word(0, w % 512);
}

static void write_units(const struct blk_shape *s, const uint64_t *units,
                        unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t *b = blkload_buffer(i);

        written[units[i]] = ++writes;
        b[0] = b[s->bytes / 8 - 1] = mix64(units[i], writes);
    }
    if (!blkload_transfer(s, units, n, BLK_OP_WRITE))
        problem = "a block write failed";
    if (s->flush && sys_blk_flush())
        problem = "a flush failed";
}

static bool contains(const uint64_t *units, unsigned n, uint64_t unit)
{
    while (n)
        if (units[--n] == unit)
            return true;
    return false;
}

void blkwrite_run(const struct blk_shape *s, uint64_t n)
{
    uint64_t units[BLK_BATCH_MAX];
    unsigned count = 0;

    begin(s);
    for (uint64_t op = 0; op < n; op++) {
        uint64_t unit = blkload_unit(s, op);

        /* Two writes of a unit in flight together have no order. */
        if (count == s->depth || contains(units, count, unit)) {
            write_units(s, units, count);
            count = 0;
        }
        units[count++] = unit;
    }
    write_units(s, units, count);
}

/* Into buffer 0, which afterwards is again what a write begins with. */
static uint64_t read_back(const struct blk_shape *s, uint64_t unit, bool fold,
                          uint64_t sum)
{
    uint64_t *b = blkload_buffer(0), ends = mix64(unit, written[unit]);
    uint64_t last = s->bytes / 8 - 1;

    memset(b, 0, s->bytes);
    if (!blkload_transfer(s, &unit, 1, BLK_OP_READ))
        problem = "a block read failed";
    else if (b[0] != ends || b[last] != ends)
        problem = "a block does not hold what was written last";
    for (uint64_t w = 0; w <= last; w++) {
        uint64_t wanted = w && w != last ? tm_disk_word(0, w % 512) : ends;

        if (b[w] != wanted && !problem)
            problem = "a block does not hold what was written last";
        if (fold)
            sum = mix64(sum, b[w]);
        b[w] = wanted;
    }
    return sum;
}

const char *blkwrite_verify(void)
{
    for (uint64_t u = 0; u < UNITS && !problem; u++)
        if (written[u])
            read_back(shape, u, false, 0);
    return problem;
}

void blkwrite_cleanup(void)
{
    for (uint64_t u = 0; u < UNITS; u++)
        if (written[u])
            write_original(shape, u);
    sys_blk_flush();
}

uint64_t blkwrite_checksum(const struct blk_shape *s, uint64_t count,
                           uint64_t step)
{
    uint64_t units[BLK_BATCH_MAX], sum = 0, all = s->region / s->bytes;
    unsigned n = 0;

    begin(s);
    for (uint64_t i = 0; i < count; i++) {
        units[n++] = i * step % all;
        if (n < s->depth && i + 1 < count)
            continue;
        write_units(s, units, n);
        n = 0;
    }
    for (uint64_t i = 0; i < count && !problem; i++)
        sum = read_back(s, i * step % all, true, sum);
    return sum;
}
