/* Translation of instructions that neither branch nor touch the system. */
#include "emit.h"

static bool is_prefix(uint8_t b)
{
    switch (b) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xf0:
    case 0xf2:
    case 0xf3:
        return true;
    }
    return false;
}

static bool is_segment(uint8_t b)
{
    return b == 0x26 || b == 0x2e || b == 0x36 || b == 0x3e || b == 0x64 ||
           b == 0x65;
}

/* The prefix that brings the guest's operand into its view. -1: none does. */
static int view_prefix(const struct emit *e, const struct x86_insn *x)
{
    if (!x->has_mem)
        return 0;
    /* A write to the GS base takes long, user programs hardly use it: it stays
     * that of the kernel view. */
    if (e->mode == BT_USER)
        return x->mem.seg == FS ? 0x64 : x->mem.seg == GS ? -1 : 0;
    if (x->mem.seg == FS)
        return -1;
    return x->mem.seg == GS ? 0x64 : 0x65;
}

static bool rip_relative(const struct x86_insn *x)
{
    const struct ZydisDecodedInstructionRaw_ *raw = &x->zi.raw;

    return x->zi.attributes & ZYDIS_ATTRIB_HAS_MODRM && raw->modrm.mod == 0 &&
           raw->modrm.rm == 5;
}

/* Legacy prefixes but segments, then the view's; the REX prefix with these bits
 * cleared and set. Returns how many bytes of the instruction that was. */
static unsigned copy_prefixes(struct emit *e, const struct unit_insn *i,
                              int view, unsigned clear, unsigned set)
{
    unsigned n = 0, rex = 0;

    for (; is_prefix(i->bytes[n]); n++)
        if (!is_segment(i->bytes[n]))
            emit8(e, i->bytes[n]);
    if (view)
        emit8(e, (unsigned)view);
    if ((i->bytes[n] & 0xf0) == 0x40)
        rex = i->bytes[n++] & ~clear;
    if (set)
        rex |= 0x40 | set;
    if (rex)
        emit8(e, rex);
    return n;
}

/* ModRM, SIB and displacement with this reg field; returns where in the bytes
 * the immediate begins. */
static unsigned copy_operand(struct emit *e, const struct unit_insn *i,
                             unsigned reg)
{
    const struct x86_insn *x = &i->x;
    unsigned at = x->zi.raw.modrm.offset, n = at + 1;
    uint8_t modrm = (uint8_t)((i->bytes[at] & 0xc7) | (reg & 7) << 3);

    if (rip_relative(x)) {
        emit8(e, (modrm & 0x38) | 4), emit8(e, 0x25);
        emit32(e, (uint32_t)x->mem.disp);
        return n + 4;
    }
    emit8(e, modrm);
    if (x->zi.attributes & ZYDIS_ATTRIB_HAS_MODRM && modrm < 0xc0 &&
        (modrm & 7) == 4)
        emit8(e, i->bytes[n++]);
    for (unsigned k = 0; k < x->zi.raw.disp.size / 8u; k++)
        emit8(e, i->bytes[n++]);
    return n;
}

static bool operand_reachable(const struct x86_insn *x)
{
    return !rip_relative(x) || (fits32(x->mem.disp) && !x->mem.addr32);
}

bool emit_copy(struct emit *e, const struct unit_insn *i)
{
    const struct x86_insn *x = &i->x;
    int view = view_prefix(e, x);
    unsigned n, at = x->zi.raw.modrm.offset;

    if (view < 0 || !operand_reachable(x))
        return false;
    n = copy_prefixes(e, i, view, rip_relative(x) ? 2 : 0, 0);
    if (x->zi.attributes & ZYDIS_ATTRIB_HAS_MODRM) {
        while (n < at)
            emit8(e, i->bytes[n++]);
        n = copy_operand(e, i, (i->bytes[at] >> 3) & 7);
    }
    while (n < x->len)
        emit8(e, i->bytes[n++]);
    return true;
}

