/* Finds the instruction that KVM could not emulate. */
#include "kvm.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

/* Bytes at a linear address, as far as they are mapped RAM. */
static unsigned fetch(struct kvm_vm *k, uint64_t linear, uint8_t *to,
                      unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        struct kvm_translation t = {.linear_address = linear + i};
        const uint8_t *byte;

        if (ioctl(k->vcpu_fd, KVM_TRANSLATE, &t) < 0 || !t.valid)
            return i;
        byte = ram_ptr(k->vm.ram, t.physical_address, 1);
        if (!byte)
            return i;
        to[i] = *byte;
    }
    return len;
}

static unsigned bytes_of_exit(const struct kvm_run *run, uint8_t to[15])
{
    unsigned len = run->emulation_failure.insn_size;

    if (run->exit_reason != KVM_EXIT_INTERNAL_ERROR ||
        run->emulation_failure.ndata < 3 ||
        !(run->emulation_failure.flags &
          KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) ||
        len > 15)
        return 0;
    memcpy(to, run->emulation_failure.insn_bytes, len);
    return len;
}

void kvm_describe_failure(struct kvm_vm *k, struct vm_exit *exit)
{
    struct kvm_regs regs = {0};
    struct kvm_sregs sregs = {0};
    char hex[3 * 15 + 1] = "";

    ioctl(k->vcpu_fd, KVM_GET_REGS, &regs);
    ioctl(k->vcpu_fd, KVM_GET_SREGS, &sregs);
    exit->kind = EXIT_EMULATION;
    exit->rip = regs.rip;
    exit->insn_len = bytes_of_exit(k->run, exit->insn);
    if (!exit->insn_len)
        exit->insn_len = fetch(k, regs.rip + (sregs.cs.l ? 0 : sregs.cs.base),
                               exit->insn, sizeof(exit->insn));
    for (unsigned i = 0; i < exit->insn_len; i++)
        sprintf(hex + 3 * i, "%02x ", exit->insn[i]);
    if (exit->insn_len)
        hex[3 * exit->insn_len - 1] = 0;
    snprintf(exit->why, REASON_MAX,
             "KVM cannot emulate the instruction at 0x%llx (%s), CPL %d",
             regs.rip, exit->insn_len ? hex : "bytes unreadable", sregs.ss.dpl);
}
