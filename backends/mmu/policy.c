/* Shadow policies: what becomes of the guest's tables and of its flushes. */
#include "internal.h"

/* Tables are traced: entries always agree with them. */
static void trace_load(struct shadow *s, uint64_t cr3)
{
    if (s->now->cr3 != cr3)
        space_switch(s, cr3);
}

/* Entries are what a TLB would hold. SDM 4.10.4.1: MOV to CR3 invalidates all
 * but global ones. */
static void vtlb_load(struct shadow *s, uint64_t cr3)
{
    s->now->cr3 = cr3;
    for (unsigned k = 0; k < 512; k++)
        if (s->now->region[k])
            entries_drop_local(s, s->now->region[k]);
}

/* SDM 4.10.4.1: INVLPG invalidates every entry of the page, whatever its size
 * was; a large one's entries are all over it. */
static void vtlb_invlpg(struct shadow *s, gva_t gva)
{
    uint64_t key[2], size, from;

    for (unsigned n = keys_of(s, gva, key); n--;) {
        struct region *r = s->now->region[slot_of(key[n])];
        const struct leaf *l = r ? region_leaf(r, key[n]) : NULL;

        if (!r)
            continue;
        size = r->large ? 1ull << 30 : l && l->large ? 1ull << 21 : PAGE;
        from = key[n] & ~(size - 1);
        entries_drop(s, r, from, from + size);
    }
}

static void unsync_load(struct shadow *s, uint64_t cr3)
{
    trace_resync(s);
    trace_load(s, cr3);
}

/* Upper levels are traced: only the page's own PTE may have changed. */
static void unsync_invlpg(struct shadow *s, gva_t gva)
{
    uint64_t key[2];
    struct path p;

    for (unsigned n = keys_of(s, gva, key); n--;) {
        const struct sentry *e = entry_find(s, key[n]);

        if (!e)
            continue;
        key[n] &= ~(PAGE - 1);
        if (path_find(s, gva, &p) &&
            (p.level || entry_agrees(s, key[n], e, p.pte)))
            continue;
        entries_drop(s, s->now->region[slot_of(key[n])], key[n], key[n] + PAGE);
    }
}

static const struct shadow_policy trace = {
    .name = "trace",
    .traces = true,
    .load_cr3 = trace_load,
};

static const struct shadow_policy vtlb = {
    .name = "vtlb",
    .load_cr3 = vtlb_load,
    .invlpg = vtlb_invlpg,
};

static const struct shadow_policy unsync = {
    .name = "unsync",
    .traces = true,
    .load_cr3 = unsync_load,
    .invlpg = unsync_invlpg,
    .lift = trace_lift,
};

const struct shadow_policy *const policies[] = {&trace, &vtlb, &unsync, NULL};
const char *const shadow_policies[] = {"trace", "vtlb", "unsync", NULL};
