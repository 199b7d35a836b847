/* Paging-structure cache: which table translates an address, without a walk. */
#ifndef TM_X86_WALK_CACHE_H
#define TM_X86_WALK_CACHE_H

#include "walk.h"

#define WALK_CACHE_SIZE 32 /* tables of each level */

/* As in SDM vol. 3A, 4.10.3, direct-mapped. Begins empty after one
 * walk_cache_flush() of zeroed memory. */
struct walk_cache {
    uint64_t age; /* entries of another age are void; never 0 */
    struct cached_table {
        uint64_t tag, age;
        struct walk_partial p;
    } e[3][WALK_CACHE_SIZE];
};

/* opaque: the cache; as struct walk_base wants them. */
bool walk_cache_find(void *opaque, gva_t gva, struct walk_partial *p);
void walk_cache_keep(void *opaque, gva_t gva, const struct walk_partial *p);

/* A page fault voids what would translate its address (4.10.4.1). */
void walk_cache_forget(struct walk_cache *c, gva_t gva);

/* INVLPG of any address, and a CR3 load, void all of it (4.10.4.1). */
static inline void walk_cache_flush(struct walk_cache *c)
{
    c->age++;
}

#endif
