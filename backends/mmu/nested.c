/* Nested paging: the second-level table, walk caches, nested page faults. */
#include "nested.h"

#include "../x86/walk_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <x86intrin.h>

#define PAGE 4096ull
#define TABLE_MASK 0xfffffffff000ull

#define GTLB_SIZE 64 /* translations of pages that hold guest tables */

struct nested {
    struct nested_config cfg;
    struct walk_base first, second; /* the dimensions */
    uint64_t (*nodes)[512];         /* tables; [0] is the root */
    unsigned used, size;            /* of nodes */
    struct walk_cache by_gva, by_gpa;
    struct {
        gpa_t page; /* | 1: void */
        uint64_t spa;
    } gtlb[GTLB_SIZE];
    gpa_t missing; /* what the last -EAGAIN was about */
};

static const struct walk_regs second_regs = {
    .cr0 = CR0_PE | CR0_PG | CR0_WP,
    .cr4 = CR4_PAE,
    .efer = EFER_LME | EFER_LMA | EFER_NXE,
};

void nested_flush(struct nested *n)
{
    walk_cache_flush(&n->by_gva);
}

void nested_forget(struct nested *n, gva_t gva)
{
    walk_cache_forget(&n->by_gva, gva);
}

/* ---- The second dimension --------------------------------------------- */

static int second_slot(void *opaque, gpa_t at, uint64_t **slot, unsigned *refs)
{
    struct nested *n = opaque;

    (void)refs;
    *slot = at < n->used * PAGE ? &n->nodes[at / PAGE][at / 8 % 512] : NULL;
    return 0;
}

static uint64_t *table_of(struct nested *n, uint64_t *entry)
{
    if (!*entry) {
        if (n->used == n->size)
            return NULL;
        *entry = n->used++ * PAGE | PTE_P | PTE_W | PTE_U;
    }
    return n->nodes[(*entry & TABLE_MASK) / PAGE];
}

/* A nested page fault, as the VMM sees it: map the page around gpa. False: not
 * RAM. */
static bool fill(struct nested *n, gpa_t gpa)
{
    unsigned leaf = n->cfg.large ? 1 : 0;
    uint64_t begin, page, *table = n->nodes[0];

    if (gpa >= n->cfg.ram->size)
        return false;
    begin = __rdtsc();
    page = 1ull << (12 + 9 * leaf);
    for (unsigned level = 3; table && level > leaf; level--)
        table = table_of(n, &table[gpa >> (12 + 9 * level) & 511]);
    if (!table)
        return false; /* nodes are enough for all RAM */
    table[gpa >> (12 + 9 * leaf) & 511] =
        (gpa & ~(page - 1)) | PTE_P | PTE_W | PTE_U | (leaf ? PTE_PS : 0);
    n->cfg.events->count[EV_FAULT_HIDDEN]++;
    n->cfg.events->ticks[EV_FAULT_HIDDEN] += __rdtsc() - begin;
    return true;
}

/* Guest-physical to what the table says. -EFAULT: nothing there. */
static int translate(struct nested *n, gpa_t gpa, bool write,
                     struct walk_result *w)
{
    return x86_walk_over(&n->second, &second_regs, gpa,
                         WALK_USER | (write ? WALK_WRITE : 0), w);
}

/* ---- The first dimension ---------------------------------------------- */

static int first_slot(void *opaque, gpa_t at, uint64_t **slot, unsigned *refs)
{
    struct nested *n = opaque;
    gpa_t page = at & ~(PAGE - 1);
    unsigned k = page / PAGE * 0x9e3779b97f4a7c15 >> 58;
    struct walk_result w;

    if (!n->cfg.cache || n->gtlb[k].page != page) {
        int err = translate(n, at, true, &w);

        *refs += w.refs;
        if (err && at < n->cfg.ram->size) {
            n->missing = at;
            return -EAGAIN;
        }
        if (err) {
            *slot = NULL;
            return 0;
        }
        n->gtlb[k].page = page;
        n->gtlb[k].spa = w.gpa & ~(PAGE - 1);
    }
    *slot = ram_ptr(n->cfg.ram, n->gtlb[k].spa | (at & (PAGE - 1)), 8);
    return 0;
}

/* One attempt. -EAGAIN: a nested page fault at n->missing. */
static int walk_both(struct nested *n, const struct walk_regs *regs, gva_t gva,
                     unsigned access, struct walk_result *w, uint8_t **host)
{
    int err = x86_walk_over(&n->first, regs, gva, access, w);
    struct walk_result second;

    *host = NULL;
    if (err)
        return err;
    err = translate(n, w->gpa, access & WALK_WRITE, &second);
    w->refs += second.refs;
    if (err) {
        n->missing = w->gpa;
        return w->gpa < n->cfg.ram->size ? -EAGAIN : 0;
    }
    w->dirty &= second.dirty;
    *host = ram_ptr(n->cfg.ram, second.gpa, 1);
    return 0;
}

int nested_walk(struct nested *n, const struct walk_regs *regs, gva_t gva,
                unsigned access, struct walk_result *w, uint8_t **host)
{
    unsigned refs = 0;
    int err;

    do {
        err = walk_both(n, regs, gva, access, w, host);
        refs += w->refs;
        if (err == -EAGAIN) { /* SDM vol. 3C, 28.4.3.1 */
            walk_cache_forget(&n->by_gpa, n->missing);
            walk_cache_forget(&n->by_gva, gva);
        }
    } while (err == -EAGAIN && fill(n, n->missing));
    w->refs = refs;
    return err;
}

/* ---- Life ------------------------------------------------------------- */

uint64_t nested_entry(const struct nested *n, gpa_t gpa, unsigned *shift)
{
    uint64_t entry, at = 0;

    for (unsigned level = 3;; level--) {
        *shift = 12 + 9 * level;
        entry = n->nodes[at / PAGE][gpa >> *shift & 511];
        if (!(entry & PTE_P))
            return 0;
        if (!level || entry & PTE_PS)
            return entry;
        at = entry & TABLE_MASK;
    }
}

static struct walk_base
base(struct nested *n, int (*slot)(void *, gpa_t, uint64_t **, unsigned *),
     struct walk_cache *cache)
{
    struct walk_base b = {.opaque = n, .slot = slot};

    if (n->cfg.cache) {
        b.find = walk_cache_find;
        b.keep = walk_cache_keep;
        b.cache = cache;
    }
    return b;
}

struct nested *nested_create(const struct nested_config *config,
                             char why[REASON_MAX])
{
    struct nested *n = calloc(1, sizeof(*n));
    void *nodes = MAP_FAILED;

    if (n) {
        n->cfg = *config;
        /* A root, its table, and page directories and tables for all RAM. */
        n->size = 2 + 4 + (unsigned)(config->ram->size >> 21) + 1;
        nodes = mmap(NULL, n->size * PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    if (nodes == MAP_FAILED) {
        snprintf(why, REASON_MAX, "no memory for second-level page tables");
        free(n);
        return NULL;
    }
    n->nodes = nodes;
    n->used = 1;
    walk_cache_flush(&n->by_gva);
    walk_cache_flush(&n->by_gpa);
    for (unsigned k = 0; k < GTLB_SIZE; k++)
        n->gtlb[k].page = 1;
    n->first = base(n, first_slot, &n->by_gva);
    n->second = base(n, second_slot, &n->by_gpa);
    return n;
}

void nested_destroy(struct nested *n)
{
    munmap(n->nodes, n->size * PAGE);
    free(n);
}
