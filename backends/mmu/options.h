/* The options that begin with "paging-". */
#ifndef TM_PAGING_OPTIONS_H
#define TM_PAGING_OPTIONS_H

#include "../backend.h"

/* In a backend's options, "key=value,...":
 *
 *   paging-fault-around=N    one fault fills up to N pages, a power of two from
 *                            1 to 512: neighbours within an aligned N that are
 *                            contiguous in RAM and accessed already. With N > 1
 *                            a traced PTE that answers a true fault fills its
 *                            page when it is written (mmap)
 *   paging-prefill=on|off    a CR3 load brings the shadow of that address space
 *                            back at once, not page by page (mmap,
 *                            policies that trace)
 *   paging-shadow-cache=N    address spaces whose shadows are kept, 1 to 256;
 *                            policies that trace only
 *   paging-max-maps=N        mappings of the host to get along with, from 16
 * on; by default what vm.max_map_count leaves (mmap) paging-walk-cache=on|off
 * interp: keep the upper levels of walks paging-nested-large=on|off nested: a
 * second level of 2 MiB pages
 */
enum paging_choice { PAGING_DEFAULT, PAGING_OFF, PAGING_ON };

struct paging_options {
    unsigned fault_around;
    unsigned shadow_cache;
    unsigned max_maps;               /* 0: the default */
    enum paging_choice prefill;      /* by default: off */
    enum paging_choice walk_cache;   /* off for none, else on */
    enum paging_choice nested_large; /* off */
};
extern const struct paging_options paging_defaults;

static inline bool paging_on(enum paging_choice c, bool by_default)
{
    return c == PAGING_DEFAULT ? by_default : c == PAGING_ON;
}

/* Reads those keys into *o, which is set to the defaults first; other keys are
 * left to others. 0, or -EINVAL with why. */
int paging_options_parse(const char *options, struct paging_options *o,
                         char why[REASON_MAX]);

#endif
