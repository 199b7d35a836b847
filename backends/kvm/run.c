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
                               .sa_flags = SA_SIGINFO};

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

/* The thread that runs the vCPU takes the signal and owns the timer. */
static void adopt_thread(struct kvm_vm *k)
{
    pid_t self = syscall(SYS_gettid);
    sigset_t set;

    if (k->tid == self)
        return;
    if (k->timer_made) {
        timer_delete(k->timer);
        k->timer_made = false;
    }
    sigemptyset(&set);
    sigaddset(&set, KVM_KICK_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    __atomic_store_n(&k->tid, self, __ATOMIC_SEQ_CST);
}

/* Returns false where no timer can be had. */
static bool arm_timer(struct kvm_vm *k, uint64_t ticks)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
                             .sigev_signo = KVM_KICK_SIGNAL,
                             .sigev_value.sival_ptr = k};
    struct itimerspec when = {0};
    uint64_t ns;

    if (!k->timer_made) {
        event._sigev_un._tid = k->tid;
        if (timer_create(CLOCK_MONOTONIC, &event, &k->timer) < 0)
            return false;
        k->timer_made = true;
    }
    ns = k->tsc_khz ? (unsigned __int128)ticks * 1000000 / k->tsc_khz : ticks;
    when.it_value.tv_sec = ns / 1000000000;
    when.it_value.tv_nsec = ns % 1000000000;
    if (!when.it_value.tv_sec && !when.it_value.tv_nsec)
        when.it_value.tv_nsec = 1; /* 0 would disarm */
    return !timer_settime(k->timer, 0, &when, NULL);
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

/* A halted vCPU with IF = 0 would sleep in the kernel for ever; whoever kicks
 * it learns that. */
static bool is_dead(struct kvm_vm *k)
{
    struct kvm_mp_state mp;

    return !k->run->if_flag && ioctl(k->vcpu_fd, KVM_GET_MP_STATE, &mp) == 0 &&
           mp.mp_state == KVM_MP_STATE_HALTED;
}

static int leave(struct kvm_vm *k, struct vm_exit *exit, bool kicked)
{
    /* In this order: a kick in between sets both again, and the next run()
     * sees the flag. */
    if (kicked)
        __atomic_and_fetch(&k->vm.attention, ~ATTN_KICK, __ATOMIC_SEQ_CST);
    __atomic_store_n(&k->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
    exit->kind = kicked ? EXIT_KICKED : EXIT_TIMER;
    if (kicked && is_dead(k)) {
        exit->kind = EXIT_HLT_DEAD;
        exit->rip = rip_of(k);
    }
    return 0;
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

int kvm_run(struct vm *vm, struct vm_exit *exit)
{
    struct kvm_vm *k = (struct kvm_vm *)vm;
    uint64_t armed = UINT64_MAX; /* the deadline the timer stands for */

    *exit = (struct vm_exit){0};
    if (vm->trap_exceptions)
        return fail(exit, ENOTSUP, "KVM cannot report exceptions");
    adopt_thread(k);
    for (;;) {
        bool kicked =
            __atomic_load_n(&vm->attention, __ATOMIC_SEQ_CST) & ATTN_KICK;
        bool expired = false;

        if (vm->deadline != UINT64_MAX) {
            uint64_t now = vm->bus->now(vm->bus->opaque);

            expired = now >= vm->deadline;
            if (!expired && armed != vm->deadline) {
                if (!arm_timer(k, vm->deadline - now))
                    return fail(exit, errno, "timer");
                armed = vm->deadline;
            }
        }
        /* KVM finishes a pending port or memory read, then comes back. */
        if (kicked || expired)
            __atomic_store_n(&k->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
        if (ioctl(k->vcpu_fd, KVM_RUN, 0) < 0) {
            if (errno != EINTR)
                return fail(exit, errno, "KVM_RUN");
            if (kicked || expired)
                return leave(k, exit, kicked);
            /* A kick sets its flag first, so clearing this loses none. */
            __atomic_store_n(&k->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
            continue;
        }
        if (handle_exit(k, exit))
            return exit->kind == EXIT_ERROR ? -EIO : 0;
    }
}
