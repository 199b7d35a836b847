/* Random instances of an encoding form, with what they need around them. */
#include "gen.h"

#include <string.h>

static const uint8_t free_regs[] = {RAX, RCX, RDX, R8, R9, R10, R11};

/* ---- Operands --------------------------------------------------------- */

struct encoding {
    uint8_t reg, base, index, scale; /* 4 bits; index 4: none */
    bool mem, has_base;
    uint8_t mod, rm; /* where not memory: rm */
    int32_t disp;
    bool rip, addr32, gs;
};

/* Picks an addressing mode that reaches `address`. */
static void choose_memory(struct gen *g, struct encoding *e, uint32_t address)
{
    uint64_t base = 0;

    e->mem = true;
    e->addr32 = rng_percent(&g->rng, 6);
    e->gs = rng_percent(&g->rng, 6);
    e->index = 4;
    if (e->gs)
        base += CASE_GS_BASE;
    switch (rng_below(&g->rng, 10)) {
    case 0:
        e->rip = true;
        break;
    case 1: /* absolute */
        break;
    case 2:
        e->index = R14;
        break;
    case 3:
    case 4:
        e->index = R14;
        /* fall through */
    default:
        e->has_base = true;
        e->base = gen_pointers[rng_below(&g->rng, sizeof(gen_pointers))];
        base += g->value[e->base];
        break;
    }
    e->scale = (uint8_t)rng_below(&g->rng, 4);
    if (e->index != 4)
        base += g->value[e->index] << e->scale;
    e->disp = (int32_t)(address - (uint32_t)base);
}

static unsigned put_modrm_memory(const struct encoding *e, uint8_t *out,
                                 struct rng *r)
{
    unsigned n = 0, mod = 2, low = e->base & 7;
    bool sib = e->index != 4 || !e->has_base || low == 4 || rng_percent(r, 5);

    if (e->rip) {
        out[n++] = (uint8_t)(5 | (e->reg & 7) << 3);
        memset(out + n, 0, 4);
        return n + 4;
    }
    if (!e->has_base)
        mod = 0;
    else if (e->disp == 0 && low != 5)
        mod = 0;
    else if (e->disp == (int8_t)e->disp)
        mod = 1;
    out[n++] = (uint8_t)(mod << 6 | (e->reg & 7) << 3 | (sib ? 4 : low));
    if (sib)
        out[n++] = (uint8_t)(e->scale << 6 | (e->index & 7) << 3 |
                             (e->has_base ? low : 5));
    memcpy(out + n, &e->disp, 4);
    if (mod == 1)
        return n + 1;
    return mod == 2 || !e->has_base ? n + 4 : n;
}

static unsigned pick_register(struct gen *g)
{
    /* Mostly free ones, so that destinations are seldom refused. */
    if (rng_percent(&g->rng, 75))
        return free_regs[rng_below(&g->rng, sizeof(free_regs))];
    return rng_below(&g->rng, 16);
}

static void put_immediate(struct gen *g, const struct form *f, uint8_t *out,
                          uint32_t address)
{
    uint64_t v = rng_value(&g->rng);

    if (f->map == 0 && (f->opcode & 0xfc) == 0xa0) /* moffs */
        v = address;
    if (f->opcode == 0xc1 || f->opcode == 0xc0 || f->map == 1)
        v &= 0xff;
    memcpy(out, &v, f->imm_size);
}

static void encode_form(struct gen *g, const struct form *f, struct encoding *e,
                        struct stream_insn *si, uint32_t address, bool lock)
{
    unsigned n = 0, rex = 0;

    e->reg = f->reg == FORM_ANY ? (uint8_t)pick_register(g) : f->reg;
    if (f->mem)
        choose_memory(g, e, address);
    else
        e->rm = f->rm == FORM_ANY ? (uint8_t)pick_register(g) : f->rm;

