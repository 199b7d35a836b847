/* Two register instructions as one handler. */
#include "mem.h"
#include "select.h"

/* Only for instructions that leave no flags: moves, and operations whose flags are
 * dead. Both keep their slots. */

/* ---- d = a; d = d op b ------------------------------------------------- */

/* Two-operand code is full of these. b isn't d, so the move needs no store. */
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

/* clang-format off */
#define ROW(op, m)                                                             \
    {ZYDIS_MNEMONIC_##m,                                                       \
     {mov_##op##_rr_32, mov_##op##_rr_64},                                     \
     {mov_##op##_ri_32, mov_##op##_ri_64}}
#define ROW_I(op, m)                                                           \
    {ZYDIS_MNEMONIC_##m,                                                       \
     {NULL, NULL},                                                             \
     {mov_##op##_ri_32, mov_##op##_ri_64}}
/* clang-format on */
static const struct {
    uint16_t op;
    insn_fn *rr[2], *ri[2]; /* 32 and 64 bits */
} moved[] = {
    ROW(add, ADD),   ROW(or, OR),     ROW(and, AND),   ROW(sub, SUB),
    ROW(xor, XOR),   ROW_I(shl, SHL), ROW_I(shr, SHR), ROW_I(sar, SAR),
    ROW_I(rol, ROL), ROW_I(ror, ROR),
};

static insn_fn *move_then(const struct x86_insn *x)
{
    const struct x86_opnd *a = &x->opnd[0], *b = &x->opnd[1];

    for (unsigned k = 0; k < sizeof(moved) / sizeof(moved[0]); k++) {
        if (moved[k].op != x->op)
            continue;
        if (b->kind == OPND_REG && (b->size != a->size || b->reg == a->reg))
            return NULL; /* a count in CL, or d op d */
        if (b->kind == OPND_REG)
            return moved[k].rr[a->size == 8];
        return b->kind == OPND_IMM ? moved[k].ri[a->size == 8] : NULL;
    }
    return NULL;
}

/* ---- Any two of the commonest ------------------------------------------ */

#define DO_mov(j, N) SET##N((j)->reg, R##N((j)->rm))
#define DO_add(j, N) SET##N((j)->reg, R##N((j)->reg) + R##N((j)->rm))
#define DO_and(j, N) SET##N((j)->reg, R##N((j)->reg) & R##N((j)->rm))
#define DO_or(j, N) SET##N((j)->reg, R##N((j)->reg) | R##N((j)->rm))
#define DO_sub(j, N) SET##N((j)->reg, R##N((j)->reg) - R##N((j)->rm))
#define DO_xor(j, N) SET##N((j)->reg, R##N((j)->reg) ^ R##N((j)->rm))
#define DO_addi(j, N) SET##N((j)->reg, R##N((j)->reg) + (uint##N##_t)(j)->imm)
#define DO_shl(j, N) SET##N((j)->reg, R##N((j)->reg) << ((j)->imm & (N - 1)))
#define DO_shr(j, N) SET##N((j)->reg, R##N((j)->reg) >> ((j)->imm & (N - 1)))
#define DO_ror(j, N)                                                           \
    SET##N((j)->reg, R##N((j)->reg) >> ((j)->imm & (N - 1)) |                  \
                         R##N((j)->reg) << (-(j)->imm & (N - 1)))
#define DO_rol(j, N)                                                           \
    SET##N((j)->reg, R##N((j)->reg) << ((j)->imm & (N - 1)) |                  \
                         R##N((j)->reg) >> (-(j)->imm & (N - 1)))

/* clang-format off */
#define EACH(F, a, N)                                                          \
    F(a, mov, N) F(a, add, N) F(a, and, N) F(a, or, N) F(a, sub, N)            \
    F(a, xor, N) F(a, addi, N) F(a, shl, N) F(a, shr, N) F(a, ror, N)          \
    F(a, rol, N)
/* clang-format on */
#define BOTH(a, b, N)                                                          \
    static void both_##a##_##b##_##N(struct icpu *c, const struct insn *i)     \
    {                                                                          \
        DO_##a(i, N);                                                          \
        DO_##b(i + 1, N);                                                      \
        return i[2].fn(c, i + 2);                                              \
    }
#define FIRST(a) EACH(BOTH, a, 32) EACH(BOTH, a, 64)
FIRST(mov)
FIRST(add)
FIRST(and)
FIRST(or)
FIRST(sub)
FIRST(xor)
FIRST(addi)
FIRST(shl)
FIRST(shr)
FIRST(ror)
FIRST(rol)

enum { MOVE, ADD, AND, OR, SUB, XOR, ADD_I, SHL, SHR, ROR, ROL, ATOMS };
#define NAME(a, b, N) both_##a##_##b##_##N,
/* clang-format off */
#define ROWS(a) {{EACH(NAME, a, 32)}, {EACH(NAME, a, 64)}}
/* clang-format on */
static insn_fn *const both[ATOMS][2][ATOMS] = {
    ROWS(mov),  ROWS(add), ROWS(and), ROWS(or),  ROWS(sub), ROWS(xor),
    ROWS(addi), ROWS(shl), ROWS(shr), ROWS(ror), ROWS(rol),
};

/* Operation, whether the second operand is an immediate (else a register). */
static const struct {
    uint16_t op;
    bool imm;
} atoms[ATOMS] = {
    [MOVE] = {ZYDIS_MNEMONIC_MOV, false}, [ADD] = {ZYDIS_MNEMONIC_ADD, false},
    [AND] = {ZYDIS_MNEMONIC_AND, false},  [OR] = {ZYDIS_MNEMONIC_OR, false},
    [SUB] = {ZYDIS_MNEMONIC_SUB, false},  [XOR] = {ZYDIS_MNEMONIC_XOR, false},
    [ADD_I] = {ZYDIS_MNEMONIC_ADD, true}, [SHL] = {ZYDIS_MNEMONIC_SHL, true},
    [SHR] = {ZYDIS_MNEMONIC_SHR, true},   [ROR] = {ZYDIS_MNEMONIC_ROR, true},
    [ROL] = {ZYDIS_MNEMONIC_ROL, true},
};

static int atom_of(const struct x86_insn *x)
{
    const struct x86_opnd *a = &x->opnd[0], *b = &x->opnd[1];
    bool imm = b->kind == OPND_IMM;

    if (a->kind != OPND_REG || a->size < 4)
        return -1;
    if (!imm && (b->kind != OPND_REG || b->size != a->size))
        return -1;
    for (int k = 0; k < ATOMS; k++)
        if (atoms[k].op == x->op && atoms[k].imm == imm)
            return k;
    return -1;
}

/* ---- For the translator ------------------------------------------------ */

void pair_note(const struct x86_insn *x, struct pair_note *n)
{
    const struct x86_opnd *a = &x->opnd[0];

    n->atom = (int8_t)atom_of(x);
    n->wide = a->size == 8;
    n->move = n->atom == MOVE;
    n->after_move = a->kind == OPND_REG && a->size >= 4 ? move_then(x) : NULL;
}

insn_fn *pair_handler(const struct pair_note *n, const struct insn *i)
{
    const struct pair_note *next = n + 1;

    if (n->atom < 0 || n->wide != next->wide)
        return NULL;
    if (n->move && next->after_move && i[0].reg == i[1].reg)
        return next->after_move;
    return next->atom < 0 ? NULL : both[n->atom][n->wide][next->atom];
}
