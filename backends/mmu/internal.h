/* The shadow's own structures: spaces, regions, entries, frames, traced tables.
 */
#ifndef TM_SHADOW_INTERNAL_H
#define TM_SHADOW_INTERNAL_H

#include "shadow.h"

#define PAGE 4096ull

#define SH_P 1u
#define SH_W 2u
#define SH_X 4u
#define SH_SUPER 8u /* supervisor page where both rings share the view */
#define SH_GLOBAL 16u
#define SH_LIVE 32u   /* the sink has it; otherwise it is only known */
#define SH_HIDDEN 64u /* live and SUPER: PROT_NONE at present */
/* What decides how the sink maps it, and what an entry is made of. */
#define SH_PROT (SH_P | SH_W | SH_X | SH_SUPER)
#define SH_SAME (SH_PROT | SH_GLOBAL)

/* Entries have keys: host addresses of the windows, or, where there are none,
 * guest addresses cut to 48 bits.
 *
 *   47..39  38..30  29..21  20..12
 *   slot    middle  low     entry
 */

/* One page. Entries of the same frame are chained: an id is the index of the
 * leaf in the pool * 512 + the entry's number + 1; 0 ends the chain. */
struct sentry {
    uint32_t gfn;
    uint32_t prev, next;
    uint8_t flags; /* SH_*; 0: nothing known */
};

struct leaf {
    uint64_t base; /* key of entry 0 */
    struct region *region;
    uint32_t used, live; /* entries with SH_P, with SH_LIVE */
    uint32_t maps;       /* host mappings of the live ones, at most */
    uint32_t globals;
    uint32_t next_free;
    bool large; /* entries of a larger page were among them */
    struct sentry e[512];
};

/* What hangs on one entry of a top-level table. Spaces whose tables have the
 * same entry there share it, as processes do the kernel's half. */
struct region {
    struct leaf **low[512];
    unsigned used[512]; /* leaves below */
    uint64_t pml4e;     /* without A */
    uint32_t slot;
    uint32_t serial; /* another one after each new begin */
    uint32_t refs;   /* spaces; 0: free */
    uint32_t live;   /* leaves with live entries */
    bool large;      /* entries of 1 GiB pages were among them */
    struct region *next, *all;
};

/* One address space that is known. */
struct space {
    uint64_t cr3;    /* address of its top table, ~0: none */
    uint32_t serial; /* another one after each new begin */
    uint64_t used;   /* s->clock at the last switch to it */
    struct region *region[512];
};

/* A way in which a traced table is used: it maps keys [base, base + 512 <<
 * shift) of a region, or (level 3) a space. Whether it still does is looked up
 * when it matters. */
struct use {
    union {
        struct region *region;
        struct space *space;
    };
    uint64_t base;
    uint32_t serial; /* of the region or space: not its own, it is gone */
    uint32_t next;
    uint8_t level; /* 0: PTEs ... 3: the top table */
};

#define FR_TRACED 1u
#define FR_CODE 2u
#define FR_UNSYNC 4u /* a table whose shadow may be out of date */
#define FR_PROTECTED (FR_TRACED | FR_CODE)

/* One page of guest RAM. */
struct frame {
    uint32_t maps; /* entries that map it */
    uint32_t uses; /* index in shadow.uses; 0: none */
    uint8_t flags;
};

/* What becomes of the guest's tables and of its flushes. */
struct shadow_policy {
    const char *name;
    bool traces; /* tables are write-protected; spaces are kept */
    /* MOV to CR3, or another value; s->regs.cr3 is the old one. */
    void (*load_cr3)(struct shadow *s, uint64_t cr3);
    void (*invlpg)(struct shadow *s, gva_t gva);
    /* The guest writes to a traced table. True: it may. */
    bool (*lift)(struct shadow *s, uint32_t gfn);
};
extern const struct shadow_policy *const policies[];

/* Where entries take effect. */
struct shadow_sink {
    bool switches; /* only the entries of one space are live at a time */
    /* populate: they will all be used soon. */
    int (*map)(struct shadow *s, uint64_t key, unsigned n, uint32_t gfn,
               unsigned flags, bool populate);
    void (*unmap)(struct shadow *s, uint64_t from, uint64_t to);
    void (*protect)(struct shadow *s, uint64_t key, unsigned n, unsigned flags);
};
extern const struct shadow_sink sink_mmap, sink_none;

struct run {
    uint64_t host;
    uint64_t n; /* pages */
};
#define VISIBLE_MAX 256
#define UNSYNC_MAX 64

struct shadow {
    struct shadow_config cfg;
    struct shadow_tlb tlb;
    const struct shadow_policy *policy;
    const struct shadow_sink *sink;
    struct walk_regs regs;
    unsigned cpl;
    uint64_t frames_n;
    struct frame *frames;

    struct space *spaces, *now; /* cfg.options.shadow_cache of them */
    uint64_t clock;
    struct region *at_slot[512]; /* by next: those with this slot */
    struct region *spare, *all;  /* free ones; every one there is */
    uint32_t serial;

    struct leaf *pool;
    uint32_t pool_size, pool_used, pool_free; /* free: index + 1 */

