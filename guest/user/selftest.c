/* Self-test of processes, memory, time and disk, as a hidden benchmark. */
#include "selftest.h"

static volatile uint64_t in_data = 0x1122334455667788;
static volatile uint64_t in_bss[3 * 512];

/* Writes on either side of a fork stay on that side. */
static const char *check_cow(void)
{
    volatile uint64_t on_stack = 1;
    volatile uint64_t *mapped = sys_mmap(4 * PAGE);
    int pid;

    CHECK(mapped);
    CHECK(mapped[0] == 0 && mapped[2000] == 0 && in_bss[1000] == 0);
    mapped[0] = 5;
    in_bss[1000] = 6;
    pid = sys_fork();
    if (!pid) {
        bool same = on_stack == 1 && mapped[0] == 5 && in_bss[1000] == 6 &&
                    in_data == 0x1122334455667788;

        on_stack = 2;
        mapped[0] = 50;
        mapped[600] = 51;
        in_bss[1000] = 60;
        in_data = 70;
        sys_exit(same && mapped[0] == 50 ? 42 : 1);
    }
    CHECK(pid > 0);
    in_data++;
    CHECK(exited_with(pid, 42));
    CHECK(on_stack == 1);
    CHECK(mapped[0] == 5 && mapped[600] == 0);
    CHECK(in_bss[1000] == 6);
    CHECK(in_data == 0x1122334455667789);
    in_data--;
    in_bss[1000] = 0;
    CHECK(!sys_munmap((void *)mapped, 4 * PAGE));
    return NULL;
}

static const char *check_wait(void)
{
    int pids[3], status, sum = 0;

    CHECK(sys_wait(&status) == -TM_ECHILD);
    for (int i = 0; i < 3; i++) {
        pids[i] = sys_fork();
        CHECK(pids[i] >= 0);
        if (!pids[i]) {
            sys_yield();
            sys_exit(10 + i);
        }
    }
    for (int i = 0; i < 3; i++) {
        int pid = sys_wait(&status);

        CHECK(pid == pids[0] || pid == pids[1] || pid == pids[2]);
        sum += WAIT_CODE(status);
    }
    CHECK(sum == 33);
    CHECK(sys_wait(&status) == -TM_ECHILD);
    return NULL;
}

static const char *check_deaths(void)
{
    volatile char *volatile low = (volatile char *)8;
    int pid = sys_fork();

    if (!pid)
        *low = 1;
    CHECK(killed_by(pid, 14));
    pid = sys_fork();
    if (!pid)
        *(volatile char *)(uintptr_t)check_deaths = 1; /* write to text */
    CHECK(killed_by(pid, 14));
    pid = sys_fork();
    if (!pid)
        *(volatile char *)0xffffffff80000000 = 1;
    CHECK(killed_by(pid, 14));
    pid = sys_fork();
    if (!pid)
        __asm__ volatile("cli");
    CHECK(killed_by(pid, 13));
    pid = sys_fork();
    if (!pid)
        __asm__ volatile("ud2");
    CHECK(killed_by(pid, 6));
    pid = sys_fork();
    if (!pid)
        __asm__ volatile("div %0" ::"r"(0) : "rax", "rdx");
    CHECK(killed_by(pid, 0));
    return NULL;
}

/* Two children that never yield: both get on, and so does the parent. */
static const char *check_preemption(void)
{
    uint64_t begin;
    int pids[2];

    for (int i = 0; i < 2; i++) {
        pids[i] = sys_fork();
        if (!pids[i]) {
            for (uint64_t n = 0; n < 4000000; n++)
                __asm__ volatile("" ::: "memory");
            sys_exit(i);
        }
    }
    begin = rdtsc_fenced();
    sys_sleep_us(2000);
    CHECK(rdtsc_fenced() - begin >=
          cmdline_u64(user_cmdline, "tsc_khz", 0) * 2);
    for (int i = 0; i < 2; i++) {
        int status, pid = sys_wait(&status);

        CHECK(pid == pids[WAIT_CODE(status) & 1] && !WAIT_KILLED(status));
    }
    return NULL;
}

static const char *check_sleep_order(void)
{
    int status, first = sys_fork();

    if (!first) {
        sys_sleep_us(100000);
        sys_exit(1);
    }
    if (!sys_fork()) {
        sys_sleep_us(1000);
        sys_exit(2);
    }
    CHECK(sys_wait(&status) > 0 && WAIT_CODE(status) == 2);
    CHECK(sys_wait(&status) == first && WAIT_CODE(status) == 1);
    return NULL;
}

