/* Virtqueues and virtio-blk: random chain shapes, and drivers that lie. */
#include "board_fixture.h"

#include "backends/devices/lapic.h"
#include "backends/devices/disk.h"
#include "backends/devices/virtio.h"
#include "guest/abi/abi.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NUM   16u
#define DESC  0x10000u
#define AVAIL 0x11000u
#define USED  0x12000u
#define DATA  0x100000u
#define VECTOR 0x65

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};
#define NEXT  1
#define WRITE 2

static const struct device_class *const table[] = {
    &device_lapic, &device_ioapic, &device_virtio, NULL};

static uint64_t rng_state;

static uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state;
}

static struct desc *desc_table(struct fixture *f)
{
    return (struct desc *)(f->ram.host + DESC);
}

static uint16_t *avail_ring(struct fixture *f)
{
    return (uint16_t *)(f->ram.host + AVAIL);
}

static uint16_t *used_ring(struct fixture *f)
{
    return (uint16_t *)(f->ram.host + USED);
}

static uint32_t reg(struct fixture *f, unsigned r)
{
    return mmio_r(f, TM_VIRTIO_GPA + r);
}

static void set(struct fixture *f, unsigned r, uint32_t v)
{
    mmio_w(f, TM_VIRTIO_GPA + r, v);
}

static void make_available(struct fixture *f, uint16_t head)
{
    uint16_t *a = avail_ring(f);

    a[2 + a[1] % NUM] = head;
    a[1]++;
}

#define INDIRECT  (1ull << 28)
#define EVENT_IDX (1ull << 29)
#define IN_ORDER  (1ull << 35)

/* What a driver does before its first request. */
static void start_with(struct fixture *f, uint64_t features)
{
    memset(f->ram.host + DESC, 0, 0x3000);
    set(f, 0x70, 0);
    set(f, 0x70, 1);
    set(f, 0x70, 3);
    set(f, 0x24, 1);
    set(f, 0x20, 1 | features >> 32); /* VERSION_1 */
    set(f, 0x24, 0);
    set(f, 0x20, features);
    set(f, 0x70, 11);
    assert_int_equal(reg(f, 0x70), 11);
    set(f, 0x30, 0);
    assert_int_equal(reg(f, 0x34), VIRTQ_MAX);
    set(f, 0x38, NUM);
    set(f, 0x80, DESC);
    set(f, 0x90, AVAIL);
    set(f, 0xa0, USED);
    set(f, 0x44, 1);
    assert_int_equal(reg(f, 0x44), 1);
    set(f, 0x70, 15);
}

static void start(struct fixture *f)
{
    start_with(f, 0);
}

static int setup(void **state)
{
    static struct fixture f;

    rng_state = 0x746d;
    fixture_open(&f, table);
    mmio_w(&f, TM_LAPIC_GPA + LAPIC_SVR * 16, 0x1ff);
    mmio_w(&f, TM_IOAPIC_GPA, 0x10 + 2 * TM_VIRTIO_IRQ);
    mmio_w(&f, TM_IOAPIC_GPA + 0x10, VECTOR);
    start(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture_close(*state);
    return 0;
}

/* ---- The transport ---------------------------------------------------------- */

static void test_slots(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < TM_VIRTIO_SLOTS; i++) {
        unsigned at = i * TM_VIRTIO_STEP;

        assert_int_equal(reg(f, at), 0x74726976);
        assert_int_equal(reg(f, at + 4), 2);
        assert_int_equal(reg(f, at + 8), i == 0 ? 2 : i == 1 ? 1 : 0);
    }
    set(f, TM_VIRTIO_BENCH_SLOT * TM_VIRTIO_STEP + 0x70, 0xff);
    assert_int_equal(reg(f, TM_VIRTIO_BENCH_SLOT * TM_VIRTIO_STEP + 0x70), 0);
}

