/* What keeps guest code that runs natively from the host's kernel: dispatch of
 * its system calls and, where it tampers with that, the runner's filter. And
 * what is told where the VMM itself breaks. */
#include "bt_fixture.h"

#include "backends/host/internal.h"
#include "harness/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define HELD 0
#define DENIED 3
#define BROKEN 4
#define ESCAPED 42 /* what the guest's call of the host's exit() says */

static const char *const backend_names[] = {"direct", "bt"};
#define BACKENDS 2

static int told[2];

/* ---- In a child process -------------------------------------------------- */

static void denied(int number)
{
    if (write(told[1], &number, sizeof(number)) != sizeof(number))
        _exit(BROKEN);
    _exit(DENIED);
}

/* Runs the code at CPL 3 with those registers. 0, or BROKEN. */
static int on_backend(const char *name, const uint8_t *code, size_t len,
                      const struct x86_state *with, bool sandbox,
                      struct vm_exit *exit)
{
    char why[REASON_MAX] = "";
    struct machine *m =
        machine_create_bare(backend_find(name), RAM_SIZE, false, why);
    struct x86_state s;
    struct vm *vm;

    if (!m || (sandbox && sandbox_enter(denied, why))) {
        print_message("%s: %s\n", name, why);
        return BROKEN;
    }
    vm = machine_vm(m);
    bt_load_guest(m, &s, code, len, 3);
    memcpy(s.gpr, with->gpr, sizeof(s.gpr));
    s.gpr[RSP] = STACK + SPAN / 2;
    s.gpr[RBP] = DATA;
    s.rip = CODE;
    s.efer &= ~(uint64_t)EFER_SCE;
    vm->trap_exceptions = true;
    vm->deadline = __builtin_ia32_rdtsc() + 2000000000;
    if (vm->backend->set_state(vm, &s) || vm->backend->run(vm, exit))
        return BROKEN;
    return HELD;
}

/* How that ends: a wait status; the exit, and what the sandbox denied. */
static int in_child(const char *name, const uint8_t *code, size_t len,
                    const struct x86_state *with, bool sandbox,
                    struct vm_exit *exit, int *number)
{
    int results[2], status;
    pid_t pid;

