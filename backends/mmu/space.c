/* Address spaces, and the regions that they share. */
#include "internal.h"

#include <stdlib.h>

/* The slots of the kernel window begin this far above the guest's. */
#define DELTA_SLOTS (SHADOW_DELTA >> 39)

unsigned slots_of(const struct shadow *s, unsigned guest, unsigned slot[2])
{
    unsigned n = 0;

    if (!s->cfg.delta) {
        slot[0] = guest;
        return 1;
    }
    if (guest < SHADOW_USER_HIGH >> 39)
        slot[n++] = guest;
    guest = (guest + DELTA_SLOTS) & 511;
    if (guest >= SHADOW_KERNEL_LOW >> 39 && guest < SHADOW_KERNEL_HIGH >> 39)
        slot[n++] = guest;
    return n;
}

/* ---- Regions ------------------------------------------------------------- */

static struct region *region_known(struct shadow *s, unsigned slot,
                                   uint64_t pml4e)
{
    struct region *r = s->at_slot[slot];

    while (r && r->pml4e != pml4e)
        r = r->next;
    return r;
}

static struct region *region_new(struct shadow *s, unsigned slot,
                                 uint64_t pml4e)
{
    struct region *r = s->spare;

    if (r) {
        s->spare = r->next;
    } else {
        r = calloc(1, sizeof(*r));
        if (!r)
            return NULL;
        r->all = s->all;
        s->all = r;
    }
    r->slot = slot;
    r->pml4e = pml4e;
    r->serial = ++s->serial;
    r->large = false;
    r->next = s->at_slot[slot];
    s->at_slot[slot] = r;
    return r;
}

static void region_free(struct shadow *s, struct region *r)
{
    struct region **at = &s->at_slot[r->slot];
    uint64_t base = (uint64_t)r->slot << 39;

    entries_drop(s, r, base, base + (1ull << 39));
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    r->serial = 0;
    r->next = s->spare;
    s->spare = r;
}

void space_detach(struct shadow *s, struct space *sp, unsigned slot)
{
    struct region *r = sp->region[slot];

    if (!r)
        return;
    sp->region[slot] = NULL;
    if (!--r->refs)
        region_free(s, r);
    else if (sp == s->now && s->sink->switches)
        entries_retire(s, r);
}

static void attach(struct space *sp, unsigned slot, struct region *r)
{
    sp->region[slot] = r;
    r->refs++;
}

struct region *region_get(struct shadow *s, uint64_t key, uint64_t pml4e)
{
    unsigned slot = slot_of(key);
    struct region *r = s->now->region[slot];

    /* A TLB doesn't care where its entries came from. */
    pml4e = s->policy->traces ? pml4e & ~PTE_A : 0;
    if (r && r->pml4e == pml4e)
        return r;
    space_detach(s, s->now, slot);
    r = region_known(s, slot, pml4e);
    if (!r)
        r = region_new(s, slot, pml4e);
    if (r)
        attach(s->now, slot, r);
    return r;
}

/* ---- Spaces -------------------------------------------------------------- */

void space_release(struct shadow *s, struct space *sp)
{
    for (unsigned k = 0; k < 512; k++)
        space_detach(s, sp, k);
    sp->cr3 = ~0ull;
    sp->serial = ++s->serial;
}

/* Take over what other spaces have below the same top-level entries. */
static void adopt(struct shadow *s, struct space *sp)
{
    const uint64_t *top = ram_ptr(s->cfg.ram, sp->cr3, PAGE);
    unsigned slot[2];

    for (unsigned k = 0; top && k < 512; k++) {
        if (!(top[k] & PTE_P))
            continue;
        for (unsigned n = slots_of(s, k, slot); n--;) {
            struct region *r = region_known(s, slot[n], top[k] & ~PTE_A);

            if (r)
                attach(sp, slot[n], r);
        }
    }
}

/* The one that is known, or the one that was used last longest ago. */
static struct space *find_space(struct shadow *s, uint64_t cr3)
{
    struct space *oldest = NULL;

    for (unsigned k = 0; k < s->cfg.options.shadow_cache; k++) {
        struct space *sp = &s->spaces[k];

        if (sp->cr3 == cr3)
            return sp;
        if (!oldest || sp->used < oldest->used)
            oldest = sp;
    }
    return oldest;
}

/* What the sink has of the old space and not of the new one goes. */
static void exchange(struct shadow *s, struct region *const *old)
{
    bool prefill = paging_on(s->cfg.options.prefill, false);

    for (unsigned k = 0; k < 512; k++)
        if (old[k] && old[k] != s->now->region[k])
            entries_retire(s, old[k]);
    for (unsigned k = 0; prefill && k < 512; k++)
        if (s->now->region[k] && old[k] != s->now->region[k])
            entries_revive(s, s->now->region[k]);
}

void space_switch(struct shadow *s, uint64_t cr3)
{
    struct space *old = s->now, *new = find_space(s, cr3), last;

    if (new->cr3 != cr3) {
        /* The only one: keep its regions until the new one has its own. */
        last = *new;
        for (unsigned k = 0; k < 512; k++) {
            if (last.region[k])
                last.region[k]->refs++;
        }
        space_release(s, new);
        new->cr3 = cr3;
        adopt(s, new);
        s->now = new;
        trace_table(s, (uint32_t)(cr3 >> 12), 3, NULL, 0);
        if (old == new && s->sink->switches)
            exchange(s, last.region);
        for (unsigned k = 0; k < 512; k++)
            space_detach(s, &last, k);
    }
    s->now = new;
    new->used = ++s->clock;
    if (old != new && s->sink->switches)
        exchange(s, old->region);
}
