/* Exits by reason and the shadow MMU's work, counted by perf on KVM's
 * tracepoints. */
#include "guest/abi/abi.h"
#include "kvm.h"
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A counter is a tracepoint and a filter over its fields, in the kernel's own
 * syntax. Those of one event add up; exits that no row claims are exit.other.
 *
 * Where the device window lies: guest-physical, which is what a nested fault
 * names, and guest-virtual, which is what a page fault names. */
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define HOLE_FIRST "0xc0000000" /* RAM ends here at the latest */
#define HOLE_LAST "0xffffffff"
#define WINDOW TEXT(TM_MMIO_VIRT) /* device memory at gpa g: WINDOW + g */
#define WINDOW_LAST "0xfffff000ffffffff"
#define IN_WINDOW(field)                                                       \
    "(" field " >= " WINDOW " && " field " <= " WINDOW_LAST ")"
#define NOT_IN_WINDOW(field)                                                   \
    "(" field " < " WINDOW " || " field " > " WINDOW_LAST ")"

/* exit_reason of SVM: APM volume 2, appendix C. info2 is EXITINFO2, the address
 * of a page fault or nested page fault. */
#define SVM_PF "exit_reason == 0x4e"
#define SVM_NPF "exit_reason == 0x400"
static const struct kvm_trace_row svm_rows[] = {
    {EV_EXIT_CR, "kvm/kvm_exit", "exit_reason < 0x20 || exit_reason == 0x65"},
    {EV_EXIT_EXCEPTION, "kvm/kvm_exit",
     "exit_reason >= 0x40 && exit_reason < 0x60 && exit_reason != 0x4e"},
    {EV_EXIT_PF, "kvm/kvm_exit", SVM_PF " && " NOT_IN_WINDOW("info2")},
    {EV_EXIT_NPF, "kvm/kvm_exit",
     SVM_NPF " && (info2 < " HOLE_FIRST " || info2 > " HOLE_LAST ")"},
    {EV_EXIT_MMIO, "kvm/kvm_exit",
     "(" SVM_PF " && " IN_WINDOW("info2") ") || (" SVM_NPF
                                          " && info2 >= " HOLE_FIRST
                                          " && info2 <= " HOLE_LAST ")"},
    {EV_EXIT_INTERRUPT, "kvm/kvm_exit",
     "exit_reason == 0x60 || exit_reason == 0x61"},
    {EV_EXIT_VINTR, "kvm/kvm_exit", "exit_reason == 0x64"},
    {EV_EXIT_DESC, "kvm/kvm_exit",
     "exit_reason >= 0x66 && exit_reason <= 0x6d"},
    {EV_EXIT_RDTSC, "kvm/kvm_exit",
     "exit_reason == 0x6e || exit_reason == 0x87"},
    {EV_EXIT_IF, "kvm/kvm_exit", "exit_reason == 0x70 || exit_reason == 0x71"},
    {EV_EXIT_CPUID, "kvm/kvm_exit", "exit_reason == 0x72"},
    {EV_EXIT_IRET, "kvm/kvm_exit", "exit_reason == 0x74"},
    {EV_EXIT_HLT, "kvm/kvm_exit", "exit_reason == 0x78"},
    {EV_EXIT_INVLPG, "kvm/kvm_exit",
     "exit_reason == 0x79 || exit_reason == 0xa2"},
    {EV_EXIT_IO, "kvm/kvm_exit", "exit_reason == 0x7b"},
    {EV_EXIT_MSR, "kvm/kvm_exit", "exit_reason == 0x7c"},
    {EV_EXIT_HYPERCALL, "kvm/kvm_exit", "exit_reason == 0x81"},
};

/* exit_reason of VT-x: SDM volume 3, appendix C. intr_info is the interruption
 * information field (24.9.2), info1 the exit qualification, which is the
 * address of a page fault (27.2.1). */
#define VMX_PF "exit_reason == 0 && intr_info == 0x80000b0e"
#define VMX_NMI "exit_reason == 0 && intr_info == 0x80000202"
static const struct kvm_trace_row vmx_rows[] = {
    {EV_EXIT_EXCEPTION, "kvm/kvm_exit",
     "exit_reason == 0 && intr_info != 0x80000b0e && intr_info != 0x80000202"},
    {EV_EXIT_PF, "kvm/kvm_exit", VMX_PF " && " NOT_IN_WINDOW("info1")},
    {EV_EXIT_NPF, "kvm/kvm_exit", "exit_reason == 48"},
    {EV_EXIT_MMIO, "kvm/kvm_exit",
     "exit_reason == 49 || (" VMX_PF " && " IN_WINDOW("info1") ")"},
    {EV_EXIT_INTERRUPT, "kvm/kvm_exit", "exit_reason == 1 || (" VMX_NMI ")"},
    {EV_EXIT_VINTR, "kvm/kvm_exit", "exit_reason == 7"},
    {EV_EXIT_CPUID, "kvm/kvm_exit", "exit_reason == 10"},
    {EV_EXIT_HLT, "kvm/kvm_exit", "exit_reason == 12"},
    {EV_EXIT_INVLPG, "kvm/kvm_exit", "exit_reason == 14 || exit_reason == 58"},
    {EV_EXIT_RDTSC, "kvm/kvm_exit", "exit_reason == 16 || exit_reason == 51"},
    {EV_EXIT_HYPERCALL, "kvm/kvm_exit", "exit_reason == 18"},
    {EV_EXIT_CR, "kvm/kvm_exit", "exit_reason == 28"},
    {EV_EXIT_IO, "kvm/kvm_exit", "exit_reason == 30"},
    {EV_EXIT_MSR, "kvm/kvm_exit", "exit_reason == 31 || exit_reason == 32"},
    {EV_EXIT_DESC, "kvm/kvm_exit", "exit_reason == 46 || exit_reason == 47"},
};

