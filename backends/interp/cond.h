/* Conditions of Jcc, SETcc and CMOVcc on packed flags. */
#ifndef TM_INTERP_COND_H
#define TM_INTERP_COND_H

#include <stdbool.h>
#include <stdint.h>

/* All 16, in encoding order: X(number, suffix). */
/* clang-format off */
#define CONDITIONS(X)                                                          \
    X(0, o) X(1, no) X(2, b) X(3, nb) X(4, z) X(5, nz) X(6, be) X(7, nbe)      \
    X(8, s) X(9, ns) X(10, p) X(11, np) X(12, l) X(13, nl) X(14, le)           \
    X(15, nle)
/* clang-format on */

/* fl as in x86/flags.h: OF is bit 0; CF, PF, ZF, SF are bits 8, 10, 14, 15. */
static inline bool condition(uint16_t fl, unsigned cc)
{
    bool v;

    switch (cc >> 1) {
    case 0:
        v = fl & 1;
        break;
    case 1:
        v = fl & 0x100;
        break;
    case 2:
        v = fl & 0x4000;
        break;
    case 3:
        v = fl & 0x4100;
        break;
    case 4:
        v = fl & 0x8000;
        break;
    case 5:
        v = fl & 0x400;
        break;
    case 6:
        v = (fl >> 15 ^ fl) & 1;
        break;
    default:
        v = (fl >> 15 ^ fl) & 1 || fl & 0x4000;
        break;
    }
    return v ^ (cc & 1);
}

#endif
