/* Analysis and assembly of instruction streams, and their random inputs. */
#include "stream.h"

#include <string.h>

#include <Zydis/Zydis.h>

/* splitmix64's recurrence: an additive sequence, mixed. */
uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint64_t rng_value(struct rng *r)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     31,
                                     32,
                                     63,
                                     64,
                                     0x7f,
                                     0x80,
                                     0xff,
                                     0x7fff,
                                     0x8000,
                                     0xffff,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     0x7fffffffffffffff,
                                     0x8000000000000000};
    uint64_t v = rng_next(r);

    switch (rng_below(r, 8)) {
    case 0:
        return edges[rng_below(r, sizeof(edges) / sizeof(*edges))];
    case 1:
        return -edges[rng_below(r, sizeof(edges) / sizeof(*edges))];
    case 2:
        return 1ull << (v & 63);
    case 3:
        return v & 0xff;
    case 4:
        return (uint64_t)(int64_t)(int32_t)v;
    default:
        return v;
    }
}

/* ---- Flags ------------------------------------------------------------ */

static bool counts_by_cl(const ZydisDecodedInstruction *in,
                         const ZydisDecodedOperand *ops)
{
    for (unsigned i = 0; i < in->operand_count; i++)
        if (ops[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            ops[i].reg.value == ZYDIS_REGISTER_CL &&
            ops[i].actions == ZYDIS_OPERAND_ACTION_READ)
            return true;
    return false;
}

/* Shifts and rotates: no flag changes where the masked count is 0; OF is
 * defined for a count of 1 only, and CF of SHL and SHR not where everything is
 * shifted out of a narrow operand (SDM vol. 2, SAL/SAR/SHL/SHR,
 * RCL/RCR/ROL/ROR). */
static void adjust_shift(struct stream_insn *si,
                         const ZydisDecodedInstruction *in,
                         const ZydisDecodedOperand *ops)
{
    unsigned count;

    if (counts_by_cl(in, ops)) {
        si->maybe = true;
        si->undefines |= FL_OF;
        if (in->operand_width < 32 && (in->mnemonic == ZYDIS_MNEMONIC_SHL ||
                                       in->mnemonic == ZYDIS_MNEMONIC_SHR))
            si->undefines |= FL_CF;
        return;
    }
    if (!in->raw.imm[0].size)
        return; /* by 1 */
    count = (unsigned)in->raw.imm[0].value.u;
    count &= in->operand_width == 64 ? 63 : 31;
    if (count == 0) {
        si->writes = si->undefines = 0;
        return;
    }
    si->undefines |= FL_OF;
    if (count >= in->operand_width && (in->mnemonic == ZYDIS_MNEMONIC_SHL ||
                                       in->mnemonic == ZYDIS_MNEMONIC_SHR))
        si->undefines |= FL_CF;
}

void stream_flags_of(struct stream_insn *si, const ZydisDecodedInstruction *in,
                     const ZydisDecodedOperand *ops)
{
    const ZydisAccessedFlags *f = in->cpu_flags;

    si->maybe = si->big = false;
    si->two = in->mnemonic == ZYDIS_MNEMONIC_CMPSB ||
              in->mnemonic == ZYDIS_MNEMONIC_CMPSW ||
              in->mnemonic == ZYDIS_MNEMONIC_CMPSD ||
              in->mnemonic == ZYDIS_MNEMONIC_CMPSQ;
    for (unsigned i = 0; i < in->operand_count; i++)
        if (ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY && ops[i].size > 80 &&
            ops[i].size != 128)
            si->big = true;
    si->reads = f->tested & STATUS_FLAGS;
    si->undefines = f->undefined & STATUS_FLAGS;
    si->writes =
        (f->modified | f->set_0 | f->set_1) & STATUS_FLAGS & ~f->undefined;
    switch (in->mnemonic) {
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR:
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD:
        adjust_shift(si, in, ops);
        break;
    default:
        /* A repeated compare that never runs. */
        if (in->attributes & (ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE))
            si->maybe = true;
        break;
    }
    si->writes &= (uint16_t)~si->undefines;
}

bool stream_analyse(struct stream *s)
{
    bool ok = true;

    memset(s->undefined, 0, sizeof(s->undefined));
    /* Undefinedness only spreads, and there is one level of loops: the second
     * pass has seen every back edge. */
    for (int pass = 0; pass < 3; pass++) {
        for (unsigned i = 0; i < s->n; i++) {
            const struct stream_insn *si = &s->insns[i];
            uint16_t u = s->undefined[i];

            if (u & si->reads)
                ok = false;
            if (!si->maybe)
                u &= (uint16_t)~si->writes;
            u |= si->undefines;
            s->undefined[i + 1] |= u;
            if (si->fix == FIX_BRANCH8 || si->fix == FIX_BRANCH32 ||
                si->fix == FIX_ABS32)
                s->undefined[si->target] |= u;
        }
    }
    return ok;
}

struct case_open stream_open_at(const struct stream *s, uint64_t base,
                                uint64_t rip)
{
    for (unsigned i = 0; i <= s->n; i++)
        if (base + s->offset[i] == rip)
            return (struct case_open){.undefined = s->undefined[i],
                                      .which_byte = i < s->n && s->insns[i].big,
                                      .which_operand =
                                          i < s->n && s->insns[i].two};
    return (struct case_open){0};
}

/* ---- Assembly --------------------------------------------------------- */

static bool apply_fix(const struct stream *s, unsigned i, uint64_t rip,
                      uint8_t *code)
{
    const struct stream_insn *si = &s->insns[i];
    uint64_t next = rip + s->offset[i] + si->len;
    uint64_t target = rip + s->offset[si->target];
    uint8_t *at = code + s->offset[i] + si->fix_off;
    int64_t value;

    switch (si->fix) {
    case FIX_RIP:
        value = (int64_t)(si->address - next);
        break;
    case FIX_BRANCH8:
        value = (int64_t)(target - next);
        if (value != (int8_t)value)
            return false;
        *at = (uint8_t)value;
        return true;
    case FIX_BRANCH32:
        value = (int64_t)(target - next);
        break;
    case FIX_ABS32:
        value = (int64_t)target;
        break;
    case FIX_ALIAS32:
        value = (int64_t)(target - CASE_CODE + CASE_ALIAS + si->address);
        break;
    default:
        return true;
    }
    memcpy(at, &value, 4);
    return true;
}

bool stream_assemble(struct stream *s, uint64_t rip, struct case_input *in)
{
    uint32_t off = 0;

    for (unsigned i = 0; i < s->n; i++) {
        s->offset[i] = off;
        if (off + s->insns[i].len + 2 > CASE_SLOT)
            return false;
        memcpy(in->code + off, s->insns[i].bytes, s->insns[i].len);
        off += s->insns[i].len;
    }
    s->offset[s->n] = off;
    in->code[off] = 0x0f; /* ud2 */
    in->code[off + 1] = 0x0b;
    in->code_len = off + 2;
    for (unsigned i = 0; i < s->n; i++)
        if (!apply_fix(s, i, rip, in->code))
            return false;
    return true;
}

bool stream_remove(struct stream *s, unsigned i)
{
    unsigned end = i + 1;

    if (s->insns[i].glued)
        return false;
    while (end < s->n && s->insns[end].glued)
        end++;
    memmove(&s->insns[i], &s->insns[end], (s->n - end) * sizeof(s->insns[0]));
    s->n -= end - i;
    for (unsigned k = 0; k < s->n; k++) {
        if (s->insns[k].target >= end)
            s->insns[k].target -= (uint16_t)(end - i);
        else if (s->insns[k].target > i)
            s->insns[k].target = (uint16_t)i;
    }
    return true;
}

/* ---- Inputs ----------------------------------------------------------- */

static void put_double(uint8_t *p, double v)
{
    memcpy(p, &v, 8);
}

static void put_float(uint8_t *p, float v)
{
    memcpy(p, &v, 4);
}

/* 16 bytes such as SSE code meets: integers, floats, doubles, NaN, denormals.
 */
static void random_vector(uint8_t v[16], struct rng *r)
{
    static const double specials[] = {0.0,   -0.0,         1.0,        -1.5,
                                      1e300, 1e-310,       1e308 * 10, 0.1,
                                      3e9,   -2147483648.0};
    uint64_t x;

    for (unsigned i = 0; i < 16; i += 8) {
        switch (rng_below(r, 6)) {
        case 0:
            x = rng_value(r);
            memcpy(v + i, &x, 8);
            break;
        case 1:
            put_double(v + i, specials[rng_below(r, 10)]);
            break;
        case 2:
            put_double(v + i, (double)(int64_t)rng_value(r) / 1024);
            break;
        case 3:
            put_float(v + i, (float)specials[rng_below(r, 10)]);
            put_float(v + i + 4, (float)(int32_t)rng_value(r) / 16);
            break;
        case 4:
            put_float(v + i, (float)(int32_t)rng_value(r));
            put_float(v + i + 4, (float)specials[rng_below(r, 10)]);
            break;
        default:
            x = rng_next(r);
            memcpy(v + i, &x, 8);
            break;
        }
    }
}

static void random_st(uint8_t st[16], struct rng *r)
{
    uint64_t mantissa = rng_next(r) | 1ull << 63;
    uint16_t exponent = (uint16_t)(0x3fff - 20 + rng_below(r, 40));

    if (rng_percent(r, 15)) {
        mantissa = rng_value(r);
        exponent = (uint16_t)rng_value(r);
    }
    memset(st, 0, 16);
    if (rng_percent(r, 50))
        exponent |= 0x8000;
    memcpy(st, &mantissa, 8);
    memcpy(st + 8, &exponent, 2);
}

static void random_fx(struct x86_fx *fx, struct rng *r)
{
    memset(fx, 0, sizeof(*fx));
    fx->fcw = 0x37f;
    fx->mxcsr = 0x1f80;
    if (rng_percent(r, 20)) /* rounding and precision */
        fx->fcw = (uint16_t)(0x7f | rng_below(r, 16) << 8);
    if (rng_percent(r, 20)) /* rounding, FTZ, DAZ */
        fx->mxcsr |= (uint32_t)rng_below(r, 8) << 13 | rng_below(r, 2) << 6;
    if (rng_percent(r, 4)) /* unmasked exceptions */
        fx->fcw &= (uint16_t) ~(1u << rng_below(r, 6));
    if (rng_percent(r, 4))
        fx->mxcsr &= ~(0x80u << rng_below(r, 6));
    fx->fsw = (uint16_t)(rng_below(r, 8) << 11);
    fx->ftw = rng_percent(r, 30) ? 0 : (uint8_t)rng_next(r);
    for (int i = 0; i < 8; i++)
        random_st(fx->st[i], r);
    for (int i = 0; i < 16; i++)
        random_vector(fx->xmm[i], r);
}

void stream_fill_input(struct case_input *in, struct rng *r)
{
    for (int i = 0; i < 16; i++)
        in->gpr[i] = rng_value(r);
    in->rflags = rng_next(r) & CASE_FLAGS;
    if (rng_percent(r, 70))
        in->rflags &= ~FL_DF;
    random_fx(&in->fx, r);
    for (unsigned i = 0; i < CASE_RW_SIZE; i += 16)
        random_vector(in->mem.data + i, r);
    for (unsigned i = 0; i < CASE_STK_SIZE; i += 16)
        random_vector(in->mem.stack + i, r);
}