    assert_int_equal(pipe(told), 0);
    assert_int_equal(pipe(results), 0);
    pid = fork();
    if (!pid) {
        status = on_backend(name, code, len, with, sandbox, exit);
        if (write(results[1], exit, sizeof(*exit)) != sizeof(*exit))
            status = BROKEN;
        _exit(status);
    }
    close(told[1]);
    close(results[1]);
    *number = -1;
    memset(exit, 0, sizeof(*exit));
    if (read(told[0], number, sizeof(*number)) < 0 ||
        read(results[0], exit, sizeof(*exit)) < 0)
        *number = -1;
    close(told[0]);
    close(results[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* ---- Instructions that call the host's kernel ---------------------------- */

/* exit(42) for whoever takes the call, by the number of that ABI. */
#define CALL(number, insn)                                                     \
    "mov $" #number ", %eax\n"                                                 \
    "mov $42, %ebx\n"                                                          \
    "mov $42, %edi\n" insn "\n"
/* The same in the host's 32-bit mode, where a far return gets user code. */
#define IN_COMPAT(code)                                                        \
    "push $0x23\n"                                                             \
    "push $0x200000 + 2f - 1b\n"                                               \
    "lretq\n"                                                                  \
    "2:" code

GUEST(call64, "1:" CALL(60, "syscall"));
GUEST(call_int80, "1:" CALL(1, "int $0x80"));
GUEST(call_sysenter, "1:" CALL(1, "sysenter"));
GUEST(call_x32, "1:" CALL(0x4000003c, "syscall"));
GUEST(compat_int80, "1:" IN_COMPAT(CALL(1, "int $0x80")));
GUEST(compat_syscall, "1:" IN_COMPAT(CALL(1, "syscall")));
GUEST(compat_sysenter, "1:" IN_COMPAT(CALL(1, "sysenter")));

#define PROGRAM(name) #name, guest_##name, guest_##name##_end

static const struct {
    const char *name;
    const uint8_t *code, *end;
    bool exact; /* the guest sees what the interpreter's does; where SYSENTER
                   enters the host's kernel, its address is lost */
} calls[] = {
    {PROGRAM(call64), true},           {PROGRAM(call_int80), true},
    {PROGRAM(call_sysenter), false},   {PROGRAM(call_x32), true},
    {PROGRAM(compat_int80), false},    {PROGRAM(compat_syscall), false},
    {PROGRAM(compat_sysenter), false},
};

/* Without the sandbox: nothing of this may get as far as there. */
static void calls_are_the_guests(void **state)
{
    static const struct x86_state zero;
    struct vm_exit want, got;
    int number, status;

    (void)state;
    for (size_t k = 0; k < sizeof(calls) / sizeof(calls[0]); k++) {
        size_t len = (size_t)(calls[k].end - calls[k].code);

        assert_int_equal(
            on_backend("interp", calls[k].code, len, &zero, false, &want),
            HELD);
        for (unsigned b = 0; b < BACKENDS; b++) {
            status = in_child(backend_names[b], calls[k].code, len, &zero,
                              false, &got, &number);
            if (!WIFEXITED(status) || WEXITSTATUS(status) != HELD)
                fail_msg("%s on %s: status %#x", calls[k].name,
                         backend_names[b], status);
            if (calls[k].exact &&
                (got.kind != want.kind || got.vector != want.vector ||
                 got.error != want.error || got.rip != want.rip))
                fail_msg("%s on %s: exit %d, vector %d at %#llx", calls[k].name,
                         backend_names[b], got.kind, got.vector,
                         (unsigned long long)got.rip);
        }
    }
}

/* ---- The sandbox --------------------------------------------------------- */

/* A guest that knows where the switch is turns dispatch off: it runs in the
 * VMM's process, nothing hides that from it. */
GUEST(escape64, "movb $0, (%rbx)\n"
                "syscall");
GUEST(escape32, "movb $0, (%rbx)\n"
                "mov $42, %ebx\n"
                "int $0x80");

static int escape(const char *name, bool by_int80, int call, int *number)
{
    static const char path[] = "/etc/passwd";
    struct x86_state s = {0};
    struct vm_exit exit;

    s.gpr[RAX] = (uint64_t)call;
    s.gpr[RBX] = (uint64_t)(uintptr_t)&host_selector;
    s.gpr[RDI] = (uint64_t)(uintptr_t)path;
    if (call == SYS_exit)
        s.gpr[RDI] = ESCAPED;
    if (call == SYS_socket)
        s.gpr[RDI] = AF_INET;
    if (call == SYS_socket)
        s.gpr[RSI] = SOCK_STREAM;
    return by_int80 ? in_child(name, guest_escape32, GUEST_LEN(escape32), &s,
                               true, &exit, number)
                    : in_child(name, guest_escape64, GUEST_LEN(escape64), &s,
                               true, &exit, number);
}

static void sandbox_holds_an_escape(void **state)
{
    static const int harmful[] = {SYS_open,   SYS_creat, SYS_execve, SYS_socket,
                                  SYS_fork,   SYS_vfork, SYS_ptrace, SYS_kill,
                                  SYS_unlink, SYS_prctl};
    int number, status;

    (void)state;
    for (unsigned b = 0; b < BACKENDS; b++) {
        const char *name = backend_names[b];

        /* It does come through: only the filter is in the way. */
        status = escape(name, false, SYS_exit, &number);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), ESCAPED);
        for (size_t k = 0; k < sizeof(harmful) / sizeof(harmful[0]); k++) {
            status = escape(name, false, harmful[k], &number);
            if (!WIFEXITED(status) || WEXITSTATUS(status) != DENIED ||
                number != harmful[k])
                fail_msg("%s: call %d: status %#x, denied %d", name, harmful[k],
                         status, number);
        }
        /* Calls of another ABI end the process, exit() as well. */
        status = escape(name, true, 1, &number);
        assert_true(WIFSIGNALED(status));
        status = escape(name, false, 0x40000000 | SYS_open, &number);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == DENIED);
    }
}

/* The page at the top of the host's address space that calls its kernel without
 * a system call. Some hosts have none: a page fault. */
GUEST(vsyscall, "xor %edi, %edi\n"
                "xor %esi, %esi\n"
                "call *%rbx");

static void sandbox_stops_vsyscalls(void **state)
{
    static const int numbers[] = {SYS_gettimeofday, SYS_time, SYS_getcpu};
    struct x86_state s = {0};
    struct vm_exit exit;
    int number, status;

    (void)state;
    for (unsigned b = 0; b < BACKENDS; b++)
        for (unsigned k = 0; k < 3; k++) {
            s.gpr[RBX] = 0xffffffffff600000 + 0x400 * k;
            status = in_child(backend_names[b], guest_vsyscall,
                              GUEST_LEN(vsyscall), &s, true, &exit, &number);
            assert_true(WIFEXITED(status));
            if (WEXITSTATUS(status) == DENIED) {
                assert_int_equal(number, numbers[k]);
                continue;
            }
            assert_int_equal(WEXITSTATUS(status), HELD);
            assert_int_equal(exit.kind, EXIT_EXCEPTION);
            assert_int_equal(exit.vector, VEC_PF);
            assert_int_equal(exit.rip, s.gpr[RBX]);
        }
}

