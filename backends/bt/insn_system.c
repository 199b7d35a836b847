/* Translation of instructions that see or change the system's state. */
#include "emit.h"

#include "../../guest/abi/abi.h"

/* ---- Interrupt flag
 * ---------------------------------------------------------- */

static void emit_cli(struct emit *e)
{
    emit_set64(e, CPU(vif), 0);
}

/* Interrupts are on; something may be pending. That they were on before isn't
 * remembered: each STI has its shadow, which at most holds an interrupt up for
 * an instruction. */
static void emit_sti(struct emit *e, const struct unit_insn *i)
{
    uint32_t n;

    emit_set64(e, CPU(vif), FL_IF);
    emit_mark(e, e->insn + 1, 0);
    emit_save(e, RCX, CPU_SPILL(SPILL_RCX));
    emit8(e, 0x8b), emit8(e, 0x0d); /* mov ecx, [attention] */
    emit_rip(e, CPU(attention), 0);
    emit_mark(e, e->insn + 1, FIX_RCX);
    emit8(e, 0xe3), emit8(e, 7 + 15); /* jrcxz behind the exit */
    emit_load(e, RCX, CPU_SPILL(SPILL_RCX));
    n = emit_exit_new(e, BT_EXIT_IRQ, i->pc, i->pc + i->x.len);
    emit_leave(e, n);
    emit_load(e, RCX, CPU_SPILL(SPILL_RCX));
    emit_mark(e, e->insn + 1, 0);
    if (e->insn + 1 < 64)
        e->f->sti |= 1ull << (e->insn + 1);
}

/* lea rsp, [flag_stack's n-th word from the end] */
static void emit_flag_stack(struct emit *e)
{
    emit_save(e, RSP, CPU_SPILL(SPILL_RSP));
    emit8(e, 0x48), emit8(e, 0x8d), emit8(e, 0x25);
    emit_rip(e, CPU(flag_stack) + sizeof(((struct bt_cpu *)0)->flag_stack), 0);
}

static void emit_pushf(struct emit *e)
{
    emit_save(e, RCX, CPU_SPILL(SPILL_RCX));
    emit_flag_stack(e);
    emit_mark(e, e->insn, FIX_RSP | FIX_RCX);
    emit8(e, 0x9c); /* pushfq: to be restored */
    emit8(e, 0x59); /* pop rcx */
    emit8(e, 0x51); /* push rcx */
    emit_mark(e, e->insn, FIX_RSP | FIX_RCX | FIX_FLSTK);
    emit8(e, 0x48), emit8(e, 0x81), emit8(e, 0xe1); /* and rcx, imm32 */
    emit32(e, BT_ARITH_FLAGS | 2);
    emit_cpu64(e, 0x0b, RCX, CPU(sys_flags)); /* or rcx, [...] */
    emit_cpu64(e, 0x0b, RCX, CPU(vif));
    emit8(e, 0x9d); /* popfq */
    emit_mark(e, e->insn, FIX_RSP | FIX_RCX);
    emit_load(e, RSP, CPU_SPILL(SPILL_RSP));
    emit_mark(e, e->insn, FIX_RCX);
    emit_stack(e, 0x89, RCX, -8);
    emit_load(e, RCX, CPU_SPILL(SPILL_RCX));
    e->rsp -= 8;
}

/* Anything but arithmetic flags, DF and IF goes the long way, as does turning
 * interrupts on while one is pending. The old flags are kept until POPF is
 * done: an interrupt before that shows them. */
