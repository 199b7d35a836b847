/* Traced page tables: what derives from them, and what a write to one means. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t use_alloc(struct shadow *s)
{
    uint32_t u = s->uses_free;

    if (u) {
        s->uses_free = s->uses[u].next;
        return u;
    }
    if (s->uses_n == s->uses_max) {
        uint32_t max = s->uses_max ? 2 * s->uses_max : 1024;
        struct use *more = realloc(s->uses, max * sizeof(*more));

        if (!more)
            return 0;
        s->uses = more;
        s->uses_max = max;
        if (!s->uses_n)
            s->uses_n = 1;
    }
    return s->uses_n++;
}

static void use_free(struct shadow *s, uint32_t u)
{
    s->uses[u].next = s->uses_free;
    s->uses_free = u;
}

/* Is the frame still used in that way? If not, no entry derives from it:
 * whatever unlinked it dropped them. */
static bool linked(const struct shadow *s, uint32_t gfn, const struct use *u)
{
    uint64_t table;

    if (u->level == 3)
        return u->space->serial == u->serial && u->space->cr3 >> 12 == gfn;
    if (u->region->serial != u->serial)
        return false;
    table = u->region->pml4e & PTE_PHYS;
    for (unsigned level = 2; level > u->level; level--) {
        gpa_t at = table | (u->base >> table_shift(level) & 511) << 3;
        const uint64_t *pte = ram_ptr(s->cfg.ram, at, 8);

        if (!pte || !(*pte & PTE_P) || *pte & PTE_PS)
            return false;
        table = *pte & PTE_PHYS;
    }
    return table >> 12 == gfn;
}

static void untrace(struct shadow *s, struct frame *fr)
{
    if (!(fr->flags & FR_TRACED))
        return;
    fr->flags &= (uint8_t)~FR_TRACED;
    s->traced--;
}

/* Everything in that use of the frame goes. */
static void drop_use(struct shadow *s, const struct use *u)
{
    if (u->level == 3 && u->space != s->now) {
        space_release(s, u->space);
    } else if (u->level == 3) {
        for (unsigned k = 0; k < 512; k++)
            space_detach(s, s->now, k);
    } else {
        entries_drop(s, u->region, u->base,
                     u->base + (512ull << table_shift(u->level)));
    }
}

void trace_end(struct shadow *s, uint32_t gfn)
{
    struct frame *fr = &s->frames[gfn];

    while (fr->uses) {
        uint32_t u = fr->uses;
        struct use use = s->uses[u];

        fr->uses = use.next;
        use_free(s, u);
        if (linked(s, gfn, &use))
            drop_use(s, &use);
    }
    untrace(s, fr);
}

bool entry_agrees(const struct shadow *s, uint64_t key, const struct sentry *e,
                  uint64_t pte)
{
    if (!(pte & PTE_P) || !(pte & PTE_A) || (pte & PTE_PHYS) >> 12 != e->gfn)
        return false;
    if (pte & ((1ull << 52) - 1) & ~PTE_PHYS & ~0xfffull)
        return false;
    if (e->flags & SH_W &&
        (!(pte & PTE_D) || (!(pte & PTE_W) && s->regs.cr0 & CR0_WP)))
        return false;
    /* Without WP only supervisor entries may be writable so. */
    if (e->flags & SH_W && !(pte & PTE_W) && !(e->flags & SH_SUPER))
        return false;
    if (e->flags & SH_X && pte & PTE_NX)
        return false;
    if (e->flags & SH_GLOBAL && !(pte & PTE_G))
        return false;
    return pte & PTE_U || e->flags & SH_SUPER ||
           (s->cfg.delta && key >= SHADOW_KERNEL_LOW);
}

/* The shadow of one page whose PTE was written. */
static void update_page(struct shadow *s, struct region *r, uint64_t key,
                        uint64_t pte)
{
    const struct sentry *e = region_entry(r, key);

    if (e && !entry_agrees(s, key, e, pte))
        entries_drop(s, r, key, key + PAGE);
    else if (key == s->wanted && r == s->now->region[slot_of(key)])
        fill_wanted(s, pte);
}

static const uint64_t *frame_table(const struct shadow *s, uint32_t gfn)
{
    return (const uint64_t *)(s->cfg.ram->host + ((uint64_t)gfn << 12));
}

/* Entry k of a table in use was written. */
static void update_entry(struct shadow *s, uint32_t gfn, const struct use *u,
                         unsigned k)
{
    uint64_t key = u->base + ((uint64_t)k << table_shift(u->level));
    unsigned slot[2];

    if (u->level == 3)
        for (unsigned n = slots_of(s, k, slot); n--;)
            space_detach(s, u->space, slot[n]);
    else if (u->level)
        entries_drop(s, u->region, key, key + (1ull << table_shift(u->level)));
    else
        update_page(s, u->region, key, frame_table(s, gfn)[k]);
}

