/* btree: an index in memory as a B+tree that takes in new keys, drops old ones,
 * looks up and scans, the class of vortex and of databases. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"

/* A node but the root has BT_MIN to BT_MAX keys. Full nodes are split and
 * minimal ones refilled on the way down, so that nothing goes back up. */
#define BT_MIN 15
#define BT_MAX (2 * BT_MIN + 1)

/* Keys in the index: the latest ones of an endless sequence. */
#define BT_KEYS 32768
/* Leaves with BT_MIN keys each, half that many inner nodes, one of each more.
 */
#define BT_NODES (BT_KEYS / BT_MIN + BT_KEYS / BT_MIN / 2 + 2)

#define BT_ROUNDS 64 /* of an operation */
#define BT_LOOKUPS 4 /* of a round */
#define BT_SCAN 16   /* keys; one scan a round */

struct bt_node {
    uint32_t count;
    bool leaf;
    struct bt_node *next; /* leaf: the one to the right; free: the next free */
    uint64_t keys[BT_MAX];
    union {
        uint64_t values[BT_MAX]; /* of a leaf */
        /* child[i] has the keys from keys[i - 1] on that are below keys[i] */
        struct bt_node *child[BT_MAX + 1];
    };
};

static struct bt_node bt_pool[BT_NODES];
static struct bt_node *bt_root, *bt_free;
/* The index holds numbers [bt_newest - BT_KEYS, bt_newest) of the sequence. */
static uint64_t bt_newest;
static uint64_t bt_seen; /* digest of what look-ups and scans found */

/* No two numbers have the same key: every step of mix64 can be undone. */
static inline uint64_t bt_key(uint64_t number)
{
    return mix64(0x62747265, number);
}

static struct bt_node *bt_alloc(bool leaf)
{
    struct bt_node *n = bt_free;

    bt_free = n->next;
    n->count = 0;
    n->leaf = leaf;
    n->next = NULL;
    return n;
}

static void bt_release(struct bt_node *n)
{
    n->next = bt_free;
    bt_free = n;
}

static void bt_clear(void)
{
    bt_free = NULL;
    for (unsigned i = BT_NODES; i-- > 0;)
        bt_release(&bt_pool[i]);
    bt_root = bt_alloc(true);
}

