/* Interrupts at every host instruction of translated code: each state that the
 * translator shows is one that the interpreter goes through, in that order.
 *
 * A traced child runs the guest. The parent lets it go until it enters the
 * translation cache, then single-steps a number of instructions in the cache
 * and sends the kick. */
#include "bt_fixture.h"

#include "backends/bt/bt.h"
#include "backends/host/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NO_PTRACE 77 /* the child's exit status */
#define AHEAD 400    /* instructions that may lie between two kicks */

/* Every sequence that takes several instructions of the host; RBP turns. */
GUEST(sequences, "1: stc\n"
                 "pushfq\n"
                 "popq 0x800(%rbx)\n"
                 "push 0x800(%rbx)\n"
                 "popfq\n"
                 "adc %rbp, %rax\n"
                 "sti\n"
                 "call 2f\n"
                 "cli\n"
                 "lea 8f(%rip), %r8\n"
                 "call *%r8\n"
                 "push %rbx\n"
                 "pop %r9\n"
                 "lea 1(%rcx, %rdx), %rcx\n"
                 "call 9f\n"
                 "cli\n"
                 "lea 9f(%rip), %r8\n"
                 "sti\n"
                 "call *%r8\n"
                 "cli\n"
                 "call 8f\n"
                 "mov %rcx, %rdx\n"
                 "lea 2f(%rip), %r8\n"
                 "call *%r8\n"
                 "mov %r8, 0x808(%rbx)\n"
                 "call *0x808(%rbx)\n"
                 "mov %rbx, %rsi\n"
                 "lea 0x1000(%rbx), %rdi\n"
                 "movsb\n"
                 "stosq\n"
                 "xor %r9d, %r9d\n"
                 "cmp %rbp, %rax\n"
                 "mov %r9, %cr8\n"
                 "adc $0, %rax\n"
                 "swapgs\n"
                 "add %rax, %gs:8\n"
                 "swapgs\n"
                 "add %gs:8, %rax\n"
                 "in $0x80, %al\n"
                 "mov $3, %ecx\n"
                 "3: inc %rax\n"
                 "loop 3b\n"
                 "jrcxz 5f\n"
                 "5: push %rax\n"
                 "push $-7\n"
                 "push %rbp\n"
                 "pop %r10\n"
                 "pop %r11\n"
                 "pop %r11\n"
                 "push %rbp\n"
                 "call 6f\n"
                 "lea 7f(%rip), %rdx\n"
                 "jmp *%rdx\n"
                 "7: dec %rbp\n"
                 "jnz 1b\n"
                 "jmp 4f\n"
                 "2: rol $3, %rax\n"
                 "xor %rbp, %rax\n"
                 "ret\n"
                 "8: push %rbp\n"
                 "push %rdx\n"
                 "mov %rsp, %r9\n"
                 "sub $8, %rsp\n"
                 "xor %eax, %eax\n"
                 "add %rdx, %rax\n"
                 "add $8, %rsp\n"
                 "pop %rdx\n"
                 "pop %rbp\n"
                 "ret\n"
                 "9: cli\n"
                 "sti\n"
                 "ret\n"
                 "6: inc %rax\n"
                 "ret $8\n"
                 "4:");

/* A program whose jumps and one instruction cross from page to page. */
GUEST(pages, "1: call 3f\n"
             "lea 3f(%rip), %r8\n"
             "call *%r8\n"
             "test $1, %bpl\n"
             "jz 4f\n"
             "add $5, %rax\n"
             "jmp 2f\n"
             ".skip 4096 - 20 - (. - guest_pages)\n"
             "2: mov $3, %ecx\n"
             "8: inc %rdi\n"
             "add $0x1234567, %rsi\n"
             "movabs $0x123456789abcdef, %rdx\n"
             "loop 8b\n"
             "jmp 5f\n"
             "3: add %rcx, %rax\n"
             "rol $3, %rax\n"
             "ret\n"
             "4: sub $7, %rax\n"
             "jmp 2b\n"
             ".skip 8192 - (. - guest_pages)\n"
             "5: dec %rbp\n"
             "jnz 1b\n"
             "syscall");

/* What the child runs: kernel code, or a program. */
struct code {
    const uint8_t *text, *end;
    int cpl;
};

/* Between parent and child. */
struct shared {
    volatile unsigned *attention; /* the child's address of it */
    volatile uint64_t rip;        /* of the guest, at the last kick */
    volatile uint64_t back;       /* the jump that ends a callout */
    char problem[200];
};
static struct shared *shared;

/* ---- The child ----------------------------------------------------------- */

static struct vm *start(const struct backend *b, const struct code *code,
                        const char *options, uint64_t turns)
{
    char why[REASON_MAX] = "";
    struct machine *m =
        machine_create_bare_with(b, RAM_SIZE, false, NULL, options, why);
    struct x86_state s;

    if (!m) {
        snprintf(shared->problem, sizeof(shared->problem), "%.180s", why);
        _exit(1);
    }
    bt_load_guest(m, &s, code->text, (size_t)(code->end - code->text),
                  code->cpl);
    s.gpr[RBP] = turns;
    machine_vm(m)->backend->set_state(machine_vm(m), &s);
    return machine_vm(m);
}

