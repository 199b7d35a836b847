/* Decodes guest code into basic blocks. */
#include "block.h"
#include "event.h"
#include "select.h"

#include <errno.h>
#include <string.h>

/* What the passes over a block want to know of each instruction. */
struct note {
    insn_fn *nf;
    insn_fn *const *fused;
    struct tail_body tail;
    uint16_t read, written;
    int cc;
    bool barrier; /* all flags must be right before it */
};

struct builder {
    struct icpu *c;
    struct block *b;
    struct note notes[BLOCK_MAX];
    struct pair_note pairs[BLOCK_MAX];
    uint8_t window[15]; /* of an instruction in two pages */
    uint64_t rip;
    const uint8_t *at;
};

static void take_note(struct note *n, const struct x86_insn *x,
                      const struct choice *ch)
{
    n->nf = ch->nf;
    n->fused = ch->fused;
    n->tail = ch->tail;
    n->cc = ch->cc;
    n->read = x->fl_read;
    n->written = ch->counted ? 0 : x->fl_written;
    n->barrier =
        ch->faults || ch->ends || x->zi.meta.category == ZYDIS_CATEGORY_COND_BR;
}

/* Backwards: drop the flags of instructions whose flags are all written again
 * before they are read, or could be seen. */
static void drop_dead_flags(struct builder *bu)
{
    uint16_t live = FL_ARITH;

    for (int k = bu->b->n - 1; k >= 0; k--) {
        const struct note *n = &bu->notes[k];

        if (n->nf && !(live & n->written))
            bu->b->insn[k].fn = n->nf;
        live = (uint16_t)((live & ~n->written) | n->read);
        if (n->barrier)
            live = FL_ARITH;
    }
}

/* Whether slot k leaves no flags: it is a move, or they were found dead. */
static bool flagless(const struct builder *bu, int k)
{
    return bu->pairs[k].move || bu->b->insn[k].fn == bu->notes[k].nf;
}

/* Two instructions, one handler; a slot is in one pair at most. */
static void fuse(struct builder *bu)
{
    for (int k = 0; k + 1 < bu->b->n; k++) {
        const struct note *n = &bu->notes[k];
        struct insn *i = &bu->b->insn[k];
        insn_fn *fn = NULL;

        if (n->fused && n[1].cc >= 0)
            fn = n->fused[n[1].cc];
        else if (flagless(bu, k) && flagless(bu, k + 1))
            fn = pair_handler(&bu->pairs[k], i);
        if (!fn)
            continue;
        i->fn = fn;
        k++;
    }
}

/* Each SSE instruction takes the register-only ones behind it into its tail. */
static void join_tails(struct builder *bu)
{
    const struct tail_body *bodies[TAIL_MAX];
    int n;

    for (int k = 0; k < bu->b->n; k += n) {
        n = 1;
        if (!bu->notes[k].tail.len)
            continue;
        bodies[0] = &bu->notes[k].tail;
        while (n < (int)TAIL_MAX && k + n < bu->b->n &&
               bu->notes[k + n].tail.len && !bu->notes[k + n].tail.mem) {
            bodies[n] = &bu->notes[k + n].tail;
            n++;
        }
        thunk_join(&bu->b->insn[k], bodies, (unsigned)n);
    }
}

/* An instruction that begins at the end of a page: its bytes in one piece. False:
 * a page fault, or nothing there. */
static bool join_pages(struct builder *bu, unsigned avail)
{
    bool fault;
    const uint8_t *second = mem_fetch(bu->c, bu->rip + avail, &fault);

    if (fault)
        return false;
    memcpy(bu->window, bu->at, avail);
    memset(bu->window + avail, 0xff, sizeof(bu->window) - avail);
    if (second)
        memcpy(bu->window + avail, second, sizeof(bu->window) - avail);
    bu->b->host2 = second;
    bu->b->flags |= BLOCK_XPAGE;
    return true;
}

enum added { ADDED, LAST, NOT_ADDED, FAULT };

/* Decode one more instruction into the block. */
static enum added add_insn(struct builder *bu)
{
    struct block *b = bu->b;
    struct insn *i = &b->insn[b->n];
    unsigned avail = PAGE_SIZE - (bu->rip & (PAGE_SIZE - 1));
    const uint8_t *bytes = bu->at;
    struct choice ch = {0};
    struct x86_insn x;
    int err;

