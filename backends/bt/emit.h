/* Writing machine code into the cache. */
#ifndef TM_BT_EMIT_H
#define TM_BT_EMIT_H

#include "bt.h"

#include <assert.h>
#include <string.h>

struct emit {
    struct bt *bt;
    uint8_t *p;
    uint8_t seg; /* prefix of guest memory operands, or 0 */
    /* Of a unit: */
    struct bt_frag *f;
    enum bt_mode mode;
    unsigned insn;
    /* What is left for later: the guest's RSP minus the host's, after PUSH and
     * POP; FIX_ of registers that are still in spill[], after an entry. */
    int rsp;
    unsigned late;
};

static inline uint32_t emit_off(const struct emit *e)
{
    return (uint32_t)(e->p - e->bt->rw);
}

static inline void emit8(struct emit *e, unsigned v)
{
    *e->p++ = (uint8_t)v;
}

static inline void emit32(struct emit *e, uint32_t v)
{
    memcpy(e->p, &v, 4);
    e->p += 4;
}

static inline void emit64(struct emit *e, uint64_t v)
{
    memcpy(e->p, &v, 8);
    e->p += 8;
}

/* The rel8 at `at` leads to here. */
static inline void emit_here(struct emit *e, uint8_t *at)
{
    assert(e->p - at - 1 < 128);
    *at = (uint8_t)(e->p - at - 1);
}

static inline bool fits32(int64_t v)
{
    return v == (int32_t)v;
}

/* disp32 of a RIP-relative operand; `behind` bytes of immediates follow. */
static inline void emit_rip(struct emit *e, uint64_t target, unsigned behind)
{
    emit32(e, (uint32_t)(target - (bt_host(emit_off(e)) + 4 + behind)));
}

#define CPU(field) (BT_ARENA + offsetof(struct bt_cpu, field))
#define CPU_SPILL(n) (CPU(spill) + 8 * (n))
#define CPU_GPR(n) (CPU(gpr) + 8 * (n))

/* opcode reg, [RIP-relative], 64 bits */
static inline void emit_cpu64(struct emit *e, unsigned opcode, unsigned reg,
                              uint64_t at)
{
    emit8(e, 0x48 | (reg & 8 ? 4 : 0));
    emit8(e, opcode);
    emit8(e, (reg & 7) << 3 | 5);
    emit_rip(e, at, 0);
}

static inline void emit_save(struct emit *e, unsigned reg, uint64_t at)
{
    emit_cpu64(e, 0x89, reg, at);
}

static inline void emit_load(struct emit *e, unsigned reg, uint64_t at)
{
    emit_cpu64(e, 0x8b, reg, at);
}

/* The registers of FIX_ bits, to (0x89) or from (0x8b) where they are spilled.
 */
static inline void emit_spilled(struct emit *e, unsigned opcode, unsigned which)
{
    for (unsigned k = 0; k < SPILLS; k++)
        if (which & 1u << k)
            emit_cpu64(e, opcode, bt_spill_regs[k], CPU_SPILL(k));
}

/* mov qword [at], imm32 */
static inline void emit_set64(struct emit *e, uint64_t at, int32_t v)
{
    emit8(e, 0x48), emit8(e, 0xc7), emit8(e, 0x05);
    emit_rip(e, at, 4);
    emit32(e, (uint32_t)v);
}

/* Bytes that bt_frag_kill() needs behind an entry: emit_set64() and a jump. */
#define EMIT_KILL (11 + 5)

/* mov dword [at], imm32 */
static inline void emit_set32(struct emit *e, uint64_t at, uint32_t v)
{
    emit8(e, 0xc7), emit8(e, 0x05);
    emit_rip(e, at, 4);
    emit32(e, v);
}

/* mov reg, imm, as short as it goes */
static inline void emit_imm(struct emit *e, unsigned reg, uint64_t v)
{
    unsigned b = reg >> 3;

    if (v <= UINT32_MAX) {
        if (b)
            emit8(e, 0x41);
        emit8(e, 0xb8 | (reg & 7));
        emit32(e, (uint32_t)v);
    } else if (fits32((int64_t)v)) {
        emit8(e, 0x48 | b), emit8(e, 0xc7), emit8(e, 0xc0 | (reg & 7));
        emit32(e, (uint32_t)v);
    } else {
        emit8(e, 0x48 | b), emit8(e, 0xb8 | (reg & 7));
        emit64(e, v);
    }
}

/* mov to, from */
static inline void emit_mov(struct emit *e, unsigned to, unsigned from)
{
    emit8(e, 0x48 | (from & 8 ? 4 : 0) | to >> 3);
    emit8(e, 0x89);
    emit8(e, 0xc0 | (from & 7) << 3 | (to & 7));
}

