/* Host faults in guest memory: what they mean, and filling the shadow. */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool path_find(const struct shadow *s, gva_t gva, struct path *p)
{
    uint64_t table = s->regs.cr3 & PTE_PHYS;

    p->all = PTE_W | PTE_U;
    p->nx = false;
    for (unsigned level = 4; level-- > 0;) {
        const uint64_t *pte = ram_ptr(
            s->cfg.ram, table | (gva >> table_shift(level) & 511) << 3, 8);

        if (!pte || !(*pte & PTE_P))
            return false;
        p->table[level] = table;
        p->pte = *pte;
        p->level = level;
        if (level == 3)
            p->pml4e = *pte;
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
    uint64_t key;
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
    if (writable && pte & PTE_D && !(s->frames[gfn].flags & FR_PROTECTED))
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
    const struct sentry *e = entry_live(s, at->key + (uint64_t)off * PAGE);
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

/* The tables that the entry derives from; they may be the page itself. */
static void derive(struct shadow *s, struct region *r, const struct path *p,
                   uint64_t key)
{
    for (unsigned level = p->level; level < 4; level++) {
        uint64_t size = 512ull << table_shift(level);

        trace_table(s, (uint32_t)(p->table[level] >> 12), level, r,
                    level == 3 ? 0 : key & ~(size - 1));
    }
}

static void note_large(struct region *r, uint64_t key, unsigned level)
{
    struct leaf *l = region_leaf(r, key);

    if (l && level)
        l->large = true;
    r->large |= level > 1;
}

static int fill(struct shadow *s, const struct site *at, const struct path *p,
                uint32_t gfn, unsigned flags)
{
    struct region *r = region_get(s, at->key, p->pml4e);
    int64_t span = s->cfg.options.fault_around;
    int64_t in = at->gva >> 12 & (uint64_t)(span - 1), first = 0, last = 0;
    uint64_t from;
    unsigned n;
    int err;

    if (!r)
        return -ENOMEM;
    if (s->policy->traces)
        derive(s, r, p, at->key);
    if (s->frames[gfn].flags & FR_PROTECTED)
        flags &= ~SH_W;
    while (first > -in && continues(s, at, p, gfn, first - 1, flags))
        first--;
    while (last + 1 < span - in && continues(s, at, p, gfn, last + 1, flags))
        last++;
    from = at->key + (uint64_t)first * PAGE;
    n = (unsigned)(last - first + 1);
    err = entries_map(s, r, from, n, (uint32_t)(gfn + first), flags);
    if (err)
        return err;
    note_large(r, from, p->level);
    if (flags & SH_SUPER)
        shadow_seen(s, from, n);
    return 0;
}

/* An entry that is known but not live, and its neighbours. */
static int revive(struct shadow *s, uint64_t key)
{
    uint64_t size = s->cfg.options.fault_around * PAGE, low = key & ~(size - 1);
    const struct sentry *e = entry_find(s, key);
    unsigned flags = e->flags, before = 0, after = 1;
    int err;

    while (key - before * PAGE > low && e[-1 - (int)before].flags == flags &&
           e[-1 - (int)before].gfn + before + 1 == e->gfn)
        before++;
    while (key + after * PAGE < low + size && e[after].flags == flags &&
           e[after].gfn == e->gfn + after)
        after++;
    key -= before * PAGE;
    err = entries_map(s, s->now->region[slot_of(key)], key, before + after,
                      e->gfn - before, flags);
    if (!err && flags & SH_SUPER)
        shadow_seen(s, key, before + after);
    return err;
}

static enum shadow_verdict emulate(struct shadow *s, struct shadow_fault *f,
                                   enum shadow_reason reason)
{
    if (reason == SHADOW_TRACED)
        shadow_count(s, EV_FAULT_TRACE, 1);
    f->reason = reason;
    return SHADOW_EMULATE;
}

/* Which window and guest address; false: neither. */
static bool locate(const struct shadow *s, unsigned cpl, uint64_t host,
                   struct site *at)
{
    at->key = host & ~(PAGE - 1);
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
        shadow_count(s, f->event, 1);
        return SHADOW_RETRY;
    }
    if (err == -EPERM || err == -EACCES) /* below vm.mmap_min_addr */
        return emulate(s, f, SHADOW_RIGHTS);
    snprintf(f->why, sizeof(f->why), "cannot map guest memory at %#llx: %s",
             (unsigned long long)f->gva, strerror(-err));
    return SHADOW_FAILED;
}

void fill_wanted(struct shadow *s, uint64_t pte)
{
    struct site at = {.key = s->wanted};
    uint32_t gfn = (uint32_t)((pte & PTE_PHYS) >> 12);
    struct path p;
    unsigned flags;

    at.kernel = s->cfg.delta && at.key >= SHADOW_KERNEL_LOW;
    at.gva = canonical(at.kernel ? at.key - s->cfg.delta : at.key);
    s->wanted = ~0ull;
    if (s->cfg.options.fault_around == 1 || !path_find(s, at.gva, &p) ||
        p.level || p.pte != pte)
        return;
    flags = neighbour_flags(s, &at, &p, pte, gfn);
    /* What isn't right now, or fails, waits for the fault. */
    if (flags && !(s->wanted_write && !(flags & SH_W)) &&
        !(flags & SH_SUPER && s->cpl == 3))
        fill(s, &at, &p, gfn, flags);
}

/* The end of the trace, for a while or for good? */
static void may_write_table(struct shadow *s, unsigned access, uint32_t gfn,
                            struct shadow_fault *f)
{
    /* User code doesn't write tables: the page became something else. */
    if (access & WALK_USER)
        trace_end(s, gfn);
    else if (s->policy->lift && s->policy->lift(s, gfn))
        f->event = EV_FAULT_TRACE;
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
        s->wanted = inside && s->sink->switches ? at->key : ~0ull;
        s->wanted_write = access & WALK_WRITE;
        f->error = w.error;
        /* A fault voids what is cached for its address (SDM 4.10.4.1). */
        shadow_invlpg(s, at->gva);
        return SHADOW_GUEST;
    }
    s->cfg.events->count[EV_WALK_VMM] += w.refs;
    if (!inside)
        return SHADOW_OUTSIDE;
    f->gpa = w.gpa;
    if (!ram_ptr(s->cfg.ram, w.gpa & ~(PAGE - 1), PAGE))
        return emulate(s, f, SHADOW_DEVICE);
    if (!(s->regs.cr0 & CR0_PG) || !path_find(s, at->gva, &p))
        return emulate(s, f, SHADOW_RIGHTS);

    gfn = (uint32_t)(w.gpa >> 12);
    if (access & WALK_WRITE && s->frames[gfn].flags & FR_TRACED)
        may_write_table(s, access, gfn, f);
    flags = page_flags(s, at, &p, p.pte, gfn);
    lacks = (access & WALK_WRITE ? SH_W : 0) | (access & WALK_EXEC ? SH_X : 0);
    lacks &= ~flags;
    e = entry_live(s, at->key); /* a trace's end may have dropped it */
    if (!lacks && e && e->gfn == gfn && (e->flags & SH_SAME) == flags)
        return emulate(s, f, SHADOW_RIGHTS); /* it should have worked */
    if (lacks & SH_W && s->frames[gfn].flags & FR_PROTECTED)
        return emulate(s, f,
                       s->frames[gfn].flags & FR_TRACED ? SHADOW_TRACED
                                                        : SHADOW_CODE);
    if (lacks)
        return emulate(s, f, SHADOW_RIGHTS);
    at->gva &= ~(PAGE - 1);
    return finish(s, fill(s, at, &p, gfn, flags), f);
}

