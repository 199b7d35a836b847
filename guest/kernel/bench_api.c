/* Memory and user mode for kernel benchmarks: see api.h. */
#include "kernel.h"

/* ---- bench_pages: first fit over a few leaf tables above the image ------ */

#define LEAF_TABLES 8
#define SLOTS (LEAF_TABLES * 512)

static uint64_t *leaf_tables[LEAF_TABLES]; /* made on demand */
static uint16_t slot_run[SLOTS]; /* pages of the block that begins here */
static bool slot_used[SLOTS];

static uint64_t slot_va(unsigned slot)
{
    return boot_info.kernel_offset + TM_KERNEL_PHYS + VMALLOC_OFFSET +
           slot * PAGE_SIZE;
}

static uint64_t *slot_pte(unsigned slot)
{
    return &leaf_tables[slot / 512][slot % 512];
}

uint64_t *pte_of(const void *va)
{
    uint64_t *table = phys_to_virt(read_cr3() & PTE_ADDR);

    for (int shift = 39; shift > 12; shift -= 9) {
        uint64_t entry = table[(uint64_t)va >> shift & 511];

        if (!(entry & PTE_P) || (entry & PTE_PS))
            return NULL;
        table = phys_to_virt(entry & PTE_ADDR);
    }
    return &table[(uint64_t)va >> 12 & 511];
}

static bool make_leaf_table(unsigned index)
{
    uint64_t pa = page_alloc_zero(), va = slot_va(index * 512);
    uint64_t *table = phys_to_virt(boot_info.kernel_root);

    if (!pa)
        return false;
    /* boot/early.c made the directory above. */
    for (int shift = 39; shift > 21; shift -= 9)
        table = phys_to_virt(table[va >> shift & 511] & PTE_ADDR);
    table[va >> 21 & 511] = pa | PTE_P | PTE_W | PTE_A;
    leaf_tables[index] = phys_to_virt(pa);
    return true;
}

static unsigned find_slots(unsigned n)
{
    unsigned run = 0;

    for (unsigned i = 0; i < SLOTS; i++) {
        run = slot_used[i] ? 0 : run + 1;
        if (run == n)
            return i + 1 - n;
    }
    return SLOTS;
}

static void release(unsigned slot, unsigned n)
{
    for (unsigned i = slot; i < slot + n; i++) {
        page_unref(*slot_pte(i) & PTE_ADDR);
        *slot_pte(i) = 0;
        slot_used[i] = false;
        invlpg((const void *)slot_va(i));
    }
}

static void *map_pages(unsigned n, uint64_t more)
{
    uint64_t flags = PTE_P | PTE_W | PTE_A | PTE_D | more;
    unsigned slot = n && n <= SLOTS ? find_slots(n) : SLOTS;

    if (slot == SLOTS)
        return NULL;
    for (unsigned i = slot; i < slot + n; i++) {
        bool table = leaf_tables[i / 512] || make_leaf_table(i / 512);
        uint64_t pa = table ? page_alloc() : 0;

        if (!pa) {
            release(slot, i - slot);
            return NULL;
        }
        *slot_pte(i) = pa | flags;
        slot_used[i] = true;
    }
    slot_run[slot] = (uint16_t)n;
    return (void *)slot_va(slot);
}

void *bench_pages(unsigned n)
{
    return map_pages(n, boot_info.nx ? PTE_NX : 0);
}

void *bench_code(unsigned n)
{
    return map_pages(n, 0);
}

void bench_pages_free(void *pages)
{
    uint64_t slot = ((uint64_t)pages - slot_va(0)) / PAGE_SIZE;

    if (!pages || slot >= SLOTS)
        return;
    release((unsigned)slot, slot_run[slot]);
    slot_run[slot] = 0;
}

/* ---- user_call ---------------------------------------------------------- */

#define USER_CODE (TM_USER_START)
#define USER_DATA USER_DATA_PAGE
_Static_assert(USER_DATA == TM_USER_START + PAGE_SIZE, "layout.h");
#define USER_STACK (TM_USER_START + 2 * PAGE_SIZE)

static uint64_t user_code_pa;
static const void *user_code;

static uint64_t map_user_page(uint64_t va, uint64_t flags)
{
    uint64_t *leaf = mm_leaf(&current->mm, va, true);
    uint64_t pa = page_alloc_zero();

    if (!leaf || !pa)
        panic("no memory for user_call");
    *leaf = pa | flags | PTE_P | PTE_U | PTE_A;
    return pa;
}

void user_call(const void *code, const void *end, uint64_t n)
{
    uint64_t size = (uint64_t)end - (uint64_t)code;
    uint64_t nx = boot_info.nx ? PTE_NX : 0;

    if (size > PAGE_SIZE)
        panic("user_call: snippet of %lu bytes", size);
    if (!user_code_pa) {
        user_code_pa = map_user_page(USER_CODE, 0);
        map_user_page(USER_DATA, PTE_W | PTE_D | nx);
        map_user_page(USER_STACK, PTE_W | PTE_D | nx);
    }
    if (user_code != code) {
        memcpy(phys_to_virt(user_code_pa), code, size);
        user_code = code;
    }
    user_enter(USER_CODE, USER_DATA, n, USER_STACK + PAGE_SIZE);
}
