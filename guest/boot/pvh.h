/* The PVH start-of-day structures that a loader leaves in memory. */
#ifndef TM_PVH_H
#define TM_PVH_H

#include <stdint.h>

struct hvm_start_info {
    uint32_t magic; /* TM_PVH_MAGIC */
    uint32_t version;
    uint32_t flags;
    uint32_t nr_modules;
    uint64_t modlist_paddr;
    uint64_t cmdline_paddr;
    uint64_t rsdp_paddr;
    /* version 1 and later */
    uint64_t memmap_paddr;
    uint32_t memmap_entries;
    uint32_t reserved;
};
_Static_assert(sizeof(struct hvm_start_info) == 56, "PVH ABI");

struct hvm_modlist_entry {
    uint64_t paddr;
    uint64_t size;
    uint64_t cmdline_paddr;
    uint64_t reserved;
};
_Static_assert(sizeof(struct hvm_modlist_entry) == 32, "PVH ABI");

#define HVM_MEMMAP_RAM 1
struct hvm_memmap_entry {
    uint64_t addr;
    uint64_t size;
    uint32_t type;
    uint32_t reserved;
};
_Static_assert(sizeof(struct hvm_memmap_entry) == 24, "PVH ABI");

#endif
