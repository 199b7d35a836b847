/* Exits, and the code that all fragments share. */
#include "emit.h"

#include <stdlib.h>

void emit_mark(struct emit *e, unsigned insn, unsigned fix)
{
    emit_mark_rsp(e, insn, fix, e->rsp);
}

void emit_mark_rsp(struct emit *e, unsigned insn, unsigned fix, int rsp)
{
    struct bt *bt = e->bt;
    struct bt_frag *f = e->f;
    struct bt_map *m = &bt->maps[f->map + f->nmap];

    if (f->nmap && m[-1].off == emit_off(e)) {
        m--;
    } else {
        f->nmap++;
        bt->nmaps++;
    }
    *m = (struct bt_map){emit_off(e), (uint8_t)insn, (uint8_t)(fix | e->late),
                         (int16_t)rsp};
}

void emit_reload(struct emit *e, unsigned which)
{
    if (!(e->late & which))
        return;
    emit_spilled(e, 0x8b, e->late & which);
    e->late &= ~which;
    emit_mark(e, e->insn, 0);
}

void emit_settle_rsp(struct emit *e)
{
    if (!e->rsp)
        return;
    emit_rsp(e, 0);
    emit_mark(e, e->insn, 0);
}

void emit_settle(struct emit *e)
{
    emit_reload(e, e->late);
    emit_settle_rsp(e);
}

uint32_t emit_exit_new(struct emit *e, enum bt_exit_kind kind, gva_t pc,
                       gva_t target)
{
    struct bt *bt = e->bt;
    uint32_t n = bt->nexits++;

    bt->exits[n] = (struct bt_exit){
        .kind = (uint8_t)kind,
        .mode = (uint8_t)e->mode,
        .pc = pc,
        .target = target,
        .frag = e->f ? (uint32_t)(e->f - bt->frags) : 0,
    };
    return n;
}

void emit_leave(struct emit *e, uint32_t exit)
{
    unsigned kind = e->bt->exits[exit].kind;
    bool mode = kind == BT_EXIT_SYSCALL || kind == BT_EXIT_SYSRET;

    emit_set32(e, CPU(exit), exit);
    emit_jmp(e, e->bt->callouts[mode ? BT_CALLOUT_MODE : BT_CALLOUT_ANY].begin);
}

uint8_t *emit_stubs(struct bt *bt, unsigned n, uint32_t owner)
{
    bt->stubs -= n * BT_STUB;
    for (unsigned k = 0; k < n; k++)
        bt->stub_owner[bt->stubs / BT_STUB + k] = owner;
    return bt->rw + bt->stubs;
}

uint32_t emit_leave_stub(struct emit *e, uint32_t exit)
{
    struct emit s = *e;

    s.p = emit_stubs(e->bt, 1, exit);
    emit_leave(&s, exit);
    return e->bt->stubs;
}

uint32_t emit_branch(struct emit *e, int cc, gva_t pc, gva_t target)
{
    uint32_t n = emit_exit_new(e, BT_EXIT_JUMP, pc, target);
    uint32_t stub = emit_leave_stub(e, n);

    if (cc >= 0) {
        emit8(e, 0x0f), emit8(e, 0x80 | (unsigned)cc);
        emit32(e, stub - (emit_off(e) + 4));
    } else {
        emit_jmp(e, stub);
    }
    e->bt->exits[n].patch = emit_off(e) - 4;
    return n;
}

/* ---- The callout
 * --------------------------------------------------------------- */

static void emit_set8(struct emit *e, uint64_t at, unsigned v)
{
    emit8(e, 0xc6), emit8(e, 0x05);
    emit_rip(e, at, 1);
    emit8(e, v);
}

static void emit_lea_cpu(struct emit *e, unsigned reg, uint64_t at)
{
    emit_cpu64(e, 0x8d, reg, at);
}

/* The rel32 at this offset leads to here. */
static void fill32(struct emit *e, uint32_t at)
{
    uint32_t rel = emit_off(e) - (at + 4);

    memcpy(e->bt->rw + at, &rel, 4);
}

/* Flags from cpu->rflags; POPFQ is slow, and mostly there is nothing in it that
 * SAHF can't do. RAX and RCX are free. */
