/* What the boot code hands to the kernel proper. */
#ifndef TM_BOOT_H
#define TM_BOOT_H

#include "../abi/abi.h"

#define BOOT_DIRECT 0
#define BOOT_PVH 1

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_RAM_MAX 16
#define BOOT_CMDLINE_MAX 2048

/* Physical addresses [start, end). */
struct phys_range {
    uint64_t start, end;
};

struct boot_info {
    int kind;               /* BOOT_* */
    uint64_t kernel_offset; /* virtual minus physical address of the image */
    uint64_t direct_base;   /* virtual address of physical 0 */
    uint64_t mmio_base;     /* virtual address of device memory at gpa 0 */
    uint64_t kernel_root;   /* physical address of the top page table */
    struct phys_range initrd;
    struct phys_range ram[BOOT_RAM_MAX]; /* usable, below 4 GiB */
    unsigned ram_count;
    uint64_t ram_top; /* end of the highest of them */
    bool nx;
    char cmdline[BOOT_CMDLINE_MAX];
};

extern struct boot_info boot_info;

/* What early boot returns to entry.S, in RAX and RDX. */
struct boot_jump {
    uint64_t offset; /* to add to every address */
    uint64_t root;   /* for CR3 */
};

/* Called by entry.S at identity-mapped addresses: reads the start info, builds
 * the kernel's page tables, relocates the image. */
struct boot_jump boot_prepare(uint64_t start_info, int kind);
/* Called by entry.S at the final addresses. */
void kernel_main(void) __attribute__((noreturn));

#endif
#endif
