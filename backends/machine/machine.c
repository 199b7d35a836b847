/* Putting a machine together, and taking it apart. */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MACHINE_RAM_DEFAULT (128ull << 20)
#define MACHINE_DETERMINISTIC_KHZ 1000000 /* an instruction a nanosecond */

/* ---- The board's view of the machine ------------------------------------- */

static void host_attention(void *opaque, bool deliverable)
{
    struct vm *vm = ((struct machine *)opaque)->vm;

    if (!!(vm->attention & ATTN_IRQ) == deliverable)
        return; /* only this thread changes the bit; spare it the lock */
    if (deliverable)
        __atomic_fetch_or(&vm->attention, ATTN_IRQ, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&vm->attention, ~ATTN_IRQ, __ATOMIC_SEQ_CST);
}

static void host_deadline(void *opaque, uint64_t when)
{
    ((struct machine *)opaque)->vm->deadline = when;
}

static void host_power_off(void *opaque, int code)
{
    struct machine *m = opaque;

    if (m->off)
        return; /* the first word counts */
    m->off = true;
    m->exit_code = code;
    m->vm->backend->kick(m->vm);
}

static void host_doorbell(void *opaque, uint32_t value)
{
    region_doorbell(opaque, value);
}

static void host_serial(void *opaque, uint8_t byte)
{
    line_put(opaque, byte);
}

static void host_ram_written(void *opaque, gpa_t gpa, uint64_t len)
{
    struct vm *vm = ((struct machine *)opaque)->vm;

    if (vm->backend->ram_written)
        vm->backend->ram_written(vm, gpa, len);
}

static void host_set_irq_line(void *opaque, unsigned pin, bool level)
{
    struct vm *vm = ((struct machine *)opaque)->vm;

    vm->backend->set_irq_line(vm, pin, level);
}

static const struct board_host host_own_irqchip = {
    .now = clock_now,
    .attention = host_attention,
    .deadline = host_deadline,
    .power_off = host_power_off,
    .doorbell = host_doorbell,
    .serial = host_serial,
    .ram_written = host_ram_written,
};

static const struct board_host host_backend_irqchip = {
    .now = clock_now,
    .attention = host_attention,
    .deadline = host_deadline,
    .power_off = host_power_off,
    .doorbell = host_doorbell,
    .serial = host_serial,
    .ram_written = host_ram_written,
    .set_irq_line = host_set_irq_line,
};

/* ---- Life --------------------------------------------------------------- */

static int machine_create_vm(struct machine *m, char why[REASON_MAX])
{
    const struct backend *be = m->config.backend;
    struct vm *vm;
    int r;

    if (!be || be->class != BACKEND_VCPU) {
        snprintf(why, REASON_MAX, "backend %s has no vCPU",
                 be ? be->name : "(none)");
        return -EINVAL;
    }
    if (m->config.deterministic && !(be->caps & CAP_DETERMINISTIC)) {
        snprintf(why, REASON_MAX, "backend %s has no deterministic mode",
                 be->name);
        return -ENOTSUP;
    }
    /* A backend may align its struct for SSE state. */
    if (posix_memalign((void **)&vm, 64, be->vm_size)) {
        snprintf(why, REASON_MAX, "out of memory for the vCPU");
        return -ENOMEM;
    }
    memset(vm, 0, be->vm_size);
    m->vm = vm;
    vm->backend = be;
    vm->ram = &m->ram;
    vm->bus = &m->bus;
    vm->paging = m->config.paging;
    vm->options = m->config.options;
    vm->deterministic = m->config.deterministic;
    vm->tsc_khz = m->tsc_khz;
    vm->deadline = UINT64_MAX;
    vm->limit = UINT64_MAX;
    r = be->create(vm, why);
    m->vm_created = r == 0;
    return r;
}

