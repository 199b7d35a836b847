/* Early boot: start info, page tables and relocation, run at identity addresses
 * before any pointer in the image's data is valid. */
#include "boot.h"
#include "pvh.h"
#include "../kernel/kernel.h"

struct boot_info boot_info;

/* Top, image (3), its vmalloc directory, direct map (up to 5), MMIO (2). */
#define EARLY_TABLES 12
static uint64_t early_tables[EARLY_TABLES][512] __attribute__((aligned(4096)));
static unsigned early_used;

extern const char __image_start[], __text_end[], __rodata_end[], __image_end[];
struct rela {
    uint64_t offset, info;
    int64_t addend;
};
extern const struct rela __rela_start[], __rela_end[];
#define RELOC_RELATIVE 8

/* The table below entry `index` of `table`, made on demand. */
static uint64_t *next_table(uint64_t *table, unsigned index)
{
    if (!(table[index] & PTE_P)) {
        if (early_used == EARLY_TABLES)
            panic("early page tables exhausted");
        table[index] =
            (uint64_t)early_tables[early_used++] | PTE_P | PTE_W | PTE_A;
    }
    return (uint64_t *)(table[index] & PTE_ADDR);
}

static unsigned level_index(uint64_t va, int level)
{
    return va >> (12 + 9 * level) & 511;
}

static void map_small(uint64_t *top, uint64_t va, uint64_t pa, uint64_t end,
                      uint64_t flags)
{
    uint64_t *pt = next_table(top, level_index(va, 3));

    pt = next_table(pt, level_index(va, 2));
    pt = next_table(pt, level_index(va, 1));
    for (unsigned i = level_index(va, 0); pa < end; pa += PAGE_SIZE)
        pt[i++] = pa | flags;
}

/* Large pages cover [pa, end), rounded up to 2 MiB. */
static void map_large(uint64_t *top, uint64_t va, uint64_t pa, uint64_t end,
                      uint64_t flags, bool gbpages)
{
    uint64_t *pdpt = next_table(top, level_index(va, 3));

    while (pa < end) {
        uint64_t *pd;
        unsigned i = level_index(va, 1);

        if (gbpages && !(pa & (GIB - 1)) && end - pa >= GIB) {
            pdpt[level_index(va, 2)] = pa | flags | PTE_PS;
            pa += GIB;
            va += GIB;
            continue;
        }
        pd = next_table(pdpt, level_index(va, 2));
        for (; i < 512 && pa < end; pa += LARGE_PAGE, va += LARGE_PAGE)
            pd[i++] = pa | flags | PTE_PS;
    }
}

static uint64_t build_tables(bool gbpages)
{
    uint64_t *top = early_tables[early_used++];
    uint64_t start = (uint64_t)__image_start, text = (uint64_t)__text_end;
    uint64_t rodata = (uint64_t)__rodata_end, end = (uint64_t)__image_end;
    uint64_t off = boot_info.kernel_offset;
    uint64_t nx = boot_info.nx ? PTE_NX : 0;
    /* A and D preset: no page walk has to write them into kernel tables. */
    uint64_t ro = PTE_P | PTE_G | PTE_A, rw = ro | PTE_W | PTE_D;
    uint64_t mmio = boot_info.mmio_base;

    map_small(top, start + off, start, text, ro);
    map_small(top, text + off, text, rodata, ro | nx);
    map_small(top, rodata + off, rodata, end, rw | nx);
    /* The directory for bench_pages: in place before any process copies the
     * top table, so all of them share it. */
    next_table(next_table(top, level_index(off, 3)),
               level_index(start + off + VMALLOC_OFFSET, 2));
    map_large(top, boot_info.direct_base, 0, boot_info.ram_top, rw | nx,
              gbpages);
    map_large(top, mmio + MMIO_START, MMIO_START, 4 * GIB,
              rw | nx | PTE_PCD | PTE_PWT, false);
    /* The code in flight; kernel_main drops it. */
    top[0] = ((uint64_t *)(read_cr3() & PTE_ADDR))[0];
    return (uint64_t)top;
}

