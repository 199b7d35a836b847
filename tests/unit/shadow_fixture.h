/* Guest page tables in a little RAM with a shadow, and a look at the host's
 * view of them. */
#ifndef TM_SHADOW_FIXTURE_H
#define TM_SHADOW_FIXTURE_H

#include "backends/mmu/shadow.h"
#include "pte.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE 4096ull
#define RAM_SIZE (8ull << 20)

/* Guest physical: tables from ROOT on, data pages from DATA on. */
#define ROOT 0x1000ull
#define ROOT2 0x2000ull
#define TABLES 0x3000ull
#define DATA 0x100000ull

#define USER_VA 0x400000ull
#define KERNEL_VA 0x200000000000ull /* delta 0 */
#define HIGH_VA 0xffffe00000000000ull

struct guest {
    struct guest_ram ram;
    struct event_counters events;
    struct shadow *shadow;
    struct walk_regs regs;
    gpa_t next_table;
    int pipe[2];
};

static uint64_t *slot(struct guest *g, gpa_t table, unsigned index)
{
    return (uint64_t *)(g->ram.host + table) + index;
}

/* The PTE of gva under root; tables are made. */
static uint64_t *pte_of(struct guest *g, gpa_t root, uint64_t gva)
{
    gpa_t table = root;

    for (int shift = 39; shift > 12; shift -= 9) {
        uint64_t *e = slot(g, table, gva >> shift & 511);

        if (!(*e & P)) {
            *e = g->next_table | P | W | U | A;
            g->next_table += PAGE;
        }
        table = *e & ~0xfffull & ~NX;
    }
    return slot(g, table, gva >> 12 & 511);
}

static gpa_t gpa_of(struct guest *g, const void *host)
{
    return (gpa_t)((const uint8_t *)host - g->ram.host);
}

/* Data page n holds its own number. */
static inline uint64_t data(unsigned n)
{
    return DATA + n * PAGE;
}

/* config: what the shadow is to be like; RAM and events are filled in. */
static void make_guest_with(struct guest *g, struct shadow_config config)
{
    char why[REASON_MAX];

    memset(g, 0, sizeof(*g));
    g->ram.size = RAM_SIZE;
    g->ram.fd = memfd_create("test", MFD_CLOEXEC);
    assert_int_equal(ftruncate(g->ram.fd, RAM_SIZE), 0);
    g->ram.host =
        mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, g->ram.fd, 0);
    assert_ptr_not_equal(g->ram.host, MAP_FAILED);
    assert_int_equal(pipe(g->pipe), 0);
    for (uint64_t n = 0; data((unsigned)n) < RAM_SIZE; n++)
        *(uint64_t *)(g->ram.host + data((unsigned)n)) = n;
    g->next_table = TABLES;
    g->regs =
        (struct walk_regs){CR0_PE | CR0_PG | CR0_WP, ROOT, CR4_PAE | CR4_PGE,
                           EFER_LME | EFER_LMA | EFER_NXE};
    config.ram = &g->ram;
    config.events = &g->events;
    g->shadow = shadow_create(&config, why);
    if (!g->shadow) {
        /* A sanitizer's own memory is in the way. */
        print_message("%s\n", why);
        skip();
    }
    shadow_set_regs(g->shadow, &g->regs);
}

static inline void make_guest(struct guest *g, uint64_t delta,
                              unsigned max_maps)
{
    struct shadow_config config = {
        .delta = delta, .kernel_exec = true, .options = paging_defaults};

    config.options.max_maps = max_maps;
    make_guest_with(g, config);
}

static void end_guest(struct guest *g)
{
    shadow_destroy(g->shadow);
    munmap(g->ram.host, RAM_SIZE);
    close(g->ram.fd);
    close(g->pipe[0]);
    close(g->pipe[1]);
}

/* ---- Looking at the host's view without faulting ------------------------- */

static inline bool readable(struct guest *g, uint64_t host, uint64_t *value)
{
    uint64_t v;

    if (write(g->pipe[1], (void *)(uintptr_t)host, 8) != 8) {
        assert_int_equal(errno, EFAULT);
        return false;
    }
    assert_int_equal(read(g->pipe[0], &v, 8), 8);
    if (value)
        *value = v;
    return true;
}

/* Writes what is there. */
static inline bool writable(struct guest *g, uint64_t host)
{
    uint64_t v = 0;

    if (!readable(g, host, &v))
        return false;
    assert_int_equal(write(g->pipe[1], &v, 8), 8);
    if (read(g->pipe[0], (void *)(uintptr_t)host, 8) == 8)
        return true;
    assert_int_equal(errno, EFAULT);
    assert_int_equal(read(g->pipe[0], &v, 8), 8);
    return false;
}

static inline enum shadow_verdict touch(struct guest *g, unsigned cpl,
                                        uint64_t host, uint32_t error,
                                        struct shadow_fault *f)
{
    return shadow_fault(g->shadow, &g->regs, cpl, host, error | PF_U, f);
}

/* The guest's kernel stores to a table, as the VMM's emulation does it. */
static inline void set_pte(struct guest *g, uint64_t *pte, uint64_t value)
{
    *pte = value;
    shadow_written(g->shadow, gpa_of(g, pte), 8, 0);
}

#endif