/* Everything but the image. A machine that fails half-way is destroyed. */
static struct machine *machine_assemble(const struct machine_config *config,
                                        const struct device_class *const *table,
                                        char why[REASON_MAX])
{
    struct machine *m = calloc(1, sizeof(*m));
    bool irqchip;

    why[0] = '\0';
    if (!m) {
        snprintf(why, REASON_MAX, "out of memory");
        return NULL;
    }
    m->config = *config;
    m->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (m->wake_fd < 0) {
        snprintf(why, REASON_MAX, "eventfd: %s", strerror(errno));
        goto fail;
    }
    if (line_create(&m->line) < 0) {
        snprintf(why, REASON_MAX, "out of memory");
        goto fail;
    }
    if (ram_create(&m->ram, config->ram_size, why) < 0)
        goto fail;
    m->bus = machine_bus;
    m->bus.opaque = m;
    m->tsc_khz = config->deterministic ? MACHINE_DETERMINISTIC_KHZ
                 : config->tsc_khz     ? config->tsc_khz
                                       : clock_measure_tsc_khz();
    if (machine_create_vm(m, why) < 0)
        goto fail;

    irqchip = config->backend->caps & CAP_IRQCHIP;
    m->board.host = irqchip ? &host_backend_irqchip : &host_own_irqchip;
    m->board.opaque = m;
    m->board.ram = &m->ram;
    m->board.disk = config->disk;
    m->board.tsc_khz = m->tsc_khz;
    if (board_create(&m->board, table, !irqchip, why) < 0)
        goto fail;
    return m;

fail:
    machine_destroy(m);
    return NULL;
}

struct machine *machine_create(const struct machine_config *config,
                               char why[REASON_MAX])
{
    struct machine_config c = *config;
    struct x86_state state;
    struct machine *m;
    int r;

    if (!c.ram_size)
        c.ram_size = MACHINE_RAM_DEFAULT;
    m = machine_assemble(&c, device_table, why);
    if (!m)
        return NULL;
    if (boot_load(m, &state, why) < 0)
        goto fail;
    r = c.backend->set_state(m->vm, &state);
    if (r < 0) {
        snprintf(why, REASON_MAX, "backend %s refuses the boot state: %s",
                 c.backend->name, strerror(-r));
        goto fail;
    }
    /* An idle vCPU sleeps on this thread; the kernel's 50 us of timer slack
     * would be measured as the cost of a halt. */
    prctl(PR_SET_TIMERSLACK, 1);
    return m;

fail:
    machine_destroy(m);
    return NULL;
}

struct machine *machine_create_bare(const struct backend *backend,
                                    uint64_t ram_size, bool deterministic,
                                    char why[REASON_MAX])
{
    return machine_create_bare_with(backend, ram_size, deterministic, NULL,
                                    NULL, why);
}

struct machine *machine_create_bare_with(const struct backend *backend,
                                         uint64_t ram_size, bool deterministic,
                                         const char *paging,
                                         const char *options,
                                         char why[REASON_MAX])
{
    static const struct device_class *const nothing[] = {NULL};
    const struct machine_config config = {
        .backend = backend,
        .ram_size = ram_size,
        .deterministic = deterministic,
        .paging = paging,
        .options = options,
    };

    return machine_assemble(&config, nothing, why);
}

void machine_stop(struct machine *m)
{
    const uint64_t one = 1;
    int saved = errno; /* this may be a signal handler */

    m->stop = 1;
    m->vm->backend->kick(m->vm);
    /* Fails only where it is already readable. */
    if (write(m->wake_fd, &one, sizeof(one)) < 0)
        errno = saved;
    errno = saved;
}

struct vm *machine_vm(struct machine *m)
{
    return m->vm;
}

void machine_destroy(struct machine *m)
{
    if (!m)
        return;
    if (m->board.port_owner)
        board_destroy(&m->board);
    if (m->vm_created)
        m->config.backend->destroy(m->vm);
    free(m->vm);
    ram_destroy(&m->ram);
    line_destroy(&m->line);
    if (m->wake_fd >= 0)
        close(m->wake_fd);
    free(m);
}
