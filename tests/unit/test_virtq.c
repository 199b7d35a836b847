/* Virtqueues: what may be negotiated, and drivers that lie. */
#include "virtio_fixture.h"

#include "backends/devices/disk.h"

static int setup(void **state)
{
    return virtio_setup(state, 0, 1);
}

/* ---- The transport ------------------------------------------------------- */

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
        {0, DESC(0), AVAIL(0), USED(0)},
        {3, DESC(0), AVAIL(0), USED(0)},
        {512, DESC(0), AVAIL(0), USED(0)},
        {NUM, DESC(0) + 8, AVAIL(0), USED(0)},
        {NUM, DESC(0), AVAIL(0) + 1, USED(0)},
        {NUM, DESC(0), AVAIL(0), USED(0) + 2},
        {NUM, FIXTURE_RAM - 16, AVAIL(0), USED(0)},
        {NUM, DESC(0), FIXTURE_RAM - 2, USED(0)},
        {NUM, DESC(0), FIXTURE_RAM - 4 - 2 * NUM, USED(0)}, /* used_event */
        {NUM, DESC(0), AVAIL(0), 0xfffffffc},
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
        assert_int_equal(reg(f, 0x70), 15 | NEEDS_RESET);
        notify(f, 0); /* and nothing happens any more */
        assert_int_equal(used(f, 0)[1], 0);
    }
    start(f);
    assert_int_equal(reg(f, 0x70), 15);
}

/* ---- Hostile descriptors ------------------------------------------------- */

/* The parts of a request to read one sector. */
#define HEAD DATA(0)
#define BODY (HEAD + 0x1000)
#define STATUS (HEAD + 0x2000)

/* A good read of one sector in three descriptors, then one thing is wrong. */
static void good_chain(struct fixture *f)
{
    struct desc *d = desc(f, 0);

    start(f);
    memset(f->ram.host + HEAD, 0, 16);
    d[0] = (struct desc){HEAD, 16, NEXT, 1};
    d[1] = (struct desc){BODY, 512, NEXT | WRITE, 2};
    d[2] = (struct desc){STATUS, 1, WRITE, 0};
}

static void assert_broken(struct fixture *f, const char *what)
{
    make_available(f, 0, 0);
    notify(f, 0);
    if (reg(f, 0x70) != (15 | NEEDS_RESET))
        fail_msg("%s: status %#x", what, reg(f, 0x70));
    assert_int_equal(used(f, 0)[1], 0);
    assert_int_equal(reg(f, 0x60), 2); /* configuration change */
}

static void test_hostile_chains(void **state)
{
    static const struct {
        const char *what;
        unsigned at; /* in the good chain, this one becomes: */
        struct desc d;
    } rows[] = {
        {"loop", 2, {STATUS, 1, WRITE | NEXT, 1}},
        {"loop to itself", 0, {HEAD, 16, NEXT, 0}},
        {"next outside the table", 1, {BODY, 512, NEXT | WRITE, NUM}},
        {"across the end of RAM", 1, {FIXTURE_RAM - 100, 512, NEXT | WRITE, 2}},
        {"wraps around", 1, {UINT64_MAX - 100, 512, NEXT | WRITE, 2}},
        {"device memory", 1, {TM_LAPIC_GPA, 512, NEXT | WRITE, 2}},
        {"4 GiB", 1, {BODY, UINT32_MAX, NEXT | WRITE, 2}},
        {"readable behind writable", 2, {STATUS, 1, 0, 0}},
        {"indirect", 0, {HEAD, 16, NEXT | TABLE, 1}},
        {"short header", 0, {HEAD, 15, NEXT, 1}},
        {"no status", 0, {HEAD, 16, 0, 1}},
    };
    struct fixture *f = *state;

    good_chain(f);
    make_available(f, 0, 0);
    f->written = 0;
    notify(f, 0);
    assert_int_equal(used(f, 0)[1], 1);
    /* Data, status and used ring: whoever caches RAM has been told. */
    assert_int_equal(f->written, 512 + 1 + 6 + 8 * NUM);
    assert_int_equal(f->written_last, USED(0));

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        good_chain(f);
        desc(f, 0)[rows[i].at] = rows[i].d;
        assert_broken(f, rows[i].what);
    }
    good_chain(f);
    avail(f, 0)[2] = NUM;
    avail(f, 0)[1] = 1;
    notify(f, 0);
    assert_int_equal(reg(f, 0x70), 15 | NEEDS_RESET);
    good_chain(f);
    avail(f, 0)[1] = NUM; /* with the one that follows: one too many */
    assert_broken(f, "available index");
}

