/* Shadow entries, and telling the sink about them. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

static unsigned middle_index(uint64_t key)
{
    return key >> 30 & 511;
}

static unsigned low_index(uint64_t key)
{
    return key >> 21 & 511;
}

static unsigned entry_index(uint64_t key)
{
    return key >> 12 & 511;
}

struct leaf *region_leaf(const struct region *r, uint64_t key)
{
    struct leaf **low = r->low[middle_index(key)];

    return low ? low[low_index(key)] : NULL;
}

struct sentry *region_entry(const struct region *r, uint64_t key)
{
    struct leaf *l = region_leaf(r, key);
    struct sentry *e = l ? &l->e[entry_index(key)] : NULL;

    return e && e->flags ? e : NULL;
}

struct sentry *entry_find(const struct shadow *s, uint64_t key)
{
    const struct region *r = s->now->region[slot_of(key)];

    return r ? region_entry(r, key) : NULL;
}

struct sentry *entry_live(const struct shadow *s, uint64_t key)
{
    struct sentry *e = entry_find(s, key);

    return e && e->flags & SH_LIVE ? e : NULL;
}

static struct leaf *leaf_alloc(struct shadow *s)
{
    struct leaf *l;

    if (s->pool_free) {
        l = &s->pool[s->pool_free - 1];
        s->pool_free = l->next_free;
        return l;
    }
    if (s->pool_used == s->pool_size)
        return NULL;
    return &s->pool[s->pool_used++];
}

static struct leaf *leaf_get(struct shadow *s, struct region *r, uint64_t key)
{
    struct leaf ***low = &r->low[middle_index(key)], **l;

    if (!*low)
        *low = calloc(512, sizeof(**low));
    if (!*low)
        return NULL;
    l = &(*low)[low_index(key)];
    if (*l)
        return *l;
    *l = leaf_alloc(s);
    if (!*l)
        return NULL;
    (*l)->base = key & ~(512 * PAGE - 1);
    (*l)->region = r;
    (*l)->used = (*l)->live = (*l)->maps = (*l)->globals = 0;
    (*l)->large = false;
    r->used[middle_index(key)]++;
    return *l;
}

static void leaf_put(struct shadow *s, struct leaf *l)
{
    struct region *r = l->region;

    r->low[middle_index(l->base)][low_index(l->base)] = NULL;
    r->used[middle_index(l->base)]--;
    l->next_free = s->pool_free;
    s->pool_free = (uint32_t)(l - s->pool) + 1;
}

/* ---- The chain of a frame ------------------------------------------------ */

static uint32_t entry_id(const struct shadow *s, const struct leaf *l,
                         unsigned k)
{
    return (uint32_t)(l - s->pool) * 512 + k + 1;
}

static struct sentry *entry_of(const struct shadow *s, uint32_t id)
{
    return &s->pool[(id - 1) / 512].e[(id - 1) % 512];
}

static void chain_add(struct shadow *s, struct leaf *l, unsigned k)
{
    struct sentry *e = &l->e[k];
    uint32_t id = entry_id(s, l, k), *head = &s->frames[e->gfn].maps;

    e->prev = 0;
    e->next = *head;
    if (*head)
        entry_of(s, *head)->prev = id;
    *head = id;
}

static void chain_remove(struct shadow *s, struct leaf *l, unsigned k)
{
    struct sentry *e = &l->e[k];

    if (e->prev)
        entry_of(s, e->prev)->next = e->next;
    else
        s->frames[e->gfn].maps = e->next;
    if (e->next)
        entry_of(s, e->next)->prev = e->prev;
}

/* ---- Counting --------------------------------------------------------------
 *
 * The host's kernel joins neighbours that continue each other; those of two
 * leaves are counted as two. Hidden or not makes two of one for a while; the
 * limit's headroom is for that. */

static bool begins_map(const struct leaf *l, unsigned k)
{
    const struct sentry *e = &l->e[k];

    if (!(e->flags & SH_LIVE))
        return false;
    return !k || !(e[-1].flags & SH_LIVE) || e[-1].gfn + 1 != e->gfn ||
           (e[-1].flags ^ e->flags) & SH_PROT;
}

