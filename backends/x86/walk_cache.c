/* Paging-structure caches. */
#include "walk_cache.h"

static struct cached_table *entry(struct walk_cache *c, unsigned level,
                                  gva_t gva, uint64_t *tag)
{
    *tag = gva >> (21 + 9 * level);
    return &c->e[level][*tag % WALK_CACHE_SIZE];
}

bool walk_cache_find(void *opaque, gva_t gva, struct walk_partial *p)
{
    struct walk_cache *c = opaque;
    uint64_t tag;

    for (unsigned level = 0; level < 3; level++) {
        const struct cached_table *e = entry(c, level, gva, &tag);

        if (e->age == c->age && e->tag == tag) {
            *p = e->p;
            return true;
        }
    }
    return false;
}

void walk_cache_keep(void *opaque, gva_t gva, const struct walk_partial *p)
{
    struct walk_cache *c = opaque;
    uint64_t tag;
    struct cached_table *e = entry(c, p->level, gva, &tag);

    e->tag = tag;
    e->age = c->age;
    e->p = *p;
}

void walk_cache_forget(struct walk_cache *c, gva_t gva)
{
    uint64_t tag;

    for (unsigned level = 0; level < 3; level++) {
        struct cached_table *e = entry(c, level, gva, &tag);

        if (e->tag == tag)
            e->age = 0;
    }
}
