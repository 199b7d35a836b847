/* How a miss of the software TLB is resolved: the paging policies. */
#ifndef TM_INTERP_PAGING_H
#define TM_INTERP_PAGING_H

#include "cpu.h"

#include "../mmu/options.h"
#include "../x86/walk_cache.h"

/* What makes the guest's translations void. */
enum paging_flush {
    PAGING_CR3,  /* MOV to CR3, whatever the value */
    PAGING_MODE, /* a paging bit of CR0, CR4 or EFER has changed */
    PAGING_RESET /* anything, RAM included */
};

/* The page of the access may not be entered into the TLB, and who writes to it
 * tells written(). */
#define PAGING_ONCE 1

struct paging;

/* One policy. All functions may be called with guest values in the FPU
 * registers. */
struct paging_policy {
    const char *name;
    /* 0, or negative errno and why. Without effect for the plain software TLB:
     * then no other function is called. */
    int (*create)(struct icpu *c, struct paging *p, char why[REASON_MAX]);
    void (*destroy)(struct paging *p);
    /* As x86_walk(), or PAGING_ONCE for 0; *host is the byte in RAM, NULL where
     * there is none. */
    int (*walk)(struct icpu *c, const struct walk_regs *regs, gva_t va,
                unsigned access, struct walk_result *w, uint8_t **host);
    /* After the event, and after the software TLB's own flush. */
    void (*flush)(struct icpu *c, enum paging_flush what);
    void (*flush_page)(struct icpu *c, gva_t va);
    /* The guest gets a page fault at va: nothing stale may translate it. */
    void (*fault)(struct icpu *c, gva_t va);
    /* Optional: RAM was written, by the guest where PAGING_ONCE told it to go,
     * or (device) behind its back. */
    void (*written)(struct icpu *c, gpa_t gpa, uint64_t len, bool device);
    /* Optional: a repeated string instruction is about to write there. */
    void (*filling)(struct icpu *c, gpa_t gpa);
};

/* What a policy keeps; of c->paging. */
struct paging {
    const struct paging_policy *policy;
    struct paging_options options;
    struct nested *nested;
    struct shadow *shadow;
    struct walk_base base;
    struct walk_cache cache;
};

/* Their names, the default first, NULL-terminated: backend.policies. */
extern const char *const paging_names[];
extern const struct paging_policy paging_vtlb, paging_trace, paging_unsync;

/* Takes the policy from c->vm.paging and its options from c->vm.options. 0, or
 * negative errno with why. c->paging stays NULL for the plain software TLB. */
int paging_create(struct icpu *c, char why[REASON_MAX]);
void paging_destroy(struct icpu *c);

static inline void paging_flush(struct icpu *c, enum paging_flush what)
{
    if (c->paging)
        c->paging->policy->flush(c, what);
}

static inline void paging_written(struct icpu *c, gpa_t gpa, uint64_t len,
                                  bool device)
{
    if (c->paging && c->paging->policy->written)
        c->paging->policy->written(c, gpa, len, device);
}

#endif
