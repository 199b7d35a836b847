/* Self-test of pipes, shared memory, mprotect and the fault handler. */
#include "selftest.h"

/* ---- Pipes -------------------------------------------------------------- */

/* More than the buffer, in pieces that don't divide it. */
#define STREAM 20000
#define PIECE 97

static int read_stream(int channel)
{
    uint8_t buf[PIECE + 30];
    uint64_t at = 0;
    int64_t n;

    while ((n = sys_pipe_read(channel, buf, sizeof(buf))) > 0)
        for (int64_t i = 0; i < n; i++, at++)
            if (buf[i] != (uint8_t)mix64(1, at))
                return 1;
    return n == 0 && at == STREAM ? 7 : 2;
}

static const char *check_stream(void)
{
    int channel = sys_pipe(), pid;

    CHECK(channel >= 0);
    pid = sys_fork();
    if (!pid)
        sys_exit(read_stream(channel));
    for (uint64_t at = 0; at < STREAM;) {
        uint8_t buf[PIECE];
        size_t n = STREAM - at < PIECE ? STREAM - at : PIECE;

        for (size_t i = 0; i < n; i++)
            buf[i] = (uint8_t)mix64(1, at + i);
        CHECK(sys_pipe_write(channel, buf, n) == (int64_t)n);
        at += n;
    }
    CHECK(!sys_pipe_close(channel)); /* the end of the stream */
    CHECK(exited_with(pid, 7));
    CHECK(sys_pipe_close(channel) == -TM_EBADF);
    return NULL;
}

const char *check_pipes(void)
{
    static char page[PAGE + 8];
    int channel = sys_pipe(), other = sys_pipe(), pid;
    char c = 0;

    CHECK(channel >= 0 && other >= 0 && other != channel);
    /* Alone with it: no wait without an end. */
    CHECK(sys_pipe_read(channel, &c, 1) == 0);
    CHECK(sys_pipe_write(channel, page, PAGE) == PAGE);
    CHECK(sys_pipe_write(channel, "x", 1) == -TM_EPIPE);
    CHECK(sys_pipe_read(channel, page, sizeof(page)) == PAGE);
    CHECK(sys_pipe_read(other, page, 1) == 0);
    /* A writer that waits for room finds that its reader has gone. */
    pid = sys_fork();
    if (!pid) {
        sys_sleep_us(1000);
        sys_exit(sys_pipe_read(channel, &c, 1) == 1 && c == 'a' ? 3 : 4);
    }
    page[0] = 'a';
    CHECK(sys_pipe_write(channel, page, PAGE) == PAGE);
    CHECK(sys_pipe_write(channel, page, 2) == -TM_EPIPE);
    CHECK(exited_with(pid, 3));

    CHECK(sys_pipe_read(channel, (void *)8, 1) == -TM_EFAULT);
    CHECK(sys_pipe_write(other, (void *)0x7000000000, 1) == -TM_EFAULT);
    CHECK(sys_pipe_read(63, &c, 1) == -TM_EBADF);
    CHECK(sys_pipe_read(-1, &c, 1) == -TM_EBADF);
    CHECK(!sys_pipe_close(channel) && !sys_pipe_close(other));
    CHECK(sys_pipe_write(channel, &c, 1) == -TM_EBADF);
    return check_stream();
}

/* ---- Shared memory ------------------------------------------------------ */