static const char *check_bad_pointers(void)
{
    static const uint64_t bad[] = {0,
                                   8,
                                   0x7000000000,
                                   0xfffffffffff,
                                   0x100000000000,
                                   0x800000000000,
                                   0xffffffff80000000,
                                   UINT64_MAX};
    char *page = sys_mmap(PAGE);

    CHECK(page);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(sys_write((const void *)bad[i], 16) == -TM_EFAULT);
        CHECK(syscall3(SYS_report, bad[i], 16, 0) == -TM_EFAULT);
        CHECK(sys_exec((const char *)bad[i], "") == -TM_EFAULT);
        CHECK(sys_munmap((void *)bad[i], PAGE) == -TM_EINVAL ||
              bad[i] == 0x7000000000);
    }
    /* A range that begins well and ends badly. */
    CHECK(syscall3(SYS_report, (uint64_t)page, 2 * PAGE, 0) == -TM_EFAULT);
    CHECK(sys_write(page, SIZE_MAX) == -TM_EFAULT);
    CHECK(syscall0(SYS_COUNT) == -TM_ENOSYS);
    CHECK(syscall0(UINT64_MAX) == -TM_ENOSYS);
    CHECK(syscall0(SYS_bench_return) == -TM_ENOSYS);
    CHECK(sys_exec("no-such-program", "") == -TM_ENOENT);
    CHECK(!sys_munmap(page, PAGE));
    return NULL;
}

static const char *check_memory(void)
{
    uint64_t brk = (uint64_t)sys_brk(0), moved = brk + 3 * PAGE + 5;
    char *a = sys_mmap(8 * PAGE), *b = sys_mmap(PAGE), *c;
    int pid;

    CHECK(a && b && b == a + 8 * PAGE);
    a[0] = a[8 * PAGE - 1] = b[0] = 1;
    CHECK(!sys_munmap(a + 2 * PAGE, 2 * PAGE));
    CHECK(a[0] == 1 && a[8 * PAGE - 1] == 1 && b[0] == 1);
    pid = sys_fork();
    if (!pid)
        a[2 * PAGE] = 1;
    CHECK(killed_by(pid, 14));
    c = sys_mmap(2 * PAGE); /* the gap fits */
    CHECK(c == a + 2 * PAGE && c[0] == 0);
    CHECK(!sys_munmap(a, 9 * PAGE));
    CHECK(!sys_mmap(0));
    CHECK(!sys_mmap(1ull << 46));

    CHECK((uint64_t)sys_brk(moved) == moved);
    ((volatile char *)brk)[3 * PAGE] = 7;
    CHECK((uint64_t)sys_brk(brk) == brk);
    CHECK((uint64_t)sys_brk(moved) == moved);
    CHECK(((volatile char *)brk)[3 * PAGE] == 0);
    CHECK((uint64_t)sys_brk(brk) == brk);
    CHECK(sys_brk(8) == -TM_EINVAL);
    return NULL;
}

/* Every page that a process takes comes back: tables, stack, private and shared
 * memory. The first one's also makes what stays with the kernel. */
static const char *check_leaks(void)
{
    int64_t before = 0;

    for (int i = 0; i < 3; i++) {
        int pid = sys_fork();

        CHECK(pid >= 0);
        if (!pid) {
            int64_t begin = sys_pages_free();
            volatile char *p = sys_mmap(32 * PAGE);
            volatile char *q = sys_mmap_shared(2 * PAGE);

            for (size_t k = 0; p && k < 32 * PAGE; k += PAGE)
                p[k] = 1;
            sys_exit(p && q && begin - sys_pages_free() >= 34 ? 3 : 4);
        }
        CHECK(exited_with(pid, 3));
        CHECK(!i || sys_pages_free() == before);
        before = sys_pages_free();
    }
    return NULL;
}

static uint64_t xmm_get(void)
{
    uint64_t v;

    __asm__ volatile("movq %%xmm7, %0" : "=r"(v));
    return v;
}

static void xmm_set(uint64_t v)
{
    __asm__ volatile("movq %0, %%xmm7" ::"r"(v));
}

