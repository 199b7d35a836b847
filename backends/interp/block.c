/* Finds, links and invalidates basic blocks. */
#include "block.h"

#include "event.h"
#include "fx.h"

static unsigned hash_of(const uint8_t *host, uint64_t rip)
{
    uint64_t h = ((uint64_t)(uintptr_t)host ^ rip << 7) * 0x9e3779b97f4a7c15ull;

    return (unsigned)(h >> 32) & (HASH_SIZE - 1);
}

static gpa_t page_number(const struct icpu *c, const uint8_t *host)
{
    return (gpa_t)(host - c->vm.ram->host) >> 12;
}

static uint64_t lines(unsigned offset, unsigned len)
{
    unsigned first = offset >> 6, last = (offset + len - 1) >> 6;

    return (~0ull >> (63 - (last - first))) << first;
}

static void mark_code(struct icpu *c, const uint8_t *host, unsigned len)
{
    gpa_t page = page_number(c, host);

    if (!c->code_map[page])
        tlb_drop_writes(c, c->vm.ram->host + (page << 12));
    c->code_map[page] |= lines((uintptr_t)host & (PAGE_SIZE - 1), len);
}

void block_add(struct icpu *c, struct block *b)
{
    unsigned h = hash_of(b->host, b->rip);
    struct block **list = &c->page_blocks[page_number(c, b->host)];
    unsigned room = PAGE_SIZE - ((uintptr_t)b->host & (PAGE_SIZE - 1));

    b->hash_next = c->hash[h];
    c->hash[h] = b;
    if (b->flags & BLOCK_XPAGE) {
        list = &c->xblocks;
        mark_code(c, b->host, room);
        mark_code(c, b->host2, b->bytes - room);
    } else {
        mark_code(c, b->host, b->bytes);
    }
    b->page_next = *list;
    *list = b;
}

/* The owner of a stepper runs code of its own that may write code. */
static bool still_there(const struct icpu *c, const struct block *b)
{
    if (!c->log)
        return true;
    if (b->flags & BLOCK_XPAGE)
        return false;
    for (unsigned k = 0; k < b->bytes; k++)
        if (b->raw[k] != b->host[k])
            return false;
    return true;
}

/* ---- Look-up ---------------------------------------------------------- */

struct block *block_find(struct icpu *c, uint64_t rip)
{
    bool fault;
    const uint8_t *host = mem_fetch(c, rip, &fault), *host2;
    uint32_t want = c->single ? BLOCK_SINGLE : 0;
    struct block *b;

    if (fault)
        return NULL;
    if (!host) {
        /* Nothing but RAM holds code: all ones is not an instruction. */
        raise_fault(c, NULL, VEC_UD);
        return NULL;
    }
    for (b = c->hash[hash_of(host, rip)]; b; b = b->hash_next) {
        if (b->rip != rip || b->host != host ||
            (b->flags & (BLOCK_SINGLE | BLOCK_STALE)) != want ||
            !still_there(c, b))
            continue;
        if (!(b->flags & BLOCK_XPAGE))
            return b;
        host2 = mem_fetch(c, (rip | (PAGE_SIZE - 1)) + 1, &fault);
        if (fault)
            return NULL;
        if (host2 == b->host2)
            return b;
    }
    fx_leave(c);
    return block_translate(c, rip, host);
}

void jump_slow(struct icpu *c, uint64_t rip)
{
    struct block *b;

    c->rip = rip;
    b = block_find(c, rip);
    if (!b)
        return;
    if (!(b->flags & (BLOCK_XPAGE | BLOCK_SINGLE)))
        *jc_slot(c, rip) = b;
    return b->insn[0].fn(c, b->insn);
}

/* i->imm is written though handlers see instructions as const: only here, and
 * only if the block that holds i survived the look-up. */
void jump_link(struct icpu *c, const struct insn *i)
{
    unsigned flushes = c->flushes;
    struct block *b;

    c->rip = (uint64_t)i->disp;
    b = block_find(c, c->rip);
    if (!b)
        return;
    if (flushes == c->flushes && !(b->flags & (BLOCK_XPAGE | BLOCK_SINGLE)))
        ((struct insn *)i)->imm = (int64_t)(intptr_t)b;
    return b->insn[0].fn(c, b->insn);
}

/* The budget is paid, and used up or the branch isn't linked. */
void take_slow(struct icpu *c, const struct insn *i)
{
    if (c->budget >= 0 && i->seg)
        return jump_link(c, i);
    return jump_to(c, (uint64_t)i->disp);
}

/* ---- The ends of a block ---------------------------------------------- */

/* The slot behind a block's last instruction: goes on at i->disp. */
void block_next(struct icpu *c, const struct insn *i)
{
    const struct block *b = (const struct block *)i->imm;

    c->budget -= i->idx;
    if (likely(b && c->budget >= 0))
        return b->insn[0].fn(c, b->insn);
    return take_slow(c, i);
}

/* Every slot of an invalidated block, the one after the very store included. */
void block_stale(struct icpu *c, const struct insn *i)
{
    sync_before(c, i);
    if (c->budget < 0)
        return;
    return jump_slow(c, c->rip);
}

/* ---- Self-modifying code ---------------------------------------------- */

static void drop(struct icpu *c, struct block *b)
{
    struct block **p = &c->hash[hash_of(b->host, b->rip)];

    while (*p != b)
        p = &(*p)->hash_next;
    *p = b->hash_next;
    b->flags |= BLOCK_STALE;
    for (unsigned k = 0; k <= b->n; k++)
        b->insn[k].fn = block_stale;
}

void smc_invalidate(struct icpu *c, gpa_t gpa, unsigned len)
{
    gpa_t page = gpa >> 12;
    const uint8_t *host = c->vm.ram->host + (page << 12);
    struct block **p = &c->xblocks, *b;

    if (!(c->code_map[page] & lines(gpa & (PAGE_SIZE - 1), len)))
        return;
    c->vm.events.count[EV_SMC]++;
    for (b = c->page_blocks[page]; b; b = b->page_next)
        drop(c, b);
    c->page_blocks[page] = NULL;
    while ((b = *p)) {
        if (b->host2 != host &&
            (const uint8_t *)((uintptr_t)b->host & PAGE_MASK) != host) {
            p = &b->page_next;
            continue;
        }
        *p = b->page_next;
        drop(c, b);
    }
    c->code_map[page] = 0;
}