const char *check_shared(void)
{
    volatile uint64_t *shared = sys_mmap_shared(3 * PAGE);
    int pid;

    CHECK(shared);
    CHECK(shared[0] == 0 && shared[1300] == 0);
    shared[0] = 1;
    pid = sys_fork();
    if (!pid) {
        int child;

        shared[1300] = shared[0] + 10; /* no one touched this page before */
        child = sys_fork();
        if (!child) {
            shared[0] = 2;
            sys_exit(5);
        }
        sys_exit(exited_with(child, 5) ? 6 : 1);
    }
    CHECK(exited_with(pid, 6));
    CHECK(shared[0] == 2 && shared[1300] == 11);
    /* Read-only and back, it is still the same memory. */
    CHECK(!sys_mprotect((void *)shared, PAGE, 0));
    pid = sys_fork();
    if (!pid) {
        if (!sys_mprotect((void *)shared, PAGE, PROT_WRITE))
            shared[0] = 3;
        sys_exit(8);
    }
    CHECK(exited_with(pid, 8));
    CHECK(shared[0] == 3);
    CHECK(!sys_munmap((void *)shared, 3 * PAGE));
    CHECK(syscall3(SYS_mmap, PAGE, 2, 0) == -TM_EINVAL);
    return NULL;
}

/* ---- Protection --------------------------------------------------------- */

static int returns_42(const void *code)
{
    return ((int (*)(void))(uintptr_t)code)();
}

