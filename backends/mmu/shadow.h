/* Shadow paging with the host's mmap as its hardware: guest mappings become
 * mappings of the RAM's memfd in this process. */
#ifndef TM_SHADOW_H
#define TM_SHADOW_H

#include "../backend.h"
#include "../x86/walk.h"

/*
 * Host addresses that belong to guest memory; nothing else may live there:
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
 * Policy "trace": tables that a shadow entry derives from are write-protected
 * in every mapping, and whoever emulates a write to one tells shadow_written().
 * So the shadow always agrees with the tables: INVLPG and a CR3 load of the
 * same value need no call. Accessed and dirty bits are exact: an entry is
 * filled with A set, and is read-only until D is set.
 */
#define SHADOW_USER_HIGH 0x100000000000ull
#define SHADOW_KERNEL_LOW 0x200000000000ull
#define SHADOW_KERNEL_HIGH 0x500000000000ull
#define SHADOW_DELTA 0x400000000000ull

struct shadow;

struct shadow_config {
    struct guest_ram *ram;
    struct event_counters *events; /* fault.hidden, fault.trace, walk.refs */
    uint64_t delta;                /* 0 or SHADOW_DELTA */
    bool kernel_exec;  /* supervisor pages may be executed by the host */
    unsigned max_maps; /* of the host; 0: what vm.max_map_count leaves */
};

/* NULL: why (a window is occupied, no memory). Opens /proc files: call it
 * before any sandbox. One per process. */
struct shadow *shadow_create(const struct shadow_config *config,
                             char why[REASON_MAX]);
/* Unmaps both windows. */
void shadow_destroy(struct shadow *s);

/* ---- Faults ------------------------------------------------------------- */

enum shadow_verdict {
    SHADOW_RETRY,   /* hidden fault: the mapping is there now */
    SHADOW_EMULATE, /* execute the instruction with the interpreter */
    SHADOW_GUEST,   /* true fault: #PF with gva and error */
    SHADOW_OUTSIDE, /* not an address of either window */
    SHADOW_FAILED   /* the host refused: why */
};

enum shadow_reason {
    SHADOW_DEVICE, /* no RAM there */
    SHADOW_TRACED, /* write to a page table */
    SHADOW_CODE,   /* write to a page given to shadow_watch_code() */
    SHADOW_RIGHTS  /* rights that a mapping can't express */
};

struct shadow_fault {
    gva_t gva;
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

/* The RAM behind host addresses [host, host + len), where they lie in one page
 * that is shadowed with that right (hidden or not); else NULL: walk the tables.
 * A shortcut for supervisor accesses. */
void *shadow_ptr(const struct shadow *s, uint64_t host, unsigned len,
                 bool write);

/* ---- What the guest does to its tables ----------------------------------- */

/* CR3 or a paging bit of CR0, CR4 or EFER has a new value. Cheap where nothing
 * changed. Top-level entries that agree keep their shadow. */
void shadow_set_regs(struct shadow *s, const struct walk_regs *regs);

/* RAM at [gpa, gpa + len) was written behind the mappings (by emulation, by a
 * device), after the write. cpl: of the emulated code, 0 for devices; writes
 * that don't look like a page-table update end the trace of their page. */
void shadow_written(struct shadow *s, gpa_t gpa, uint64_t len, unsigned cpl);

/* The page at gpa is about to be written by what can't be an update of a table,
 * such as a string instruction: if it is traced, forget that it was a table. */
void shadow_end_trace(struct shadow *s, gpa_t gpa);

/* ---- delta = 0 only ------------------------------------------------------ */

/* The guest's privilege is cpl from here on. Each call that changes it costs
 * system calls: one mprotect for each run of supervisor pages in use. */
void shadow_set_cpl(struct shadow *s, unsigned cpl);

/* ---- Code pages ---------------------------------------------------------- */

/* Write-protect the page at gpa in every mapping: writes to it come back as
 * SHADOW_EMULATE with SHADOW_CODE (SHADOW_TRACED where it is a table, too).
 * Several watches of one page are one. */
void shadow_watch_code(struct shadow *s, gpa_t gpa);
void shadow_unwatch_code(struct shadow *s, gpa_t gpa);
bool shadow_is_code(const struct shadow *s, gpa_t gpa);
bool shadow_is_traced(const struct shadow *s, gpa_t gpa);

/* ---- For tests and reports ------------------------------------------------
 */

/* Drop every mapping. */
void shadow_flush(struct shadow *s);

struct shadow_stats {
    unsigned maps, max_maps; /* host mappings now, and where eviction begins */
    uint64_t pages;          /* shadow entries */
    uint64_t traced, evictions;
};
void shadow_stats(const struct shadow *s, struct shadow_stats *st);

#endif