static void emit_popf(struct emit *e, const struct unit_insn *i)
{
    uint8_t *odd, *quiet, *ready, *done;
    uint32_t n;

    emit_save(e, RCX, CPU_SPILL(SPILL_RCX));
    emit_stack(e, 0x8b, RCX, 0);
    emit_mark(e, e->insn, FIX_RCX);
    emit_flag_stack(e);
    emit_mark(e, e->insn, FIX_RCX | FIX_RSP);
    emit8(e, 0x9c); /* pushfq */
    emit_mark(e, e->insn, FIX_RCX | FIX_RSP | FIX_FLSTK);
    emit8(e, 0xf7), emit8(e, 0xc1); /* test ecx, imm32 */
    emit32(e, ~(uint32_t)(BT_ARITH_FLAGS | FL_IF | 2));
    emit8(e, 0x75), odd = e->p, emit8(e, 0);        /* jnz odd */
    emit8(e, 0x48), emit8(e, 0x83), emit8(e, 0x3d); /* cmp [sys_flags], 2 */
    emit_rip(e, CPU(sys_flags), 1), emit8(e, 2);
    emit8(e, 0x75), ready = e->p, emit8(e, 0);   /* jne odd */
    emit8(e, 0xf6), emit8(e, 0xc5), emit8(e, 2); /* test ch, IF */
    emit8(e, 0x74), quiet = e->p, emit8(e, 0);
    emit8(e, 0x83), emit8(e, 0x3d); /* cmp dword [attention], 0 */
    emit_rip(e, CPU(attention), 1), emit8(e, 0);
    emit8(e, 0x74), done = e->p, emit8(e, 0);
    emit_here(e, odd);
    emit_here(e, ready);
    emit8(e, 0x9d); /* popfq */
    emit_mark(e, e->insn, FIX_RCX | FIX_RSP);
    emit_load(e, RSP, CPU_SPILL(SPILL_RSP));
    emit_mark(e, e->insn, FIX_RCX);
    emit_load(e, RCX, CPU_SPILL(SPILL_RCX));
    emit_mark(e, e->insn, 0);
    n = emit_exit_new(e, BT_EXIT_STEP, i->pc, i->pc + i->x.len);
    e->bt->exits[n].len = i->x.len;
    emit_leave(e, n);
    emit_mark(e, e->insn, FIX_RCX | FIX_RSP | FIX_FLSTK);
    emit_here(e, quiet);
    emit_here(e, done);
    emit8(e, 0x51);                 /* push rcx */
    emit8(e, 0x81), emit8(e, 0xe1); /* and ecx, IF */
    emit32(e, FL_IF);
    emit_save(e, RCX, CPU(vif));
    emit_mark_rsp(e, e->insn + 1, FIX_RCX | FIX_RSP | FIX_POPF, 8);
    emit8(e, 0x9d); /* popfq: IF itself stays as it is at CPL 3 */
    emit_load(e, RSP, CPU_SPILL(SPILL_RSP));
    e->rsp += 8;
    emit_mark(e, e->insn + 1, FIX_RCX);
    emit_load(e, RCX, CPU_SPILL(SPILL_RCX));
}

/* ---- CR8
 * ---------------------------------------------------------------------- */

/* Raising the priority, or lowering it to where the APIC believes it to be, can
 * make no interrupt deliverable: the APIC hears of it later. */
