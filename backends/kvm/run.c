/* KVM_RUN and what comes out of it. */
#include "kvm.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* kick() and the timer both set immediate_exit beside the signal, so one that
 * arrives just before KVM_RUN is not lost: KVM_RUN then returns at once. */
static void on_signal(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    if (info->si_code == SI_TIMER) {
        struct kvm_vm *k = info->si_value.sival_ptr;

        k->run->immediate_exit = 1;
    }
}

int kvm_run_init(struct kvm_vm *k, char why[REASON_MAX])
{
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_RESTART};

    (void)k;
    sigemptyset(&action.sa_mask);
    if (sigaction(KVM_KICK_SIGNAL, &action, NULL) < 0)
        return kvm_errno(why, "sigaction");
    return 0;
}

void kvm_run_fini(struct kvm_vm *k)
{
    if (k->timer_made)
        timer_delete(k->timer);
}

void kvm_kick(struct vm *vm)
{
    struct kvm_vm *k = (struct kvm_vm *)vm;
    pid_t self = syscall(SYS_gettid), tid;
    int saved = errno;

    __atomic_or_fetch(&vm->attention, ATTN_KICK, __ATOMIC_SEQ_CST);
    __atomic_store_n(&k->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    tid = __atomic_load_n(&k->tid, __ATOMIC_SEQ_CST);
    if (tid && tid != self)
        syscall(SYS_tgkill, getpid(), tid, KVM_KICK_SIGNAL);
    errno = saved;
}

/* A vCPU that halts with IF = 0 sleeps in the kernel for ever and KVM says
 * nothing, so somebody must look from time to time. */
#define LOOK_SECONDS 1

/* The timer goes off after ticks, or after LOOK_SECONDS if that is sooner, and
 * then every LOOK_SECONDS. */
static int arm_timer(struct kvm_vm *k, uint64_t ticks)
{
    struct itimerspec when = {.it_interval.tv_sec = LOOK_SECONDS,
                              .it_value.tv_sec = LOOK_SECONDS};

    if (k->tsc_khz && ticks / 1000 / k->tsc_khz < LOOK_SECONDS) {
        when.it_value.tv_sec = 0;
        /* 0 would disarm; late is better than early. */
        when.it_value.tv_nsec = ticks * 1000000 / k->tsc_khz + 1;
        if (when.it_value.tv_nsec > 999999999)
            when.it_value.tv_nsec = 999999999;
    }
    return timer_settime(k->timer, 0, &when, NULL) < 0 ? -errno : 0;
}

/* The thread that runs the vCPU takes the signal and owns the timer. */
static int adopt_thread(struct kvm_vm *k)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
                             .sigev_signo = KVM_KICK_SIGNAL,
                             .sigev_value.sival_ptr = k};
    pid_t self = syscall(SYS_gettid);
    sigset_t set;

    if (k->tid == self)
        return 0;
    if (k->timer_made)
        timer_delete(k->timer);
    k->timer_made = false;
    event._sigev_un._tid = self;
    if (timer_create(CLOCK_MONOTONIC, &event, &k->timer) < 0)
        return -errno;
    k->timer_made = true;
    sigemptyset(&set);
    sigaddset(&set, KVM_KICK_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    __atomic_store_n(&k->tid, self, __ATOMIC_SEQ_CST);
    return arm_timer(k, UINT64_MAX);
}

static void do_io(struct kvm_vm *k)
{
    struct kvm_run *run = k->run;
    const struct vm_bus *bus = k->vm.bus;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    unsigned size = run->io.size;

    for (uint32_t i = 0; i < run->io.count; i++, data += size) {
        uint64_t value = 0;

        if (run->io.direction == KVM_EXIT_IO_OUT) {
            memcpy(&value, data, size);
            bus->io_write(bus->opaque, run->io.port, size, value);
        } else {
            value = bus->io_read(bus->opaque, run->io.port, size);
            memcpy(data, &value, size);
        }
    }
}

/* KVM splits what crosses a page or exceeds 8 bytes, so any length up to 8
 * comes in; the bus knows powers of two. */
static void do_mmio(struct kvm_vm *k)
{
    struct kvm_run *run = k->run;
    const struct vm_bus *bus = k->vm.bus;
    unsigned len = run->mmio.len, size;
    gpa_t gpa = run->mmio.phys_addr;

    for (unsigned at = 0; at < len; at += size) {
        uint64_t value = 0;

        for (size = 8; size > len - at; size /= 2)
            ;
        if (run->mmio.is_write) {
            memcpy(&value, run->mmio.data + at, size);
            bus->mmio_write(bus->opaque, gpa + at, size, value);
        } else {
            value = bus->mmio_read(bus->opaque, gpa + at, size);
            memcpy(run->mmio.data + at, &value, size);
        }
    }
}

static int fail(struct vm_exit *exit, int error, const char *what)
{
    exit->kind = EXIT_ERROR;
    snprintf(exit->why, REASON_MAX, "%s: %s", what, strerror(error));
    return -error;
}

static uint64_t rip_of(struct kvm_vm *k)
{
    struct kvm_regs regs = {0};

    ioctl(k->vcpu_fd, KVM_GET_REGS, &regs);
    return regs.rip;
}

static bool is_dead(struct kvm_vm *k)
{
    struct kvm_mp_state mp;

    return !k->run->if_flag && ioctl(k->vcpu_fd, KVM_GET_MP_STATE, &mp) == 0 &&
           mp.mp_state == KVM_MP_STATE_HALTED;
}