bool emit_load_operand(struct emit *e, unsigned reg, const struct unit_insn *i)
{
    const struct x86_insn *x = &i->x;
    int view = view_prefix(e, x);

    if (view < 0 || !operand_reachable(x))
        return false;
    if (x->mem.addr32)
        emit8(e, 0x67);
    if (view)
        emit8(e, (unsigned)view);
    emit8(e, 0x48 | (reg & 8 ? 4 : 0) |
                 (rip_relative(x)
                      ? 0
                      : (unsigned)(x->zi.raw.rex.X << 1 | x->zi.raw.rex.B)));
    emit8(e, 0x8b);
    copy_operand(e, i, reg);
    return true;
}

enum emitted emit_step(struct emit *e, const struct unit_insn *i)
{
    uint32_t n = emit_exit_new(e, BT_EXIT_STEP, i->pc, i->pc + i->x.len);

    emit_settle(e);
    e->bt->exits[n].len = i->x.len;
    emit_leave(e, n);
    return EMIT_END;
}

/* ---- Kinds --------------------------------------------------------------- */

/* General registers, flags and one memory operand at most. */
static bool is_plain(const struct x86_insn *x)
{
    for (unsigned k = 0; k < x->nops; k++)
        if (x->opnd[k].kind != OPND_REG && x->opnd[k].kind != OPND_MEM &&
            x->opnd[k].kind != OPND_IMM && x->opnd[k].kind != OPND_NONE)
            return false;
    switch (x->op) {
    case ZYDIS_MNEMONIC_BSF:
    case ZYDIS_MNEMONIC_BSR: /* F3 means nothing to the guest's CPU */
        return !(x->zi.attributes &
                 (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE)) &&
               x->zi.raw.prefix_count <= (x->zi.raw.rex.W ? 2 : 1) && !x->rep;
    case ZYDIS_MNEMONIC_MOV:
    case ZYDIS_MNEMONIC_MOVZX:
    case ZYDIS_MNEMONIC_MOVSX:
    case ZYDIS_MNEMONIC_MOVSXD:
    case ZYDIS_MNEMONIC_MOVNTI:
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_ADC:
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_SBB:
    case ZYDIS_MNEMONIC_AND:
    case ZYDIS_MNEMONIC_OR:
    case ZYDIS_MNEMONIC_XOR:
    case ZYDIS_MNEMONIC_NOT:
    case ZYDIS_MNEMONIC_NEG:
    case ZYDIS_MNEMONIC_INC:
    case ZYDIS_MNEMONIC_DEC:
    case ZYDIS_MNEMONIC_CMP:
    case ZYDIS_MNEMONIC_TEST:
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR:
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD:
    case ZYDIS_MNEMONIC_IMUL:
    case ZYDIS_MNEMONIC_MUL:
    case ZYDIS_MNEMONIC_DIV:
    case ZYDIS_MNEMONIC_IDIV:
    case ZYDIS_MNEMONIC_CBW:
    case ZYDIS_MNEMONIC_CWDE:
    case ZYDIS_MNEMONIC_CDQE:
    case ZYDIS_MNEMONIC_CWD:
    case ZYDIS_MNEMONIC_CDQ:
    case ZYDIS_MNEMONIC_CQO:
    case ZYDIS_MNEMONIC_XCHG:
    case ZYDIS_MNEMONIC_XADD:
    case ZYDIS_MNEMONIC_CMPXCHG:
    case ZYDIS_MNEMONIC_CMPXCHG8B:
    case ZYDIS_MNEMONIC_CMPXCHG16B:
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC:
    case ZYDIS_MNEMONIC_BSWAP:
    case ZYDIS_MNEMONIC_POPCNT:
    case ZYDIS_MNEMONIC_CRC32:
    case ZYDIS_MNEMONIC_CLC:
    case ZYDIS_MNEMONIC_STC:
    case ZYDIS_MNEMONIC_CMC:
    case ZYDIS_MNEMONIC_CLD:
    case ZYDIS_MNEMONIC_STD:
    case ZYDIS_MNEMONIC_LAHF:
    case ZYDIS_MNEMONIC_SAHF:
    case ZYDIS_MNEMONIC_XLAT:
    case ZYDIS_MNEMONIC_LFENCE:
    case ZYDIS_MNEMONIC_MFENCE:
    case ZYDIS_MNEMONIC_SFENCE:
    case ZYDIS_MNEMONIC_PAUSE:
        return true;
    }
    return (x->op >= ZYDIS_MNEMONIC_CMOVB && x->op <= ZYDIS_MNEMONIC_CMOVZ) ||
           (x->op >= ZYDIS_MNEMONIC_SETB && x->op <= ZYDIS_MNEMONIC_SETZ);
}

