/* Chooses the handler of an instruction and fills in its operands. */
#include "select.h"

static uint8_t offset_of(uint8_t reg)
{
    return (uint8_t)((reg == X86_NOREG ? ZERO_REG : reg) * 8);
}

static void fill_memory(const struct x86_mem *m, struct insn *i)
{
    i->base = offset_of(m->base);
    i->index = offset_of(m->index);
    i->scale = m->scale;
    i->disp = m->disp;
    i->seg = m->seg;
    if (m->addr32)
        i->seg |= EA_ADDR32;
    if (m->seg == FS || m->seg == GS)
        i->seg |= EA_BASE;
}

static void fill_operands(const struct x86_insn *x, struct insn *i)
{
    i->reg = i->rm = i->base = i->index = ZERO_REG * 8;
    i->scale = 0;
    i->seg = SS; /* of implicit stack accesses */
    i->imm = i->disp = 0;
    if (x->has_mem)
        fill_memory(&x->mem, i);
    if (x->opnd[0].kind == OPND_REG)
        i->reg = reg_offset(&x->opnd[0]);
    if (x->opnd[1].kind == OPND_REG)
        i->rm = reg_offset(&x->opnd[1]);
    for (unsigned k = 0; k < x->nops; k++)
        if (x->opnd[k].kind == OPND_IMM)
            i->imm = x->opnd[k].imm;
}

/* System instructions come first: some are forms of MOV, PUSH and POP. What
 * nobody claims isn't in x86-64-v2. */
void select_insn(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    fill_operands(x, i);
    ch->fn = ch->nf = NULL;
    ch->fused = NULL;
    ch->tail.len = 0;
    ch->cc = -1;
    ch->ends = ch->counted = ch->shadow = false;
    ch->faults = x->has_mem;
    if (select_string(x, i, ch) || select_port(x, i, ch) ||
        select_system(x, i, ch) || select_far(x, i, ch))
        return;
    if (select_alu(x, i, ch) || select_mov(x, i, ch) ||
        select_shift(x, i, ch) || select_muldiv(x, i, ch) ||
        select_bits(x, i, ch) || select_atomic(x, i, ch))
        return;
    if (select_stack(x, i, ch) || select_control(x, i, ch))
        return;
    if (select_thunk(x, i, ch))
        return;
    ch->fn = raise_ud;
    ch->ends = ch->faults = true;
}
