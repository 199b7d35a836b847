/* The board: devices, address ranges, interrupt pins and timers, but no CPU. */
#ifndef TM_BOARD_H
#define TM_BOARD_H

#include "../backend.h"

struct board;
struct device;

struct addr_range {
    uint64_t base, size; /* size 0: unused */
};

/* What only the device that stands in for the CPU's own APIC offers. */
struct apic_ops {
    uint64_t (*get_tpr)(struct device *d); /* as CR8: 0..15 */
    void (*set_tpr)(struct device *d, uint64_t cr8);
    int (*ack)(struct device *d); /* as vm_bus.irq_ack */
    bool (*msr_read)(struct device *d, uint32_t msr, uint64_t *v);
    bool (*msr_write)(struct device *d, uint32_t msr, uint64_t v);
    /* An interrupt message from the bus. Fixed and lowest priority are
     * the same thing with one CPU. */
    void (*message)(struct device *d, uint32_t dest, bool logical,
                    uint8_t vector, bool level);
};

/* A kind of device: one row of device_table[]. All functions are optional. */
struct device_class {
    const char *name;
    size_t size; /* of its own struct, which begins with struct device */
    struct addr_range io[2], mmio;
    unsigned io_width; /* widest port access it takes; wider ones are split
                          into bytes, as the ISA bus does */
    bool irqchip; /* left out where the backend has interrupt controllers */

    /* The struct is zeroed but for its head. Negative errno: why. */
    int (*create)(struct device *d, char why[REASON_MAX]);
    void (*destroy)(struct device *d);

    /* addr is the port or guest physical address itself. */
    uint64_t (*io_read)(struct device *d, uint16_t addr, unsigned size);
    void (*io_write)(struct device *d, uint16_t addr, unsigned size,
                     uint64_t v);
    uint64_t (*mmio_read)(struct device *d, gpa_t addr, unsigned size);
    void (*mmio_write)(struct device *d, gpa_t addr, unsigned size, uint64_t v);

    /* Timers: the guest time of the next event (UINT64_MAX: none), and the
     * call that comes once now has reached it. After anything else moves the
     * deadline, call board_rearm(). */
    uint64_t (*deadline)(struct device *d);
    void (*expire)(struct device *d, uint64_t now);

    /* The I/O interrupt controller: a pin changed; a level-triggered vector
     * was completed. */
    void (*set_pin)(struct device *d, unsigned pin, bool level);
    void (*eoi)(struct device *d, uint8_t vector);

    const struct apic_ops *apic;
};

struct device {
    const struct device_class *class;
    struct board *board;
};

/* What the board wants from whoever embeds it (the machine; tests). */
struct board_host {
    uint64_t (*now)(void *opaque); /* guest time in ticks */
    /* An interrupt can be acknowledged, or no longer. */
    void (*attention)(void *opaque, bool deliverable);
    void (*deadline)(void *opaque, uint64_t when); /* earliest of all timers */
    void (*power_off)(void *opaque, int code);
    void (*doorbell)(void *opaque, uint32_t value);
    void (*serial)(void *opaque, uint8_t byte);
    /* Optional: a device wrote [gpa, gpa + len) of RAM. */
    void (*ram_written)(void *opaque, gpa_t gpa, uint64_t len);
    /* NULL: the board's own I/O APIC gets the pins. */
    void (*set_irq_line)(void *opaque, unsigned pin, bool level);
};

#define BOARD_DEVICES 16

struct board {
    /* Filled by the owner before board_create(). */
    const struct board_host *host;
    void *opaque; /* first argument of the host's functions */
    struct guest_ram *ram;
    const char *disk; /* raw file, or NULL */
    uint64_t tsc_khz; /* rate of guest time */

    struct device *device[BOARD_DEVICES];
    unsigned count;
    struct device *apic, *ioapic; /* of these, or NULL */
    uint8_t *port_owner;          /* 65536 indexes into device[], plus 1 */
};

/* NULL-terminated; devices/table.c. */
extern const struct device_class *const device_table[];

/* Creates the devices of a table, in order; irqchip says whether those marked so
 * belong to the board. On error nothing is left behind. */
int board_create(struct board *b, const struct device_class *const *table,
                 bool irqchip, char why[REASON_MAX]);
void board_destroy(struct board *b);

/* The address space. Nobody home: ones, or nothing. */
uint64_t board_io_read(struct board *b, uint16_t port, unsigned size);
void board_io_write(struct board *b, uint16_t port, unsigned size, uint64_t v);
uint64_t board_mmio_read(struct board *b, gpa_t gpa, unsigned size);
void board_mmio_write(struct board *b, gpa_t gpa, unsigned size, uint64_t v);

/* Runs every timer that is due and tells the host the next deadline. */
void board_expire(struct board *b);
/* Tells the host the earliest deadline. */
void board_rearm(struct board *b);

/* A device wrote these bytes of RAM: say so. */
void board_ram_written(struct board *b, const void *host, uint64_t len);

/* Interrupt routing. */
void board_set_pin(struct board *b, unsigned pin, bool level);
void board_message(struct board *b, uint32_t dest, bool logical, uint8_t vector,
                   bool level);
void board_eoi(struct board *b, uint8_t vector);

static inline uint64_t board_now(struct board *b)
{
    return b->host->now(b->opaque);
}

/* Guest ticks as periods of a clock of hz, rounded down, and the first tick at
 * which n periods have passed. */
static inline uint64_t board_periods(const struct board *b, uint64_t ticks,
                                     uint64_t hz)
{
    return (unsigned __int128)ticks * hz / (b->tsc_khz * 1000);
}

static inline uint64_t board_ticks(const struct board *b, uint64_t n,
                                   uint64_t hz)
{
    return ((unsigned __int128)n * (b->tsc_khz * 1000) + hz - 1) / hz;
}

/* Size bytes of ones, and v cut to size bytes. */
static inline uint64_t bus_ones(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (1ull << (8 * size)) - 1;
}

#endif
