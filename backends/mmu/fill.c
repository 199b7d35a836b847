/* Host faults in guest memory: what they mean, and filling the shadow. */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Pages looked at around the one that faulted, a power of two. They aren't
 * populated: that costs the host about a thousand ticks a page, a fault of its
 * own on the few that are used costs less. */
#define AROUND_SMALL 64
#define AROUND_LARGE 64

/* Where a translation comes from. */
struct path {
    gpa_t table[4];    /* [level], down to the leaf entry's */
    unsigned level;    /* of the leaf entry */
    uint64_t pte, all; /* leaf entry; AND of U and W of the levels above */
    bool nx;           /* of the levels above */
};

/* x86_walk has just succeeded for gva. */
static bool find_path(const struct shadow *s, gva_t gva, struct path *p)
{
    uint64_t table = s->regs.cr3 & PTE_PHYS;

    p->all = PTE_W | PTE_U;
    p->nx = false;
    for (unsigned level = 4; level-- > 0;) {
        const uint64_t *pte = ram_ptr(
            s->cfg.ram, table | (gva >> table_shift(level) & 511) << 3, 8);

        if (!pte)
            return false; /* tables in no RAM can't be traced */
        p->table[level] = table;
        p->pte = *pte;
        p->level = level;
        if (!level || *pte & PTE_PS)
            return true;
        p->all &= *pte;
        p->nx |= (*pte & PTE_NX) != 0;
        table = *pte & PTE_PHYS;
    }
    return true;
}

/* Where the fault happened, and for whom the entry is. */
struct site {
    uint64_t host;
    gva_t gva;
    bool kernel; /* kernel window of its own (delta != 0) */
};

static unsigned page_flags(const struct shadow *s, const struct site *at,
                           const struct path *p, uint64_t pte, uint32_t gfn)
{
    bool wp = s->regs.cr0 & CR0_WP;
    bool super = !(p->all & pte & PTE_U);
    bool nx = p->nx || pte & PTE_NX;
    bool writable = p->all & pte & PTE_W;
    unsigned flags = SH_P;

    if (at->kernel || (super && !s->cfg.delta)) {
        writable = writable || !wp;
        nx = nx || !s->cfg.kernel_exec;
    }
    if (super && !s->cfg.delta)
        flags |= SH_SUPER;
    if (pte & PTE_G && s->regs.cr4 & CR4_PGE)
        flags |= SH_GLOBAL;
    if (writable && pte & PTE_D && !s->frames[gfn].flags)
        flags |= SH_W;
    return nx ? flags : flags | SH_X;
}

/* The flags of a page that no access has asked for, 0: leave it alone. */
static unsigned neighbour_flags(const struct shadow *s, const struct site *at,
                                const struct path *p, uint64_t pte,
                                uint32_t gfn)
{
    const uint64_t reserved = ((1ull << 52) - 1) & ~PTE_PHYS & ~0xfffull;

    if (!(pte & PTE_P) || !(pte & PTE_A) || pte & reserved)
        return 0;
    if ((pte & PTE_PHYS) >> 12 != gfn || gfn >= s->frames_n)
        return 0;
    if (pte & PTE_NX && !(s->regs.efer & EFER_NXE))
        return 0;
    if (s->cfg.delta && !at->kernel && !(p->all & pte & PTE_U))
        return 0;
    return page_flags(s, at, p, pte, gfn);
}

/* Is the neighbour `off` pages away part of the same run? */
static bool continues(const struct shadow *s, const struct site *at,
                      const struct path *p, uint32_t gfn, int64_t off,
                      unsigned flags)
{
    uint32_t to = (uint32_t)(gfn + off);
    const struct sentry *e = entry_find(s, at->host + (uint64_t)off * PAGE);
    const uint64_t *table;
    uint64_t pte = p->pte;

    if (e && e->gfn == to && (e->flags & SH_SAME) == flags)
        return false;
    if (p->level) {
        if (to >= s->frames_n)
            return false;
        return page_flags(s, at, p, pte, to) == flags;
    }
    table = ram_ptr(s->cfg.ram, p->table[0], PAGE);
    pte = table[(at->gva >> 12 & 511) + (uint64_t)off];
    return neighbour_flags(s, at, p, pte, to) == flags;
}

