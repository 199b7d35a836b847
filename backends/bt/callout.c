/* What cache code calls, with the guest's FPU state in the host's registers. */
#include "bt.h"

#include "../x86/bytes.h"

struct walk_regs bt_walk_regs(const struct bt *bt)
{
    return (struct walk_regs){bt->s.cr0, bt->s.cr3, bt->s.cr4, bt->s.efer};
}

/* ---- Stores that keep being emulated
 * ------------------------------------------ */

static uint8_t *data_page(struct bt *bt, gva_t va, gpa_t *gpa)
{
    struct bt_dtlb *t = &bt->dtlb[(va >> 12) % BT_DTLB_SIZE];
    struct walk_regs regs;
    struct walk_result r;

    if (t->page != (va & ~0xfffull)) {
        regs = bt_walk_regs(bt);
        if (!gva_canonical(va) ||
            x86_walk(bt->vm.ram, &regs, va,
                     WALK_WRITE | (bt->cpl == 3 ? WALK_USER : 0), &r))
            return NULL;
        t->host = ram_ptr(bt->vm.ram, r.gpa & ~0xfffull, 4096);
        t->page = t->host ? va & ~0xfffull : ~0ull;
    }
    *gpa = (gpa_t)(t->host - bt->vm.ram->host);
    return t->host;
}

static gva_t operand_address(const struct bt_cpu *cpu, const struct x86_mem *m)
{
    uint64_t a = (uint64_t)m->disp;

    if (m->base != X86_NOREG)
        a += cpu->gpr[m->base];
    if (m->index != X86_NOREG)
        a += cpu->gpr[m->index] << m->scale;
    return a;
}

/* A store that changes nothing, or hits plain RAM after all. False: there is
 * somebody to tell. */
static bool do_store(struct bt *bt, struct bt_exit *e)
{
    const struct bt_store *s = &bt->stores[e->store];
    gva_t va = operand_address(bt->cpu, &s->mem);
    uint64_t v, mask = s->size < 8 ? (1ull << 8 * s->size) - 1 : ~0ull;
    uint8_t *page;
    bool traced;
    gpa_t gpa;

    if ((va & 4095) > 4096u - s->size)
        return false;
    page = data_page(bt, va, &gpa);
    if (!page)
        return false;
    v = s->reg == X86_NOREG ? (uint64_t)s->imm
                            : bt->cpu->gpr[s->reg] >> (s->high ? 8 : 0);
    traced = shadow_is_traced(bt->shadow, gpa);
    if (bytes_load(page + (va & 4095), s->size) != (v & mask)) {
        if (traced || shadow_is_code(bt->shadow, gpa))
            return false;
        bytes_store(page + (va & 4095), s->size, v);
    }
    if (traced) {
        bt->vm.events.count[EV_FAULT_TRACE]++;
        bt_adapt_trapped(bt, e);
    } else {
        bt_adapt_quiet(bt, e);
    }
    return true;
}

/* ---- Ways through
 * -------------------------------------------------------------- */

bool bt_user_whole(struct bt *bt, const struct bt_frag *f)
{
    struct walk_regs regs = bt_walk_regs(bt);
    struct walk_result r;

    if (f->page2 == BT_NO_PAGE)
        return true;
    return !x86_walk(bt->vm.ram, &regs, (f->pc | 0xfff) + 1,
                     WALK_EXEC | WALK_USER, &r) &&
           r.gpa == f->page2;
}

/* The fragment at pc if the table of jumps has it, or NULL. The table is only
 * as old as the mappings. */
static struct bt_frag *in_table(struct bt *bt, gva_t pc)
{
    const struct bt_table *t = &bt->tables[bt_mode(bt)][BT_BY_JUMP];
    struct bt_frag *f = &bt->frags[t->frags[pc & 0xffff]];

    return f->pc == pc && f->n && !f->dead ? f : NULL;
}

static struct bt_frag *known(struct bt *bt, gva_t pc)
{
    enum bt_mode mode = bt_mode(bt);
    struct walk_regs regs;
    struct walk_result r;
    struct bt_frag *f = in_table(bt, pc);

