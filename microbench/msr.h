/* The MSR that rdmsr and wrmsr use, and the question whether it is there. */
#ifndef TM_MICROBENCH_MSR_H
#define TM_MICROBENCH_MSR_H

#include "../guest/kernel/api.h"
#include "../guest/lib/x86.h"

/* IA32_PAT: architectural, readable and writable everywhere, harmless to
 * rewrite with its own value, and not one of those that VMMs let through to
 * the hardware as a matter of course (such as the FS and GS bases). */
#define BENCH_MSR 0x277

static inline void msr_rewrite(void *arg)
{
    (void)arg;
    wrmsr(BENCH_MSR, rdmsr(BENCH_MSR));
}

static inline const char *msr_refuse(void)
{
    if (try_op(msr_rewrite, NULL) >= 0)
        return "access to MSR 0x277 (IA32_PAT) faults";
    return NULL;
}

#endif
