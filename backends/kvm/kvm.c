/* The KVM backend: one VM with one vCPU through /dev/kvm, with KVM's own
 * interrupt controllers. */
#include "kvm.h"
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Three pages that KVM on older Intel needs for real mode; in the hole below
 * 4 GiB where our machine has nothing. */
#define TSS_GPA 0xfffbd000ul

#define IOAPIC_PINS 24

int kvm_errno(char why[REASON_MAX], const char *what)
{
    int error = errno;

    snprintf(why, REASON_MAX, "%s: %s", what, strerror(error));
    return -error;
}

static int open_kvm(char why[REASON_MAX])
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), version;

    if (fd < 0) {
        int error = errno;

        snprintf(why, REASON_MAX, "/dev/kvm: %s%s", strerror(error),
                 error == EACCES   ? "; join the group kvm"
                 : error == ENOENT ? "; load kvm_intel or kvm_amd"
                                   : "");
        return -error;
    }
    version = ioctl(fd, KVM_GET_API_VERSION, 0);
    if (version == KVM_API_VERSION)
        return fd;
    snprintf(why, REASON_MAX, "/dev/kvm speaks API version %d, not %d", version,
             KVM_API_VERSION);
    close(fd);
    return -EPROTO;
}

static int check_caps(int fd, char why[REASON_MAX])
{
    static const struct {
        int cap;
        const char *what;
    } needed[] = {
        {KVM_CAP_IRQCHIP, "interrupt controllers in the kernel"},
        {KVM_CAP_USER_MEMORY, "user memory regions"},
        {KVM_CAP_IMMEDIATE_EXIT, "immediate exits"},
        {KVM_CAP_EXT_CPUID, "CPUID"},
        {KVM_CAP_XSAVE, "XSAVE state"},
    };

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (ioctl(fd, KVM_CHECK_EXTENSION, needed[i].cap) > 0)
            continue;
        snprintf(why, REASON_MAX, "this host's KVM has no %s", needed[i].what);
        return -ENOTSUP;
    }
    return 0;
}

/* Creating a VM is the real test: it fails where another hypervisor holds the
 * virtualization extensions. */
static int kvm_probe(char why[REASON_MAX])
{
    int fd = open_kvm(why), err, vm;

    if (fd < 0)
        return fd;
    err = check_caps(fd, why);
    if (err)
        goto out;
    vm = ioctl(fd, KVM_CREATE_VM, 0);
    if (vm < 0)
        err = kvm_errno(why, "KVM_CREATE_VM");
    else
        close(vm);
out:
    close(fd);
    return err;
}

/* Interrupt lines lead to the IOAPIC only. By default they also reach the old
 * PIC, which our guest never programs and which would then deliver vectors of
 * its own. */
static int route_lines(struct kvm_vm *k, char why[REASON_MAX])
{
    struct {
        struct kvm_irq_routing head;
        struct kvm_irq_routing_entry entry[IOAPIC_PINS];
    } table = {.head.nr = IOAPIC_PINS};

    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        table.entry[pin].gsi = pin;
        table.entry[pin].type = KVM_IRQ_ROUTING_IRQCHIP;
        table.entry[pin].u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
        table.entry[pin].u.irqchip.pin = pin;
    }
    if (ioctl(k->vm_fd, KVM_SET_GSI_ROUTING, &table) < 0)
        return kvm_errno(why, "KVM_SET_GSI_ROUTING");
    return 0;
}

/* A VMCALL on AMD, or a VMMCALL on Intel, is an undefined opcode. By default
 * KVM instead writes the right one over it, and where it emulates ring 0, it
 * does so for ever. */
static void keep_hypercalls(struct kvm_vm *k)
{
    int known = ioctl(k->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_DISABLE_QUIRKS2);
    struct kvm_enable_cap quirks = {
        .cap = KVM_CAP_DISABLE_QUIRKS2,
        .args = {KVM_X86_QUIRK_FIX_HYPERCALL_INSN},
    };

    if (known > 0 && (known & KVM_X86_QUIRK_FIX_HYPERCALL_INSN))
        ioctl(k->vm_fd, KVM_ENABLE_CAP, &quirks);
}

