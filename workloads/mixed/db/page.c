/* Entries of a B+tree page: finding, inserting, splitting, checking. */
#include "page.h"
#include "sum.h"

void page_init(struct db_page *p, uint32_t id, uint16_t level)
{
    memset(p, 0, sizeof(*p));
    p->id = id;
    p->level = level;
}

size_t page_entry_size(const struct db_page *p)
{
    return p->level ? sizeof(struct db_child_entry)
                    : sizeof(struct db_leaf_entry);
}

static unsigned capacity(const struct db_page *p)
{
    return (unsigned)(sizeof(p->entries) / page_entry_size(p));
}

bool page_is_full(const struct db_page *p)
{
    return p->count >= capacity(p);
}

void *page_entry(struct db_page *p, unsigned i)
{
    return p->entries + i * page_entry_size(p);
}

/* Both kinds of entry begin with it. */
uint64_t page_key(const struct db_page *p, unsigned i)
{
    uint64_t key;

    memcpy(&key, p->entries + i * page_entry_size(p), sizeof(key));
    return key;
}

unsigned page_find(const struct db_page *p, uint64_t key)
{
    unsigned low = 0, high = p->count;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (page_key(p, middle) < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

unsigned page_route(const struct db_page *p, uint64_t key)
{
    unsigned i = page_find(p, key);

    if (i < p->count && page_key(p, i) == key)
        return i;
    return i ? i - 1 : 0;
}

uint32_t page_child(const struct db_page *p, unsigned i)
{
    struct db_child_entry e;

    memcpy(&e, p->entries + i * sizeof(e), sizeof(e));
    return (uint32_t)e.child;
}

void page_insert(struct db_page *p, unsigned i, const void *entry)
{
    size_t size = page_entry_size(p), words = size / 8;
    uint64_t *at = (uint64_t *)p->entries + i * words;

    for (size_t w = (p->count - i) * words; w--;)
        at[w + words] = at[w];
    memcpy(at, entry, size);
    p->count++;
}

void page_copy_tail(const struct db_page *p, struct db_page *right, unsigned at)
{
    size_t size = page_entry_size(p);

    right->count = (uint16_t)(p->count - at);
    right->next = p->next;
    memcpy(right->entries, p->entries + at * size, right->count * size);
}

uint64_t page_sum(const struct db_page *p)
{
    return db_sum(&p->id, DB_PAGE - offsetof(struct db_page, id));
}

bool page_is_sound(const struct db_page *p, uint32_t id)
{
    return p->sum == page_sum(p) && p->id == id && p->count <= capacity(p);
}
