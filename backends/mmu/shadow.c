/* The shadow's life, the guest's registers, and who sees supervisor pages. */
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

const char *const shadow_policies[] = {"trace", NULL};
static const struct shadow_policy *const policies[] = {&policy_trace};

static const struct shadow_policy *find_policy(const char *name,
                                               char why[REASON_MAX])
{
    for (unsigned k = 0; shadow_policies[k]; k++)
        if (!name || !strcmp(name, shadow_policies[k]))
            return policies[k];
    snprintf(why, REASON_MAX, "shadow paging has no policy \"%s\"", name);
    return NULL;
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
    s->frames_n = config->ram->size >> 12;
    s->max_maps = config->tlb        ? UINT_MAX
                  : config->max_maps ? config->max_maps
                                     : host_max_maps();
    s->pool_size = POOL_LEAVES;
    if (!s->policy || (!config->tlb && check_windows(why))) {
        free(s);
        return NULL;
    }
    s->frames = reserve(s->frames_n * sizeof(*s->frames));
    s->pool = reserve(POOL_LEAVES * sizeof(*s->pool));
    if (!s->frames || !s->pool) {
        snprintf(why, REASON_MAX, "no memory for the shadow");
        shadow_destroy(s);
        return NULL;
    }
    return s;
}

void shadow_destroy(struct shadow *s)
{
    if (s->pool && s->frames)
        shadow_flush(s);
    for (unsigned t = 0; t < 512; t++) {
        for (unsigned m = 0; s->top[t] && m < 512; m++)
            free(s->top[t]->low[m]);
        free(s->top[t]);
    }
    if (s->frames)
        munmap(s->frames, s->frames_n * sizeof(*s->frames));
    if (s->pool)
        munmap(s->pool, POOL_LEAVES * sizeof(*s->pool));
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
    if (s->sink == &sink_none) {
        entries_drop(s, 0, 1ull << 48);
    } else {
        entries_drop(s, 0, SHADOW_USER_HIGH);
        entries_drop(s, SHADOW_KERNEL_LOW, SHADOW_KERNEL_HIGH);
    }
    s->visible_n = s->recent_n = 0;
    s->visible_lost = false;
}

static void drop_clipped(struct shadow *s, uint64_t from, uint64_t size,
                         uint64_t low, uint64_t high)
{
    uint64_t to = from + size;

    if (to < from)
        to = UINT64_MAX;
    if (from < low)
        from = low;
    if (to > high)
        to = high;
    if (from < to)
        entries_drop(s, from, to);
}

void shadow_drop_guest(struct shadow *s, gva_t gva, uint64_t size)
{
    if (size >> 48) {
        shadow_flush(s);
        return;
    }
    if (s->sink == &sink_none) {
        entries_drop(s, key_of(gva), key_of(gva) + size);
        return;
    }
    drop_clipped(s, gva, size, 0, SHADOW_USER_HIGH);
    drop_clipped(s, gva + s->cfg.delta, size, SHADOW_KERNEL_LOW,
                 SHADOW_KERNEL_HIGH);
}

/* ---- The guest's registers ------------------------------------------------
 */

void shadow_set_regs(struct shadow *s, const struct walk_regs *regs)
{
    const uint64_t cr0 = CR0_PG | CR0_WP;
    const uint64_t cr4 = CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP | CR4_SMAP;

    if ((s->regs.cr0 ^ regs->cr0) & cr0 || (s->regs.cr4 ^ regs->cr4) & cr4 ||
        (s->regs.efer ^ regs->efer) & EFER_NXE) {
        shadow_flush(s);
        s->regs = *regs;
        return;
    }
    if ((s->regs.cr3 ^ regs->cr3) & PTE_PHYS && s->policy->load_cr3)
        s->policy->load_cr3(s, regs->cr3);
    s->regs = *regs;
}

void shadow_load_cr3(struct shadow *s, const struct walk_regs *regs)
{
    if (s->policy->load_cr3)
        s->policy->load_cr3(s, regs->cr3);
    s->regs.cr3 = regs->cr3;
    shadow_set_regs(s, regs);
}

void shadow_invlpg(struct shadow *s, gva_t gva)
{
    if (s->policy->invlpg)
        s->policy->invlpg(s, gva);
}

/* ---- Supervisor pages in a shared view -------------------------------------
 */