    if (f)
        return f;
    if (mode == BT_KERNEL)
        return bt_find(bt, pc, mode, 0);
    regs = bt_walk_regs(bt);
    if (!gva_canonical(pc) ||
        x86_walk(bt->vm.ram, &regs, pc, WALK_EXEC | WALK_USER, &r))
        return NULL;
    f = bt_find(bt, pc, mode, r.gpa & ~0xfffull);
    return f && bt_user_whole(bt, f) ? f : NULL;
}

static uint64_t jump(struct bt *bt, struct bt_exit *e)
{
    struct bt_frag *f;

    bt->cpu->rip = e->target;
    f = known(bt, e->target);
    if (!f)
        return 0;
    if (!bt->opt.chain || !e->patch)
        return bt_host(f->body);
    /* User code is chained within a page, whose mapping is the same for both
     * ends. Where it leaves it, the table knows which are still right. */
    if (e->mode == BT_KERNEL ||
        (!((e->pc ^ e->target) & ~0xfffull) && f->page2 == BT_NO_PAGE)) {
        bt_chain(bt, e, f->body);
    } else if (bt_cache_room(bt)) {
        bt_table_set(bt, f, BT_BY_JUMP);
        bt_chain(bt, e, bt_table_way(bt, e));
    }
    return bt_host(f->body);
}

static uint64_t miss(struct bt *bt, enum bt_way way)
{
    struct bt_cpu *cpu = bt->cpu;
    struct bt_frag *f;

    cpu->rip = cpu->target;
    bt_unspill(cpu, bt_spilled[way]);
    bt->vm.events.count[EV_BT_LOOKUP_MISS]++;
    f = known(bt, cpu->rip);
    if (!f || !bt_cache_room(bt))
        return 0;
    bt_table_set(bt, f, way);
    return bt_host(f->body);
}

/* A RET, for the first time. */
static uint64_t first_return(struct bt *bt, const struct bt_exit *e)
{
    struct bt_cpu *cpu = bt->cpu;
    struct bt_frag *f;

    cpu->rip = cpu->gpr[RCX];
    bt_unspill(cpu, bt_spilled[BT_BY_RETURN]);
    f = known(bt, cpu->rip);
    if (!f || !bt_cache_room(bt))
        return 0;
    if (!bt->frags[e->frag].dead)
        bt_learn_return(bt, e, f);
    return bt_host(f->body);
}

static uint64_t store(struct bt *bt, struct bt_exit *e)
{
    struct bt_frag *f;

    bt->cpu->rip = e->pc;
    if (!do_store(bt, e))
        return 0;
    bt->cpu->rip = e->target;
    if (bt->flush)
        return 0;
    if (!bt->frags[e->frag].dead)
        return e->next;
    f = known(bt, e->target);
    return f ? bt_host(f->body) : 0;
}

/* ---- System calls
 * ---------------------------------------------------------------- */

static void set_flags(struct bt_cpu *cpu, uint64_t flags)
{
    cpu->rflags = (flags & BT_ARITH_FLAGS) | 2;
    cpu->sys_flags = (flags & ~(BT_ARITH_FLAGS | FL_IF)) | 2;
    cpu->vif = flags & FL_IF;
}

static void set_flat(struct bt *bt, unsigned cs, unsigned ss, unsigned dpl)
{
    struct x86_seg *seg = bt->s.seg;

    seg[CS] = (struct x86_seg){
        .sel = (uint16_t)cs, .limit = ~0u, .attr = 0xa09b | dpl << 5};
    seg[SS] = (struct x86_seg){
        .sel = (uint16_t)ss, .limit = ~0u, .attr = 0xc093 | dpl << 5};
    bt->cpl = dpl;
    bt->vm.events.count[EV_EXIT_SYSCALL]++;
    bt->vm.retired++;
}

bool bt_enter_kernel(struct bt *bt, uint64_t next)
{
    struct bt_cpu *cpu = bt->cpu;
    unsigned cs = bt->s.star >> 32 & 0xfffc;
    uint64_t flags;

    if (!(bt->s.efer & EFER_SCE))
        return false;
    flags = (cpu->rflags & BT_ARITH_FLAGS) | cpu->sys_flags | cpu->vif;
    cpu->gpr[RCX] = next;
    cpu->gpr[R11] = flags;
    set_flags(cpu, flags & ~bt->s.sfmask & ~FL_RF);
    cpu->rip = bt->s.lstar;
    set_flat(bt, cs, cs + 8, 0);
    bt->vm.events.count[EV_GUEST_SYSCALL]++;
    return true;
}