static bool writes_rsp_partly(const struct x86_insn *x)
{
    return x->nops && x->opnd[0].kind == OPND_REG && x->opnd[0].reg == RSP;
}

static enum emitted emit_lea(struct emit *e, const struct unit_insn *i)
{
    const struct x86_insn *x = &i->x;
    uint64_t v = (uint64_t)x->mem.disp;

    if (!rip_relative(x)) {
        for (unsigned n = 0; n < x->len; n++)
            emit8(e, i->bytes[n]);
        return EMIT_NEXT;
    }
    if (x->opnd[0].size == 2)
        return emit_step(e, i);
    emit_imm(e, x->opnd[0].reg, x->opnd[0].size == 4 ? (uint32_t)v : v);
    return EMIT_NEXT;
}

/* As an operand. */
static bool uses_rsp(const struct x86_insn *x)
{
    for (unsigned k = 0; k < x->nops; k++)
        if ((x->opnd[k].kind == OPND_REG && x->opnd[k].reg == RSP) ||
            (x->opnd[k].kind == OPND_MEM && x->mem.base == RSP))
            return true;
    return false;
}

static enum emitted emit_push(struct emit *e, const struct unit_insn *i)
{
    const struct x86_insn *x = &i->x;

    if (x->opsize != 8)
        return emit_step(e, i);
    switch (x->opnd[0].kind) {
    case OPND_REG:
        emit_stack(e, 0x89, x->opnd[0].reg, -8);
        break;
    case OPND_IMM:
        emit_stack(e, 0xc7, 0, -8);
        emit32(e, (uint32_t)x->opnd[0].imm);
        break;
    case OPND_MEM:
        emit_save(e, RAX, CPU_SPILL(SPILL_RAX));
        if (!emit_load_operand(e, RAX, i))
            return emit_step(e, i);
        emit_mark(e, e->insn, FIX_RAX);
        emit_stack(e, 0x89, RAX, -8);
        emit_load(e, RAX, CPU_SPILL(SPILL_RAX));
        break;
    default:
        return emit_step(e, i);
    }
    e->rsp -= 8;
    return EMIT_NEXT;
}

static enum emitted emit_pop(struct emit *e, const struct unit_insn *i)
{
    const struct x86_insn *x = &i->x;

    if (x->opsize != 8 || x->opnd[0].kind != OPND_REG)
        return emit_step(e, i);
    emit_stack(e, 0x8b, x->opnd[0].reg, 0);
    if (x->opnd[0].reg != RSP)
        e->rsp += 8;
    return EMIT_NEXT;
}

/* String operands with the guest's own FS or GS. */
static bool string_segment(const struct x86_insn *x)
{
    for (unsigned n = 0; x->string && n < x->zi.operand_count; n++)
        if (x->zops[n].type == ZYDIS_OPERAND_TYPE_MEMORY &&
            (x->zops[n].mem.segment == ZYDIS_REGISTER_FS ||
             x->zops[n].mem.segment == ZYDIS_REGISTER_GS))
            return true;
    return false;
}

/* RSI may have a segment prefix, RDI not: it is moved into the view. */
static enum emitted emit_string(struct emit *e, const struct unit_insn *i)
{
    const struct x86_insn *x = &i->x;
    bool rsi = false, rdi = false;
    unsigned n;