static bool same(const struct x86_state *a, const struct x86_state *b)
{
    return a->rip == b->rip && a->rflags == b->rflags &&
           !memcmp(a->gpr, b->gpr, sizeof(a->gpr)) && a->cr8 == b->cr8 &&
           a->int_shadow == b->int_shadow &&
           a->seg[GS].base == b->seg[GS].base &&
           a->kernel_gs_base == b->kernel_gs_base;
}

/* Lets the interpreter go on until it is where the translator is. */
static void follow(struct vm *interp, const struct x86_state *s)
{
    struct x86_state t;
    struct vm_exit exit;

    for (unsigned k = 0; k < AHEAD; k++) {
        interp->backend->get_state(interp, &t);
        if (same(s, &t))
            return;
        interp->limit = interp->retired + 1;
        interp->backend->run(interp, &exit);
        if (exit.kind != EXIT_KICKED)
            break;
    }
    interp->backend->get_state(interp, &t);
    if (same(s, &t))
        return;
    snprintf(shared->problem, sizeof(shared->problem),
             "no such state: rip %#llx%s rflags %#llx rax %#llx rcx %#llx rsp "
             "%#llx rbp %#llx",
             (unsigned long long)s->rip, s->int_shadow ? " behind STI" : "",
             (unsigned long long)s->rflags, (unsigned long long)s->gpr[RAX],
             (unsigned long long)s->gpr[RCX], (unsigned long long)s->gpr[RSP],
             (unsigned long long)s->gpr[RBP]);
    _exit(1);
}

/* jmp *(rip) between these addresses, or 0. */
static uint64_t find_jump(const uint8_t *from, const uint8_t *to)
{
    for (; from < to; from++)
        if (!memcmp(from, "\xff\x25", 2))
            return (uintptr_t)from;
    return 0;
}

static void child(const struct code *code, const char *options, uint64_t turns)
{
    struct vm *bt = start(&backend_bt, code, options, turns);
    struct vm *interp = start(&backend_interp, code, NULL, turns);
    struct x86_state s;
    const struct bt_stub *callout =
        &((const struct bt *)bt)->callouts[BT_CALLOUT_ANY];
    struct vm_exit exit;

    shared->attention = &bt->attention;
    shared->back =
        find_jump((const uint8_t *)(uintptr_t)bt_host(callout->begin),
                  (const uint8_t *)(uintptr_t)bt_host(callout->end));
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
        _exit(NO_PTRACE);
    raise(SIGSTOP);
    do {
        bt->backend->run(bt, &exit);
        bt->backend->get_state(bt, &s);
        shared->rip = s.rip;
        follow(interp, &s);
    } while (exit.kind == EXIT_KICKED);
    if (exit.kind != EXIT_HLT_DEAD && exit.kind != EXIT_HLT) {
        snprintf(shared->problem, sizeof(shared->problem),
                 "ended with exit %d: %.150s", exit.kind, exit.why);
        _exit(1);
    }
    _exit(0);
}

/* ---- The parent ---------------------------------------------------------- */

struct tracer {
    pid_t pid;
    int status;
    uint64_t entry;  /* the jump with which host_enter() ends */
    unsigned period; /* cache instructions until a kick; 0: one more each time
                        until the guest gets on */
    uint64_t kicks;
    bool hit[BT_CACHE_SIZE / 64]; /* of the first units, all there are */
};

static uint64_t rip_of(const struct tracer *t)
{
    return (uint64_t)ptrace(PTRACE_PEEKUSER, t->pid,
                            offsetof(struct user, regs.rip), NULL);
}

/* A PUSHF that was stepped over has seen TF, and its POPF sets it: then a child
 * that is to run on would stop everywhere. */
static void clear_tf(const struct tracer *t)
{
    const size_t at = offsetof(struct user, regs.eflags);
    long flags = ptrace(PTRACE_PEEKUSER, t->pid, at, NULL);

    if (flags & FL_TF)
        ptrace(PTRACE_POKEUSER, t->pid, at, flags & ~(long)FL_TF);
}

/* False: the child has ended. */
static bool go(struct tracer *t, int how, int sig)
{
    if (how == PTRACE_CONT)
        clear_tf(t);
    ptrace(how, t->pid, NULL, sig);
    return waitpid(t->pid, &t->status, 0) == t->pid && WIFSTOPPED(t->status);
}

/* At both ways into the cache. */
static bool set_breakpoints(const struct tracer *t)
{
    return !ptrace(PTRACE_POKEUSER, t->pid,
                   offsetof(struct user, u_debugreg[0]), t->entry) &&
           !ptrace(PTRACE_POKEUSER, t->pid,
                   offsetof(struct user, u_debugreg[1]), shared->back) &&
           !ptrace(PTRACE_POKEUSER, t->pid,
                   offsetof(struct user, u_debugreg[7]), 1 | 4);
}