static void count_maps(struct shadow *s, struct leaf *l, unsigned first,
                       unsigned last, int sign)
{
    int begun = 0;

    for (unsigned k = first; k <= last + 1 && k < 512; k++)
        begun += begins_map(l, k);
    l->maps += (unsigned)(sign * begun);
    s->maps += (unsigned)(sign * begun);
}

static void set_flags(struct shadow *s, struct leaf *l, unsigned k,
                      unsigned flags)
{
    struct sentry *e = &l->e[k];
    unsigned old = e->flags;

    l->used += !!(flags & SH_P) - !!(old & SH_P);
    s->pages += (uint64_t)(!!(flags & SH_P) - !!(old & SH_P));
    l->globals += !!(flags & SH_GLOBAL) - !!(old & SH_GLOBAL);
    l->region->live -= l->live > 0;
    l->live += !!(flags & SH_LIVE) - !!(old & SH_LIVE);
    l->region->live += l->live > 0;
    e->flags = (uint8_t)flags;
}

/* ---- Changes ------------------------------------------------------------- */

/* Too many mappings: begin anew with none. */
static void evict(struct shadow *s)
{
    for (unsigned k = 0; k < 512; k++)
        if (s->now->region[k])
            entries_retire(s, s->now->region[k]);
    s->evictions++;
    shadow_count(s, EV_SHADOW_EVICT, 1);
}

static struct leaf *leaf_with_room(struct shadow *s, struct region *r,
                                   uint64_t key)
{
    struct leaf *l;

    if (s->maps + 2 > s->max_maps)
        evict(s);
    l = leaf_get(s, r, key);
    if (l)
        return l;
    shadow_flush(s); /* the pool is used up */
    s->evictions++;
    shadow_count(s, EV_SHADOW_EVICT, 1);
    return leaf_get(s, r, key);
}

int entries_map(struct shadow *s, struct region *r, uint64_t key, unsigned n,
                uint32_t gfn, unsigned flags)
{
    struct leaf *l = leaf_with_room(s, r, key);
    unsigned first = entry_index(key);
    int err;

    if (!l)
        return -ENOMEM;
    err = s->sink->map(s, key, n, gfn, flags, n == 1 || key == s->follow);
    if (err) {
        if (!l->used)
            leaf_put(s, l);
        return err;
    }
    count_maps(s, l, first, first + n - 1, -1);
    for (unsigned k = first; k < first + n; k++, gfn++) {
        struct sentry *e = &l->e[k];

        if (e->flags && e->gfn != gfn) {
            chain_remove(s, l, k);
            set_flags(s, l, k, 0);
        }
        if (!e->flags) {
            e->gfn = gfn;
            chain_add(s, l, k);
        }
        set_flags(s, l, k, (flags & SH_SAME) | SH_LIVE);
    }
    count_maps(s, l, first, first + n - 1, 1);
    s->follow = key + n * PAGE;
    shadow_count(s, EV_SHADOW_FILL, n);
    return 0;
}

/* Entries [first, last] of a leaf go, those with a flag of keep stay. True:
 * some were live. */
static bool leaf_drop(struct shadow *s, struct leaf *l, unsigned first,
                      unsigned last, unsigned keep)
{
    bool any = false;

    count_maps(s, l, first, last, -1);
    for (unsigned k = first; k <= last; k++) {
        struct sentry *e = &l->e[k];

        if (!e->flags || e->flags & keep)
            continue;
        any |= e->flags & SH_LIVE;
        chain_remove(s, l, k);
        set_flags(s, l, k, 0);
    }
    count_maps(s, l, first, last, 1);
    if (!l->used)
        leaf_put(s, l);
    return any;
}

void entries_drop(struct shadow *s, struct region *r, uint64_t from,
                  uint64_t to)
{
    bool any = false;

    for (uint64_t at = from; at < to;) {
        struct leaf *l;
        uint64_t end;

        if (!r->used[middle_index(at)]) {
            at = (at | ((1ull << 30) - 1)) + 1;
            continue;
        }
        end = leaf_end(at) < to ? leaf_end(at) : to;
        l = region_leaf(r, at);
        if (l)
            any |= leaf_drop(s, l, entry_index(at), entry_index(end - 1), 0);
        at = end;
    }
    if (any)
        s->sink->unmap(s, from, to);
}

