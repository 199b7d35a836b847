/* Rewrites x87, MMX and SSE instructions into thunks that the host runs. */
#include "thunk.h"

#include "../state.h"
#include "emit.h"
#include "thunk_arena.h"
#include "thunk_rewrite.h"

#include <errno.h>
#include <string.h>

#define STATUS_FLAGS (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF)
#define MXCSR_VALID 0xffffu /* what x86-64-v2 has: no AMD misalignment bit */

/* Host registers in a thunk, by the calling convention: mem is rdi, gpr is rsi,
 * flags is rdx. */

/* ---- Emitting the thunk -------------------------------------------------- */

/* mov host, [rsi + 8 * guest], and back; host is one of rax, rcx, rdx. */
static void emit_load(struct emit *e, unsigned host, int guest)
{
    EMIT(e, 0x48, 0x8b, (uint8_t)(0x46 | host << 3), (uint8_t)(guest * 8));
}

static void emit_store(struct emit *e, unsigned host, int guest)
{
    EMIT(e, 0x48, 0x89, (uint8_t)(0x46 | host << 3), (uint8_t)(guest * 8));
}

static void emit_thunk(struct emit *e, const struct rewrite *rw,
                       const ZydisDecodedInstruction *in, const struct thunk *t)
{
    ZydisMnemonic m = in->mnemonic;
    bool lengths =
        m == ZYDIS_MNEMONIC_PCMPESTRI || m == ZYDIS_MNEMONIC_PCMPESTRM;
    bool index = m == ZYDIS_MNEMONIC_PCMPESTRI || m == ZYDIS_MNEMONIC_PCMPISTRI;
    bool status = m == ZYDIS_MNEMONIC_FNSTSW && !t->mem_size; /* to AX */
    int gpr = status ? RAX : rw->gpr;
    unsigned acts = status ? ZYDIS_OPERAND_ACTION_READWRITE : rw->acts;

    e->len = 0;
    if (t->flags_read) {
        EMIT(e, 0x81, 0xe2, STATUS_FLAGS & 0xff, STATUS_FLAGS >> 8, 0, 0);
        EMIT(e, 0x52, 0x9d); /* and edx, STATUS_FLAGS; push rdx; popfq */
    }
    if (lengths) {
        emit_load(e, RAX, RAX);
        emit_load(e, RDX, RDX);
    } else if (gpr >= 0 &&
               (acts & ZYDIS_OPERAND_ACTION_MASK_READ || rw->gpr_bits < 32)) {
        emit_load(e, RAX, gpr);
    }
    emit(e, rw->code, rw->len);
    if (index)
        emit_store(e, RCX, RCX);
    if (gpr >= 0 && acts & ZYDIS_OPERAND_ACTION_MASK_WRITE)
        emit_store(e, RAX, gpr);
    if (t->flags_written)
        EMIT(e, 0x9c, 0x58, 0xc3); /* pushfq; pop rax; ret */
    else
        EMIT(e, 0x31, 0xc0, 0xc3); /* xor eax, eax; ret */
}

/* ---- What an instruction is ---------------------------------------------- */

static int check_mxcsr(const void *mem)
{
    uint32_t v;

    memcpy(&v, mem, 4);
    return v & ~MXCSR_VALID ? VEC_GP : 0;
}

static int check_fxrstor(const void *mem)
{
    return check_mxcsr((const uint8_t *)mem + 24);
}

static void finish_fxsave(void *mem)
{
    uint32_t mask = MXCSR_VALID;

    memcpy((uint8_t *)mem + 28, &mask, 4);
}