/* lea base, [base + index]: base and index are not RSP */
static inline void emit_add(struct emit *e, unsigned base, unsigned index)
{
    emit8(e, 0x48 | base >> 3 | (index & 8 ? 2 : 0) | (base & 8 ? 4 : 0));
    emit8(e, 0x8d);
    emit8(e, 0x44 | (base & 7) << 3);
    emit8(e, (index & 7) << 3 | (base & 7));
    emit8(e, 0);
}

/* lea rcx, [rcx + disp32] */
static inline void emit_add_rcx(struct emit *e, uint32_t disp)
{
    emit8(e, 0x48), emit8(e, 0x8d), emit8(e, 0x89);
    emit32(e, disp);
}

/* ModRM and SIB of reg, [rsp + disp] */
static inline void emit_rsp_operand(struct emit *e, unsigned reg, int disp)
{
    bool wide = disp != (int8_t)disp;

    emit8(e, (wide ? 0x84 : 0x44) | (reg & 7) << 3), emit8(e, 0x24);
    if (wide)
        emit32(e, (uint32_t)disp);
    else
        emit8(e, (uint8_t)disp);
}

/* opcode reg, [rsp + disp] of the guest's stack and the guest's RSP, 64 bits */
static inline void emit_stack(struct emit *e, unsigned opcode, unsigned reg,
                              int disp)
{
    if (e->seg)
        emit8(e, e->seg);
    emit8(e, 0x48 | (reg & 8 ? 4 : 0)), emit8(e, opcode);
    emit_rsp_operand(e, reg, e->rsp + disp);
}

/* Give RSP what is left, and `more`. The caller marks it. */
static inline void emit_rsp(struct emit *e, int more)
{
    int disp = e->rsp + more;

    e->rsp = 0;
    if (disp)
        emit8(e, 0x48), emit8(e, 0x8d), emit_rsp_operand(e, RSP, disp);
}

static inline void emit_jmp(struct emit *e, uint32_t to)
{
    emit8(e, 0xe9);
    emit32(e, to - (emit_off(e) + 4));
}

/* From here on the guest's state is that before instruction insn, but for fix
 * and what is left for later. */
void emit_mark(struct emit *e, unsigned insn, unsigned fix);
/* The same, and the guest's RSP is so much above the host's. */
void emit_mark_rsp(struct emit *e, unsigned insn, unsigned fix, int rsp);
/* Load these of the registers left for later; give RSP what is left; both. */
void emit_reload(struct emit *e, unsigned which);
void emit_settle_rsp(struct emit *e);
void emit_settle(struct emit *e);

/* A new exit: its number. */
uint32_t emit_exit_new(struct emit *e, enum bt_exit_kind kind, gva_t pc,
                       gva_t target);
/* Leave by that exit, here; or by a stub: its cache offset. */
void emit_leave(struct emit *e, uint32_t exit);
uint32_t emit_leave_stub(struct emit *e, uint32_t exit);
/* So many new stubs in a row, which belong to that. */
uint8_t *emit_stubs(struct bt *bt, unsigned n, uint32_t owner);
/* jmp, or jcc with cc = 0..15, to a guest address: chained later. Returns the
 * exit's number. */
uint32_t emit_branch(struct emit *e, int cc, gva_t pc, gva_t target);

/* entry.c: to cpu->target, which is in RAX (by a jump) or RCX (by a return),
 * too, through the table; what bt_spilled says is spilled. */
void emit_table_jump(struct emit *e, enum bt_way way);
/* The begin of a unit: f->body, where jumps come in, and its entry for that way.
 * Both lead on into what is emitted next, with the registers still spilled. */
void emit_head(struct emit *e, struct bt_frag *f, enum bt_way way);

/* ---- One instruction ----------------------------------------------------- */

struct unit_insn {
    struct x86_insn x;
    uint8_t bytes[15];
    gva_t pc;
};

enum emitted {
    EMIT_NEXT, /* the unit goes on behind it */
    EMIT_END   /* it leaves the unit */
};

/* insn.c */
enum emitted emit_insn(struct emit *e, const struct unit_insn *i);
enum emitted emit_step(struct emit *e, const struct unit_insn *i);
/* The instruction's bytes with the memory operand in the guest's view. False:
 * it can't be done. opcode >= 0 and reg replace the opcode by a one-byte one
 * with that register (64 bits). */
bool emit_copy(struct emit *e, const struct unit_insn *i);
/* mov reg, the instruction's 64-bit memory operand. */
bool emit_load_operand(struct emit *e, unsigned reg, const struct unit_insn *i);
/* insn_flow.c, insn_system.c: true if it was one of theirs. */
bool emit_flow(struct emit *e, const struct unit_insn *i, enum emitted *how);
bool emit_system(struct emit *e, const struct unit_insn *i, enum emitted *how);

#endif
