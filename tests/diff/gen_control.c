/* Templates for what moves RIP and RSP: branches, loops, calls, the stack. */
#include "gen.h"

#include <string.h>

/* Adds an instruction with a branch target some groups ahead. */
static void add_pending(struct gen *g, const struct stream_insn *si)
{
    if (!gen_add(g, si, 1u << RSP))
        return;
    g->pending = (int)g->s->n - 1;
    g->join = g->undefined;
    g->left = 1 + rng_below(&g->rng, 3);
}

static void jump_forward(struct gen *g)
{
    struct stream_insn si = {0};
    uint8_t cc = (uint8_t)rng_below(&g->rng, 16);

    if (g->undefined)
        gen_define_flags(g);
    switch (rng_below(&g->rng, 7)) {
    case 0:
    case 1:
        si = (struct stream_insn){.bytes = {0x70 | cc, 0},
                                  .len = 2,
                                  .fix = FIX_BRANCH8,
                                  .fix_off = 1};
        break;
    case 2:
    case 3:
        si = (struct stream_insn){.bytes = {0x0f, 0x80 | cc},
                                  .len = 6,
                                  .fix = FIX_BRANCH32,
                                  .fix_off = 2};
        break;
    case 4: /* loopne, loope, loop, jrcxz */
        si = (struct stream_insn){.bytes = {0xe0 | (cc & 3), 0},
                                  .len = 2,
                                  .fix = FIX_BRANCH8,
                                  .fix_off = 1};
        break;
    case 5: /* with a 32-bit count */
        si = (struct stream_insn){.bytes = {0x67, 0xe0 | (cc & 3), 0},
                                  .len = 3,
                                  .fix = FIX_BRANCH8,
                                  .fix_off = 2};
        break;
    default:
        si = (struct stream_insn){
            .bytes = {0xeb, 0}, .len = 2, .fix = FIX_BRANCH8, .fix_off = 1};
        break;
    }
    /* 127 bytes must be enough: keep the distance to two groups. */
    add_pending(g, &si);
    if (g->left > 2)
        g->left = 2;
}

/* Calls and jumps through registers and returns, all of them forward. */
static void jump_indirect(struct gen *g)
{
    static const uint8_t regs[] = {RAX, RCX, RDX};
    uint8_t reg = regs[rng_below(&g->rng, 3)];
    struct stream_insn si = {0};

    switch (rng_below(&g->rng, 4)) {
    case 0: /* call rel32 */
        si = (struct stream_insn){
            .bytes = {0xe8}, .len = 5, .fix = FIX_BRANCH32, .fix_off = 1};
        add_pending(g, &si);
        return;
    case 1: /* push imm32; ret, or ret imm16 */
        si = (struct stream_insn){
            .bytes = {0x68}, .len = 5, .fix = FIX_ABS32, .fix_off = 1};
        add_pending(g, &si);
        if (rng_percent(&g->rng, 60))
            GEN_W(g, 1u << RSP, 0xc3);
        else
            GEN_W(g, 1u << RSP, 0xc2, (uint8_t)rng_below(&g->rng, 32), 0);
        return;
    default: /* mov reg, imm32; jmp or call reg */
        si = (struct stream_insn){
            .bytes = {0xb8 | reg}, .len = 5, .fix = FIX_ABS32, .fix_off = 1};
        add_pending(g, &si);
        GEN_W(g, 1u << RSP, 0xff,
              (uint8_t)((rng_percent(&g->rng, 50) ? 0xe0 : 0xd0) | reg));
        return;
    }
}

/* mov r15d, n; head: cmp; body; dec r15; jnz head */
static void counted_loop(struct gen *g)
{
    unsigned body = 1 + rng_below(&g->rng, 3), head;
    struct stream_insn back = {
        .bytes = {0x0f, 0x85}, .len = 6, .fix = FIX_BRANCH32, .fix_off = 2};
    const struct form_group *groups;

    gen_load(g, R15, 1 + rng_below(&g->rng, 6));
    head = g->s->n;
    gen_define_flags(g);
    for (unsigned i = 0; i < body; i++) {
        unsigned n;

        if (rng_percent(&g->rng, g->mix.changes * 3))
            gen_changes(g);
        n = form_groups(rng_percent(&g->rng, 60) ? FORM_INT : FORM_SSE,
                        &groups);

        groups += rng_below(&g->rng, n);
        gen_form(g, &groups->forms[rng_below(&g->rng, groups->count)]);
    }
    GEN_W(g, 1u << R15, 0x49, 0xff, 0xcf);
    back.target = (uint16_t)head;
    gen_add(g, &back, 0);
}

