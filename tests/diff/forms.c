/* Finds the encoding forms by asking the decoder about each opcode. */
#include "forms.h"

#include <stdlib.h>
#include <string.h>

#define FORMS_MAX 8192

static ZydisDecoder decoder;
static struct form pool[FORM_CLASSES][FORMS_MAX];
static unsigned pool_size[FORM_CLASSES];
static struct form_group groups[FORM_CLASSES][ZYDIS_MNEMONIC_MAX_VALUE + 1];
static unsigned group_count[FORM_CLASSES];

static const uint8_t prefix_sets[][2] = {{0, 0},    {0x66, 0},    {0xf3, 0},
                                         {0xf2, 0}, {0x66, 0xf2}, {0x66, 0xf3}};

/* The form's class, or -1: not in x86-64-v2. */
static int class_of(const ZydisDecodedInstruction *in)
{
    switch (in->meta.isa_set) {
    case ZYDIS_ISA_SET_I86:
    case ZYDIS_ISA_SET_I186:
    case ZYDIS_ISA_SET_I386:
    case ZYDIS_ISA_SET_I486:
    case ZYDIS_ISA_SET_I486REAL:
    case ZYDIS_ISA_SET_PENTIUMREAL:
    case ZYDIS_ISA_SET_CMOV:
    case ZYDIS_ISA_SET_CMPXCHG16B:
    case ZYDIS_ISA_SET_LAHF:
    case ZYDIS_ISA_SET_LONGMODE:
    case ZYDIS_ISA_SET_POPCNT:
    case ZYDIS_ISA_SET_FAT_NOP:
    case ZYDIS_ISA_SET_PAUSE:
    case ZYDIS_ISA_SET_CLFSH:
        return FORM_INT;
    case ZYDIS_ISA_SET_SSE:
    case ZYDIS_ISA_SET_SSE2:
    case ZYDIS_ISA_SET_SSE3:
    case ZYDIS_ISA_SET_SSSE3:
    case ZYDIS_ISA_SET_SSE4:
    case ZYDIS_ISA_SET_SSE42:
    case ZYDIS_ISA_SET_SSEMXCSR:
    case ZYDIS_ISA_SET_SSE_PREFETCH:
    case ZYDIS_ISA_SET_FXSAVE:
    case ZYDIS_ISA_SET_FXSAVE64:
        return FORM_SSE;
    case ZYDIS_ISA_SET_X87:
    case ZYDIS_ISA_SET_FCMOV:
    case ZYDIS_ISA_SET_SSE3X87:
    case ZYDIS_ISA_SET_PENTIUMMMX:
    case ZYDIS_ISA_SET_SSE2MMX:
    case ZYDIS_ISA_SET_SSSE3MMX:
        return FORM_X87;
    case ZYDIS_ISA_SET_PPRO: /* FCOMI and its kin, and RDPMC, SYSENTER, UD2 */
        return in->meta.category == ZYDIS_CATEGORY_X87_ALU ? FORM_X87 : -1;
    default:
        return -1;
    }
}

static bool is_excluded(const ZydisDecodedInstruction *in)
{
    if (in->attributes & ZYDIS_ATTRIB_IS_PRIVILEGED)
        return true;
    switch (in->meta.category) {
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_IO:
    case ZYDIS_CATEGORY_IOSTRINGOP:
    case ZYDIS_CATEGORY_SEGOP:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_SYSTEM:
    case ZYDIS_CATEGORY_PUSH:
    case ZYDIS_CATEGORY_POP:
        return true;
    default:
        break;
    }
    switch (in->mnemonic) {
    case ZYDIS_MNEMONIC_CPUID:
    case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDTSCP:
    case ZYDIS_MNEMONIC_CLI:
    case ZYDIS_MNEMONIC_STI:
    case ZYDIS_MNEMONIC_ENTER:
    case ZYDIS_MNEMONIC_LEAVE:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    /* Aliases that CPUs may treat as they like. */
    case ZYDIS_MNEMONIC_FDISI8087_NOP:
    case ZYDIS_MNEMONIC_FENI8087_NOP:
    case ZYDIS_MNEMONIC_FSETPM287_NOP:
    case ZYDIS_MNEMONIC_FSTPNCE:
    case ZYDIS_MNEMONIC_FFREEP:
        return true;
    default:
        return false;
    }
}

