/* QEMU's microvm with the same image: once by translation, once on KVM. */
#include "../../guest/abi/abi.h"
#include "argv.h"
#include "foreign.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QEMU "qemu-system-x86_64"
#define DEFAULT_RAM_MIB 128

static int qemu_error;
static char qemu_why[REASON_MAX];

static void look_for_microvm(void)
{
    FILE *list = popen("exec " QEMU " -M help 2>/dev/null", "re");
    char line[256];
    bool answered = false, found = false;

    qemu_error = -ENOENT;
    if (!list) {
        snprintf(qemu_why, REASON_MAX, "cannot start a process: %s",
                 strerror(errno));
        return;
    }
    while (fgets(line, sizeof(line), list)) {
        answered = true;
        if (!strncmp(line, "microvm ", 8))
            found = true;
    }
    pclose(list);
    if (found)
        qemu_error = 0;
    else if (answered)
        snprintf(qemu_why, REASON_MAX, QEMU " has no machine microvm");
    else
        snprintf(qemu_why, REASON_MAX,
                 QEMU " is not installed; apt-get install qemu-system-x86");
}

static int qemu_probe(char why[REASON_MAX])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, look_for_microvm);
    if (qemu_error)
        snprintf(why, REASON_MAX, "%s", qemu_why);
    return qemu_error;
}

/* Both use the same KVM, so what is known of ours holds for QEMU's. */
static int qemu_kvm_probe(char why[REASON_MAX])
{
    const struct backend *kvm = backend_find("kvm");
    int err = qemu_probe(why);

    if (err || !kvm)
        return err;
    return kvm->probe(why);
}

static const char *qemu_tcg_paging(void)
{
    return "qemu softmmu";
}

static const char *qemu_kvm_paging(void)
{
    const struct backend *kvm = backend_find("kvm");

    return kvm ? kvm->paging() : "unknown";
}

/* In QEMU's comma-separated option syntax a comma is written twice. */
static char *double_commas(const char *text)
{
    char *out = malloc(2 * strlen(text) + 1), *to = out;

    if (!out)
        return NULL;
    for (; *text; text++) {
        if (*text == ',')
            *to++ = ',';
        *to++ = *text;
    }
    *to = 0;
    return out;
}

static void add_disk(struct argv *a, const char *path)
{
    char *file = double_commas(path);

    if (!file) {
        a->failed = true;
        return;
    }
    argv_add(a, "-drive");
    argv_add(a, "if=none,id=disk,format=raw,file=%s", file);
    argv_add(a, "-device");
    argv_add(a, "virtio-blk-device,drive=disk,bus=virtio-mmio-bus.0");
    free(file);
}

static char **qemu_command(const struct foreign_job *job, const char *accel,
                           const char *cpu, char why[REASON_MAX])
{
    uint64_t mib = job->ram_size >> 20;
    struct argv a = {0};
    char **argv;

    argv_add(&a, QEMU);
    argv_add(&a, "-no-user-config");
    argv_add(&a, "-nodefaults");
    argv_add(&a, "-no-reboot"); /* a triple fault ends it */
    argv_add(&a, "-display");
    argv_add(&a, "none");
    argv_add(&a, "-M");
    /* One IOAPIC with the lines of abi.h; an old-style PIT so that a guest
     * without tsc_khz can measure; nothing added to the command line. */
    argv_add(&a, "microvm,acpi=off,pic=off,pit=on,rtc=off,isa-serial=on,"
                 "ioapic2=off,pcie=off,usb=off,auto-kernel-cmdline=off");
    argv_add(&a, "-global");
    argv_add(&a, "virtio-mmio.force-legacy=false");
    argv_add(&a, "-accel");
    argv_add(&a, "%s", accel);
    argv_add(&a, "-cpu");
    argv_add(&a, "%s", cpu);
    argv_add(&a, "-m");
    argv_add(&a, "%lluM", (unsigned long long)(mib ? mib : DEFAULT_RAM_MIB));
    argv_add(&a, "-chardev");
    argv_add(&a, "stdio,id=com1,signal=off");
    argv_add(&a, "-serial");
    argv_add(&a, "chardev:com1");
    argv_add(&a, "-device");
    argv_add(&a, "isa-debug-exit,iobase=0x%x,iosize=0x04", TM_PORT_EXIT);
    argv_add(&a, "-kernel");
    argv_add(&a, "%s", job->kernel);
    if (job->initrd) {
        argv_add(&a, "-initrd");
        argv_add(&a, "%s", job->initrd);
    }
    argv_add(&a, "-append");
    argv_add(&a, "%s", job->cmdline ? job->cmdline : "");
    if (job->disk)
        add_disk(&a, job->disk);
    argv = argv_take(&a);
    if (!argv)
        snprintf(why, REASON_MAX, "out of memory");
    return argv;
}

static char **qemu_tcg_command(const struct foreign_job *job,
                               char why[REASON_MAX])
{
    return qemu_command(job, "tcg,thread=single", "max", why);
}

/* QEMU copies IA32_ARCH_CAPABILITIES into the guest and aborts on a KVM that
 * lists this MSR but won't set it (kvm_pvm). The guest doesn't read it. */
static char **qemu_kvm_command(const struct foreign_job *job,
                               char why[REASON_MAX])
{
    return qemu_command(job, "kvm", "max,arch-capabilities=off", why);
}

extern const struct backend backend_qemu_tcg, backend_qemu_kvm;

const struct backend backend_qemu_tcg = {
    .name = "qemu-tcg",
    .summary = "QEMU's microvm by dynamic translation (TCG)",
    .class = BACKEND_FOREIGN,
    .probe = qemu_probe,
    .paging = qemu_tcg_paging,
    .command = qemu_tcg_command,
};

const struct backend backend_qemu_kvm = {
    .name = "qemu-kvm",
    .summary = "QEMU's microvm on the kernel's KVM",
    .class = BACKEND_FOREIGN,
    .probe = qemu_kvm_probe,
    .paging = qemu_kvm_paging,
    .command = qemu_kvm_command,
};