static void test_configuration(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(reg(f, 0x100), TM_DISK_MIN / 512); /* capacity */
    assert_int_equal(reg(f, 0x104), 0);
    assert_int_equal(reg(f, 0x114), 512);
    assert_int_equal(board_mmio_read(&f->board, TM_VIRTIO_GPA + 0x101, 1),
                     TM_DISK_MIN / 512 >> 8);
    assert_int_equal(board_mmio_read(&f->board, TM_VIRTIO_GPA + 0x1fc, 8), 0);
    assert_int_equal(reg(f, 0xfc), 0);
    assert_int_equal(reg(f, 0xb0), 0xffffffff);
    set(f, 0x14, 1);
    assert_int_equal(reg(f, 0x10), 1 | 8); /* VERSION_1, IN_ORDER */
    set(f, 0x14, 0);
    /* EVENT_IDX, INDIRECT; FLUSH, BLK_SIZE, SEG_MAX */
    assert_int_equal(reg(f, 0x10), 3u << 28 | 0x244);
    set(f, 0x14, 2);
    assert_int_equal(reg(f, 0x10), 0);
}

static void test_features_refused(void **state)
{
    struct fixture *f = *state;

    set(f, 0x70, 0);
    assert_int_equal(reg(f, 0x70), 0);
    set(f, 0x70, 3);
    set(f, 0x70, 11); /* without VERSION_1 */
    assert_int_equal(reg(f, 0x70), 3);
    set(f, 0x24, 1);
    set(f, 0x20, 1);
    set(f, 0x24, 0);
    set(f, 0x20, 1u << 24); /* not offered */
    set(f, 0x70, 11);
    assert_int_equal(reg(f, 0x70), 3);
    set(f, 0x20, 1u << 9);
    set(f, 0x70, 11);
    assert_int_equal(reg(f, 0x70), 11);
}

static void test_bad_rings(void **state)
{
    static const struct {
        uint32_t num, desc, avail, used;
    } rows[] = {
        {0, DESC, AVAIL, USED},
        {3, DESC, AVAIL, USED},
        {512, DESC, AVAIL, USED},
        {NUM, DESC + 8, AVAIL, USED},
        {NUM, DESC, AVAIL + 1, USED},
        {NUM, DESC, AVAIL, USED + 2},
        {NUM, FIXTURE_RAM - 16, AVAIL, USED},
        {NUM, DESC, FIXTURE_RAM - 2, USED},
        {NUM, DESC, FIXTURE_RAM - 4 - 2 * NUM, USED}, /* used_event */
        {NUM, DESC, AVAIL, 0xfffffffc},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        start(f);
        set(f, 0x44, 0);
        set(f, 0x38, rows[i].num);
        set(f, 0x80, rows[i].desc);
        set(f, 0x90, rows[i].avail);
        set(f, 0xa0, rows[i].used);
        set(f, 0x44, 1);
        assert_int_equal(reg(f, 0x44), 0);
        assert_int_equal(reg(f, 0x70), 15 | 0x40);
        set(f, 0x50, 0); /* and nothing happens any more */
        assert_int_equal(used_ring(f)[1], 0);
    }
    start(f);
    assert_int_equal(reg(f, 0x70), 15);
}

/* ---- Requests ------------------------------------------------------------- */

/* One request in the shape that the lengths say: header, data and status are cut
 * anywhere. Returns the status byte. */
