/* Shadow paging: guest page tables become shadow entries, by a policy, for a
 * sink: the host's mmap, or the owner's own TLB. */
#ifndef TM_SHADOW_H
#define TM_SHADOW_H

#include "../backend.h"
#include "../x86/walk.h"
#include "options.h"

/*
 * Policies
 *
 *   trace   tables that an entry derives from are write-protected, and whoever
 *           emulates a write to one tells shadow_written(): the shadow always
 *           agrees with the tables.
 *   vtlb    no traces. The shadow is a TLB: a CR3 load drops what isn't global,
 *           INVLPG its page, and until then an entry may be out of date.
 *   unsync  traces, but a leaf table loses its write protection at the first
 *           write, and is compared with its shadow at the next INVLPG, CR3 load
 *           or flush.
 *
 * Under each of them accessed and dirty bits are exact: an entry is filled with
 * A set, and is read-only until D is set.
 *
 * Sinks
 *
 * 1. The host's mmap (tlb = NULL). Guest mappings become mappings of the RAM's
 * memfd in this process; shadow_fault() and shadow_set_cpl() serve it. Host
 * addresses that belong to guest memory, where nothing else may live:
 *
 *   user window    [4 KiB, 2^44)                      guest address
 *   kernel window  [SHADOW_KERNEL_LOW, SHADOW_KERNEL_HIGH)
 *                                                     guest address + delta
 *
 * delta = 0 (direct): one view for both rings. Pages with U/S = 1 are seen by
 * both; supervisor pages are hidden while CPL is 3, see shadow_set_cpl().
 *
 * delta = SHADOW_DELTA (bt): the user window holds what CPL 3 may touch, the
 * kernel window what CPL 0 to 2 may touch, user pages included.
 *
 * 2. None (tlb != NULL): the entries themselves are the page tables that the
 * hardware walks, for the whole canonical space, and the hardware is a TLB of
 * the owner's, which shadow_access() fills. No system call is made, delta is 0.
 * What the owner does at
 *   a TLB miss     shadow_access(), see there
 *   MOV to CR3     its own flush of what isn't global, shadow_load_cr3()
 *   INVLPG         its own flush of that page, shadow_invlpg()
 *   CR0, CR4, EFER its own flush of everything, shadow_set_regs()
 *   a write to a page that shadow_access() gave no write permission for: the
 *                  write at f->gpa, then shadow_written(); that may come late,
 *                  but before any other call of this header
 * Any call may change the vector registers.
 */
#define SHADOW_USER_HIGH 0x100000000000ull
#define SHADOW_KERNEL_LOW 0x200000000000ull
#define SHADOW_KERNEL_HIGH 0x500000000000ull
#define SHADOW_DELTA 0x400000000000ull

struct shadow;

/* The owner's TLB. Called within any call of this header but shadow_access() of
 * the same page; must not call back. */
struct shadow_tlb {
    /* Entries for the guest's [gva, gva + size) are no longer right, global
     * ones included. size is a power of two that gva is a multiple of;
     * UINT64_MAX: all of them. */
    void (*drop)(void *opaque, gva_t gva, uint64_t size);
    /* Entries for the page at gva must lose their write permission. */
    void (*protect)(void *opaque, gva_t gva);
    void *opaque;
};

struct shadow_config {
    struct guest_ram *ram;
    struct event_counters *events; /* fault.hidden, fault.trace, walk.vmm */
    const char *policy;            /* NULL: the first of shadow_policies */
    struct paging_options options; /* all zero: the defaults */
    const struct shadow_tlb *tlb;  /* NULL: mmap; copied */
    uint64_t delta;                /* 0 or SHADOW_DELTA */
    bool kernel_exec; /* supervisor pages may be executed by the host */
};

/* Names, NULL-terminated, the default first: fit for struct backend. */
extern const char *const shadow_policies[];

/* NULL: why (no such policy, a window is occupied, no memory). Opens /proc
 * files: call it before any sandbox. With mmap one per process. */
struct shadow *shadow_create(const struct shadow_config *config,
                             char why[REASON_MAX]);
/* Unmaps both windows. */
void shadow_destroy(struct shadow *s);

/* ---- Faults ------------------------------------------------------------- */

enum shadow_verdict {
    SHADOW_RETRY,   /* hidden fault: the entry is there now */
    SHADOW_EMULATE, /* execute the instruction with the interpreter */
    SHADOW_GUEST,   /* true fault: #PF with gva and error */
    SHADOW_OUTSIDE, /* not an address of either window */
    SHADOW_FAILED   /* the host refused: why */
};

