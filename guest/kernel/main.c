/* Brings the kernel up in order and hands over to init. */
#include "kernel.h"

/* The boot code's identity mapping goes; global pages begin afterwards. */
static void drop_identity(void)
{
    uint64_t *top = phys_to_virt(boot_info.kernel_root);

    top[0] = 0;
    write_cr3(boot_info.kernel_root);
}

void kernel_main(void)
{
    drop_identity();
    cpu_init();
    page_init();
    proc_init();
    cpu_set_tsc_khz(tsc_measure_khz());
    apic_init();
    timer_init();
    init_run();
}