static uint8_t request(struct fixture *f, uint32_t type, uint64_t sector,
                       uint8_t *data, uint32_t len, uint32_t *used_len)
{
    const bool to_guest = type != 1;
    uint8_t head[16] = {0};
    uint32_t out_len = 16 + (to_guest ? 0 : len);
    uint32_t in_len = 1 + (to_guest ? len : 0);
    uint32_t left[2] = {out_len, in_len}, at = DATA;
    unsigned parts[2], n = 0;
    uint16_t order[NUM], before = used_ring(f)[1];
    uint32_t out_base = DATA, in_base;
    uint8_t status;

    /* Descriptors in random order. */
    for (unsigned i = 0; i < NUM; i++)
        order[i] = i;
    for (unsigned i = NUM - 1; i; i--) {
        unsigned j = rng() % (i + 1);
        uint16_t t = order[i];

        order[i] = order[j];
        order[j] = t;
    }
    parts[0] = 1 + rng() % (NUM / 2);
    parts[1] = 1 + rng() % (NUM / 2);
    in_base = DATA + out_len;
    for (int side = 0; side < 2; side++) {
        for (unsigned i = 0; i < parts[side]; i++) {
            uint32_t part = i + 1 == parts[side]
                                ? left[side]
                                : rng() % (left[side] + 1); /* also 0 */
            struct desc *d = &desc_table(f)[order[n]];
            bool last = side && i + 1 == parts[side];

            d->addr = at;
            d->len = part;
            d->flags = (side ? WRITE : 0) | (last ? 0 : NEXT);
            d->next = last ? 0xffff : order[n + 1];
            at += part;
            left[side] -= part;
            n++;
        }
    }
    memcpy(head, &type, 4);
    memcpy(head + 8, &sector, 8);
    memcpy(f->ram.host + out_base, head, 16);
    if (!to_guest)
        memcpy(f->ram.host + out_base + 16, data, len);
    memset(f->ram.host + in_base, 0xee, in_len + 16);

    make_available(f, order[0]);
    set(f, 0x50, 0);
    assert_int_equal((uint16_t)(used_ring(f)[1] - before), 1);
    assert_int_equal(*(uint32_t *)(used_ring(f) + 2 + 4 * (before % NUM)),
                     order[0]);
    *used_len = *(uint32_t *)(used_ring(f) + 4 + 4 * (before % NUM));
    for (int i = 0; i < 16; i++) /* nothing behind the chain was touched */
        assert_int_equal(f->ram.host[in_base + in_len + i], 0xee);
    status = f->ram.host[in_base + in_len - 1];
    if (to_guest)
        memcpy(data, f->ram.host + in_base, len);
    return status;
}

static void random_requests(struct fixture *f)
{
    static uint8_t model[TM_DISK_MIN], buf[64 * 512];

    for (uint64_t i = 0; i < TM_DISK_MIN / 8; i++)
        ((uint64_t *)model)[i] = tm_disk_word(i / 512, i % 512);
    for (int i = 0; i < 3000; i++) {
        uint32_t sectors = 1 + rng() % 64, len = sectors * 512, used_len;
        uint64_t sector = rng() % (TM_DISK_MIN / 512 - sectors + 1);

        if (rng() % 2) {
            assert_int_equal(request(f, 0, sector, buf, len, &used_len), 0);
            assert_int_equal(used_len, len + 1);
            assert_memory_equal(buf, model + sector * 512, len);
            continue;
        }
        for (uint32_t j = 0; j < len; j++)
            buf[j] = rng();
        assert_int_equal(request(f, 1, sector, buf, len, &used_len), 0);
        assert_int_equal(used_len, 1);
        memcpy(model + sector * 512, buf, len);
    }
    assert_int_equal(reg(f, 0x70), 15);
}

static void test_generated_disk(void **state)
{
    random_requests(*state);
}

static void test_file_disk(void **state)
{
    char path[] = "/tmp/trapmark-disk-XXXXXX";
    int fd = mkstemp(path);
    struct fixture *f = *state;
    char why[REASON_MAX] = "";
    uint64_t block[512];

    assert_true(fd >= 0);
    for (uint64_t b = 0; b < TM_DISK_MIN / 4096; b++) {
        for (uint64_t w = 0; w < 512; w++)
            block[w] = tm_disk_word(b, w);
        assert_int_equal(write(fd, block, 4096), 4096);
    }
    board_destroy(&f->board);
    f->board.disk = path;
    assert_int_equal(board_create(&f->board, table, true, why), 0);
    start(f);
    random_requests(f);
    unlink(path);
    close(fd);
}

/* A host error is an I/O error of that request, nothing more. */
static void test_file_shrinks(void **state)
{
    char path[] = "/tmp/trapmark-disk-XXXXXX";
    int fd = mkstemp(path);
    struct fixture *f = *state;
    char why[REASON_MAX] = "";
    uint8_t buf[512];
    uint32_t len;

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, TM_DISK_MIN - 512), 0);
    board_destroy(&f->board);
    f->board.disk = path;
    assert_true(board_create(&f->board, table, true, why) < 0);
    assert_non_null(strstr(why, "smaller than 16 MiB"));
    assert_int_equal(ftruncate(fd, TM_DISK_MIN), 0);
    assert_int_equal(board_create(&f->board, table, true, why), 0);
    start(f);
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_int_equal(request(f, 0, 100, buf, 512, &len), 1);
    assert_int_equal(request(f, 0, 0, buf, 512, &len), 0);
    unlink(path);
    close(fd);
}