/* Three processes that take turns, each with its own XMM7 and rounding mode. */
static const char *check_fpu(void)
{
    static const uint32_t down = 0x3f80;
    uint32_t mxcsr;

    xmm_set(111);
    __asm__ volatile("ldmxcsr %0" ::"m"(down));
    for (uint64_t i = 1; i <= 2; i++) {
        if (sys_fork())
            continue;
        __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
        if ((mxcsr & 0xffc0) != down || xmm_get() != 111)
            sys_exit(9); /* a child inherits its parent's registers */
        for (int turn = 0; turn < 5; turn++) {
            xmm_set(i * 1000);
            sys_yield();
            if (xmm_get() != i * 1000)
                sys_exit(1);
        }
        sys_exit(0);
    }
    for (int turn = 0; turn < 5; turn++) {
        sys_yield();
        CHECK(xmm_get() == 111);
    }
    for (int i = 0; i < 2; i++) {
        int status;

        CHECK(sys_wait(&status) > 0);
        CHECK(WAIT_CODE(status) == 0);
    }
    CHECK(xmm_get() == 111);
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    CHECK((mxcsr & 0xffc0) == 0x3f80);
    return NULL;
}

static const char *check_exec(void)
{
    int pid = sys_fork();

    /* Itself, with another run=: no such benchmark there, so code 127. */
    if (!pid) {
        sys_exec("selftest", "run=none");
        sys_exit(1);
    }
    CHECK(exited_with(pid, 127));
    return NULL;
}

static const char *check_words(uint64_t first, const uint64_t *words, size_t n)
{
    for (uint64_t i = 0; i < n; i++)
        CHECK(words[i] == tm_disk_word((first + i) / 512, (first + i) % 512));
    return NULL;
}

static const char *check_disk(void)
{
    int64_t size = sys_blk_size();
    char *buf = sys_mmap(256 * KIB);
    const char *problem;

    if (size == -TM_ENODEV) {
        CHECK(sys_blk_read(0, buf, 512) == -TM_ENODEV);
        return NULL;
    }
    CHECK(size >= (int64_t)TM_DISK_MIN);
    CHECK(sys_blk_read(8 * PAGE, buf, 200 * KIB) == 200 * KIB);
    problem = check_words(8 * 512, (const uint64_t *)buf, 200 * KIB / 8);
    if (problem)
        return problem;
    /* Unaligned, across pages, not a page's multiple. */
    CHECK(sys_blk_read(1024, buf + 8, 9 * 512) == 9 * 512);
    problem = check_words(128, (const uint64_t *)(buf + 8), 9 * 64);
    if (problem)
        return problem;
    CHECK(sys_blk_read((uint64_t)size, buf, 512) == -TM_EINVAL);
    CHECK(sys_blk_read((uint64_t)size - 512, buf, 1024) == -TM_EINVAL);
    CHECK(sys_blk_read(1, buf, 512) == -TM_EINVAL);
    CHECK(sys_blk_read(0, buf, 100) == -TM_EINVAL);
    CHECK(sys_blk_read(0, (void *)0x400000, 512) == -TM_EFAULT);
    CHECK(sys_blk_read(0, (void *)8, 512) == -TM_EFAULT);
    CHECK(!sys_munmap(buf, 256 * KIB));
    return NULL;
}

/* Two processes read at once into pages they share until written. */
static const char *check_disk_shared(void)
{
    uint64_t *buf = sys_mmap(4 * PAGE);
    int pid;

    if (sys_blk_size() < 0)
        return NULL;
    buf[0] = 77;
    pid = sys_fork();
    for (uint64_t i = 0; i < 20; i++) {
        uint64_t block = pid ? i : 100 + i;

        if (sys_blk_read(block * PAGE, buf, 3 * PAGE) != 3 * PAGE ||
            check_words(block * 512, buf, 3 * 512)) {
            if (!pid)
                sys_exit(1);
            return "concurrent disk reads";
        }
    }
    if (!pid)
        sys_exit(0);
    CHECK(exited_with(pid, 0));
    CHECK(!sys_munmap(buf, 4 * PAGE));
    return NULL;
}

static const char *selftest(void)
{
    static const struct {
        const char *(*run)(void);
    } checks[] = {
        {check_cow},           {check_wait},        {check_deaths},
        {check_preemption},    {check_sleep_order}, {check_bad_pointers},
        {check_memory},        {check_leaks},       {check_fpu},
        {check_exec},          {check_disk},        {check_disk_shared},
        {check_pipes},         {check_shared},      {check_mprotect},
        {check_fault_handler}, {check_batches},     {check_word_sleep},
        {check_sockets}};

    for (unsigned i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        const char *problem = checks[i].run();

        if (problem)
            return problem;
    }
    return NULL;
}

/* The operation that is timed. */
static void forks(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        int status, pid = sys_fork();

        if (!pid)
            sys_exit(0);
        sys_wait(&status);
    }
}

DEFINE_BENCHMARK(selftest, "selftest", "mixed", "fork and wait",
                 "the guest kernel checks itself", TM_BENCH_HIDDEN,
                 .init = selftest, .kernel = forks);
