/* What the files of machine/ share: struct machine and its parts. */
#ifndef TM_MACHINE_INTERNAL_H
#define TM_MACHINE_INTERNAL_H

#include "board.h"
#include "machine.h"

#include <x86intrin.h>

/* COM1, cut into lines. */
struct line_buffer {
    char *text; /* MACHINE_LINE_MAX + 1 bytes */
    size_t len; /* of the line so far, as far as it fits */
};

/* The measured region that is open, if any. */
struct region {
    uint32_t kind; /* 0, TM_DB_KERNEL_BEGIN or TM_DB_CONTROL_BEGIN */
    struct event_counters events; /* at its begin */
    uint64_t tsc;                 /* at its begin */
};

struct machine {
    struct machine_config config;
    struct guest_ram ram;
    struct vm_bus bus;
    struct board board;
    struct vm *vm;
    bool vm_created;
    uint64_t tsc_khz; /* rate of guest time */
    uint64_t skipped; /* deterministic: ticks that passed while halted */
    int wake_fd;      /* eventfd: ends an idle sleep */
    volatile int stop;
    bool off; /* a device asked for power-off */
    int exit_code;
    bool uncharged; /* the access in progress is our own overhead */
    struct line_buffer line;
    struct region region;
    struct machine_result *result; /* of the run in progress */
};

/* ram.c */
int ram_create(struct guest_ram *ram, uint64_t size, char why[REASON_MAX]);
void ram_destroy(struct guest_ram *ram);

/* bus.c */
extern const struct vm_bus machine_bus;

/* line.c */
int line_create(struct line_buffer *l);
void line_destroy(struct line_buffer *l);
void line_put(struct machine *m, uint8_t byte);
void line_flush(struct machine *m);

/* region.c: what the doorbell does. */
void region_doorbell(struct machine *m, uint32_t value);

/* elf.c: a guest kernel image, checked. */
struct elf_image {
    const char *path;
    uint8_t *data;
    uint64_t size;
};

int elf_open(struct elf_image *img, const char *path, char why[REASON_MAX]);
void elf_close(struct elf_image *img);
/* Copies the segments; *entry is a physical address, *end the first byte behind
 * the image. */
int elf_load(const struct elf_image *img, struct guest_ram *ram,
             uint64_t *entry, uint64_t *end, char why[REASON_MAX]);

/* boot.c: everything the guest finds at its first instruction. */
int boot_load(struct machine *m, struct x86_state *s, char why[REASON_MAX]);

/* clock.c */
uint64_t clock_measure_tsc_khz(void);
uint64_t clock_now(void *opaque); /* struct machine */
/* Let guest time reach `when`: skip it, or sleep. Returns early when
 * machine_stop() is called. */
void clock_wait(struct machine *m, uint64_t when);

/* True where ticks are host time and worth charging. */
static inline bool machine_timed(const struct machine *m)
{
    return !m->vm->deterministic;
}

#endif
