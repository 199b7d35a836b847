/* virtio-blk: random chain shapes, disks that fail or lose power. */
#include "virtio_fixture.h"

#include "backends/devices/disk.h"

#include <stdlib.h>
#include <unistd.h>

static int setup(void **state)
{
    return virtio_setup(state, 0, 1);
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

/* ---- Requests ------------------------------------------------------------ */

/* One request in the shape that the lengths say: header, data and status are
 * cut anywhere. Returns the status byte. */
static uint8_t request(struct fixture *f, uint32_t type, uint64_t sector,
                       uint8_t *data, uint32_t len, uint32_t *used_len)
{
    const bool to_guest = type != 1;
    uint8_t head[16] = {0};
    uint32_t out_len = 16 + (to_guest ? 0 : len);
    uint32_t in_len = 1 + (to_guest ? len : 0);
    uint32_t left[2] = {out_len, in_len}, at = DATA(0);
    unsigned parts[2], n = 0;
    uint16_t order[NUM], before = used(f, 0)[1];
    uint32_t out_base = DATA(0), in_base;
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
    in_base = DATA(0) + out_len;
    for (int side = 0; side < 2; side++) {
        for (unsigned i = 0; i < parts[side]; i++) {
            uint32_t part = i + 1 == parts[side]
                                ? left[side]
                                : rng() % (left[side] + 1); /* also 0 */
            struct desc *d = &desc(f, 0)[order[n]];
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

    make_available(f, 0, order[0]);
    notify(f, 0);
    assert_int_equal((uint16_t)(used(f, 0)[1] - before), 1);
    assert_int_equal(*(uint32_t *)(used(f, 0) + 2 + 4 * (before % NUM)),
                     order[0]);
    *used_len = *(uint32_t *)(used(f, 0) + 4 + 4 * (before % NUM));
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
    assert_int_equal(request(f, 4, 0, buf, 0, &len), 0);   /* flush */
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
    avail(f, 0)[0] = 1; /* the driver polls */
    request(f, 0, 0, buf, 512, &len);
    assert_int_equal(reg(f, 0x60), 0);
    assert_int_equal(fixture_ack(f), -1);
}

/* ---- Power --------------------------------------------------------------- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_configuration),  TEST(test_generated_disk),
        TEST(test_file_disk),      TEST(test_file_shrinks),
        TEST(test_bad_requests),   TEST(test_interrupts),
        TEST(test_volatile_cache),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
