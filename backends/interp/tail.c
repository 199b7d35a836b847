/* Generates tails: SSE instructions that jump to the next handler. */
#include "tail.h"

#include "emit.h"
#include "thunk_arena.h"
#include "thunk_rewrite.h"

#include <string.h>

static void emit32(struct emit *e, uint32_t v)
{
    emit(e, &v, 4);
}

/* Host registers, by the calling convention: rdi is c, rsi is i, rdx is mem. */

/* mov rax, [rdi + gpr] or back: opcode 8b or 89. */
static void emit_gpr(struct emit *e, uint8_t opcode, int gpr)
{
    EMIT(e, 0x48, opcode, 0x87);
    emit32(e, (uint32_t)(offsetof(struct icpu, gpr) + 8 * (unsigned)gpr));
}

/* cmp byte [rdi + fx_ready], 0; jne over; mov rax, slow; jmp rax; over: */
static void emit_guard(struct emit *e, insn_fn *slow)
{
    EMIT(e, 0x80, 0xbf);
    emit32(e, (uint32_t)offsetof(struct icpu, fx_ready));
    EMIT(e, 0x00, 0x75, 12, 0x48, 0xb8);
    emit(e, &slow, 8);
    EMIT(e, 0xff, 0xe0);
}

/* mov rax, [rsi + size]; add rsi, size; jmp rax */
static void emit_next(struct emit *e, unsigned n)
{
    uint32_t size = n * (uint32_t)sizeof(struct insn);

    _Static_assert(offsetof(struct insn, fn) == 0, "fn is loaded from there");
    EMIT(e, 0x48, 0x8b, 0x86);
    emit32(e, size);
    EMIT(e, 0x48, 0x81, 0xc6);
    emit32(e, size);
    EMIT(e, 0xff, 0xe0);
}

static bool suitable(const struct x86_insn *x, const struct thunk *th)
{
    if (th->kind != THUNK_SSE || th->flags_read || th->flags_written ||
        th->check || th->finish)
        return false;
    if (th->mem_size && th->mem_size != 4 && th->mem_size != 8 &&
        th->mem_size != 16)
        return false;
    /* MMX operands: a pending x87 exception may come up. */
    for (unsigned k = 0; k < x->zi.operand_count; k++)
        if (x->zops[k].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            ZydisRegisterGetClass(x->zops[k].reg.value) == ZYDIS_REGCLASS_MMX)
            return false;
    return !th->mem_size ||
           x->zops[th->mem_op].encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM;
}

void tail_get_body(const struct x86_insn *x, const uint8_t *bytes,
                   const struct thunk *th, struct tail_body *body)
{
    struct emit e = {.len = 0};
    struct rewrite rw;

    body->len = 0;
    if (!suitable(x, th) || !thunk_rewrite(&rw, &x->zi, x->zops, bytes, RDX))
        return;
    if (rw.gpr >= 0 &&
        (rw.acts & ZYDIS_OPERAND_ACTION_MASK_READ || rw.gpr_bits < 32))
        emit_gpr(&e, 0x8b, rw.gpr);
    emit(&e, rw.code, rw.len);
    if (rw.gpr >= 0 && rw.acts & ZYDIS_OPERAND_ACTION_MASK_WRITE)
        emit_gpr(&e, 0x89, rw.gpr);
    if (e.len > sizeof(body->code))
        return;
    memcpy(body->code, e.code, e.len);
    body->len = (uint8_t)e.len;
    body->mem = th->mem_size != 0;
}

tail_fn *tail_make(const struct tail_body *const *bodies, unsigned n,
                   const struct thunk *th, insn_fn *slow)
{
    struct emit e = {.len = 0};
    const struct thunk *out;

    _Static_assert(8 + 21 + TAIL_MAX * sizeof(bodies[0]->code) + 16 <=
                       THUNK_MAX,
                   "the longest tail fits");
    emit(&e, &th, sizeof(th));
    if (!bodies[0]->mem)
        emit_guard(&e, slow);
    for (unsigned k = 0; k < n; k++)
        emit(&e, bodies[k]->code, bodies[k]->len);
    emit_next(&e, n);
    if (thunk_arena_insert(th, e.code, e.len, &out))
        return NULL;
    return (tail_fn *)((uintptr_t)out->run + sizeof(th));
}