    if (e->addr32 && f->map == 0 && (f->opcode & 0xfc) == 0xa0)
        e->addr32 = false; /* would halve moffs */
    if (lock)
        si->bytes[n++] = 0xf0;
    if (e->addr32)
        si->bytes[n++] = 0x67;
    if (e->gs)
        si->bytes[n++] = 0x65;
    for (unsigned i = 0; i < 2; i++)
        if (f->prefix[i])
            si->bytes[n++] = f->prefix[i];
    rex = (unsigned)f->rex_w << 3 | (unsigned)(e->reg >> 3) << 2;
    if (e->mem) {
        rex |= (unsigned)(e->index >> 3) << 1;
        if (e->has_base)
            rex |= e->base >> 3;
    } else {
        rex |= e->rm >> 3;
    }
    if (!f->modrm) /* REX.B reaches R8..R15 where the opcode has a register */
        rex = (unsigned)f->rex_w << 3 | rng_percent(&g->rng, 40);
    if (rex || rng_percent(&g->rng, 8))
        si->bytes[n++] = (uint8_t)(0x40 | rex);
    if (f->map)
        si->bytes[n++] = 0x0f;
    if (f->map > 1)
        si->bytes[n++] = f->map == 2 ? 0x38 : 0x3a;
    si->bytes[n++] = f->opcode;
    if (f->modrm && f->mem) {
        uint8_t tail[8];
        unsigned t = put_modrm_memory(e, tail, &g->rng);

        if (e->rip) {
            si->fix = FIX_RIP;
            si->fix_off = (uint8_t)(n + 1);
            si->address = address - (e->gs ? (uint32_t)CASE_GS_BASE : 0);
        }
        memcpy(si->bytes + n, tail, t);
        n += t;
    } else if (f->modrm) {
        si->bytes[n++] = (uint8_t)(0xc0 | (e->reg & 7) << 3 | (e->rm & 7));
    }
    if (n + f->imm_size <= 15)
        put_immediate(g, f, si->bytes + n, address);
    si->len = (uint8_t)(n + f->imm_size);
}

/* ---- Forms that need company ------------------------------------------ */

/* mov [address], 0; eight bytes or four */
static void store_zero(struct gen *g, uint32_t address, bool wide)
{
    uint8_t b[12] = {0x48, 0xc7, 0x04, 0x25};

    memcpy(b + 4, &address, 4);
    if (wide ? gen_bytes(g, b, 12, 0) : gen_bytes(g, b + 1, 11, 0))
        g->s->insns[g->s->n - 1].glued = true;
}

/* FNSTENV, FNSAVE and FXSAVE store the x87 instruction and operand pointers,
 * which depend on the CPU model, and MXCSR_MASK: wipe them. */
static void wipe_pointers(struct gen *g, const ZydisDecodedInstruction *in,
                          uint32_t address)
{
    switch (in->mnemonic) {
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FNSAVE:
        if (in->operand_width == 16) {
            store_zero(g, address + 6, true);
            return;
        }
        store_zero(g, address + 12, true);
        store_zero(g, address + 20, true);
        return;
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64:
        store_zero(g, address + 4, false); /* FTW goes with FOP */
        store_zero(g, address + 8, true);
        store_zero(g, address + 16, true);
        store_zero(g, address + 28, false);
        return;
    default:
        return;
    }
}

/* Makes the value at address one for MXCSR: bit 17 isn't in x86-64-v2, but some
 * CPUs have it. */
static void load_mxcsr(struct gen *g, uint32_t address)
{
    uint8_t btr[9] = {0x0f, 0xba, 0x34, 0x25, 0, 0, 0, 0, 17};
    uint8_t mov[11] = {0xc7, 0x04, 0x25};
    uint32_t value = 0x1f80 | (uint32_t)rng_below(&g->rng, 0x10000);

    if (rng_percent(&g->rng, 10)) {
        memcpy(btr + 4, &address, 4);
        gen_bytes(g, btr, 9, 0);
        return;
    }
    memcpy(mov + 3, &address, 4);
    memcpy(mov + 7, &value, 4);
    gen_bytes(g, mov, 11, 0);
}

/* Sets registers up so that the instruction does something useful. True: it is
 * better left out. */
