/* Translation of jumps, calls and returns. */
#include "emit.h"

/* The return address goes on the guest's stack; RAX is free. */
static void emit_push_return(struct emit *e, uint64_t to, bool rax_free)
{
    if (fits32((int64_t)to)) {
        emit_stack(e, 0xc7, 0, -8);
        emit32(e, (uint32_t)to);
    } else {
        if (!rax_free)
            emit_save(e, RAX, CPU_SPILL(SPILL_RAX));
        emit_imm(e, RAX, to);
        if (!rax_free)
            emit_mark(e, e->insn, FIX_RAX);
        emit_stack(e, 0x89, RAX, -8);
        if (!rax_free) {
            emit_load(e, RAX, CPU_SPILL(SPILL_RAX));
            emit_mark(e, e->insn, 0);
        }
    }
    emit_rsp(e, -8);
}

/* Most returns go where they went the first time, and then need neither the
 * table nor an indirect jump, which the host predicts less well than its own
 * return. Until bt_learn_return() this leaves, to learn. */
#define EXPECT_JUMP 9   /* bytes from the comparison to the jump, */
#define EXPECT_OTHER 14 /* to where it isn't as expected, */
#define EXPECT_END 21   /* and to the end */

static void emit_expectation(struct emit *e, gva_t pc)
{
    struct bt *bt = e->bt;
    uint32_t n = emit_exit_new(e, BT_EXIT_RETURN, pc, 0);
    uint32_t stub = emit_leave_stub(e, n), begin = emit_off(e);

    bt->exits[n].patch = begin;
    e->f->expects = begin + EXPECT_OTHER + 3;
    emit_jmp(e, stub); /* later: lea rcx, [rcx + 1 - pc] */
    emit8(e, 0x90), emit8(e, 0x90);
    emit_mark(e, e->insn, FIX_RIP_SUM1);
    emit8(e, 0xe2), emit8(e, 5); /* loop: RCX was not 1 */
    emit_mark(e, e->insn, FIX_RIP_RET);
    emit_jmp(e, stub); /* later: to that unit */
    assert(emit_off(e) == begin + EXPECT_OTHER);
    emit_mark(e, e->insn, FIX_RIP_SUM);
    emit_add_rcx(e, 0);
    emit_mark(e, e->insn, FIX_RIP_RCX);
    assert(emit_off(e) == begin + EXPECT_END);
}

void bt_learn_return(struct bt *bt, const struct bt_exit *x, struct bt_frag *to)
{
    struct emit e = {.bt = bt, .p = bt->rw + x->patch};

    if (!fits32((int64_t)to->pc) || !fits32((int64_t)(1 - to->pc))) {
        emit8(&e, 0xeb), emit8(&e, EXPECT_END - 2); /* by the table, always */
        return;
    }
    emit_add_rcx(&e, (uint32_t)(1 - to->pc));
    e.p = bt->rw + x->patch + EXPECT_JUMP;
    emit_jmp(&e, bt_return_to(bt, to));
    emit_add_rcx(&e, (uint32_t)to->pc);
    bt->vm.events.count[EV_BT_CHAIN]++;
}

static void emit_return(struct emit *e, const struct unit_insn *i)
{
    const struct x86_opnd *o = &i->x.opnd[0];
    const int pop = o->kind == OPND_IMM ? (int)(o->imm & 0xffff) : 0;
    const unsigned spilled = bt_spilled[BT_BY_RETURN];

    emit_reload(e, ~spilled);
    emit_spilled(e, 0x89, spilled & ~e->late);
    e->late = spilled;
    emit_mark(e, e->insn, 0);
    emit_stack(e, 0x8b, RCX, 0);
    emit_rsp(e, 8 + pop);
    emit_mark(e, e->insn, FIX_RIP_RCX);
    /* A program's pages may hold other code the next time. */
    if (e->mode == BT_KERNEL && e->bt->opt.chain)
        emit_expectation(e, i->pc);
    emit_save(e, RCX, CPU(target));
    emit_mark(e, e->insn, FIX_TARGET);
    emit_table_jump(e, BT_BY_RETURN);
}

/* jmp or call to a register or a memory operand. */
static enum emitted emit_indirect(struct emit *e, const struct unit_insn *i,
                                  bool call)
{
    const struct x86_insn *x = &i->x;

    if (x->opnd[0].size != 8)
        return emit_step(e, i);
    emit_save(e, RAX, CPU_SPILL(SPILL_RAX));
    if (x->opnd[0].kind == OPND_REG) {
        if (x->opnd[0].reg != RAX)
            emit_mov(e, RAX, x->opnd[0].reg);
    } else if (!emit_load_operand(e, RAX, i)) {
        return emit_step(e, i);
    }
    emit_mark(e, e->insn, FIX_RAX);
    emit_save(e, RAX, CPU(target));
    if (call)
        emit_push_return(e, i->pc + x->len, true);
    emit_mark(e, e->insn, FIX_RAX | FIX_TARGET);
    emit_save(e, RDX, CPU_SPILL(SPILL_RDX));
    emit_mark(e, e->insn, FIX_RAX | FIX_RDX | FIX_TARGET);
    emit_table_jump(e, BT_BY_JUMP);
    return EMIT_END;
}

