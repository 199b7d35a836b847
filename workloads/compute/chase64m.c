/* chase64m: a chain of dependent loads all over 64 MiB, the class of mcf:
 * nearly every load misses the TLB, few miss the caches. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"

/* The chain has one slot in each 16 KiB, on a random line of a random page: a
 * TLB that covers neighbouring pages with one entry gains nothing. 4096 slots
 * are 256 KiB of lines, which caches hold, and 4096 translations, which hardly
 * a TLB holds; so the price is that of page walks: of one dimension natively,
 * of two under nested paging. Only these pages take up memory. A host that
 * backs the native process with huge pages walks less than the guest, which
 * maps 4 KiB. */
#define CHASE_SLOTS 4096
#define CHASE_STRIDE 16384
#define CHASE_LINE 64
#define CHASE_HOPS 2048

static uint8_t chase_memory[CHASE_SLOTS][CHASE_STRIDE]
    __attribute__((aligned(4096)));

/* Where the next operation begins. */
static void *chase_at;

static void **chase_slot(unsigned slot)
{
    unsigned line = mix64(3, slot) % (CHASE_STRIDE / CHASE_LINE);

    return (void **)&chase_memory[slot][line * CHASE_LINE];
}

/* One cycle through all slots in random order. Writing it touches every page,
 * so that no page fault is left to the measured loop. */
static const char *chase64m_init(void)
{
    static uint16_t order[CHASE_SLOTS];
    uint64_t r = 1;

    _Static_assert(CHASE_SLOTS <= 1 << 16, "a slot's number fits in order[]");
    for (unsigned i = 0; i < CHASE_SLOTS; i++)
        order[i] = (uint16_t)i;
    for (unsigned i = CHASE_SLOTS - 1; i > 0; i--) {
        unsigned j = random_next(&r) % (i + 1);
        uint16_t t = order[i];

        order[i] = order[j];
        order[j] = t;
    }
    for (unsigned i = 0; i < CHASE_SLOTS; i++)
        *chase_slot(order[i]) = chase_slot(order[(i + 1) % CHASE_SLOTS]);
    chase_at = chase_slot(order[0]);
    return NULL;
}

/* Each operation goes on where the last one ended. */
static void chase64m_kernel(uint64_t n)
{
    void *p = chase_at;

    while (n--) {
#pragma GCC unroll 8
        for (unsigned i = 0; i < CHASE_HOPS; i++)
            p = *(void *volatile *)p;
    }
    chase_at = p;
}

static unsigned chase_number(const void *p)
{
    return (unsigned)(((uintptr_t)p - (uintptr_t)chase_memory) / CHASE_STRIDE);
}

/* The order of the slots. */
static uint64_t chase64m_checksum(void)
{
    uint64_t sum = 0;
    void *p = chase_at;

    for (unsigned i = 0; i < CHASE_SLOTS; i++) {
        sum = mix64(sum, chase_number(p));
        p = *(void **)p;
    }
    return sum;
}

/* After any number of operations the chain is one cycle through all slots. */
static const char *chase64m_verify(void)
{
    static uint8_t seen[CHASE_SLOTS];
    void *p = chase_at;

    for (unsigned i = 0; i < CHASE_SLOTS; i++)
        seen[i] = 0;
    for (unsigned i = 0; i < CHASE_SLOTS; i++) {
        unsigned slot = chase_number(p);

        if (slot >= CHASE_SLOTS)
            return "the chain leaves its memory";
        if (seen[slot]++)
            return "a slot comes twice";
        p = *(void **)p;
    }
    return p == chase_at ? NULL : "the chain doesn't close";
}

DEFINE_BENCHMARK(chase64m, "chase64m", "compute", "2048 dependent loads",
                 "Pointer chase over 64 MiB, a page each hop: TLB misses",
                 TM_BENCH_NATIVE, .init = chase64m_init,
                 .kernel = chase64m_kernel, .checksum = chase64m_checksum,
                 .verify = chase64m_verify);
