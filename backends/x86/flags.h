/* The arithmetic flags as the host's CPU hands them over. */
#ifndef TM_X86_FLAGS_H
#define TM_X86_FLAGS_H

#include "../state.h"

/* Packed flags: AX after `seto %al; lahf`.
 *
 *   15  14  13  12  11  10   9   8   7..0
 *   SF  ZF   0  AF   0  PF   1  CF    OF
 *
 * An emulated instruction runs as the same instruction on the host, then two
 * cheap ones save its flags: exact, and cheaper than any lazy scheme that has to
 * store operands. FLAGS_IN puts packed flags in %ax back into the host's. */
#define FLAGS_OUT "seto %%al\n\tlahf\n\t"
#define FLAGS_IN "addb $0x7f, %%al\n\tsahf\n\t"

#define FL_ARITH (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF)

static inline uint64_t flags_unpack(uint16_t packed)
{
    return ((packed >> 8) & (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF)) |
           (packed & 1 ? FL_OF : 0);
}

static inline uint16_t flags_pack(uint64_t rflags)
{
    return (uint16_t)((rflags & (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF)) << 8 |
                      0x200 | (rflags & FL_OF ? 1 : 0));
}

#endif