static void test_bad_requests(void **state)
{
    struct fixture *f = *state;
    uint64_t last = TM_DISK_MIN / 512 - 1;
    uint8_t buf[4096];
    uint32_t len;

    assert_int_equal(request(f, 0, last, buf, 512, &len), 0);
    assert_int_equal(request(f, 0, last, buf, 1024, &len), 1);
    assert_int_equal(len, 1);
    assert_int_equal(request(f, 1, last + 1, buf, 512, &len), 1);
    assert_int_equal(request(f, 0, UINT64_MAX, buf, 512, &len), 1);
    assert_int_equal(request(f, 1, UINT64_MAX / 512, buf, 512, &len), 1);
    assert_int_equal(request(f, 0, 0, buf, 100, &len), 1);
    assert_int_equal(request(f, 4, 0, buf, 0, &len), 0);  /* flush */
    assert_int_equal(request(f, 99, 0, buf, 64, &len), 2); /* unsupported */
    assert_int_equal(request(f, 8, 0, buf, 20, &len), 0);
    assert_string_equal((char *)buf, "trapmark");
    assert_int_equal(reg(f, 0x70), 15);
}

static void test_interrupts(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[512];
    uint32_t len;

    request(f, 0, 0, buf, 512, &len);
    assert_int_equal(reg(f, 0x60), 1);
    assert_int_equal(fixture_ack(f), VECTOR);
    mmio_w(f, TM_LAPIC_GPA + LAPIC_EOI * 16, 0);
    request(f, 0, 0, buf, 512, &len); /* not acknowledged: no new edge */
    assert_int_equal(fixture_ack(f), -1);
    set(f, 0x64, 1);
    assert_int_equal(reg(f, 0x60), 0);
    request(f, 0, 0, buf, 512, &len);
    assert_int_equal(fixture_ack(f), VECTOR);
    mmio_w(f, TM_LAPIC_GPA + LAPIC_EOI * 16, 0);
    set(f, 0x64, 1);
    avail_ring(f)[0] = 1; /* the driver polls */
    request(f, 0, 0, buf, 512, &len);
    assert_int_equal(reg(f, 0x60), 0);
    assert_int_equal(fixture_ack(f), -1);
}

/* ---- Hostile descriptors -------------------------------------------------- */

/* A good read of one sector in three descriptors, then one thing is wrong. */
static void good_chain(struct fixture *f)
{
    struct desc *d = desc_table(f);

    start(f);
    memset(f->ram.host + DATA, 0, 16);
    d[0] = (struct desc){DATA, 16, NEXT, 1};
    d[1] = (struct desc){DATA + 0x1000, 512, NEXT | WRITE, 2};
    d[2] = (struct desc){DATA + 0x2000, 1, WRITE, 0};
}

static void assert_broken(struct fixture *f, const char *what)
{
    make_available(f, 0);
    set(f, 0x50, 0);
    if (reg(f, 0x70) != (15 | 0x40))
        fail_msg("%s: status %#x", what, reg(f, 0x70));
    assert_int_equal(used_ring(f)[1], 0);
    assert_int_equal(reg(f, 0x60), 2); /* configuration change */
}

