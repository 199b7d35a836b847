/* Shadow policies: what becomes of the guest's tables and of its flushes. */
#include "internal.h"

/* Keep what hangs on top-level entries that are the same in both tables. */
static void trace_load(struct shadow *s, uint64_t cr3)
{
    const uint64_t *old = ram_ptr(s->cfg.ram, s->regs.cr3 & PTE_PHYS, PAGE);
    const uint64_t *new = ram_ptr(s->cfg.ram, cr3 & PTE_PHYS, PAGE);
    const uint64_t ignored = PTE_A;

    s->regs.cr3 = cr3;
    if (!old || !new) {
        shadow_flush(s);
        return;
    }
    if (old == new)
        return;
    for (uint64_t k = 0; k < 512; k++)
        if ((old[k] ^ new[k]) & ~ignored)
            shadow_drop_guest(s, canonical(k << 39), 1ull << 39);
    /* What stays derives from this table now. */
    trace_table(s, (uint32_t)((cr3 & PTE_PHYS) >> 12), 3, 0);
}

const struct shadow_policy policy_trace = {
    .derive = trace_table,
    .load_cr3 = trace_load,
};