static void set_attention(const struct tracer *t)
{
    unsigned kick = ATTN_KICK;
    struct iovec from = {&kick, sizeof(kick)};
    struct iovec to = {(void *)(uintptr_t)shared->attention, sizeof(kick)};

    process_vm_writev(t->pid, &from, 1, &to, 1, 0);
}

/* From host_enter()'s last instruction on. True: it has got so far in the cache
 * that it is time for the kick. */
static bool step_to_kick(struct tracer *t, unsigned steps)
{
    uint64_t off = rip_of(t) - BT_CACHE;

    while (steps) {
        bool inside = off < BT_CACHE_SIZE || rip_of(t) == t->entry;

        if (!go(t, inside ? PTRACE_SINGLESTEP : PTRACE_CONT, 0) ||
            WSTOPSIG(t->status) != SIGTRAP)
            return false;
        off = rip_of(t) - BT_CACHE;
        steps -= off < BT_CACHE_SIZE;
    }
    if (off < sizeof(t->hit))
        t->hit[off] = true;
    return true;
}

static void trace(struct tracer *t)
{
    uint64_t last = 0;
    unsigned steps = 0;
    int sig = 0;

    while (go(t, PTRACE_CONT, sig)) {
        sig = WSTOPSIG(t->status) == SIGTRAP ? 0 : WSTOPSIG(t->status);
        if (sig || rip_of(t) != t->entry)
            continue;
        steps = shared->rip == last ? steps + 1 : 1;
        last = shared->rip;
        if (step_to_kick(t, t->period ? t->period : steps)) {
            set_attention(t);
            sig = HOST_SIGNAL;
            t->kicks++;
        } else if (!WIFSTOPPED(t->status)) {
            break;
        } else if (WSTOPSIG(t->status) != SIGTRAP) {
            sig = WSTOPSIG(t->status);
        }
    }
}

/* Returns how many places of the cache were interrupted. */
static unsigned run_traced(const struct code *code, const char *options,
                           unsigned period, uint64_t turns)
{
    static struct tracer t;
    unsigned places = 0;

    memset(&t, 0, sizeof(t));
    memset(shared, 0, sizeof(*shared));
    t.entry = find_jump((const uint8_t *)host_enter_begin,
                        (const uint8_t *)host_enter_end);
    t.period = period;
    assert_true(t.entry != 0);
    t.pid = fork();
    if (!t.pid)
        child(code, options, turns);
    assert_int_equal(waitpid(t.pid, &t.status, 0), t.pid);
    if (WIFEXITED(t.status) && WEXITSTATUS(t.status) == NO_PTRACE)
        skip();
    if (WIFSTOPPED(t.status) && !set_breakpoints(&t)) {
        kill(t.pid, SIGKILL);
        waitpid(t.pid, &t.status, 0);
        skip(); /* no hardware breakpoints here */
    }
    if (WIFSTOPPED(t.status))
        trace(&t);
    if (!WIFEXITED(t.status) || WEXITSTATUS(t.status))
        fail_msg("options %s, period %u, after %llu kicks: %s (status %#x)",
                 options ? options : "none", period,
                 (unsigned long long)t.kicks, shared->problem, t.status);
    for (unsigned k = 0; k < sizeof(t.hit); k++)
        places += t.hit[k];
    return places;
}

static const struct code kernel = {guest_sequences, guest_sequences_end, 0};
static const struct code program = {guest_pages, guest_pages_end, 3};

/* Where the guest doesn't get on, the next kick comes one instruction later: so
 * every instruction of every sequence is interrupted. */
static void test_every_instruction(void **state)
{
    (void)state;
    assert_true(run_traced(&kernel, NULL, 0, 3) > 150);
    assert_true(run_traced(&kernel, "bt-chain=off,bt-unit=1", 0, 1) > 100);
    assert_true(run_traced(&kernel, "bt-inline=off", 0, 1) > 100);
    assert_true(run_traced(&program, "bt-user=translate", 0, 6) > 40);
}

/* Kicks that let some units run, chained and through the tables: longer than
 * any sequence, or the guest wouldn't get on. */
static void test_periods(void **state)
{
    static const unsigned periods[] = {41, 67, 97};
    unsigned places = 0;

    (void)state;
    for (unsigned k = 0; k < sizeof(periods) / sizeof(periods[0]); k++) {
        assert_true(run_traced(&kernel, NULL, periods[k], 20) > 20);
        places += run_traced(&program, "bt-user=translate", periods[k], 100);
    }
    assert_true(places > 40); /* and stubs, which are not counted */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_instruction),
        cmocka_unit_test(test_periods),
    };
    char why[REASON_MAX];

    if (backend_bt.probe(why)) {
        print_message("skipped: %s\n", why);
        return 0;
    }
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