/* Calls each for every leaf of the region, in order; each may free it. */
static void each_leaf(struct shadow *s, struct region *r,
                      void (*each)(struct shadow *s, struct leaf *l))
{
    for (unsigned m = 0; m < 512; m++)
        for (unsigned k = 0; r->used[m] && k < 512; k++)
            if (r->low[m][k])
                each(s, r->low[m][k]);
}

static void drop_local(struct shadow *s, struct leaf *l)
{
    uint64_t base = l->base;

    if (!l->globals) {
        if (leaf_drop(s, l, 0, 511, 0))
            s->sink->unmap(s, base, base + 512 * PAGE);
        return;
    }
    for (unsigned k = 0; k < 512; k++) {
        unsigned last = k;

        if (!l->e[k].flags || l->e[k].flags & SH_GLOBAL)
            continue;
        while (last < 511 && !(l->e[last + 1].flags & SH_GLOBAL))
            last++;
        if (leaf_drop(s, l, k, last, 0))
            s->sink->unmap(s, base + k * PAGE, base + (last + 1) * PAGE);
        k = last;
    }
}

void entries_drop_local(struct shadow *s, struct region *r)
{
    uint64_t base = (uint64_t)r->slot << 39;
    bool globals = false;

    for (unsigned m = 0; m < 512; m++)
        for (unsigned k = 0; r->used[m] && k < 512; k++)
            globals |= r->low[m][k] && r->low[m][k]->globals;
    if (globals)
        each_leaf(s, r, drop_local);
    else
        entries_drop(s, r, base, base + (1ull << 39));
}

static void retire(struct shadow *s, struct leaf *l)
{
    if (!l->live)
        return;
    s->maps -= l->maps;
    l->maps = 0;
    for (unsigned k = 0; k < 512; k++)
        if (l->e[k].flags & SH_LIVE)
            set_flags(s, l, k, l->e[k].flags & SH_SAME);
}

void entries_retire(struct shadow *s, struct region *r)
{
    uint64_t base = (uint64_t)r->slot << 39;

    if (!r->live)
        return;
    each_leaf(s, r, retire);
    s->sink->unmap(s, base, base + (1ull << 39));
}

static void revive(struct shadow *s, struct leaf *l)
{
    for (unsigned k = 0, n; k < 512; k += n) {
        const struct sentry *e = &l->e[k];

        n = 1;
        if (!e->flags || e->flags & SH_LIVE ||
            (e->flags & SH_SUPER && s->cpl == 3))
            continue;
        if (s->maps + 2 > s->max_maps)
            return;
        while (k + n < 512 && e[n].flags == e->flags && e[n].gfn == e->gfn + n)
            n++;
        if (entries_map(s, l->region, l->base + k * PAGE, n, e->gfn, e->flags))
            return;
        if (e->flags & SH_SUPER)
            shadow_seen(s, l->base + k * PAGE, n);
    }
}

void entries_revive(struct shadow *s, struct region *r)
{
    each_leaf(s, r, revive);
}

void entries_protect_frame(struct shadow *s, uint32_t gfn)
{
    struct sentry *e;

    for (uint32_t id = s->frames[gfn].maps; id; id = e->next) {
        struct leaf *l = &s->pool[(id - 1) / 512];
        unsigned k = (id - 1) % 512;

        e = entry_of(s, id);
        if (!(e->flags & SH_W))
            continue;
        count_maps(s, l, k, k, -1);
        e->flags &= (uint8_t)~SH_W;
        count_maps(s, l, k, k, 1);
        if ((e->flags & (SH_LIVE | SH_HIDDEN)) == SH_LIVE)
            s->sink->protect(s, l->base + k * PAGE, 1, e->flags);
    }
}

void entries_show(struct shadow *s, uint64_t key, unsigned n)
{
    struct sentry *e = entry_find(s, key);

    for (unsigned k = 0; k < n; k++)
        e[k].flags &= (uint8_t)~SH_HIDDEN;
    s->sink->protect(s, key, n, e->flags);
}

void entries_hide(struct shadow *s, uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at < to; at += PAGE)
        entry_find(s, at)->flags |= SH_HIDDEN;
    s->sink->protect(s, from, (unsigned)((to - from) / PAGE), SH_HIDDEN);
}
