/* The cache of decoded basic blocks. */
#ifndef TM_INTERP_BLOCK_H
#define TM_INTERP_BLOCK_H

#include "cpu.h"
#include "mem.h"

/* The block at rip, decoded if need be. NULL: an exception is pending, for which
 * c->rip must already be rip. */
struct block *block_find(struct icpu *c, uint64_t rip);

/* Decode a block (translate.c). The host owns the FPU registers. NULL: an
 * exception is pending. */
struct block *block_translate(struct icpu *c, uint64_t rip,
                              const uint8_t *host);
/* Enter a new block in the tables, and forget everything. */
void block_add(struct icpu *c, struct block *b);
void block_flush_all(struct icpu *c);

/* Handlers that belong to no instruction. */
void block_stale(struct icpu *c, const struct insn *i);
void block_next(struct icpu *c, const struct insn *i);

/* Drop the blocks of the page around gpa if [gpa, gpa + len) touches code. */
void smc_invalidate(struct icpu *c, gpa_t gpa, unsigned len);

/* Note a write in c->log. */
void log_write(struct icpu *c, gpa_t gpa, unsigned len);

static inline void smc_written(struct icpu *c, gpa_t gpa, unsigned len)
{
    if (unlikely(c->log != NULL))
        log_write(c, gpa, len);
    if (unlikely(c->code_map[gpa >> 12]))
        smc_invalidate(c, gpa, len);
}

/* ---- Going from block to block ---------------------------------------- */

void jump_slow(struct icpu *c, uint64_t rip);
void jump_link(struct icpu *c, const struct insn *i);
void take_slow(struct icpu *c, const struct insn *i);

static inline struct block **jc_slot(struct icpu *c, uint64_t rip)
{
    return &c->jc[(rip ^ rip >> 12) & (JC_SIZE - 1)];
}

/* To a computed address; the budget is paid. A hit is checked against the TLB,
 * so the jump cache needs no flush when translations change. */
static inline void jump_to(struct icpu *c, uint64_t rip)
{
    const struct block *b = *jc_slot(c, rip);
    const struct tlb_entry *e = &c->tlb[tlb_index(rip)];

    if (unlikely(c->budget < 0)) {
        c->rip = rip;
        return;
    }
    if (likely(b->rip == rip && e->x == (rip & PAGE_MASK) &&
               e->add + rip == (uint64_t)(uintptr_t)b->host))
        return b->insn[0].fn(c, b->insn);
    return jump_slow(c, rip);
}

/* A direct branch. Within a page its target is linked: the mapping that fetched
 * the branch fetches the target too. i->seg: the target is in the page. */
static inline __attribute__((always_inline)) void take(struct icpu *c,
                                                       const struct insn *i)
{
    const struct block *b = (const struct block *)i->imm;

    c->budget -= i->idx + 1;
    if (likely(b && c->budget >= 0))
        return b->insn[0].fn(c, b->insn);
    return take_slow(c, i);
}

#endif
