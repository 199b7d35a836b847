/* Runs cases on the bare CPU: a child whose every exception starts the next. */
#include "case.h"

#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define CHILD_SECONDS 60
#define FX_USED 416   /* FXSAVE bytes before the reserved and software areas */
#define XSTATE_BV 512 /* offset of XSTATE_BV in the frame's XSAVE image */

/* State of the child; it has one thread. */
static struct {
    const struct case_input *in;
    struct case_output *out;
    unsigned next, end;
    bool running;
    mcontext_t host;
    uint8_t host_fx[FX_USED];
} child;

/* x86_gpr order to ucontext's. */
static const int reg_of[16] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

void *case_alloc(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

void case_fill_ro(uint8_t ro[CASE_RO_SIZE])
{
    for (unsigned i = 0; i < CASE_RO_SIZE; i++)
        ro[i] = (uint8_t)(i * 37 + (i >> 8));
}

/* The kernel leaves out components in their initial state. */
static void take_fx(struct x86_fx *fx, const uint8_t *frame)
{
    uint64_t present;

    memcpy(&present, frame + XSTATE_BV, 8);
    memset(fx, 0, sizeof(*fx));
    memcpy(fx, frame, FX_USED);
    if (!(present & 1)) {
        fx->fcw = 0x37f;
        fx->fsw = fx->ftw = 0;
        fx->fop = 0;
        fx->fip = fx->fdp = 0;
        memset(fx->st, 0, sizeof(fx->st));
    }
    if (!(present & 2))
        memset(fx->xmm, 0, sizeof(fx->xmm));
}

static void give_fx(uint8_t *frame, const void *fx)
{
    uint64_t present;

    memcpy(frame, fx, 28);
    memcpy(frame + 32, (const uint8_t *)fx + 32, FX_USED - 32);
    memcpy(&present, frame + XSTATE_BV, 8);
    present |= 3;
    memcpy(frame + XSTATE_BV, &present, 8);
}

static bool has_error_code(int vector)
{
    return vector == VEC_DF || (vector >= VEC_TS && vector <= VEC_PF) ||
           vector == VEC_AC;
}

static void finish_case(const mcontext_t *mc)
{
    struct case_output *out = &child.out[child.next++];

    for (int i = 0; i < 16; i++)
        out->gpr[i] = (uint64_t)mc->gregs[reg_of[i]];
    out->rip = (uint64_t)mc->gregs[REG_RIP];
    out->rflags = (uint64_t)mc->gregs[REG_EFL];
    out->vector = (int)mc->gregs[REG_TRAPNO];
    if (has_error_code(out->vector))
        out->error = (uint32_t)mc->gregs[REG_ERR];
    if (out->vector == VEC_PF)
        out->cr2 = (uint64_t)mc->gregs[REG_CR2];
    take_fx(&out->fx, (const uint8_t *)mc->fpregs);
    memcpy(out->mem.data, (void *)CASE_DATA, CASE_RW_SIZE);
    memcpy(out->mem.stack, (void *)CASE_STACK, CASE_STK_SIZE);
}

static void start_case(mcontext_t *mc)
{
    const struct case_input *in = &child.in[child.next];

    memcpy((void *)CASE_DATA, in->mem.data, CASE_RW_SIZE);
    memcpy((void *)CASE_STACK, in->mem.stack, CASE_STK_SIZE);
    for (int i = 0; i < 16; i++)
        mc->gregs[reg_of[i]] = (greg_t)in->gpr[i];
    mc->gregs[REG_RIP] = (greg_t)case_rip(child.next);
    mc->gregs[REG_EFL] = (greg_t)(in->rflags & CASE_FLAGS) | 0x202;
    give_fx((uint8_t *)mc->fpregs, &in->fx);
}

/* SIGUSR1 starts the first case, each exception ends one and starts the next,
 * and after the last the context of the SIGUSR1 comes back. */
static void on_signal(int sig, siginfo_t *info, void *context)
{
    mcontext_t *mc = &((ucontext_t *)context)->uc_mcontext;

    (void)info;
    if (sig == SIGUSR1) {
        child.host = *mc;
        memcpy(child.host_fx, mc->fpregs, FX_USED);
        child.running = true;
    } else if (!child.running || info->si_code <= 0) {
        _exit(3);
    } else {
        finish_case(mc);
    }
    if (child.next < child.end) {
        start_case(mc);
        return;
    }
    child.running = false;
    memcpy(mc->gregs, child.host.gregs, sizeof(mc->gregs));
    give_fx((uint8_t *)mc->fpregs, child.host_fx);
}

static bool map_at(uint64_t address, size_t size)
{
    return mmap((void *)address, size, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                0) == (void *)address;
}

static bool map_case_memory(const struct case_input *in, unsigned first,
                            unsigned n)
{
    if (!map_at(CASE_CODE, CASE_SLOT * CASE_SLOTS) ||
        !map_at(CASE_DATA, CASE_RW_SIZE + CASE_RO_SIZE) ||
        !map_at(CASE_STACK, CASE_STK_SIZE))
        return false;
    for (unsigned i = first; i < first + n; i++)
        memcpy((void *)case_rip(i), in[i].code, in[i].code_len);
    case_fill_ro((uint8_t *)CASE_DATA + CASE_RW_SIZE);
    return !mprotect((void *)CASE_CODE, CASE_SLOT * CASE_SLOTS,
                     PROT_READ | PROT_EXEC) &&
           !mprotect((void *)(CASE_DATA + CASE_RW_SIZE), CASE_RO_SIZE,
                     PROT_READ);
}

static void run_child(const struct case_input *in, struct case_output *out,
                      unsigned first, unsigned n)
{
    static uint8_t stack[65536];
    static const int signals[] = {SIGUSR1, SIGSEGV, SIGBUS,
                                  SIGILL,  SIGFPE,  SIGTRAP};
    struct sigaction sa = {.sa_sigaction = on_signal,
                           .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t alt = {.ss_sp = stack, .ss_size = sizeof(stack)};

    if (!map_case_memory(in, first, n) ||
        syscall(SYS_arch_prctl, ARCH_SET_GS, CASE_GS_BASE))
        _exit(2);
    child.in = in;
    child.out = out;
    child.next = first;
    child.end = first + n;
    sigfillset(&sa.sa_mask);
    sigaltstack(&alt, NULL);
    for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        sigaction(signals[i], &sa, NULL);
    signal(SIGALRM, SIG_DFL);
    alarm(CHILD_SECONDS);
    raise(SIGUSR1);
    _exit(0);
}

int native_run(const struct case_input *in, struct case_output *out,
               unsigned first, unsigned n, char why[REASON_MAX])
{
    unsigned done = first;
    int status;
    pid_t pid;

    for (unsigned i = first; i < first + n; i++)
        out[i] = (struct case_output){.vector = -1};
    fflush(NULL);
    pid = fork();
    if (pid < 0) {
        snprintf(why, REASON_MAX, "fork: %s", strerror(errno));
        return -EAGAIN;
    }
    if (pid == 0)
        run_child(in, out, first, n);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    while (done < first + n && out[done].vector >= 0)
        done++;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        snprintf(why, REASON_MAX, "addresses of the cases are taken");
    else
        snprintf(why, REASON_MAX, "case %u killed the process: %s", done,
                 WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit");
    return -EFAULT;
}
