/* The slow path of guest memory: TLB fills, faults, device memory, code pages. */
#include "block.h"
#include "event.h"
#include "fx.h"
#include "mem.h"
#include "paging.h"

/* One page's part of an access. */
struct span {
    gpa_t gpa;
    uint8_t *host; /* NULL: not RAM */
    unsigned len;
    bool once; /* PAGING_ONCE */
};

void log_write(struct icpu *c, gpa_t gpa, unsigned len)
{
    struct interp_write *last;

    if (c->logged == INTERP_WRITES)
        return;
    last = c->log + c->logged;
    if (c->logged && last[-1].gpa + last[-1].len == gpa) {
        last[-1].len += len;
        return;
    }
    last->gpa = gpa;
    last->len = len;
    c->logged++;
}

static void tlb_reset(struct tlb *t, unsigned idx)
{
    t->e[idx].r = t->e[idx].w = t->e[idx].x = TLB_NONE;
    t->meta[idx] &= TLB_LISTED;
}

void tlb_flush(struct icpu *c, bool globals)
{
    c->vm.events.count[EV_TLB_FLUSH]++;
    c->flushed = globals ? INTERP_FLUSH_ALL : INTERP_FLUSH_CR3;
    for (unsigned k = 0; k < 2; k++) {
        struct tlb *t = &c->tlbs[k];
        unsigned kept = 0;

        for (unsigned n = 0; n < t->nused; n++) {
            unsigned idx = t->used[n];

            if (!globals && t->meta[idx] & TLB_GLOBAL) {
                t->used[kept++] = (uint16_t)idx;
                continue;
            }
            tlb_reset(t, idx);
            t->meta[idx] = 0;
        }
        t->nused = kept;
    }
}

static uint64_t any_tag(const struct tlb_entry *e)
{
    if (e->r != TLB_NONE)
        return e->r;
    return e->x != TLB_NONE ? e->x : e->w;
}

void tlb_flush_page(struct icpu *c, gva_t va)
{
    c->flushed = INTERP_FLUSH_PAGE;
    c->flushed_page = va;
    for (unsigned k = 0; k < 2; k++) {
        struct tlb *t = &c->tlbs[k];

        for (unsigned n = 0; n < t->nused; n++) {
            unsigned idx = t->used[n];

            /* The size of a large page isn't kept: assume 1 GiB. */
            if (idx == tlb_index(va) || (t->meta[idx] & TLB_LARGE &&
                                         any_tag(&t->e[idx]) >> 30 == va >> 30))
                tlb_reset(t, idx);
        }
    }
}

void tlb_drop(struct icpu *c, gva_t va, uint64_t size)
{
    for (unsigned k = 0; k < 2; k++) {
        struct tlb *t = &c->tlbs[k];

        if (size == PAGE_SIZE) {
            if (any_tag(&t->e[tlb_index(va)]) == va)
                tlb_reset(t, tlb_index(va));
            continue;
        }
        for (unsigned n = 0; n < t->nused; n++)
            if (any_tag(&t->e[t->used[n]]) - va < size)
                tlb_reset(t, t->used[n]);
    }
}

void tlb_protect(struct icpu *c, gva_t va)
{
    for (unsigned k = 0; k < 2; k++) {
        struct tlb_entry *e = &c->tlbs[k].e[tlb_index(va)];

        if (e->w == va)
            e->w = TLB_NONE;
    }
}

void tlb_drop_writes(struct icpu *c, const uint8_t *host_page)
{
    for (unsigned k = 0; k < 2; k++) {
        struct tlb *t = &c->tlbs[k];

        for (unsigned n = 0; n < t->nused; n++) {
            struct tlb_entry *e = &t->e[t->used[n]];

            if (e->w != TLB_NONE &&
                e->w + e->add == (uint64_t)(uintptr_t)host_page)
                e->w = TLB_NONE;
        }
    }
}

void mem_update_mode(struct icpu *c)
{
    c->ac_check = c->cpl == 3 && c->cr0 & CR0_AM && c->rflags & FL_AC;
    c->no_fpu = c->cr0 & (CR0_EM | CR0_TS) || !(c->cr4 & CR4_OSFXSR);
    c->fx_ready = false; /* until a thunk has looked */
    c->tlb = c->tlbs[c->ac_check ? 2 : c->cpl == 3].e;
}

