/* Direct execution, without a guest kernel: privilege, kicks, layouts, crashes.
 */
#include "backends/machine/machine.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define RAM_SIZE (16ull << 20)
#define TABLES 0x200000ull /* above vm.mmap_min_addr */
#define CODE 0x400000ull
#define STACK 0x500000ull
#define DATA 0x600000ull

static struct machine *m;
static struct vm *vm;
static struct x86_state start;

/* Starts the bytes at CODE with that privilege. */
static void load(int cpl, const void *code, size_t len)
{
    const struct backend *direct = backend_find("direct");
    char why[REASON_MAX] = "";

    assert_non_null(direct);
    if (direct->probe(why)) {
        print_message("%s\n", why);
        skip();
    }
    m = machine_create_bare(direct, RAM_SIZE, false, why);
    if (!m) { /* a sanitizer's own memory is in the way */
        print_message("%s\n", why);
        skip();
    }
    vm = machine_vm(m);
    vm->trap_exceptions = true;
    memset(&start, 0, sizeof(start));
    machine_long_mode(m, &start, TABLES, cpl);
    start.rip = CODE;
    start.gpr[RSP] = STACK;
    memcpy(vm->ram->host + CODE, code, len);
}

static struct vm_exit run(void)
{
    struct vm_exit exit;

    assert_int_equal(vm->backend->set_state(vm, &start), 0);
    assert_int_equal(vm->backend->run(vm, &exit), 0);
    return exit;
}

static uint64_t *entry(gpa_t table, unsigned index)
{
    return (uint64_t *)(vm->ram->host + table) + index;
}

static void test_user_cannot_touch_supervisor_pages(void **state)
{
    static const uint8_t load_and_trap[] = {
        0x48, 0x8b, 0x04, 0x25, 0x00, 0x00, 0x60, 0x00, /* mov DATA, %rax */
        0x0f, 0x0b,                                     /* ud2 */
    };
    struct vm_exit e;
    struct x86_state s;

    (void)state;
    load(0, load_and_trap, sizeof(load_and_trap));
    *(uint64_t *)(vm->ram->host + DATA) = 0x1234;
    /* The directory of [0, 1 GiB) is the third of the six pages. */
    *entry(TABLES + 0x2000, DATA >> 21) &= ~4ull;
    e = run();
    assert_int_equal(e.kind, EXIT_EXCEPTION);
    assert_int_equal(e.vector, VEC_UD);
    vm->backend->get_state(vm, &s);
    assert_int_equal(s.gpr[RAX], 0x1234);

    /* The mapping is there now, and must go for user code. */
    machine_long_mode(m, &s, TABLES, 3);
    *entry(TABLES + 0x2000, DATA >> 21) &= ~4ull;
    s.rip = CODE;
    assert_int_equal(vm->backend->set_state(vm, &s), 0);
    assert_int_equal(vm->backend->run(vm, &e), 0);
    assert_int_equal(e.kind, EXIT_EXCEPTION);
    assert_int_equal(e.vector, VEC_PF);
    assert_int_equal(e.error, PF_P | PF_U);
    vm->backend->get_state(vm, &s);
    assert_int_equal(s.cr2, DATA);
    assert_int_equal(s.rip, CODE);
    machine_destroy(m);
}

static void test_unsupported_layout(void **state)
{
    /* mov $0x500000001000, %rax; mov (%rax), %rax */
    static const uint8_t code[] = {0x48, 0xb8, 0x00, 0x10, 0,    0,   0,
                                   0x50, 0,    0,    0x48, 0x8b, 0x00};
    struct vm_exit e;

    (void)state;
    load(0, code, sizeof(code));
    *entry(TABLES, 0x500000001000 >> 39) = *entry(TABLES, 0);
    e = run();
    assert_int_equal(e.kind, EXIT_ERROR);
    assert_non_null(strstr(e.why, "unsupported layout"));
    assert_non_null(strstr(e.why, "0x500000001000"));
    machine_destroy(m);
}

static void test_state_goes_round(void **state)
{
    /* inc %rax; inc %r15; addsd %xmm1, %xmm0; stc; int3 */
    static const uint8_t code[] = {0x48, 0xff, 0xc0, 0x49, 0xff, 0xc7,
                                   0xf2, 0x0f, 0x58, 0xc1, 0xf9, 0xcc};
    const double one = 1, two = 2;
    struct x86_state s;
    struct vm_exit e;
    double sum;

    (void)state;
    load(3, code, sizeof(code));
    start.seg[FS].base = 0x123456789000;
    start.seg[GS].base = 0x1000;
    start.gpr[RAX] = 41;
    start.gpr[R15] = ~0ull;
    start.gpr[R8] = 0x8888888888888888;
    start.fx.fcw = 0x37f;
    start.fx.mxcsr = 0x1f80;
    memcpy(start.fx.xmm[0], &one, 8);
    memcpy(start.fx.xmm[1], &two, 8);
    e = run();
    assert_int_equal(e.kind, EXIT_EXCEPTION);
    assert_int_equal(e.vector, VEC_BP);
    vm->backend->get_state(vm, &s);
    assert_int_equal(s.gpr[RAX], 42);
    assert_int_equal(s.gpr[R15], 0);
    assert_int_equal(s.gpr[R8], 0x8888888888888888);
    assert_int_equal(s.gpr[RSP], STACK);
    assert_int_equal(s.rip, CODE + sizeof(code));
    assert_true(s.rflags & FL_CF);
    assert_int_equal(s.seg[FS].base, 0x123456789000);
    assert_int_equal(s.seg[GS].base, 0x1000);
    memcpy(&sum, s.fx.xmm[0], 8);
    assert_true(sum == 3);
    machine_destroy(m);
}