static void test_hostile_chains(void **state)
{
    struct fixture *f = *state;
    struct desc *d = desc_table(f);

    good_chain(f);
    make_available(f, 0);
    f->written = 0;
    set(f, 0x50, 0);
    assert_int_equal(used_ring(f)[1], 1);
    /* Data, status and used ring: whoever caches RAM has been told. */
    assert_int_equal(f->written, 512 + 1 + 6 + 8 * NUM);
    assert_int_equal(f->written_last, USED);

    good_chain(f);
    d[2] = (struct desc){DATA + 0x2000, 1, WRITE | NEXT, 1};
    assert_broken(f, "loop");
    good_chain(f);
    d[0].next = 0;
    assert_broken(f, "loop to itself");
    good_chain(f);
    d[1].next = NUM;
    assert_broken(f, "next outside the table");
    good_chain(f);
    d[1].addr = FIXTURE_RAM - 100;
    assert_broken(f, "across the end of RAM");
    good_chain(f);
    d[1].addr = UINT64_MAX - 100;
    assert_broken(f, "wraps around");
    good_chain(f);
    d[1].addr = TM_LAPIC_GPA;
    assert_broken(f, "device memory");
    good_chain(f);
    d[1].len = UINT32_MAX;
    assert_broken(f, "4 GiB");
    good_chain(f);
    d[2].flags = 0;
    assert_broken(f, "readable behind writable");
    good_chain(f);
    d[0].flags |= 4;
    assert_broken(f, "indirect");
    good_chain(f);
    d[0].len = 15;
    assert_broken(f, "short header");
    good_chain(f);
    d[0].flags = 0;
    assert_broken(f, "no status");
    good_chain(f);
    avail_ring(f)[2] = NUM;
    avail_ring(f)[1] = 1;
    set(f, 0x50, 0);
    assert_int_equal(reg(f, 0x70), 15 | 0x40);
    good_chain(f);
    avail_ring(f)[1] = NUM; /* with the one that follows: one too many */
    assert_broken(f, "available index");
}

/* ---- What may be negotiated ------------------------------------------------ */

#define TABLE 0x180000u /* an indirect table: a good read of block 0 */

static struct desc *indirect_table(struct fixture *f)
{
    return (struct desc *)(f->ram.host + TABLE);
}

static void good_indirect(struct fixture *f)
{
    struct desc *t = indirect_table(f);

    start_with(f, INDIRECT);
    memset(f->ram.host + DATA, 0, 16);
    t[0] = (struct desc){DATA, 16, NEXT, 2};
    t[1] = (struct desc){DATA + 0x2000, 1, WRITE, 0};
    t[2] = (struct desc){DATA + 0x1000, 512, NEXT | WRITE, 1};
    desc_table(f)[0] = (struct desc){TABLE, 48, 4, 0};
}

static void test_indirect(void **state)
{
    struct fixture *f = *state;
    struct desc *t = indirect_table(f), *d = desc_table(f);
    uint64_t word = tm_disk_word(0, 0);

    good_indirect(f);
    make_available(f, 0);
    set(f, 0x50, 0);
    assert_int_equal(used_ring(f)[1], 1);
    assert_memory_equal(f->ram.host + DATA + 0x1000, &word, 8);
    assert_int_equal(f->ram.host[DATA + 0x2000], 0);

    good_indirect(f); /* the header in the queue, the rest in the table */
    d[0] = (struct desc){DATA, 16, NEXT, 7};
    d[7] = (struct desc){TABLE + 32, 16, 4, 0};
    t[2].flags = WRITE;
    t[2].len = 513;
    make_available(f, 0);
    set(f, 0x50, 0);
    assert_int_equal(used_ring(f)[1], 1);

    good_indirect(f);
    t[0] = (struct desc){TABLE, 48, 4, 0};
    assert_broken(f, "indirect in indirect");
    good_indirect(f);
    d[0].flags |= NEXT;
    assert_broken(f, "indirect that goes on");
    good_indirect(f);
    d[0].len = 0;
    assert_broken(f, "empty table");
    good_indirect(f);
    d[0].len = 40;
    assert_broken(f, "cut table");
    good_indirect(f);
    d[0].len = 0xfffffff0;
    assert_broken(f, "table of 4 GiB");
    good_indirect(f);
    d[0].addr = FIXTURE_RAM - 32;
    assert_broken(f, "table across the end of RAM");
    good_indirect(f);
    d[0].addr = TM_IOAPIC_GPA;
    assert_broken(f, "table in device memory");
    good_indirect(f);
    t[2].next = 3;
    assert_broken(f, "next outside the table");
    good_indirect(f);
    t[2].next = 2;
    assert_broken(f, "loop in the table");
    good_indirect(f);
    d[0].addr = DESC; /* itself: its first entry is indirect */
    assert_broken(f, "the queue's own table");
}

