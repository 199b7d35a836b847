/* The small freestanding library shared by the kernel and user programs. */
#ifndef TM_LIB_H
#define TM_LIB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __STDC_HOSTED__
#include <string.h>
#else
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
#endif

/* printf for %s %c %d %u %x %p %% with 0, width, .precision (of %s) and the
 * lengths l, ll, z. Always terminates; returns what the whole text would need,
 * without the NUL. */
int fmt_vsnprintf(char *buf, size_t size, const char *format, va_list ap);
int fmt_snprintf(char *buf, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Copies src as the inside of a JSON string: escapes quotes, backslashes and
 * control characters. Always terminates; cuts what doesn't fit. Returns dst. */
char *json_escape(char *dst, size_t size, const char *src);

/* The first key=value word of a space-separated command line: its value (not
 * terminated; *len bytes), or NULL. */
const char *cmdline_get(const char *cmdline, const char *key, size_t *len);
/* The same as an unsigned decimal or 0x number; fallback where the key is
 * absent or its value isn't one. */
uint64_t cmdline_u64(const char *cmdline, const char *key, uint64_t fallback);
/* Takes the next item off a comma-separated list: *list, *len move past it.
 * False: the list is empty. An item longer than size - 1 is cut. */
bool cmdline_item(const char **list, size_t *len, char *item, size_t size);

/* Folds v into a running checksum; order matters. Start from any constant. */
static inline uint64_t mix64(uint64_t h, uint64_t v)
{
    h ^= v + 0x9e3779b97f4a7c15ull;
    h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93ull;
    h = (h ^ (h >> 29)) * 0xd6e8feb86659fd93ull;
    return h ^ (h >> 32);
}

/* A small random generator (xorshift64*); *state must not be 0. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dull;
}

#endif
