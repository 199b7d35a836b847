/* Guest memory by operand size: it has any type and any alignment. */
#ifndef TM_X86_BYTES_H
#define TM_X86_BYTES_H

#include <stdint.h>

typedef uint8_t u8a;
typedef uint16_t __attribute__((may_alias, aligned(1))) u16a;
typedef uint32_t __attribute__((may_alias, aligned(1))) u32a;
typedef uint64_t __attribute__((may_alias, aligned(1))) u64a;

/* size: 1, 2, 4 or 8 bytes; a load is zero-extended, a store cut. */
static inline uint64_t bytes_load(const void *p, unsigned size)
{
    switch (size) {
    case 1:
        return *(const u8a *)p;
    case 2:
        return *(const u16a *)p;
    case 4:
        return *(const u32a *)p;
    default:
        return *(const u64a *)p;
    }
}

static inline void bytes_store(void *p, unsigned size, uint64_t v)
{
    switch (size) {
    case 1:
        *(u8a *)p = (uint8_t)v;
        break;
    case 2:
        *(u16a *)p = (uint16_t)v;
        break;
    case 4:
        *(u32a *)p = (uint32_t)v;
        break;
    default:
        *(u64a *)p = v;
    }
}

#endif