/* 32 reads of a sector, each one descriptor of the queue. */
static void post_reads(struct fixture *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        desc_table(f)[i] = (struct desc){TABLE, 48, 4, 0};
        make_available(f, i);
    }
}

static void test_in_order(void **state)
{
    struct fixture *f = *state;

    good_indirect(f);
    start_with(f, INDIRECT | IN_ORDER);
    post_reads(f, 5);
    set(f, 0x50, 0);
    /* One entry, where the first would be, that names the last. */
    assert_int_equal(used_ring(f)[1], 5);
    assert_int_equal(used_ring(f)[2], 4);
    assert_int_equal(used_ring(f)[6], 0);
    post_reads(f, 3);
    set(f, 0x50, 0);
    assert_int_equal(used_ring(f)[1], 8);
    assert_int_equal(used_ring(f)[2 + 4 * 5], 2);
    assert_int_equal(used_ring(f)[2 + 4 * 6], 0);
    /* Without it, an entry each. */
    start_with(f, INDIRECT);
    post_reads(f, 5);
    set(f, 0x50, 0);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(used_ring(f)[2 + 4 * i], i);
}

static bool interrupts_at(struct fixture *f, uint16_t used_event, unsigned n)
{
    bool yes;

    avail_ring(f)[2 + NUM] = used_event;
    post_reads(f, n);
    set(f, 0x50, 0);
    yes = reg(f, 0x60);
    set(f, 0x64, 3);
    return yes;
}

static void test_event_index(void **state)
{
    struct fixture *f = *state;

    good_indirect(f);
    start_with(f, INDIRECT | EVENT_IDX);
    assert_false(interrupts_at(f, 4, 4));
    assert_true(interrupts_at(f, 4, 1));
    assert_true(interrupts_at(f, 8, 4));
    assert_false(interrupts_at(f, 8, 1)); /* that one is past */
    assert_false(interrupts_at(f, 12, 1));
    assert_true(interrupts_at(f, 12, 8));
    avail_ring(f)[0] = 1; /* the flag means nothing now */
    assert_true(interrupts_at(f, 19, 1));
    /* The device asks to be told of the next request. */
    assert_int_equal(used_ring(f)[2 + 4 * NUM], used_ring(f)[1]);
    assert_int_equal(used_ring(f)[0], 0);
    for (unsigned i = 0; i < 5000; i++) /* around the index's end */
        assert_true(interrupts_at(f, used_ring(f)[1] + 13, 14));
    assert_int_equal(reg(f, 0x70), 15);
}

/* A driver that can't flush has a disk without a cache; one that can loses what
 * it didn't flush. */
static void test_volatile_cache(void **state)
{
    struct fixture *f = *state;
    uint8_t sector[DISK_SECTOR];
    struct disk d;
    char why[REASON_MAX];

    assert_int_equal(disk_open(&d, NULL, why), 0);
    assert_int_equal(disk_keep_unflushed(&d), 0);
    for (unsigned i = 0; i < 8; i++) {
        memset(sector, i, sizeof(sector));
        assert_int_equal(disk_write(&d, i * 512, sector, 512), 0);
    }
    assert_int_equal(disk_flush(&d), 0);
    for (unsigned round = 0; round < 3; round++) {
        memset(sector, 0x80 + round, sizeof(sector));
        for (unsigned i = 4; i < 8; i++)
            assert_int_equal(disk_write(&d, i * 512, sector, 512), 0);
    }
    disk_lose_power(&d, UINT64_MAX);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(d.memory[i * 512 + 511], i);
    /* By a seed: of each sector any of what it held since. */
    for (uint64_t seed = 0, seen = 0; seed < 200 || seen != 15; seed++) {
        assert_true(seed < 2000);
        for (unsigned round = 0; round < 3; round++) {
            memset(sector, 0x80 + round, sizeof(sector));
            assert_int_equal(disk_write(&d, 5 * 512, sector, 512), 0);
        }
        disk_lose_power(&d, seed);
        assert_true(d.memory[5 * 512] == 5 || d.memory[5 * 512] >> 2 == 0x20);
        seen |= 1u << (d.memory[5 * 512] == 5 ? 3 : d.memory[5 * 512] & 3);
        memset(sector, 5, sizeof(sector));
        assert_int_equal(disk_write(&d, 5 * 512, sector, 512), 0);
        assert_int_equal(disk_flush(&d), 0);
    }
    disk_close(&d);
    assert_int_equal(reg(f, 0x70), 15);
}