static int fill(struct shadow *s, const struct site *at, const struct path *p,
                uint32_t gfn, unsigned flags)
{
    uint64_t span = p->level ? AROUND_LARGE : AROUND_SMALL;
    int64_t in = at->gva >> 12 & (span - 1), first = 0, last = 0;
    uint64_t from;
    unsigned n;
    int err;

    for (unsigned level = p->level; s->policy->derive && level < 4; level++) {
        uint64_t size = 512ull << table_shift(level);
        gva_t base = level == 3 ? 0 : canonical(at->gva & ~(size - 1));

        s->policy->derive(s, (uint32_t)(p->table[level] >> 12), level, base);
    }
    /* One of the tables may be the page itself. */
    if (s->frames[gfn].flags)
        flags &= ~SH_W;
    while (first > -in && continues(s, at, p, gfn, first - 1, flags))
        first--;
    while (last + 1 < (int64_t)span - in &&
           continues(s, at, p, gfn, last + 1, flags))
        last++;
    from = at->host + (uint64_t)first * PAGE;
    n = (unsigned)(last - first + 1);
    err = entries_map(s, from, n, (uint32_t)(gfn + first), flags);
    if (!err && flags & SH_SUPER)
        shadow_seen(s, from, n);
    return err;
}

/* A supervisor page that was hidden from user code: show it and what belongs to
 * it. */
static void show(struct shadow *s, uint64_t host, unsigned flags)
{
    uint64_t low = host & ~(512 * PAGE - 1), from = host, to = host + PAGE;
    const struct sentry *e;

    while (from > low && (e = entry_find(s, from - PAGE)) && e->flags == flags)
        from -= PAGE;
    while (to < low + 512 * PAGE && (e = entry_find(s, to)) &&
           e->flags == flags)
        to += PAGE;
    entries_show(s, from, (unsigned)((to - from) / PAGE));
    shadow_seen(s, from, (unsigned)((to - from) / PAGE));
}

static enum shadow_verdict emulate(struct shadow *s, struct shadow_fault *f,
                                   enum shadow_reason reason)
{
    if (reason == SHADOW_TRACED)
        s->cfg.events->count[EV_FAULT_TRACE]++;
    f->reason = reason;
    return SHADOW_EMULATE;
}

/* Which window and guest address; false: neither. */
static bool locate(const struct shadow *s, unsigned cpl, uint64_t host,
                   struct site *at)
{
    at->host = host & ~(PAGE - 1);
    at->kernel = s->cfg.delta && cpl < 3 && host >= SHADOW_KERNEL_LOW &&
                 host < SHADOW_KERNEL_HIGH;
    at->gva = at->kernel ? canonical(host - s->cfg.delta) : host;
    if (host < SHADOW_USER_HIGH || at->kernel)
        return true;
    return !s->cfg.delta && host >= SHADOW_KERNEL_LOW &&
           host < SHADOW_KERNEL_HIGH;
}

static enum shadow_verdict finish(struct shadow *s, int err,
                                  struct shadow_fault *f)
{
    if (s->error)
        err = -s->error;
    s->error = 0;
    if (!err) {
        s->cfg.events->count[EV_FAULT_HIDDEN]++;
        return SHADOW_RETRY;
    }
    if (err == -EPERM || err == -EACCES) /* below vm.mmap_min_addr */
        return emulate(s, f, SHADOW_RIGHTS);
    snprintf(f->why, sizeof(f->why), "cannot map guest memory at %#llx: %s",
             (unsigned long long)f->gva, strerror(-err));
    return SHADOW_FAILED;
}

/* What an access that has no entry means. */
static enum shadow_verdict resolve(struct shadow *s, struct site *at,
                                   bool inside, unsigned access,
                                   struct shadow_fault *f)
{
    const struct sentry *e;
    struct walk_result w;
    struct path p;
    unsigned flags, lacks;
    uint32_t gfn;

    if (x86_walk(s->cfg.ram, &s->regs, at->gva, access, &w)) {
        s->cfg.events->count[EV_WALK_VMM] += w.refs;
        f->error = w.error;
        return SHADOW_GUEST;
    }
    s->cfg.events->count[EV_WALK_VMM] += w.refs;
    if (!inside)
        return SHADOW_OUTSIDE;
    f->gpa = w.gpa;
    if (!ram_ptr(s->cfg.ram, w.gpa & ~(PAGE - 1), PAGE))
        return emulate(s, f, SHADOW_DEVICE);
    if (!(s->regs.cr0 & CR0_PG) || !find_path(s, at->gva, &p))
        return emulate(s, f, SHADOW_RIGHTS);