static void tlb_fill(struct icpu *c, gva_t va, unsigned access,
                     const struct walk_result *w, const uint8_t *host)
{
    struct tlb *t = &c->tlbs[access & WALK_USER ? 1 : 0];
    unsigned idx = tlb_index(va);
    struct tlb_entry *e = &t->e[idx];
    uint64_t page = va & PAGE_MASK;
    uint64_t add = (uint64_t)(uintptr_t)host - va;

    if (add != e->add || (e->r != page && e->w != page && e->x != page))
        tlb_reset(t, idx);
    if (!(t->meta[idx] & TLB_LISTED)) {
        t->meta[idx] = TLB_LISTED;
        t->used[t->nused++] = (uint16_t)idx;
    }
    e->add = add;
    t->meta[idx] &= (uint8_t) ~(TLB_GLOBAL | TLB_LARGE);
    t->meta[idx] |=
        (w->global ? TLB_GLOBAL : 0) | (w->shift > 12 ? TLB_LARGE : 0);
    if (access & WALK_EXEC) {
        e->x = page;
        return;
    }
    /* Under SMAP such a page's rights hang on RFLAGS.AC: walk each time. */
    if (w->user && !(access & WALK_USER) && c->cr4 & CR4_SMAP)
        return;
    e->r = page;
    if (w->write && w->dirty && !c->code_map[w->gpa >> 12] && !c->log)
        e->w = page;
}

/* Policy "none": the guest's own walk. */
static int walk_guest(const struct icpu *c, const struct walk_regs *regs,
                      gva_t va, unsigned access, struct walk_result *w,
                      uint8_t **host)
{
    int err = x86_walk(c->vm.ram, regs, va, access, w);

    if (!err)
        *host = ram_ptr(c->vm.ram, w->gpa, 1);
    return err;
}

/* 0, PAGING_ONCE, or -EFAULT with w->error. */
static int translate(struct icpu *c, gva_t va, unsigned access,
                     struct walk_result *w, uint8_t **host)
{
    struct walk_regs regs = {c->cr0, c->cr3, c->cr4, c->efer};
    int err;

    c->vm.events.count[EV_TLB_MISS]++;
    err = c->paging ? c->paging->policy->walk(c, &regs, va, access, w, host)
                    : walk_guest(c, &regs, va, access, w, host);
    c->vm.events.count[EV_WALK_REFS] += w->refs;
    if (!err && *host)
        tlb_fill(c, va, access, w, *host);
    return err;
}

/* ---- Device memory ---------------------------------------------------- */

static unsigned chunk(gpa_t gpa, unsigned len)
{
    unsigned n = 8;

    while (n > len || gpa & (n - 1))
        n >>= 1;
    return n;
}

static void bus_read(struct icpu *c, gpa_t gpa, uint8_t *buf, unsigned len)
{
    const struct vm_bus *bus = c->vm.bus;

    fx_leave(c);
    while (len) {
        unsigned n = chunk(gpa, len);
        uint64_t v = bus->mmio_read(bus->opaque, gpa, n);

        for (unsigned k = 0; k < n; k++)
            buf[k] = (uint8_t)(v >> 8 * k);
        gpa += n;
        buf += n;
        len -= n;
    }
    cut_budget(c);
}

static void bus_write(struct icpu *c, gpa_t gpa, const uint8_t *buf,
                      unsigned len)
{
    const struct vm_bus *bus = c->vm.bus;

    fx_leave(c);
    while (len) {
        unsigned n = chunk(gpa, len);
        uint64_t v = 0;

        for (unsigned k = 0; k < n; k++)
            v |= (uint64_t)buf[k] << 8 * k;
        bus->mmio_write(bus->opaque, gpa, n, v);
        gpa += n;
        buf += n;
        len -= n;
    }
    cut_budget(c);
}

/* ---- Accesses --------------------------------------------------------- */

static void copy(uint8_t *to, const uint8_t *from, unsigned len)
{
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len)::"memory");
}

static bool page_fault(struct icpu *c, const struct insn *i, gva_t va,
                       uint32_t error)
{
    /* The fault voids what is cached for its address (SDM vol. 3A, 4.10.4.1). */
    tlb_drop(c, va & PAGE_MASK, PAGE_SIZE);
    if (c->paging)
        c->paging->policy->fault(c, va);
    c->cr2 = va;
    raise_error(c, i, VEC_PF, error);
    return false;
}

