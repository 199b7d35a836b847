/* What a runner process may still do: resource limits and a seccomp filter. */
#include "sandbox.h"
#include "util.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void limit(int resource, rlim_t value)
{
    struct rlimit l;

    if (getrlimit(resource, &l))
        return;
    if (l.rlim_max < value)
        value = l.rlim_max;
    l.rlim_cur = l.rlim_max = value;
    setrlimit(resource, &l);
}

void sandbox_limits(pid_t parent, unsigned cpu_seconds, uint64_t memory)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before prctl took effect */
        _exit(1);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, cpu_seconds);
    limit(RLIMIT_FSIZE, 4ull << 30); /* guest RAM is a file of up to 3 GiB */
#ifndef __SANITIZE_ADDRESS__ /* whose shadow takes terabytes of addresses */
    limit(RLIMIT_AS, memory);
#else
    (void)memory;
#endif
}

/* What run loops, device models, timers and libc's allocator need. */
static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(preadv),
    SCMP_SYS(pwritev),
    SCMP_SYS(lseek),
    SCMP_SYS(fsync),
    SCMP_SYS(fdatasync),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(ioctl), /* KVM and perf_event, on what is open already */
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(timer_create),
    SCMP_SYS(timer_settime),
    SCMP_SYS(timer_gettime),
    SCMP_SYS(timer_delete),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(timerfd_gettime),
    SCMP_SYS(setitimer),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_yield),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(futex),
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
    SCMP_SYS(getrandom),
    SCMP_SYS(membarrier),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

static void (*on_denied)(int number);

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    on_denied(info->si_syscall);
    _exit(1);
}

int sandbox_enter(void (*denied)(int number), char why[REASON_MAX])
{
    struct sigaction action = {.sa_sigaction = on_sigsys,
                               .sa_flags = SA_SIGINFO};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    int err = filter ? 0 : -ENOMEM;

    for (size_t i = 0; !err && i < sizeof(allowed) / sizeof(allowed[0]); i++)
        err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    /* Signals only to itself: abort(), and the kick of a vCPU thread. */
    if (!err)
        err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                               SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    /* stat of an open file, as newer C libraries do it. */
    if (!err)
        err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM),
                               SCMP_SYS(newfstatat), 0);
    if (!err) {
        on_denied = denied;
        sigaction(SIGSYS, &action, NULL);
        err = seccomp_load(filter);
    }
    seccomp_release(filter);
    if (err)
        return fail_why(why, err, "the seccomp filter can't be loaded: %s",
                        strerror(-err));
    return 0;
}

const char *sandbox_call_name(int number, char text[64])
{
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

    if (name)
        snprintf(text, 64, "%s", name);
    else
        snprintf(text, 64, "system call %d", number);
    free(name);
    return text;
}
