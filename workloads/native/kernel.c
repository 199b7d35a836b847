/* What a kernel benchmark finds of the kernel's memory API in a native process:
 * the contracts of guest/kernel/api.h, kept by mmap. */
#include "../../guest/kernel/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define BLOCKS_MAX 64

static struct block {
    void *pages;
    size_t size;
} blocks[BLOCKS_MAX];

static void *map_pages(unsigned n, int protection)
{
    struct block *b = blocks;
    size_t size = n * PAGE_SIZE;
    void *pages;

    while (b < blocks + BLOCKS_MAX && b->pages)
        b++;
    if (b == blocks + BLOCKS_MAX)
        return NULL;
    /* Touched at once, as the guest's are; too small for large pages. */
    pages = mmap(NULL, size, protection,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    *b = (struct block){pages, size};
    return pages;
}

void *bench_pages(unsigned n)
{
    return map_pages(n, PROT_READ | PROT_WRITE);
}

void *bench_code(unsigned n)
{
    return map_pages(n, PROT_READ | PROT_WRITE | PROT_EXEC);
}

void bench_pages_free(void *pages)
{
    for (struct block *b = blocks; pages && b < blocks + BLOCKS_MAX; b++) {
        if (b->pages != pages)
            continue;
        munmap(b->pages, b->size);
        b->pages = NULL;
    }
}