    for (n = 0; n < x->zi.operand_count; n++) {
        const ZydisDecodedOperand *z = &x->zops[n];

        if (z->type != ZYDIS_OPERAND_TYPE_MEMORY)
            continue;
        rsi |= z->mem.base == ZYDIS_REGISTER_RSI;
        rdi |= z->mem.base == ZYDIS_REGISTER_RDI;
    }
    if (x->addrsize != 8 || string_segment(x) || x->op == ZYDIS_MNEMONIC_INSB ||
        x->op == ZYDIS_MNEMONIC_INSW || x->op == ZYDIS_MNEMONIC_INSD ||
        x->op == ZYDIS_MNEMONIC_OUTSB || x->op == ZYDIS_MNEMONIC_OUTSW ||
        x->op == ZYDIS_MNEMONIC_OUTSD)
        return emit_step(e, i);
    if (rdi) {
        emit_save(e, RDX, CPU_SPILL(SPILL_RDX));
        emit_imm(e, RDX, SHADOW_DELTA);
        emit_mark(e, e->insn, FIX_RDX);
        emit_add(e, RDI, RDX);
        emit_mark(e, e->insn, FIX_RDX | FIX_RDI);
    }
    n = copy_prefixes(e, i, rsi ? 0x65 : 0, 0, 0);
    while (n < x->len)
        emit8(e, i->bytes[n++]);
    if (rdi) {
        emit_mark(e, e->insn + 1, FIX_RDX | FIX_RDI);
        emit_imm(e, RDX, -SHADOW_DELTA);
        emit_add(e, RDI, RDX);
        emit_mark(e, e->insn + 1, FIX_RDX);
        emit_load(e, RDX, CPU_SPILL(SPILL_RDX));
        emit_mark(e, e->insn + 1, 0);
    }
    return EMIT_NEXT;
}

/* A store that keeps trapping: the VMM does it. */
static bool emit_simulated(struct emit *e, const struct unit_insn *i)
{
    const struct x86_insn *x = &i->x;
    struct bt *bt = e->bt;
    struct bt_store *s;
    uint32_t n;

    if (x->op != ZYDIS_MNEMONIC_MOV || x->opnd[0].kind != OPND_MEM ||
        (x->opnd[1].kind != OPND_REG && x->opnd[1].kind != OPND_IMM) ||
        x->mem.addr32 || x->mem.seg == FS || x->mem.seg == GS ||
        bt->nstores >= BT_STORES_MAX)
        return false;
    emit_settle(e);
    s = &bt->stores[bt->nstores];
    *s = (struct bt_store){.mem = x->mem, .size = x->opnd[0].size};
    s->reg = x->opnd[1].kind == OPND_REG ? x->opnd[1].reg : X86_NOREG;
    s->high = x->opnd[1].high;
    s->imm = x->opnd[1].imm;
    n = emit_exit_new(e, BT_EXIT_STORE, i->pc, i->pc + x->len);
    bt->exits[n].store = bt->nstores++;
    bt->exits[n].len = x->len;
    emit_leave(e, n);
    bt->exits[n].next = bt_host(emit_off(e));
    return true;
}

/* ---- What is left for later ---------------------------------------------- */

static bool is_register(ZydisRegister zydis, unsigned reg)
{
    return ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
                                            zydis) ==
           (ZydisRegister)(ZYDIS_REGISTER_RAX + reg);
}

enum use { USE_NONE, USE_SET, USE_READ };

/* xor eax, eax: whatever was in it. */
static bool is_zeroing(const struct x86_insn *x)
{
    const struct x86_opnd *a = &x->opnd[0], *b = &x->opnd[1];

    return (x->op == ZYDIS_MNEMONIC_XOR || x->op == ZYDIS_MNEMONIC_SUB) &&
           a->kind == OPND_REG && b->kind == OPND_REG && a->reg == b->reg &&
           a->size >= 4;
}

