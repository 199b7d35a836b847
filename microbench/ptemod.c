/* The page-table entries that ptemod-same, ptemod-p2np and ptemod-np2p modify.
 */
#include "ptemod.h"
#include "loop.h"

/* What the loop walks: entry i, and what it stores there. */
struct slot {
    volatile uint64_t *pte;
    uint64_t value;
};
_Static_assert(sizeof(struct slot) == 16, "the loop steps by 16");

/* Both loops load the address and the value; only the store differs. */
OP_LOOPS_ARG(ptemod, "", "mov (%rsi), %rdx\n mov 8(%rsi), %rax\n add $16, %rsi",
             "mov %rax, (%rdx)", "");

static struct slot slots[PTEMOD_PAGES];
static char *pages;
static enum ptemod_kind mode;

static uint64_t present(const struct slot *s)
{
    return s->value | PTE_P;
}

const char *ptemod_init(enum ptemod_kind kind)
{
    mode = kind;
    pages = bench_pages(PTEMOD_PAGES);
    if (!pages)
        return "out of memory";
    for (unsigned i = 0; i < PTEMOD_PAGES; i++) {
        struct slot *s = &slots[i];

        s->pte = pte_of(pages + i * 4096ul);
        s->value = *s->pte | PTE_A;
        if (kind == PTEMOD_P2NP)
            s->value &= ~PTE_P;
    }
    return NULL;
}

void ptemod_reset(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        volatile char *page = pages + i * 4096;

        *slots[i].pte = present(&slots[i]);
        invlpg((void *)page);
        (void)*page;
        if (mode == PTEMOD_NP2P) {
            *slots[i].pte = slots[i].value & ~PTE_P;
            invlpg((void *)page);
        }
    }
}

void ptemod_kernel(uint64_t n)
{
    ptemod_op(n, slots);
}

void ptemod_control(uint64_t n)
{
    ptemod_bare(n, slots);
}

const char *ptemod_verify(void)
{
    /* The walker may set these two behind the loop's back. */
    uint64_t ignore = PTE_A | PTE_D;

    ptemod_reset(PTEMOD_PAGES);
    ptemod_kernel(PTEMOD_PAGES);
    for (unsigned i = 0; i < PTEMOD_PAGES; i++) {
        if ((*slots[i].pte ^ slots[i].value) & ~ignore)
            return "a page-table entry does not hold what was stored";
    }
    return NULL;
}

void ptemod_cleanup(void)
{
    if (!pages)
        return;
    for (unsigned i = 0; i < PTEMOD_PAGES; i++) {
        *slots[i].pte = present(&slots[i]);
        invlpg(pages + i * 4096ul);
    }
    bench_pages_free(pages);
    pages = NULL;
}
