/* Shifts and rotates. */
#include "mem.h"
#include "select.h"

/*
 * The host shifts, after its flags were set to the guest's: a count of 0 leaves
 * them alone, rotates leave most of them alone, RCL and RCR read CF. Counts are
 * masked by the host's own instruction.
 */
#define SHIFT(op, d, n)                                                        \
    asm(FLAGS_IN op " %%cl, %0\n\t" FLAGS_OUT                                  \
        : "+r"(d), "+a"(fl)                                                    \
        : "c"(n)                                                               \
        : "cc")
#define DOUBLE(op, d, s, n)                                                    \
    asm(FLAGS_IN op " %%cl, %2, %0\n\t" FLAGS_OUT                              \
        : "+r"(d), "+a"(fl)                                                    \
        : "r"(s), "c"(n)                                                       \
        : "cc")

#define BODY_SHIFT(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, op, N, count)         \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_any(c, i);                                               \
        uint##N##_t d;                                                         \
        uint16_t fl = c->fl;                                                   \
        u##N##a *p;                                                            \
                                                                               \
        GET_W(p, N / 8, va, SLOW);                                             \
        d = *p;                                                                \
        SHIFT(#op, d, (uint8_t)(count));                                       \
        *p = d;                                                                \
        c->fl = fl;                                                            \
        COMMIT;                                                                \
        NEXT;                                                                  \
    }