static bool has_class(const ZydisDecodedInstruction *in,
                      const ZydisDecodedOperand *ops, ZydisRegisterClass c)
{
    for (unsigned i = 0; i < in->operand_count; i++)
        if (ops[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            ZydisRegisterGetClass(ops[i].reg.value) == c)
            return true;
    return false;
}

/* The kind of an MMX or SSE instruction without an XMM register. */
static int classify_bare(const ZydisDecodedInstruction *in,
                         const ZydisDecodedOperand *ops)
{
    if (has_class(in, ops, ZYDIS_REGCLASS_MMX))
        return THUNK_MMX;
    switch (in->mnemonic) {
    case ZYDIS_MNEMONIC_EMMS:
        return THUNK_MMX;
    case ZYDIS_MNEMONIC_FISTTP:
        return THUNK_X87;
    case ZYDIS_MNEMONIC_CVTSS2SI: /* from memory */
    case ZYDIS_MNEMONIC_CVTSD2SI:
    case ZYDIS_MNEMONIC_CVTTSS2SI:
    case ZYDIS_MNEMONIC_CVTTSD2SI:
        return THUNK_SSE;
    case ZYDIS_MNEMONIC_MOVNTI:
        return THUNK_INT;
    default:
        return -ENOENT; /* fences, prefetches, CRC32 */
    }
}

/* enum thunk_kind, or -ENOENT or -EINVAL as thunk_get() says. */
static int classify(const ZydisDecodedInstruction *in,
                    const ZydisDecodedOperand *ops)
{
    bool vectors;

    if (in->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return -EINVAL;
    vectors = has_class(in, ops, ZYDIS_REGCLASS_XMM);
    switch (in->meta.isa_set) {
    case ZYDIS_ISA_SET_X87:
    case ZYDIS_ISA_SET_FCMOV:
    case ZYDIS_ISA_SET_SSE3X87:
        return in->mnemonic == ZYDIS_MNEMONIC_FWAIT ? THUNK_WAIT : THUNK_X87;
    case ZYDIS_ISA_SET_FXSAVE:
    case ZYDIS_ISA_SET_FXSAVE64:
        return THUNK_FXSR;
    case ZYDIS_ISA_SET_SSEMXCSR:
        return THUNK_SSE;
    case ZYDIS_ISA_SET_PENTIUMMMX:
    case ZYDIS_ISA_SET_SSE:
    case ZYDIS_ISA_SET_SSE2:
    case ZYDIS_ISA_SET_SSE2MMX:
    case ZYDIS_ISA_SET_SSE3:
    case ZYDIS_ISA_SET_SSSE3:
    case ZYDIS_ISA_SET_SSSE3MMX:
    case ZYDIS_ISA_SET_SSE4:
    case ZYDIS_ISA_SET_SSE42:
        if (vectors)
            return THUNK_SSE;
        return classify_bare(in, ops);
    case ZYDIS_ISA_SET_PPRO: /* FCOMI and its kin */
        return has_class(in, ops, ZYDIS_REGCLASS_X87) ? THUNK_X87 : -ENOENT;
    default:
        break;
    }
    if (vectors || has_class(in, ops, ZYDIS_REGCLASS_MMX) ||
        in->mnemonic == ZYDIS_MNEMONIC_FEMMS)
        return -EINVAL;
    return -ENOENT;
}

/* Legacy SSE wants its 16-byte operands aligned, but for the moves that say
 * unaligned in their name and the string compares (SDM vol. 2, table 2-18 and
 * the exception class of each instruction). */
static unsigned alignment(const ZydisDecodedInstruction *in, unsigned size)
{
    switch (in->mnemonic) {
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64:
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
        return 16;
    case ZYDIS_MNEMONIC_MOVUPS:
    case ZYDIS_MNEMONIC_MOVUPD:
    case ZYDIS_MNEMONIC_MOVDQU:
    case ZYDIS_MNEMONIC_LDDQU:
    case ZYDIS_MNEMONIC_MASKMOVDQU:
    case ZYDIS_MNEMONIC_PCMPESTRI:
    case ZYDIS_MNEMONIC_PCMPESTRM:
    case ZYDIS_MNEMONIC_PCMPISTRI:
    case ZYDIS_MNEMONIC_PCMPISTRM:
        return 1;
    default:
        return size == 16 ? 16 : 1;
    }
}

/* Whether a pending x87 exception stops this x87 or MMX instruction. */
static bool waits(const ZydisDecodedInstruction *in)
{
    switch (in->mnemonic) {
    case ZYDIS_MNEMONIC_FNINIT:
    case ZYDIS_MNEMONIC_FNCLEX:
    case ZYDIS_MNEMONIC_FNSTCW:
    case ZYDIS_MNEMONIC_FNSTSW:
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FNSAVE:
        return false;
    default:
        return true;
    }
}

static void describe_memory(struct thunk *t, const ZydisDecodedInstruction *in,
                            const ZydisDecodedOperand *ops)
{
    for (unsigned i = 0; i < in->operand_count; i++) {
        if (ops[i].type != ZYDIS_OPERAND_TYPE_MEMORY)
            continue;
        t->mem_op = (uint8_t)i;
        t->mem_size = ops[i].size / 8;
        t->align = (uint8_t)alignment(in, t->mem_size);
        if (ops[i].actions & ZYDIS_OPERAND_ACTION_MASK_READ)
            t->access |= THUNK_LOAD;
        if (ops[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
            t->access |= THUNK_STORE;
        break;
    }
}

static void describe(struct thunk *t, const ZydisDecodedInstruction *in,
                     const ZydisDecodedOperand *ops, int kind)
{
    const ZydisAccessedFlags *f = in->cpu_flags;

    *t = (struct thunk){.kind = (uint8_t)kind, .align = 1};
    describe_memory(t, in, ops);
    /* An x87 store that raises an unmasked exception stores nothing. */
    if (kind == THUNK_X87 && t->access & THUNK_STORE)
        t->access |= THUNK_LOAD;
    t->waits = (kind == THUNK_X87 && waits(in)) || kind == THUNK_WAIT ||
               has_class(in, ops, ZYDIS_REGCLASS_MMX);
    if (f && (f->modified | f->set_0 | f->set_1 | f->undefined))
        t->flags_written = STATUS_FLAGS;
    /* SSE instructions that write flags write all six; FCOMI may leave some,
     * so it sees the guest's. */
    if (kind == THUNK_X87 && ((f && f->tested) || t->flags_written))
        t->flags_read = STATUS_FLAGS;
    if (kind == THUNK_X87 || kind == THUNK_FXSR) {
        t->pointers = x87_pointers_of(in);
        t->layout = x87_layout_of(in);
        t->fop = (uint16_t)((in->opcode & 7) << 8 | in->raw.modrm.mod << 6 |
                            in->raw.modrm.reg << 3 | in->raw.modrm.rm);
    }
    switch (in->mnemonic) {
    case ZYDIS_MNEMONIC_LDMXCSR:
        t->check = check_mxcsr;
        break;
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
        t->check = check_fxrstor;
        break;
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64:
        t->finish = finish_fxsave;
        t->access |= THUNK_LOAD;
        break;
    case ZYDIS_MNEMONIC_MASKMOVQ:
    case ZYDIS_MNEMONIC_MASKMOVDQU:
        t->access |= THUNK_LOAD;
        break;
    default:
        break;
    }
}

int thunk_get(const ZydisDecodedInstruction *insn,
              const ZydisDecodedOperand *ops, const uint8_t *bytes,
              const struct thunk **out)
{
    int kind = classify(insn, ops);
    struct rewrite rw;
    struct thunk t;
    struct emit e;

    if (kind < 0)
        return kind;
    describe(&t, insn, ops, kind);
    if (!thunk_rewrite(&rw, insn, ops, bytes, RDI))
        return -ENOTSUP;
    emit_thunk(&e, &rw, insn, &t);
    return thunk_arena_insert(&t, e.code, e.len, out);
}

bool thunk_x87_pending(void)
{
    uint16_t sw;

    __asm__ volatile("fnstsw %0" : "=a"(sw));
    return sw & 0x80;
}
