/* The guest's page tables: one walk, as the CPU does it. */
#ifndef TM_X86_WALK_H
#define TM_X86_WALK_H

#include "../backend.h"

#define WALK_WRITE 1u
#define WALK_EXEC 2u
#define WALK_USER 4u  /* CPL 3, and not an implicit system access */
#define WALK_AC 8u    /* RFLAGS.AC, which lifts SMAP; explicit access only */
#define WALK_PEEK 16u /* don't set accessed and dirty bits */

#define PHYS_BITS 40 /* MAXPHYADDR, as CPUID 0x80000008 says */

/* A page-table entry.
 *
 *   63  62..52   51..40     39..12     11..9  8  7   6  5   4    3    2   1  0
 *   NX  ignored  reserved   address    ign.   G  PS  D  A  PCD  PWT  U/S R/W P
 */
#define PTE_P 0x1ull
#define PTE_W 0x2ull
#define PTE_U 0x4ull
#define PTE_A 0x20ull
#define PTE_D 0x40ull
#define PTE_PS 0x80ull
#define PTE_G 0x100ull
#define PTE_NX 0x8000000000000000ull
#define PTE_PHYS (((1ull << PHYS_BITS) - 1) & ~0xfffull)

/* What the tables hang on: all that decides a walk beside RAM. */
struct walk_regs {
    uint64_t cr0, cr3, cr4, efer;
};

struct walk_result {
    gpa_t gpa;      /* of the address itself, not of its page */
    unsigned shift; /* of the page: 12, 21 or 30 */
    unsigned refs;  /* page-table entries read */
    uint32_t error; /* page-fault error code, where the walk failed */
    bool write;     /* WP and R/W would allow a write with these rights */
    bool exec;      /* NX and SMEP would allow a fetch */
    bool user;      /* U/S allows CPL 3 */
    bool global, dirty;
};

/* What is known of an address above its table of some level: the rights of all
 * entries that led there, each of which has its A bit set. */
struct walk_partial {
    gpa_t table;
    unsigned level; /* of the table: 2 the PDPT, 1 the PD, 0 the PT */
    bool write, user, nx;
};

/* What lies below a walk: where its tables are, and what a cache knows. */
struct walk_base {
    void *opaque; /* of slot() */
    /* The entry at that address, or NULL where there is no memory; adds the
     * references that it took to find it. Negative errno: ends the walk, which
     * returns it. */
    int (*slot)(void *opaque, gpa_t at, uint64_t **slot, unsigned *refs);
    /* Optional, both or none, called with cache: the nearest cached table of
     * gva; and what a walk that succeeded passed through, from the top. */
    void *cache;
    bool (*find)(void *opaque, gva_t gva, struct walk_partial *p);
    void (*keep)(void *opaque, gva_t gva, const struct walk_partial *p);
};

/* Translate gva, which is canonical. 0, or -EFAULT: #PF with result->error.
 * On success sets A in every entry used and, for a write, D in the leaf. With
 * CR0.PG = 0 addresses are physical. */
int x86_walk(const struct guest_ram *ram, const struct walk_regs *regs,
             gva_t gva, unsigned access, struct walk_result *result);

/* The same with the tables somewhere else than in RAM. result->refs counts the
 * entries read plus what base->slot() added. */
int x86_walk_over(const struct walk_base *base, const struct walk_regs *regs,
                  gva_t gva, unsigned access, struct walk_result *result);

static inline bool gva_canonical(gva_t gva)
{
    return (uint64_t)((int64_t)(gva << 16) >> 16) == gva;
}

#endif