void shadow_seen(struct shadow *s, uint64_t host, unsigned n)
{
    struct run *last = s->visible_n ? &s->visible[s->visible_n - 1] : NULL;

    if (last && last->host + last->n * PAGE == host) {
        last->n += n;
        return;
    }
    if (s->visible_n == VISIBLE_MAX) {
        s->visible_lost = true;
        return;
    }
    s->visible[s->visible_n].host = host;
    s->visible[s->visible_n++].n = n;
}

/* Move *at to the first page from there on whose flags are as wanted, and
 * return the end of the stretch of such pages; both are end where there is
 * none. */
static uint64_t stretch(const struct shadow *s, uint64_t *at, uint64_t end,
                        unsigned mask, unsigned want)
{
    const struct sentry *e;
    uint64_t to;

    while (*at < end &&
           (!(e = entry_find(s, *at)) || (e->flags & mask) != want))
        *at += PAGE;
    for (to = *at; to < end; to += PAGE) {
        e = entry_find(s, to);
        if (!e || (e->flags & mask) != want)
            break;
    }
    return to;
}

static int by_address(const void *a, const void *b)
{
    const struct run *x = a, *y = b;

    return x->host < y->host ? -1 : x->host > y->host;
}

/* Is all of [from, to) hidden already? It may be hidden once more then. */
static bool hidden_between(const struct shadow *s, uint64_t from, uint64_t to)
{
    const unsigned mask = SH_SUPER | SH_HIDDEN;

    if (to > from && to - from > 512 * PAGE)
        return false;
    for (; from < to; from += PAGE) {
        const struct sentry *e = entry_find(s, from);

        if (!e || (e->flags & mask) != mask)
            return false;
    }
    return true;
}

/* One system call for each stretch of neighbours, whatever their rights. */
static void hide_all(struct shadow *s)
{
    struct run *v = s->visible;
    unsigned n = 0;

    if (s->visible_lost) {
        shadow_flush(s);
        return;
    }
    memcpy(s->recent, v, s->visible_n * sizeof(*v));
    s->recent_n = s->visible_n;
    qsort(v, s->visible_n, sizeof(*v), by_address);
    for (unsigned k = 0; k < s->visible_n; k++) {
        uint64_t end = n ? v[n - 1].host + v[n - 1].n * PAGE : 0;

        if (n && hidden_between(s, end, v[k].host)) {
            if (v[k].host + v[k].n * PAGE > end)
                v[n - 1].n = v[k].n + (v[k].host - v[n - 1].host) / PAGE;
        } else {
            v[n++] = v[k];
        }
    }
    for (unsigned k = 0; k < n; k++) {
        uint64_t end = v[k].host + v[k].n * PAGE, at = v[k].host, to;

        for (; (to = stretch(s, &at, end, SH_SUPER, SH_SUPER)) > at; at = to)
            entries_hide(s, at, to);
    }
    s->visible_n = 0;
}

/* What the last stay in ring 0 used will be used again; now and then start from
 * nothing, to find out what isn't any more. */
static void show_recent(struct shadow *s)
{
    const unsigned mask = SH_SUPER | SH_HIDDEN;

    if (s->stays++ % 16 == 0)
        return;
    for (unsigned k = 0; k < s->recent_n; k++) {
        const struct run *r = &s->recent[k];
        uint64_t end = r->host + r->n * PAGE, at = r->host, to, stop;

        while ((to = stretch(s, &at, end, mask, mask)) > at) {
            /* Of one leaf, with the same rights. */
            stop = leaf_end(at) < to ? leaf_end(at) : to;
            stop = stretch(s, &at, stop, SH_SAME,
                           entry_find(s, at)->flags & SH_SAME);
            entries_show(s, at, (unsigned)((stop - at) / PAGE));
            shadow_seen(s, at, (unsigned)((stop - at) / PAGE));
            at = stop;
        }
    }
}

void shadow_set_cpl(struct shadow *s, unsigned cpl)
{
    bool was_user = s->cpl == 3, is_user = cpl == 3;

    s->cpl = cpl;
    if (was_user == is_user || s->cfg.delta)
        return;
    if (is_user)
        hide_all(s);
    else
        show_recent(s);
}

/* ---- Code pages ------------------------------------------------------------
 */

void shadow_watch_code(struct shadow *s, gpa_t gpa)
{
    struct frame *fr;

    if (gpa >> 12 >= s->frames_n)
        return;
    fr = &s->frames[gpa >> 12];
    if (!fr->flags)
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
