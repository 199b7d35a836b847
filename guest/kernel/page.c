/* Physical pages: reference counts, a free list, and a frontier of memory that
 * was never touched, so that booting costs the same on any amount of RAM. */
#include "kernel.h"

struct page {
    uint32_t next; /* frame number in a list; 0 ends it */
    uint32_t refs; /* defined only below the frontier */
};

/* The kernel image and the initrd are cut out of the RAM ranges. */
#define RANGE_MAX (BOOT_RAM_MAX + 2)
static struct phys_range ranges[RANGE_MAX];
static unsigned range_count, range_now;
static struct page *pages;
static uint32_t free_list;
static uint64_t free_count;

extern const char __image_start[], __image_end[];

static void add_range(uint64_t start, uint64_t end)
{
    start = (start + PAGE_SIZE - 1) & PAGE_MASK;
    end &= PAGE_MASK;
    if (start < end && range_count < RANGE_MAX)
        ranges[range_count++] = (struct phys_range){start, end};
}

/* Adds [start, end) without the holes from `hole` on. */
static void add_without(uint64_t start, uint64_t end,
                        const struct phys_range *hole, unsigned holes)
{
    if (!holes) {
        add_range(start, end);
        return;
    }
    if (hole->end <= start || hole->start >= end) {
        add_without(start, end, hole + 1, holes - 1);
        return;
    }
    if (hole->start > start)
        add_without(start, hole->start, hole + 1, holes - 1);
    if (hole->end < end)
        add_without(hole->end, end, hole + 1, holes - 1);
}

void page_init(void)
{
    struct phys_range holes[2] = {
        {(uint64_t)__image_start - boot_info.kernel_offset,
         (uint64_t)__image_end - boot_info.kernel_offset},
        boot_info.initrd,
    };
    uint64_t table = (boot_info.ram_top / PAGE_SIZE) * sizeof(struct page);

    table = (table + PAGE_SIZE - 1) & PAGE_MASK;
    for (unsigned i = 0; i < boot_info.ram_count; i++) {
        struct phys_range r = boot_info.ram[i];

        /* The first MiB is firmware's and the loader's. */
        if (r.start < TM_KERNEL_PHYS)
            r.start = TM_KERNEL_PHYS;
        if (r.start < r.end)
            add_without(r.start, r.end, holes, 2);
    }
    for (unsigned i = 0; i < range_count && !pages; i++) {
        if (ranges[i].end - ranges[i].start < table)
            continue;
        pages = phys_to_virt(ranges[i].start);
        ranges[i].start += table;
    }
    if (!pages)
        panic("no room for the page table of %lu bytes", table);
    for (unsigned i = 0; i < range_count; i++)
        free_count += (ranges[i].end - ranges[i].start) / PAGE_SIZE;
}

static struct page *page_of(uint64_t pa)
{
    return &pages[pa / PAGE_SIZE];
}

uint64_t page_alloc_contiguous(unsigned n)
{
    for (unsigned i = range_now; i < range_count; i++) {
        uint64_t pa = ranges[i].start;

        if (ranges[i].end - pa < n * PAGE_SIZE)
            continue;
        ranges[i].start += n * PAGE_SIZE;
        free_count -= n;
        for (unsigned k = 0; k < n; k++)
            page_of(pa + k * PAGE_SIZE)->refs = 1;
        return pa;
    }
    return 0;
}

uint64_t page_alloc(void)
{
    if (free_list) {
        uint64_t pa = page_list_pop(&free_list);

        free_count--;
        page_of(pa)->refs = 1;
        return pa;
    }
    while (range_now < range_count &&
           ranges[range_now].start == ranges[range_now].end)
        range_now++;
    return page_alloc_contiguous(1);
}

uint64_t page_alloc_zero(void)
{
    uint64_t pa = page_alloc();

    if (pa)
        memset(phys_to_virt(pa), 0, PAGE_SIZE);
    return pa;
}

static bool in_initrd(uint64_t pa)
{
    return pa >= boot_info.initrd.start && pa < boot_info.initrd.end;
}

void page_ref(uint64_t pa)
{
    if (!in_initrd(pa))
        page_of(pa)->refs++;
}

void page_unref(uint64_t pa)
{
    if (in_initrd(pa) || --page_of(pa)->refs)
        return;
    page_list_push(&free_list, pa);
    free_count++;
}

bool page_exclusive(uint64_t pa)
{
    return !in_initrd(pa) && page_of(pa)->refs == 1;
}

void page_list_push(uint32_t *head, uint64_t pa)
{
    page_of(pa)->next = *head;
    *head = (uint32_t)(pa / PAGE_SIZE);
}

uint64_t page_list_pop(uint32_t *head)
{
    uint64_t pa = *head * PAGE_SIZE;

    if (pa)
        *head = page_of(pa)->next;
    return pa;
}

uint64_t page_free_count(void)
{
    return free_count;
}
