/* A page of the B+tree: 4 KiB, sorted entries of one size, a checksum. */
#ifndef TM_DB_PAGE_H
#define TM_DB_PAGE_H

#include "../../../guest/lib/lib.h"

#define DB_PAGE 4096u
#define DB_WORDS 14 /* of a value */

struct db_value {
    uint64_t w[DB_WORDS];
};

/* An entry of a leaf, and of the levels above: the child holds the keys from
 * its own on; the first child of a level also those below. */
struct db_leaf_entry {
    uint64_t key;
    struct db_value value;
};
struct db_child_entry {
    uint64_t key, child;
};

struct db_page {
    uint64_t sum; /* of all that follows; right on the disk only */
    uint32_t id;
    uint16_t level; /* 0: leaf */
    uint16_t count;
    uint32_t next; /* leaves: the one to the right, 0: none */
    uint32_t unused;
    uint8_t entries[DB_PAGE - 24] __attribute__((aligned(8)));
};
_Static_assert(sizeof(struct db_page) == DB_PAGE, "page layout");

/* Makes an empty page. */
void page_init(struct db_page *p, uint32_t id, uint16_t level);
bool page_is_full(const struct db_page *p);
size_t page_entry_size(const struct db_page *p);
void *page_entry(struct db_page *p, unsigned i);
uint64_t page_key(const struct db_page *p, unsigned i);
/* The first entry whose key is not below `key`; count: none. */
unsigned page_find(const struct db_page *p, uint64_t key);
/* Inner pages: the entry whose child covers `key`, and that child. */
unsigned page_route(const struct db_page *p, uint64_t key);
uint32_t page_child(const struct db_page *p, unsigned i);
/* p isn't full; the entry goes to position i. */
void page_insert(struct db_page *p, unsigned i, const void *entry);
/* Copies p's entries from `at` on to the empty page `right`. */
void page_copy_tail(const struct db_page *p, struct db_page *right,
                    unsigned at);
/* What p->sum must be. */
uint64_t page_sum(const struct db_page *p);
/* Could this be page `id`, as it was written? */
bool page_is_sound(const struct db_page *p, uint32_t id);

#endif