/* Good requests before the bad one are answered, those behind are not. */
static void test_broken_midway(void **state)
{
    struct fixture *f = *state;

    good_chain(f);
    desc(f, 0)[5] = (struct desc){UINT64_MAX, 1, 0, 0};
    make_available(f, 0, 0);
    make_available(f, 0, 5);
    make_available(f, 0, 0);
    notify(f, 0);
    assert_int_equal(used(f, 0)[1], 1);
    assert_int_equal(reg(f, 0x70), 15 | NEEDS_RESET);
    assert_int_equal(reg(f, 0x60), 3);
    set(f, 0x70, 0x4f); /* the driver cannot clear or set the bit */
    notify(f, 0);
    assert_int_equal(used(f, 0)[1], 1);
    good_chain(f); /* a reset cures it */
    make_available(f, 0, 0);
    notify(f, 0);
    assert_int_equal(used(f, 0)[1], 1);
    assert_int_equal(reg(f, 0x70), 15);
}

/* ---- What may be negotiated ---------------------------------------------- */

#define TABLE_AT 0x180000u /* an indirect table: a good read of block 0 */

static struct desc *indirect_table(struct fixture *f)
{
    return (struct desc *)(f->ram.host + TABLE_AT);
}

static void good_indirect(struct fixture *f)
{
    struct desc *t = indirect_table(f);

    start_with(f, INDIRECT);
    memset(f->ram.host + HEAD, 0, 16);
    t[0] = (struct desc){HEAD, 16, NEXT, 2};
    t[1] = (struct desc){STATUS, 1, WRITE, 0};
    t[2] = (struct desc){BODY, 512, NEXT | WRITE, 1};
    desc(f, 0)[0] = (struct desc){TABLE_AT, 48, TABLE, 0};
}

static void test_indirect(void **state)
{
    static const struct {
        const char *what;
        bool in_table; /* or in the queue */
        unsigned at;   /* this one of the good ones becomes: */
        struct desc d;
    } rows[] = {
        {"indirect in indirect", true, 0, {TABLE_AT, 48, TABLE, 0}},
        {"indirect that goes on", false, 0, {TABLE_AT, 48, TABLE | NEXT, 0}},
        {"empty table", false, 0, {TABLE_AT, 0, TABLE, 0}},
        {"cut table", false, 0, {TABLE_AT, 40, TABLE, 0}},
        {"table of 4 GiB", false, 0, {TABLE_AT, 0xfffffff0, TABLE, 0}},
        {"table across RAM's end", false, 0, {FIXTURE_RAM - 32, 48, TABLE, 0}},
        {"table in device memory", false, 0, {TM_IOAPIC_GPA, 48, TABLE, 0}},
        {"next outside the table", true, 2, {BODY, 512, NEXT | WRITE, 3}},
        {"loop in the table", true, 2, {BODY, 512, NEXT | WRITE, 2}},
        /* itself: its first entry is indirect */
        {"the queue's own table", false, 0, {DESC(0), 48, TABLE, 0}},
    };
    struct fixture *f = *state;
    struct desc *t = indirect_table(f), *d = desc(f, 0);
    uint64_t word = tm_disk_word(0, 0);

    good_indirect(f);
    make_available(f, 0, 0);
    notify(f, 0);
    assert_int_equal(used(f, 0)[1], 1);
    assert_memory_equal(f->ram.host + BODY, &word, 8);
    assert_int_equal(f->ram.host[STATUS], 0);

    good_indirect(f); /* the header in the queue, the rest in the table */
    d[0] = (struct desc){HEAD, 16, NEXT, 7};
    d[7] = (struct desc){TABLE_AT + 32, 16, TABLE, 0};
    t[2].flags = WRITE;
    t[2].len = 513;
    make_available(f, 0, 0);
    notify(f, 0);
    assert_int_equal(used(f, 0)[1], 1);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        good_indirect(f);
        (rows[i].in_table ? t : d)[rows[i].at] = rows[i].d;
        assert_broken(f, rows[i].what);
    }
}

