/* KVM's own counters (KVM_GET_STATS_FD) under our event names. */
#include "kvm.h"
#include "probe.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Several counters may add up to one event. Not here: io_exits and mmio_exits,
 * which the bus counts where they arrive; pf_taken, which is the sum of pf_*;
 * insn_emulation_fail, which ends the run. */
static const struct {
    const char *name; /* KVM's */
    enum tm_event event;
} stat_events[] = {
    {"exits", EV_EXIT_TOTAL},
    {"insn_emulation", EV_EXIT_EMULATED},
    {"hypercalls", EV_EXIT_HYPERCALL},
    {"halt_exits", EV_EXIT_HLT},
    {"irq_exits", EV_EXIT_INTERRUPT},
    {"signal_exits", EV_EXIT_SIGNAL},
    {"invlpg", EV_EXIT_INVLPG},
    {"irq_window_exits", EV_EXIT_VINTR},
    {"nmi_window_exits", EV_EXIT_OTHER},
    {"request_irq_exits", EV_EXIT_OTHER},
    {"notify_window_exits", EV_EXIT_OTHER},
    {"pf_guest", EV_FAULT_TRUE},       /* passed on to the guest */
    {"pf_fixed", EV_FAULT_HIDDEN},     /* a shadow or nested entry was filled */
    {"mmu_pte_write", EV_FAULT_TRACE}, /* a shadowed table was written */
    {"tlb_flush", EV_TLB_FLUSH},
    {"irq_injections", EV_INTERRUPT},
};
#define STAT_EVENTS (sizeof(stat_events) / sizeof(stat_events[0]))
_Static_assert(STAT_EVENTS <= KVM_STATS_MAX, "room for every counter");

/* mmu_pte_write counts every write that KVM emulates while shadow tables exist.
 * Those are the writes to traced tables, unless ring 0 is emulated as a whole:
 * then they are all its stores. */
static bool misleading(const char *name)
{
    return !strcmp(name, "mmu_pte_write") &&
           !strcmp(kvm_probe_module(), "kvm_pvm");
}

static void add_row(struct kvm_stats *s, const struct kvm_stats_desc *d,
                    uint32_t data_offset)
{
    for (size_t i = 0; i < STAT_EVENTS; i++) {
        if (d->size != 1 || strcmp(d->name, stat_events[i].name) ||
            misleading(d->name))
            continue;
        s->row[s->count].event = stat_events[i].event;
        s->row[s->count].offset = data_offset + d->offset;
        s->count++;
        return;
    }
}

void kvm_stats_find_rows(struct kvm_stats *s)
{
    struct kvm_stats_header head;
    size_t desc_size, size;
    char *descs;

    if (pread(s->fd, &head, sizeof(head), 0) != sizeof(head))
        return;
    desc_size = sizeof(struct kvm_stats_desc) + head.name_size;
    size = desc_size * head.num_desc;
    descs = malloc(size);
    if (descs && pread(s->fd, descs, size, head.desc_offset) == (ssize_t)size)
        for (uint32_t i = 0; i < head.num_desc && s->count < KVM_STATS_MAX; i++)
            add_row(s, (void *)(descs + i * desc_size), head.data_offset);
    free(descs);
}

static void open_one(struct kvm_stats *s, int owner)
{
    s->fd = ioctl(owner, KVM_GET_STATS_FD, NULL);
    if (s->fd >= 0)
        kvm_stats_find_rows(s);
}

static void read_sums(const struct kvm_vm *k, uint64_t sum[EV_COUNT])
{
    memset(sum, 0, EV_COUNT * sizeof(sum[0]));
    for (int f = 0; f < 2; f++) {
        const struct kvm_stats *s = &k->stats[f];
        uint32_t begin = UINT32_MAX, end = 0;
        uint64_t value[512];

        /* One read spans all rows: it is a copy of the kernel's struct. */
        for (unsigned i = 0; i < s->count; i++) {
            if (s->row[i].offset < begin)
                begin = s->row[i].offset;
            if (s->row[i].offset + 8 > end)
                end = s->row[i].offset + 8;
        }
        if (!s->count || end - begin > sizeof(value) ||
            pread(s->fd, value, end - begin, begin) != end - begin)
            continue;
        for (unsigned i = 0; i < s->count; i++)
            sum[s->row[i].event] += value[(s->row[i].offset - begin) / 8];
    }
}

void kvm_stats_open(struct kvm_vm *k)
{
    open_one(&k->stats[0], k->vcpu_fd);
    open_one(&k->stats[1], k->vm_fd);
    read_sums(k, k->stats_base);
}

void kvm_stats_close(struct kvm_vm *k)
{
    for (int f = 0; f < 2; f++)
        if (k->stats[f].fd >= 0)
            close(k->stats[f].fd);
}

/* A write to a traced table shows as an emulated write or, where KVM lets the
 * table go out of sync instead, as a page fault that it has fixed. */
static void split_faults(uint64_t count[EV_COUNT])
{
    uint64_t unsync = count[EV_SHADOW_UNSYNC];

    if (unsync > count[EV_FAULT_HIDDEN])
        unsync = count[EV_FAULT_HIDDEN];
    count[EV_FAULT_TRACE] += unsync;
    count[EV_FAULT_HIDDEN] -= unsync;
}

void kvm_sync_events(struct vm *vm)
{
    struct kvm_vm *k = (struct kvm_vm *)vm;
    uint64_t sum[EV_COUNT];

    read_sums(k, sum);
    for (size_t i = 0; i < STAT_EVENTS; i++) {
        enum tm_event e = stat_events[i].event;

        vm->events.count[e] = sum[e] - k->stats_base[e];
    }
    if (kvm_trace_read(k, vm->events.count))
        split_faults(vm->events.count);
}
