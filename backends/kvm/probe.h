/* The truth probe: what this host's KVM really is. */
#ifndef TM_KVM_PROBE_H
#define TM_KVM_PROBE_H

#include "../backend.h"

struct kvm_facts {
    bool available;       /* a VM can be created */
    char why[REASON_MAX]; /* where it can't, or where a measurement failed */
    const char *module;   /* "kvm_intel" "kvm_amd" "kvm_pvm" "unknown" */
    const char *paging;   /* "ept" "npt" "shadow" "unknown" */
    bool cpu_flag;        /* vmx or svm in /proc/cpuinfo */
    bool nested_host;     /* CPUID says that this host is itself a VM */
    bool emulated_cpu;    /* and its processor is QEMU's TCG: even VT-x or SVM
                             are software there */
    const char *ring0;    /* "hardware": as fast as ring 3; "emulated";
                             "unknown": not measured */
    double ring0_ratio; /* ticks of a loop at CPL 0 / the same at CPL 3; 0 where
                           not measured */
    double exit_ticks;  /* round trip of one port write, CPL 0 to this process
                           and back; 0 where not measured */
    bool exits_by_reason;       /* kvm-trace=on is possible */
    char exits_why[REASON_MAX]; /* where they can't */
    char label[96];             /* short and honest, for tables */
};

/* Fills facts; measured once a process, then remembered. 0, or the negative
 * errno of what makes KVM unusable (then why says it). Under 0.3 s. */
int kvm_probe_facts(struct kvm_facts *facts);

/* What files alone tell, without making a VM: facts->module, facts->paging. */
const char *kvm_probe_module(void);
const char *kvm_probe_paging(void);

/* The command that reloads the module for the other kind of paging; nobody here
 * runs it, as other VMs may use the module. False: the module has one kind, or
 * isn't known. */
#define KVM_COMMAND_MAX 80
bool kvm_probe_other_paging(char command[KVM_COMMAND_MAX]);
/* The kind of paging that there is, and how to get the other, in one line. */
void kvm_probe_say_paging(char text[REASON_MAX]);

#endif
