/* Self-test of block requests in batches, and of words to sleep on. */
#include "selftest.h"

static uint8_t buffers[BLK_BATCH_MAX][2 * PAGE];

static bool holds_block(const void *page, uint64_t block)
{
    const uint64_t *words = page;

    for (unsigned w = 0; w < PAGE / 8; w++)
        if (words[w] != tm_disk_word(block, w))
            return false;
    return true;
}

/* 32 reads in flight, with a flush among them; blocks `step` apart. */
static bool read_batch(unsigned step)
{
    struct user_blk r[BLK_BATCH_MAX];

    memset(buffers, 0, sizeof(buffers));
    for (unsigned i = 0; i < BLK_BATCH_MAX; i++)
        r[i] = (struct user_blk){(uint64_t)i * step * PAGE,
                                 (uint64_t)buffers[i] + 8, PAGE, BLK_OP_READ};
    r[7] = (struct user_blk){.op = BLK_OP_FLUSH};
    if (sys_blk_batch(r, BLK_BATCH_MAX))
        return false;
    for (unsigned i = 0; i < BLK_BATCH_MAX; i++)
        if (i != 7 && !holds_block(buffers[i] + 8, (uint64_t)i * step))
            return false;
    return true;
}

static const char *check_bad_batches(uint64_t size)
{
    struct user_blk r[2] = {{0, (uint64_t)buffers[0], 512, BLK_OP_READ},
                            {0, (uint64_t)buffers[1], 512, BLK_OP_READ}};

    CHECK(sys_blk_batch(r, 0) == 0);
    CHECK(sys_blk_batch(r, BLK_BATCH_MAX + 1) == -TM_EINVAL);
    CHECK(sys_blk_batch((void *)8, 1) == -TM_EFAULT);
    r[1].op = 3;
    CHECK(sys_blk_batch(r, 2) == -TM_EINVAL);
    r[1].op = BLK_OP_WRITE;
    r[1].len = BLK_LEN_MAX + 512;
    CHECK(sys_blk_batch(r, 2) == -TM_EINVAL);
    r[1].len = 100;
    CHECK(sys_blk_batch(r, 2) == -TM_EINVAL);
    r[1].len = 512;
    r[1].offset = size;
    CHECK(sys_blk_batch(r, 2) == -TM_EINVAL);
    r[1].offset = 0;
    r[1].buffer = 8;
    CHECK(sys_blk_batch(r, 2) == -TM_EFAULT);
    r[1].op = BLK_OP_READ;
    r[1].buffer = 0x400000; /* code */
    CHECK(sys_blk_batch(r, 2) == -TM_EFAULT);
    CHECK(sys_blk_mode(2) == -TM_EINVAL);
    return NULL;
}

const char *check_batches(void)
{
    int64_t size = sys_blk_size();
    int pid[3];

    if (size < 0) {
        CHECK(sys_blk_flush() == -TM_ENODEV);
        return NULL;
    }
    CHECK(read_batch(1));
    CHECK(read_batch(97));
    CHECK(!sys_blk_mode(BLK_EAGER));
    CHECK(read_batch(3));
    CHECK(!sys_blk_mode(0));
    CHECK(!sys_blk_flush());
    /* More requests than the device is given at once. */
    for (unsigned i = 0; i < 3; i++) {
        pid[i] = sys_fork();
        if (!pid[i])
            sys_exit(read_batch(i + 1) ? 3 : 4);
    }
    CHECK(read_batch(5));
    for (unsigned i = 0; i < 3; i++) {
        int status = -1;

        CHECK(sys_wait(&status) > 0);
        CHECK(!WAIT_KILLED(status) && WAIT_CODE(status) == 3);
    }
    return check_bad_batches((uint64_t)size);
}

/* The child answers each number by the next, until 100. */
const char *check_word_sleep(void)
{
    uint32_t *word = sys_mmap_shared(PAGE);
    int pid;

    CHECK(word);
    sys_word_wait(word, 1); /* it holds 0: no sleep */
    CHECK(syscall3(SYS_word_wait, (uint64_t)word + 1, 0, 0) == -TM_EFAULT);
    CHECK(syscall3(SYS_word_wait, 8, 0, 0) == -TM_EFAULT);
    CHECK(syscall3(SYS_word_wake, 0x400000, 0, 0) == -TM_EFAULT);
    pid = sys_fork();
    for (uint32_t mine = !pid; mine < 100; mine += 2) {
        uint32_t now;

        while ((now = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != mine)
            sys_word_wait(word, now);
        __atomic_store_n(word, mine + 1, __ATOMIC_RELEASE);
        sys_word_wake(word);
    }
    if (!pid)
        sys_exit(5);
    CHECK(exited_with(pid, 5));
    CHECK(*word == 100);
    CHECK(!sys_munmap(word, PAGE));
    return NULL;
}