static void emit_write_cr8(struct emit *e, const struct unit_insn *i)
{
    unsigned reg = i->x.opnd[1].reg;
    uint8_t *high, *low, *done;
    uint32_t n;

    emit_save(e, RAX, CPU_SPILL(SPILL_RAX));
    emit_save(e, RCX, CPU_SPILL(SPILL_RCX));
    if (reg != RCX)
        emit_mov(e, RCX, reg);
    emit_mark(e, e->insn, FIX_RAX | FIX_RCX);
    emit8(e, 0x0f), emit8(e, 0x90), emit8(e, 0xc0); /* seto al */
    emit8(e, 0x9f);                                 /* lahf */
    emit_mark(e, e->insn, FIX_RAX | FIX_RCX | FIX_FLAGS);
    emit8(e, 0x48), emit8(e, 0x83), emit8(e, 0xf9), emit8(e, 15);
    emit8(e, 0x77), high = e->p, emit8(e, 0); /* ja slow */
    emit_cpu64(e, 0x3b, RCX, CPU(tpr_sync));
    emit8(e, 0x72), low = e->p, emit8(e, 0); /* jb slow */
    emit_save(e, RCX, CPU(tpr));
    emit_mark(e, e->insn + 1, FIX_RAX | FIX_RCX | FIX_FLAGS);
    emit8(e, 0x04), emit8(e, 0x7f); /* add al, 0x7f */
    emit_mark(e, e->insn + 1, FIX_RAX | FIX_RCX | FIX_FLAGS7);
    emit8(e, 0x9e); /* sahf */
    emit_mark(e, e->insn + 1, FIX_RAX | FIX_RCX);
    emit_load(e, RCX, CPU_SPILL(SPILL_RCX));
    emit_load(e, RAX, CPU_SPILL(SPILL_RAX));
    emit_mark(e, e->insn + 1, 0);
    emit8(e, 0xeb), done = e->p, emit8(e, 0);
    emit_here(e, high);
    emit_here(e, low);
    emit_mark(e, e->insn, FIX_RAX | FIX_RCX | FIX_FLAGS);
    emit8(e, 0x04), emit8(e, 0x7f);
    emit_mark(e, e->insn, FIX_RAX | FIX_RCX | FIX_FLAGS7);
    emit8(e, 0x9e);
    emit_mark(e, e->insn, FIX_RAX | FIX_RCX);
    emit_load(e, RCX, CPU_SPILL(SPILL_RCX));
    emit_load(e, RAX, CPU_SPILL(SPILL_RAX));
    emit_mark(e, e->insn, 0);
    n = emit_exit_new(e, BT_EXIT_STEP, i->pc, i->pc + i->x.len);
    e->bt->exits[n].len = i->x.len;
    emit_leave(e, n);
    emit_here(e, done);
}

/* ---- SWAPGS
 * --------------------------------------------------------------------- */

/* The host's FS base follows, unless SYSRET does next: that sets it anyhow. */
static void emit_swapgs(struct emit *e, const struct unit_insn *i)
{
    bool sysret = !memcmp(i->bytes + i->x.len, "\x48\x0f\x07", 3);

    emit_save(e, RAX, CPU_SPILL(SPILL_RAX));
    emit_save(e, RCX, CPU_SPILL(SPILL_RCX));
    emit_mark(e, e->insn, FIX_RAX | FIX_RCX);
    emit_load(e, RAX, CPU(gs_base));
    emit_load(e, RCX, CPU(kernel_gs_base));
    emit_save(e, RAX, CPU(kernel_gs_base));
    emit_mark(e, e->insn, FIX_RAX | FIX_RCX | FIX_SWAP);
    emit_save(e, RCX, CPU(gs_base));
    emit_mark(e, e->insn + 1, FIX_RAX | FIX_RCX);
    if (!sysret) {
        emit_imm(e, RAX, SHADOW_DELTA);
        emit_add(e, RCX, RAX);
        emit8(e, 0xf3), emit8(e, 0x48), emit8(e, 0x0f), emit8(e, 0xae);
        emit8(e, 0xd1); /* wrfsbase rcx */
    }
    if (!e->insn)
        e->f->swaps = true;
    emit_load(e, RCX, CPU_SPILL(SPILL_RCX));
    emit_load(e, RAX, CPU_SPILL(SPILL_RAX));
    emit_mark(e, e->insn + 1, 0);
}

static bool is_post_read(const struct x86_insn *x)
{
    return x->op == ZYDIS_MNEMONIC_IN && x->nops >= 2 && x->opnd[0].size == 1 &&
           x->opnd[1].kind == OPND_IMM &&
           (x->opnd[1].imm & 0xff) == TM_PORT_POST;
}

