/* BT, BTS, BTR, BTC, BSF, BSR, POPCNT, CRC32, and single flags. */
#include "mem.h"
#include "select.h"

/* ---- Bit test --------------------------------------------------------- */

/* clang-format off */
#define BIT(op, d, n)                                                          \
    asm(FLAGS_IN op " %2, %0\n\t" FLAGS_OUT                                    \
        : "+r"(d), "+a"(fl)                                                    \
        : "r"(n)                                                               \
        : "cc")
/* clang-format on */

/* In memory a register's bit offset reaches beyond the operand: memory is a bit
 * string. The distance is added before an address is cut to 32 bits. */
static inline gva_t ea_string(const struct icpu *c, const struct insn *i,
                              int64_t distance)
{
    uint64_t a = R64(i->base) + (R64(i->index) << i->scale) +
                 (uint64_t)i->disp + (uint64_t)distance;

    if (i->seg & EA_ADDR32)
        a = (uint32_t)a;
    return a + c->seg_base[i->seg & EA_SEG];
}

#define EA_FAR(N) ea_string(c, i, ((int64_t)n >> LOG_##N) * (N / 8))
#define EA_NEAR(N) ea_any(c, i)
#define LOG_16 4
#define LOG_32 5
#define LOG_64 6

#define BIT_R(name, op, N, count)                                              \
    static void name(struct icpu *c, const struct insn *i)                     \
    {                                                                          \
        uint##N##_t d = R##N(i->reg), n = (uint##N##_t)(count);                \
        uint16_t fl = c->fl;                                                   \
                                                                               \
        BIT(#op, d, n);                                                        \
        SET##N(i->reg, d);                                                     \
        c->fl = fl;                                                            \
        NEXT;                                                                  \
    }
/* BT leaves even the upper half of a 32-bit register alone. */
#define TEST_R(name, op, N, count)                                             \
    static void name(struct icpu *c, const struct insn *i)                     \
    {                                                                          \
        uint##N##_t d = R##N(i->reg), n = (uint##N##_t)(count);                \
        uint16_t fl = c->fl;                                                   \
                                                                               \
        BIT(#op, d, n);                                                        \
        c->fl = fl;                                                            \
        NEXT;                                                                  \
    }
#define BODY_BIT(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, op, N, count, EA)       \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        int##N##_t n = (int##N##_t)(count);                                    \
        gva_t va = EA(N);                                                      \
        uint##N##_t d;                                                         \
        uint16_t fl = c->fl;                                                   \
        u##N##a *p;                                                            \
                                                                               \
        GET_W(p, N / 8, va, SLOW);                                             \
        d = *p;                                                                \
        n &= N - 1;                                                            \
        BIT(#op, d, n);                                                        \
        *p = d;                                                                \
        c->fl = fl;                                                            \
        COMMIT;                                                                \
        NEXT;                                                                  \
    }
#define BODY_TEST(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, op, N, count, EA)      \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        int##N##_t n = (int##N##_t)(count);                                    \
        gva_t va = EA(N);                                                      \
        uint##N##_t d;                                                         \
        uint16_t fl = c->fl;                                                   \
        const u##N##a *p;                                                      \
                                                                               \
        GET_R(p, N / 8, va, SLOW);                                             \
        d = *p;                                                                \
        n &= N - 1;                                                            \
        BIT(#op, d, n);                                                        \
        c->fl = fl;                                                            \
        NEXT;                                                                  \
    }
#define BITS_N(op, N, FORM, BODY)                                              \
    FORM(op##_rr_##N, op, N, R##N(i->rm))                                      \
    FORM(op##_ri_##N, op, N, i->imm)                                           \
    MEM_HANDLER(op##_mr_##N, BODY, op, N, R##N(i->rm), EA_FAR)                 \
    MEM_HANDLER(op##_mi_##N, BODY, op, N, i->imm, EA_NEAR)
#define BITS(op, FORM, BODY)                                                   \
    BITS_N(op, 16, FORM, BODY)                                                 \
    BITS_N(op, 32, FORM, BODY)                                                 \
    BITS_N(op, 64, FORM, BODY)
BITS(bt, TEST_R, BODY_TEST)
BITS(bts, BIT_R, BODY_BIT)
BITS(btr, BIT_R, BODY_BIT)
BITS(btc, BIT_R, BODY_BIT)

/* clang-format off */
#define ROW(op, form) {op##_##form##_16, op##_##form##_32, op##_##form##_64}
#define TABLE(op) {ROW(op, rr), ROW(op, ri), ROW(op, mr), ROW(op, mi)}
/* clang-format on */
static insn_fn *const bit_handlers[4][4][3] = {TABLE(bt), TABLE(bts),
                                               TABLE(btr), TABLE(btc)};

/* ---- Scans, counts and checksums -------------------------------------- */

/* A scan of zero leaves the destination as it is; the old value goes in. */
/* clang-format off */
#define SCAN(op, d, s)                                                         \
    asm(FLAGS_IN op " %2, %0\n\t" FLAGS_OUT                                    \
        : "+r"(d), "+a"(fl)                                                    \
        : "r"(s)                                                               \
        : "cc")
/* clang-format on */
#define SET_SCAN(N, reg, d, s)                                                 \
    do {                                                                       \
        if (s)                                                                 \
            SET##N(reg, d);                                                    \
    } while (0)
#define SET_COUNT(N, reg, d, s) SET##N(reg, d)

#define UNARY_R(op, N, SETD)                                                   \
    static void op##_r_##N(struct icpu *c, const struct insn *i)               \
    {                                                                          \
        uint##N##_t d = R##N(i->reg), s = R##N(i->rm);                         \
        uint16_t fl = c->fl;                                                   \
                                                                               \
        SCAN(#op, d, s);                                                       \
        SETD(N, i->reg, d, s);                                                 \
        c->fl = fl;                                                            \
        NEXT;                                                                  \
    }
#define BODY_UNARY(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, op, N, SETD)          \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_any(c, i);                                               \
        uint##N##_t d, s;                                                      \
        uint16_t fl = c->fl;                                                   \
        const u##N##a *p;                                                      \
                                                                               \
        GET_R(p, N / 8, va, SLOW);                                             \
        s = *p;                                                                \
        d = R##N(i->reg);                                                      \
        SCAN(#op, d, s);                                                       \
        SETD(N, i->reg, d, s);                                                 \
        c->fl = fl;                                                            \
        NEXT;                                                                  \
    }
#define UNARY_N(op, N, SETD)                                                   \
    UNARY_R(op, N, SETD) MEM_HANDLER(op##_m_##N, BODY_UNARY, op, N, SETD)
#define UNARY(op, SETD)                                                        \
    UNARY_N(op, 16, SETD) UNARY_N(op, 32, SETD) UNARY_N(op, 64, SETD)
UNARY(bsf, SET_SCAN)
UNARY(bsr, SET_SCAN)
UNARY(popcnt, SET_COUNT)

/* clang-format off */
#define ROW1(op)                                                               \
    {{op##_r_16, op##_r_32, op##_r_64}, {op##_m_16, op##_m_32, op##_m_64}}
/* clang-format on */
static insn_fn *const unary_handlers[3][2][3] = {ROW1(bsf), ROW1(bsr),
                                                 ROW1(popcnt)};

/* CRC32 (Castagnoli), an SSE4.2 instruction on general registers. */
#define CRC(N, op, D)                                                          \
    static void crc32_r_##N(struct icpu *c, const struct insn *i)              \
    {                                                                          \
        uint##D##_t d = R32(i->reg);                                           \
        uint##N##_t s = R##N(i->rm);                                           \
                                                                               \
        asm(op " %1, %0" : "+r"(d) : "r"(s));                                  \
        R64(i->reg) = d;                                                       \
        NEXT;                                                                  \
    }                                                                          \
    MEM_HANDLER(crc32_m_##N, BODY_CRC, N, op, D)
#define BODY_CRC(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, N, op, D)               \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_any(c, i);                                               \
        const u##N##a *p;                                                      \
        uint##D##_t d;                                                         \
        uint##N##_t s;                                                         \
                                                                               \
        GET_R(p, N / 8, va, SLOW);                                             \
        s = *p;                                                                \
        d = R32(i->reg);                                                       \
        asm(op " %1, %0" : "+r"(d) : "r"(s));                                  \
        R64(i->reg) = d;                                                       \
        NEXT;                                                                  \
    }
CRC(8, "crc32b", 32)
CRC(16, "crc32w", 32)
CRC(32, "crc32l", 32)
CRC(64, "crc32q", 64)
static insn_fn *const crc_handlers[2][4] = {
    {crc32_r_8, crc32_r_16, crc32_r_32, crc32_r_64},
    {crc32_m_8, crc32_m_16, crc32_m_32, crc32_m_64},
};

/* ---- Single flags ----------------------------------------------------- */

#define FLAG(name, statement)                                                  \
    static void name(struct icpu *c, const struct insn *i)                     \
    {                                                                          \
        statement;                                                             \
        NEXT;                                                                  \
    }
FLAG(clc, c->fl &= (uint16_t) ~(FL_CF << 8))
FLAG(stc, c->fl |= FL_CF << 8)
FLAG(cmc, c->fl ^= FL_CF << 8)
FLAG(cld, c->rflags &= ~FL_DF)
FLAG(std, c->rflags |= FL_DF)
FLAG(lahf, R8(RAX * 8 + 1) = (uint8_t)(c->fl >> 8))
FLAG(sahf,
     c->fl = (uint16_t)((c->fl & 1) | (R8(RAX * 8 + 1) & 0xd5) << 8 | 0x200))

/* ---- Selection -------------------------------------------------------- */

static bool select_bt(const struct x86_insn *x, struct insn *i,
                      struct choice *ch, unsigned op)
{
    const struct x86_opnd *a = &x->opnd[0], *b = &x->opnd[1];
    unsigned form = (a->kind == OPND_MEM ? 2 : 0) + (b->kind == OPND_IMM);

    if (b->kind == OPND_REG)
        i->rm = reg_offset(b);
    ch->fn = bit_handlers[op][form][size_index(a->size) - 1];
    return true;
}

static bool select_unary(const struct x86_insn *x, struct choice *ch,
                         unsigned op)
{
    ch->fn = unary_handlers[op][x->opnd[1].kind == OPND_MEM]
                           [size_index(x->opnd[0].size) - 1];
    /* The host may leave flags alone that are undefined. */
    ch->counted = true;
    return true;
}

bool select_bits(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    switch (x->op) {
    case ZYDIS_MNEMONIC_BT:
        return select_bt(x, i, ch, 0);
    case ZYDIS_MNEMONIC_BTS:
        return select_bt(x, i, ch, 1);
    case ZYDIS_MNEMONIC_BTR:
        return select_bt(x, i, ch, 2);
    case ZYDIS_MNEMONIC_BTC:
        return select_bt(x, i, ch, 3);
    case ZYDIS_MNEMONIC_BSF:
        return select_unary(x, ch, 0);
    case ZYDIS_MNEMONIC_BSR:
        return select_unary(x, ch, 1);
    case ZYDIS_MNEMONIC_POPCNT:
        return select_unary(x, ch, 2);
    case ZYDIS_MNEMONIC_CRC32:
        ch->fn = crc_handlers[x->opnd[1].kind == OPND_MEM]
                             [size_index(x->opnd[1].size)];
        return true;
    case ZYDIS_MNEMONIC_CLC:
        ch->fn = clc;
        return true;
    case ZYDIS_MNEMONIC_STC:
        ch->fn = stc;
        return true;
    case ZYDIS_MNEMONIC_CMC:
        ch->fn = cmc;
        return true;
    case ZYDIS_MNEMONIC_CLD:
        ch->fn = cld;
        return true;
    case ZYDIS_MNEMONIC_STD:
        ch->fn = std;
        return true;
    case ZYDIS_MNEMONIC_LAHF:
        ch->fn = lahf;
        return true;
    case ZYDIS_MNEMONIC_SAHF:
        ch->fn = sahf;
        return true;
    default:
        return false;
    }
}