    struct use *uses; /* [0] is not used */
    uint32_t uses_n, uses_max, uses_free;
    uint32_t unsync[UNSYNC_MAX], unsync_n;

    unsigned maps, max_maps;
    uint64_t pages, traced, evictions;

    /* Supervisor pages that are not hidden; those of the last stay at CPL < 3.
     * More than fit: everything goes. */
    struct run visible[VISIBLE_MAX], recent[VISIBLE_MAX];
    unsigned visible_n, recent_n;
    bool visible_lost;
    unsigned stays;
    int error; /* of the first system call that failed */

    uint64_t wanted; /* key of the last true fault, ~0: none */
    bool wanted_write;
    uint64_t follow; /* key behind the last fill */
};

/* ---- entries.c ----------------------------------------------------------- */

struct sentry *region_entry(const struct region *r, uint64_t key);
struct leaf *region_leaf(const struct region *r, uint64_t key);
/* Of the present space. */
struct sentry *entry_find(const struct shadow *s, uint64_t key);
struct sentry *entry_live(const struct shadow *s, uint64_t key);
/* Make n entries (of one leaf) lead to the frames from gfn on, live. */
int entries_map(struct shadow *s, struct region *r, uint64_t key, unsigned n,
                uint32_t gfn, unsigned flags);
/* Forget [from, to) of a region. */
void entries_drop(struct shadow *s, struct region *r, uint64_t from,
                  uint64_t to);
/* The same, but for global ones. */
void entries_drop_local(struct shadow *s, struct region *r);
/* Take a region's entries from the sink, but remember them. */
void entries_retire(struct shadow *s, struct region *r);
/* And give them back, as far as there is room. */
void entries_revive(struct shadow *s, struct region *r);
/* Take write permission from every mapping of the frame. */
void entries_protect_frame(struct shadow *s, uint32_t gfn);
/* Make n live entries of one leaf, all with the same rights, accessible. */
void entries_show(struct shadow *s, uint64_t key, unsigned n);
/* Hide the supervisor pages of [from, to), all of which are live. */
void entries_hide(struct shadow *s, uint64_t from, uint64_t to);

/* The key that follows the last one of the leaf that key lies in. */
static inline uint64_t leaf_end(uint64_t key)
{
    return (key | (512 * PAGE - 1)) + 1;
}

/* ---- space.c ------------------------------------------------------------- */

/* The present space's region for key, under this top-level entry. NULL: no
 * memory. */
struct region *region_get(struct shadow *s, uint64_t key, uint64_t pml4e);
/* Slots that show the guest's slot: how many, at most 2. */
unsigned slots_of(const struct shadow *s, unsigned guest, unsigned slot[2]);
void space_detach(struct shadow *s, struct space *sp, unsigned slot);
void space_release(struct shadow *s, struct space *sp);
/* The space of this top-level table is the present one from here on. */
void space_switch(struct shadow *s, uint64_t cr3);

/* ---- trace.c ------------------------------------------------------------- */

/* An entry derives from this table, which maps keys from base on. Level 3: of
 * the present space. */
void trace_table(struct shadow *s, uint32_t gfn, unsigned level,
                 struct region *r, uint64_t base);
void trace_end(struct shadow *s, uint32_t gfn);
/* Let the guest write to a leaf table until the next resynchronization. False:
 * it is more than that. */
bool trace_lift(struct shadow *s, uint32_t gfn);
void trace_resync(struct shadow *s);
/* Is the entry right under this PTE, all levels above being what they were? */
bool entry_agrees(const struct shadow *s, uint64_t key, const struct sentry *e,
                  uint64_t pte);

/* ---- fill.c -------------------------------------------------------------- */

/* Where a translation comes from. */
struct path {
    gpa_t table[4];    /* [level], down to the leaf entry's */
    unsigned level;    /* of the leaf entry */
    uint64_t pte, all; /* leaf entry; AND of U and W of the levels above */
    uint64_t pml4e;
    bool nx; /* of the levels above */
};
/* False: an entry isn't present, or its table not in RAM. */
bool path_find(const struct shadow *s, gva_t gva, struct path *p);
/* The guest has written the PTE of s->wanted: fill it, if that is what the
 * fault was about. */
void fill_wanted(struct shadow *s, uint64_t pte);

/* ---- visible.c ----------------------------------------------------------- */

/* A page that was hidden from user code: show it and what belongs to it. */
void shadow_show(struct shadow *s, uint64_t host);
/* Note that supervisor pages are visible. */
void shadow_seen(struct shadow *s, uint64_t host, unsigned n);

/* ---- shadow.c ------------------------------------------------------------ */

/* Keys of a guest address that may have entries: how many, at most 2. */
unsigned keys_of(const struct shadow *s, gva_t gva, uint64_t key[2]);
/* A system call failed. */
void shadow_host_error(struct shadow *s, int error);

static inline uint64_t table_shift(unsigned level)
{
    return 12 + 9 * level;
}

static inline unsigned slot_of(uint64_t key)
{
    return key >> 39 & 511;
}

static inline gva_t canonical(gva_t gva)
{
    return (uint64_t)((int64_t)(gva << 16) >> 16);
}

static inline void shadow_count(struct shadow *s, enum tm_event e, uint64_t n)
{
    s->cfg.events->count[e] += n;
}

#endif
