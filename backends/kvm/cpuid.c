/* What CPUID says in a KVM guest. */
#include "kvm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define ENTRIES_MAX 256

#define CPUID1_ECX_X2APIC (1u << 21)
#define CPUID1_ECX_DEADLINE (1u << 24)
#define CPUID1_EDX_HTT (1u << 28)

/* KVM reports the topology of whichever host CPU was asked. */
static void make_uniprocessor(struct kvm_cpuid_entry2 *e, bool deadline)
{
    switch (e->function) {
    case 1:
        e->ebx &= 0xffff; /* APIC ID and count of logical processors: 0 */
        e->edx &= ~CPUID1_EDX_HTT;
        e->ecx |= CPUID1_ECX_X2APIC;
        if (deadline)
            e->ecx |= CPUID1_ECX_DEADLINE;
        return;
    case 0xb:
    case 0x1f:
        e->eax = e->ebx = e->edx = 0;
        e->ecx = e->index;
        return;
    case 0x80000008:
        e->ecx = 0; /* cores - 1 */
        return;
    case 0x8000001e:
        e->eax = e->ebx = e->ecx = 0;
        return;
    }
}

int kvm_set_cpuid(struct kvm_vm *k, char why[REASON_MAX])
{
    struct kvm_cpuid2 *table;
    bool deadline =
        ioctl(k->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
    int err = 0;

    table = calloc(1, sizeof(*table) + ENTRIES_MAX * sizeof(table->entries[0]));
    if (!table) {
        snprintf(why, REASON_MAX, "out of memory");
        return -ENOMEM;
    }
    table->nent = ENTRIES_MAX;
    if (ioctl(k->kvm_fd, KVM_GET_SUPPORTED_CPUID, table) < 0) {
        err = kvm_errno(why, "KVM_GET_SUPPORTED_CPUID");
        goto out;
    }
    for (unsigned i = 0; i < table->nent; i++)
        make_uniprocessor(&table->entries[i], deadline);
    if (ioctl(k->vcpu_fd, KVM_SET_CPUID2, table) < 0)
        err = kvm_errno(why, "KVM_SET_CPUID2");
out:
    free(table);
    return err;
}
