/* The interface between the harness, the machine and the backends. */
#ifndef TM_BACKEND_H
#define TM_BACKEND_H

#include "events.h"
#include "state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Guest addresses have types of their own, so that no guest value is ever
 * dereferenced by accident. */
typedef uint64_t gpa_t; /* guest physical */
typedef uint64_t gva_t; /* guest virtual */

#define REASON_MAX 256 /* bytes for any "why" text, NUL included */

/* ---- Guest RAM -------------------------------------------------------- */

/* One block from gpa 0. It is a shared mapping of a memfd, so that direct and
 * bt can map single pages of it elsewhere. Owner: struct machine. */
struct guest_ram {
    uint8_t *host; /* page-aligned; a guard page lies behind size */
    uint64_t size; /* bytes, multiple of 2 MiB, at most 3 GiB */
    int fd;
};

/* The checked accessor: host address of [gpa, gpa + len), or NULL where that
 * range is not wholly RAM. */
static inline void *ram_ptr(const struct guest_ram *ram, gpa_t gpa,
                            uint64_t len)
{
    if (gpa > ram->size || len > ram->size - gpa)
        return NULL;
    return ram->host + gpa;
}

/* ---- What a vCPU asks of the machine: the bus -------------------------- */

/* Implemented by machine/. A backend calls these from within run(), on the
 * vCPU's thread. The callee counts the event and charges its ticks to
 * vm->events; the backend doesn't count these a second time.
 * size: 1, 2, 4 (ports), 1, 2, 4, 8 (memory). Nobody home: reads give all
 * ones, writes are dropped, as on a PC. */
struct vm_bus {
    void *opaque; /* struct machine */
    uint64_t (*io_read)(void *opaque, uint16_t port, unsigned size);
    void (*io_write)(void *opaque, uint16_t port, unsigned size, uint64_t v);
    uint64_t (*mmio_read)(void *opaque, gpa_t gpa, unsigned size);
    void (*mmio_write)(void *opaque, gpa_t gpa, unsigned size, uint64_t v);
    /* MSRs that belong to the machine (x2APIC, APIC base, TSC deadline).
     * False: no such MSR, the backend raises #GP. */
    bool (*msr_read)(void *opaque, uint32_t msr, uint64_t *v);
    bool (*msr_write)(void *opaque, uint32_t msr, uint64_t v);
    /* CR8, the task priority: 0..15. */
    uint64_t (*get_tpr)(void *opaque);
    void (*set_tpr)(void *opaque, uint64_t cr8);
    /* Acknowledge the highest-priority deliverable interrupt: its vector, or
     * -1 where there is none (masked by TPR, or spurious attention). */
    int (*irq_ack)(void *opaque);
    /* Guest time in ticks: the host's TSC, or, in deterministic mode, retired
     * instructions (vm->retired) plus time skipped while halted. */
    uint64_t (*now)(void *opaque);
};

/* Flags a backend polls at points of its choice (interp: block ends and every
 * taken backward branch). Set from any thread or signal handler. */
#define ATTN_IRQ 1u  /* irq_ack would return a vector, if IF were set */
#define ATTN_KICK 2u /* leave run() with EXIT_KICKED */

/* ---- vCPU -------------------------------------------------------------- */

enum exit_kind {
    EXIT_KICKED,    /* kick() or the instruction limit; nothing is pending */
    EXIT_TIMER,     /* vm->deadline has passed */
    EXIT_HLT,       /* HLT with IF = 1 and no interrupt; state.halted is set */
    EXIT_HLT_DEAD,  /* HLT with IF = 0: nothing can wake this vCPU */
    EXIT_SHUTDOWN,  /* triple fault, or the VMM's shutdown event */
    EXIT_POWEROFF,  /* a device asked for it: machine->exit_code */
    EXIT_EXCEPTION, /* only with vm->trap_exceptions: vector, error, has_error;
                       the exception has not been delivered */
    EXIT_EMULATION, /* the backend can't emulate the instruction in insn[] */
    EXIT_ERROR      /* the backend failed: why */
};

struct vm_exit {
    enum exit_kind kind;
    int vector; /* EXIT_EXCEPTION */
    bool has_error;
    uint32_t error;
    gva_t rip;        /* EXIT_EMULATION, EXIT_SHUTDOWN: where */
    uint8_t insn[15]; /* EXIT_EMULATION: the bytes */
    uint8_t insn_len; /* how many of them are known */
    char why[REASON_MAX];
};

/* The common head of every backend's vCPU; a backend embeds it first in its own
 * struct. The machine fills ram, bus and the options before create(). */
