/* Supervisor pages in a view that both rings share: hidden while CPL is 3. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* Showing and hiding cost by the page, too: about 150 ticks for each one that
 * the host has a page-table entry for, where a call costs 4000. */
#define WINDOW 16ull

void shadow_show(struct shadow *s, uint64_t host)
{
    const struct sentry *e = entry_live(s, host);
    unsigned flags = e->flags;
    uint64_t low = host & ~(WINDOW * PAGE - 1), from = host, to = host + PAGE;

    while (from > low && (e = entry_live(s, from - PAGE)) && e->flags == flags)
        from -= PAGE;
    while (to < low + WINDOW * PAGE && (e = entry_live(s, to)) &&
           e->flags == flags)
        to += PAGE;
    entries_show(s, from, (unsigned)((to - from) / PAGE));
    shadow_seen(s, from, (unsigned)((to - from) / PAGE));
}

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
           (!(e = entry_live(s, *at)) || (e->flags & mask) != want))
        *at += PAGE;
    for (to = *at; to < end; to += PAGE) {
        e = entry_live(s, to);
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

    if (to - from > WINDOW * PAGE)
        return false;
    for (; from < to; from += PAGE) {
        const struct sentry *e = entry_live(s, from);

        if (!e || (e->flags & mask) != mask)
            return false;
    }
    return true;
}

/* Sort the runs; those that touch or overlap become one. */
static unsigned join_runs(struct run *v, unsigned count)
{
    unsigned n = 0;

    qsort(v, count, sizeof(*v), by_address);
    for (unsigned k = 0; k < count; k++) {
        uint64_t end = n ? v[n - 1].host + v[n - 1].n * PAGE : 0;

        if (!n || v[k].host > end)
            v[n++] = v[k];
        else if (v[k].host + v[k].n * PAGE > end)
            v[n - 1].n = v[k].n + (v[k].host - v[n - 1].host) / PAGE;
    }
    return n;
}

/* One system call for each stretch of neighbours, whatever their rights. */
static void hide_all(struct shadow *s)
{
    struct run *v = s->visible;
    unsigned k = 0, n;

    if (s->visible_lost) {
        shadow_flush(s);
        return;
    }
    n = join_runs(v, s->visible_n);
    memcpy(s->recent, v, n * sizeof(*v));
    s->recent_n = n;
    while (k < n) {
        uint64_t at = v[k].host, end = at + v[k].n * PAGE, to;

        while (++k < n && hidden_between(s, end, v[k].host))
            end = v[k].host + v[k].n * PAGE;
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

    if (s->stays++ % 32 == 0)
        return;
    for (unsigned k = 0; k < s->recent_n; k++) {
        const struct run *r = &s->recent[k];
        uint64_t end = r->host + r->n * PAGE, at = r->host, to, stop;

        while ((to = stretch(s, &at, end, mask, mask)) > at) {
            /* Of one leaf, with the same rights. */
            stop = leaf_end(at) < to ? leaf_end(at) : to;
            stop = stretch(s, &at, stop, SH_SAME,
                           entry_live(s, at)->flags & SH_SAME);
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
    if (was_user == is_user || s->cfg.delta || s->cfg.tlb)
        return;
    if (is_user)
        hide_all(s);
    else
        show_recent(s);
}
