/* The exit oracle's rules, and what is known of differences. */
#include "oracle.h"

#include <math.h>
#include <string.h>

#define T(tech) (1u << ORACLE_##tech)
#define VTX_NESTED (T(EPT) | T(EPT_APICV))
#define SVM_NESTED (T(NPT) | T(NPT_AVIC))
#define VTX (T(VTX_SHADOW) | VTX_NESTED)
#define SVM (T(SVM_SHADOW) | SVM_NESTED)
#define IRQCHIPS (T(USER_IRQCHIP) | T(KERNEL_IRQCHIP))

const struct oracle_tech_info oracle_techs[ORACLE_TECHS] = {
    [ORACLE_VTX_SHADOW] = {"VT-x shadow", "unsync"},
    [ORACLE_SVM_SHADOW] = {"SVM shadow", "unsync"},
    [ORACLE_EPT] = {"VT-x EPT", "nested"},
    [ORACLE_NPT] = {"SVM NPT", "nested"},
    [ORACLE_EPT_APICV] = {"EPT, APICv", "nested"},
    [ORACLE_NPT_AVIC] = {"NPT, AVIC", "nested"},
    [ORACLE_PARAVIRT] = {"paravirtual", "unsync"},
    [ORACLE_USER_IRQCHIP] = {"process, user irqchip", "nested"},
    [ORACLE_KERNEL_IRQCHIP] = {"process, kernel irqchip", "nested"},
};

/* SDM: Intel SDM volume 3C. APM: AMD APM volume 2. KVM: the kernel's
 * Documentation/virt/kvm/api.rst. PVM: its paper, SOSP 2023. */
