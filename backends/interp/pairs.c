/* MOV between registers and the operation on its destination, as one handler. */
#include "mem.h"
#include "select.h"

/* Two-operand code is full of these: d = a; d = d op b. Only where the operation's
 * flags are dead, and b isn't d. Both instructions keep their slots. */
#define PAIR_RR(op, sign, N)                                                   \
    static void mov_##op##_rr_##N(struct icpu *c, const struct insn *i)        \
    {                                                                          \
        SET##N(i->reg, R##N(i->rm) sign R##N(i[1].rm));                        \
        return i[2].fn(c, i + 2);                                              \
    }
#define PAIR_RI(op, type, sign, N)                                             \
    static void mov_##op##_ri_##N(struct icpu *c, const struct insn *i)        \
    {                                                                          \
        SET##N(i->reg, (type)R##N(i->rm) sign(uint##N##_t) i[1].imm);          \
        return i[2].fn(c, i + 2);                                              \
    }
#define PAIR_SHIFT(op, type, sign, N)                                          \
    static void mov_##op##_ri_##N(struct icpu *c, const struct insn *i)        \
    {                                                                          \
        SET##N(i->reg, (type)R##N(i->rm) sign(i[1].imm &(N - 1)));             \
        return i[2].fn(c, i + 2);                                              \
    }
#define PAIR_ROTATE(op, left, right, N)                                        \
    static void mov_##op##_ri_##N(struct icpu *c, const struct insn *i)        \
    {                                                                          \
        uint##N##_t v = R##N(i->rm);                                           \
        unsigned n = (unsigned)i[1].imm & (N - 1);                             \
                                                                               \
        SET##N(i->reg, v left n | v right(-n & (N - 1)));                      \
        return i[2].fn(c, i + 2);                                              \
    }
#define PAIRS(N)                                                               \
    PAIR_RR(add, +, N)                                                         \
    PAIR_RR(or, |, N)                                                          \
    PAIR_RR(and, &, N)                                                         \
    PAIR_RR(sub, -, N)                                                         \
    PAIR_RR(xor, ^, N)                                                         \
    PAIR_RI(add, uint##N##_t, +, N)                                            \
    PAIR_RI(or, uint##N##_t, |, N)                                             \
    PAIR_RI(and, uint##N##_t, &, N)                                            \
    PAIR_RI(sub, uint##N##_t, -, N)                                            \
    PAIR_RI(xor, uint##N##_t, ^, N)                                            \
    PAIR_SHIFT(shl, uint##N##_t, <<, N)                                        \
    PAIR_SHIFT(shr, uint##N##_t, >>, N)                                        \
    PAIR_SHIFT(sar, int##N##_t, >>, N)                                         \
    PAIR_ROTATE(rol, <<, >>, N)                                                \
    PAIR_ROTATE(ror, >>, <<, N)
PAIRS(32)
PAIRS(64)

#define ROW(op, m)                                                             \
    {ZYDIS_MNEMONIC_##m,                                                       \
     {mov_##op##_rr_32, mov_##op##_rr_64},                                     \
     {mov_##op##_ri_32, mov_##op##_ri_64}}
#define ROW_I(op, m)                                                           \
    {ZYDIS_MNEMONIC_##m,                                                       \
     {NULL, NULL},                                                             \
     {mov_##op##_ri_32, mov_##op##_ri_64}}
static const struct {
    uint16_t op;
    insn_fn *rr[2], *ri[2]; /* 32 and 64 bits */
} table[] = {
    ROW(add, ADD),   ROW(or, OR),     ROW(and, AND),   ROW(sub, SUB),
    ROW(xor, XOR),   ROW_I(shl, SHL), ROW_I(shr, SHR), ROW_I(sar, SAR),
    ROW_I(rol, ROL), ROW_I(ror, ROR),
};

insn_fn *pair_handler(const struct x86_insn *x)
{
    const struct x86_opnd *a = &x->opnd[0], *b = &x->opnd[1];

    if (a->kind != OPND_REG || a->size < 4)
        return NULL;
    for (unsigned k = 0; k < sizeof(table) / sizeof(table[0]); k++) {
        if (table[k].op != x->op)
            continue;
        if (b->kind == OPND_REG && (b->size != a->size || b->reg == a->reg))
            return NULL; /* a count in CL, or d op d */
        if (b->kind == OPND_REG)
            return table[k].rr[a->size == 8];
        return b->kind == OPND_IMM ? table[k].ri[a->size == 8] : NULL;
    }
    return NULL;
}