/* False: the interpreter says what is wrong. */
static bool leave_kernel(struct bt *bt)
{
    const uint64_t all =
        BT_ARITH_FLAGS | FL_IF | FL_TF | FL_IOPL | FL_NT | FL_AC | FL_ID;
    struct bt_cpu *cpu = bt->cpu;
    unsigned base = bt->s.star >> 48;

    if (!(bt->s.efer & EFER_SCE) || cpu->gpr[RCX] >> 47)
        return false;
    set_flags(cpu, cpu->gpr[R11] & all);
    cpu->rip = cpu->gpr[RCX];
    set_flat(bt, (base + 16) | 3, (base + 8) | 3, 3);
    return true;
}

void bt_native(const struct bt *bt, uint64_t *rflags, uint64_t *fs,
               uint64_t *gs)
{
    const struct bt_cpu *cpu = bt->cpu;

    *rflags = (cpu->rflags & BT_ARITH_FLAGS) | FL_IF | 2;
    *gs = SHADOW_DELTA;
    if (bt->cpl == 3) {
        *rflags |= cpu->sys_flags & BT_USER_FLAGS;
        *fs = cpu->fs_base;
        if (!bt->opt.user_translate)
            *gs = cpu->gs_base;
    } else {
        *fs = cpu->gs_base + SHADOW_DELTA;
    }
}

static void write_fs_base(uint64_t fs)
{
    __asm__ volatile("wrfsbase %0" ::"r"(fs));
}

/* The mode has changed: straight on in the cache, if nothing is in the way. */
static uint64_t go_on(struct bt *bt)
{
    struct bt_cpu *cpu = bt->cpu;
    struct bt_frag *f;
    uint64_t fs, gs;

    if ((bt->cpl == 3 && !bt->opt.user_translate) || bt->s.cr0 & CR0_TS ||
        cpu->sys_flags & FL_TF || (cpu->vif && cpu->attention) || bt->flush)
        return 0;
    bt_native(bt, &cpu->rflags, &fs, &gs); /* GS base is that of both modes */
    /* It waits for what comes before it: let that be little. */
    if (bt->cpl == 3)
        write_fs_base(fs);
    f = in_table(bt, cpu->rip);
    if (!f) {
        f = known(bt, cpu->rip);
        if (!f || !bt_cache_room(bt))
            return 0;
        bt_table_set(bt, f, BT_BY_JUMP);
    }
    if (bt->cpl != 3 && !f->swaps)
        write_fs_base(fs);
    return bt_host(f->body);
}

static void note_user_flags(struct bt_cpu *cpu)
{
    cpu->sys_flags =
        (cpu->sys_flags & ~BT_USER_FLAGS) | (cpu->rflags & BT_USER_FLAGS);
}

uint64_t bt_change_mode(struct bt_cpu *cpu)
{
    struct bt *bt = cpu->bt;
    const struct bt_exit *e = &bt->exits[cpu->exit];

    cpu->rip = e->pc;
    if (bt->cpl == 3) {
        note_user_flags(cpu);
        return bt_enter_kernel(bt, e->target) ? go_on(bt) : 0;
    }
    return leave_kernel(bt) ? go_on(bt) : 0;
}

uint64_t bt_callout(struct bt_cpu *cpu)
{
    struct bt *bt = cpu->bt;
    struct bt_exit *e = &bt->exits[cpu->exit];

    if (bt->cpl == 3)
        note_user_flags(cpu);
    switch (e->kind) {
    case BT_EXIT_JUMP:
        return jump(bt, e);
    case BT_EXIT_RETURN:
        return first_return(bt, e);
    case BT_EXIT_MISS:
        return miss(bt, cpu->exit);
    case BT_EXIT_STORE:
        return store(bt, e);
    case BT_EXIT_IRQ:
        cpu->rip = e->target;
        return 0;
    default:
        cpu->rip = e->pc;
        return 0;
    }
}
