/* Shadow paging under the interpreter: its TLB is the hardware, the shadow what
 * that walks. */
#include "fx.h"
#include "mem.h"
#include "paging.h"

#include "../mmu/shadow.h"

#include <errno.h>
#include <x86intrin.h>

/* The shadow is C code that may use any register. */
static struct shadow *enter(struct icpu *c)
{
    fx_leave(c);
    return c->paging->shadow;
}

/* ---- What the shadow says to the TLB ---------------------------------- */

static void drop(void *opaque, gva_t gva, uint64_t size)
{
    struct icpu *c = opaque;

    walk_cache_flush(&c->paging->cache);
    tlb_drop(c, gva, size);
}

static void protect(void *opaque, gva_t gva)
{
    struct icpu *c = opaque;

    walk_cache_flush(&c->paging->cache);
    tlb_protect(c, gva);
}

/* ---- A miss ----------------------------------------------------------- */

/* References of the hardware's walk of the shadow: all its pages are 4 KiB. An
 * entry that isn't there is taken to be missing in the last table. */
static unsigned walk_shadow(struct paging *p, gva_t va)
{
    struct walk_partial at = {.level = 3};

    if (p->base.find)
        p->base.find(p->base.cache, va, &at);
    return at.level + 1;
}

static void keep_tables(struct paging *p, gva_t va)
{
    for (unsigned level = 3; p->base.keep && level-- > 0;)
        p->base.keep(p->base.cache, va, &(struct walk_partial){.level = level});
}

/* The shadow's answer; its ticks go to the event that it was. *faulted: the
 * hardware's walk found nothing, so the VMM came in. */
static enum shadow_verdict ask(struct icpu *c, gva_t va, unsigned access,
                               struct shadow_page *page, struct shadow_fault *f,
                               bool *faulted)
{
    struct event_counters *ev = &c->vm.events;
    uint64_t hidden = ev->count[EV_FAULT_HIDDEN];
    uint64_t trace = ev->count[EV_FAULT_TRACE], begin = __rdtsc(), ticks;
    enum shadow_verdict v = shadow_access(enter(c), va, access, page, f);

    ticks = __rdtsc() - begin;
    *faulted = true;
    if (ev->count[EV_FAULT_TRACE] != trace)
        ev->ticks[EV_FAULT_TRACE] += ticks;
    else if (ev->count[EV_FAULT_HIDDEN] != hidden)
        ev->ticks[EV_FAULT_HIDDEN] += ticks;
    else if (v == SHADOW_GUEST)
        ev->ticks[EV_FAULT_TRUE] += ticks;
    else
        *faulted = v != SHADOW_RETRY;
    return v;
}

static int miss(struct icpu *c, const struct walk_regs *regs, gva_t va,
                unsigned access, struct walk_result *w, uint8_t **host)
{
    unsigned refs = walk_shadow(c->paging, va);
    struct shadow_page page;
    struct shadow_fault f;
    bool faulted;

    switch (ask(c, va, access, &page, &f, &faulted)) {
    case SHADOW_RETRY:
        if (faulted) {
            /* Faults forget, and the access is made once more. */
            walk_cache_forget(&c->paging->cache, va);
            refs += walk_shadow(c->paging, va);
        }
        keep_tables(c->paging, va);
        *w = (struct walk_result){
            .gpa = page.gpa,
            .shift = 12,
            .refs = refs,
            .write = page.write,
            .exec = page.exec,
            .user = page.user,
            .global = page.global,
            .dirty = true,
        };
        *host = ram_ptr(c->vm.ram, page.gpa, 1);
        return 0;
    case SHADOW_EMULATE:
        w->gpa = f.gpa;
        break;
    case SHADOW_GUEST:
        w->refs = refs;
        w->error = f.error;
        return -EFAULT;
    default: /* no memory for an entry: this once without */
        if (x86_walk(c->vm.ram, regs, va, access, w))
            return -EFAULT;
    }
    w->refs = refs;
    *host = ram_ptr(c->vm.ram, w->gpa, 1);
    return PAGING_ONCE;
}

/* ---- What the guest does ---------------------------------------------- */

static void flush(struct icpu *c, enum paging_flush what)
{
    struct walk_regs regs = {c->cr0, c->cr3, c->cr4, c->efer};
    struct shadow *s = enter(c);

    walk_cache_flush(&c->paging->cache);
    if (what == PAGING_CR3) {
        shadow_load_cr3(s, &regs);
        return;
    }
    if (what == PAGING_RESET)
        shadow_flush(s);
    shadow_set_regs(s, &regs);
}

static void flush_page(struct icpu *c, gva_t va)
{
    uint64_t begin = __rdtsc();

    walk_cache_flush(&c->paging->cache);
    shadow_invlpg(enter(c), va);
    c->vm.events.ticks[EV_EXIT_INVLPG] += __rdtsc() - begin;
}

static void fault(struct icpu *c, gva_t va)
{
    walk_cache_forget(&c->paging->cache, va);
}

static void written(struct icpu *c, gpa_t gpa, uint64_t len, bool device)
{
    struct shadow *s = enter(c);
    uint64_t begin = __rdtsc();

    shadow_written(s, gpa, len, device ? 0 : c->cpl);
    if (!device)
        c->vm.events.ticks[EV_FAULT_TRACE] += __rdtsc() - begin;
}

static void filling(struct icpu *c, gpa_t gpa)
{
    shadow_end_trace(enter(c), gpa);
}

/* ---- Life ------------------------------------------------------------- */

static int create(struct icpu *c, struct paging *p, char why[REASON_MAX])
{
    const struct shadow_tlb tlb = {drop, protect, c};
    const struct shadow_config config = {
        .ram = c->vm.ram,
        .events = &c->vm.events,
        .policy = p->policy->name,
        .options = p->options,
        .tlb = &tlb,
        .kernel_exec = true,
    };

    if (paging_on(p->options.walk_cache, true)) {
        p->base.cache = &p->cache;
        p->base.find = walk_cache_find;
        p->base.keep = walk_cache_keep;
    }
    c->paging = p;
    p->shadow = shadow_create(&config, why);
    return p->shadow ? 0 : -EINVAL;
}

static void destroy(struct paging *p)
{
    if (p->shadow)
        shadow_destroy(p->shadow);
}

#define SHADOW_POLICY(name_)                                                   \
    const struct paging_policy paging_##name_ = {                              \
        .name = #name_,                                                        \
        .create = create,                                                      \
        .destroy = destroy,                                                    \
        .walk = miss,                                                          \
        .flush = flush,                                                        \
        .flush_page = flush_page,                                              \
        .fault = fault,                                                        \
        .written = written,                                                    \
        .filling = filling,                                                    \
    }

SHADOW_POLICY(vtlb);
SHADOW_POLICY(trace);
SHADOW_POLICY(unsync);