    gfn = (uint32_t)(w.gpa >> 12);
    /* User code doesn't write tables: the page became something else. */
    if (access & WALK_WRITE && access & WALK_USER &&
        s->frames[gfn].flags & FR_TRACED)
        trace_end(s, gfn);
    flags = page_flags(s, at, &p, p.pte, gfn);
    lacks = (access & WALK_WRITE ? SH_W : 0) | (access & WALK_EXEC ? SH_X : 0);
    lacks &= ~flags;
    e = entry_find(s, at->host); /* trace_end may have dropped it */
    if (!lacks && e && e->gfn == gfn && e->flags == flags)
        return emulate(s, f, SHADOW_RIGHTS); /* it should have worked */
    if (lacks & SH_W && s->frames[gfn].flags)
        return emulate(s, f,
                       s->frames[gfn].flags & FR_TRACED ? SHADOW_TRACED
                                                        : SHADOW_CODE);
    if (lacks)
        return emulate(s, f, SHADOW_RIGHTS);
    at->gva &= ~(PAGE - 1);
    return finish(s, fill(s, at, &p, gfn, flags), f);
}

enum shadow_verdict shadow_fault(struct shadow *s, const struct walk_regs *regs,
                                 unsigned cpl, uint64_t host, uint32_t error,
                                 struct shadow_fault *f)
{
    unsigned access = (error & PF_W ? WALK_WRITE : 0) |
                      (error & PF_I ? WALK_EXEC : 0) |
                      (cpl == 3 ? WALK_USER : 0);
    const struct sentry *e;
    struct site at;
    bool inside;

    shadow_set_regs(s, regs);
    inside = locate(s, cpl, host, &at);
    f->gva = at.gva;
    f->error = 0;
    e = inside ? entry_find(s, at.host) : NULL;
    if (e && e->flags & SH_HIDDEN && cpl < 3) {
        show(s, at.host, e->flags);
        if (!(access & WALK_WRITE && !(e->flags & SH_W)) &&
            !(access & WALK_EXEC && !(e->flags & SH_X)))
            return finish(s, 0, f);
    }
    if (!gva_canonical(at.gva))
        return SHADOW_OUTSIDE;
    return resolve(s, &at, inside, access, f);
}

/* Does the entry allow the access? No: the tables may still. */
static bool allows(const struct shadow *s, const struct sentry *e,
                   unsigned access)
{
    bool super = e->flags & SH_SUPER;

    if (access & WALK_USER ? super : !super) {
        if (access & WALK_USER)
            return false;
        if (access & WALK_EXEC ? s->regs.cr4 & CR4_SMEP
                               : s->regs.cr4 & CR4_SMAP && !(access & WALK_AC))
            return false;
    }
    return !(access & WALK_WRITE && !(e->flags & SH_W)) &&
           !(access & WALK_EXEC && !(e->flags & SH_X));
}

enum shadow_verdict shadow_access(struct shadow *s, gva_t gva, unsigned access,
                                  struct shadow_page *page,
                                  struct shadow_fault *f)
{
    struct site at = {.host = key_of(gva) & ~(PAGE - 1), .gva = gva};
    const struct sentry *e = entry_find(s, at.host);
    enum shadow_verdict v;

    f->gva = gva;
    f->error = 0;
    if (!e || !allows(s, e, access)) {
        v = resolve(s, &at, true, access, f);
        if (v != SHADOW_RETRY)
            return v;
        e = entry_find(s, at.host);
    }
    page->gpa = (gpa_t)e->gfn << 12 | (gva & (PAGE - 1));
    page->user = !(e->flags & SH_SUPER);
    page->write = e->flags & SH_W;
    page->exec = e->flags & SH_X && (access & WALK_USER || !page->user ||
                                     !(s->regs.cr4 & CR4_SMEP));
    page->global = e->flags & SH_GLOBAL;
    return SHADOW_RETRY;
}
