/* The exit oracle: which of the guest's doings, as the interpreter counts them,
 * would end in the VMM under each technology. */
#ifndef TM_ORACLE_H
#define TM_ORACLE_H

#include "../backends/events.h"

#include <stdbool.h>
#include <stddef.h>

/* KVM's use of the hardware is assumed: what it intercepts, and no more. The
 * last two are about returns to the VMM's process, the others about exits to
 * the kernel. */
enum oracle_tech {
    ORACLE_VTX_SHADOW, /* VT-x, shadow page tables */
    ORACLE_SVM_SHADOW,
    ORACLE_EPT,       /* VT-x, nested paging */
    ORACLE_NPT,       /* SVM, nested paging */
    ORACLE_EPT_APICV, /* and virtual APIC, posted interrupts */
    ORACLE_NPT_AVIC,
    ORACLE_PARAVIRT,     /* PVM: guest kernel at CPL 3, shadow page tables */
    ORACLE_USER_IRQCHIP, /* interrupt controllers in the VMM's process */
    ORACLE_KERNEL_IRQCHIP,
    ORACLE_TECHS
};

struct oracle_tech_info {
    const char *name; /* short, for column headings */
    /* The interpreter's policy whose events it wants: "nested" ("none" will do,
     * it has no nested faults), or "unsync", which is how KVM shadows; best
     * with paging-fault-around=8, as KVM does. */
    const char *paging;
};
extern const struct oracle_tech_info oracle_techs[ORACLE_TECHS];

/* One rule: each event of that kind makes `factor` exits (-1: takes back what
 * another rule has counted too many), by the VMM's own name for the reason. */
struct oracle_rule {
    unsigned techs; /* set of 1u << enum oracle_tech */
    enum tm_event event, exit;
    int factor;
    const char *section; /* of the manual that says so */
};
extern const struct oracle_rule oracle_rules[];
extern const size_t oracle_rule_count;

/* Counts per operation, as results have them; both arrays have EV_COUNT
 * elements. Fills exits: by reason, and their sum as EV_EXIT_TOTAL. */
void oracle_predict(enum oracle_tech tech, const double *events, double *exits);

/* How a prediction compares with what was counted. The host's own interrupts
 * (exit.interrupt) are left out of both sides: they are a matter of time, not
 * of what the guest does. */
struct oracle_verdict {
    double predicted, counted; /* exits per operation */
    double difference;         /* relative to the larger of the two */
    double tolerance;          /* 0.02 nested, 0.15 shadow */
    bool agrees;               /* within it, or within 0.01 exits */
    enum tm_event reason;      /* where they differ most, if by_reason */
    double reason_predicted, reason_counted;
    bool by_reason;    /* there are counts by reason */
    const char *cause; /* why they differ, where that is known; or NULL */
};
/* events: the interpreter's; counted: KVM's. */
struct oracle_verdict oracle_compare(enum oracle_tech tech,
                                     const double *events,
                                     const double *counted);

#endif
