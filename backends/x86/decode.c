/* Decodes instructions with Zydis into the shape that the backends share. */
#include "decode.h"

#include "../state.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static ZydisDecoder decoder;
static pthread_once_t decoder_once = PTHREAD_ONCE_INIT;

/* LZCNT and TZCNT aren't in x86-64-v2: there F3 is ignored and they are BSR and
 * BSF. The others are hints, which do nothing either way. */
static void decoder_init(void)
{
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
                     ZYDIS_STACK_WIDTH_64);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_LZCNT, ZYAN_FALSE);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_TZCNT, ZYAN_FALSE);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_WBNOINVD, ZYAN_FALSE);
}

static bool reg_number(ZydisRegister reg, struct x86_opnd *o)
{
    o->high = false;
    switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_GPR8:
        if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH) {
            o->reg = (uint8_t)(reg - ZYDIS_REGISTER_AH);
            o->high = true;
        } else if (reg < ZYDIS_REGISTER_AH) {
            o->reg = (uint8_t)(reg - ZYDIS_REGISTER_AL);
        } else {
            o->reg = (uint8_t)(reg - ZYDIS_REGISTER_SPL + 4);
        }
        break;
    case ZYDIS_REGCLASS_GPR16:
        o->reg = (uint8_t)(reg - ZYDIS_REGISTER_AX);
        break;
    case ZYDIS_REGCLASS_GPR32:
        o->reg = (uint8_t)(reg - ZYDIS_REGISTER_EAX);
        break;
    case ZYDIS_REGCLASS_GPR64:
        o->reg = (uint8_t)(reg - ZYDIS_REGISTER_RAX);
        break;
    default:
        return false;
    }
    return true;
}

static void reg_operand(const ZydisDecodedOperand *z, struct x86_opnd *o)
{
    o->kind = OPND_REG;
    if (reg_number(z->reg.value, o))
        return;
    switch (ZydisRegisterGetClass(z->reg.value)) {
    case ZYDIS_REGCLASS_SEGMENT:
        o->kind = OPND_SREG;
        o->reg = (uint8_t)(z->reg.value - ZYDIS_REGISTER_ES);
        break;
    case ZYDIS_REGCLASS_CONTROL:
        o->kind = OPND_CR;
        o->reg = (uint8_t)(z->reg.value - ZYDIS_REGISTER_CR0);
        break;
    case ZYDIS_REGCLASS_DEBUG:
        o->kind = OPND_DR;
        o->reg = (uint8_t)(z->reg.value - ZYDIS_REGISTER_DR0);
        break;
    default:
        o->kind = OPND_OTHER;
    }
}

static void mem_operand(const ZydisDecodedOperand *z, uint64_t next,
                        struct x86_insn *out)
{
    struct x86_mem *m = &out->mem;
    struct x86_opnd r;

    out->has_mem = true;
    m->base = m->index = X86_NOREG;
    m->scale = z->mem.scale ? (uint8_t)__builtin_ctz(z->mem.scale) : 0;
    m->addr32 = out->addrsize == 4;
    m->disp = z->mem.disp.has_displacement ? z->mem.disp.value : 0;
    if (z->mem.base == ZYDIS_REGISTER_RIP)
        m->disp += (int64_t)next;
    else if (z->mem.base == ZYDIS_REGISTER_EIP)
        m->disp = (uint32_t)(m->disp + (int64_t)next);
    else if (z->mem.base && reg_number(z->mem.base, &r))
        m->base = r.reg;
    if (z->mem.index && reg_number(z->mem.index, &r))
        m->index = r.reg;
    /* Other overrides are ignored in 64-bit mode. */
    if (z->mem.segment == ZYDIS_REGISTER_FS)
        m->seg = FS;
    else if (z->mem.segment == ZYDIS_REGISTER_GS)
        m->seg = GS;
    else
        m->seg = m->base == RSP || m->base == RBP ? SS : DS;
}

