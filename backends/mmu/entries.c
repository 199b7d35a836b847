/* Shadow entries and the host mappings that they stand for. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

static unsigned top_index(uint64_t host)
{
    return host >> 39 & 511;
}

static unsigned middle_index(uint64_t host)
{
    return host >> 30 & 511;
}

static unsigned low_index(uint64_t host)
{
    return host >> 21 & 511;
}

static unsigned slot_index(uint64_t host)
{
    return host >> 12 & 511;
}

static struct leaf *leaf_find(const struct shadow *s, uint64_t host)
{
    struct middle *m = s->top[top_index(host)];
    struct leaf **low = m ? m->low[middle_index(host)] : NULL;

    return low ? low[low_index(host)] : NULL;
}

struct sentry *entry_find(const struct shadow *s, uint64_t host)
{
    struct leaf *l = leaf_find(s, host);
    struct sentry *e = l ? &l->e[slot_index(host)] : NULL;

    return e && e->flags ? e : NULL;
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

static struct leaf *leaf_get(struct shadow *s, uint64_t host)
{
    struct middle **m = &s->top[top_index(host)];
    struct leaf ***low, **l;

    if (!*m)
        *m = calloc(1, sizeof(**m));
    if (!*m)
        return NULL;
    low = &(*m)->low[middle_index(host)];
    if (!*low)
        *low = calloc(512, sizeof(**low));
    if (!*low)
        return NULL;
    l = &(*low)[low_index(host)];
    if (!*l) {
        *l = leaf_alloc(s);
        if (!*l)
            return NULL;
        (*l)->base = host & ~(512 * PAGE - 1);
        (*l)->used = 0;
        (*m)->used[middle_index(host)]++;
    }
    return *l;
}

static void leaf_put(struct shadow *s, struct leaf *l)
{
    struct middle *m = s->top[top_index(l->base)];

    m->low[middle_index(l->base)][low_index(l->base)] = NULL;
    m->used[middle_index(l->base)]--;
    l->next_free = s->pool_free;
    s->pool_free = (uint32_t)(l - s->pool) + 1;
}

/* ---- The chain of a frame ------------------------------------------------ */

static uint32_t entry_id(const struct shadow *s, const struct leaf *l,
                         unsigned slot)
{
    return (uint32_t)(l - s->pool) * 512 + slot + 1;
}

static struct sentry *entry_of(const struct shadow *s, uint32_t id)
{
    return &s->pool[(id - 1) / 512].e[(id - 1) % 512];
}

static void chain_add(struct shadow *s, struct leaf *l, unsigned slot)
{
    struct sentry *e = &l->e[slot];
    uint32_t id = entry_id(s, l, slot), *head = &s->frames[e->gfn].maps;

    e->prev = 0;
    e->next = *head;
    if (*head)
        entry_of(s, *head)->prev = id;
    *head = id;
    l->used++;
    s->pages++;
}

static void chain_remove(struct shadow *s, struct leaf *l, unsigned slot)
{
    struct sentry *e = &l->e[slot];

    if (e->prev)
        entry_of(s, e->prev)->next = e->next;
    else
        s->frames[e->gfn].maps = e->next;
    if (e->next)
        entry_of(s, e->next)->prev = e->prev;
    e->flags = 0;
    l->used--;
    s->pages--;
}

/* ---- Counting host mappings ---------------------------------------------- */

/* The host's kernel joins neighbours that continue each other. Hidden or not
 * makes two of one for a while; the limit's headroom is for that. */
static bool begins_map(const struct shadow *s, uint64_t host)
{
    const struct sentry *e = entry_find(s, host);
    const struct sentry *before = e ? entry_find(s, host - PAGE) : NULL;

    if (!e)
        return false;
    return !before || before->gfn + 1 != e->gfn ||
           (before->flags ^ e->flags) & SH_SAME;
}

