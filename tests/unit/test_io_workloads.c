/* The I/O and database workloads on the interpreter: checksums derived here, by
 * other code. */
#include "workload_fixture.h"

#include "guest/abi/abi.h"

#define PAGE_WORDS 512

/* What net.h says that word w of a frame with that number holds. */
static uint64_t frame_word(uint64_t number, uint64_t w)
{
    return (number + 1) * 0x9e3779b97f4a7c15 + w;
}

static uint64_t echoes(uint64_t len)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < 16; i++) {
        for (uint64_t w = 0; w < (len - 32) / 8; w++)
            sum = fold(sum, frame_word(0, w));
        sum = fold(sum, i);
    }
    return sum;
}

static uint64_t sent(uint64_t len)
{
    uint64_t words = (len - 32) / 8;
    uint64_t sum = words * frame_word(0, 0) + words * (words - 1) / 2;

    return fold(fold(16, 16 * len), 16 * sum);
}

static uint64_t streamed(uint64_t len)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < 16; i++) {
        for (uint64_t w = 0; w < (len - 32) / 8; w++)
            sum = fold(sum, frame_word(i, w));
        sum = fold(sum, i);
    }
    return sum;
}

static uint64_t blocks_read(uint64_t step)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < 64; i++)
        for (uint64_t w = 0; w < PAGE_WORDS; w++)
            sum = fold(sum, tm_disk_word(i * step % 4096, w));
    return sum;
}

static uint64_t extents_read(uint64_t step)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < 4; i++)
        for (uint64_t w = 0; w < 16 * PAGE_WORDS; w++)
            sum = fold(sum, tm_disk_word(i * step % 256 * 16, w));
    return sum;
}

/* The i-th write carries its mark in the first and the last word; between them
 * is what block 0 held. */
static uint64_t blocks_written(uint64_t step)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < 64; i++) {
        uint64_t mark = fold(i * step % 1024, i + 1);

        sum = fold(sum, mark);
        for (uint64_t w = 1; w < PAGE_WORDS - 1; w++)
            sum = fold(sum, tm_disk_word(0, w));
        sum = fold(sum, mark);
    }
    return sum;
}

/* 64 KiB each, made of block 0 again and again. */
static uint64_t extents_written(uint64_t step)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < 4; i++) {
        uint64_t mark = fold(i * step % 64, i + 1);

        sum = fold(sum, mark);
        for (uint64_t w = 1; w < 16 * PAGE_WORDS - 1; w++)
            sum = fold(sum, tm_disk_word(0, w % PAGE_WORDS));
        sum = fold(sum, mark);
    }
    return sum;
}

static uint64_t ticks(uint64_t period_us)
{
    return fold(period_us, 8);
}

static uint64_t lines(uint64_t length)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";
    uint64_t sum = 0;

    for (uint64_t i = 0; i < 4; i++) {
        for (uint64_t c = 0; c < length; c++)
            sum = fold(sum, (uint8_t)alphabet[(i + c) % 26]);
        sum = fold(sum, '\n');
    }
    return sum;
}

/* ---- The database after 64 transactions ---------------------------------- */

#define DB_OPS 64

/* Record by popularity: the first is twice as popular as the second, and so on;
 * a factor says where it lies. */
static uint64_t popular(uint64_t random)
{
    uint64_t all = 0, sum = 0, rank = 0;

    for (uint64_t i = 1; i <= 2048; i++)
        all += (1ull << 32) / i;
    random %= all;
    while ((sum += (1ull << 32) / (rank + 1)) <= random)
        rank++;
    return (uint32_t)(rank * 2654435761u) % 2048;
}

static uint64_t updated(uint64_t percent)
{
    static uint64_t times[2048], added[2048];
    uint64_t sum = 0;

    memset(times, 0, sizeof(times));
    memset(added, 0, sizeof(added));
    for (uint64_t op = 0; op < DB_OPS; op++) {
        uint64_t random = fold(0x79637362, op), key = popular(fold(random, 1));

        if (random / 1000 % 100 < percent) {
            times[key]++;
            added[key] += random % 1000;
        }
    }
    for (unsigned key = 0; key < 2048; key++)
        sum = fold(sum, fold(times[key], added[key]));
    return sum;
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static uint64_t inserted(uint64_t seed)
{
    uint64_t keys[DB_OPS], sum = 0;

    for (uint64_t op = 0; op < DB_OPS; op++)
        keys[op] = fold(seed, op);
    qsort(keys, DB_OPS, sizeof(keys[0]), compare_keys);
    for (unsigned i = 0; i < DB_OPS; i++)
        sum = fold(sum, keys[i]);
    return sum;
}

static uint64_t transferred(uint64_t seed)
{
    static uint64_t balance[4][2000];
    static const unsigned rows[] = {4, 40, 2000, DB_OPS};
    uint64_t sum = 0;

    memset(balance, 0, sizeof(balance));
    for (uint64_t op = 0; op < DB_OPS; op++) {
        uint64_t random = fold(seed, op), teller = random / 2000 % 40;
        uint64_t amount = random / 2000 / 40 % 1999 - 999;

        balance[0][teller % 4] += amount;
        balance[1][teller] += amount;
        balance[2][random % 2000] += amount;
        balance[3][op] = op;
    }
    for (uint64_t t = 0; t < 4; t++)
        for (unsigned row = 0; row < rows[t]; row++)
            sum = fold(sum, fold((t + 1) << 32 | row, balance[t][row]));
    return sum;
}

static const struct row {
    const char *bench;
    uint64_t (*derive)(uint64_t);
    uint64_t argument;
} rows[] = {
    {"net-rr-64", echoes, 64},
    {"net-rr-1500", echoes, 1500},
    {"net-tx-64", sent, 64},
    {"net-tx-1500", sent, 1500},
    {"net-tx-64-eager", sent, 64},
    {"net-rx-64", streamed, 64},
    {"net-rx-1500", streamed, 1500},
    {"net-rx-64-eager", streamed, 64},
    {"blkread-seq", blocks_read, 1},
    {"blkread-rand", blocks_read, 1597},
    {"blkread-64k", extents_read, 37},
    {"blkwrite-seq", blocks_written, 1},
    {"blkwrite-rand", blocks_written, 397},
    {"blkread-seq-qd32", blocks_read, 1},
    {"blkread-rand-qd32", blocks_read, 1597},
    {"blkread-64k-qd32", extents_read, 37},
    {"blkread-rand-eager", blocks_read, 1597},
    {"blkwrite-64k", extents_written, 37},
    {"blkwrite-seq-qd32", blocks_written, 1},
    {"blkwrite-rand-qd32", blocks_written, 397},
    {"blkwrite-64k-qd32", extents_written, 37},
    {"blkwrite-rand-eager", blocks_written, 397},
    {"blkwrite-flush", blocks_written, 397},
    {"blkwrite-flush-qd32", blocks_written, 397},
    {"db-a", updated, 50},
    {"db-b", updated, 5},
    {"db-c", updated, 0},
    {"db-insert", inserted, 0x696e73},
    {"db-tpcb", transferred, 0x74706362},
    {"timer-1khz", ticks, 1000},
    {"timer-10khz", ticks, 100},
    {"console", lines, 64},
};

static void boot(struct transcript *t, const char *bench, const char *disk)
{
    transcript_run(t, bench, 70, disk);
}

static void test_checksums(void **state)
{
    struct transcript t;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        boot(&t, rows[i].bench, NULL);
        assert_checksum(&t, rows[i].derive(rows[i].argument));
    }
}