/* ---- Kicks --------------------------------------------------------------- */

/* 1: inc %rax; push %rax; pop %rbx; jmp 1b */
static const uint8_t endless[] = {0x48, 0xff, 0xc0, 0x50, 0x5b, 0xeb, 0xf9};

static void test_timer_everywhere(void **state)
{
    struct x86_state s;
    struct vm_exit e;
    unsigned seen[sizeof(endless)] = {0}, at;

    (void)state;
    load(3, endless, sizeof(endless));
    assert_int_equal(vm->backend->set_state(vm, &start), 0);
    for (unsigned k = 0; k < 3000; k++) {
        vm->deadline = __builtin_ia32_rdtsc() + 5000 + 37 * (k % 1000);
        assert_int_equal(vm->backend->run(vm, &e), 0);
        assert_int_equal(e.kind, EXIT_TIMER);
        vm->backend->get_state(vm, &s);
        at = (unsigned)(s.rip - CODE);
        assert_in_range(at, 0, sizeof(endless) - 1);
        seen[at]++;
        /* At each instruction the others have been done so far and no more. */
        assert_int_equal(s.gpr[RSP], at == 4 ? STACK - 8 : STACK);
        assert_int_equal(s.gpr[RBX], s.gpr[RAX] - (at == 3 || at == 4));
    }
    assert_true(seen[0] + seen[3] + seen[4] + seen[5] == 3000);
    assert_true(!!seen[0] + !!seen[3] + !!seen[4] + !!seen[5] >= 2);
    machine_destroy(m);
}

static void *kicker(void *opaque)
{
    const struct timespec ms = {.tv_nsec = 1000000};

    for (int k = 0; k < 50; k++) {
        nanosleep(&ms, NULL);
        vm->backend->kick(vm);
    }
    return opaque;
}

static void test_kicks(void **state)
{
    unsigned kicked = 0;
    pthread_t thread;
    struct vm_exit e;

    (void)state;
    load(3, endless, sizeof(endless));
    assert_int_equal(vm->backend->set_state(vm, &start), 0);
    assert_int_equal(pthread_create(&thread, NULL, kicker, NULL), 0);
    vm->deadline = __builtin_ia32_rdtsc() + 20000000000;
    /* The last one can't be lost, or this never ends. */
    while (kicked < 5) {
        assert_int_equal(vm->backend->run(vm, &e), 0);
        assert_int_equal(e.kind, EXIT_KICKED);
        kicked++;
    }
    pthread_join(thread, NULL);
    machine_destroy(m);
}

/* ---- A crash of the VMM -------------------------------------------------- */

static void test_crash_report(void **state)
{
    int *volatile nowhere = (int *)8;
    struct vm_exit e;
    char text[1024] = "";
    size_t have = 0;
    ssize_t n;
    int fds[2], status;
    pid_t pid;

    (void)state;
    load(3, endless, sizeof(endless));
    assert_int_equal(pipe(fds), 0);
    /* The parent's vCPU stays where it is: timers and handlers are per process,
     * so the child makes its own. */
    machine_destroy(m);
    pid = fork();
    if (!pid) {
        dup2(fds[1], STDERR_FILENO);
        load(3, endless, sizeof(endless));
        vm->deadline = __builtin_ia32_rdtsc() + 5000000;
        vm->backend->set_state(vm, &start);
        vm->backend->run(vm, &e);
        *nowhere = 1; /* as a bug in a device would */
        _exit(0);
    }
    close(fds[1]);
    while ((n = read(fds[0], text + have, sizeof(text) - 1 - have)) > 0)
        have += (size_t)n;
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_non_null(strstr(text, "SIGSEGV in the VMM at 0x"));
    assert_non_null(strstr(text, ", address 0x8; guest rip 0x40000"));
    assert_non_null(strstr(text, "exception at 0x400000 cpl 3 vector 14"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_user_cannot_touch_supervisor_pages),
        cmocka_unit_test(test_unsupported_layout),
        cmocka_unit_test(test_state_goes_round),
        cmocka_unit_test(test_timer_everywhere),
        cmocka_unit_test(test_kicks),
        cmocka_unit_test(test_crash_report),
    };

    return cmocka_run_group_tests_name("direct", tests, NULL, NULL);
}