static bool moves_segment(const ZydisDecodedInstruction *in,
                          const ZydisDecodedOperand *ops)
{
    for (unsigned i = 0; i < in->operand_count_visible; i++)
        if (ops[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            ZydisRegisterGetClass(ops[i].reg.value) == ZYDIS_REGCLASS_SEGMENT)
            return true;
    return false;
}

/* Prefixes and escapes are no opcodes. */
static bool is_opcode(const struct form *f)
{
    uint8_t b = f->opcode;

    if (f->map)
        return f->map > 1 || (b != 0x38 && b != 0x3a);
    return !(b == 0x0f || (b & 0xe7) == 0x26 || (b & 0xf0) == 0x40 ||
             (b & 0xfc) == 0x64 || b == 0xf0 || b == 0xf2 || b == 0xf3);
}

static unsigned encode(const struct form *f, uint8_t bytes[15])
{
    unsigned n = 0;

    for (unsigned i = 0; i < 2; i++)
        if (f->prefix[i])
            bytes[n++] = f->prefix[i];
    if (f->rex_w)
        bytes[n++] = 0x48;
    if (f->map)
        bytes[n++] = 0x0f;
    if (f->map > 1)
        bytes[n++] = f->map == 2 ? 0x38 : 0x3a;
    bytes[n++] = f->opcode;
    memset(bytes + n, 0, 15 - n);
    /* [rdi], or a register */
    bytes[n] = (uint8_t)((f->mem ? 7 : 0xc0 | f->rm) | f->reg << 3);
    return 15;
}

static bool same_operands(const ZydisDecodedInstruction *a,
                          const ZydisDecodedOperand *oa,
                          const ZydisDecodedInstruction *b,
                          const ZydisDecodedOperand *ob)
{
    if (a->mnemonic != b->mnemonic || a->operand_count != b->operand_count ||
        a->attributes != b->attributes)
        return false;
    for (unsigned i = 0; i < a->operand_count; i++)
        if (oa[i].type != ob[i].type || oa[i].size != ob[i].size ||
            (oa[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
             oa[i].reg.value != ob[i].reg.value))
            return false;
    return true;
}

/* A prefix or REX.W that changes nothing makes no form of its own. */
static bool is_redundant(const struct form *f,
                         const ZydisDecodedInstruction *in,
                         const ZydisDecodedOperand *ops)
{
    ZydisDecodedInstruction in2;
    ZydisDecodedOperand ops2[ZYDIS_MAX_OPERAND_COUNT];
    uint8_t bytes[15];

    for (unsigned drop = 0; drop < 3; drop++) {
        struct form g = *f;

        if (drop == 2)
            g.rex_w = false;
        else
            g.prefix[drop] = 0;
        if (!memcmp(&g, f, sizeof(g)))
            continue;
        encode(&g, bytes);
        if (ZYAN_FAILED(
                ZydisDecoderDecodeFull(&decoder, bytes, 15, &in2, ops2)))
            continue;
        in2.attributes |= in->attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE;
        in2.attributes |= in->attributes & ZYDIS_ATTRIB_HAS_REX;
        if (same_operands(in, ops, &in2, ops2))
            return true;
    }
    return false;
}

static void add_form(struct form *f)
{
    ZydisDecodedInstruction in;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    bool free_reg = false, free_rm = false;
    uint8_t bytes[15];
    int class;

    encode(f, bytes);
    if (!is_opcode(f) ||
        ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, bytes, 15, &in, ops)) ||
        in.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return;
    class = class_of(&in);
    if (class < 0 || is_excluded(&in) || moves_segment(&in, ops) ||
        is_redundant(f, &in, ops))
        return;
    f->modrm = in.attributes & ZYDIS_ATTRIB_HAS_MODRM;
    for (unsigned i = 0; i < in.operand_count; i++) {
        free_reg |= ops[i].encoding == ZYDIS_OPERAND_ENCODING_MODRM_REG;
        free_rm |= ops[i].encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM;
    }
    /* Of the eight that differ in a free register only, take the first. */
    if ((!f->modrm && (f->mem || f->reg || f->rm)) || (free_reg && f->reg) ||
        (free_rm && !f->mem && f->rm) || (f->mem && f->rm) ||
        pool_size[class] == FORMS_MAX)
        return;
    if (free_reg)
        f->reg = FORM_ANY;
    if (free_rm || f->mem)
        f->rm = FORM_ANY;
    f->imm_size = (uint8_t)((in.raw.imm[0].size + in.raw.imm[1].size) / 8);
    if (!f->modrm && in.raw.disp.size)
        f->imm_size = in.raw.disp.size / 8; /* moffs */
    f->mnemonic = in.mnemonic;
    pool[class][pool_size[class]++] = *f;
}

static int by_mnemonic(const void *a, const void *b)
{
    const struct form *x = a, *y = b;

    if (x->mnemonic != y->mnemonic)
        return x->mnemonic < y->mnemonic ? -1 : 1;
    return memcmp(x, y, offsetof(struct form, mnemonic));
}

static void build(void)
{
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
                     ZYDIS_STACK_WIDTH_64);
    for (unsigned i = 0; i < 6 * 2 * 4 * 256; i++) {
        for (unsigned k = 0; k < 128; k++) {
            struct form f;

            memset(&f, 0, sizeof(f)); /* padding too: it is compared */
            memcpy(f.prefix, prefix_sets[i / 2048], 2);
            f.rex_w = i >> 10 & 1;
            f.map = i >> 8 & 3;
            f.opcode = (uint8_t)i;
            f.mem = k >> 6;
            f.reg = k >> 3 & 7;
            f.rm = k & 7;
            add_form(&f);
        }
    }
    for (int c = 0; c < FORM_CLASSES; c++) {
        struct form_group *g = NULL;

        qsort(pool[c], pool_size[c], sizeof(pool[c][0]), by_mnemonic);
        for (unsigned i = 0; i < pool_size[c]; i++) {
            if (!g || g->forms->mnemonic != pool[c][i].mnemonic) {
                g = &groups[c][group_count[c]++];
                g->forms = &pool[c][i];
            }
            g->count++;
        }
    }
}

unsigned form_groups(enum form_class class, const struct form_group **out)
{
    if (!group_count[0])
        build();
    *out = groups[class];
    return group_count[class];
}

const ZydisDecoder *form_decoder(void)
{
    if (!group_count[0])
        build();
    return &decoder;
}