/* How many of the node's keys are below `key`, or not above it. */
static unsigned bt_below(const struct bt_node *n, uint64_t key)
{
    unsigned low = 0, high = n->count;

    while (low < high) {
        unsigned mid = (low + high) / 2;

        if (n->keys[mid] < key)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static unsigned bt_upto(const struct bt_node *n, uint64_t key)
{
    unsigned i = bt_below(n, key);

    return i < n->count && n->keys[i] == key ? i + 1 : i;
}

/* ---- Making and closing gaps --------------------------------------------- */

static void bt_put_entry(struct bt_node *n, unsigned at, uint64_t key,
                         uint64_t value)
{
    for (unsigned i = n->count++; i > at; i--) {
        n->keys[i] = n->keys[i - 1];
        n->values[i] = n->values[i - 1];
    }
    n->keys[at] = key;
    n->values[at] = value;
}

static void bt_cut_entry(struct bt_node *n, unsigned at)
{
    n->count--;
    for (unsigned i = at; i < n->count; i++) {
        n->keys[i] = n->keys[i + 1];
        n->values[i] = n->values[i + 1];
    }
}

/* A key and the child at its right. */
static void bt_put_child(struct bt_node *n, unsigned at, uint64_t key,
                         struct bt_node *child)
{
    for (unsigned i = n->count++; i > at; i--) {
        n->keys[i] = n->keys[i - 1];
        n->child[i + 1] = n->child[i];
    }
    n->keys[at] = key;
    n->child[at + 1] = child;
}

static void bt_cut_child(struct bt_node *n, unsigned at)
{
    n->count--;
    for (unsigned i = at; i < n->count; i++) {
        n->keys[i] = n->keys[i + 1];
        n->child[i + 1] = n->child[i + 2];
    }
}

/* Appends the entries of `from` in [first, count); inner nodes have their first
 * child appended too, and so a key for it must be there before. */
static void bt_append(struct bt_node *to, const struct bt_node *from,
                      unsigned first)
{
    for (unsigned i = first; i < from->count; i++) {
        to->keys[to->count] = from->keys[i];
        if (to->leaf)
            to->values[to->count] = from->values[i];
        else
            to->child[to->count] = from->child[i];
        to->count++;
    }
    if (!to->leaf)
        to->child[to->count] = from->child[from->count];
}

/* ---- Splitting and refilling --------------------------------------------- */

/* Splits the full child i of a node that isn't full. */
static void bt_split(struct bt_node *parent, unsigned i)
{
    struct bt_node *left = parent->child[i], *right = bt_alloc(left->leaf);
    uint64_t key = left->keys[BT_MIN];

    /* A leaf keeps its entry; an inner node gives its key to the parent. */
    bt_append(right, left, left->leaf ? BT_MIN : BT_MIN + 1);
    left->count = BT_MIN;
    if (left->leaf) {
        right->next = left->next;
        left->next = right;
    }
    bt_put_child(parent, i, key, right);
}

static void bt_borrow_left(struct bt_node *parent, unsigned i)
{
    struct bt_node *left = parent->child[i - 1], *n = parent->child[i];
    unsigned last = left->count - 1;

    if (n->leaf) {
        bt_put_entry(n, 0, left->keys[last], left->values[last]);
        parent->keys[i - 1] = n->keys[0];
    } else {
        bt_put_child(n, 0, parent->keys[i - 1], n->child[0]);
        n->child[0] = left->child[left->count];
        parent->keys[i - 1] = left->keys[last];
    }
    left->count--;
}

static void bt_borrow_right(struct bt_node *parent, unsigned i)
{
    struct bt_node *n = parent->child[i], *right = parent->child[i + 1];

    if (n->leaf) {
        bt_put_entry(n, n->count, right->keys[0], right->values[0]);
        bt_cut_entry(right, 0);
        parent->keys[i] = right->keys[0];
    } else {
        bt_put_child(n, n->count, parent->keys[i], right->child[0]);
        parent->keys[i] = right->keys[0];
        right->child[0] = right->child[1];
        bt_cut_child(right, 0);
    }
}

/* Children i and i + 1 become one. */
static void bt_merge(struct bt_node *parent, unsigned i)
{
    struct bt_node *left = parent->child[i], *right = parent->child[i + 1];

    if (left->leaf)
        left->next = right->next;
    else
        left->keys[left->count++] = parent->keys[i];
    bt_append(left, right, 0);
    bt_cut_child(parent, i);
    bt_release(right);
}

/* Gives child i, which has BT_MIN keys, more; returns what it is part of. */
static struct bt_node *bt_refill(struct bt_node *parent, unsigned i)
{
    if (i > 0 && parent->child[i - 1]->count > BT_MIN) {
        bt_borrow_left(parent, i);
        return parent->child[i];
    }
    if (i < parent->count && parent->child[i + 1]->count > BT_MIN) {
        bt_borrow_right(parent, i);
        return parent->child[i];
    }
    if (i == parent->count)
        i--;
    bt_merge(parent, i);
    return parent->child[i];
}

/* ---- The index ----------------------------------------------------------- */

static const struct bt_node *bt_leaf(uint64_t key)
{
    const struct bt_node *n = bt_root;

    while (!n->leaf)
        n = n->child[bt_upto(n, key)];
    return n;
}

/* The value, or fallback. */
static uint64_t bt_find(uint64_t key, uint64_t fallback)
{
    const struct bt_node *n = bt_leaf(key);
    unsigned i = bt_below(n, key);

    return i < n->count && n->keys[i] == key ? n->values[i] : fallback;
}

/* The key must be new. */
static void bt_insert(uint64_t key, uint64_t value)
{
    struct bt_node *n = bt_root;

    if (n->count == BT_MAX) {
        bt_root = bt_alloc(false);
        bt_root->child[0] = n;
        bt_split(bt_root, 0);
        n = bt_root;
    }
    while (!n->leaf) {
        unsigned i = bt_upto(n, key);

        if (n->child[i]->count == BT_MAX) {
            bt_split(n, i);
            i += n->keys[i] <= key;
        }
        n = n->child[i];
    }
    bt_put_entry(n, bt_below(n, key), key, value);
}

/* False: there is no such key. */
static bool bt_erase(uint64_t key)
{
    struct bt_node *n = bt_root;
    unsigned i;

    while (!n->leaf) {
        struct bt_node *child;

        i = bt_upto(n, key);
        child = n->child[i];
        if (child->count == BT_MIN)
            child = bt_refill(n, i);
        if (n == bt_root && !n->count) {
            bt_root = child;
            bt_release(n);
        }
        n = child;
    }
    i = bt_below(n, key);
    if (i == n->count || n->keys[i] != key)
        return false;
    bt_cut_entry(n, i);
    return true;
}

/* Folds the values of up to `count` keys from `key` on into sum. */
static uint64_t bt_scan(uint64_t key, unsigned count, uint64_t sum)
{
    const struct bt_node *n = bt_leaf(key);
    unsigned i = bt_below(n, key);

    for (; n; n = n->next, i = 0)
        for (; i < n->count; i++, count--) {
            if (!count)
                return sum;
            sum = mix64(sum, n->values[i]);
        }
    return sum;
}

/* ---- The benchmark ------------------------------------------------------- */

static const char *btree_init(void)
{
    bt_clear();
    for (bt_newest = 0; bt_newest < BT_KEYS; bt_newest++)
        bt_insert(bt_key(bt_newest), bt_newest);
    return NULL;
}

/* A new key, the oldest one out, look-ups a quarter of which fail, a scan. */
static void bt_round(void)
{
    uint64_t r = mix64(21, bt_newest);

    bt_insert(bt_key(bt_newest), bt_newest);
    bt_erase(bt_key(bt_newest - BT_KEYS));
    bt_newest++;
    for (unsigned i = 0; i < BT_LOOKUPS; i++) {
        uint64_t back = 1 + (random_next(&r) >> 32) % (BT_KEYS * 4 / 3);

        bt_seen = mix64(bt_seen, bt_find(bt_key(bt_newest - back), 1));
    }
    bt_seen = bt_scan(random_next(&r), BT_SCAN, bt_seen);
}

static void btree_kernel(uint64_t n)
{
    for (n *= BT_ROUNDS; n; n--)
        bt_round();
}

/* What eight operations find, and all values in the order of the keys. */
static uint64_t btree_checksum(void)
{
    bt_seen = 0;
    btree_kernel(8);
    return bt_scan(0, BT_KEYS, bt_seen);
}

/* All leaves from left to right: as many keys as there should be, in order. */
static const char *bt_check_order(void)
{
    const struct bt_node *n = bt_root;
    uint64_t last = 0;
    unsigned count = 0;

    while (!n->leaf)
        n = n->child[0];
    for (; n; n = n->next) {
        if (n != bt_root && n->count < BT_MIN)
            return "a leaf has too few keys";
        for (unsigned i = 0; i < n->count; i++, count++) {
            if (count && n->keys[i] <= last)
                return "keys are out of order";
            last = n->keys[i];
        }
    }
    return count == BT_KEYS ? NULL : "keys were lost or left behind";
}

static const char *btree_verify(void)
{
    for (uint64_t i = bt_newest - BT_KEYS; i < bt_newest; i++)
        if (bt_find(bt_key(i), ~i) != i)
            return "a key isn't found";
    return bt_check_order();
}

DEFINE_BENCHMARK(btree, "btree", "compute", "448 index operations",
                 "B+tree index in memory: insert, erase, look up, scan",
                 TM_BENCH_NATIVE, .init = btree_init, .kernel = btree_kernel,
                 .checksum = btree_checksum, .verify = btree_verify);