const struct oracle_rule oracle_rules[] = {
    /* Instructions that exit whatever the paging. */
    {VTX, EV_EXIT_IO, EV_EXIT_IO, 1, "SDM 26.1.3, unconditional I/O exiting"},
    {SVM, EV_EXIT_IO, EV_EXIT_IO, 1, "APM 15.10, IOIO intercepts"},
    {VTX, EV_EXIT_CPUID, EV_EXIT_CPUID, 1, "SDM 26.1.2"},
    {SVM, EV_EXIT_CPUID, EV_EXIT_CPUID, 1, "APM 15.9"},
    {VTX, EV_EXIT_HLT, EV_EXIT_HLT, 1, "SDM 26.1.3, HLT exiting"},
    {SVM, EV_EXIT_HLT, EV_EXIT_HLT, 1, "APM 15.9"},
    {VTX, EV_EXIT_HYPERCALL, EV_EXIT_HYPERCALL, 1, "SDM 26.1.2, VMCALL"},
    {SVM, EV_EXIT_HYPERCALL, EV_EXIT_HYPERCALL, 1, "APM 15.9, VMMCALL"},
    {VTX, EV_CR_MODE, EV_EXIT_CR, 1,
     "SDM 26.1.3, bits that the guest/host mask keeps"},
    {SVM, EV_CR_MODE, EV_EXIT_CR, 1, "APM 15.9, CR0 and CR4 writes"},

    /* MSRs: all, but for those that the bitmap lets through. */
    {VTX, EV_EXIT_MSR, EV_EXIT_MSR, 1, "SDM 26.1.3, RDMSR and WRMSR"},
    {SVM, EV_EXIT_MSR, EV_EXIT_MSR, 1, "APM 15.11, MSR intercepts"},
    {VTX, EV_MSR_BASE, EV_EXIT_MSR, -1, "SDM 25.6.9, MSR bitmaps"},
    {SVM, EV_MSR_BASE, EV_EXIT_MSR, -1, "APM 15.11, MSR permissions map"},
    {SVM, EV_MSR_SYSCALL, EV_EXIT_MSR, -1, "APM 15.11, MSR permissions map"},
    {T(EPT_APICV), EV_MSR_APICV, EV_EXIT_MSR, -1,
     "SDM 30.5, virtualizing MSR-based APIC accesses"},
    {T(NPT_AVIC), EV_MSR_APICV, EV_EXIT_MSR, -1, "APM 15.29, AVIC"},

    /* Exceptions that KVM takes to emulate or to guard. */
    {VTX, EV_EXCEPTION_UD, EV_EXIT_EXCEPTION, 1, "SDM 26.2, exception bitmap"},
    {SVM, EV_EXCEPTION_UD, EV_EXIT_EXCEPTION, 1, "APM 15.12"},
    {VTX, EV_EXCEPTION_DB, EV_EXIT_EXCEPTION, 1, "SDM 26.2, exception bitmap"},
    {SVM, EV_EXCEPTION_DB, EV_EXIT_EXCEPTION, 1, "APM 15.12"},

    /* Device memory: an entry that always faults. */
    {VTX, EV_EXIT_MMIO, EV_EXIT_MMIO, 1,
     "SDM 29.3.3.1, EPT misconfigurations; 26.2, #PF"},
    {SVM, EV_EXIT_MMIO, EV_EXIT_MMIO, 1,
     "APM 15.25.6, nested page faults; 15.12, #PF"},

    /* Shadow page tables. */
    {T(VTX_SHADOW), EV_CTX_SWITCH, EV_EXIT_CR, 1,
     "SDM 26.1.3, CR3-load exiting"},
    {T(SVM_SHADOW), EV_CTX_SWITCH, EV_EXIT_CR, 1, "APM 15.9, CR3 writes"},
    {T(VTX_SHADOW), EV_CR_READ3, EV_EXIT_CR, 1,
     "SDM 26.1.3, CR3-store exiting"},
    {T(SVM_SHADOW), EV_CR_READ3, EV_EXIT_CR, 1, "APM 15.9, CR3 reads"},
    {T(VTX_SHADOW), EV_EXIT_INVLPG, EV_EXIT_INVLPG, 1,
     "SDM 26.1.3, INVLPG exiting"},
    {T(SVM_SHADOW), EV_EXIT_INVLPG, EV_EXIT_INVLPG, 1, "APM 15.9"},
    {T(VTX_SHADOW), EV_FAULT_TRUE, EV_EXIT_PF, 1, "SDM 26.2, #PF"},
    {T(VTX_SHADOW), EV_FAULT_HIDDEN, EV_EXIT_PF, 1, "SDM 26.2, #PF"},
    {T(VTX_SHADOW), EV_FAULT_TRACE, EV_EXIT_PF, 1, "SDM 26.2, #PF"},
    {T(SVM_SHADOW), EV_FAULT_TRUE, EV_EXIT_PF, 1, "APM 15.12, #PF"},
    {T(SVM_SHADOW), EV_FAULT_HIDDEN, EV_EXIT_PF, 1, "APM 15.12, #PF"},
    {T(SVM_SHADOW), EV_FAULT_TRACE, EV_EXIT_PF, 1, "APM 15.12, #PF"},

    /* Nested paging: the first touch of guest memory. */
    {VTX_NESTED, EV_FAULT_HIDDEN, EV_EXIT_NPF, 1,
     "SDM 29.3.3.2, EPT violations"},
    {SVM_NESTED, EV_FAULT_HIDDEN, EV_EXIT_NPF, 1,
     "APM 15.25.6, nested page faults"},

    /* Paravirtual: privileged operations are calls, the host's own tables take
     * every exception; system calls switch directly, the interrupt flag is a
     * word of shared memory. */
    {T(PARAVIRT), EV_EXIT_IO, EV_EXIT_IO, 1, "PVM"},
    {T(PARAVIRT), EV_EXIT_MMIO, EV_EXIT_MMIO, 1, "PVM"},
    {T(PARAVIRT), EV_EXIT_CPUID, EV_EXIT_CPUID, 1, "PVM"},
    {T(PARAVIRT), EV_EXIT_HLT, EV_EXIT_HLT, 1, "PVM"},
    {T(PARAVIRT), EV_EXIT_HYPERCALL, EV_EXIT_HYPERCALL, 1, "PVM"},
    {T(PARAVIRT), EV_EXIT_MSR, EV_EXIT_HYPERCALL, 1, "PVM"},
    {T(PARAVIRT), EV_CR_MODE, EV_EXIT_HYPERCALL, 1, "PVM"},
    {T(PARAVIRT), EV_CTX_SWITCH, EV_EXIT_HYPERCALL, 1, "PVM"},
    {T(PARAVIRT), EV_EXIT_INVLPG, EV_EXIT_HYPERCALL, 1, "PVM"},
    {T(PARAVIRT), EV_FAULT_TRUE, EV_EXIT_PF, 1, "PVM"},
    {T(PARAVIRT), EV_FAULT_HIDDEN, EV_EXIT_PF, 1, "PVM"},
    {T(PARAVIRT), EV_FAULT_TRACE, EV_EXIT_PF, 1, "PVM"},
    {T(PARAVIRT), EV_EXCEPTION_DE, EV_EXIT_EXCEPTION, 1, "PVM"},
    {T(PARAVIRT), EV_EXCEPTION_DB, EV_EXIT_EXCEPTION, 1, "PVM"},
    {T(PARAVIRT), EV_EXCEPTION_BP, EV_EXIT_EXCEPTION, 1, "PVM"},
    {T(PARAVIRT), EV_EXCEPTION_UD, EV_EXIT_EXCEPTION, 1, "PVM"},
    {T(PARAVIRT), EV_EXCEPTION_NM, EV_EXIT_EXCEPTION, 1, "PVM"},
    {T(PARAVIRT), EV_EXCEPTION_GP, EV_EXIT_EXCEPTION, 1, "PVM"},
    {T(PARAVIRT), EV_EXCEPTION_MF, EV_EXIT_EXCEPTION, 1, "PVM"},

    /* What reaches the VMM's process. Without the kernel's APIC there is no
     * x2APIC: its registers are device memory. */
    {IRQCHIPS, EV_EXIT_IO, EV_EXIT_IO, 1, "KVM 5, KVM_EXIT_IO"},
    {IRQCHIPS, EV_EXIT_MMIO, EV_EXIT_MMIO, 1, "KVM 5, KVM_EXIT_MMIO"},
    {T(USER_IRQCHIP), EV_EXIT_HLT, EV_EXIT_HLT, 1, "KVM 5, KVM_EXIT_HLT"},
    {T(USER_IRQCHIP), EV_CR_WRITE8, EV_EXIT_CR, 1, "KVM 5, KVM_EXIT_SET_TPR"},
    {T(USER_IRQCHIP), EV_MSR_APICV, EV_EXIT_MMIO, 1,
     "KVM 4.24, KVM_CREATE_IRQCHIP"},
    {T(USER_IRQCHIP), EV_MSR_APIC, EV_EXIT_MMIO, 1,
     "KVM 4.24, KVM_CREATE_IRQCHIP"},
};
const size_t oracle_rule_count = sizeof(oracle_rules) / sizeof(oracle_rules[0]);

