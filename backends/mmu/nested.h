/* Nested paging: a second-level table and the walk through both dimensions. */
#ifndef TM_MMU_NESTED_H
#define TM_MMU_NESTED_H

#include "../backend.h"
#include "../x86/walk.h"

/*
 * The second-level table has the format of the first (AMD APM vol. 2, 15.25)
 * and lies in memory of the VMM; what it maps is guest RAM. The VMM fills it
 * on demand, a page at a time: such a nested page fault is a fault.hidden. A
 * page is not there again only because nothing ever touched it, so entries are
 * never taken back.
 *
 * A walk with n guest levels and m nested ones makes nm + n + m references
 * where nothing is cached: each of the guest's n entries is at an address that
 * takes m references to translate, and so is the page itself. References to the
 * guest's tables are writes for the second dimension (APM 15.25.5): they need
 * and set its D bits.
 *
 * The walk caches (SDM vol. 3C, 28.4.1): tables of both dimensions by what they
 * translate, and translations of the guest's tables (the nested TLB). Those by
 * guest-virtual address go at nested_flush(), the others are of no concern to
 * the guest.
 *
 * All of it may be called with guest values in the FPU registers.
 */
struct nested;

struct nested_config {
    const struct guest_ram *ram;
    struct event_counters *events; /* fault.hidden, and its ticks */
    bool large; /* second-level pages of 2 MiB, else of 4 KiB */
    bool cache; /* have walk caches */
};

/* NULL: why. */
struct nested *nested_create(const struct nested_config *config,
                             char why[REASON_MAX]);
void nested_destroy(struct nested *n);

/* x86_walk() in two dimensions. result->refs: the references of both, those of
 * walks that ended in a nested page fault too. *host: the byte in RAM, or NULL
 * for what isn't RAM. result->dirty is of both dimensions. */
int nested_walk(struct nested *n, const struct walk_regs *regs, gva_t gva,
                unsigned access, struct walk_result *result, uint8_t **host);

/* INVLPG, a CR3 load, or any change that flushes TLBs: they all drop the whole
 * paging-structure cache (SDM vol. 3A, 4.10.4.1). */
void nested_flush(struct nested *n);

/* The guest gets a page fault at gva. */
void nested_forget(struct nested *n, gva_t gva);

/* The second-level entry that maps gpa and the size of its page; 0: none. */
uint64_t nested_entry(const struct nested *n, gpa_t gpa, unsigned *shift);

#endif
