/* The paging policies of the interpreter. */
#include "paging.h"

#include "../mmu/nested.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- nested ----------------------------------------------------------- */

/* The value of a key that is on or off. */
static int option_on(const char *options, const char *key, bool *on,
                     char why[REASON_MAX])
{
    size_t len = strlen(key);

    for (const char *o = options; o && *o; o += strcspn(o, ",")) {
        o += *o == ',';
        if (strncmp(o, key, len) || o[len] != '=')
            continue;
        *on = !strncmp(o + len + 1, "on", 2);
        if (!*on && strncmp(o + len + 1, "off", 3)) {
            snprintf(why, REASON_MAX, "%s is on or off", key);
            return -EINVAL;
        }
    }
    return 0;
}

static int nested_start(struct icpu *c, char why[REASON_MAX])
{
    struct nested_config config = {
        .ram = c->vm.ram, .events = &c->vm.events, .cache = true};
    int err = option_on(c->vm.options, "paging-nested-large", &config.large,
                        why);

    if (!err)
        err = option_on(c->vm.options, "paging-walk-cache", &config.cache, why);
    if (err)
        return err;
    c->nested = nested_create(&config, why);
    return c->nested ? 0 : -ENOMEM;
}

static void nested_stop(struct icpu *c)
{
    nested_destroy(c->nested);
}

static int nested_miss(struct icpu *c, const struct walk_regs *regs, gva_t va,
                       unsigned access, struct walk_result *w, uint8_t **host)
{
    return nested_walk(c->nested, regs, va, access, w, host);
}

static void nested_all(struct icpu *c, bool globals)
{
    (void)globals;
    nested_flush(c->nested);
}

static void nested_page(struct icpu *c, gva_t va)
{
    (void)va;
    nested_flush(c->nested);
}

/* ---- The table -------------------------------------------------------- */

static const struct paging_policy policies[] = {
    {.name = "none"},
    {"nested", nested_start, nested_stop, nested_miss, nested_all, nested_page},
};
#define POLICIES (sizeof(policies) / sizeof(policies[0]))

const char *const paging_names[] = {"none", "nested", NULL};
_Static_assert(sizeof(paging_names) / sizeof(paging_names[0]) == POLICIES + 1,
               "a name for each policy");

int paging_create(struct icpu *c, char why[REASON_MAX])
{
    const char *name = c->vm.paging ? c->vm.paging : policies[0].name;
    const struct paging_policy *p = policies;
    int err;

    while (p < policies + POLICIES && strcmp(p->name, name))
        p++;
    if (p == policies + POLICIES) {
        snprintf(why, REASON_MAX, "interp has no paging policy \"%s\"", name);
        return -EINVAL;
    }
    if (!p->create)
        return 0;
    err = p->create(c, why);
    if (!err)
        c->paging = p;
    return err;
}

void paging_destroy(struct icpu *c)
{
    if (c->paging)
        c->paging->destroy(c);
}
