/* ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST, INC, DEC, NEG, NOT. */
#include "mem.h"
#include "select.h"

/*
 * A handler runs its own instruction on the host and saves the host's flags.
 * They are made by macros: operation x operand form x size. Forms: rr, ri, rm
 * (register from memory), mr, mi; the memory ones once for plain base +
 * displacement (bd) and once for any address (any).
 */

/* Operations: the body sets d (or only flags) from d and s. */
#define DO(op, d, s)                                                           \
    asm(op " %2, %0\n\t" FLAGS_OUT : "+r"(d), "=a"(fl) : "r"(s) : "cc")
/* clang-format off */
#define DO_CARRY(op, d, s)                                                     \
    asm(FLAGS_IN op " %2, %0\n\t" FLAGS_OUT                                    \
        : "+r"(d), "+a"(fl)                                                    \
        : "r"(s)                                                               \
        : "cc")
/* clang-format on */
#define DO_FLAGS(op, d, s)                                                     \
    asm(op " %2, %1\n\t" FLAGS_OUT : "=a"(fl) : "r"(d), "r"(s) : "cc")

#define ADD(d, s) DO("add", d, s)
#define OR(d, s) DO("or", d, s)
#define ADC(d, s) DO_CARRY("adc", d, s)
#define SBB(d, s) DO_CARRY("sbb", d, s)
#define AND(d, s) DO("and", d, s)
#define SUB(d, s) DO("sub", d, s)
#define XOR(d, s) DO("xor", d, s)
#define CMP(d, s) DO_FLAGS("cmp", d, s)
#define TEST(d, s) DO_FLAGS("test", d, s)

#define FORM_RR(op, OP, N, SETD)                                               \
    static void op##_rr_##N(struct icpu *c, const struct insn *i)              \
    {                                                                          \
        uint##N##_t d = R##N(i->reg), s = R##N(i->rm);                         \
        uint16_t fl = c->fl;                                                   \
                                                                               \
        OP(d, s);                                                              \
        SETD(N, i->reg, d);                                                    \
        c->fl = fl;                                                            \
        NEXT;                                                                  \
    }
#define FORM_RI(op, OP, N, SETD)                                               \
    static void op##_ri_##N(struct icpu *c, const struct insn *i)              \
    {                                                                          \
        uint##N##_t d = R##N(i->reg), s = (uint##N##_t)i->imm;                 \
        uint16_t fl = c->fl;                                                   \
                                                                               \
        OP(d, s);                                                              \
        SETD(N, i->reg, d);                                                    \
        c->fl = fl;                                                            \
        NEXT;                                                                  \
    }
#define BODY_RM(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, OP, N, SETD, ea)         \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_##ea(c, i);                                              \
        uint##N##_t d, s;                                                      \
        uint16_t fl = c->fl;                                                   \
        const u##N##a *p;                                                      \
                                                                               \
        GET_R(p, N / 8, va, SLOW);                                             \
        s = *p;                                                                \
        d = R##N(i->reg);                                                      \
        OP(d, s);                                                              \
        SETD(N, i->reg, d);                                                    \
        c->fl = fl;                                                            \
        NEXT;                                                                  \
    }
#define BODY_M(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, OP, N, ea, source)        \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_##ea(c, i);                                              \
        uint##N##_t d, s = (uint##N##_t)(source);                              \
        uint16_t fl = c->fl;                                                   \
        u##N##a *p;                                                            \
                                                                               \
        GET_W(p, N / 8, va, SLOW);                                             \
        d = *p;                                                                \
        OP(d, s);                                                              \
        *p = d;                                                                \
        c->fl = fl;                                                            \
        COMMIT;                                                                \
        NEXT;                                                                  \
    }
/* CMP and TEST only read. */
#define BODY_MQ(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, OP, N, ea, source)       \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_##ea(c, i);                                              \
        uint##N##_t d, s = (uint##N##_t)(source);                              \
        uint16_t fl;                                                           \
        const u##N##a *p;                                                      \
                                                                               \
        GET_R(p, N / 8, va, SLOW);                                             \
        d = *p;                                                                \
        OP(d, s);                                                              \
        c->fl = fl;                                                            \
        NEXT;                                                                  \
    }