struct vm {
    const struct backend *backend;
    struct guest_ram *ram;
    const struct vm_bus *bus;
    const char *paging;   /* requested policy, NULL: the default */
    const char *options;  /* "key=value,...": a backend takes those that begin
                                with its name, and, where it has a choice of
                                policies, those that begin with "paging-":
                                paging-fault-around=N (pages, a power of two up
                                to 512), paging-prefill=on|off, paging-max-maps=N,
                                paging-shadow-cache=N (address spaces),
                                paging-walk-cache=on|off,
                                paging-nested-large=on|off. NULL: none */
    bool deterministic;   /* time is retired instructions */
    bool trap_exceptions; /* tests: exceptions end run() */
    uint64_t tsc_khz;     /* of the host's TSC, or of deterministic time */
    volatile unsigned attention; /* ATTN_*, updated with __atomic builtins */
    uint64_t deadline; /* bus->now() at which run() returns EXIT_TIMER;
                          UINT64_MAX: never */
    uint64_t retired;  /* instructions retired (software backends) */
    uint64_t limit;    /* run() returns EXIT_KICKED when retired reaches this;
                          UINT64_MAX: no limit */
    struct event_counters events;
};

enum backend_class {
    BACKEND_VCPU,    /* runs the guest on our machine: the vCPU functions */
    BACKEND_FOREIGN, /* boots the image in another VMM: command() */
    BACKEND_PROCESS  /* runs workloads as ordinary processes: command() */
};

#define CAP_DETERMINISTIC 1u /* vm->deterministic is honoured */
#define CAP_IRQCHIP 2u       /* has its own LAPIC and IOAPIC: set_irq_line() */
#define CAP_STEP 4u          /* step() */
/* run() needs no system call beyond the runner's seccomp filter */
#define CAP_SANDBOX 8u
/* the guest kernel runs at host CPL 3, in the low half: booted with layout=low */
#define CAP_LOW_LAYOUT 16u

/* What a foreign VMM or a native process is started for. Paths are absolute. */
struct foreign_job {
    const char *kernel, *initrd; /* NULL for BACKEND_PROCESS */
    const char *cmdline;
    const char *disk;       /* raw image file, or NULL */
    const char *native_dir; /* holds the native workload binaries */
    const char *bench;      /* one benchmark */
    uint64_t ram_size;      /* bytes */
};

struct backend {
    const char *name;
    const char *summary; /* one line, no trailing stop */
    enum backend_class class;
    unsigned caps;

    /* Mandatory. 0: usable now. Otherwise a negative errno, and why says in one
     * line what is missing and what to do. Must be cheap (< 100 ms) and leave
     * no trace. */
    int (*probe)(char why[REASON_MAX]);

    /* Mandatory. What "paging" says in a result row when the default policy is
     * asked for ("none", "trace", "nested", "unknown"; for
     * foreign VMMs what they do). Never more than is known. */
    const char *(*paging)(void);

    /* Optional: the paging policies vm->paging may name, NULL-terminated, the
     * default first. NULL: no choice; only paging()'s own name is taken. */
    const char *const *policies;

    /* -- BACKEND_VCPU, all mandatory unless marked -- */

    /* Size of the backend's own struct, which begins with struct vm; the machine
     * allocates it zeroed and fills the head, then calls create. Errors: negative
     * errno, message in why. destroy undoes create. */
    size_t vm_size;
    int (*create)(struct vm *vm, char why[REASON_MAX]);
    void (*destroy)(struct vm *vm);
    int (*get_state)(struct vm *vm, struct x86_state *s);
    int (*set_state)(struct vm *vm, const struct x86_state *s);
    /* Run until there is something to say. 0, or negative errno with
     * EXIT_ERROR filled in. */
    int (*run)(struct vm *vm, struct vm_exit *exit);
    /* Make run() return soon; from another thread or a signal handler. */
    void (*kick)(struct vm *vm);
    /* Optional (CAP_STEP): execute exactly n instructions. */
    int (*step)(struct vm *vm, uint64_t n, struct vm_exit *exit);
    /* Optional (CAP_IRQCHIP): drive an IOAPIC pin. */
    int (*set_irq_line)(struct vm *vm, unsigned pin, bool level);
    /* Optional: bring vm->events up to date from counters kept elsewhere. The
     * machine calls it at each doorbell; it must not add events of its own. */
    void (*sync_events)(struct vm *vm);
    /* Optional: a device wrote [gpa, gpa + len) of RAM, on the vCPU's thread,
     * possibly within run(). Backends that keep decoded or translated code drop
     * what came from there. */
    void (*ram_written)(struct vm *vm, gpa_t gpa, uint64_t len);

    /* -- BACKEND_FOREIGN, BACKEND_PROCESS -- */

    /* Build the argument vector (NULL-terminated, malloc'ed strings and array)
     * of the process whose stdout carries the report lines. NULL: why. */
    char **(*command)(const struct foreign_job *job, char why[REASON_MAX]);
};

/* registry.c: NULL-terminated, in the order that tables show. */
extern const struct backend *const backends[];
const struct backend *backend_find(const char *name);

#endif