/* Calls of the uses that are still true; the others are forgotten. */
static void each_use(struct shadow *s, uint32_t gfn, unsigned first,
                     unsigned last,
                     void (*each)(struct shadow *s, uint32_t gfn,
                                  const struct use *u, unsigned k))
{
    uint32_t *at = &s->frames[gfn].uses;

    while (*at) {
        uint32_t u = *at;
        struct use use = s->uses[u];

        if (!linked(s, gfn, &use)) {
            *at = use.next;
            use_free(s, u);
            continue;
        }
        for (unsigned k = first; k <= last; k++)
            each(s, gfn, &use, k);
        at = &s->uses[u].next;
    }
}

/* ---- Out of date --------------------------------------------------------- */

static void protect(struct shadow *s, uint32_t gfn)
{
    s->frames[gfn].flags |= FR_TRACED;
    s->traced++;
    entries_protect_frame(s, gfn);
}

bool trace_lift(struct shadow *s, uint32_t gfn)
{
    struct frame *fr = &s->frames[gfn];

    if (fr->flags & FR_CODE)
        return false;
    for (uint32_t u = fr->uses; u; u = s->uses[u].next)
        if (s->uses[u].level)
            return false;
    if (s->unsync_n == UNSYNC_MAX)
        trace_resync(s);
    untrace(s, fr);
    fr->flags |= FR_UNSYNC;
    s->unsync[s->unsync_n++] = gfn;
    shadow_count(s, EV_SHADOW_UNSYNC, 1);
    return true;
}

/* The table and its shadow are the same from here on, and stay so. */
static void resync(struct shadow *s, uint32_t gfn)
{
    struct frame *fr = &s->frames[gfn];

    if (!(fr->flags & FR_UNSYNC))
        return;
    fr->flags &= (uint8_t)~FR_UNSYNC;
    each_use(s, gfn, 0, 511, update_entry);
    if (fr->uses)
        protect(s, gfn);
    shadow_count(s, EV_SHADOW_SYNC, 1);
}

void trace_resync(struct shadow *s)
{
    for (unsigned k = 0; k < s->unsync_n; k++)
        resync(s, s->unsync[k]);
    s->unsync_n = 0;
}

void trace_table(struct shadow *s, uint32_t gfn, unsigned level,
                 struct region *r, uint64_t base)
{
    uint32_t serial = level == 3 ? s->now->serial : r->serial, u;
    struct frame *fr = &s->frames[gfn];

    if (gfn >= s->frames_n)
        return;
    for (u = fr->uses; u; u = s->uses[u].next)
        if (s->uses[u].level == level && s->uses[u].base == base &&
            s->uses[u].serial == serial)
            return;
    u = use_alloc(s);
    if (!u) {
        shadow_host_error(s, ENOMEM);
        return;
    }
    if (level == 3)
        s->uses[u].space = s->now;
    else
        s->uses[u].region = r;
    s->uses[u].base = base;
    s->uses[u].serial = serial;
    s->uses[u].level = (uint8_t)level;
    s->uses[u].next = fr->uses;
    fr->uses = u;
    if (fr->flags & FR_UNSYNC && level)
        resync(s, gfn);
    if (!(fr->flags & (FR_TRACED | FR_UNSYNC)))
        protect(s, gfn);
}

static void page_written(struct shadow *s, uint32_t gfn, unsigned offset,
                         unsigned len, unsigned cpl)
{
    struct frame *fr = &s->frames[gfn];

    if (!(fr->flags & FR_TRACED))
        return;
    /* Tables are written by ring 0, an entry or less at a time. */
    if (cpl == 3 || (offset & 7) + len > 8) {
        trace_end(s, gfn);
        return;
    }
    each_use(s, gfn, offset >> 3, (offset + len - 1) >> 3, update_entry);
    if (!fr->uses)
        untrace(s, fr);
}

void shadow_written(struct shadow *s, gpa_t gpa, uint64_t len, unsigned cpl)
{
    while (len && gpa >> 12 < s->frames_n) {
        uint64_t n = PAGE - (gpa & (PAGE - 1));

        if (n > len)
            n = len;
        page_written(s, (uint32_t)(gpa >> 12), gpa & (PAGE - 1), (unsigned)n,
                     cpl);
        gpa += n;
        len -= n;
    }
}

void shadow_end_trace(struct shadow *s, gpa_t gpa)
{
    if (gpa >> 12 < s->frames_n && s->frames[gpa >> 12].flags & FR_TRACED)
        trace_end(s, (uint32_t)(gpa >> 12));
}