#define FORM_RM(op, OP, N, SETD, ea)                                           \
    MEM_HANDLER(op##_rm_##ea##_##N, BODY_RM, OP, N, SETD, ea)
#define FORM_M(form, op, OP, N, ea, source)                                    \
    MEM_HANDLER(op##_##form##_##ea##_##N, BODY_M, OP, N, ea, source)
#define FORM_MQ(form, op, OP, N, ea, source)                                   \
    MEM_HANDLER(op##_##form##_##ea##_##N, BODY_MQ, OP, N, ea, source)

#define SETD(N, reg, d) SET##N(reg, d)
#define SET_NOT(N, reg, d) (void)0

#define FORMS_N(op, OP, N)                                                     \
    FORM_RR(op, OP, N, SETD)                                                   \
    FORM_RI(op, OP, N, SETD)                                                   \
    FORM_RM(op, OP, N, SETD, bd)                                               \
    FORM_RM(op, OP, N, SETD, any)                                              \
    FORM_M(mr, op, OP, N, bd, R##N(i->reg))                                    \
    FORM_M(mr, op, OP, N, any, R##N(i->reg))                                   \
    FORM_M(mi, op, OP, N, bd, i->imm)                                          \
    FORM_M(mi, op, OP, N, any, i->imm)
#define FORMSQ_N(op, OP, N)                                                    \
    FORM_RR(op, OP, N, SET_NOT)                                                \
    FORM_RI(op, OP, N, SET_NOT)                                                \
    FORM_RM(op, OP, N, SET_NOT, bd)                                            \
    FORM_RM(op, OP, N, SET_NOT, any)                                           \
    FORM_MQ(mr, op, OP, N, bd, R##N(i->reg))                                   \
    FORM_MQ(mr, op, OP, N, any, R##N(i->reg))                                  \
    FORM_MQ(mi, op, OP, N, bd, i->imm)                                         \
    FORM_MQ(mi, op, OP, N, any, i->imm)
#define SIZES(F, op, OP) F(op, OP, 8) F(op, OP, 16) F(op, OP, 32) F(op, OP, 64)

SIZES(FORMS_N, add, ADD)
SIZES(FORMS_N, or, OR)
SIZES(FORMS_N, adc, ADC)
SIZES(FORMS_N, sbb, SBB)
SIZES(FORMS_N, and, AND)
SIZES(FORMS_N, sub, SUB)
SIZES(FORMS_N, xor, XOR)
SIZES(FORMSQ_N, cmp, CMP)
SIZES(FORMSQ_N, test, TEST)

/* The same without flags, where nothing reads them before they are overwritten:
 * the hot sizes and register destinations. */
#define BODY_NF(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, sign, N, ea)             \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_##ea(c, i);                                              \
        const u##N##a *p;                                                      \
                                                                               \
        GET_R(p, N / 8, va, SLOW);                                             \
        SET##N(i->reg, R##N(i->reg) sign *p);                                  \
        NEXT;                                                                  \
    }
#define NF_N(op, sign, N)                                                      \
    static void op##_rr_##N##_nf(struct icpu *c, const struct insn *i)         \
    {                                                                          \
        SET##N(i->reg, R##N(i->reg) sign R##N(i->rm));                         \
        NEXT;                                                                  \
    }                                                                          \
    static void op##_ri_##N##_nf(struct icpu *c, const struct insn *i)         \
    {                                                                          \
        SET##N(i->reg, R##N(i->reg) sign(uint##N##_t) i->imm);                 \
        NEXT;                                                                  \
    }                                                                          \
    MEM_HANDLER(op##_rm_bd_##N##_nf, BODY_NF, sign, N, bd)                     \
    MEM_HANDLER(op##_rm_any_##N##_nf, BODY_NF, sign, N, any)
#define NF(op, sign) NF_N(op, sign, 32) NF_N(op, sign, 64)
NF(add, +)
NF(or, |)
NF(and, &)
NF(sub, -)
NF(xor, ^)

/* xor r, r: no operand is read. */
static void zero_nf(struct icpu *c, const struct insn *i)
{
    R64(i->reg) = 0;
    NEXT;
}

static void zero(struct icpu *c, const struct insn *i)
{
    R64(i->reg) = 0;
    c->fl = flags_pack(FL_ZF | FL_PF);
    NEXT;
}

/* clang-format off */
#define ROW(op, form)                                                          \
    {op##_##form##_8, op##_##form##_16, op##_##form##_32, op##_##form##_64}
#define TABLE(op)                                                              \
    {ROW(op, rr),     ROW(op, ri),    ROW(op, rm_bd), ROW(op, rm_any),         \
     ROW(op, mr_bd),  ROW(op, mr_any), ROW(op, mi_bd), ROW(op, mi_any)}
/* clang-format on */
static insn_fn *const handlers[][FORM_COUNT][4] = {
    TABLE(add), TABLE(or),  TABLE(adc), TABLE(sbb),  TABLE(and),
    TABLE(sub), TABLE(xor), TABLE(cmp), TABLE(test),
};

/* clang-format off */
#define ROW_NF(op, form) {op##_##form##_32_nf, op##_##form##_64_nf}
#define TABLE_NF(op)                                                           \
    {ROW_NF(op, rr), ROW_NF(op, ri), ROW_NF(op, rm_bd), ROW_NF(op, rm_any)}
/* clang-format on */
static insn_fn *const handlers_nf[9][4][2] = {
    [0] = TABLE_NF(add), [1] = TABLE_NF(or),  [4] = TABLE_NF(and),
    [5] = TABLE_NF(sub), [6] = TABLE_NF(xor),
};

/* ---- One operand ------------------------------------------------------ */

#define INC(d) asm(FLAGS_IN "inc %0\n\t" FLAGS_OUT : "+r"(d), "+a"(fl)::"cc")
#define DEC(d) asm(FLAGS_IN "dec %0\n\t" FLAGS_OUT : "+r"(d), "+a"(fl)::"cc")
#define NEG(d) asm("neg %0\n\t" FLAGS_OUT : "+r"(d), "=a"(fl)::"cc")

#define BODY_UNARY(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, OP, N)                \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_any(c, i);                                               \
        uint##N##_t d;                                                         \
        uint16_t fl = c->fl;                                                   \
        u##N##a *p;                                                            \
                                                                               \
        GET_W(p, N / 8, va, SLOW);                                             \
        d = *p;                                                                \
        OP(d);                                                                 \
        *p = d;                                                                \
        c->fl = fl;                                                            \
        COMMIT;                                                                \
        NEXT;                                                                  \
    }
#define UNARY_N(op, OP, N)                                                     \
    static void op##_r_##N(struct icpu *c, const struct insn *i)               \
    {                                                                          \
        uint##N##_t d = R##N(i->reg);                                          \
        uint16_t fl = c->fl;                                                   \
                                                                               \
        OP(d);                                                                 \
        SET##N(i->reg, d);                                                     \
        c->fl = fl;                                                            \
        NEXT;                                                                  \
    }                                                                          \
    MEM_HANDLER(op##_m_##N, BODY_UNARY, OP, N)
SIZES(UNARY_N, inc, INC)
SIZES(UNARY_N, dec, DEC)
SIZES(UNARY_N, neg, NEG)
/* NOT leaves the flags alone. */
#define BODY_NOT(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, N)                      \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_any(c, i);                                               \
        u##N##a *p;                                                            \
                                                                               \
        GET_W(p, N / 8, va, SLOW);                                             \
        *p = (uint##N##_t) ~*p;                                                \
        COMMIT;                                                                \
        NEXT;                                                                  \
    }
#define NOT_N(N)                                                               \
    static void not_r_##N(struct icpu *c, const struct insn *i)                \
    {                                                                          \
        SET##N(i->reg, ~R##N(i->reg));                                         \
        NEXT;                                                                  \
    }                                                                          \
    MEM_HANDLER(not_m_##N, BODY_NOT, N)
NOT_N(8)
NOT_N(16)
NOT_N(32)
NOT_N(64)

/* clang-format off */
#define TABLE1(op)                                                             \
    {{op##_r_8, op##_r_16, op##_r_32, op##_r_64},                              \
     {op##_m_8, op##_m_16, op##_m_32, op##_m_64}}
/* clang-format on */
static insn_fn *const unary[][2][4] = {TABLE1(inc), TABLE1(dec), TABLE1(neg),
                                       TABLE1(not )};

/* ---- Selection -------------------------------------------------------- */

static int binary_index(unsigned op)
{
    switch (op) {
    case ZYDIS_MNEMONIC_ADD:
        return 0;
    case ZYDIS_MNEMONIC_OR:
        return 1;
    case ZYDIS_MNEMONIC_ADC:
        return 2;
    case ZYDIS_MNEMONIC_SBB:
        return 3;
    case ZYDIS_MNEMONIC_AND:
        return 4;
    case ZYDIS_MNEMONIC_SUB:
        return 5;
    case ZYDIS_MNEMONIC_XOR:
        return 6;
    case ZYDIS_MNEMONIC_CMP:
        return 7;
    case ZYDIS_MNEMONIC_TEST:
        return 8;
    default:
        return -1;
    }
}

static int unary_index(unsigned op)
{
    switch (op) {
    case ZYDIS_MNEMONIC_INC:
        return 0;
    case ZYDIS_MNEMONIC_DEC:
        return 1;
    case ZYDIS_MNEMONIC_NEG:
        return 2;
    case ZYDIS_MNEMONIC_NOT:
        return 3;
    default:
        return -1;
    }
}

bool select_alu(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    const struct x86_opnd *a = &x->opnd[0], *b = &x->opnd[1];
    unsigned s = size_index(a->size ? a->size : 1);
    enum form form;
    int op = unary_index(x->op);

    if (op >= 0) {
        ch->fn = unary[op][a->kind == OPND_MEM][s];
        return true;
    }
    op = binary_index(x->op);
    if (op < 0)
        return false;
    form = operand_form(a, b, i);
    ch->fn = handlers[op][form][s];
    if (form <= RM_ANY && s >= 2)
        ch->nf = handlers_nf[op][form][s - 2];
    if (x->op == ZYDIS_MNEMONIC_XOR && form == RR && s >= 2 &&
        i->reg == i->rm) {
        ch->fn = zero;
        ch->nf = zero_nf;
    }
    ch->fused = fused_handlers(x->op, form, s);
    return true;
}