static void relocate(uint64_t offset)
{
    for (const struct rela *r = __rela_start; r < __rela_end; r++) {
        if ((uint32_t)r->info != RELOC_RELATIVE)
            panic("relocation type %u in the image", (uint32_t)r->info);
        *(uint64_t *)r->offset = (uint64_t)r->addend + offset;
    }
}

static void read_memory_map(const struct hvm_start_info *info)
{
    const struct hvm_memmap_entry *map =
        (const struct hvm_memmap_entry *)info->memmap_paddr;

    if (info->version < 1 || !info->memmap_entries)
        panic("the loader gave no memory map");
    for (uint32_t i = 0; i < info->memmap_entries; i++) {
        uint64_t start = (map[i].addr + PAGE_SIZE - 1) & PAGE_MASK;
        uint64_t end = (map[i].addr + map[i].size) & PAGE_MASK;

        if (map[i].type != HVM_MEMMAP_RAM || start >= MMIO_START)
            continue;
        if (end > MMIO_START)
            end = MMIO_START;
        if (end <= start || boot_info.ram_count == BOOT_RAM_MAX)
            continue;
        boot_info.ram[boot_info.ram_count++] = (struct phys_range){start, end};
        if (end > boot_info.ram_top)
            boot_info.ram_top = end;
    }
}

static void read_start_info(uint64_t address)
{
    const struct hvm_start_info *info = (const struct hvm_start_info *)address;
    const char *cmdline;
    size_t n = 0;

    if (info->magic != TM_PVH_MAGIC)
        panic("no PVH start info at 0x%lx", address);
    read_memory_map(info);
    if (info->nr_modules) {
        const struct hvm_modlist_entry *module =
            (const struct hvm_modlist_entry *)info->modlist_paddr;

        boot_info.initrd.start = module->paddr;
        boot_info.initrd.end = module->paddr + module->size;
        if (module->paddr > boot_info.ram_top ||
            module->size > boot_info.ram_top - module->paddr)
            panic("the initrd lies outside RAM");
    }
    cmdline = (const char *)info->cmdline_paddr;
    for (; cmdline && cmdline[n] && n < BOOT_CMDLINE_MAX - 1; n++)
        boot_info.cmdline[n] = cmdline[n];
    if (cmdline && cmdline[n])
        panic("command line longer than %d bytes", BOOT_CMDLINE_MAX - 1);
}

struct boot_jump boot_prepare(uint64_t start_info, int kind)
{
    struct boot_jump jump;
    const char *layout;
    uint64_t delta = 0;
    uint32_t ext = 0;
    size_t len;

    boot_info.kind = kind;
    read_start_info(start_info);
    layout = cmdline_get(boot_info.cmdline, "layout", &len);
    if (layout && len == 3 && !memcmp(layout, "low", 3))
        delta = TM_LAYOUT_DELTA;
    boot_info.kernel_offset = TM_KERNEL_VIRT + delta - TM_KERNEL_PHYS;
    boot_info.direct_base = TM_DIRECT_VIRT + delta;
    boot_info.mmio_base = TM_MMIO_VIRT + delta;

    if (cpuid(0x80000000, 0).eax >= 0x80000001)
        ext = cpuid(0x80000001, 0).edx;
    boot_info.nx = ext >> 20 & 1;
    wrmsr(MSR_EFER,
          rdmsr(MSR_EFER) | X86_EFER_SCE | (boot_info.nx ? X86_EFER_NXE : 0));
    boot_info.kernel_root = build_tables(ext >> 26 & 1);
    relocate(boot_info.kernel_offset);

    jump.offset = boot_info.kernel_offset;
    jump.root = boot_info.kernel_root;
    return jump;
}
