/* What this host is: CPU, kernel, KVM, PMU, and what its primitives cost. */
#ifndef TM_HOSTFACTS_H
#define TM_HOSTFACTS_H

#include "../backends/kvm/probe.h"

#include <jansson.h>

/* Texts are empty, numbers 0 where unknown. */
struct host_facts {
    char vendor[16], model[64];
    unsigned family, model_id, stepping;
    char flags[512]; /* those that bear on virtualization, space-separated */
    char kernel[80];
    char hypervisor[16]; /* CPUID signature */
    bool virtual_machine;
    unsigned cores;
    uint64_t memory_mib, tsc_khz;
    bool tsc_invariant;
    char governor[32], smt[32];
    struct kvm_facts kvm;
    bool pmu;
    char pmu_why[REASON_MAX];
};

void hostfacts_collect(struct host_facts *facts);

/* One primitive of the host and its median cost. */
struct primitive {
    const char *name, *meaning;
    double ticks; /* NAN: not measured */
};
#define PRIMITIVES 6

/* Measures them all (about 50 ms); kvm_exit is taken from the facts. */
void primitives_measure(const struct host_facts *facts,
                        struct primitive list[PRIMITIVES]);

/* The "host" member of a result file; list may be NULL. */
json_t *hostfacts_json(const struct host_facts *facts,
                       const struct primitive *list);

#endif
