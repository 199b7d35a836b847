/* MUL, IMUL, DIV, IDIV. */
#include "event.h"
#include "mem.h"
#include "select.h"

/* The host multiplies, so that even the undefined flags are a CPU's. i->rm holds
 * the offset of a register operand. Operands come through a pointer: one form
 * for registers and one for memory. */

#define GPR_PTR(N) ((u##N##a *)((u8a *)c->gpr + i->rm))

#define BODY_REG(FN, DO, N)                                                    \
    static void FN(struct icpu *c, const struct insn *i)                       \
    {                                                                          \
        uint##N##_t s = *GPR_PTR(N);                                           \
                                                                               \
        DO(N, s);                                                              \
        NEXT;                                                                  \
    }
#define BODY_MEM(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, DO, N)                  \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_any(c, i);                                               \
        const u##N##a *p;                                                      \
        uint##N##_t s;                                                         \
                                                                               \
        GET_R(p, N / 8, va, SLOW);                                             \
        s = *p;                                                                \
        DO(N, s);                                                              \
        NEXT;                                                                  \
    }
#define FORMS(op, DO, N)                                                       \
    BODY_REG(op##_r_##N, DO, N)                                                \
    MEM_HANDLER(op##_m_##N, BODY_MEM, DO, N)

/* SETO and LAHF want RAX, so the low half moves away first; MOV leaves the flags
 * alone. */
#define WIDE(op, N)                                                            \
    do {                                                                       \
        uint##N##_t lo, hi, in = R##N(RAX * 8);                                \
        uint16_t fl;                                                           \
                                                                               \
        asm(op " %3\n\tmov %%rax, %q0\n\t" FLAGS_OUT                           \
            : "=&r"(lo), "=&d"(hi), "=&a"(fl)                                  \
            : "r"(s), "2"(in)                                                  \
            : "cc");                                                           \
        SET##N(RAX * 8, lo);                                                   \
        SET##N(RDX * 8, hi);                                                   \
        c->fl = fl;                                                            \
    } while (0)
#define WIDE8(op)                                                              \
    do {                                                                       \
        uint16_t ax, in = R8(RAX * 8), fl;                                     \
                                                                               \
        asm(op " %2\n\tmov %%rax, %q0\n\t" FLAGS_OUT                           \
            : "=&r"(ax), "=&a"(fl)                                             \
            : "r"(s), "1"(in)                                                  \
            : "cc");                                                           \
        R16(RAX * 8) = ax;                                                     \
        c->fl = fl;                                                            \
    } while (0)
#define MUL(N, s) WIDE("mul", N)
#define IMUL(N, s) WIDE("imul", N)
#define MUL8(N, s) WIDE8("mulb")
#define IMUL8(N, s) WIDE8("imulb")
FORMS(mul, MUL8, 8)
FORMS(mul, MUL, 16)
FORMS(mul, MUL, 32)
FORMS(mul, MUL, 64)
FORMS(imul, IMUL8, 8)
FORMS(imul, IMUL, 16)
FORMS(imul, IMUL, 32)
FORMS(imul, IMUL, 64)

/* Two and three operands: the destination is i->reg. */
#define TIMES(N, by)                                                           \
    do {                                                                       \
        uint##N##_t d = (uint##N##_t)(by);                                     \
        uint16_t fl;                                                           \
                                                                               \
        asm("imul %2, %0\n\t" FLAGS_OUT : "+r"(d), "=a"(fl) : "r"(s) : "cc");  \
        SET##N(i->reg, d);                                                     \
        c->fl = fl;                                                            \
    } while (0)
#define IMUL2(N, s) TIMES(N, R##N(i->reg))
#define IMUL3(N, s) TIMES(N, i->imm)
FORMS(imul2, IMUL2, 16)
FORMS(imul2, IMUL2, 32)
FORMS(imul2, IMUL2, 64)
FORMS(imul3, IMUL3, 16)
FORMS(imul3, IMUL3, 32)
FORMS(imul3, IMUL3, 64)

/* ---- Division --------------------------------------------------------- */

/* Whether the quotient fits is found out first: the host's own #DE would be a
 * signal. The host divides once that is known. All flags are undefined; here they
 * stay as they are. */
#define DE_IF(cond)                                                            \
    do {                                                                       \
        if (unlikely(cond))                                                    \
            return raise_fault(c, i, VEC_DE);                                  \
    } while (0)
#define DIVIDE(op, N)                                                          \
    do {                                                                       \
        uint##N##_t lo = R##N(RAX * 8), hi = R##N(RDX * 8);                    \
                                                                               \
        asm(op " %2" : "+a"(lo), "+d"(hi) : "r"(s) : "cc");                    \
        SET##N(RAX * 8, lo);                                                   \
        SET##N(RDX * 8, hi);                                                   \
    } while (0)
#define DIV(N, s)                                                              \
    DE_IF(R##N(RDX * 8) >= s);                                                 \
    DIVIDE("div", N)

/* |dividend| / |s| must be below 2^(N-1), or equal to it where the quotient is
 * negative. */
#define IDIV(N, s)                                                             \
    do {                                                                       \
        __int128 d =                                                           \
            (__int128)((unsigned __int128)R##N(RDX * 8) << N | R##N(RAX * 8)); \
        unsigned __int128 m, top;                                              \
        bool neg, sneg = (int##N##_t)s < 0;                                    \
                                                                               \
        d = N == 64 ? d                                                        \
                    : (__int128)((unsigned __int128)d << (128 - 2 * N)) >>     \
                          (128 - 2 * N);                                       \
        neg = d < 0;                                                           \
        m = neg ? -(unsigned __int128)d : (unsigned __int128)d;                \
        top = sneg ? (uint##N##_t) - s : s;                                    \
        DE_IF(!s);                                                             \
        /* quotient <= limit  <=>  m < (limit + 1) * |s| */                    \
        top *= ((unsigned __int128)1 << (N - 1)) + (neg != sneg);              \
        DE_IF(m >= top);                                                       \
        DIVIDE("idiv", N);                                                     \
    } while (0)

#define DIVIDE8(op)                                                            \
    do {                                                                       \
        uint16_t ax = R16(RAX * 8);                                            \
                                                                               \
        asm(op " %1" : "+a"(ax) : "r"(s) : "cc");                              \
        R16(RAX * 8) = ax;                                                     \
    } while (0)
#define DIV8(N, s)                                                             \
    DE_IF(R16(RAX * 8) >> 8 >= s);                                             \
    DIVIDE8("divb")
#define IDIV8(N, s)                                                            \
    do {                                                                       \
        int a = (int16_t)R16(RAX * 8), b = (int8_t)s;                          \
                                                                               \
        DE_IF(!b || a / b > 127 || a / b < -128);                              \
        DIVIDE8("idivb");                                                      \
    } while (0)
FORMS(div, DIV8, 8)
FORMS(div, DIV, 16)
FORMS(div, DIV, 32)
FORMS(div, DIV, 64)
FORMS(idiv, IDIV8, 8)
FORMS(idiv, IDIV, 16)
FORMS(idiv, IDIV, 32)
FORMS(idiv, IDIV, 64)

/* ---- Selection -------------------------------------------------------- */

/* clang-format off */
#define ROW(op, k) {op##_##k##_8, op##_##k##_16, op##_##k##_32, op##_##k##_64}
#define ROW3(op, k) {op##_##k##_16, op##_##k##_32, op##_##k##_64}
/* clang-format on */
static insn_fn *const wide[4][2][4] = {
    {ROW(mul, r), ROW(mul, m)},
    {ROW(imul, r), ROW(imul, m)},
    {ROW(div, r), ROW(div, m)},
    {ROW(idiv, r), ROW(idiv, m)},
};
static insn_fn *const times[2][2][3] = {
    {ROW3(imul2, r), ROW3(imul2, m)},
    {ROW3(imul3, r), ROW3(imul3, m)},
};

bool select_muldiv(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    const struct x86_opnd *a = &x->opnd[0];
    unsigned s = size_index(a->size ? a->size : 1), op;

    switch (x->op) {
    case ZYDIS_MNEMONIC_MUL:
        op = 0;
        break;
    case ZYDIS_MNEMONIC_IMUL:
        if (x->nops > 1) {
            const struct x86_opnd *b = &x->opnd[1];

            if (b->kind == OPND_REG)
                i->rm = reg_offset(b);
            ch->fn = times[x->nops == 3][b->kind == OPND_MEM][s - 1];
            return true;
        }
        op = 1;
        break;
    case ZYDIS_MNEMONIC_DIV:
        op = 2;
        ch->faults = true;
        break;
    case ZYDIS_MNEMONIC_IDIV:
        op = 3;
        ch->faults = true;
        break;
    default:
        return false;
    }
    if (a->kind == OPND_REG)
        i->rm = reg_offset(a);
    ch->fn = wide[op][a->kind == OPND_MEM][s];
    return true;
}
