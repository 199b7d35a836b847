/* The tree: get, put with splits on the way down, and a look at all of it. */
#include "store.h"

#define ROOT_AT_FIRST 1
#define LEVELS_MAX 8

static struct db_meta *meta_of(struct db_page *zero)
{
    return (struct db_meta *)zero->entries;
}

int btree_create(struct db *db)
{
    struct db_page *zero, *root;
    int err;

    db->operation++;
    zero = cache_get(db, 0, true, &err);
    root = zero ? cache_get(db, ROOT_AT_FIRST, true, &err) : NULL;
    if (!root)
        return err;
    page_init(zero, 0, 0);
    page_init(root, ROOT_AT_FIRST, 0);
    *meta_of(zero) = (struct db_meta){ROOT_AT_FIRST, 2};
    cache_frame(db, zero)->dirty = cache_frame(db, root)->dirty = true;
    return 0;
}

static struct db_page *get_root(struct db *db, int *err)
{
    struct db_page *zero = cache_get(db, 0, false, err);

    return zero ? cache_get(db, meta_of(zero)->root, false, err) : NULL;
}

int64_t db_used(struct db *db)
{
    int err;
    struct db_page *zero;

    db->operation++;
    zero = cache_get(db, 0, false, &err);
    return zero ? (int64_t)meta_of(zero)->used : err;
}

/* The leaf that `key` belongs to. */
static struct db_page *find_leaf(struct db *db, uint64_t key, int *err)
{
    struct db_page *p;

    db->operation++;
    p = get_root(db, err);
    while (p && p->level)
        p = cache_get(db, page_child(p, page_route(p, key)), false, err);
    return p;
}

static struct db_value *value_in(struct db_page *leaf, unsigned i)
{
    return &((struct db_leaf_entry *)page_entry(leaf, i))->value;
}

static bool holds(const struct db_page *leaf, unsigned i, uint64_t key)
{
    return i < leaf->count && page_key(leaf, i) == key;
}

int db_get(struct db *db, uint64_t key, struct db_value *v)
{
    int err;
    struct db_page *leaf = find_leaf(db, key, &err);
    unsigned i;

    if (!leaf)
        return err;
    i = page_find(leaf, key);
    if (!holds(leaf, i, key))
        return 0;
    *v = *value_in(leaf, i);
    return 1;
}

/* ---- Splitting ---------------------------------------------------------- */

/* A page that was never used, in memory. */
static struct db_page *new_page(struct db *db, uint16_t level, int *err)
{
    struct db_page *zero = cache_get(db, 0, false, err), *p;
    struct db_meta meta;

    if (!zero)
        return NULL;
    meta = *meta_of(zero);
    if (meta.used == db->pages) {
        *err = -DB_EFULL;
        return NULL;
    }
    p = cache_get(db, meta.used, true, err);
    if (!p)
        return NULL;
    page_init(p, meta.used++, level);
    wal_bytes(db, zero, meta_of(zero), &meta, sizeof(meta));
    return p;
}

/* Where to split for `key`: behind everything, if keys come in order. */
static unsigned split_at(const struct db_page *p, uint64_t key)
{
    unsigned last = p->count - 1u;

    return !p->next && key > page_key(p, last) ? last : p->count / 2u;
}

/* Child i of the parent is full, the parent isn't: the half of the child that
 * covers `key`. */
static struct db_page *split_child(struct db *db, struct db_page *parent,
                                   unsigned i, struct db_page *left,
                                   uint64_t key, int *err)
{
    struct db_page *right = new_page(db, left->level, err);
    struct db_page head = {0};
    struct db_child_entry e;
    unsigned at;

    if (!right)
        return NULL;
    at = split_at(left, key);
    page_copy_tail(left, right, at);
    wal_new(db, right);
    /* The left one loses its tail by its count. */
    head.id = left->id;
    head.level = left->level;
    head.count = (uint16_t)at;
    head.next = left->level ? 0 : right->id;
    wal_bytes(db, left, &left->id, &head.id,
              offsetof(struct db_page, entries) - offsetof(struct db_page, id));
    e = (struct db_child_entry){page_key(right, 0), right->id};
    wal_insert(db, parent, i + 1, &e);
    return key < e.key ? left : right;
}

/* A root above the root. */
static struct db_page *grow(struct db *db, struct db_page *old, int *err)
{
    const struct db_child_entry e = {0, old->id};
    struct db_page *root = new_page(db, (uint16_t)(old->level + 1), err);
    struct db_page *zero = root ? cache_get(db, 0, false, err) : NULL;
    struct db_meta meta;

