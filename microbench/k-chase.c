/* k-chase: follows pointers through 256 KiB in random order, so that every load
 * waits for the one before. */
#include "kcompute.h"

#define PAGES 64
#define NODE_SIZE 64
#define NODES (PAGES * PAGE_SIZE / NODE_SIZE)
#define HOPS 64

struct node {
    struct node *next;
    uint64_t number;
    uint8_t pad[NODE_SIZE - 16];
};
_Static_assert(sizeof(struct node) == NODE_SIZE, "one a cache line");

static struct node *nodes;

/* One cycle through all nodes (Sattolo's shuffle). */
static const char *chase_init(void)
{
    uint64_t random = 3;

    nodes = bench_pages(PAGES);
    if (!nodes)
        return "no memory for the list";
    for (uint64_t i = 0; i < NODES; i++) {
        nodes[i].next = &nodes[i];
        nodes[i].number = i;
    }
    for (uint64_t i = NODES - 1; i; i--) {
        uint64_t j = (random_next(&random) >> 32) % i;
        struct node *next = nodes[i].next;

        nodes[i].next = nodes[j].next;
        nodes[j].next = next;
    }
    return NULL;
}

static struct node *run(struct node *at, uint64_t n)
{
    for (n *= HOPS; n; n--)
        at = at->next;
    return at;
}

static void chase_kernel(uint64_t n)
{
    keep((uint64_t)run(nodes, n));
}

/* Where some hops lead, as the nodes' numbers: addresses differ. */
static uint64_t chase_checksum(void)
{
    const struct node *at = nodes;
    uint64_t h = 0;

    for (int i = 0; i < 200; i++) {
        h = mix64(h, at->number);
        at = at->next;
    }
    return h;
}

static void chase_cleanup(void)
{
    bench_pages_free(nodes);
}

DEFINE_KCOMPUTE(k_chase, "k-chase", "64 dependent loads",
                "A pointer chase through 256 KiB in kernel mode",
                .init = chase_init, .kernel = chase_kernel,
                .checksum = chase_checksum, .cleanup = chase_cleanup);