/* Nested paging leaves most of these at 0. */
static const struct kvm_trace_row mmu_rows[] = {
    {EV_SHADOW_CREATE, "kvmmmu/kvm_mmu_get_page", "created == 1"},
    {EV_SHADOW_UNSYNC, "kvmmmu/kvm_mmu_unsync_page", NULL},
    {EV_SHADOW_SYNC, "kvmmmu/kvm_mmu_sync_page", NULL},
    {EV_SHADOW_ZAP, "kvmmmu/kvm_mmu_prepare_zap_page", NULL},
};

static const struct kvm_trace_row total_row = {EV_EXIT_TOTAL, "kvm/kvm_exit",
                                               NULL};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
_Static_assert(1 + COUNT(svm_rows) + COUNT(mmu_rows) <= KVM_TRACE_MAX &&
                   1 + COUNT(vmx_rows) + COUNT(mmu_rows) <= KVM_TRACE_MAX,
               "room for every counter");

const struct kvm_trace_row *kvm_trace_rows(const char *module, size_t *count)
{
    if (!strcmp(module, "kvm_amd")) {
        *count = COUNT(svm_rows);
        return svm_rows;
    }
    if (!strcmp(module, "kvm_intel")) {
        *count = COUNT(vmx_rows);
        return vmx_rows;
    }
    *count = 0;
    return NULL;
}

/* Where tracefs is mounted, if it is. */
static const char *tracefs(void)
{
    static const char *const places[] = {"/sys/kernel/tracing",
                                         "/sys/kernel/debug/tracing"};
    char path[64];

    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/events", places[i]);
        if (!access(path, X_OK))
            return places[i];
    }
    return NULL;
}

/* The number of a tracepoint, or negative errno. */
static int tracepoint_id(const char *name)
{
    const char *root = tracefs();
    char path[128];
    int id = -EIO;
    FILE *f;

    if (!root)
        return -ENOENT;
    snprintf(path, sizeof(path), "%s/events/%s/id", root, name);
    f = fopen(path, "re");
    if (!f)
        return -errno;
    if (fscanf(f, "%d", &id) != 1)
        id = -EIO;
    fclose(f);
    return id;
}

static int open_counter(struct kvm_trace *t, const struct kvm_trace_row *row)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_TRACEPOINT,
        .size = sizeof(attr),
        .read_format = PERF_FORMAT_GROUP,
    };
    int id = tracepoint_id(row->tracepoint), fd;

    if (id < 0)
        return id;
    attr.config = id;
    fd = syscall(SYS_perf_event_open, &attr, 0, -1, t->count ? t->fd[0] : -1,
                 PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (row->filter && ioctl(fd, PERF_EVENT_IOC_SET_FILTER, row->filter)) {
        int err = -errno;

        close(fd);
        return err;
    }
    t->event[t->count] = row->event;
    t->fd[t->count++] = fd;
    return 0;
}

static const char *reason_of(int err)
{
    switch (err) {
    case -ENOENT:
        return tracefs() ? "this kernel lacks one of them"
                         : "tracefs is not mounted (mount -t tracefs nodev "
                           "/sys/kernel/tracing)";
    case -EACCES:
    case -EPERM:
        return "only root may count them (or kernel.perf_event_paranoid=-1)";
    case -EINVAL:
        return "their fields have other names in this kernel";
    default:
        return strerror(-err);
    }
}

int kvm_trace_open(struct kvm_vm *k, char why[REASON_MAX])
{
    const char *module = kvm_probe_module();
    struct kvm_trace *t = &k->trace;
    const struct kvm_trace_row *rows;
    size_t count;
    int err;

    rows = kvm_trace_rows(module, &count);
    if (!rows) {
        snprintf(why, REASON_MAX, "%s has no exit reasons of VT-x or SVM",
                 module);
        return -ENOTSUP;
    }
    err = open_counter(t, &total_row);
    for (size_t i = 0; !err && i < count; i++)
        err = open_counter(t, &rows[i]);
    if (err) {
        snprintf(why, REASON_MAX, "KVM's tracepoints: %s", reason_of(err));
        kvm_trace_close(k);
        return err;
    }
    t->exits = t->count;
    /* Not every kernel has these; a row more or less changes no other. */
    for (size_t i = 0; i < COUNT(mmu_rows); i++)
        open_counter(t, &mmu_rows[i]);
    return 0;
}

void kvm_trace_close(struct kvm_vm *k)
{
    /* Members before their leader. */
    while (k->trace.count)
        close(k->trace.fd[--k->trace.count]);
}

/* All at once: the group's counts as of one moment. */
bool kvm_trace_read(struct kvm_vm *k, uint64_t count[EV_COUNT])
{
    const struct kvm_trace *t = &k->trace;
    uint64_t value[1 + KVM_TRACE_MAX], known = 0;
    ssize_t size = (1 + t->count) * sizeof(value[0]);

    if (!t->count || read(t->fd[0], value, size) != size)
        return false;
    for (unsigned i = 0; i < t->count; i++)
        count[t->event[i]] = 0;
    for (unsigned i = 0; i < t->count; i++) {
        count[t->event[i]] += value[1 + i];
        if (i && i < t->exits)
            known += value[1 + i];
    }
    count[EV_EXIT_OTHER] = count[EV_EXIT_TOTAL] - known;
    return true;
}
