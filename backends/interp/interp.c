/* The backend "interp": an interpreter of the whole machine language. */
#include "block.h"
#include "event.h"
#include "paging.h"
#include "run.h"
#include "step.h"
#include "system.h"
#include "thunk.h"

#include "../x86/decode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA_SIZE (32u << 20)

static int probe(char why[REASON_MAX])
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt"))
        return 0;
    snprintf(why, REASON_MAX,
             "the host CPU lacks SSE4.2, which guest code is run with");
    return -ENOTSUP;
}

static const char *paging(void)
{
    return paging_names[0];
}

static void *reserve(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void release(void *p, size_t size)
{
    if (p)
        munmap(p, size);
}

static void tlb_init(struct tlb *t)
{
    for (unsigned k = 0; k < TLB_SIZE; k++)
        t->e[k].r = t->e[k].w = t->e[k].x = TLB_NONE;
}

static void destroy(struct vm *vm)
{
    struct icpu *c = (struct icpu *)vm;
    size_t pages = vm->ram->size >> 12;

    paging_destroy(c);
    release(c->arena, ARENA_SIZE);
    release(c->hash, HASH_SIZE * sizeof(*c->hash));
    release(c->jc, JC_SIZE * sizeof(*c->jc));
    release(c->page_blocks, pages * sizeof(*c->page_blocks));
    release(c->code_map, pages * sizeof(*c->code_map));
}

/* The first thunk sets up the code arena, which takes system calls that the
 * runner's sandbox may not allow later. */
static int prime_thunks(char why[REASON_MAX])
{
    static const uint8_t xorps[] = {0x0f, 0x57, 0xc0};
    const struct thunk *th;
    struct x86_insn x;
    int err = x86_decode(xorps, sizeof(xorps), 0, &x);

    if (!err)
        err = thunk_get(&x.zi, x.zops, xorps, &th);
    if (err)
        snprintf(why, REASON_MAX, "no memory for generated code: %s",
                 strerror(-err));
    return err;
}

static int create(struct vm *vm, char why[REASON_MAX])
{
    struct icpu *c = (struct icpu *)vm;
    size_t pages = vm->ram->size >> 12;
    int err = prime_thunks(why);

    cpuid_prime();
    if (err)
        return err;
    err = paging_create(c, why);
    if (err)
        return err;
    c->arena_size = ARENA_SIZE;
    c->arena = reserve(ARENA_SIZE);
    c->hash = reserve(HASH_SIZE * sizeof(*c->hash));
    c->jc = reserve(JC_SIZE * sizeof(*c->jc));
    c->page_blocks = reserve(pages * sizeof(*c->page_blocks));
    c->code_map = reserve(pages * sizeof(*c->code_map));
    if (!c->arena || !c->hash || !c->jc || !c->page_blocks || !c->code_map) {
        snprintf(why, REASON_MAX, "no memory for the code cache");
        destroy(vm);
        return -ENOMEM;
    }
    for (unsigned k = 0; k < 3; k++)
        tlb_init(&c->tlbs[k]);
    block_flush_all(c);
    c->cr0 = CR0_PE | CR0_ET;
    c->pat = 0x0007040600070406;
    c->dr[6] = 0xffff0ff0;
    c->dr[7] = 0x400;
    mem_update_mode(c);
    return 0;
}

/* ---- State ------------------------------------------------------------ */

static int get_state(struct vm *vm, struct x86_state *s)
{
    struct icpu *c = (struct icpu *)vm;

    memset(s, 0, sizeof(*s));
    memcpy(s->gpr, c->gpr, sizeof(s->gpr));
    s->rip = c->rip;
    s->rflags = get_rflags(c);
    memcpy(s->seg, c->seg, sizeof(s->seg));
    s->seg[FS].base = c->seg_base[FS];
    s->seg[GS].base = c->seg_base[GS];
    s->ldtr = c->ldtr;
    s->tr = c->tr;
    s->gdtr = c->gdtr;
    s->idtr = c->idtr;
    s->cr0 = c->cr0;
    s->cr2 = c->cr2;
    s->cr3 = c->cr3;
    s->cr4 = c->cr4;
    if (vm->bus && vm->bus->get_tpr)
        s->cr8 = vm->bus->get_tpr(vm->bus->opaque);
    memcpy(s->dr, c->dr, sizeof(s->dr));
    s->efer = c->efer;
    s->star = c->star;
    s->lstar = c->lstar;
    s->cstar = c->cstar;
    s->sfmask = c->sfmask;
    s->kernel_gs_base = c->kernel_gs_base;
    s->sysenter_cs = c->sysenter_cs;
    s->sysenter_esp = c->sysenter_esp;
    s->sysenter_eip = c->sysenter_eip;
    s->pat = c->pat;
    s->tsc_aux = c->tsc_aux;
    s->apic_base = c->apic_base;
    s->tsc_deadline = c->tsc_deadline;
    s->fx = c->fx;
    x87_last_store(&c->x87, X87_FX64, (uint8_t *)&s->fx);
    s->halted = c->halted;
    s->int_shadow = c->shadow;
    return 0;
}

static int set_state(struct vm *vm, const struct x86_state *s)
{
    struct icpu *c = (struct icpu *)vm;

    if (!(s->efer & EFER_LMA) || !(s->seg[CS].attr & SEG_L))
        return -ENOTSUP; /* only 64-bit code */
    memcpy(c->gpr, s->gpr, sizeof(s->gpr));
    c->rip = s->rip;
    memcpy(c->seg, s->seg, sizeof(c->seg));
    c->seg_base[FS] = s->seg[FS].base;
    c->seg_base[GS] = s->seg[GS].base;
    c->ldtr = s->ldtr;
    c->tr = s->tr;
    c->gdtr = s->gdtr;
    c->idtr = s->idtr;
    c->cr0 = s->cr0;
    c->cr2 = s->cr2;
    c->cr3 = s->cr3;
    c->cr4 = s->cr4;
    memcpy(c->dr, s->dr, sizeof(c->dr));
    c->efer = s->efer;
    c->star = s->star;
    c->lstar = s->lstar;
    c->cstar = s->cstar;
    c->sfmask = s->sfmask;
    c->kernel_gs_base = s->kernel_gs_base;
    c->sysenter_cs = s->sysenter_cs;
    c->sysenter_esp = s->sysenter_esp;
    c->sysenter_eip = s->sysenter_eip;
    c->pat = s->pat;
    c->tsc_aux = s->tsc_aux;
    c->apic_base = s->apic_base;
    c->tsc_deadline = s->tsc_deadline;
    c->fx = s->fx;
    x87_last_load(&c->x87, X87_FX64, (const uint8_t *)&s->fx);
    c->halted = s->halted;
    c->shadow = s->int_shadow;
    c->shadow_ss = false;
    c->pending.valid = false;
    if (vm->bus && vm->bus->set_tpr)
        vm->bus->set_tpr(vm->bus->opaque, s->cr8);
    c->budget = c->budget_start = 0;
    c->retired_base = vm->retired;
    set_cpl(c, SEG_DPL(s->seg[SS].attr) | (s->seg[CS].sel & 3));
    set_rflags(c, s->rflags);
    tlb_flush(c, true);
    paging_flush(c, PAGING_RESET);
    return 0;
}

/* ---- Running ---------------------------------------------------------- */

static void fill_failure(struct icpu *c, struct vm_exit *exit)
{
    bool fault;
    const uint8_t *p = mem_fetch(c, exit->rip, &fault);
    unsigned room = PAGE_SIZE - (exit->rip & (PAGE_SIZE - 1));

    snprintf(exit->why, sizeof(exit->why), "interp doesn't do %s", c->failed);
    c->pending.valid = false;
    if (!p)
        return;
    exit->insn_len = (uint8_t)(c->failed_len < room ? c->failed_len : room);
    memcpy(exit->insn, p, exit->insn_len);
}

static int run(struct vm *vm, struct vm_exit *exit)
{
    struct icpu *c = (struct icpu *)vm;
    int err;

    memset(exit, 0, sizeof(*exit));
    err = run_loop(c, exit);
    if (exit->kind == EXIT_EMULATION)
        fill_failure(c, exit);
    else if (exit->kind == EXIT_SHUTDOWN)
        snprintf(exit->why, sizeof(exit->why), "triple fault");
    return err;
}

static int step(struct vm *vm, uint64_t n, struct vm_exit *exit)
{
    uint64_t limit = vm->limit, deadline = vm->deadline;
    int err;

    vm->limit = vm->retired + n;
    vm->deadline = UINT64_MAX;
    err = run(vm, exit);
    vm->limit = limit;
    vm->deadline = deadline;
    return err;
}

static void kick(struct vm *vm)
{
    __atomic_fetch_or(&vm->attention, ATTN_KICK, __ATOMIC_RELEASE);
}

static void sync_events(struct vm *vm)
{
    run_account((struct icpu *)vm);
}

static void ram_written(struct vm *vm, gpa_t gpa, uint64_t len)
{
    struct icpu *c = (struct icpu *)vm;

    while (len) {
        uint64_t n = PAGE_SIZE - (gpa & (PAGE_SIZE - 1));

        if (n > len)
            n = len;
        smc_written(c, gpa, (unsigned)n);
        paging_written(c, gpa, n, true);
        gpa += n;
        len -= n;
    }
}

extern const struct backend backend_interp;
const struct backend backend_interp = {
    .name = "interp",
    .summary = "interpreter: the oracle, exact and deterministic",
    .class = BACKEND_VCPU,
    .caps = CAP_DETERMINISTIC | CAP_STEP | CAP_SANDBOX,
    .probe = probe,
    .paging = paging,
    .policies = paging_names,
    .vm_size = sizeof(struct icpu),
    .create = create,
    .destroy = destroy,
    .get_state = get_state,
    .set_state = set_state,
    .run = run,
    .kick = kick,
    .step = step,
    .sync_events = sync_events,
    .ram_written = ram_written,
};