static int create_vm(struct kvm_vm *k, char why[REASON_MAX])
{
    struct kvm_userspace_memory_region ram = {
        .memory_size = k->vm.ram->size,
        .userspace_addr = (uintptr_t)k->vm.ram->host,
    };
    struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
    struct kvm_enable_cap failures = {
        .cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE,
        .args = {1},
    };

    k->vm_fd = ioctl(k->kvm_fd, KVM_CREATE_VM, 0);
    if (k->vm_fd < 0)
        return kvm_errno(why, "KVM_CREATE_VM");
    if (ioctl(k->vm_fd, KVM_SET_TSS_ADDR, TSS_GPA) < 0)
        return kvm_errno(why, "KVM_SET_TSS_ADDR");
    if (ioctl(k->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
        return kvm_errno(why, "KVM_CREATE_IRQCHIP");
    if (ioctl(k->vm_fd, KVM_SET_USER_MEMORY_REGION, &ram) < 0)
        return kvm_errno(why, "KVM_SET_USER_MEMORY_REGION");
    /* Both optional: without a PIT the guest needs tsc_khz; without the
     * capability KVM answers a failure in user mode with #UD. */
    ioctl(k->vm_fd, KVM_CREATE_PIT2, &pit);
    ioctl(k->vm_fd, KVM_ENABLE_CAP, &failures);
    keep_hypercalls(k);
    return route_lines(k, why);
}

/* The guest reads the host's TSC where KVM lets us say so. Where it doesn't,
 * differences are right all the same. */
static void zero_tsc_offset(struct kvm_vm *k)
{
    uint64_t offset = 0;
    struct kvm_device_attr attr = {
        .group = KVM_VCPU_TSC_CTRL,
        .attr = KVM_VCPU_TSC_OFFSET,
        .addr = (uintptr_t)&offset,
    };

    ioctl(k->vcpu_fd, KVM_SET_DEVICE_ATTR, &attr);
}

static int create_vcpu(struct kvm_vm *k, char why[REASON_MAX])
{
    int size = ioctl(k->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0), khz, err;

    if (size < (int)sizeof(struct kvm_run))
        return kvm_errno(why, "KVM_GET_VCPU_MMAP_SIZE");
    k->vcpu_fd = ioctl(k->vm_fd, KVM_CREATE_VCPU, 0);
    if (k->vcpu_fd < 0)
        return kvm_errno(why, "KVM_CREATE_VCPU");
    k->run_size = size;
    k->run = mmap(NULL, k->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
                  k->vcpu_fd, 0);
    if (k->run == MAP_FAILED) {
        k->run = NULL;
        return kvm_errno(why, "mapping the vCPU");
    }
    khz = ioctl(k->vcpu_fd, KVM_GET_TSC_KHZ, 0);
    k->tsc_khz = khz > 0 ? khz : 0;
    err = kvm_set_cpuid(k, why);
    if (err)
        return err;
    zero_tsc_offset(k);
    return kvm_run_init(k, why);
}

static void kvm_destroy(struct vm *vm)
{
    struct kvm_vm *k = (struct kvm_vm *)vm;

    kvm_run_fini(k);
    kvm_trace_close(k);
    kvm_stats_close(k);
    if (k->run)
        munmap(k->run, k->run_size);
    if (k->vcpu_fd >= 0)
        close(k->vcpu_fd);
    if (k->vm_fd >= 0)
        close(k->vm_fd);
    if (k->kvm_fd >= 0)
        close(k->kvm_fd);
}

static const char *kvm_paging(void)
{
    const char *paging = kvm_probe_paging();

    return strcmp(paging, "ept") && strcmp(paging, "npt") ? paging : "nested";
}

static int check_options(const struct vm *vm, char why[REASON_MAX])
{
    if (vm->deterministic) {
        snprintf(why, REASON_MAX,
                 "kvm has no deterministic mode: it can't stop at a count of "
                 "instructions");
        return -ENOTSUP;
    }
    if (vm->paging && strcmp(vm->paging, kvm_paging())) {
        kvm_probe_say_paging(why);
        return -ENOTSUP;
    }
    return 0;
}

/* Of the options that begin with "kvm-" there is one: kvm-trace=on|off. */
static int parse_trace(const char *options, bool *trace, char why[REASON_MAX])
{
    *trace = false;
    for (; options && *options; options += *options == ',') {
        size_t len = strcspn(options, ",");

        if (len == 12 && !strncmp(options, "kvm-trace=on", len)) {
            *trace = true;
        } else if (!strncmp(options, "kvm-", 4) &&
                   !(len == 13 && !strncmp(options, "kvm-trace=off", len))) {
            snprintf(why, REASON_MAX, "kvm doesn't know the option \"%.*s\"",
                     (int)len, options);
            return -EINVAL;
        }
        options += len;
    }
    return 0;
}

static int kvm_create(struct vm *vm, char why[REASON_MAX])
{
    struct kvm_vm *k = (struct kvm_vm *)vm;
    bool trace;
    int err = check_options(vm, why);

    if (!err)
        err = parse_trace(vm->options, &trace, why);

    k->kvm_fd = k->vm_fd = k->vcpu_fd = -1;
    k->stats[0].fd = k->stats[1].fd = -1;
    if (err)
        return err;
    err = open_kvm(why);
    if (err < 0)
        return err;
    k->kvm_fd = err;
    err = check_caps(k->kvm_fd, why);
    if (!err)
        err = create_vm(k, why);
    if (!err)
        err = create_vcpu(k, why);
    if (!err && trace)
        err = kvm_trace_open(k, why);
    if (err) {
        kvm_destroy(vm);
        return err;
    }
    kvm_state_init(k);
    kvm_stats_open(k);
    return 0;
}

static int kvm_set_irq_line(struct vm *vm, unsigned pin, bool level)
{
    struct kvm_vm *k = (struct kvm_vm *)vm;
    struct kvm_irq_level line = {.irq = pin, .level = level};

    return ioctl(k->vm_fd, KVM_IRQ_LINE, &line) < 0 ? -errno : 0;
}

extern const struct backend backend_kvm;
const struct backend backend_kvm = {
    .name = "kvm",
    .summary = "the kernel's KVM through /dev/kvm, devices in this process",
    .class = BACKEND_VCPU,
    .caps = CAP_IRQCHIP | CAP_SANDBOX,
    .probe = kvm_probe,
    .paging = kvm_paging,
    .vm_size = sizeof(struct kvm_vm),
    .create = kvm_create,
    .destroy = kvm_destroy,
    .get_state = kvm_get_state,
    .set_state = kvm_set_state,
    .run = kvm_run,
    .kick = kvm_kick,
    .set_irq_line = kvm_set_irq_line,
    .sync_events = kvm_sync_events,
};