/* KVM_RUN was interrupted. Returns true when that is for the caller of run().
 */
static bool interrupted(struct kvm_vm *k, struct vm_exit *exit, bool kicked,
                        bool expired)
{
    /* In this order: a kick in between sets both again, and is seen later. */
    if (kicked)
        __atomic_and_fetch(&k->vm.attention, ~ATTN_KICK, __ATOMIC_SEQ_CST);
    __atomic_store_n(&k->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
    if (is_dead(k)) {
        exit->kind = EXIT_HLT_DEAD;
        exit->rip = rip_of(k);
        return true;
    }
    exit->kind = kicked ? EXIT_KICKED : EXIT_TIMER;
    return kicked || expired;
}

static void internal_error(struct kvm_vm *k, struct vm_exit *exit)
{
    const struct kvm_run *run = k->run;
    static const char *const what[] = {
        [KVM_INTERNAL_ERROR_SIMUL_EX] = "two exceptions at once",
        [KVM_INTERNAL_ERROR_DELIVERY_EV] = "an exit during event delivery",
        [KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "an unknown exit reason",
    };
    unsigned code = run->internal.suberror;

    if (code == KVM_INTERNAL_ERROR_EMULATION) {
        kvm_describe_failure(k, exit);
        return;
    }
    exit->kind = EXIT_ERROR;
    exit->rip = rip_of(k);
    snprintf(exit->why, REASON_MAX, "KVM internal error %u (%s) at 0x%llx",
             code,
             code < sizeof(what) / sizeof(what[0]) && what[code] ? what[code]
                                                                 : "unknown",
             (unsigned long long)exit->rip);
}

static void halted(struct kvm_vm *k, struct vm_exit *exit)
{
    exit->kind = k->run->if_flag ? EXIT_HLT : EXIT_HLT_DEAD;
    exit->rip = rip_of(k);
}

/* Returns true when the exit is for the caller of run(). */
static bool handle_exit(struct kvm_vm *k, struct vm_exit *exit)
{
    const struct kvm_run *run = k->run;

    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        do_io(k);
        return false;
    case KVM_EXIT_MMIO:
        do_mmio(k);
        return false;
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
    case KVM_EXIT_SET_TPR:
        return false;
    case KVM_EXIT_HLT:
        halted(k, exit);
        return true;
    case KVM_EXIT_SHUTDOWN:
        exit->kind = EXIT_SHUTDOWN;
        exit->rip = rip_of(k);
        snprintf(exit->why, REASON_MAX, "triple fault at 0x%llx",
                 (unsigned long long)exit->rip);
        return true;
    case KVM_EXIT_SYSTEM_EVENT:
        exit->kind = EXIT_SHUTDOWN;
        exit->rip = rip_of(k);
        snprintf(exit->why, REASON_MAX, "KVM system event %u",
                 run->system_event.type);
        return true;
    case KVM_EXIT_INTERNAL_ERROR:
        internal_error(k, exit);
        return true;
    case KVM_EXIT_FAIL_ENTRY:
        exit->kind = EXIT_ERROR;
        exit->rip = rip_of(k);
        snprintf(exit->why, REASON_MAX,
                 "VM entry failed, hardware reason 0x%llx, at 0x%llx",
                 run->fail_entry.hardware_entry_failure_reason,
                 (unsigned long long)exit->rip);
        return true;
    default:
        exit->kind = EXIT_ERROR;
        exit->rip = rip_of(k);
        snprintf(exit->why, REASON_MAX, "unexpected KVM exit %u at 0x%llx",
                 run->exit_reason, (unsigned long long)exit->rip);
        return true;
    }
}

/* Whether the deadline has passed; if not, the timer stands for it. */
static bool check_deadline(struct kvm_vm *k, uint64_t *armed)
{
    struct vm *vm = &k->vm;
    uint64_t now;

    if (vm->deadline == UINT64_MAX)
        return false;
    now = vm->bus->now(vm->bus->opaque);
    if (now >= vm->deadline)
        return true;
    if (*armed != vm->deadline && arm_timer(k, vm->deadline - now) == 0)
        *armed = vm->deadline;
    return false;
}

int kvm_run(struct vm *vm, struct vm_exit *exit)
{
    struct kvm_vm *k = (struct kvm_vm *)vm;
    uint64_t armed = UINT64_MAX; /* the deadline that the timer stands for */
    int err;

    *exit = (struct vm_exit){0};
    if (vm->trap_exceptions)
        return fail(exit, ENOTSUP, "KVM cannot report exceptions");
    err = adopt_thread(k);
    if (err)
        return fail(exit, -err, "the vCPU's timer");
    for (;;) {
        bool kicked =
            __atomic_load_n(&vm->attention, __ATOMIC_SEQ_CST) & ATTN_KICK;
        bool expired = check_deadline(k, &armed);

        /* KVM finishes a pending port or memory read, then comes back. */
        if (kicked || expired)
            __atomic_store_n(&k->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
        if (ioctl(k->vcpu_fd, KVM_RUN, 0) < 0) {
            if (errno != EINTR)
                return fail(exit, errno, "KVM_RUN");
            if (interrupted(k, exit, kicked, expired))
                return 0;
            armed = UINT64_MAX;
        } else if (handle_exit(k, exit)) {
            return exit->kind == EXIT_ERROR ? -EIO : 0;
        }
    }
}
