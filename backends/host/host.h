/* Running guest code in this process at host CPL 3, and getting it back. */
#ifndef TM_HOST_H
#define TM_HOST_H

#include "../backend.h"

/*
 * host_enter() loads the guest's registers and jumps; it returns when the
 * host's kernel delivers a signal for what the guest did (or a kick), or when
 * generated code jumps to host_leave. There is no sigreturn: the handler copies
 * the interrupted registers into struct host_cpu and unwinds to host_enter's
 * caller, which emulates on its own stack and enters again. Signals of the
 * guest are never masked, so nothing needs to be restored.
 *
 * One vCPU a process: the handlers find it through a static pointer. Attach,
 * enter and detach on one thread.
 */

enum host_trap_kind {
    HOST_EXCEPTION, /* vector, error, address (#PF: CR2 as the host saw it) */
    HOST_SYSCALL,   /* SYSCALL or INT 80h; regs.rip is at the instruction */
    HOST_KICK,      /* timer or host_kick(); regs as interrupted */
    HOST_LEFT       /* generated code jumped to host_leave */
};

/* What entry.S loads and saves: it knows the offsets. */
struct host_regs {
    uint64_t gpr[16]; /* enum x86_gpr */
    uint64_t rip;
    uint64_t rflags; /* loaded: arithmetic, DF, TF, NT, AC, ID, RF */
    uint64_t fs_base, gs_base;
    uint64_t pad[12];
    struct x86_fx fx;
};

struct host_trap {
    uint32_t kind;   /* enum host_trap_kind */
    uint32_t vector; /* HOST_EXCEPTION: enum x86_vector */
    uint32_t error;
    uint32_t pad;
    uint64_t address;
    uint64_t begin; /* TSC at entry to the signal handler */
};

/* The owner allocates it zeroed, 64-byte aligned, where its generated code can
 * reach it. */
struct host_cpu {
    struct host_regs regs;
    struct host_trap trap;
    /* Guest code runs: a signal now is the guest's. Generated code that calls C
     * directly clears it before and sets it afterwards; it also needs the
     * host's FS base (host_fs_base) and MXCSR then. */
    volatile uint8_t in_guest;
    uint8_t pad[3];
    volatile uint32_t kicked; /* host_enter() returns HOST_KICK at once; the
                                 caller clears it before it looks for work */
    /* Called for a signal that is neither a kick nor the guest's doing, before
     * the process ends: prints what the owner knows, the rest of a line. in_guest:
     * regs say where guest code was interrupted. Async-signal-safe; may be NULL. */
    void (*report)(void *opaque, int fd, bool in_guest);
    void *opaque;
};
_Static_assert(offsetof(struct host_cpu, regs.fx) == 256, "entry.S");
_Static_assert(offsetof(struct host_cpu, trap) == 768, "entry.S");
_Static_assert(offsetof(struct host_cpu, in_guest) == 800, "entry.S");
_Static_assert(offsetof(struct host_cpu, kicked) == 804, "entry.S");

/* Signal stack, Syscall User Dispatch, CPUID faulting (where the CPU has it),
 * timer. Before any sandbox; tsc_khz is for host_arm(). 0, or negative errno
 * with why. */
int host_attach(struct host_cpu *h, uint64_t tsc_khz, char why[REASON_MAX]);
void host_detach(struct host_cpu *h);

/* What host_attach() needs is there. 0, or negative errno with why. */
int host_probe(char why[REASON_MAX]);
/* CPUID of guest code raises #GP. */
bool host_cpuid_faults(void);

/* Install the signal handlers; the sandbox puts one of its own in between,
 * which still gets what isn't the guest's. Cheap when called again. */
void host_claim_signals(struct host_cpu *h);

/* Run. h->regs and h->trap say how it ended. */
void host_enter(struct host_cpu *h);

/* Generated code that has saved every guest register (fx excepted) into h->regs
 * jumps here with rdi = h; host_enter() returns HOST_LEFT, regs.fx saved.
 * Clobbers nothing that is still the guest's. */
extern const char host_leave[];
/* The host's own, for callouts. */
extern uint64_t host_fs_base;

/* Interrupt the guest at this TSC value (UINT64_MAX: not at all) with
 * HOST_KICK. No system call where the value is the one that is armed. */
void host_arm(struct host_cpu *h, uint64_t deadline);

/* host_enter() returns soon, with HOST_KICK; from any thread or handler. */
void host_kick(struct host_cpu *h);

#endif
