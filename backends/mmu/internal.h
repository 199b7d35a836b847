/* The shadow's own structures: entries, frames, traced tables. */
#ifndef TM_SHADOW_INTERNAL_H
#define TM_SHADOW_INTERNAL_H

#include "shadow.h"

#define PAGE 4096ull

/* Page-table entry bits, as in backends/x86/walk.c. */
#define PTE_P 0x1ull
#define PTE_W 0x2ull
#define PTE_U 0x4ull
#define PTE_A 0x20ull
#define PTE_D 0x40ull
#define PTE_PS 0x80ull
#define PTE_G 0x100ull
#define PTE_NX 0x8000000000000000ull
#define PTE_PHYS (((1ull << PHYS_BITS) - 1) & ~0xfffull)

#define SH_P 1u
#define SH_W 2u
#define SH_X 4u
#define SH_SUPER 8u   /* supervisor page where both rings share the view */
#define SH_HIDDEN 16u /* of these: PROT_NONE at present */
#define SH_GLOBAL 32u
#define SH_SAME (SH_P | SH_W | SH_X | SH_SUPER | SH_GLOBAL)

/* One page of a window. Entries of the same frame are chained: an id is the
 * index of the leaf in the pool * 512 + the slot + 1; 0 ends the chain. */
struct sentry {
    uint32_t gfn;
    uint32_t prev, next;
    uint8_t flags; /* SH_*; 0: not mapped */
};

struct leaf {
    uint64_t base; /* host address of entry 0 */
    uint32_t used; /* entries with SH_P */
    uint32_t next_free;
    struct sentry e[512];
};

/* Keys are host addresses of the windows, or, without mmap, guest addresses cut
 * to 48 bits: top 47..39, middle 38..30, low 29..21, then the leaf's slot. */
struct middle {
    struct leaf **low[512];
    unsigned used[512]; /* leaves below */
};

/* A way in which a traced table is used: it maps [base, base + 512 << shift).
 * Whether it still does is looked up when it matters. */
struct use {
    uint64_t base;
    uint32_t next;
    uint8_t level; /* 0: PTEs ... 3: the top table */
};

#define FR_TRACED 1u
#define FR_CODE 2u

/* One page of guest RAM. */
struct frame {
    uint32_t maps; /* entries that map it */
    uint32_t uses; /* index in shadow.uses; 0: none */
    uint8_t flags;
};

/* What becomes of the guest's tables and of its flushes. All optional. */
struct shadow_policy {
    /* An entry derives from this table, which maps addresses from base on. */
    void (*derive)(struct shadow *s, uint32_t gfn, unsigned level, gva_t base);
    /* s->regs.cr3 is the old one; it may be the same. */
    void (*load_cr3)(struct shadow *s, uint64_t cr3);
    void (*invlpg)(struct shadow *s, gva_t gva);
};
extern const struct shadow_policy policy_trace;

/* Where entries take effect. The entries are changed already. */
struct shadow_sink {
    int (*map)(struct shadow *s, uint64_t key, unsigned n, uint32_t gfn,
               unsigned flags);
    void (*unmap)(struct shadow *s, uint64_t from, uint64_t to);
    void (*protect)(struct shadow *s, uint64_t key, unsigned n, unsigned flags);
};
extern const struct shadow_sink sink_mmap, sink_none;

struct run {
    uint64_t host;
    uint64_t n; /* pages */
};
#define VISIBLE_MAX 256

struct shadow {
    struct shadow_config cfg;
    struct shadow_tlb tlb;
    const struct shadow_policy *policy;
    const struct shadow_sink *sink;
    struct walk_regs regs;
    unsigned cpl;
    uint64_t frames_n;
    struct frame *frames;

    struct middle *top[512];
    struct leaf *pool;
    uint32_t pool_size, pool_used, pool_free; /* free: index + 1 */

    struct use *uses; /* [0] is not used */
    uint32_t uses_n, uses_max, uses_free;

    unsigned maps, max_maps;
    uint64_t pages, traced, evictions;

    /* Supervisor pages that are not hidden; those of the last stay at CPL < 3.
     * More than fit: everything goes. */
    struct run visible[VISIBLE_MAX], recent[VISIBLE_MAX];
    unsigned visible_n, recent_n;
    bool visible_lost;
    unsigned stays;
    int error; /* of the first system call that failed */
};

/* ---- entries.c ----------------------------------------------------------- */

struct sentry *entry_find(const struct shadow *s, uint64_t host);
/* Map n pages (within one leaf) to the frames from gfn on. */
int entries_map(struct shadow *s, uint64_t host, unsigned n, uint32_t gfn,
                unsigned flags);
/* Unmap [from, to): one system call where anything is mapped there. */
void entries_drop(struct shadow *s, uint64_t from, uint64_t to);
/* Take write permission from every mapping of the frame. */
void entries_protect_frame(struct shadow *s, uint32_t gfn);
/* Make n mapped pages of one leaf, all with the same rights, accessible. */
void entries_show(struct shadow *s, uint64_t host, unsigned n);
/* Hide the supervisor pages of [from, to), all of which are mapped. */
void entries_hide(struct shadow *s, uint64_t from, uint64_t to);

/* The host address that follows the last one of the leaf that host lies in. */
static inline uint64_t leaf_end(uint64_t host)
{
    return (host | (512 * PAGE - 1)) + 1;
}

/* ---- trace.c --------------------------------------------------------------
 */

/* An entry is derived from this table, which maps addresses from base on. */
void trace_table(struct shadow *s, uint32_t gfn, unsigned level, gva_t base);
void trace_end(struct shadow *s, uint32_t gfn);

/* ---- shadow.c -------------------------------------------------------------
 */

/* Drop whatever maps the guest's [gva, gva + size), size a power of two that
 * gva is a multiple of. */
void shadow_drop_guest(struct shadow *s, gva_t gva, uint64_t size);
/* Note that supervisor pages are visible. */
void shadow_seen(struct shadow *s, uint64_t host, unsigned n);
/* A system call failed. */
void shadow_host_error(struct shadow *s, int error);

static inline uint64_t table_shift(unsigned level)
{
    return 12 + 9 * level;
}

/* Of an address in the guest's own space. */
static inline uint64_t key_of(gva_t gva)
{
    return gva & ((1ull << 48) - 1);
}

static inline gva_t canonical(gva_t gva)
{
    return (uint64_t)((int64_t)(gva << 16) >> 16);
}

#endif
