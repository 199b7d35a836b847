/* The four-level page walk. */
#include "walk.h"

#include <errno.h>

#define RESERVED (((1ull << 52) - 1) & ~((1ull << PHYS_BITS) - 1))

/* The walk exists twice; its parts are inlined in both. */
#define PART static inline __attribute__((always_inline))

/* Bits of an entry that must be zero; level 3 is the PML4E, 0 the PTE. */
PART uint64_t reserved_bits(const struct walk_regs *regs, int level,
                            uint64_t pte)
{
    uint64_t mask = RESERVED;

    if (!(regs->efer & EFER_NXE))
        mask |= PTE_NX;
    if (level == 3)
        mask |= PTE_PS;
    else if (level > 0 && pte & PTE_PS)
        mask |= ((1ull << (12 + 9 * level)) - 1) & ~0x1fffull; /* bit 12: PAT */
    return mask;
}

static uint32_t fault_code(const struct walk_regs *regs, unsigned access)
{
    uint32_t code = 0;

    if (access & WALK_WRITE)
        code |= PF_W;
    if (access & WALK_USER)
        code |= PF_U;
    if (access & WALK_EXEC && (regs->efer & EFER_NXE || regs->cr4 & CR4_SMEP))
        code |= PF_I;
    return code;
}

/* The rights of the leaf under the current CR0 and CR4. */
PART bool permitted(const struct walk_regs *regs, unsigned access, uint64_t all,
                    bool nx, struct walk_result *r)
{
    bool user = all & PTE_U;

    r->user = user;
    if (access & WALK_USER) {
        r->write = all & PTE_W;
        r->exec = !nx;
        if (!user)
            return false;
    } else {
        r->write = all & PTE_W || !(regs->cr0 & CR0_WP);
        r->exec = !nx && !(user && regs->cr4 & CR4_SMEP);
        if (user && regs->cr4 & CR4_SMAP && !(access & (WALK_AC | WALK_EXEC)))
            return false;
    }
    if (access & WALK_EXEC)
        return r->exec;
    return !(access & WALK_WRITE) || r->write;
}

PART void set_bits(uint64_t *slot, uint64_t pte, uint64_t bits)
{
    if ((pte & bits) != bits)
        __atomic_fetch_or(slot, bits, __ATOMIC_RELAXED);
}

static void keep_tables(const struct walk_base *base, gva_t gva,
                        const uint64_t *seen, int first, int leaf,
                        struct walk_partial p)
{
    for (int l = first; l > leaf; l--) {
        p.table = seen[l] & PTE_PHYS;
        p.level = (unsigned)l - 1;
        p.write &= (seen[l] & PTE_W) != 0;
        p.user &= (seen[l] & PTE_U) != 0;
        p.nx |= (seen[l] & PTE_NX) != 0;
        base->keep(base->cache, gva, &p);
    }
}

/* base: NULL where the tables lie in RAM and nothing is cached; a constant, so
 * that the common walk has nothing of the other in it. */
PART int walk(const struct guest_ram *ram, const struct walk_base *base,
              const struct walk_regs *regs, gva_t gva, unsigned access,
              struct walk_result *r)
{
    struct walk_partial begin = {regs->cr3 & PTE_PHYS, 3, true, true, false};
    uint64_t table = regs->cr3 & PTE_PHYS, all = PTE_W | PTE_U, pte = 0;
    uint64_t *slots[4], seen[4], page;
    int level, first = 3, err;
    bool nx = false;

    r->refs = 0;
    r->error = 0;
    r->global = false;
    r->dirty = true;
    if (!(regs->cr0 & CR0_PG)) {
        r->gpa = gva;
        r->shift = 12;
        r->write = r->exec = r->user = true;
        return 0;
    }
    if (base && base->find && base->find(base->cache, gva, &begin)) {
        first = (int)begin.level;
        table = begin.table;
        all = (begin.write ? PTE_W : 0) | (begin.user ? PTE_U : 0);
        nx = begin.nx;
    }
    for (level = first; level >= 0; level--) {
        gpa_t at = table | (gva >> (12 + 9 * level) & 511) << 3;

        if (base) {
            err = base->slot(base->opaque, at, &slots[level], &r->refs);
            if (err)
                return err;
        } else {
            slots[level] = ram_ptr(ram, at, 8);
        }
        /* Tables outside RAM read as all ones, as any absent device. */
        pte = slots[level] ? __atomic_load_n(slots[level], __ATOMIC_RELAXED)
                           : ~0ull;
        seen[level] = pte;
        r->refs++;
        if (!(pte & PTE_P)) {
            r->error = fault_code(regs, access);
            return -EFAULT;
        }
        if (pte & reserved_bits(regs, level, pte)) {
            r->error = fault_code(regs, access) | PF_P | PF_R;
            return -EFAULT;
        }
        all &= pte;
        nx |= (pte & PTE_NX) != 0;
        if (level == 0 || pte & PTE_PS)
            break;
        table = pte & PTE_PHYS;
    }
    r->shift = 12 + 9 * (unsigned)level;
    if (!permitted(regs, access, all, nx, r)) {
        r->error = fault_code(regs, access) | PF_P;
        return -EFAULT;
    }
    page = (1ull << r->shift) - 1;
    r->gpa = (pte & PTE_PHYS & ~page) | (gva & page);
    r->global = pte & PTE_G && regs->cr4 & CR4_PGE;
    r->dirty = pte & PTE_D || access & WALK_WRITE;
    if (access & WALK_PEEK)
        return 0;
    for (int l = first; l > level; l--)
        set_bits(slots[l], seen[l], PTE_A);
    set_bits(slots[level], pte, access & WALK_WRITE ? PTE_A | PTE_D : PTE_A);
    if (base && base->keep)
        keep_tables(base, gva, seen, first, level, begin);
    return 0;
}

int x86_walk(const struct guest_ram *ram, const struct walk_regs *regs,
             gva_t gva, unsigned access, struct walk_result *r)
{
    return walk(ram, NULL, regs, gva, access, r);
}

int x86_walk_over(const struct walk_base *base, const struct walk_regs *regs,
                  gva_t gva, unsigned access, struct walk_result *r)
{
    return walk(NULL, base, regs, gva, access, r);
}
