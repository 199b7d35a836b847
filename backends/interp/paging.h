/* How a miss of the software TLB is resolved: the paging policies. */
#ifndef TM_INTERP_PAGING_H
#define TM_INTERP_PAGING_H

#include "cpu.h"

#include "../x86/walk.h"

/* One policy. "none" has no functions: the walk is the guest's own. */
struct paging_policy {
    const char *name;
    /* 0, or negative errno and why. destroy undoes it. */
    int (*create)(struct icpu *c, char why[REASON_MAX]);
    void (*destroy)(struct icpu *c);
    /* As x86_walk(); *host is the byte in RAM, NULL where there is none. */
    int (*walk)(struct icpu *c, const struct walk_regs *regs, gva_t va,
                unsigned access, struct walk_result *w, uint8_t **host);
    /* Translations of va, or all, are being flushed. */
    void (*flush)(struct icpu *c, bool globals);
    void (*flush_page)(struct icpu *c, gva_t va);
};

/* Their names, the default first, NULL-terminated: backend.policies. */
extern const char *const paging_names[];

/* Takes the policy from c->vm.paging and its options from c->vm.options. 0, or
 * negative errno with why. */
int paging_create(struct icpu *c, char why[REASON_MAX]);
void paging_destroy(struct icpu *c);

#endif
