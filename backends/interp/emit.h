/* Machine code in the making: bytes, one behind the other. */
#ifndef TM_INTERP_EMIT_H
#define TM_INTERP_EMIT_H

#include "thunk_arena.h"

#include <string.h>

/* The caller knows that what it emits fits. */
struct emit {
    uint8_t code[THUNK_MAX];
    unsigned len;
};

static inline void emit(struct emit *e, const void *bytes, unsigned len)
{
    memcpy(e->code + e->len, bytes, len);
    e->len += len;
}
#define EMIT(e, ...)                                                           \
    emit(e, (const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

#endif
