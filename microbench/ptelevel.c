/* The page-table entries that the ptemod-level benchmarks modify. */
#include "ptelevel.h"
#include "paging.h"

struct slot {
    volatile uint64_t *entry;
    uint64_t value; /* what the benchmark stores */
    char *page;     /* mapped beneath it; its first word is the slot's index */
};

static struct bench_space space;
static struct slot slots[PTELEVEL_ENTRIES], plain[PTELEVEL_ENTRIES];
static uint64_t unused[PTELEVEL_ENTRIES];
static enum ptemod_kind mode;

const char *ptelevel_init(enum ptemod_kind kind)
{
    uint64_t level = dial("param.level", 2);
    /* What one entry maps. */
    uint64_t stride = 1ull << (3 + 9 * (level & 7));

    mode = kind;
    if (level < 1 || level > 4)
        return "param.level must be 1 to 4";
    if (!bench_space_create(&space))
        return "out of memory";
    for (unsigned i = 0; i < PTELEVEL_ENTRIES; i++) {
        struct slot *s = &slots[i];
        uint64_t *leaf, *at, frame;

        s->page = SPACE_BASE + i * stride;
        leaf = bench_space_entry(&space, s->page, 1);
        frame = bench_space_frame(&space, (void **)&at);
        if (!leaf || !frame)
            return "out of memory";
        *leaf = frame | bench_space_flags();
        *at = i;
        s->entry = bench_space_entry(&space, s->page, (int)level);
        s->value = kind == PTEMOD_P2NP ? *s->entry & ~PTE_P : *s->entry;
        plain[i] = *s;
        plain[i].entry = &unused[i];
    }
    bench_space_enter(&space);
    return NULL;
}

void ptelevel_reset(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        struct slot *s = &slots[i];

        *s->entry = s->value | PTE_P;
        invlpg(s->page);
        read_pages(s->page, 1, 0);
        if (mode == PTEMOD_NP2P) {
            *s->entry = s->value & ~PTE_P;
            invlpg(s->page);
        }
    }
}

static __attribute__((noinline)) void store(const struct slot *s, uint64_t n)
{
    for (; n; n--, s++)
        *s->entry = s->value;
}

void ptelevel_kernel(uint64_t n)
{
    store(slots, n);
}

void ptelevel_control(uint64_t n)
{
    store(plain, n);
}

static void read_slot(void *arg)
{
    struct slot *s = arg;

    s->value = read_pages(s->page, 1, 0);
}

const char *ptelevel_verify(void)
{
    int wanted = mode == PTEMOD_P2NP ? 14 : -1;

    ptelevel_reset(PTELEVEL_ENTRIES);
    ptelevel_kernel(PTELEVEL_ENTRIES);
    for (unsigned i = 0; i < PTELEVEL_ENTRIES; i++) {
        struct slot s = {.page = slots[i].page, .value = i};

        /* The walker may set these two behind the loop's back. */
        if ((*slots[i].entry ^ slots[i].value) & ~(PTE_A | PTE_D))
            return "a page-table entry does not hold what was stored";
        invlpg(s.page);
        if (try_op(read_slot, &s) != wanted)
            return wanted < 0 ? "a present page raised #PF"
                              : "a page that isn't present was read";
        if (s.value != i)
            return "a page was read through a wrong translation";
    }
    return NULL;
}

void ptelevel_cleanup(void)
{
    bench_space_destroy(&space);
}