const char *check_mprotect(void)
{
    static const uint8_t code[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov eax; ret */
    volatile uint8_t *p = sys_mmap(6 * PAGE);
    int pid;

    CHECK(p);
    for (int i = 0; i < 6; i++)
        p[i * PAGE] = 1;
    CHECK(!sys_mprotect((void *)(p + 2 * PAGE), 2 * PAGE, 0));
    for (int i = 0; i < 6; i++) {
        pid = sys_fork();
        if (!pid) {
            p[i * PAGE] = 2;
            sys_exit(9);
        }
        CHECK(i / 2 == 1 ? killed_by(pid, 14) : exited_with(pid, 9));
        CHECK(p[i * PAGE] == 1);
    }
    /* A copy-on-write page that is made writable is still copied. */
    pid = sys_fork();
    if (!pid) {
        bool ok = !sys_mprotect((void *)p, 6 * PAGE, PROT_WRITE);

        p[2 * PAGE] = 3;
        sys_exit(ok && p[2 * PAGE] == 3 ? 11 : 1);
    }
    CHECK(exited_with(pid, 11));
    CHECK(p[2 * PAGE] == 1);
    CHECK(!sys_mprotect((void *)p, 6 * PAGE, PROT_WRITE));
    p[2 * PAGE] = 4;

    memcpy((void *)(p + PAGE), code, sizeof(code));
    CHECK(!sys_mprotect((void *)(p + PAGE), PAGE, PROT_EXEC));
    CHECK(returns_42((void *)(p + PAGE)) == 42);
    CHECK(!sys_mprotect((void *)(p + PAGE), PAGE, PROT_WRITE | PROT_EXEC));
    p[PAGE + 1] = 43;
    CHECK(returns_42((void *)(p + PAGE)) == 43);

    CHECK(sys_mprotect((void *)(p + 1), PAGE, 0) == -TM_EINVAL);
    CHECK(sys_mprotect((void *)p, 0, 0) == -TM_EINVAL);
    CHECK(sys_mprotect((void *)p, PAGE, 4) == -TM_EINVAL);
    CHECK(sys_mprotect((void *)p, 7 * PAGE, 0) == -TM_EINVAL); /* a hole */
    CHECK(sys_mprotect((void *)check_mprotect, 0, 0) == -TM_EINVAL);
    CHECK(!sys_munmap((void *)p, 6 * PAGE));
    return NULL;
}

/* Every other page of a range: many areas; then one again. */
static const char *check_areas(void)
{
    char *p = sys_mmap(400 * PAGE);
    int err = 0, n = 0;

    CHECK(p);
    while (n < 200 && !err)
        err = sys_mprotect(p + 2 * PAGE * n++, PAGE, 0);
    CHECK(err == -TM_ENOMEM && n > 20);
    CHECK(!sys_munmap(p + 200 * PAGE, 200 * PAGE));
    CHECK(!sys_munmap(p, 200 * PAGE));
    return NULL;
}

/* ---- Fault handler ------------------------------------------------------ */

static volatile uint64_t *guarded;
static volatile uint64_t seen_address, seen_error, faults;

static __attribute__((target("general-regs-only"))) void
open_page(struct user_fault *f)
{
    seen_address = f->address;
    seen_error = f->error;
    faults++;
    sys_mprotect((void *)(f->address & ~(uint64_t)(PAGE - 1)), PAGE,
                 PROT_WRITE);
    sys_fault_return(f);
    sys_exit(99);
}

/* Skips the two bytes of the load and gives it a value. */
static __attribute__((target("general-regs-only"))) void
skip_load(struct user_fault *f)
{
    f->rip += 3; /* mov rax, [rcx] */
    f->regs[10] = 77;
    sys_fault_return(f);
    sys_exit(99);
}

static bool registers_survive(void)
{
    uint64_t rcx = 1, r11 = 2, rax = 3, flags;

    __asm__ volatile("mov $0x1111, %%ecx; mov $0x2222, %%r11d\n\t"
                     "mov $0x3333, %%eax; stc\n\t"
                     "movq %%rax, (%4)\n\t"
                     "mov %%rcx, %0; mov %%r11, %1; mov %%rax, %2\n\t"
                     "sbb %3, %3"
                     : "=&r"(rcx), "=&r"(r11), "=&r"(rax), "=&r"(flags)
                     : "r"(&guarded[512])
                     : "rax", "rcx", "r11", "memory", "cc");
    return rcx == 0x1111 && r11 == 0x2222 && rax == 0x3333 &&
           flags == UINT64_MAX;
}

const char *check_fault_handler(void)
{
    uint64_t value, address = 8;
    const char *problem = check_areas();
    int pid;

    if (problem)
        return problem;
    guarded = sys_mmap(2 * PAGE);
    CHECK(guarded);
    guarded[0] = 1;
    CHECK(!sys_mprotect((void *)guarded, 2 * PAGE, 0));
    CHECK(!sys_fault_handler(open_page));
    guarded[1] = 5;
    CHECK(faults == 1 && guarded[0] == 1 && guarded[1] == 5);
    CHECK(seen_address == (uint64_t)&guarded[1]);
    CHECK(seen_error == 7); /* present, write, user */
    guarded[2] = 6;
    CHECK(faults == 1);
    CHECK(registers_survive()); /* on the second page */
    CHECK(faults == 2 && guarded[512] == 0x3333);
    CHECK(seen_address == (uint64_t)&guarded[512]);

    /* A system call's bad pointer isn't the handler's business. */
    CHECK(!sys_mprotect((void *)guarded, PAGE, 0));
    CHECK(sys_wait((int *)guarded) == -TM_ECHILD);
    CHECK(faults == 2);
    pid = sys_fork(); /* the child has the handler too */
    if (!pid) {
        guarded[0] = 9;
        sys_exit(faults == 3 && guarded[0] == 9 ? 12 : 1);
    }
    CHECK(exited_with(pid, 12));
    CHECK(faults == 2 && guarded[0] == 1);

    CHECK(!sys_fault_handler(skip_load));
    __asm__ volatile("mov (%%rcx), %%rax" : "=a"(value) : "c"(address));
    CHECK(value == 77);
    pid = sys_fork();
    if (!pid) /* no stack for the record */
        __asm__ volatile("mov $16, %%esp; mov (%%rsp), %%rax" ::: "rax");
    CHECK(killed_by(pid, 14));

    CHECK(!sys_fault_handler(NULL));
    pid = sys_fork();
    if (!pid)
        guarded[0] = 9;
    CHECK(killed_by(pid, 14));
    CHECK(syscall3(SYS_fault_handler, 1ull << 63, 0, 0) == -TM_EINVAL);
    CHECK(syscall3(SYS_fault_return, 8, 0, 0) == -TM_EFAULT);
    CHECK(!sys_munmap((void *)guarded, 2 * PAGE));
    return NULL;
}