    if (avail > 15)
        avail = 15;
    err = x86_decode(bytes, avail, bu->rip, &x);
    if (err == -ENODATA) {
        if (b->n)
            return NOT_ADDED;
        if (!join_pages(bu, avail))
            return FAULT;
        bytes = bu->window;
        err = x86_decode(bytes, 15, bu->rip, &x);
    }
    if (err) {
        memset(i, 0, sizeof(*i));
        i->fn = err == -E2BIG ? raise_gp : raise_ud;
        i->idx = (uint8_t)b->n;
        bu->notes[b->n] = (struct note){.cc = -1, .barrier = true};
        b->n++;
        b->bytes = (uint16_t)(b->bytes + (b->flags & BLOCK_XPAGE ? 15 : avail));
        return LAST;
    }

    ch.bytes = bytes;
    ch.next = bu->rip + x.len;
    select_insn(&x, i, &ch);
    if (ch.shadow && b->n == BLOCK_MAX - 1)
        return NOT_ADDED;
    i->fn = ch.fn;
    i->len = x.len;
    i->idx = (uint8_t)b->n;
    take_note(&bu->notes[b->n], &x, &ch);
    pair_note(&x, &bu->pairs[b->n]);
    b->n++;
    b->bytes = (uint16_t)(b->bytes + x.len);
    bu->rip += x.len;
    bu->at += x.len;
    if (ch.ends || b->flags & (BLOCK_XPAGE | BLOCK_SINGLE) ||
        !(bu->rip & (PAGE_SIZE - 1)) || b->n == BLOCK_MAX)
        return LAST;
    return ADDED;
}

/* The slot behind the last instruction. */
static void close_block(struct builder *bu)
{
    struct insn *i = &bu->b->insn[bu->b->n];

    memset(i, 0, sizeof(*i));
    i->fn = block_next;
    i->idx = (uint8_t)bu->b->n;
    i->disp = (int64_t)bu->rip;
    i->seg = ((bu->rip - 1) & PAGE_MASK) == (bu->rip & PAGE_MASK);
}

struct block *block_translate(struct icpu *c, uint64_t rip, const uint8_t *host)
{
    const size_t most =
        sizeof(struct block) + (BLOCK_MAX + 1) * sizeof(struct insn);
    struct builder bu = {.c = c, .rip = rip, .at = host};
    enum added r;

    if (c->arena_used + most > c->arena_size)
        block_flush_all(c);
    bu.b = (struct block *)(c->arena + c->arena_used);
    memset(bu.b, 0, sizeof(*bu.b));
    bu.b->rip = rip;
    bu.b->host = host;
    if (c->single)
        bu.b->flags |= BLOCK_SINGLE;
    do
        r = add_insn(&bu);
    while (r == ADDED);
    if (r == FAULT)
        return NULL;

    if (c->single && !(bu.b->flags & BLOCK_XPAGE))
        memcpy(bu.b->raw, host, bu.b->bytes < 16 ? bu.b->bytes : 15);
    close_block(&bu);
    drop_dead_flags(&bu);
    fuse(&bu);
    join_tails(&bu);
    c->vm.events.count[EV_DECODE]++;
    /* Where the second page isn't RAM, the block lives for this time only. */
    if (bu.b->flags & BLOCK_XPAGE && !bu.b->host2)
        return bu.b;
    c->arena_used +=
        (sizeof(struct block) + (bu.b->n + 1u) * sizeof(struct insn) + 63) &
        ~63ul;
    block_add(c, bu.b);
    return bu.b;
}

void block_flush_all(struct icpu *c)
{
    static struct block nowhere = {.rip = 1ull << 63};

    memset(c->hash, 0, HASH_SIZE * sizeof(*c->hash));
    memset(c->page_blocks, 0,
           (c->vm.ram->size >> 12) * sizeof(*c->page_blocks));
    memset(c->code_map, 0, (c->vm.ram->size >> 12) * sizeof(*c->code_map));
    for (unsigned k = 0; k < JC_SIZE; k++)
        c->jc[k] = &nowhere;
    c->xblocks = NULL;
    c->arena_used = 0;
    c->flushes++;
}