enum shadow_reason {
    SHADOW_DEVICE, /* no RAM there */
    SHADOW_TRACED, /* write to a page table */
    SHADOW_CODE,   /* write to a page given to shadow_watch_code() */
    SHADOW_RIGHTS  /* rights that an entry can't express */
};

struct shadow_fault {
    gva_t gva;
    enum tm_event event;       /* SHADOW_RETRY: what was counted; the ticks are
                                  the caller's to count, who knows when it began */
    gpa_t gpa;                 /* SHADOW_EMULATE: of the address itself */
    enum shadow_reason reason; /* SHADOW_EMULATE */
    uint32_t error;            /* SHADOW_GUEST: page-fault error code */
    char why[REASON_MAX];      /* SHADOW_FAILED */
};

/* The host's #PF at `host` with the host's error code, taken at guest privilege
 * cpl. Walks the guest's tables, sets their A and D bits. Both views' user
 * addresses are told apart by the window that host lies in. */
enum shadow_verdict shadow_fault(struct shadow *s, const struct walk_regs *regs,
                                 unsigned cpl, uint64_t host, uint32_t error,
                                 struct shadow_fault *f);

/* What a TLB entry may hold. */
struct shadow_page {
    gpa_t gpa;   /* of the address itself */
    bool write;  /* fill for writing, too */
    bool exec;   /* for fetches */
    bool user;   /* U/S: CPL 3 may use it */
    bool global; /* survives CR3 loads */
};

/* The TLB missed at gva, which is canonical; access is WALK_WRITE and so on.
 *   SHADOW_RETRY    *page: fill the TLB, for accesses of this privilege. An
 *                   entry that was there already is no fault.
 *   SHADOW_EMULATE  access f->gpa, where f->reason lies: fill nothing; after a
 *                   write shadow_written().
 *   SHADOW_GUEST    raise #PF with f->error. */
enum shadow_verdict shadow_access(struct shadow *s, gva_t gva, unsigned access,
                                  struct shadow_page *page,
                                  struct shadow_fault *f);

/* The RAM behind host addresses [host, host + len), where they lie in one page
 * that is shadowed with that right (hidden or not); else NULL: walk the tables.
 * A shortcut for supervisor accesses. */
void *shadow_ptr(const struct shadow *s, uint64_t host, unsigned len,
                 bool write);

/* ---- What the guest does ------------------------------------------------- */

/* CR3 or a paging bit of CR0, CR4 or EFER has a new value. Cheap where nothing
 * changed. */
void shadow_set_regs(struct shadow *s, const struct walk_regs *regs);

/* MOV to CR3 was executed, whatever the value. Counts the ticks of ctx.switch.
 */
void shadow_load_cr3(struct shadow *s, const struct walk_regs *regs);

/* INVLPG of gva was executed. */
void shadow_invlpg(struct shadow *s, gva_t gva);

/* RAM at [gpa, gpa + len) was written behind the entries (by emulation, by a
 * device), after the write. cpl: of the emulated code, 0 for devices; writes
 * that don't look like a page-table update end the trace of their page. */
void shadow_written(struct shadow *s, gpa_t gpa, uint64_t len, unsigned cpl);

/* The page at gpa is about to be written by what can't be an update of a table,
 * such as a string instruction: if it is traced, forget that it was a table. */
void shadow_end_trace(struct shadow *s, gpa_t gpa);

/* ---- mmap with delta = 0 only -------------------------------------------- */

/* The guest's privilege is cpl from here on. Each call that changes it costs
 * system calls: one mprotect for each run of supervisor pages in use. */
void shadow_set_cpl(struct shadow *s, unsigned cpl);

/* ---- Code pages ---------------------------------------------------------- */

/* Write-protect the page at gpa in every entry: writes to it come back as
 * SHADOW_EMULATE with SHADOW_CODE (SHADOW_TRACED where it is a table, too).
 * Several watches of one page are one. */
void shadow_watch_code(struct shadow *s, gpa_t gpa);
void shadow_unwatch_code(struct shadow *s, gpa_t gpa);
bool shadow_is_code(const struct shadow *s, gpa_t gpa);
bool shadow_is_traced(const struct shadow *s, gpa_t gpa);

/* ---- For tests and reports ----------------------------------------------- */

/* Drop every entry. */
void shadow_flush(struct shadow *s);

struct shadow_stats {
    unsigned maps, max_maps; /* host mappings now, and where eviction begins */
    uint64_t pages;          /* shadow entries */
    uint64_t traced, evictions;
};
void shadow_stats(const struct shadow *s, struct shadow_stats *st);

#endif