/* 32 reads of a sector, each one descriptor of the queue. */
static void post_reads(struct fixture *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        desc(f, 0)[i] = (struct desc){TABLE_AT, 48, TABLE, 0};
        make_available(f, 0, i);
    }
}

static void test_in_order(void **state)
{
    struct fixture *f = *state;

    good_indirect(f);
    start_with(f, INDIRECT | IN_ORDER);
    post_reads(f, 5);
    notify(f, 0);
    /* One entry, where the first would be, that names the last. */
    assert_int_equal(used(f, 0)[1], 5);
    assert_int_equal(used(f, 0)[2], 4);
    assert_int_equal(used(f, 0)[6], 0);
    post_reads(f, 3);
    notify(f, 0);
    assert_int_equal(used(f, 0)[1], 8);
    assert_int_equal(used(f, 0)[2 + 4 * 5], 2);
    assert_int_equal(used(f, 0)[2 + 4 * 6], 0);
    /* Without it, an entry each. */
    start_with(f, INDIRECT);
    post_reads(f, 5);
    notify(f, 0);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(used(f, 0)[2 + 4 * i], i);
}

static bool interrupts_at(struct fixture *f, uint16_t used_event, unsigned n)
{
    bool yes;

    avail(f, 0)[2 + NUM] = used_event;
    post_reads(f, n);
    notify(f, 0);
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
    avail(f, 0)[0] = 1; /* the flag means nothing now */
    assert_true(interrupts_at(f, 19, 1));
    /* The device asks to be told of the next request. */
    assert_int_equal(used(f, 0)[2 + 4 * NUM], used(f, 0)[1]);
    assert_int_equal(used(f, 0)[0], 0);
    for (unsigned i = 0; i < 5000; i++) /* around the index's end */
        assert_true(interrupts_at(f, used(f, 0)[1] + 13, 14));
    assert_int_equal(reg(f, 0x70), 15);
}

/* ---- Noise --------------------------------------------------------------- */

/* Rings full of noise: the device survives, and touches only its RAM. */
static void test_noise(void **state)
{
    struct fixture *f = *state;

    for (int round = 0; round < 20000; round++) {
        uint64_t *p = (uint64_t *)desc(f, 0);
        uint64_t features = rng() & (INDIRECT | EVENT_IDX | IN_ORDER);

        start_with(f, features);
        for (unsigned i = 0; i < NUM * 2; i++)
            p[i] = rng();
        for (unsigned i = 0; i < NUM; i++) {
            struct desc *d = &desc(f, 0)[i];

            if (rng() % 4)
                d->addr = DATA(0) + rng() % 0x10000;
            if (rng() % 4)
                d->len = rng() % 2000;
            if (rng() % 4)
                d->flags &= features & INDIRECT ? 7 : 3;
            if (rng() % 4)
                d->next = rng() % NUM;
            avail(f, 0)[2 + i] = rng() % (NUM + 1);
        }
        avail(f, 0)[1] = rng() % (NUM + 2);
        set(f, 0x50, rng() % 4 ? 0 : rng());
        assert_true(used(f, 0)[1] <= NUM);
    }
    good_chain(f);
    make_available(f, 0, 0);
    notify(f, 0);
    assert_int_equal(used(f, 0)[1], 1);
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
            board_mmio_write(&f->board, gpa, size, rng() >> rng() % 64);
    }
    good_chain(f);
    make_available(f, 0, 0);
    notify(f, 0);
    assert_int_equal(used(f, 0)[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_slots),         TEST(test_features_refused),
        TEST(test_bad_rings),     TEST(test_hostile_chains),
        TEST(test_broken_midway), TEST(test_indirect),
        TEST(test_in_order),      TEST(test_event_index),
        TEST(test_noise),         TEST(test_noise_registers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
