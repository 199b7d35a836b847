/* CMP or TEST and the conditional branch behind it, as one handler. */
#include "block.h"
#include "cond.h"
#include "select.h"

#include "../x86/decode.h"

/* The branch keeps its own slot, i[1], so that counting and restarting see two
 * instructions. The flags are stored all the same: code behind the branch may
 * read them. */
#define COMPARE_JUMP(op, cc, d, s)                                             \
    asm goto(op " %1, %0\n\t" FLAGS_OUT "movw %%ax, %c3(%2)\n\t"               \
                "j" #cc " %l[taken]"                                           \
             :                                                                 \
             : "r"(d), "r"(s), "r"(c), "i"(offsetof(struct icpu, fl))          \
             : "rax", "memory", "cc"                                           \
             : taken)

#define TAIL                                                                   \
    return i[2].fn(c, i + 2);                                                  \
    taken:                                                                     \
    return take(c, i + 1)

#define FUSED_RR(op, N, cc)                                                    \
    static void op##_rr_##N##_j##cc(struct icpu *c, const struct insn *i)      \
    {                                                                          \
        uint##N##_t d = R##N(i->reg), s = R##N(i->rm);                         \
                                                                               \
        COMPARE_JUMP(#op, cc, d, s);                                           \
        TAIL;                                                                  \
    }
#define FUSED_RI(op, N, cc)                                                    \
    static void op##_ri_##N##_j##cc(struct icpu *c, const struct insn *i)      \
    {                                                                          \
        uint##N##_t d = R##N(i->reg), s = (uint##N##_t)i->imm;                 \
                                                                               \
        COMPARE_JUMP(#op, cc, d, s);                                           \
        TAIL;                                                                  \
    }
#define BODY_FUSED(FN, ATTR, GET_R, GET_W, COMMIT, SLOW, op, N, cc, D, S)      \
    ATTR void FN(struct icpu *c, const struct insn *i)                         \
    {                                                                          \
        gva_t va = ea_any(c, i);                                               \
        const u##N##a *p;                                                      \
        uint##N##_t d, s;                                                      \
                                                                               \
        GET_R(p, N / 8, va, SLOW);                                             \
        d = (uint##N##_t)(D);                                                  \
        s = (uint##N##_t)(S);                                                  \
        COMPARE_JUMP(#op, cc, d, s);                                           \
        TAIL;                                                                  \
    }
#define FUSED_RM(op, N, cc)                                                    \
    MEM_HANDLER(op##_rm_##N##_j##cc, BODY_FUSED, op, N, cc, R##N(i->reg), *p)
#define FUSED_MR(op, N, cc)                                                    \
    MEM_HANDLER(op##_mr_##N##_j##cc, BODY_FUSED, op, N, cc, *p, R##N(i->reg))
#define FUSED_MI(op, N, cc)                                                    \
    MEM_HANDLER(op##_mi_##N##_j##cc, BODY_FUSED, op, N, cc, *p, i->imm)

/* clang-format off */
#define EACH_CC(F, op, N)                                                      \
    F(op, N, o) F(op, N, no) F(op, N, b) F(op, N, nb) F(op, N, z)              \
    F(op, N, nz) F(op, N, be) F(op, N, nbe) F(op, N, s)                        \
    F(op, N, ns) F(op, N, p) F(op, N, np) F(op, N, l) F(op, N, nl)             \
    F(op, N, le) F(op, N, nle)
/* clang-format on */
#define NAME(op, form, N, cc) op##_##form##_##N##_j##cc
#define TABLE(op, form, N)                                                     \
    {                                                                          \
        NAME(op, form, N, o), NAME(op, form, N, no), NAME(op, form, N, b),     \
            NAME(op, form, N, nb), NAME(op, form, N, z),                       \
            NAME(op, form, N, nz), NAME(op, form, N, be),                      \
            NAME(op, form, N, nbe), NAME(op, form, N, s),                      \
            NAME(op, form, N, ns), NAME(op, form, N, p),                       \
            NAME(op, form, N, np), NAME(op, form, N, l),                       \
            NAME(op, form, N, nl), NAME(op, form, N, le),                      \
            NAME(op, form, N, nle),                                            \
    }

EACH_CC(FUSED_RR, cmp, 8)
EACH_CC(FUSED_RR, cmp, 32)
EACH_CC(FUSED_RR, cmp, 64)
EACH_CC(FUSED_RI, cmp, 8)
EACH_CC(FUSED_RI, cmp, 32)
EACH_CC(FUSED_RI, cmp, 64)
EACH_CC(FUSED_RM, cmp, 32)
EACH_CC(FUSED_RM, cmp, 64)
EACH_CC(FUSED_MR, cmp, 32)
EACH_CC(FUSED_MR, cmp, 64)
EACH_CC(FUSED_MI, cmp, 8)
EACH_CC(FUSED_MI, cmp, 32)
EACH_CC(FUSED_MI, cmp, 64)
EACH_CC(FUSED_RR, test, 8)
EACH_CC(FUSED_RR, test, 32)
EACH_CC(FUSED_RR, test, 64)
EACH_CC(FUSED_RI, test, 8)
EACH_CC(FUSED_RI, test, 32)

/* Rows: RR, RI, RM, MR, MI; columns: 8, 16, 32, 64 bits. */
static insn_fn *const cmp_handlers[5][4][16] = {
    {TABLE(cmp, rr, 8), {NULL}, TABLE(cmp, rr, 32), TABLE(cmp, rr, 64)},
    {TABLE(cmp, ri, 8), {NULL}, TABLE(cmp, ri, 32), TABLE(cmp, ri, 64)},
    {{NULL}, {NULL}, TABLE(cmp, rm, 32), TABLE(cmp, rm, 64)},
    {{NULL}, {NULL}, TABLE(cmp, mr, 32), TABLE(cmp, mr, 64)},
    {TABLE(cmp, mi, 8), {NULL}, TABLE(cmp, mi, 32), TABLE(cmp, mi, 64)},
};
static insn_fn *const test_handlers[2][4][16] = {
    {TABLE(test, rr, 8), {NULL}, TABLE(test, rr, 32), TABLE(test, rr, 64)},
    {TABLE(test, ri, 8), {NULL}, TABLE(test, ri, 32), {NULL}},
};

insn_fn *const *fused_handlers(unsigned op, enum form form, unsigned size)
{
    unsigned row = form <= RI ? form : form / 2 + 1;
    insn_fn *const *h = NULL;

    if (op == ZYDIS_MNEMONIC_CMP)
        h = cmp_handlers[row][size];
    else if (op == ZYDIS_MNEMONIC_TEST && form <= RI)
        h = test_handlers[form][size];
    return h && h[0] ? h : NULL;
}
