/* Signals: from the guest's code they end host_enter(), from the host's own
 * they are kicks or the end. */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#ifndef SYS_USER_DISPATCH
#define SYS_USER_DISPATCH 2
#endif
#define SA_RESTORER 0x04000000

/* As the kernel knows it: the C library would put its own restorer in. */
struct kernel_sigaction {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
    const void *restorer;
    uint64_t mask;
};

static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
#define FAULTS (sizeof(faults) / sizeof(faults[0]))
static struct kernel_sigaction before[FAULTS + 1], mine;
static bool installed;

static int sys_sigaction(int sig, const struct kernel_sigaction *new,
                         struct kernel_sigaction *old)
{
    return (int)syscall(SYS_rt_sigaction, sig, new, old, 8);
}

static int signal_number(unsigned k)
{
    return k < FAULTS ? faults[k] : HOST_SIGNAL;
}

int host_signals_install(void)
{
    struct kernel_sigaction now;

    mine.handler = host_signal;
    mine.flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTORER;
    mine.restorer = host_restorer;
    for (unsigned k = 0; k <= FAULTS; k++) {
        if (sys_sigaction(signal_number(k), &mine, &now))
            return -errno;
        if (!installed || now.handler != mine.handler)
            before[k] = now;
    }
    installed = true;
    return 0;
}

void host_signals_remove(void)
{
    /* A last kick may still be on its way: it must not end the process. */
    if (!before[FAULTS].handler)
        before[FAULTS].handler = (void *)SIG_IGN;
    for (unsigned k = 0; installed && k <= FAULTS; k++)
        sys_sigaction(signal_number(k), &before[k], NULL);
    installed = false;
}

/* ---- Signals in the host's own code -------------------------------------- */

/* One line, as a row's reason is one. */
static void tell(int sig, const siginfo_t *info, const ucontext_t *uc,
                 bool guest)
{
    const struct host_cpu *h = host_current;
    bool sent = info->si_code <= 0;
    char text[200];
    int n;

    n = snprintf(text, sizeof(text),
                 sent ? "SIG%s in %s at %#llx, sent by process %lld; "
                      : "SIG%s in %s at %#llx, address %#llx; ",
                 sigabbrev_np(sig), guest ? "guest code" : "the VMM",
                 (unsigned long long)uc->uc_mcontext.gregs[REG_RIP],
                 sent ? (long long)info->si_pid
                      : (long long)(uintptr_t)info->si_addr);
    if (write(STDERR_FILENO, text, (size_t)n) < 0)
        return;
    if (h && h->report)
        h->report(h->opaque, STDERR_FILENO, guest);
    if (write(STDERR_FILENO, "\n", 1) < 0)
        return;
}

/* Not the guest's: hand it to whoever was there before. */
static void pass_on(int sig, siginfo_t *info, ucontext_t *uc, bool guest)
{
    unsigned k = 0;

    while (signal_number(k) != sig)
        k++;
    if (before[k].flags & SA_SIGINFO && before[k].handler) {
        before[k].handler(sig, info, uc);
        return;
    }
    /* The instruction runs again and meets the default action, as does what
     * goes wrong in here; where a process sent the signal, it is sent once
     * more. */
    before[k].handler = NULL; /* SIG_DFL */
    for (unsigned f = 0; f < FAULTS; f++)
        sys_sigaction(faults[f], &before[k], NULL);
    tell(sig, info, uc, guest);
    if (info->si_code <= 0)
        syscall(SYS_tgkill, getpid(), gettid(), sig);
}

static bool within(uint64_t rip, const char *from, const char *to)
{
    return rip >= (uintptr_t)from && rip < (uintptr_t)to;
}

/* A kick while host_enter() or host_leave are at work. True: it was. */
static bool kick_on_the_way(ucontext_t *uc)
{
    uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];

    host_current->kicked = 1;
    if (within(rip, host_enter_begin, host_enter_end)) {
        uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)host_enter_abort;
        return true;
    }
    return within(rip, host_leave, host_leave_end);
}

/* ---- The guest's --------------------------------------------------------- */

static void capture(struct host_cpu *h, const ucontext_t *uc, uint64_t fs,
                    uint64_t gs)
{
    static const uint8_t order[16] = {
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
        REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
    };
    const greg_t *g = uc->uc_mcontext.gregs;

    for (unsigned k = 0; k < 16; k++)
        h->regs.gpr[k] = (uint64_t)g[order[k]];
    h->regs.rip = (uint64_t)g[REG_RIP];
    /* Faults save RF = 1; no breakpoint of the guest's needs it. */
    h->regs.rflags = (uint64_t)g[REG_EFL] & ~FL_RF;
    h->regs.fs_base = fs;
    h->regs.gs_base = gs;
    memcpy(&h->regs.fx, uc->uc_mcontext.fpregs, sizeof(h->regs.fx));
}

static void classify(struct host_trap *t, int sig, const siginfo_t *info,
                     const ucontext_t *uc, struct host_regs *regs)
{
    const greg_t *g = uc->uc_mcontext.gregs;

    if (sig == HOST_SIGNAL) {
        t->kind = HOST_KICK;
    } else if (sig == SIGSYS) {
        t->kind = HOST_SYSCALL;
        regs->rip -= 2;
    } else {
        t->kind = HOST_EXCEPTION;
        t->vector = (uint32_t)g[REG_TRAPNO];
        t->error = (uint32_t)g[REG_ERR];
        t->address = t->vector == VEC_PF ? (uint64_t)g[REG_CR2]
                                         : (uint64_t)(uintptr_t)info->si_addr;
    }
}

/* Sent by the kernel for what the interrupted code did. */
static bool of_the_code(int sig, const siginfo_t *info)
{
    if (sig == SIGSYS)
        return info->si_code == SYS_USER_DISPATCH;
    return info->si_code > 0;
}

/* Was the guest's code interrupted? Two signals may come at once: then the
 * second finds the first one's handler at its first instruction. */
static bool was_guest(const struct host_cpu *h, const ucontext_t *uc)
{
    return h->in_guest &&
           !host_on_stack((uint64_t)uc->uc_mcontext.gregs[REG_RSP]) &&
           !within((uint64_t)uc->uc_mcontext.gregs[REG_RIP], host_enter_begin,
                   host_enter_end);
}

void host_on_signal(int sig, siginfo_t *info, ucontext_t *uc, uint64_t fs,
                    uint64_t gs)
{
    struct host_cpu *h = host_current;
    bool guest;

    if (!h || (sig == HOST_SIGNAL && kick_on_the_way(uc)))
        return;
    guest = was_guest(h, uc);
    if (guest) {
        h->trap.begin = __rdtsc();
        capture(h, uc, fs, gs);
    }
    if (!guest || (sig != HOST_SIGNAL && !of_the_code(sig, info))) {
        if (sig != HOST_SIGNAL)
            pass_on(sig, info, uc, guest);
        return;
    }
    classify(&h->trap, sig, info, uc, &h->regs);
    h->in_guest = 0;
    host_unwind();
}
