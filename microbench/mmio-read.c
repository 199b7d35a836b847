/* mmio-read: load the magic register of a virtio-mmio slot that is always
 * empty: memory-mapped device access without any device behind it. */
#include "loop.h"

#define MAGIC_OFFSET 0x000
#define MAGIC_VALUE 0x74726976 /* "virt", little-endian */

OP_LOOPS_ARG(mmio_read, "", "", "mov (%rsi), %eax", "");

static volatile uint32_t *magic_reg(void)
{
    return mmio_ptr(TM_VIRTIO_GPA + TM_VIRTIO_BENCH_SLOT * TM_VIRTIO_STEP +
                    MAGIC_OFFSET);
}

static const char *mmio_read_refuse(void)
{
    if (*magic_reg() != MAGIC_VALUE)
        return "no virtio-mmio transport at the benchmark's slot";
    return NULL;
}

static void mmio_read_kernel(uint64_t n)
{
    mmio_read_op(n, magic_reg());
}

static void mmio_read_control(uint64_t n)
{
    mmio_read_bare(n, magic_reg());
}

DEFINE_BENCHMARK(mmio_read, "mmio-read", "micro", "MMIO load",
                 "Load from a virtio-mmio register", 0,
                 .refuse = mmio_read_refuse, .kernel = mmio_read_kernel,
                 .control = mmio_read_control);
