/* One virtual machine: RAM, bus, devices, loader and run loop around a vCPU. */
#ifndef TM_MACHINE_H
#define TM_MACHINE_H

#include "../backend.h"

struct machine;

/* What a run is made of. Paths and strings are borrowed until destroy. */
struct machine_config {
    const struct backend *backend; /* class BACKEND_VCPU */
    const char *kernel;            /* guest ELF */
    const char *initrd;            /* cpio archive, or NULL */
    const char *cmdline;           /* TM command line, without tsc_khz */
    const char *disk;    /* raw file; NULL: a generated in-memory disk */
    const char *paging;  /* NULL: the backend's default */
    const char *options; /* of backends, "key=value,..."; or NULL */
    uint64_t ram_size;   /* bytes; 0: 128 MiB */
    bool deterministic;
    uint64_t tsc_khz; /* of the host; appended to the command line.
                                      0: measured here, and by the guest */
    /* Called on the vCPU's thread with each complete line the guest wrote to
     * COM1 (no newline, NUL-terminated, at most MACHINE_LINE_MAX bytes; longer
     * ones are cut). A flood is the sink's business: it may call
     * machine_stop(). */
    void (*line)(void *opaque, const char *text, size_t len);
    /* Called at the doorbell, after the snapshot is taken (for perf_event
     * counters): value is TM_DB_*. May be NULL. */
    void (*doorbell)(void *opaque, uint32_t value);
    void *opaque;
};
#define MACHINE_LINE_MAX 65536

/* How a run ended. */
enum machine_end {
    END_OK,        /* power-off with TM_EXIT_OK */
    END_PANIC,     /* power-off with another code; exit_code */
    END_SHUTDOWN,  /* triple fault */
    END_DEAD,      /* HLT with interrupts off */
    END_EMULATION, /* the backend cannot emulate an instruction */
    END_STOPPED,   /* machine_stop() */
    END_ERROR      /* the backend or the machine failed */
};

struct machine_result {
    enum machine_end end;
    int exit_code;
    char why[REASON_MAX]; /* one line for every end but END_OK: what, where */
    char warning[REASON_MAX]; /* doorbell misuse, "" where there was none */
    /* Sums over all measured regions between doorbells. */
    struct event_counters kernel, control;
    uint64_t kernel_regions, control_regions;
    /* Ticks inside run() and the machine, whole life and kernel regions only;
     * vmm is what was spent handling events. */
    uint64_t total_ticks, kernel_ticks, kernel_vmm_ticks;
    /* Whole life, boot to power-off. */
    struct event_counters all;
};

/* Checks the guest ELF without running it: magic, class, machine, program headers
 * inside the file, ABI note. 0, or -ENOENT/-EINVAL/... with why. */
int machine_check_kernel(const char *path, char why[REASON_MAX]);

/* Load everything. NULL: why. */
struct machine *machine_create(const struct machine_config *config,
                               char why[REASON_MAX]);

/* Run until the guest ends or machine_stop(). Always fills result. */
void machine_run(struct machine *m, struct machine_result *result);

/* From any thread or signal handler. */
void machine_stop(struct machine *m);

void machine_destroy(struct machine *m);

/* The vCPU, for tests. */
struct vm *machine_vm(struct machine *m);

/* A bare vCPU without devices, for tests and for the truth probes: RAM of the given
 * size, a bus with nobody home, no image. Destroy with machine_destroy. */
struct machine *machine_create_bare(const struct backend *backend,
                                    uint64_t ram_size, bool deterministic,
                                    char why[REASON_MAX]);

/* The same with a paging policy and options for the backend, or NULL. */
struct machine *machine_create_bare_with(const struct backend *backend,
                                         uint64_t ram_size, bool deterministic,
                                         const char *paging,
                                         const char *options,
                                         char why[REASON_MAX]);

/* Fills state with 64-bit mode at the given CPL: flat segments, EFER.LMA, CR4 as
 * the guest kernel sets it, and writes identity page tables for [0, 4 GiB) with
 * 2 MiB user-accessible pages at gpa tables (6 pages). Registers are zero. */
void machine_long_mode(struct machine *m, struct x86_state *s, gpa_t tables,
                       int cpl);

#endif