static void emit_load_flags(struct emit *e)
{
    uint8_t *slow, *done;

    emit8(e, 0x8b), emit8(e, 0x05), emit_rip(e, CPU(rflags), 0); /* mov eax */
    emit8(e, 0xa9), emit32(e, ~(uint32_t)((BT_ARITH_FLAGS & ~FL_DF) | FL_IF |
                                          2));      /* test eax, imm32 */
    emit8(e, 0x75), slow = e->p, emit8(e, 0);       /* jnz */
    emit8(e, 0x89), emit8(e, 0xc1);                 /* mov ecx, eax */
    emit8(e, 0xc1), emit8(e, 0xe9), emit8(e, 11);   /* shr ecx, 11 */
    emit8(e, 0x83), emit8(e, 0xe1), emit8(e, 1);    /* and ecx, 1: OF */
    emit8(e, 0x88), emit8(e, 0xc4);                 /* mov ah, al */
    emit8(e, 0x88), emit8(e, 0xc8);                 /* mov al, cl */
    emit8(e, 0x04), emit8(e, 0x7f), emit8(e, 0x9e); /* add al, 0x7f; sahf */
    emit8(e, 0xeb), done = e->p, emit8(e, 0);       /* jmp */
    emit_here(e, slow);
    emit8(e, 0xff), emit8(e, 0x35), emit_rip(e, CPU(rflags), 0); /* push */
    emit8(e, 0x9d);                                              /* popfq */
    emit_here(e, done);
}

/* Save the guest's registers, call the function, go where it says. */
static void emit_callout(struct emit *e, struct bt_stub *stub,
                         uint64_t (*function)(struct bt_cpu *))
{
    uint32_t zero, kicked;

    stub->begin = emit_off(e);
    for (unsigned r = 0; r < 16; r++)
        emit_save(e, r, CPU_GPR(r));
    emit_set8(e, CPU(host.in_guest), 0);
    stub->saved = emit_off(e);
    emit_lea_cpu(e, RSP, CPU(stack) + sizeof(e->bt->cpu->stack));
    emit8(e, 0x9c);                                              /* pushfq */
    emit8(e, 0x8f), emit8(e, 0x05), emit_rip(e, CPU(rflags), 0); /* pop */
    emit8(e, 0xfc);                                              /* cld */
    emit_lea_cpu(e, RDI, BT_ARENA);
    emit_imm(e, RAX, (uintptr_t)function);
    emit8(e, 0xff), emit8(e, 0xd0); /* call rax */
    emit_save(e, RAX, CPU(resume));
    emit8(e, 0x48), emit8(e, 0x85), emit8(e, 0xc0); /* test rax, rax */
    emit8(e, 0x0f), emit8(e, 0x84), zero = emit_off(e), emit32(e, 0);
    emit_set8(e, CPU(host.in_guest), 1);
    emit8(e, 0x83), emit8(e, 0x3d); /* cmp dword [kicked], 0 */
    emit_rip(e, CPU(host.kicked), 1), emit8(e, 0);
    emit8(e, 0x0f), emit8(e, 0x85), kicked = emit_off(e), emit32(e, 0);
    emit_load_flags(e);
    for (unsigned r = 0; r < 16; r++)
        emit_load(e, r, CPU_GPR(r));
    emit8(e, 0xff), emit8(e, 0x25), emit_rip(e, CPU(resume), 0); /* jmp */
    fill32(e, zero);
    fill32(e, kicked);
    emit_lea_cpu(e, RDI, BT_ARENA);
    emit_imm(e, RAX, (uintptr_t)host_leave);
    emit8(e, 0xff), emit8(e, 0xe0); /* jmp rax */
    stub->end = emit_off(e);
}

void bt_stubs_emit(struct bt *bt)
{
    struct emit e = {.bt = bt, .p = bt->rw + BT_STUB};

    emit_callout(&e, &bt->callouts[BT_CALLOUT_ANY], bt_callout);
    emit_callout(&e, &bt->callouts[BT_CALLOUT_MODE], bt_change_mode);
    bt->nexits = 0;
    for (unsigned way = 0; way < BT_WAYS; way++) {
        uint32_t n = emit_exit_new(&e, BT_EXIT_MISS, 0, 0);

        bt->miss[way] = emit_off(&e);
        emit_leave(&e, n);
    }
    bt->fixed = (emit_off(&e) + 63) & ~63u;
}
