/* XCHG, XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B. */
#include "event.h"
#include "mem.h"
#include "select.h"

/* There is one vCPU, and devices work between its instructions, so a LOCK prefix
 * asks for nothing. */

#define XCHG_N(N)                                                              \
    static void xchg_r_##N(struct icpu *c, const struct insn *i)               \
    {                                                                          \
        uint##N##_t a = R##N(i->reg), b = R##N(i->rm);                         \
                                                                               \
        SET##N(i->reg, b);                                                     \
        SET##N(i->rm, a);                                                      \
        NEXT;                                                                  \
    }                                                                          \
    MEM_HANDLER(xchg_m_##N, BODY_XCHG, N)
#define BODY_XCHG(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, N)                     \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_any(c, i);                                               \
        uint##N##_t old;                                                       \
        u##N##a *p;                                                            \
                                                                               \
        GET_W(p, N / 8, va, SLOW);                                             \
        old = *p;                                                              \
        *p = R##N(i->rm);                                                      \
        SET##N(i->rm, old);                                                    \
        COMMIT;                                                                \
        NEXT;                                                                  \
    }

#define ADD_FLAGS(d, s)                                                        \
    asm("add %2, %0\n\t" FLAGS_OUT : "+r"(d), "=a"(fl) : "r"(s) : "cc")
#define CMP_FLAGS(d, s)                                                        \
    asm("cmp %2, %1\n\t" FLAGS_OUT : "=a"(fl) : "r"(d), "r"(s) : "cc")

#define XADD_N(N)                                                              \
    static void xadd_r_##N(struct icpu *c, const struct insn *i)               \
    {                                                                          \
        uint##N##_t d = R##N(i->reg), s = R##N(i->rm), old = d;                \
        uint16_t fl;                                                           \
                                                                               \
        ADD_FLAGS(d, s);                                                       \
        SET##N(i->rm, old);                                                    \
        SET##N(i->reg, d);                                                     \
        c->fl = fl;                                                            \
        NEXT;                                                                  \
    }                                                                          \
    MEM_HANDLER(xadd_m_##N, BODY_XADD, N)
#define BODY_XADD(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, N)                     \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_any(c, i);                                               \
        uint##N##_t d, s = R##N(i->rm), old;                                   \
        uint16_t fl;                                                           \
        u##N##a *p;                                                            \
                                                                               \
        GET_W(p, N / 8, va, SLOW);                                             \
        d = old = *p;                                                          \
        ADD_FLAGS(d, s);                                                       \
        *p = d;                                                                \
        SET##N(i->rm, old);                                                    \
        c->fl = fl;                                                            \
        COMMIT;                                                                \
        NEXT;                                                                  \
    }

/* The destination is written in any case (with its old value where the
 * comparison fails), so it must be writable; the accumulator only where it
 * fails, which for 32 bits decides who is zero-extended. */
#define CMPXCHG_N(N)                                                           \
    static void cmpxchg_r_##N(struct icpu *c, const struct insn *i)            \
    {                                                                          \
        uint##N##_t d = R##N(i->reg), a = R##N(RAX * 8);                       \
        uint16_t fl;                                                           \
                                                                               \
        CMP_FLAGS(a, d);                                                       \
        if (a == d)                                                            \
            SET##N(i->reg, R##N(i->rm));                                       \
        else                                                                   \
            SET##N(RAX * 8, d);                                                \
        c->fl = fl;                                                            \
        NEXT;                                                                  \
    }                                                                          \
    MEM_HANDLER(cmpxchg_m_##N, BODY_CMPXCHG, N)
#define BODY_CMPXCHG(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, N)                  \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_any(c, i);                                               \
        uint##N##_t d, a = R##N(RAX * 8);                                      \
        uint16_t fl;                                                           \
        u##N##a *p;                                                            \
                                                                               \
        GET_W(p, N / 8, va, SLOW);                                             \
        d = *p;                                                                \
        CMP_FLAGS(a, d);                                                       \
        if (a == d)                                                            \
            *p = R##N(i->rm);                                                  \
        else                                                                   \
            SET##N(RAX * 8, d);                                                \
        c->fl = fl;                                                            \
        COMMIT;                                                                \
        NEXT;                                                                  \
    }
#define EACH(F) F(8) F(16) F(32) F(64)
EACH(XCHG_N)
EACH(XADD_N)
EACH(CMPXCHG_N)

static void set_zf(struct icpu *c, bool zf)
{
    c->fl = (uint16_t)((c->fl & ~(FL_ZF << 8)) | (zf ? FL_ZF << 8 : 0));
}

static void cmpxchg8b(struct icpu *c, const struct insn *i)
{
    u64a *p = mem_slow(c, i, ea_any(c, i), 8, i->seg, MEM_WRITE | MEM_RMW);
    uint64_t old, expect;

    if (!p)
        return;
    old = *p;
    expect = (uint64_t)R32(RDX * 8) << 32 | R32(RAX * 8);
    if (old == expect) {
        *p = (uint64_t)R32(RCX * 8) << 32 | R32(RBX * 8);
    } else {
        SET32(RAX * 8, old);
        SET32(RDX * 8, old >> 32);
    }
    set_zf(c, old == expect);
    mem_commit(c);
    NEXT;
}

static void cmpxchg16b(struct icpu *c, const struct insn *i)
{
    gva_t va = ea_any(c, i);
    u64a *p;
    bool equal;

    if (va & 15)
        return raise_error(c, i, VEC_GP, 0);
    p = mem_slow(c, i, va, 16, i->seg, MEM_WRITE | MEM_RMW);
    if (!p)
        return;
    equal = p[0] == c->gpr[RAX] && p[1] == c->gpr[RDX];
    if (equal) {
        p[0] = c->gpr[RBX];
        p[1] = c->gpr[RCX];
    } else {
        c->gpr[RAX] = p[0];
        c->gpr[RDX] = p[1];
    }
    set_zf(c, equal);
    mem_commit(c);
    NEXT;
}

/* ---- Selection -------------------------------------------------------- */

/* clang-format off */
#define TABLE(op)                                                              \
    {{op##_r_8, op##_r_16, op##_r_32, op##_r_64},                              \
     {op##_m_8, op##_m_16, op##_m_32, op##_m_64}}
/* clang-format on */
static insn_fn *const handlers[3][2][4] = {TABLE(xchg), TABLE(xadd),
                                           TABLE(cmpxchg)};

bool select_atomic(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    const struct x86_opnd *a = &x->opnd[0], *b = &x->opnd[1];
    unsigned op;

    switch (x->op) {
    case ZYDIS_MNEMONIC_XCHG:
        op = 0;
        break;
    case ZYDIS_MNEMONIC_XADD:
        op = 1;
        break;
    case ZYDIS_MNEMONIC_CMPXCHG:
        op = 2;
        break;
    case ZYDIS_MNEMONIC_CMPXCHG8B:
        ch->fn = cmpxchg8b;
        ch->counted = true;
        return true;
    case ZYDIS_MNEMONIC_CMPXCHG16B:
        ch->fn = cmpxchg16b;
        ch->counted = true;
        return true;
    default:
        return false;
    }
    if (b->kind == OPND_MEM) { /* XCHG either way round */
        const struct x86_opnd *t = a;

        a = b;
        b = t;
    }
    i->rm = reg_offset(b);
    ch->fn = handlers[op][a->kind == OPND_MEM][size_index(b->size)];
    return true;
}