static bool prepare(struct gen *g, const ZydisDecodedInstruction *in,
                    const struct encoding *e, uint32_t address)
{
    switch (in->mnemonic) {
    case ZYDIS_MNEMONIC_BSWAP:
        return in->operand_width == 16; /* undefined */
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTC:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTS:
        /* A bit offset near the operand. */
        if (!e->mem || in->raw.imm[0].size)
            return false;
        if (GEN_RESERVED & 1u << e->reg)
            return true;
        gen_load_signed(g, e->reg, (int32_t)rng_below(&g->rng, 16384) - 8192);
        return false;
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD:
        /* Undefined where the count exceeds the operand. */
        if (in->operand_width != 16)
            return false;
        if (in->raw.imm[0].size)
            return (in->raw.imm[0].value.u & 31) > 16;
        GEN(g, 0xb1, (uint8_t)rng_below(&g->rng, 17)); /* mov cl, imm */
        return false;
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR:
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
        if (!in->raw.imm[0].size && rng_percent(&g->rng, 50))
            GEN(g, 0xb1, (uint8_t)rng_value(&g->rng)); /* mov cl, imm */
        return false;
    case ZYDIS_MNEMONIC_DIV:
        if (rng_percent(&g->rng, 92)) {
            if (in->operand_width == 8)
                GEN(g, 0x0f, 0xb6, 0xc0); /* movzx eax, al */
            else
                GEN(g, 0xba, 0, 0, 0, 0); /* mov edx, 0 */
        }
        return false;
    case ZYDIS_MNEMONIC_IDIV:
        if (in->operand_width == 8)
            GEN(g, 0x66, 0x98); /* cbw */
        else if (in->operand_width == 64)
            GEN(g, 0x48, 0x99); /* cqo */
        else if (in->operand_width == 32)
            GEN(g, 0x99);
        else
            GEN(g, 0x66, 0x99);
        return false;
    /* Most random values are reserved, so seldom without a good one. */
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
        load_mxcsr(g, address + 24);
        return false;
    case ZYDIS_MNEMONIC_LDMXCSR:
        load_mxcsr(g, address);
        return false;
    /* Whether a fault of these leaves the x87 state as it was, or what MMX
     * makes of it, depends on the CPU: keep away from faults. */
    case ZYDIS_MNEMONIC_MASKMOVQ:
        gen_load(g, RDI, (uint32_t)CASE_DATA + rng_below(&g->rng, 4096));
        return false;
    case ZYDIS_MNEMONIC_FLDENV:
    case ZYDIS_MNEMONIC_FRSTOR:
    case ZYDIS_MNEMONIC_FLDCW:
        return rng_percent(&g->rng, 80);
    default:
        return false;
    }
}

static void tidy_up(struct gen *g, const ZydisDecodedInstruction *in,
                    uint32_t address, uint64_t rdi)
{
    if (in->mnemonic == ZYDIS_MNEMONIC_MASKMOVQ)
        gen_load(g, RDI, (uint32_t)rdi); /* as before, also if jumped over */
    else
        wipe_pointers(g, in, address);
}

static void string_form(struct gen *g, const struct form *f)
{
    bool rep = f->prefix[0] >= 0xf2 || f->prefix[1] >= 0xf2;
    uint32_t src = (uint32_t)g->value[RSI], dst = (uint32_t)g->value[RDI];
    struct encoding e = {.index = 4, .addr32 = rng_percent(&g->rng, 8)};
    struct stream_insn si = {0};

    if (rep)
        gen_load(g, RCX, rng_below(&g->rng, 40));
    encode_form(g, f, &e, &si, 0, false);
    gen_add(g, &si, 1u << RSI | 1u << RDI);
    gen_load(g, RSI, src);
    gen_load(g, RDI, dst);
}

void gen_form(struct gen *g, const struct form *f)
{
    struct encoding e = {.index = 4};
    struct stream_insn si = {0};
    ZydisDecodedInstruction in;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    unsigned size = 0, before = g->s->n;
    uint64_t rdi = g->value[RDI];
    uint32_t address;
    bool lock = f->mem && rng_percent(&g->rng, 15);

    /* Once for the operand's size, once for good. */
    for (int pass = 0; pass < 2; pass++) {
        address = gen_address(g, size);
        e = (struct encoding){.index = 4};
        si = (struct stream_insn){0};
        encode_form(g, f, &e, &si, address, lock && pass);
        if (si.len > 15)
            return;
        if (ZYAN_FAILED(ZydisDecoderDecodeFull(form_decoder(), si.bytes, si.len,
                                               &in, ops))) {
            lock = false; /* can't be locked */
            e = (struct encoding){.index = 4};
            si = (struct stream_insn){0};
            encode_form(g, f, &e, &si, address, false);
            if (si.len > 15 || ZYAN_FAILED(ZydisDecoderDecodeFull(
                                   form_decoder(), si.bytes, si.len, &in, ops)))
                return;
        }
        if (in.meta.category == ZYDIS_CATEGORY_STRINGOP) {
            string_form(g, f);
            return;
        }
        for (unsigned i = 0; i < in.operand_count; i++)
            if (ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
                size = ops[i].size / 8;
    }
    if (in.mnemonic != f->mnemonic)
        return;
    if (prepare(g, &in, &e, address) || !gen_add(g, &si, 0)) {
        g->s->n = before;
        stream_analyse(g->s);
        g->undefined = g->s->undefined[before];
        g->value[RDI] = rdi;
        return;
    }
    tidy_up(g, &in, address, rdi);
}