#define SHIFT_R(name, op, N, count)                                            \
    static void name(struct icpu *c, const struct insn *i)                     \
    {                                                                          \
        uint##N##_t d = R##N(i->reg);                                          \
        uint16_t fl = c->fl;                                                   \
                                                                               \
        SHIFT(#op, d, (uint8_t)(count));                                       \
        SET##N(i->reg, d);                                                     \
        c->fl = fl;                                                            \
        NEXT;                                                                  \
    }
#define FORMS(op, N)                                                           \
    SHIFT_R(op##_ri_##N, op, N, i->imm)                                        \
    SHIFT_R(op##_rc_##N, op, N, R8(RCX * 8))                                   \
    MEM_HANDLER(op##_mi_##N, BODY_SHIFT, op, N, i->imm)                        \
    MEM_HANDLER(op##_mc_##N, BODY_SHIFT, op, N, R8(RCX * 8))
#define OP(op) FORMS(op, 8) FORMS(op, 16) FORMS(op, 32) FORMS(op, 64)
OP(rol)
OP(ror)
OP(rcl)
OP(rcr)
OP(shl)
OP(shr)
OP(sar)

/* clang-format off */
#define ROW(op, form)                                                          \
    {op##_##form##_8, op##_##form##_16, op##_##form##_32, op##_##form##_64}
#define TABLE(op) {ROW(op, ri), ROW(op, rc), ROW(op, mi), ROW(op, mc)}
/* clang-format on */
/* By ModRM.reg; 6 is the alias of SHL. */
static insn_fn *const handlers[8][4][4] = {
    TABLE(rol), TABLE(ror), TABLE(rcl), TABLE(rcr),
    TABLE(shl), TABLE(shr), TABLE(shl), TABLE(sar),
};

/* Constant shifts of registers without flags, where nothing reads them. */
#define NF(op, type, sign, N)                                                  \
    static void op##_ri_##N##_nf(struct icpu *c, const struct insn *i)         \
    {                                                                          \
        SET##N(i->reg, (type)R##N(i->reg) sign(i->imm &(N - 1)));              \
        NEXT;                                                                  \
    }
NF(shl, uint32_t, <<, 32)
NF(shl, uint64_t, <<, 64)
NF(shr, uint32_t, >>, 32)
NF(shr, uint64_t, >>, 64)
NF(sar, int32_t, >>, 32)
NF(sar, int64_t, >>, 64)
#define NF_ROTATE(op, left, right, N)                                          \
    static void op##_ri_##N##_nf(struct icpu *c, const struct insn *i)         \
    {                                                                          \
        uint##N##_t v = R##N(i->reg);                                          \
        unsigned n = (unsigned)i->imm & (N - 1);                               \
                                                                               \
        SET##N(i->reg, v left n | v right(-n & (N - 1)));                      \
        NEXT;                                                                  \
    }
NF_ROTATE(rol, <<, >>, 32)
NF_ROTATE(rol, <<, >>, 64)
NF_ROTATE(ror, >>, <<, 32)
NF_ROTATE(ror, >>, <<, 64)
static insn_fn *const handlers_nf[8][2] = {
    [0] = {rol_ri_32_nf, rol_ri_64_nf}, [1] = {ror_ri_32_nf, ror_ri_64_nf},
    [4] = {shl_ri_32_nf, shl_ri_64_nf}, [5] = {shr_ri_32_nf, shr_ri_64_nf},
    [6] = {shl_ri_32_nf, shl_ri_64_nf}, [7] = {sar_ri_32_nf, sar_ri_64_nf},
};

/* ---- SHLD, SHRD ------------------------------------------------------- */

#define DOUBLE_R(name, op, N, count)                                           \
    static void name(struct icpu *c, const struct insn *i)                     \
    {                                                                          \
        uint##N##_t d = R##N(i->reg), s = R##N(i->rm);                         \
        uint16_t fl = c->fl;                                                   \
                                                                               \
        DOUBLE(#op, d, s, (uint8_t)(count));                                   \
        SET##N(i->reg, d);                                                     \
        c->fl = fl;                                                            \
        NEXT;                                                                  \
    }
#define BODY_DOUBLE(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, op, N, count)        \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_any(c, i);                                               \
        uint##N##_t d, s = R##N(i->rm);                                        \
        uint16_t fl = c->fl;                                                   \
        u##N##a *p;                                                            \
                                                                               \
        GET_W(p, N / 8, va, SLOW);                                             \
        d = *p;                                                                \
        DOUBLE(#op, d, s, (uint8_t)(count));                                   \
        *p = d;                                                                \
        c->fl = fl;                                                            \
        COMMIT;                                                                \
        NEXT;                                                                  \
    }
#define DOUBLES(op, N)                                                         \
    DOUBLE_R(op##_ri_##N, op, N, i->imm)                                       \
    DOUBLE_R(op##_rc_##N, op, N, R8(RCX * 8))                                  \
    MEM_HANDLER(op##_mi_##N, BODY_DOUBLE, op, N, i->imm)                       \
    MEM_HANDLER(op##_mc_##N, BODY_DOUBLE, op, N, R8(RCX * 8))
#define OP2(op) DOUBLES(op, 16) DOUBLES(op, 32) DOUBLES(op, 64)
OP2(shld)
OP2(shrd)
/* clang-format off */
#define ROW2(op, form) {op##_##form##_16, op##_##form##_32, op##_##form##_64}
#define TABLE2(op) {ROW2(op, ri), ROW2(op, rc), ROW2(op, mi), ROW2(op, mc)}
/* clang-format on */
static insn_fn *const double_handlers[2][4][3] = {TABLE2(shld), TABLE2(shrd)};

/* ---- Selection -------------------------------------------------------- */

bool select_shift(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    const struct x86_opnd *a = &x->opnd[0], *count = &x->opnd[1];
    unsigned s = size_index(a->size ? a->size : 1), form, op;

    switch (x->op) {
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR:
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR:
        form = (a->kind == OPND_MEM ? 2 : 0) + (count->kind == OPND_REG);
        op = x->zi.raw.modrm.reg;
        ch->fn = handlers[op][form][s];
        ch->counted = true;
        /* The immediate of the shift-by-one opcodes is implicit. */
        if (x->zi.opcode == 0xd0 || x->zi.opcode == 0xd1)
            i->imm = 1;
        if (form == 0 && s >= 2 && i->imm & (s == 3 ? 63 : 31)) {
            ch->counted = false;
            ch->nf = handlers_nf[op][s - 2];
        }
        return true;
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD:
        count = &x->opnd[2];
        form = (a->kind == OPND_MEM ? 2 : 0) + (count->kind == OPND_REG);
        i->rm = reg_offset(&x->opnd[1]);
        ch->counted = true;
        ch->fn = double_handlers[x->op == ZYDIS_MNEMONIC_SHRD][form][s - 1];
        return true;
    default:
        return false;
    }
}