static bool get_span(struct icpu *c, const struct insn *i, gva_t va,
                     unsigned len, unsigned how, struct span *s)
{
    unsigned access = 0;
    struct walk_result w;
    int err;

    if (how & MEM_WRITE)
        access |= WALK_WRITE;
    if (c->cpl == 3 && !(how & MEM_SYS))
        access |= WALK_USER;
    if (c->rflags & FL_AC && !(how & MEM_SYS))
        access |= WALK_AC;
    err = translate(c, va, access, &w, &s->host);
    if (err < 0)
        return page_fault(c, i, va, w.error);
    s->once = err == PAGING_ONCE;
    s->gpa = w.gpa;
    s->len = len;
    return true;
}

void *mem_slow(struct icpu *c, const struct insn *i, gva_t va, unsigned size,
               unsigned seg, unsigned how)
{
    unsigned room = PAGE_SIZE - (va & (PAGE_SIZE - 1)), n = 1, done = 0;
    struct span s[2];

    c->wb_len[0] = c->wb_len[1] = 0;
    if (!gva_canonical(va) || !gva_canonical(va + size - 1)) {
        raise_error(c, i, (seg & EA_SEG) == SS ? VEC_SS : VEC_GP, 0);
        return NULL;
    }
    if (unlikely(c->ac_check) && va & (size - 1) &&
        !(how & (MEM_SYS | MEM_NOAC))) {
        raise_error(c, i, VEC_AC, 0);
        return NULL;
    }
    if (!get_span(c, i, va, size < room ? size : room, how, &s[0]))
        return NULL;
    if (size > room) {
        if (!get_span(c, i, va + room, size - room, how, &s[1]))
            return NULL;
        n = 2;
    }
    if (how & MEM_PROBE)
        return c->bounce;
    if (unlikely(s[0].once) && how & MEM_REP && s[0].host)
        c->paging->policy->filling(c, s[0].gpa);
    if (n == 1 && s[0].host && !(s[0].once && how & MEM_WRITE)) {
        if (how & MEM_WRITE)
            smc_written(c, s[0].gpa, size);
        return s[0].host;
    }

    for (unsigned k = 0; k < n; k++) {
        if (!(how & MEM_WRITE) || how & MEM_RMW) {
            if (s[k].host) {
                copy(c->bounce + done, s[k].host, s[k].len);
            } else {
                sync_retired(c, i);
                bus_read(c, s[k].gpa, c->bounce + done, s[k].len);
            }
        }
        if (how & MEM_WRITE) {
            sync_retired(c, i);
            c->wb_gpa[k] = s[k].gpa;
            c->wb_len[k] = s[k].len;
        }
        done += s[k].len;
    }
    return c->bounce;
}

void mem_commit(struct icpu *c)
{
    unsigned done = 0;

    for (unsigned k = 0; k < 2 && c->wb_len[k]; k++) {
        unsigned len = c->wb_len[k];
        uint8_t *host = ram_ptr(c->vm.ram, c->wb_gpa[k], len);

        c->wb_len[k] = 0;
        if (host) {
            smc_written(c, c->wb_gpa[k], len);
            copy(host, c->bounce + done, len);
            paging_written(c, c->wb_gpa[k], len, false);
        } else {
            bus_write(c, c->wb_gpa[k], c->bounce + done, len);
        }
        done += len;
    }
}

bool mem_read_sys(struct icpu *c, gva_t va, void *buf, unsigned size)
{
    const uint8_t *p = mem_slow(c, NULL, va, size, DS, MEM_SYS);

    if (!p)
        return false;
    copy(buf, p, size);
    return true;
}

bool mem_write_sys(struct icpu *c, gva_t va, const void *buf, unsigned size)
{
    uint8_t *p = mem_slow(c, NULL, va, size, DS, MEM_SYS | MEM_WRITE);

    if (!p)
        return false;
    copy(p, buf, size);
    mem_commit(c);
    return true;
}

const uint8_t *mem_fetch(struct icpu *c, gva_t va, bool *fault)
{
    const struct tlb_entry *e = &c->tlbs[c->cpl == 3].e[tlb_index(va)];
    unsigned access = WALK_EXEC | (c->cpl == 3 ? WALK_USER : 0);
    struct walk_result w;
    uint8_t *host;

    *fault = false;
    if (likely(e->x == (va & PAGE_MASK)))
        return (const uint8_t *)(uintptr_t)(va + e->add);
    if (!gva_canonical(va)) {
        raise_error(c, NULL, VEC_GP, 0);
        *fault = true;
        return NULL;
    }
    if (translate(c, va, access, &w, &host) < 0) {
        page_fault(c, NULL, va, w.error);
        *fault = true;
        return NULL;
    }
    return host;
}
