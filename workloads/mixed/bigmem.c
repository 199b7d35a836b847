/* bigmem: maps 8 MiB, touches every page, gives it back: demand-zero faults and
 * the building and taking down of page tables. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"
#include "../../guest/user/user.h"

#define PAGE 4096
#define SIZE (8u << 20)

static const char *problem;

/* A sum over what the pages hold after the touch: new memory must be zero. */
static uint64_t touch(uint64_t op)
{
    uint64_t *memory = sys_mmap(SIZE), sum = 0;

    if (!memory) {
        problem = "mmap failed";
        return 0;
    }
    for (size_t i = 0; i < SIZE / 8; i += PAGE / 8) {
        uint64_t *word = &memory[i + (i / (PAGE / 8) + op) % (PAGE / 8)];

        *word += mix64(op, i);
        sum += *word;
    }
    /* Pages that were mixed up hold another page's word. */
    for (size_t i = 0; i < SIZE / 8; i += PAGE / 8)
        if (memory[i + (i / (PAGE / 8) + op) % (PAGE / 8)] != mix64(op, i))
            problem = "a page was lost, or not zero at first";
    if (sys_munmap(memory, SIZE))
        problem = "munmap failed";
    return sum;
}

static void bigmem_kernel(uint64_t n)
{
    for (uint64_t op = 0; op < n && !problem; op++)
        touch(op);
}

static uint64_t bigmem_checksum(void)
{
    return touch(3);
}

static const char *bigmem_verify(void)
{
    return problem;
}

DEFINE_BENCHMARK(bigmem, "bigmem", "mixed", "8 MiB touched and freed",
                 "Demand-zero faults and page tables for large memory", 0,
                 .kernel = bigmem_kernel, .checksum = bigmem_checksum,
                 .verify = bigmem_verify);
