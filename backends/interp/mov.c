/* MOV, MOVZX, MOVSX, LEA, CMOVcc, SETcc, BSWAP and sign extensions. */
#include "cond.h"
#include "event.h"
#include "mem.h"
#include "select.h"

#define MOV_RR(N)                                                              \
    static void mov_rr_##N(struct icpu *c, const struct insn *i)               \
    {                                                                          \
        SET##N(i->reg, R##N(i->rm));                                           \
        NEXT;                                                                  \
    }                                                                          \
    static void mov_ri_##N(struct icpu *c, const struct insn *i)               \
    {                                                                          \
        SET##N(i->reg, i->imm);                                                \
        NEXT;                                                                  \
    }
#define BODY_LOAD(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, N, ea)                 \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_##ea(c, i);                                              \
        const u##N##a *p;                                                      \
                                                                               \
        GET_R(p, N / 8, va, SLOW);                                             \
        SET##N(i->reg, *p);                                                    \
        NEXT;                                                                  \
    }
/* Stores: a slow path of their own, which doesn't read. */
#define STORE(name, N, ea, source)                                             \
    static __attribute__((noinline, cold)) void name##_slow(                   \
        struct icpu *c, const struct insn *i)                                  \
    {                                                                          \
        gva_t va = ea_##ea(c, i);                                              \
        u##N##a *p;                                                            \
                                                                               \
        SLOW_STORE(p, N / 8, va);                                              \
        *p = (uint##N##_t)(source);                                            \
        mem_commit(c);                                                         \
        NEXT;                                                                  \
    }                                                                          \
    static void name(struct icpu *c, const struct insn *i)                     \
    {                                                                          \
        gva_t va = ea_##ea(c, i);                                              \
        u##N##a *p;                                                            \
                                                                               \
        FAST_W(p, N / 8, va, name##_slow);                                     \
        *p = (uint##N##_t)(source);                                            \
        NEXT;                                                                  \
    }
#define MOVS(N)                                                                \
    MOV_RR(N)                                                                  \
    MEM_HANDLER(mov_rm_bd_##N, BODY_LOAD, N, bd)                               \
    MEM_HANDLER(mov_rm_any_##N, BODY_LOAD, N, any)                             \
    STORE(mov_mr_bd_##N, N, bd, R##N(i->reg))                                  \
    STORE(mov_mr_any_##N, N, any, R##N(i->reg))                                \
    STORE(mov_mi_bd_##N, N, bd, i->imm)                                        \
    STORE(mov_mi_any_##N, N, any, i->imm)
MOVS(8)
MOVS(16)
MOVS(32)
MOVS(64)

/* clang-format off */
#define ROW(form)                                                              \
    {mov_##form##_8, mov_##form##_16, mov_##form##_32, mov_##form##_64}
/* clang-format on */
static insn_fn *const mov_handlers[FORM_COUNT][4] = {
    ROW(rr),    ROW(ri),     ROW(rm_bd), ROW(rm_any),
    ROW(mr_bd), ROW(mr_any), ROW(mi_bd), ROW(mi_any),
};

/* ---- Widening --------------------------------------------------------- */

#define EXTEND_R(name, from, FROM, to)                                         \
    static void name##_r(struct icpu *c, const struct insn *i)                 \
    {                                                                          \
        SET##to(i->reg, (from)R##FROM(i->rm));                                 \
        NEXT;                                                                  \
    }
#define BODY_EXTEND(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, from, FROM, to, ea)  \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_##ea(c, i);                                              \
        const u##FROM##a *p;                                                   \
                                                                               \
        GET_R(p, FROM / 8, va, SLOW);                                          \
        SET##to(i->reg, (from)*p);                                             \
        NEXT;                                                                  \
    }
#define EXTEND(name, from, FROM, to)                                           \
    EXTEND_R(name, from, FROM, to)                                             \
    MEM_HANDLER(name##_bd, BODY_EXTEND, from, FROM, to, bd)                    \
    MEM_HANDLER(name##_any, BODY_EXTEND, from, FROM, to, any)

/* Zero extension to 64 bits is that to 32. */
EXTEND(zx_8_16, uint8_t, 8, 16)
EXTEND(zx_8_32, uint8_t, 8, 32)
EXTEND(zx_16_16, uint16_t, 16, 16)
EXTEND(zx_16_32, uint16_t, 16, 32)
EXTEND(sx_8_16, int8_t, 8, 16)
EXTEND(sx_8_32, int8_t, 8, 32)
EXTEND(sx_8_64, int8_t, 8, 64)
EXTEND(sx_16_16, int16_t, 16, 16)
EXTEND(sx_16_32, int16_t, 16, 32)
EXTEND(sx_16_64, int16_t, 16, 64)
EXTEND(sx_32_16, int32_t, 32, 16)
EXTEND(sx_32_32, int32_t, 32, 32)
EXTEND(sx_32_64, int32_t, 32, 64)

/* clang-format off */
#define TRIPLE(n) {n##_r, n##_bd, n##_any}
/* clang-format on */
/* [source 8, 16][destination 16, 32, 64][r, bd, any] */
static insn_fn *const zx_handlers[2][3][3] = {
    {TRIPLE(zx_8_16), TRIPLE(zx_8_32), TRIPLE(zx_8_32)},
    {TRIPLE(zx_16_16), TRIPLE(zx_16_32), TRIPLE(zx_16_32)},
};
/* [source 8, 16, 32] */
static insn_fn *const sx_handlers[3][3][3] = {
    {TRIPLE(sx_8_16), TRIPLE(sx_8_32), TRIPLE(sx_8_64)},
    {TRIPLE(sx_16_16), TRIPLE(sx_16_32), TRIPLE(sx_16_64)},
    {TRIPLE(sx_32_16), TRIPLE(sx_32_32), TRIPLE(sx_32_64)},
};

/* ---- LEA -------------------------------------------------------------- */

#define LEA(N)                                                                 \
    static void lea_bd_##N(struct icpu *c, const struct insn *i)               \
    {                                                                          \
        SET##N(i->reg, ea_bd(c, i));                                           \
        NEXT;                                                                  \
    }                                                                          \
    static void lea_any_##N(struct icpu *c, const struct insn *i)              \
    {                                                                          \
        SET##N(i->reg, ea_offset(c, i));                                       \
        NEXT;                                                                  \
    }
LEA(16)
LEA(32)
LEA(64)
static insn_fn *const lea_handlers[3][2] = {
    {lea_bd_16, lea_any_16}, {lea_bd_32, lea_any_32}, {lea_bd_64, lea_any_64}};

/* ---- Conditional ------------------------------------------------------ */

/* The load happens, and may fault, whatever the condition; a 32-bit destination
 * is zero-extended either way. */
#define BODY_CMOV(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, cc, N)                 \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_any(c, i);                                               \
        uint##N##_t v = R##N(i->reg), s;                                       \
        const u##N##a *p;                                                      \
                                                                               \
        GET_R(p, N / 8, va, SLOW);                                             \
        s = *p;                                                                \
        SET##N(i->reg, condition(c->fl, cc) ? s : v);                          \
        NEXT;                                                                  \
    }
#define CMOV(cc, suffix, N)                                                    \
    static void cmov##suffix##_r_##N(struct icpu *c, const struct insn *i)     \
    {                                                                          \
        uint##N##_t v = R##N(i->reg), s = R##N(i->rm);                         \
                                                                               \
        SET##N(i->reg, condition(c->fl, cc) ? s : v);                          \
        NEXT;                                                                  \
    }                                                                          \
    MEM_HANDLER(cmov##suffix##_m_##N, BODY_CMOV, cc, N)
#define SETCC(cc, suffix)                                                      \
    static void set##suffix##_r(struct icpu *c, const struct insn *i)          \
    {                                                                          \
        R8(i->reg) = condition(c->fl, cc);                                     \
        NEXT;                                                                  \
    }                                                                          \
    STORE(set##suffix##_m, 8, any, condition(c->fl, cc))
#define CONDITIONAL(cc, suffix)                                                \
    CMOV(cc, suffix, 16)                                                       \
    CMOV(cc, suffix, 32)                                                       \
    CMOV(cc, suffix, 64)                                                       \
    SETCC(cc, suffix)
CONDITIONS(CONDITIONAL)

#define CMOV_ROW(cc, s)                                                        \
    {{cmov##s##_r_16, cmov##s##_r_32, cmov##s##_r_64},                         \
     {cmov##s##_m_16, cmov##s##_m_32, cmov##s##_m_64}},
static insn_fn *const cmov_handlers[16][2][3] = {CONDITIONS(CMOV_ROW)};
#define SET_ROW(cc, s) {set##s##_r, set##s##_m},
static insn_fn *const set_handlers[16][2] = {CONDITIONS(SET_ROW)};

/* ---- In registers ----------------------------------------------------- */

static void bswap_32(struct icpu *c, const struct insn *i)
{
    SET32(i->reg, __builtin_bswap32(R32(i->reg)));
    NEXT;
}

static void bswap_64(struct icpu *c, const struct insn *i)
{
    SET64(i->reg, __builtin_bswap64(R64(i->reg)));
    NEXT;
}

/* Undefined by the manuals; CPUs zero the register's low word. */
static void bswap_16(struct icpu *c, const struct insn *i)
{
    SET16(i->reg, 0);
    NEXT;
}

#define IN_RAX(name, statement)                                                \
    static void name(struct icpu *c, const struct insn *i)                     \
    {                                                                          \
        statement;                                                             \
        NEXT;                                                                  \
    }
IN_RAX(cbw, SET16(RAX * 8, (int8_t)R8(RAX * 8)))
IN_RAX(cwde, SET32(RAX * 8, (int16_t)R16(RAX * 8)))
IN_RAX(cdqe, SET64(RAX * 8, (int32_t)R32(RAX * 8)))
IN_RAX(cwd, SET16(RDX * 8, (int16_t)R16(RAX * 8) >> 15))
IN_RAX(cdq, SET32(RDX * 8, (int32_t)R32(RAX * 8) >> 31))
IN_RAX(cqo, SET64(RDX * 8, (int64_t)R64(RAX * 8) >> 63))

static void xlat(struct icpu *c, const struct insn *i)
{
    uint64_t a = R64(RBX * 8) + R8(RAX * 8);
    const uint8_t *p;

    if (i->seg & EA_ADDR32)
        a = (uint32_t)a;
    a += c->seg_base[i->seg & EA_SEG];
    p = mem_slow(c, i, a, 1, i->seg, 0);
    if (!p)
        return;
    R8(RAX * 8) = *p;
    NEXT;
}

/* ---- Selection -------------------------------------------------------- */

static int condition_index(const struct x86_insn *x, unsigned category)
{
    if (x->zi.meta.category != category)
        return -1;
    return x->zi.opcode & 15;
}

static bool select_plain(const struct x86_insn *x, struct insn *i,
                         struct choice *ch)
{
    const struct x86_opnd *a = &x->opnd[0], *b = &x->opnd[1];

    if (x->op != ZYDIS_MNEMONIC_MOV && x->op != ZYDIS_MNEMONIC_MOVNTI)
        return false;
    if ((a->kind != OPND_REG && a->kind != OPND_MEM) || b->kind > OPND_IMM)
        return false;
    ch->fn = mov_handlers[operand_form(a, b, i)][size_index(a->size)];
    return true;
}

bool select_mov(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    const struct x86_opnd *a = &x->opnd[0], *b = &x->opnd[1];
    unsigned mem = b->kind != OPND_MEM ? 0 : mem_simple(i) ? 1 : 2;
    int cc;

    if (select_plain(x, i, ch))
        return true;
    switch (x->op) {
    case ZYDIS_MNEMONIC_MOVZX:
        ch->fn = zx_handlers[size_index(b->size)][size_index(a->size) - 1][mem];
        return true;
    case ZYDIS_MNEMONIC_MOVSX:
    case ZYDIS_MNEMONIC_MOVSXD:
        ch->fn = sx_handlers[size_index(b->size)][size_index(a->size) - 1][mem];
        return true;
    case ZYDIS_MNEMONIC_LEA:
        i->seg &= (uint8_t)~EA_BASE;
        ch->fn = lea_handlers[size_index(a->size) - 1][!mem_simple(i)];
        ch->faults = false;
        return true;
    case ZYDIS_MNEMONIC_BSWAP:
        ch->fn = a->size == 8 ? bswap_64 : a->size == 4 ? bswap_32 : bswap_16;
        return true;
    case ZYDIS_MNEMONIC_CBW:
        ch->fn = cbw;
        return true;
    case ZYDIS_MNEMONIC_CWDE:
        ch->fn = cwde;
        return true;
    case ZYDIS_MNEMONIC_CDQE:
        ch->fn = cdqe;
        return true;
    case ZYDIS_MNEMONIC_CWD:
        ch->fn = cwd;
        return true;
    case ZYDIS_MNEMONIC_CDQ:
        ch->fn = cdq;
        return true;
    case ZYDIS_MNEMONIC_CQO:
        ch->fn = cqo;
        return true;
    case ZYDIS_MNEMONIC_XLAT:
        ch->fn = xlat;
        return true;
    default:
        break;
    }
    cc = condition_index(x, ZYDIS_CATEGORY_CMOV);
    if (cc >= 0 && a->kind == OPND_REG) {
        ch->fn =
            cmov_handlers[cc][b->kind == OPND_MEM][size_index(a->size) - 1];
        return true;
    }
    cc = condition_index(x, ZYDIS_CATEGORY_SETCC);
    if (cc < 0)
        return false;
    ch->fn = set_handlers[cc][a->kind == OPND_MEM];
    return true;
}
