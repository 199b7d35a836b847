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

void trace_table(struct shadow *s, uint32_t gfn, unsigned level, gva_t base)
{
    struct frame *fr = &s->frames[gfn];
    uint32_t u;

    for (u = fr->uses; u; u = s->uses[u].next)
        if (s->uses[u].level == level && s->uses[u].base == base)
            return;
    u = use_alloc(s);
    if (!u) {
        shadow_host_error(s, ENOMEM);
        return;
    }
    s->uses[u].base = base;
    s->uses[u].level = (uint8_t)level;
    s->uses[u].next = fr->uses;
    fr->uses = u;
    if (fr->flags & FR_TRACED)
        return;
    fr->flags |= FR_TRACED;
    s->traced++;
    entries_protect_frame(s, gfn);
}

/* Does the live address space use the frame in that way? If not, no entry
 * derives from it: whatever unlinked it dropped them. */
static bool linked(const struct shadow *s, uint32_t gfn, const struct use *u)
{
    uint64_t table = s->regs.cr3 & PTE_PHYS;

    for (unsigned level = 3; level > u->level; level--) {
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

void trace_end(struct shadow *s, uint32_t gfn)
{
    struct frame *fr = &s->frames[gfn];

    while (fr->uses) {
        uint32_t u = fr->uses;
        struct use use = s->uses[u];

        fr->uses = use.next;
        use_free(s, u);
        if (linked(s, gfn, &use))
            shadow_drop_guest(s, use.base, 512ull << table_shift(use.level));
    }
    untrace(s, fr);
}

/* Is the entry right under this PTE, all levels above being what they were? */
static bool agrees(const struct shadow *s, const struct sentry *e, uint64_t pte)
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
    return pte & PTE_U || e->flags & SH_SUPER || s->cfg.delta;
}

/* The shadow of one page whose PTE was written. */
static void update_page(struct shadow *s, gva_t gva, uint64_t pte)
{
    const struct sentry *e;

    if (!s->cfg.delta) {
        e = entry_find(s, key_of(gva));
        if (e && !agrees(s, e, pte))
            shadow_drop_guest(s, gva, PAGE);
        return;
    }
    if (gva < SHADOW_USER_HIGH) {
        e = entry_find(s, gva);
        if (e && (!agrees(s, e, pte) || !(pte & PTE_U)))
            entries_drop(s, gva, gva + PAGE);
    }
    gva += s->cfg.delta;
    if (gva < SHADOW_KERNEL_LOW || gva >= SHADOW_KERNEL_HIGH)
        return;
    e = entry_find(s, gva);
    if (e && !agrees(s, e, pte))
        entries_drop(s, gva, gva + PAGE);
}

/* Entries [first, last] of a table in use were written. */
static void update_use(struct shadow *s, uint32_t gfn, const struct use *u,
                       unsigned first, unsigned last)
{
    const uint64_t *table =
        (const uint64_t *)(s->cfg.ram->host + ((uint64_t)gfn << 12));

    for (unsigned k = first; k <= last; k++) {
        gva_t gva = canonical(u->base + ((uint64_t)k << table_shift(u->level)));

        if (u->level)
            shadow_drop_guest(s, gva, 1ull << table_shift(u->level));
        else
            update_page(s, gva, table[k]);
    }
}

static void page_written(struct shadow *s, uint32_t gfn, unsigned offset,
                         unsigned len, unsigned cpl)
{
    struct frame *fr = &s->frames[gfn];
    uint32_t *at = &fr->uses;

    if (!(fr->flags & FR_TRACED))
        return;
    /* Tables are written by ring 0, an entry or less at a time. */
    if (cpl == 3 || (offset & 7) + len > 8) {
        trace_end(s, gfn);
        return;
    }
    while (*at) {
        uint32_t u = *at;
        struct use use = s->uses[u];

        if (!linked(s, gfn, &use)) {
            *at = use.next;
            use_free(s, u);
            continue;
        }
        update_use(s, gfn, &use, offset >> 3, (offset + len - 1) >> 3);
        at = &s->uses[u].next;
    }
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