static unsigned maps_begun(const struct shadow *s, uint64_t host, unsigned n)
{
    unsigned begun = 0;

    for (unsigned k = 0; k <= n; k++)
        begun += begins_map(s, host + k * PAGE);
    return begun;
}

/* ---- Changes --------------------------------------------------------------
 */

int entries_map(struct shadow *s, uint64_t host, unsigned n, uint32_t gfn,
                unsigned flags)
{
    struct leaf *l;
    unsigned slot = slot_index(host);
    int err;

    if (s->maps + 2 > s->max_maps) {
        shadow_flush(s);
        s->evictions++;
    }
    l = leaf_get(s, host);
    if (!l) { /* the pool is used up */
        shadow_flush(s);
        s->evictions++;
        l = leaf_get(s, host);
    }
    if (!l)
        return -ENOMEM;
    err = s->sink->map(s, host, n, gfn, flags);
    if (err) {
        if (!l->used)
            leaf_put(s, l);
        return err;
    }
    s->maps -= maps_begun(s, host, n);
    for (unsigned k = 0; k < n; k++) {
        struct sentry *e = &l->e[slot + k];

        if (e->flags)
            chain_remove(s, l, slot + k);
        e->gfn = gfn + k;
        e->flags = (uint8_t)flags;
        chain_add(s, l, slot + k);
    }
    s->maps += maps_begun(s, host, n);
    return 0;
}

/* Entries [first, last] of a leaf go. True: there were some. */
static bool leaf_drop(struct shadow *s, struct leaf *l, unsigned first,
                      unsigned last)
{
    uint64_t from = l->base + first * PAGE, base = l->base;
    bool any = false;

    s->maps -= maps_begun(s, from, last - first + 1);
    for (unsigned k = first; k <= last; k++) {
        if (!l->e[k].flags)
            continue;
        chain_remove(s, l, k);
        any = true;
    }
    if (!l->used)
        leaf_put(s, l);
    s->maps += begins_map(s, base + (last + 1) * PAGE);
    return any;
}

void entries_drop(struct shadow *s, uint64_t from, uint64_t to)
{
    bool any = false;

    for (uint64_t at = from; at < to;) {
        struct middle *m = s->top[top_index(at)];
        struct leaf *l;
        uint64_t end;

        if (!m) {
            at = (at | ((1ull << 39) - 1)) + 1;
            continue;
        }
        if (!m->used[middle_index(at)]) {
            at = (at | ((1ull << 30) - 1)) + 1;
            continue;
        }
        end = leaf_end(at) < to ? leaf_end(at) : to;
        l = m->low[middle_index(at)][low_index(at)];
        if (l)
            any |= leaf_drop(s, l, slot_index(at), slot_index(end - 1));
        at = end;
    }
    if (any)
        s->sink->unmap(s, from, to);
}

void entries_protect_frame(struct shadow *s, uint32_t gfn)
{
    struct sentry *e;

    for (uint32_t id = s->frames[gfn].maps; id; id = e->next) {
        struct leaf *l = &s->pool[(id - 1) / 512];
        uint64_t host = l->base + (id - 1) % 512 * PAGE;

        e = entry_of(s, id);
        if (!(e->flags & SH_W))
            continue;
        s->maps -= maps_begun(s, host, 1);
        e->flags &= (uint8_t)~SH_W;
        s->maps += maps_begun(s, host, 1);
        if (!(e->flags & SH_HIDDEN))
            s->sink->protect(s, host, 1, e->flags);
    }
}

void entries_show(struct shadow *s, uint64_t host, unsigned n)
{
    struct sentry *e = &leaf_find(s, host)->e[slot_index(host)];

    for (unsigned k = 0; k < n; k++)
        e[k].flags &= (uint8_t)~SH_HIDDEN;
    s->sink->protect(s, host, n, e->flags);
}

void entries_hide(struct shadow *s, uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at < to; at += PAGE)
        entry_find(s, at)->flags |= SH_HIDDEN;
    s->sink->protect(s, from, (unsigned)((to - from) / PAGE), SH_HIDDEN);
}
