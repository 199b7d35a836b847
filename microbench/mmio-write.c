/* mmio-write: store to the feature-select register of a virtio-mmio slot that
 * is always empty: no device acts on it. */
#include "loop.h"

#define DEVICE_FEATURES_SEL 0x014

OP_LOOPS_ARG(mmio_write, "xor %eax, %eax", "", "mov %eax, (%rsi)", "");

static volatile uint32_t *sel_reg(void)
{
    return mmio_ptr(TM_VIRTIO_GPA + TM_VIRTIO_BENCH_SLOT * TM_VIRTIO_STEP +
                    DEVICE_FEATURES_SEL);
}

static void mmio_write_kernel(uint64_t n)
{
    mmio_write_op(n, sel_reg());
}

static void mmio_write_control(uint64_t n)
{
    mmio_write_bare(n, sel_reg());
}

DEFINE_BENCHMARK(mmio_write, "mmio-write", "micro", "MMIO store",
                 "Store to a virtio-mmio register", 0,
                 .kernel = mmio_write_kernel, .control = mmio_write_control);