static enum emitted emit_call(struct emit *e, const struct unit_insn *i)
{
    const struct x86_insn *x = &i->x;

    if (x->opnd[0].kind != OPND_IMM) {
        if (x->opnd[0].kind == OPND_PTR ||
            x->zi.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
            return emit_step(e, i);
        return emit_indirect(e, i, true);
    }
    emit_push_return(e, i->pc + x->len, false);
    emit_mark_rsp(e, e->insn, 0, 8);
    emit_branch(e, -1, i->pc, (uint64_t)x->opnd[0].imm);
    return EMIT_END;
}

/* LOOP and JRCXZ only reach 127 bytes. */
static enum emitted emit_short(struct emit *e, const struct unit_insn *i,
                               unsigned opcode)
{
    const struct x86_insn *x = &i->x;

    if (x->addrsize != 8)
        return emit_step(e, i);
    emit8(e, opcode), emit8(e, 5);
    emit_mark(e, e->insn + 1, 0);
    emit_branch(e, -1, i->pc, i->pc + x->len);
    /* Taken: LOOP has counted. */
    emit_mark(e, e->insn + 1, FIX_TAKEN);
    e->f->taken = (uint64_t)x->opnd[0].imm;
    emit_branch(e, -1, i->pc, (uint64_t)x->opnd[0].imm);
    return EMIT_END;
}

static int condition(const struct x86_insn *x)
{
    static const uint16_t mnemonics[16] = {
        ZYDIS_MNEMONIC_JO,   ZYDIS_MNEMONIC_JNO,  ZYDIS_MNEMONIC_JB,
        ZYDIS_MNEMONIC_JNB,  ZYDIS_MNEMONIC_JZ,   ZYDIS_MNEMONIC_JNZ,
        ZYDIS_MNEMONIC_JBE,  ZYDIS_MNEMONIC_JNBE, ZYDIS_MNEMONIC_JS,
        ZYDIS_MNEMONIC_JNS,  ZYDIS_MNEMONIC_JP,   ZYDIS_MNEMONIC_JNP,
        ZYDIS_MNEMONIC_JL,   ZYDIS_MNEMONIC_JNL,  ZYDIS_MNEMONIC_JLE,
        ZYDIS_MNEMONIC_JNLE,
    };

    for (int cc = 0; cc < 16; cc++)
        if (mnemonics[cc] == x->op)
            return cc;
    return -1;
}

bool emit_flow(struct emit *e, const struct unit_insn *i, enum emitted *how)
{
    const struct x86_insn *x = &i->x;
    int cc = condition(x);

    *how = EMIT_END;
    if (cc >= 0) {
        emit_branch(e, cc, i->pc, (uint64_t)x->opnd[0].imm);
        emit_mark(e, e->insn + 1, 0);
        e->bt->tail_exit = emit_branch(e, -1, i->pc, i->pc + x->len);
        e->bt->tail = (uint32_t)(e->f - e->bt->frags);
        return true;
    }
    switch (x->op) {
    case ZYDIS_MNEMONIC_JMP:
        if (x->opnd[0].kind == OPND_IMM)
            emit_branch(e, -1, i->pc, (uint64_t)x->opnd[0].imm);
        else if (x->opnd[0].kind == OPND_PTR ||
                 x->zi.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
            *how = emit_step(e, i);
        else
            *how = emit_indirect(e, i, false);
        return true;
    case ZYDIS_MNEMONIC_CALL:
        *how = emit_call(e, i);
        return true;
    case ZYDIS_MNEMONIC_RET:
        if (x->zi.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR || x->opsize != 8)
            *how = emit_step(e, i);
        else
            emit_return(e, i);
        return true;
    case ZYDIS_MNEMONIC_LOOP:
        *how = emit_short(e, i, 0xe2);
        return true;
    case ZYDIS_MNEMONIC_LOOPE:
        *how = emit_short(e, i, 0xe1);
        return true;
    case ZYDIS_MNEMONIC_LOOPNE:
        *how = emit_short(e, i, 0xe0);
        return true;
    case ZYDIS_MNEMONIC_JRCXZ:
        *how = emit_short(e, i, 0xe3);
        return true;
    case ZYDIS_MNEMONIC_JECXZ:
    case ZYDIS_MNEMONIC_JCXZ:
        *how = emit_step(e, i);
        return true;
    }
    return false;
}