void oracle_predict(enum oracle_tech tech, const double *events, double *exits)
{
    memset(exits, 0, EV_COUNT * sizeof(*exits));
    for (size_t i = 0; i < oracle_rule_count; i++) {
        const struct oracle_rule *r = &oracle_rules[i];

        if (!(r->techs >> tech & 1))
            continue;
        exits[r->exit] += r->factor * events[r->event];
        exits[EV_EXIT_TOTAL] += r->factor * events[r->event];
    }
}

/* ---- Comparison ---------------------------------------------------------- */

#define SHADOW (T(VTX_SHADOW) | T(SVM_SHADOW))
#define NESTED (VTX_NESTED | SVM_NESTED)

/* What makes KVM take more (1) or fewer (-1) exits than the rules say; 0:
 * either. It applies where `part` differs in the same direction, unless that is
 * the reason itself, and `evidence` was counted (EV_COUNT: needs none; where
 * either direction will do, the interpreter's count is as good). The first that
 * applies is given. */
static const struct {
    unsigned techs;
    enum tm_event reason;
    int sign;
    enum tm_event part;
    int evidence;
    const char *text;
} causes[] = {
    {SHADOW, EV_EXIT_PF, -1, EV_FAULT_TRACE, EV_SHADOW_ZAP,
     "KVM stops shadowing an upper table after 3 writes in a row"},
    {SHADOW, EV_EXIT_PF, -1, EV_FAULT_HIDDEN, EV_COUNT,
     "KVM changes entries in place where INVLPG or a CR3 load brings them in "
     "sync"},
    {SHADOW, EV_EXIT_PF, 1, EV_FAULT_HIDDEN, EV_SHADOW_ZAP,
     "KVM fills anew the shadow of a table that it had dropped"},
    {SHADOW, EV_EXIT_PF, 1, EV_FAULT_HIDDEN, EV_COUNT,
     "KVM fills around a fault only what has no entry: write permission comes "
     "page by page"},
    {NESTED, EV_EXIT_NPF, 1, EV_EXIT_NPF, EV_COUNT,
     "guest memory that the host hadn't mapped, or had taken back"},
    {NESTED, EV_EXIT_NPF, -1, EV_EXIT_NPF, EV_COUNT,
     "the host maps guest memory by large pages, or had mapped it before"},
    {SHADOW | NESTED, EV_EXIT_MSR, 0, EV_EXIT_MSR, EV_INTERRUPT,
     "timer interrupts are a matter of time, with the MSRs that arm and "
     "acknowledge them"},
    {SHADOW | NESTED, EV_EXIT_VINTR, 1, EV_EXIT_VINTR, EV_INTERRUPT,
     "interrupts waited until the guest enabled them"},
    {SHADOW | NESTED, EV_EXIT_HLT, 1, EV_EXIT_HLT, EV_COUNT,
     "HLT exits even where an interrupt is pending already"},
    {SHADOW | NESTED, EV_EXIT_IO, -1, EV_EXIT_IO, EV_COUNT,
     "a repeated string instruction exits once for many elements"},
};

