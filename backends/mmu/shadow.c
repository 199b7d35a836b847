/* The shadow's life, the guest's registers, code pages. */
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <x86intrin.h>

#define POOL_LEAVES 32768u  /* 64 GiB of guest memory mapped at a time */
#define MAPS_RESERVED 1024u /* for everything else in this process */

static void *reserve(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static bool overlaps(unsigned long from, unsigned long to)
{
    return (from < SHADOW_USER_HIGH && to > PAGE) ||
           (from < SHADOW_KERNEL_HIGH && to > SHADOW_KERNEL_LOW);
}

/* Something of this process (a sanitizer's shadow, a fixed-address executable)
 * may lie where guest memory must go. */
static int check_windows(char why[REASON_MAX])
{
    FILE *maps = fopen("/proc/self/maps", "re");
    unsigned long from, to;
    char line[512];
    int err = 0;

    while (maps && !err && fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx", &from, &to) != 2 || !overlaps(from, to))
            continue;
        snprintf(why, REASON_MAX,
                 "this process has something at %#lx, where guest memory goes",
                 from);
        err = -EBUSY;
    }
    if (maps)
        fclose(maps);
    return err;
}

static unsigned host_max_maps(void)
{
    FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
    unsigned n;

    if (!f || fscanf(f, "%u", &n) != 1)
        n = 65530;
    if (f)
        fclose(f);
    /* Hiding splits mappings for a while: a quarter is for that. */
    return n > 4 * MAPS_RESERVED ? (n - MAPS_RESERVED) / 4 * 3 : n / 4;
}

static const struct shadow_policy *find_policy(const char *name,
                                               char why[REASON_MAX])
{
    for (unsigned k = 0; policies[k]; k++)
        if (!name || !strcmp(name, policies[k]->name))
            return policies[k];
    snprintf(why, REASON_MAX, "shadow paging has no policy \"%s\"", name);
    return NULL;
}

static int make_spaces(struct shadow *s)
{
    unsigned n = s->cfg.options.shadow_cache;

    s->spaces = calloc(n, sizeof(*s->spaces));
    for (unsigned k = 0; s->spaces && k < n; k++)
        s->spaces[k].cr3 = ~0ull;
    s->now = s->spaces;
    return s->spaces ? 0 : -ENOMEM;
}

struct shadow *shadow_create(const struct shadow_config *config,
                             char why[REASON_MAX])
{
    struct shadow *s = calloc(1, sizeof(*s));

    if (!s) {
        snprintf(why, REASON_MAX, "no memory for the shadow");
        return NULL;
    }
    s->cfg = *config;
    if (config->tlb)
        s->tlb = *config->tlb;
    s->sink = config->tlb ? &sink_none : &sink_mmap;
    s->policy = find_policy(config->policy, why);
    if (!s->cfg.options.shadow_cache)
        s->cfg.options = paging_defaults;
    s->max_maps = s->cfg.options.max_maps;
    if (config->tlb)
        s->max_maps = UINT_MAX;
    else if (!s->max_maps)
        s->max_maps = host_max_maps();
    if (s->policy && !s->policy->traces)
        s->cfg.options.shadow_cache = 1;
    s->wanted = ~0ull;
    s->frames_n = config->ram->size >> 12;
    s->pool_size = POOL_LEAVES;
    if (!s->policy || (!config->tlb && check_windows(why))) {
        free(s);
        return NULL;
    }
    s->frames = reserve(s->frames_n * sizeof(*s->frames));
    s->pool = reserve(POOL_LEAVES * sizeof(*s->pool));
    if (!s->frames || !s->pool || make_spaces(s)) {
        snprintf(why, REASON_MAX, "no memory for the shadow");
        shadow_destroy(s);
        return NULL;
    }
    return s;
}

void shadow_destroy(struct shadow *s)
{
    if (s->pool && s->frames && s->spaces)
        shadow_flush(s);
    while (s->all) {
        struct region *r = s->all;

        s->all = r->all;
        for (unsigned m = 0; m < 512; m++)
            free(r->low[m]);
        free(r);
    }
    if (s->frames)
        munmap(s->frames, s->frames_n * sizeof(*s->frames));
    if (s->pool)
        munmap(s->pool, POOL_LEAVES * sizeof(*s->pool));
    free(s->spaces);
    free(s->uses);
    free(s);
}

void shadow_host_error(struct shadow *s, int error)
{
    if (!s->error)
        s->error = error;
}

void shadow_flush(struct shadow *s)
{
    for (unsigned k = 0; k < s->cfg.options.shadow_cache; k++)
        if (&s->spaces[k] != s->now)
            space_release(s, &s->spaces[k]);
    for (uint64_t k = 0; k < 512; k++)
        if (s->now->region[k])
            entries_drop(s, s->now->region[k], k << 39, (k + 1) << 39);
    s->visible_n = s->recent_n = 0;
    s->visible_lost = false;
}

/* ---- The guest's registers ----------------------------------------------- */

unsigned keys_of(const struct shadow *s, gva_t gva, uint64_t key[2])
{
    unsigned slot[2], n = slots_of(s, gva >> 39 & 511, slot);

    for (unsigned k = 0; k < n; k++)
        key[k] = (uint64_t)slot[k] << 39 | (gva & ((1ull << 39) - 1));
    return n;
}

void shadow_set_regs(struct shadow *s, const struct walk_regs *regs)
{
    const uint64_t cr0 = CR0_PG | CR0_WP;
    const uint64_t cr4 = CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP | CR4_SMAP;

    if ((s->regs.cr0 ^ regs->cr0) & cr0 || (s->regs.cr4 ^ regs->cr4) & cr4 ||
        (s->regs.efer ^ regs->efer) & EFER_NXE)
        shadow_flush(s);
    if (s->now->cr3 != (regs->cr3 & PTE_PHYS))
        s->policy->load_cr3(s, regs->cr3 & PTE_PHYS);
    s->regs = *regs;
}

void shadow_load_cr3(struct shadow *s, const struct walk_regs *regs)
{
    uint64_t begin = __rdtsc();

    s->policy->load_cr3(s, regs->cr3 & PTE_PHYS);
    shadow_set_regs(s, regs);
    s->cfg.events->ticks[EV_CTX_SWITCH] += __rdtsc() - begin;
}

void shadow_invlpg(struct shadow *s, gva_t gva)
{
    if (s->policy->invlpg)
        s->policy->invlpg(s, gva);
}

/* ---- Code pages ---------------------------------------------------------- */

void shadow_watch_code(struct shadow *s, gpa_t gpa)
{
    struct frame *fr;

    if (gpa >> 12 >= s->frames_n)
        return;
    fr = &s->frames[gpa >> 12];
    if (!(fr->flags & FR_PROTECTED))
        entries_protect_frame(s, (uint32_t)(gpa >> 12));
    fr->flags |= FR_CODE;
}

void shadow_unwatch_code(struct shadow *s, gpa_t gpa)
{
    if (gpa >> 12 < s->frames_n)
        s->frames[gpa >> 12].flags &= (uint8_t)~FR_CODE;
}

bool shadow_is_code(const struct shadow *s, gpa_t gpa)
{
    return gpa >> 12 < s->frames_n && s->frames[gpa >> 12].flags & FR_CODE;
}

bool shadow_is_traced(const struct shadow *s, gpa_t gpa)
{
    return gpa >> 12 < s->frames_n && s->frames[gpa >> 12].flags & FR_TRACED;
}

void *shadow_ptr(const struct shadow *s, uint64_t host, unsigned len,
                 bool write)
{
    uint64_t offset = host & (PAGE - 1);
    const struct sentry *e;

    if (host >> 47 || offset + len > PAGE)
        return NULL;
    e = entry_find(s, host);
    if (!e || (write && !(e->flags & SH_W)))
        return NULL;
    return s->cfg.ram->host + ((uint64_t)e->gfn << 12) + offset;
}

void shadow_stats(const struct shadow *s, struct shadow_stats *st)
{
    st->maps = s->maps;
    st->max_maps = s->max_maps;
    st->pages = s->pages;
    st->traced = s->traced;
    st->evictions = s->evictions;
}