static void operand(const ZydisDecodedOperand *z, uint64_t next,
                    struct x86_opnd *o)
{
    o->size = (uint8_t)(z->size / 8);
    switch (z->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        reg_operand(z, o);
        break;
    case ZYDIS_OPERAND_TYPE_MEMORY:
        o->kind = OPND_MEM;
        break;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        o->kind = OPND_IMM;
        o->imm = z->imm.value.s;
        if (z->imm.is_relative)
            o->imm += (int64_t)next;
        break;
    case ZYDIS_OPERAND_TYPE_POINTER:
        o->kind = OPND_PTR;
        break;
    default:
        o->kind = OPND_NONE;
    }
}

/* F3 41 90 is XCHG r8, rAX with a prefix that means nothing, not PAUSE. */
static void exchange_r8(struct x86_insn *out)
{
    unsigned size = out->zi.raw.rex.W ? 8 : out->opsize;

    out->op = ZYDIS_MNEMONIC_XCHG;
    out->nops = 2;
    out->opnd[0] = (struct x86_opnd){.kind = OPND_REG, .reg = R8};
    out->opnd[1] = (struct x86_opnd){.kind = OPND_REG, .reg = RAX};
    out->opnd[0].size = out->opnd[1].size = (uint8_t)size;
}

static void flag_masks(struct x86_insn *out)
{
    const ZydisAccessedFlags *f = out->zi.cpu_flags;
    const uint32_t arith = FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF;

    if (!f)
        return;
    out->fl_read = (uint16_t)(f->tested & arith);
    out->fl_undefined = (uint16_t)(f->undefined & arith);
    out->fl_written =
        (uint16_t)((f->modified | f->set_0 | f->set_1 | f->undefined) & arith);
}

int x86_decode(const uint8_t *bytes, size_t avail, uint64_t rip,
               struct x86_insn *out)
{
    ZydisDecodedInstruction *zi = &out->zi;
    uint64_t next;
    ZyanStatus st;

    pthread_once(&decoder_once, decoder_init);
    memset(out, 0, offsetof(struct x86_insn, zi));
    if (avail > ZYDIS_MAX_INSTRUCTION_LENGTH)
        avail = ZYDIS_MAX_INSTRUCTION_LENGTH;
    st = ZydisDecoderDecodeFull(&decoder, bytes, avail, zi, out->zops);
    if (st == ZYDIS_STATUS_NO_MORE_DATA)
        return avail < ZYDIS_MAX_INSTRUCTION_LENGTH ? -ENODATA : -E2BIG;
    if (st == ZYDIS_STATUS_INSTRUCTION_TOO_LONG)
        return -E2BIG;
    if (ZYAN_FAILED(st))
        return -EINVAL;
    if (zi->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return -EINVAL;

    next = rip + zi->length;
    out->op = (uint16_t)zi->mnemonic;
    out->len = zi->length;
    out->opsize = zi->operand_width / 8;
    out->addrsize = zi->address_width / 8;
    out->lock = (zi->attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0;
    out->string = zi->meta.category == ZYDIS_CATEGORY_STRINGOP ||
                  zi->meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
    if (zi->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE))
        out->rep = 0xf3;
    else if (zi->attributes & ZYDIS_ATTRIB_HAS_REPNE)
        out->rep = 0xf2;
    for (unsigned i = 0; i < zi->operand_count; i++) {
        const ZydisDecodedOperand *z = &out->zops[i];

        if (z->type == ZYDIS_OPERAND_TYPE_MEMORY &&
            (z->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT ||
             !out->has_mem))
            mem_operand(z, next, out);
        /* Implicit ones too: an accumulator, CL, a count of 1. */
        if (z->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN && out->nops < 4)
            operand(z, next, &out->opnd[out->nops++]);
    }
    flag_masks(out);
    if (out->op == ZYDIS_MNEMONIC_PAUSE && zi->raw.rex.B)
        exchange_r8(out);
    return 0;
}