/* Good requests before the bad one are answered, those behind are not. */
static void test_broken_midway(void **state)
{
    struct fixture *f = *state;

    good_chain(f);
    desc_table(f)[5] = (struct desc){UINT64_MAX, 1, 0, 0};
    make_available(f, 0);
    make_available(f, 5);
    make_available(f, 0);
    set(f, 0x50, 0);
    assert_int_equal(used_ring(f)[1], 1);
    assert_int_equal(reg(f, 0x70), 15 | 0x40);
    assert_int_equal(reg(f, 0x60), 3);
    set(f, 0x70, 0x4f); /* the driver cannot clear or set the bit */
    set(f, 0x50, 0);
    assert_int_equal(used_ring(f)[1], 1);
    good_chain(f); /* a reset cures it */
    make_available(f, 0);
    set(f, 0x50, 0);
    assert_int_equal(used_ring(f)[1], 1);
    assert_int_equal(reg(f, 0x70), 15);
}

/* Rings full of noise: the device survives, and touches only RAM it was given. */
static void test_noise(void **state)
{
    struct fixture *f = *state;

    for (int round = 0; round < 20000; round++) {
        uint64_t *p = (uint64_t *)desc_table(f);
        uint64_t features = rng() & (INDIRECT | EVENT_IDX | IN_ORDER);

        start_with(f, features);
        for (unsigned i = 0; i < NUM * 2; i++)
            p[i] = rng();
        for (unsigned i = 0; i < NUM; i++) {
            struct desc *d = &desc_table(f)[i];

            if (rng() % 4)
                d->addr = DATA + rng() % 0x10000;
            if (rng() % 4)
                d->len = rng() % 2000;
            if (rng() % 4)
                d->flags &= features & INDIRECT ? 7 : 3;
            if (rng() % 4)
                d->next = rng() % NUM;
            avail_ring(f)[2 + i] = rng() % (NUM + 1);
        }
        avail_ring(f)[1] = rng() % (NUM + 2);
        set(f, 0x50, rng() % 4 ? 0 : rng());
        assert_true(used_ring(f)[1] <= NUM);
    }
    good_chain(f);
    make_available(f, 0);
    set(f, 0x50, 0);
    assert_int_equal(used_ring(f)[1], 1);
}

static void test_noise_registers(void **state)
{
    struct fixture *f = *state;
    static const unsigned sizes[] = {1, 2, 4, 8};

    for (int i = 0; i < 200000; i++) {
        gpa_t gpa = TM_VIRTIO_GPA + rng() % 0x220;
        unsigned size = sizes[rng() % 4];

        if (rng() % 2)
            gpa &= ~3ull;
        if (rng() % 2)
            board_mmio_read(&f->board, gpa, size);
        else
            board_mmio_write(&f->board, gpa, size,
                             rng() >> rng() % 64);
    }
    good_chain(f);
    make_available(f, 0);
    set(f, 0x50, 0);
    assert_int_equal(used_ring(f)[1], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_slots),           TEST(test_configuration),
        TEST(test_features_refused), TEST(test_bad_rings),
        TEST(test_generated_disk),  TEST(test_file_disk),
        TEST(test_file_shrinks),    TEST(test_bad_requests),
        TEST(test_interrupts),      TEST(test_hostile_chains),
        TEST(test_indirect),        TEST(test_in_order),
        TEST(test_event_index),     TEST(test_volatile_cache),
        TEST(test_broken_midway),   TEST(test_noise),
        TEST(test_noise_registers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
