/* The KVM backend's own parts: one VM, one vCPU, their counters. */
#ifndef TM_KVM_H
#define TM_KVM_H

#include "../backend.h"

#include <linux/kvm.h>
#include <signal.h>
#include <sys/types.h>
#include <time.h>

/* Interrupts KVM_RUN: kick() and the deadline timer send it to the vCPU's
 * thread. Its handler is installed by create() and never removed. */
#define KVM_KICK_SIGNAL SIGUSR1

#define KVM_STATS_MAX 32 /* rows of stats.c that one fd can supply */
#define KVM_MSRS_MAX 16  /* rows of state.c */

/* One binary statistics file: of the VM or of the vCPU. */
struct kvm_stats {
    int fd; /* -1: the kernel has none */
    unsigned count;
    struct {
        enum tm_event event;
        uint32_t offset; /* of the 64-bit value, from the start of the file */
    } row[KVM_STATS_MAX];
};

/* What one tracepoint counter counts. */
struct kvm_trace_row {
    enum tm_event event;
    const char *tracepoint; /* below tracefs' events/ */
    const char *filter;     /* over its fields; NULL: every hit */
};

/* perf counters of the thread that creates the VM, which must be the one that
 * runs it; a group, read as a whole. */
#define KVM_TRACE_MAX 32
struct kvm_trace {
    unsigned count; /* 0: not counting */
    unsigned exits; /* the first of them count exits, fd[0] all exits */
    int fd[KVM_TRACE_MAX];
    enum tm_event event[KVM_TRACE_MAX];
};

struct kvm_vm {
    struct vm vm; /* first: the machine's view */
    int kvm_fd, vm_fd, vcpu_fd;
    struct kvm_run *run; /* shared with the kernel */
    size_t run_size;
    pid_t tid; /* of the thread that was last inside run(); 0: none yet */
    uint64_t tsc_khz;
    bool timer_made;
    timer_t timer; /* belongs to thread tid */
    unsigned msr_count;
    uint32_t msr[KVM_MSRS_MAX]; /* those that this host can save */
    struct kvm_stats stats[2];  /* vCPU, VM */
    uint64_t stats_base[EV_COUNT];
    struct kvm_trace trace;
};

/* state.c: translation between struct x86_state and KVM's structs. */
void kvm_state_init(struct kvm_vm *k); /* finds out which MSRs there are */
int kvm_get_state(struct vm *vm, struct x86_state *s);
int kvm_set_state(struct vm *vm, const struct x86_state *s);

/* run.c */
int kvm_run_init(struct kvm_vm *k, char why[REASON_MAX]);
void kvm_run_fini(struct kvm_vm *k);
int kvm_run(struct vm *vm, struct vm_exit *exit);
void kvm_kick(struct vm *vm);

/* stats.c: counters of KVM_GET_STATS_FD. A kernel without them leaves the
 * events uncounted. */
void kvm_stats_open(struct kvm_vm *k);
void kvm_stats_close(struct kvm_vm *k);
/* Finds our rows in the statistics file s->fd. */
void kvm_stats_find_rows(struct kvm_stats *s);
void kvm_sync_events(struct vm *vm);

/* trace.c: exits by reason and the shadow MMU's events, on request: each exit
 * passes some twenty filters, which its time then holds. Needs tracefs and the
 * right to count tracepoints: 0, or negative errno with why. */
int kvm_trace_open(struct kvm_vm *k, char why[REASON_MAX]);
void kvm_trace_close(struct kvm_vm *k);
/* Sets the events that have a counter (exit.other too) to their counts since
 * open; false: none has. */
bool kvm_trace_read(struct kvm_vm *k, uint64_t count[EV_COUNT]);
/* The table of exit reasons that a module has, or NULL. */
const struct kvm_trace_row *kvm_trace_rows(const char *module, size_t *count);

/* insn.c: fills exit with the instruction at CS:RIP, which KVM gave up on: rip,
 * up to 15 bytes (from the exit, or else from guest memory; what follows the
 * instruction may be among them), why with all of this and the CPL. */
void kvm_describe_failure(struct kvm_vm *k, struct vm_exit *exit);

/* cpuid.c: what the guest sees: all that KVM supports, as one processor with
 * APIC ID 0. */
int kvm_set_cpuid(struct kvm_vm *k, char why[REASON_MAX]);

/* Errors with their cause: returns -errno of the moment and fills why with
 * "what: strerror". */
int kvm_errno(char why[REASON_MAX], const char *what);

#endif