static void begin(struct shadow_fault *f, gva_t gva)
{
    f->gva = gva;
    f->error = 0;
    f->event = EV_FAULT_HIDDEN;
}

static bool rights(const struct sentry *e, unsigned access)
{
    return !(access & WALK_WRITE && !(e->flags & SH_W)) &&
           !(access & WALK_EXEC && !(e->flags & SH_X));
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
    begin(f, at.gva);
    e = inside ? entry_find(s, at.key) : NULL;
    if (e && e->flags & SH_HIDDEN && cpl < 3) {
        shadow_show(s, at.key);
        if (rights(e, access))
            return finish(s, 0, f);
    }
    if (!gva_canonical(at.gva))
        return SHADOW_OUTSIDE;
    if (e && !(e->flags & SH_LIVE) && rights(e, access) &&
        !(cpl == 3 && e->flags & SH_SUPER))
        return finish(s, revive(s, at.key), f);
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
    return rights(e, access);
}

enum shadow_verdict shadow_access(struct shadow *s, gva_t gva, unsigned access,
                                  struct shadow_page *page,
                                  struct shadow_fault *f)
{
    struct site at = {.key = gva & ((1ull << 48) - 1) & ~(PAGE - 1),
                      .gva = gva};
    const struct sentry *e = entry_find(s, at.key);
    enum shadow_verdict v;

    begin(f, gva);
    if (!e || !allows(s, e, access)) {
        v = resolve(s, &at, true, access, f);
        if (v != SHADOW_RETRY)
            return v;
        e = entry_find(s, at.key);
    }
    page->gpa = (gpa_t)e->gfn << 12 | (gva & (PAGE - 1));
    page->user = !(e->flags & SH_SUPER);
    page->write = e->flags & SH_W;
    page->exec = e->flags & SH_X && (access & WALK_USER || !page->user ||
                                     !(s->regs.cr4 & CR4_SMEP));
    page->global = e->flags & SH_GLOBAL;
    return SHADOW_RETRY;
}
