/* Address spaces for kernel benchmarks: see api.h. */
#include "kernel.h"

_Static_assert((uint64_t)SPACE_BASE == 1ull << 39,
               "beyond the top-level entry of processes and user_call");

static uint64_t owned_page(uint32_t *list, bool zero)
{
    uint64_t pa = zero ? page_alloc_zero() : page_alloc();

    if (pa)
        page_list_push(list, pa);
    return pa;
}

bool bench_space_create(struct bench_space *s)
{
    *s = (struct bench_space){0};
    s->root = owned_page(&s->tables, false);
    if (!s->root)
        return false;
    memcpy(phys_to_virt(s->root), phys_to_virt(boot_info.kernel_root),
           PAGE_SIZE);
    return true;
}

uint64_t *bench_space_entry(struct bench_space *s, const void *va, int level)
{
    uint64_t *table = phys_to_virt(s->root);

    for (int l = 4; l > level; l--) {
        uint64_t *entry = &table[(uint64_t)va >> (3 + 9 * l) & 511];

        if (!(*entry & PTE_P)) {
            uint64_t pa = owned_page(&s->tables, true);

            if (!pa)
                return NULL;
            *entry = pa | PTE_P | PTE_W | PTE_U | PTE_A;
        }
        table = phys_to_virt(*entry & PTE_ADDR);
    }
    return &table[(uint64_t)va >> (3 + 9 * level) & 511];
}

uint64_t bench_space_frame(struct bench_space *s, void **at)
{
    uint64_t pa = owned_page(&s->frames, false);

    *at = pa ? phys_to_virt(pa) : NULL;
    return pa;
}

uint64_t bench_space_flags(void)
{
    return PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | (boot_info.nx ? PTE_NX : 0);
}

bool bench_space_map(struct bench_space *s, const void *va, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const char *page = (const char *)va + i * PAGE_SIZE;
        uint64_t *leaf = bench_space_entry(s, page, 1);
        uint64_t *at, pa = bench_space_frame(s, (void **)&at);

        if (!leaf || !pa)
            return false;
        *at = i;
        *leaf = pa | bench_space_flags();
    }
    return true;
}

void bench_space_enter(const struct bench_space *s)
{
    write_cr3(s->root);
}

void bench_space_destroy(struct bench_space *s)
{
    uint64_t pa;

    write_cr3(boot_info.kernel_root);
    while ((pa = page_list_pop(&s->frames)))
        page_unref(pa);
    while ((pa = page_list_pop(&s->tables)))
        page_unref(pa);
    s->root = 0;
}

uint64_t bench_large(uint64_t bytes)
{
    static uint64_t kept, size;
    uint64_t pages = (bytes + LARGE_PAGE - 1) / PAGE_SIZE;

    if (bytes <= size)
        return kept;
    /* The allocator doesn't align: up to one large page stays unused. */
    if (pages + 64 > page_free_count())
        return 0;
    kept = page_alloc_contiguous((unsigned)pages);
    size = kept ? bytes : 0;
    kept = (kept + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
    return kept;
}