/* The hot ones, on the virtual CPU's state. */
static bool system_inline(struct emit *e, const struct unit_insn *i)
{
    const struct x86_insn *x = &i->x;

    switch (x->op) {
    case ZYDIS_MNEMONIC_CLI:
        emit_cli(e);
        return true;
    case ZYDIS_MNEMONIC_STI:
        emit_sti(e, i);
        return true;
    case ZYDIS_MNEMONIC_PUSHFQ:
        emit_pushf(e);
        return true;
    case ZYDIS_MNEMONIC_POPFQ:
        emit_popf(e, i);
        return true;
    case ZYDIS_MNEMONIC_SWAPGS:
        emit_swapgs(e, i);
        return true;
    case ZYDIS_MNEMONIC_RDTSC: /* the guest's TSC is the host's */
        emit8(e, 0x0f), emit8(e, 0x31);
        return true;
    case ZYDIS_MNEMONIC_IN:
        if (!is_post_read(x))
            break;
        emit8(e, 0x8a), emit8(e, 0x05); /* mov al, [post] */
        emit_rip(e, CPU(post), 0);
        return true;
    case ZYDIS_MNEMONIC_MOV:
        if (x->opnd[0].kind == OPND_CR && x->opnd[0].reg == 8 &&
            x->opnd[1].reg != RSP) {
            emit_write_cr8(e, i);
            return true;
        }
        if (x->opnd[1].kind == OPND_CR && x->opnd[1].reg == 8) {
            emit_load(e, x->opnd[0].reg, CPU(tpr));
            return true;
        }
        break;
    }
    return false;
}

static bool system_kernel(struct emit *e, const struct unit_insn *i,
                          enum emitted *how)
{
    const struct x86_insn *x = &i->x;

    if (x->op == ZYDIS_MNEMONIC_SYSRET && x->zi.raw.rex.W) {
        emit_leave(e, emit_exit_new(e, BT_EXIT_SYSRET, i->pc, i->pc + x->len));
        *how = EMIT_END;
        return true;
    }
    return e->bt->opt.inlines && system_inline(e, i);
}

/* What a user program may not run as it is. */
static bool system_user(struct emit *e, const struct unit_insn *i,
                        enum emitted *how)
{
    const struct x86_insn *x = &i->x;

    switch (x->op) {
    case ZYDIS_MNEMONIC_SYSCALL:
        emit_leave(e, emit_exit_new(e, BT_EXIT_SYSCALL, i->pc, i->pc + x->len));
        *how = EMIT_END;
        return true;
    case ZYDIS_MNEMONIC_BSF:
    case ZYDIS_MNEMONIC_BSR:
        if (!x->rep && x->zi.raw.prefix_count <= (x->zi.raw.rex.W ? 2 : 1))
            return false;
        break;
    case ZYDIS_MNEMONIC_POPF:
    case ZYDIS_MNEMONIC_POPFQ:
    case ZYDIS_MNEMONIC_PUSHF:
    case ZYDIS_MNEMONIC_PUSHFQ:
    case ZYDIS_MNEMONIC_CPUID:
    case ZYDIS_MNEMONIC_RDTSCP:
    case ZYDIS_MNEMONIC_SGDT:
    case ZYDIS_MNEMONIC_SIDT:
    case ZYDIS_MNEMONIC_SLDT:
    case ZYDIS_MNEMONIC_SMSW:
    case ZYDIS_MNEMONIC_STR:
    case ZYDIS_MNEMONIC_LAR:
    case ZYDIS_MNEMONIC_LSL:
    case ZYDIS_MNEMONIC_VERR:
    case ZYDIS_MNEMONIC_VERW:
    case ZYDIS_MNEMONIC_INT:
    case ZYDIS_MNEMONIC_INT1:
    case ZYDIS_MNEMONIC_INT3:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_IRETQ:
    case ZYDIS_MNEMONIC_XGETBV:
    case ZYDIS_MNEMONIC_RDFSBASE:
    case ZYDIS_MNEMONIC_RDGSBASE:
    case ZYDIS_MNEMONIC_WRFSBASE:
    case ZYDIS_MNEMONIC_WRGSBASE:
    case ZYDIS_MNEMONIC_SYSENTER:
        break;
    default:
        for (unsigned k = 0; k < x->nops; k++)
            if (x->opnd[k].kind == OPND_SREG || x->opnd[k].kind == OPND_CR ||
                x->opnd[k].kind == OPND_DR)
                goto step;
        return false;
    }
step:
    *how = emit_step(e, i);
    return true;
}

bool emit_system(struct emit *e, const struct unit_insn *i, enum emitted *how)
{
    *how = EMIT_NEXT;
    return e->mode == BT_USER ? system_user(e, i, how)
                              : system_kernel(e, i, how);
}
