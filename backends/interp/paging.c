/* The paging policies of the interpreter: the table, "none" and "nested". */
#include "paging.h"

#include "../mmu/nested.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- none -------------------------------------------------------------
 *
 * The guest's own walk. With a walk cache it is what the bare CPU does; without
 * one there is nothing to keep, and mmu.c calls x86_walk() itself. */

static int none_slot(void *opaque, gpa_t at, uint64_t **slot, unsigned *refs)
{
    (void)refs;
    *slot = ram_ptr(opaque, at, 8);
    return 0;
}

static int none_create(struct icpu *c, struct paging *p, char why[REASON_MAX])
{
    (void)why;
    if (!paging_on(p->options.walk_cache, false))
        return 0;
    p->base = (struct walk_base){c->vm.ram, none_slot, &p->cache,
                                 walk_cache_find, walk_cache_keep};
    c->paging = p;
    return 0;
}

static void none_destroy(struct paging *p)
{
    (void)p;
}

static int none_walk(struct icpu *c, const struct walk_regs *regs, gva_t va,
                     unsigned access, struct walk_result *w, uint8_t **host)
{
    int err = x86_walk_over(&c->paging->base, regs, va, access, w);

    if (!err)
        *host = ram_ptr(c->vm.ram, w->gpa, 1);
    return err;
}

static void none_flush(struct icpu *c, enum paging_flush what)
{
    (void)what;
    walk_cache_flush(&c->paging->cache);
}

static void none_flush_page(struct icpu *c, gva_t va)
{
    (void)va;
    walk_cache_flush(&c->paging->cache);
}

static void none_fault(struct icpu *c, gva_t va)
{
    walk_cache_forget(&c->paging->cache, va);
}

/* ---- nested ----------------------------------------------------------- */

static int nested_begin(struct icpu *c, struct paging *p, char why[REASON_MAX])
{
    const struct nested_config config = {
        .ram = c->vm.ram,
        .events = &c->vm.events,
        .large = paging_on(p->options.nested_large, false),
        .cache = paging_on(p->options.walk_cache, true),
    };

    p->nested = nested_create(&config, why);
    c->paging = p;
    return p->nested ? 0 : -ENOMEM;
}

static void nested_end(struct paging *p)
{
    if (p->nested)
        nested_destroy(p->nested);
}

static int nested_miss(struct icpu *c, const struct walk_regs *regs, gva_t va,
                       unsigned access, struct walk_result *w, uint8_t **host)
{
    return nested_walk(c->paging->nested, regs, va, access, w, host);
}

static void nested_all(struct icpu *c, enum paging_flush what)
{
    (void)what;
    nested_flush(c->paging->nested);
}

static void nested_page(struct icpu *c, gva_t va)
{
    (void)va;
    nested_flush(c->paging->nested);
}

static void nested_fault(struct icpu *c, gva_t va)
{
    nested_forget(c->paging->nested, va);
}

/* ---- The table -------------------------------------------------------- */

static const struct paging_policy paging_none = {.name = "none",
                                                 .create = none_create,
                                                 .destroy = none_destroy,
                                                 .walk = none_walk,
                                                 .flush = none_flush,
                                                 .flush_page = none_flush_page,
                                                 .fault = none_fault},
                                  paging_nested = {.name = "nested",
                                                   .create = nested_begin,
                                                   .destroy = nested_end,
                                                   .walk = nested_miss,
                                                   .flush = nested_all,
                                                   .flush_page = nested_page,
                                                   .fault = nested_fault};

static const struct paging_policy *const policies[] = {
    &paging_none, &paging_vtlb, &paging_trace, &paging_unsync, &paging_nested,
};
#define POLICIES (sizeof(policies) / sizeof(policies[0]))

const char *const paging_names[] = {"none",   "vtlb",   "trace",
                                    "unsync", "nested", NULL};
_Static_assert(sizeof(paging_names) / sizeof(paging_names[0]) == POLICIES + 1,
               "a name for each policy");

int paging_create(struct icpu *c, char why[REASON_MAX])
{
    const char *name = c->vm.paging ? c->vm.paging : paging_names[0];
    struct paging *p;
    unsigned k = 0;
    int err;

    while (k < POLICIES && strcmp(policies[k]->name, name))
        k++;
    if (k == POLICIES) {
        snprintf(why, REASON_MAX, "interp has no paging policy \"%s\"", name);
        return -EINVAL;
    }
    p = calloc(1, sizeof(*p));
    if (!p) {
        snprintf(why, REASON_MAX, "no memory for paging");
        return -ENOMEM;
    }
    p->policy = policies[k];
    walk_cache_flush(&p->cache);
    err = paging_options_parse(c->vm.options, &p->options, why);
    if (!err)
        err = p->policy->create(c, p, why);
    if (!err && c->paging)
        return 0;
    p->policy->destroy(p);
    free(p);
    c->paging = NULL;
    return err;
}

void paging_destroy(struct icpu *c)
{
    if (!c->paging)
        return;
    c->paging->policy->destroy(c->paging);
    free(c->paging);
    c->paging = NULL;
}
