/* Re-encodes an instruction with its operands redirected. */
#include "thunk_rewrite.h"

#include <string.h>

bool is_gpr(ZydisRegister reg)
{
    ZydisRegisterClass c = ZydisRegisterGetClass(reg);

    return c == ZYDIS_REGCLASS_GPR8 || c == ZYDIS_REGCLASS_GPR16 ||
           c == ZYDIS_REGCLASS_GPR32 || c == ZYDIS_REGCLASS_GPR64;
}

static bool is_prefix_kept(uint8_t value)
{
    return value == 0x66 || value == 0xf2 || value == 0xf3;
}

/* Same opcode, same vector registers, same immediate; memory is [mem_reg], the
 * general register is rax. Everything but ModRM, SIB and displacement is taken
 * over byte by byte. */
static void rewrite_insn(struct rewrite *rw, const ZydisDecodedInstruction *in,
                         const ZydisDecodedOperand *ops, const uint8_t *bytes,
                         unsigned mem_reg)
{
    bool has_modrm = in->attributes & ZYDIS_ATTRIB_HAS_MODRM;
    unsigned rex = 0x40u | in->raw.rex.W << 3 | in->raw.rex.R << 2 |
                   in->raw.rex.X << 1 | in->raw.rex.B;
    unsigned reg = in->raw.modrm.reg, rm = in->raw.modrm.rm;
    unsigned mod = in->raw.modrm.mod;
    unsigned opcode_end = has_modrm ? in->raw.modrm.offset : in->length;
    unsigned opcode = 0, tail;

    if (!(in->attributes & ZYDIS_ATTRIB_HAS_REX))
        rex = 0x40;
    rw->len = 0;
    rw->gpr = -1;
    rw->acts = 0;
    rw->gpr_bits = 0;
    for (unsigned i = 0; i < in->operand_count; i++) {
        const ZydisDecodedOperand *op = &ops[i];

        if (op->type != ZYDIS_OPERAND_TYPE_REGISTER || !is_gpr(op->reg.value))
            continue;
        if (op->encoding == ZYDIS_OPERAND_ENCODING_MODRM_REG) {
            reg = 0;
            rex &= ~4u;
        } else if (op->encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM) {
            rm = 0;
            rex &= ~1u;
        } else {
            continue;
        }
        rw->gpr = ZydisRegisterGetId(op->reg.value);
        rw->acts = op->actions;
        rw->gpr_bits = op->size;
    }
    if (has_modrm && mod != 3) {
        mod = 0;
        rm = mem_reg;
        rex &= ~3u;
    }

    for (unsigned i = 0; i < in->raw.prefix_count; i++) {
        opcode = i + 1;
        if (is_prefix_kept(in->raw.prefixes[i].value))
            rw->code[rw->len++] = in->raw.prefixes[i].value;
    }
    if (rex != 0x40)
        rw->code[rw->len++] = (uint8_t)rex;
    while (opcode < opcode_end)
        rw->code[rw->len++] = bytes[opcode++];
    if (!has_modrm)
        return;
    rw->code[rw->len++] = (uint8_t)(mod << 6 | reg << 3 | rm);
    tail = in->raw.imm[0].size / 8;
    memcpy(rw->code + rw->len, bytes + in->length - tail, tail);
    rw->len += tail;
}

/* What was rewritten must decode to the same instruction. */
static bool rewrite_ok(const struct rewrite *rw,
                       const ZydisDecodedInstruction *in,
                       const ZydisDecodedOperand *ops, unsigned mem_reg)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction in2;
    ZydisDecodedOperand ops2[ZYDIS_MAX_OPERAND_COUNT];

    if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
                                     ZYDIS_STACK_WIDTH_64)) ||
        ZYAN_FAILED(
            ZydisDecoderDecodeFull(&decoder, rw->code, rw->len, &in2, ops2)) ||
        in2.length != rw->len || in2.mnemonic != in->mnemonic ||
        in2.operand_count != in->operand_count ||
        in2.operand_width != in->operand_width)
        return false;
    for (unsigned i = 0; i < in->operand_count; i++) {
        const ZydisDecodedOperand *a = &ops[i], *b = &ops2[i];
        bool explicit_gpr = a->encoding == ZYDIS_OPERAND_ENCODING_MODRM_REG ||
                            a->encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM;

        if (a->type != b->type || a->size != b->size)
            return false;
        if (a->type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
            a->imm.value.u != b->imm.value.u)
            return false;
        if (a->type == ZYDIS_OPERAND_TYPE_MEMORY &&
            (b->mem.base != (a->encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM
                                 ? ZYDIS_REGISTER_RAX + mem_reg
                                 : ZYDIS_REGISTER_RDI) ||
             b->mem.disp.value || b->mem.index != ZYDIS_REGISTER_NONE))
            return false;
        if (a->type != ZYDIS_OPERAND_TYPE_REGISTER)
            continue;
        if (is_gpr(a->reg.value) && explicit_gpr) {
            if (ZydisRegisterGetId(b->reg.value) != 0 || !is_gpr(b->reg.value))
                return false;
        } else if (a->reg.value != b->reg.value) {
            return false;
        }
    }
    return true;
}

bool thunk_rewrite(struct rewrite *rw, const ZydisDecodedInstruction *in,
                   const ZydisDecodedOperand *ops, const uint8_t *bytes,
                   unsigned mem_reg)
{
    rewrite_insn(rw, in, ops, bytes, mem_reg);
    return rewrite_ok(rw, in, ops, mem_reg);
}