    if (!zero)
        return NULL;
    page_insert(root, 0, &e);
    wal_new(db, root);
    meta = *meta_of(zero);
    meta.root = root->id;
    wal_bytes(db, zero, meta_of(zero), &meta, sizeof(meta));
    return root;
}

/* The leaf for `key`, with room for it. */
static struct db_page *make_room(struct db *db, uint64_t key, int *err)
{
    struct db_page *p, *child;

    db->operation++;
    p = get_root(db, err);
    if (p && page_is_full(p)) {
        child = p;
        p = grow(db, child, err);
        if (p)
            p = split_child(db, p, 0, child, key, err);
    }
    while (p && p->level) {
        unsigned i = page_route(p, key);

        child = cache_get(db, page_child(p, i), false, err);
        if (child && page_is_full(child))
            child = split_child(db, p, i, child, key, err);
        p = child;
    }
    return p;
}

int db_put(struct db *db, uint64_t key, const struct db_value *v)
{
    const struct db_leaf_entry e = {key, *v};
    int err;
    struct db_page *leaf = find_leaf(db, key, &err);
    unsigned i;

    if (!leaf)
        return err;
    i = page_find(leaf, key);
    if (holds(leaf, i, key)) {
        wal_bytes(db, leaf, value_in(leaf, i), v, sizeof(*v));
        return 0;
    }
    if (page_is_full(leaf)) {
        leaf = make_room(db, key, &err);
        if (!leaf)
            return err;
        i = page_find(leaf, key);
    }
    wal_insert(db, leaf, i, &e);
    return 0;
}

/* ---- Checking ----------------------------------------------------------- */

struct walk {
    const char *(*visit)(void *opaque, uint64_t key, const struct db_value *v);
    void *opaque;
    const char *problem;
    uint32_t pages, next_leaf; /* seen; that must follow */
    bool first_leaf;
};

static const char *check_keys(const struct db_page *p, uint64_t low,
                              uint64_t high)
{
    for (unsigned i = 0; i < p->count; i++) {
        uint64_t key = page_key(p, i);

        if (key > high || (key < low && (i || !p->level)))
            return "a key lies outside its page's range";
        if (i && key <= page_key(p, i - 1))
            return "keys are not in order";
    }
    return NULL;
}

static const char *check_leaf(struct walk *w, struct db_page *p)
{
    const char *problem = NULL;

    if (!w->first_leaf && w->next_leaf != p->id)
        return "the chain of leaves goes astray";
    w->first_leaf = false;
    w->next_leaf = p->next;
    for (unsigned i = 0; i < p->count && !problem && w->visit; i++)
        problem = w->visit(w->opaque, page_key(p, i), value_in(p, i));
    return problem;
}

/* The subtree of page `id`, whose keys are in [low, high]. */
static const char *check_page(struct db *db, struct walk *w, uint32_t id,
                              unsigned level, uint64_t low, uint64_t high)
{
    static const char unreadable[] = "a page can't be read";
    const char *problem;
    struct db_page *p;
    int err;

    db->operation++; /* pages above may go; they are read again */
    p = cache_get(db, id, false, &err);
    if (!p)
        return unreadable;
    w->pages++;
    if (p->id != id || p->level != level || (level && !p->count))
        return "a page is not what its parent says";
    problem = check_keys(p, low, high);
    if (problem || !level)
        return problem ? problem : check_leaf(w, p);
    for (unsigned i = 0; !problem; i++) {
        uint64_t from, to = high;

        db->operation++;
        p = cache_get(db, id, false, &err);
        if (!p)
            return unreadable;
        if (i == p->count)
            break;
        from = i ? page_key(p, i) : low;
        if (i + 1u < p->count)
            to = page_key(p, i + 1) - 1;
        problem = check_page(db, w, page_child(p, i), level - 1, from, to);
    }
    return problem;
}

const char *db_check(struct db *db,
                     const char *(*visit)(void *opaque, uint64_t key,
                                          const struct db_value *v),
                     void *opaque)
{
    struct walk w = {.visit = visit, .opaque = opaque, .first_leaf = true};
    struct db_page *root;
    const char *problem = "the tree has no root";
    int err = db_begin(db, 0);

    if (err)
        return "the database can't be read";
    db->operation++;
    root = get_root(db, &err);
    if (root && root->level < LEVELS_MAX)
        problem = check_page(db, &w, root->id, root->level, 0, UINT64_MAX);
    if (!problem && w.next_leaf)
        problem = "the last leaf is not the last";
    if (!problem && w.pages + 1 != db_used(db))
        problem = "pages were lost";
    db_end(db);
    return problem;
}