/* ---- A crash of the VMM -------------------------------------------------- */

GUEST(endless, "1: inc %rax\n"
               "call 2f\n"
               "jmp 1b\n"
               "2: ret");

/* At CPL 0: on bt from the cache. sig 0: a bug in a device, after the guest;
 * otherwise somebody sends it while the guest runs. */
static void crash(const char *name, int sig, int fd)
{
    int *volatile nowhere = (int *)8;
    char why[REASON_MAX];
    struct machine *m =
        machine_create_bare(backend_find(name), RAM_SIZE, false, why);
    struct x86_state s;
    struct vm_exit exit;
    struct vm *vm;

    if (!m || dup2(fd, STDERR_FILENO) < 0)
        _exit(BROKEN);
    vm = machine_vm(m);
    bt_load_guest(m, &s, guest_endless, GUEST_LEN(endless), 0);
    vm->deadline = __builtin_ia32_rdtsc() + 50000000;
    if (vm->backend->set_state(vm, &s) || vm->backend->run(vm, &exit) ||
        exit.kind != EXIT_TIMER)
        _exit(BROKEN);
    if (!sig)
        *nowhere = 1;
    vm->deadline = UINT64_MAX;
    if (write(fd, "ready\n", 6) == 6)
        vm->backend->run(vm, &exit);
    _exit(BROKEN);
}

/* The report, and the signal that the process died of. */
static int crash_report(const char *name, int sig, char *text, size_t room)
{
    int fds[2], status;
    size_t have = 0;
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (!pid)
        crash(name, sig, fds[1]);
    close(fds[1]);
    while ((n = read(fds[0], text + have, room - 1 - have)) > 0) {
        have += (size_t)n;
        if (have == 6 && sig) {
            usleep(2000); /* it is in the guest's code by far the most */
            kill(pid, sig);
        }
    }
    text[have] = '\0';
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

static void crash_is_told(void **state)
{
    static const int sent[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    char text[2048], *guest;

    (void)state;
    for (unsigned b = 0; b < BACKENDS; b++) {
        const char *name = backend_names[b];
        bool bt = !strcmp(name, "bt");

        assert_int_equal(crash_report(name, 0, text, sizeof(text)), SIGSEGV);
        assert_non_null(strstr(text, "SIGSEGV in the VMM at 0x"));
        assert_non_null(strstr(text, ", address 0x8; guest rip 0x2000"));
        assert_non_null(strstr(text, bt ? " at 0x51000"
                                        : "; last traps: exception at 0x2"));
        if (bt) {
            assert_non_null(strstr(text, "; last exits: "));
            assert_non_null(strstr(text, "return at 0x2000"));
        }
        for (size_t k = 0; k < sizeof(sent) / sizeof(sent[0]); k++) {
            assert_int_equal(crash_report(name, sent[k], text, sizeof(text)),
                             sent[k]);
            guest = strstr(text, "in guest code at 0x");
            if (!guest) /* the moment between two timers */
                guest = strstr(text, "in the VMM at 0x");
            assert_non_null(guest);
            assert_non_null(strstr(guest, "sent by process"));
            assert_non_null(strstr(guest, "guest rip 0x2000"));
            if (bt)
                assert_non_null(strstr(guest, " unit 0x2000"));
            assert_ptr_equal(strchr(guest, '\n'), text + strlen(text) - 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_the_guests),
        cmocka_unit_test(sandbox_holds_an_escape),
        cmocka_unit_test(sandbox_stops_vsyscalls),
        cmocka_unit_test(crash_is_told),
    };
    char why[REASON_MAX];

    for (unsigned b = 0; b < BACKENDS; b++) {
        struct machine *m = NULL;

        /* A sanitizer's own memory may be in the way. */
        if (!backend_find(backend_names[b])->probe(why))
            m = machine_create_bare(backend_find(backend_names[b]), RAM_SIZE,
                                    false, why);
        if (!m) {
            print_message("skipped: %s\n", why);
            return 0;
        }
        machine_destroy(m);
    }
    return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
