/* The choice of a handler for a decoded instruction. */
#ifndef TM_INTERP_SELECT_H
#define TM_INTERP_SELECT_H

#include "cpu.h"
#include "tail.h"

#include "../x86/decode.h"

/* What the translator must know about an instruction besides its handler. */
struct choice {
    const uint8_t *bytes; /* the instruction's: set by the caller */
    uint64_t next;        /* RIP behind it: set by the caller */
    insn_fn *fn;
    insn_fn *nf;           /* the same without flags, or NULL */
    insn_fn *const *fused; /* with the Jcc behind it, by condition, or NULL */
    struct tail_body tail; /* SSE: len is not 0 where it can be in a tail */
    int cc;                /* Jcc: its condition, else -1 */
    bool ends;             /* the handler never goes to the next slot */
    bool faults;           /* may raise an exception */
    bool counted;          /* a count of 0 leaves the flags alone */
    bool shadow;           /* must not be a block's last instruction */
};

/* Fill ch and the operand fields of i (fn, len and idx are the caller's). Each
 * select_*() handles a family and returns false for what isn't in it. */
void select_insn(const struct x86_insn *x, struct insn *i, struct choice *ch);

bool select_alu(const struct x86_insn *x, struct insn *i, struct choice *ch);
bool select_mov(const struct x86_insn *x, struct insn *i, struct choice *ch);
bool select_shift(const struct x86_insn *x, struct insn *i, struct choice *ch);
bool select_muldiv(const struct x86_insn *x, struct insn *i, struct choice *ch);
bool select_bits(const struct x86_insn *x, struct insn *i, struct choice *ch);
bool select_atomic(const struct x86_insn *x, struct insn *i, struct choice *ch);
bool select_stack(const struct x86_insn *x, struct insn *i, struct choice *ch);
bool select_control(const struct x86_insn *x, struct insn *i,
                    struct choice *ch);
bool select_string(const struct x86_insn *x, struct insn *i, struct choice *ch);
bool select_system(const struct x86_insn *x, struct insn *i, struct choice *ch);
bool select_far(const struct x86_insn *x, struct insn *i, struct choice *ch);
bool select_port(const struct x86_insn *x, struct insn *i, struct choice *ch);
bool select_thunk(const struct x86_insn *x, struct insn *i, struct choice *ch);

/* Let i, for which select_thunk() gave ch->tail, and the n - 1 instructions behind
 * it run as one tail. */
void thunk_join(struct insn *i, const struct tail_body *const *bodies,
                unsigned n);

/* Operand forms of two-operand instructions: destination, source; memory as plain
 * base + displacement, or any address. */
enum form { RR, RI, RM_BD, RM_ANY, MR_BD, MR_ANY, MI_BD, MI_ANY, FORM_COUNT };

/* CMP or TEST (op) with the Jcc behind it, by condition; size is a size_index().
 * NULL: this form has none. */
insn_fn *const *fused_handlers(unsigned op, enum form form, unsigned size);

/* What the choice of a handler for two register instructions hangs on. */
struct pair_note {
    insn_fn *after_move; /* with a MOV to its destination in front of it */
    int8_t atom;         /* -1: never part of a pair */
    bool wide, move;
};

void pair_note(const struct x86_insn *x, struct pair_note *n);

/* The handler of instruction *i, with note *n, and the one behind it, n[1], both of
 * which leave no flags. NULL: there is none. */
insn_fn *pair_handler(const struct pair_note *n, const struct insn *i);

/* Handlers of what isn't an instruction. */
void raise_ud(struct icpu *c, const struct insn *i);
void raise_gp(struct icpu *c, const struct insn *i);

/* Index of an operand size: 1, 2, 4, 8 bytes to 0..3. */
static inline unsigned size_index(unsigned bytes)
{
    return (unsigned)__builtin_ctz(bytes);
}

/* Byte offset of a register operand in icpu.gpr. */
static inline uint8_t reg_offset(const struct x86_opnd *o)
{
    return (uint8_t)(o->reg * 8 + (o->high ? 1 : 0));
}

/* True where base + displacement is all there is to the address. */
static inline bool mem_simple(const struct insn *i)
{
    return i->index == ZERO_REG * 8 && !(i->seg & (EA_ADDR32 | EA_BASE));
}

/* The form of an instruction with destination a and source b; where a is memory
 * and b a register, that is put into i->reg. */
static inline enum form operand_form(const struct x86_opnd *a,
                                     const struct x86_opnd *b, struct insn *i)
{
    enum form form = b->kind == OPND_IMM ? RI : RR;

    if (a->kind == OPND_MEM) {
        form = b->kind == OPND_IMM ? MI_BD : MR_BD;
        if (b->kind == OPND_REG)
            i->reg = reg_offset(b);
    } else if (b->kind == OPND_MEM) {
        form = RM_BD;
    }
    return form >= RM_BD && !mem_simple(i) ? form + 1 : form;
}

#endif
