/* The memory and string functions that gcc expects of any program. */
#include "lib.h"

/* Eight bytes at a time by string instructions: the fewest instructions, and
 * where each is emulated that is what counts. */
void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    void *d = dst;
    size_t words = n / 8, rest = n % 8;

    __asm__ volatile("rep movsq\n\t"
                     "mov %3, %0\n\t"
                     "rep movsb"
                     : "+&c"(words), "+&D"(d), "+&S"(src)
                     : "r"(rest)
                     : "memory");
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    unsigned char *d = dst;
    const unsigned char *s = src;

    if (d <= s || d >= s + n)
        return memcpy(dst, src, n);
    while (n--)
        d[n] = s[n];
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    void *d = dst;
    size_t words = n / 8, rest = n % 8;
    uint64_t v = (unsigned char)c * 0x0101010101010101ull;

    __asm__ volatile("rep stosq\n\t"
                     "mov %3, %0\n\t"
                     "rep stosb"
                     : "+&c"(words), "+&D"(d)
                     : "a"(v), "r"(rest)
                     : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;

    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}