/* What it does with a register: USE_SET overwrites all of it. */
static enum use use_of(const struct x86_insn *x, unsigned reg)
{
    enum use use = USE_NONE;

    if (is_zeroing(x))
        return x->opnd[0].reg == reg ? USE_SET : USE_NONE;
    for (unsigned k = 0; k < x->zi.operand_count; k++) {
        const ZydisDecodedOperand *z = &x->zops[k];

        if (z->type == ZYDIS_OPERAND_TYPE_MEMORY &&
            (is_register(z->mem.base, reg) || is_register(z->mem.index, reg)))
            return USE_READ;
        if (z->type != ZYDIS_OPERAND_TYPE_REGISTER ||
            !is_register(z->reg.value, reg))
            continue;
        if (z->actions != ZYDIS_OPERAND_ACTION_WRITE || z->size < 32)
            return USE_READ;
        use = USE_SET;
    }
    return use;
}

/* Can it run while something is left? */
static bool is_patient(const struct x86_insn *x)
{
    switch (x->op) {
    case ZYDIS_MNEMONIC_PUSH:
        return x->opnd[0].kind != OPND_MEM;
    case ZYDIS_MNEMONIC_POP:
    case ZYDIS_MNEMONIC_LEA:
    case ZYDIS_MNEMONIC_NOP:
    case ZYDIS_MNEMONIC_RET:
        return true;
    }
    /* Where x86_decode() knows better, Zydis' operands are wrong. */
    return is_plain(x) && x->op == x->zi.mnemonic;
}

/* Do now what it needs. Returns which registers need not be loaded behind it.
 */
static unsigned settle_for(struct emit *e, const struct x86_insn *x)
{
    unsigned read = 0, set = 0;

    if (!is_patient(x)) {
        if (x->op == ZYDIS_MNEMONIC_CALL && x->opnd[0].kind == OPND_IMM)
            emit_reload(e, e->late); /* it moves RSP itself */
        else
            emit_settle(e);
        return 0;
    }
    for (unsigned k = 0; e->late >> k; k++) {
        enum use use = use_of(x, bt_spill_regs[k]);

        read |= use == USE_READ ? 1u << k : 0;
        set |= use == USE_SET ? 1u << k : 0;
    }
    emit_reload(e, read);
    if (uses_rsp(x))
        emit_settle_rsp(e);
    return set;
}

static bool is_nop(const struct x86_insn *x)
{
    return x->op == ZYDIS_MNEMONIC_NOP;
}

static enum emitted emit_one(struct emit *e, const struct unit_insn *i)
{
    const struct x86_insn *x = &i->x;
    enum emitted how;

    if (emit_flow(e, i, &how) || emit_system(e, i, &how))
        return how;
    if (x->has_mem && bt_simulated(e->bt, i->pc)) {
        if (emit_simulated(e, i))
            return EMIT_NEXT;
        emit_step(e, i);
        e->bt->exits[e->bt->nexits - 1].simulated = true;
        return EMIT_END;
    }
    if (is_nop(x))
        return EMIT_NEXT;
    if (x->op == ZYDIS_MNEMONIC_LEA)
        return emit_lea(e, i);
    if (e->mode == BT_USER) /* the user's own view; RSP is as native */
        return !string_segment(x) && emit_copy(e, i) ? EMIT_NEXT
                                                     : emit_step(e, i);
    if (x->op == ZYDIS_MNEMONIC_PUSH)
        return emit_push(e, i);
    if (x->op == ZYDIS_MNEMONIC_POP)
        return emit_pop(e, i);
    if (x->string)
        return emit_string(e, i);
    if (!is_plain(x) || (writes_rsp_partly(x) && x->opnd[0].size < 8))
        return emit_step(e, i);
    return emit_copy(e, i) ? EMIT_NEXT : emit_step(e, i);
}

enum emitted emit_insn(struct emit *e, const struct unit_insn *i)
{
    unsigned set = settle_for(e, &i->x);
    enum emitted how = emit_one(e, i);

    e->late &= ~set;
    return how;
}