static bool same_direction(int sign, double more)
{
    return !sign || sign * more > 0;
}

static bool is_evident(int evidence, int sign, const double *events,
                       const double *counted)
{
    return evidence == EV_COUNT || counted[evidence] > 0 ||
           (!sign && events[evidence] > 0);
}

static const char *find_cause(enum oracle_tech tech, enum tm_event reason,
                              const double *events, const double *predicted,
                              const double *counted)
{
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        enum tm_event part = causes[i].part;
        double more =
            counted[part] - (part == reason ? predicted[part] : events[part]);

        if (causes[i].techs >> tech & 1 && causes[i].reason == reason &&
            same_direction(causes[i].sign,
                           counted[reason] - predicted[reason]) &&
            same_direction(causes[i].sign, more) &&
            is_evident(causes[i].evidence, causes[i].sign, events, counted))
            return causes[i].text;
    }
    return NULL;
}

static bool is_reason(int event)
{
    return event != EV_EXIT_TOTAL && event != EV_EXIT_INTERRUPT &&
           event != EV_EXIT_EMULATED && event != EV_EXIT_SIGNAL &&
           !strncmp(event_names[event], "exit.", 5);
}

/* All exits but for the host's interrupts. Of their difference to the total one
 * that hit the control has been taken away as well. */
static double count_exits(const double *counted)
{
    double sum = 0;

    for (int e = 0; e < EV_COUNT; e++)
        if (is_reason(e))
            sum += counted[e];
    return fmax(sum, counted[EV_EXIT_TOTAL] - counted[EV_EXIT_INTERRUPT]);
}

struct oracle_verdict oracle_compare(enum oracle_tech tech,
                                     const double *events,
                                     const double *counted)
{
    double predicted[EV_COUNT];
    struct oracle_verdict v = {
        .counted = count_exits(counted),
        .tolerance = SHADOW >> tech & 1 ? 0.15 : 0.02,
    };
    double larger, most = -1;

    /* No exit but for interrupts: none has an unknown reason. */
    v.by_reason = counted[EV_EXIT_TOTAL] == counted[EV_EXIT_INTERRUPT];
    oracle_predict(tech, events, predicted);
    v.predicted = predicted[EV_EXIT_TOTAL];
    larger = fmax(fabs(v.predicted), fabs(v.counted));
    v.difference = larger > 0 ? fabs(v.predicted - v.counted) / larger : 0;
    v.agrees =
        v.difference <= v.tolerance || fabs(v.predicted - v.counted) <= 0.01;
    for (int e = 0; e < EV_COUNT; e++) {
        double by = fabs(counted[e] - predicted[e]);

        if (!is_reason(e))
            continue;
        v.by_reason |= counted[e] > 0;
        if (by <= most)
            continue;
        most = by;
        v.reason = (enum tm_event)e;
    }
    v.reason_predicted = predicted[v.reason];
    v.reason_counted = counted[v.reason];
    if (!v.agrees && v.by_reason)
        v.cause = find_cause(tech, v.reason, events, predicted, counted);
    return v;
}
