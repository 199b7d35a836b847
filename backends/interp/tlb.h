/* The software TLB: guest-virtual pages to host addresses. */
#ifndef TM_INTERP_TLB_H
#define TM_INTERP_TLB_H

#include <stdbool.h>
#include <stdint.h>

#define TLB_SIZE 1024
#define TLB_NONE 1ull /* a tag no page has */

/* One page. A tag is the page's address if that kind of access may go to RAM
 * directly, else TLB_NONE. Writes to pages that hold decoded code have no tag, so
 * that they come to the slow path. */
struct tlb_entry {
    uint64_t r, w, x;
    uint64_t add; /* host address = guest-virtual address + add */
};

#define TLB_GLOBAL 1u
#define TLB_LARGE 2u /* part of a large page: INVLPG drops all of it */
#define TLB_LISTED 4u

struct tlb {
    struct tlb_entry e[TLB_SIZE];
    uint8_t meta[TLB_SIZE];
    uint16_t used[TLB_SIZE]; /* entries that may be valid, for quick flushes */
    unsigned nused;
};

static inline unsigned tlb_index(uint64_t va)
{
    return (va >> 12) & (TLB_SIZE - 1);
}

#endif