/* Notification suppression is what it says: the same packets, a small part of
 * the device accesses and interrupts. */
static void test_suppression(void **state)
{
    static const char *const pairs[][2] = {
        {"net-tx-64", "net-tx-64-eager"},
        {"net-rx-64", "net-rx-64-eager"},
    };
    struct transcript few, many;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        boot(&few, pairs[i][0], NULL);
        boot(&many, pairs[i][1], NULL);
        assert_true(few.end.kernel.count[EV_EXIT_MMIO] * 5 <
                    many.end.kernel.count[EV_EXIT_MMIO]);
        assert_true(few.end.kernel.count[EV_INTERRUPT] * 5 <
                    many.end.kernel.count[EV_INTERRUPT]);
    }
}

/* A deep queue is one notification and one interrupt for 32 requests. */
static void test_batches(void **state)
{
    struct transcript one, deep, eager;

    (void)state;
    boot(&one, "blkread-rand", NULL);
    boot(&deep, "blkread-rand-qd32", NULL);
    boot(&eager, "blkread-rand-eager", NULL);
    /* 2 samples of 70 operations: 140 requests, 6 batches. */
    assert_int_equal(deep.end.kernel.count[EV_INTERRUPT], 6);
    assert_int_equal(one.end.kernel.count[EV_INTERRUPT], 140);
    assert_int_equal(eager.end.kernel.count[EV_INTERRUPT], 140);
    assert_true(deep.end.kernel.count[EV_EXIT_MMIO] * 20 <
                one.end.kernel.count[EV_EXIT_MMIO]);
    assert_true(eager.end.kernel.count[EV_EXIT_MMIO] >=
                one.end.kernel.count[EV_EXIT_MMIO]);
}

/* What writes pays for the disk; what reads has it in memory. */
static void test_database_exits(void **state)
{
    struct transcript reads, writes;

    (void)state;
    boot(&reads, "db-c", NULL);
    boot(&writes, "db-a", NULL);
    assert_int_equal(reads.end.kernel.count[EV_EXIT_MMIO], 0);
    /* 2 samples of 70 operations, half of them updates; groups of up to 4. */
    assert_true(writes.end.kernel.count[EV_EXIT_MMIO] > 70 / 4);
}

/* A file that begins as abi.h wants it; what was written to is put back. */
static FILE *make_disk(char path[32])
{
    static uint64_t page[PAGE_WORDS];
    FILE *f;
    int fd;

    strcpy(path, "/tmp/trapmark-io-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    f = fdopen(fd, "r+");
    assert_non_null(f);
    for (uint64_t b = 0; b < TM_DISK_MIN / sizeof(page); b++) {
        for (uint64_t w = 0; w < PAGE_WORDS; w++)
            page[w] = tm_disk_word(b, w);
        assert_int_equal(fwrite(page, sizeof(page), 1, f), 1);
    }
    fflush(f);
    return f;
}

static void test_writes_are_put_back(void **state)
{
    static const char *const benches[] = {"blkwrite-seq", "blkwrite-64k-qd32",
                                          "db-a", "db-insert"};
    struct transcript t;
    char path[32];
    FILE *f = make_disk(path);
    uint64_t word;

    (void)state;
    for (unsigned i = 0; i < sizeof(benches) / sizeof(benches[0]); i++)
        boot(&t, benches[i], path);
    rewind(f);
    for (uint64_t i = 0; i < TM_DISK_MIN / 8; i++) {
        assert_int_equal(fread(&word, 8, 1, f), 1);
        assert_true(word == tm_disk_word(i / PAGE_WORDS, i % PAGE_WORDS));
    }
    fclose(f);
    remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checksums),
        cmocka_unit_test(test_suppression),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_database_exits),
        cmocka_unit_test(test_writes_are_put_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