/* A stack operand in memory: [rsp + disp8] or absolute. */
static void push_pop_memory(struct gen *g)
{
    uint32_t address = gen_address(g, 8);
    bool pop = rng_percent(&g->rng, 50);
    uint8_t b[8] = {pop ? 0x8f : 0xff, pop ? 0x04 : 0x34, 0x25};

    if (rng_percent(&g->rng, 50)) {
        memcpy(b + 3, &address, 4);
        gen_bytes(g, b, 7, 1u << RSP);
        return;
    }
    b[1] |= 0x40;
    b[2] = 0x24;
    b[3] = (uint8_t)rng_next(&g->rng);
    gen_bytes(g, b, 4, 1u << RSP);
}

static void push_flags(struct gen *g)
{
    uint32_t flags =
        (uint32_t)rng_next(&g->rng) & (uint32_t)(CASE_FLAGS | FL_IF | FL_IOPL);
    uint8_t push[5] = {0x68};

    if (g->undefined)
        gen_define_flags(g);
    if (rng_percent(&g->rng, 50)) {
        if (rng_percent(&g->rng, 30))
            GEN_W(g, 1u << RSP, 0x66, 0x9c);
        else
            GEN_W(g, 1u << RSP, 0x9c);
        return;
    }
    memcpy(push + 1, &flags, 4);
    gen_bytes(g, push, 5, 1u << RSP);
    GEN_W(g, 1u << RSP, 0x9d);
}

/* The frame pointers that ENTER copies don't fault: what it has pushed by then
 * depends on the CPU. */
static void enter_leave(struct gen *g)
{
    uint8_t level = (uint8_t)rng_below(&g->rng, 5);
    bool nested = rng_percent(&g->rng, 30) && g->pending < 0;

    if (nested)
        gen_load(g, RBP, (uint32_t)CASE_DATA + 64 + rng_below(&g->rng, 4096));
    GEN_W(g, 1u << RSP | 1u << RBP, 0xc8, (uint8_t)rng_below(&g->rng, 64), 0,
          nested ? level : 0);
    GEN_W(g, 1u << RSP | 1u << RBP, 0xc9);
}

static void stack_group(struct gen *g)
{
    static const uint8_t regs[] = {RAX, RCX, RDX};
    uint8_t low = (uint8_t)rng_below(&g->rng, 8);
    uint8_t to = regs[rng_below(&g->rng, 3)];

    switch (rng_below(&g->rng, 10)) {
    case 0:
        GEN_W(g, 1u << RSP, 0x50 | low);
        return;
    case 1:
        GEN_W(g, 1u << RSP, 0x41, 0x50 | low);
        return;
    case 2:
        GEN_W(g, 1u << RSP, 0x66, 0x50 | low);
        return;
    case 3:
        GEN_W(g, 1u << RSP, 0x58 | to);
        return;
    case 4:
        GEN_W(g, 1u << RSP, 0x66, 0x58 | to);
        return;
    case 5:
        GEN_W(g, 1u << RSP, 0x6a, (uint8_t)rng_next(&g->rng));
        return;
    case 6:
        push_pop_memory(g);
        return;
    case 7:
        enter_leave(g);
        return;
    default:
        push_flags(g);
        return;
    }
}

void gen_control(struct gen *g)
{
    unsigned pick = rng_below(&g->rng, 100);

    if (pick < 45) {
        stack_group(g);
        return;
    }
    if (pick < 60) {
        counted_loop(g);
        return;
    }
    if (g->pending >= 0)
        return; /* one branch at a time */
    if (pick < 85)
        jump_forward(g);
    else
        jump_indirect(g);
}
