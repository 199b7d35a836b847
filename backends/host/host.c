/* Preparing this thread for guest code: signal stack, system call dispatch,
 * timer. */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON 1
#endif
#define ARCH_SET_CPUID 0x1012
#define HWCAP2_FSGSBASE (1ul << 1)
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define STACK_SIZE (64u << 10) /* a signal frame with AVX-512 is 3.5 KiB */

struct host_cpu *host_current;

static void *stack;
static timer_t timer;
static bool have_timer, cpuid_faults, claimed;
static pid_t thread;
static uint64_t khz, armed; /* TSC value that the timer is set for */

static int dispatch(bool on)
{
    if (!on)
        return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0,
                     0);
    host_selector = 0;
    return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON,
                 (unsigned long)host_restorer,
                 (unsigned long)(host_restorer_end - host_restorer) + 1,
                 &host_selector);
}

int host_probe(char why[REASON_MAX])
{
    if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)) {
        snprintf(why, REASON_MAX,
                 "the host gives user mode no FSGSBASE instructions");
        return -ENOTSUP;
    }
    if (dispatch(true)) {
        snprintf(why, REASON_MAX,
                 "the host's kernel has no Syscall User Dispatch (Linux 5.11)");
        return -ENOTSUP;
    }
    dispatch(false);
    return 0;
}

bool host_cpuid_faults(void)
{
    return cpuid_faults;
}

bool host_on_stack(uint64_t address)
{
    return address - (uintptr_t)stack < STACK_SIZE;
}

static int make_stack(void)
{
    stack_t ss = {.ss_size = STACK_SIZE};

    stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (stack == MAP_FAILED) {
        stack = NULL;
        return -errno;
    }
    ss.ss_sp = stack;
    return sigaltstack(&ss, NULL) ? -errno : 0;
}

static int make_timer(void)
{
    struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID,
                          .sigev_signo = HOST_SIGNAL};

    ev.sigev_notify_thread_id = thread;
    if (timer_create(CLOCK_MONOTONIC, &ev, &timer))
        return -errno;
    have_timer = true;
    return 0;
}

int host_attach(struct host_cpu *h, uint64_t tsc_khz, char why[REASON_MAX])
{
    int err = host_probe(why);

    if (err)
        return err;
    if (host_current) {
        snprintf(why, REASON_MAX, "another vCPU of this process runs natively");
        return -EBUSY;
    }
    thread = gettid();
    khz = tsc_khz;
    armed = UINT64_MAX;
    host_fs_base = _readfsbase_u64();
    host_gs_base = _readgsbase_u64();
    host_current = h;
    err = make_stack();
    if (!err)
        err = make_timer();
    if (!err && dispatch(true))
        err = -errno;
    if (err) {
        snprintf(why, REASON_MAX, "cannot prepare for guest code: %s",
                 strerror(-err));
        host_detach(h);
        return err;
    }
    cpuid_faults = !syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
    return 0;
}

void host_detach(struct host_cpu *h)
{
    const stack_t off = {.ss_flags = SS_DISABLE};

    if (host_current != h)
        return;
    host_signals_remove();
    claimed = false;
    dispatch(false);
    if (cpuid_faults)
        syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
    cpuid_faults = false;
    if (have_timer)
        timer_delete(timer);
    have_timer = false;
    if (stack) {
        sigaltstack(&off, NULL);
        munmap(stack, STACK_SIZE);
    }
    stack = NULL;
    host_current = NULL;
}

void host_claim_signals(struct host_cpu *h)
{
    if (host_current == h && !claimed)
        claimed = !host_signals_install();
}

void host_arm(struct host_cpu *h, uint64_t deadline)
{
    struct itimerspec t = {0};
    uint64_t now, ns;

    /* An alarm that comes early only costs a look at the clock. */
    if (armed > (now = __rdtsc()) ? armed <= deadline : deadline == UINT64_MAX)
        return;
    if (deadline <= now) {
        h->kicked = 1;
        return;
    }
    ns = (uint64_t)((unsigned __int128)(deadline - now) * 1000000 / khz) + 1;
    t.it_value.tv_sec = (time_t)(ns / 1000000000);
    t.it_value.tv_nsec = (long)(ns % 1000000000);
    armed = deadline;
    timer_settime(timer, 0, &t, NULL);
}

void host_kick(struct host_cpu *h)
{
    /* One signal at a time: each that is queued takes a frame of the stack.
     * Before the handlers are there it would end the process; the flag is seen
     * by the first host_enter(). */
    if (!__atomic_exchange_n(&h->kicked, 1, __ATOMIC_SEQ_CST) && claimed &&
        gettid() != thread)
        syscall(SYS_tgkill, getpid(), thread, HOST_SIGNAL);
}
