/* The checksum of pages, log blocks and superblocks. */
#ifndef TM_DB_SUM_H
#define TM_DB_SUM_H

#include "../../../guest/lib/lib.h"

/* Of whole, aligned words. A torn write changes it, whatever was there. */
static inline uint64_t db_sum(const void *data, size_t bytes)
{
    const uint64_t *w = data;
    uint64_t a = 0x9e3779b97f4a7c15ull, b = bytes;

    for (size_t i = 0; i < bytes / 8; i++) {
        a = (a ^ w[i]) * 0xd6e8feb86659fd93ull;
        b += a ^ a >> 32;
    }
    return mix64(a, b);
}

#endif
