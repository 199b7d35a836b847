/* k-branch: a scanner over a short text, a conditional branch every few
 * instructions. Built without jump tables: indirect jumps are k-indirect's. */
#include "kcompute.h"

static const char text[] = "if (count < 16 && table[count] != 0x2a) {\n"
                           "    total += table[count++] * scale3; // sum\n"
                           "} else { emit(\"overflow\", total >> 4); }\n";

_Static_assert(sizeof(text) - 1 == 128, "the registration names it");

enum { SPACE, WORD, NUMBER, SIGN };

static int class_of(unsigned char c)
{
    if (c == ' ' || c == '\n')
        return SPACE;
    if (c >= '0' && c <= '9')
        return NUMBER;
    if (c >= 'a' && c <= 'z')
        return WORD;
    return SIGN;
}

/* Folds the kinds and lengths of the text's tokens into h. */
static __attribute__((noinline)) uint64_t scan(uint64_t h)
{
    int last = SPACE;
    uint64_t length = 0;

    for (const char *p = text; *p; p++) {
        int class = class_of((unsigned char)*p);

        if (last == WORD && class == NUMBER)
            class = WORD;
        if (class == last && class != SIGN) {
            length++;
            continue;
        }
        if (last != SPACE)
            h = rotate_left(h, 5) ^ (length << 2 | (uint64_t)last);
        length = 1;
        last = class;
    }
    return h;
}

static uint64_t run(uint64_t n)
{
    uint64_t h = 1;

    for (uint64_t i = 0; i < n; i++)
        h = scan(h + i);
    return h;
}

static void branch_kernel(uint64_t n)
{
    keep(run(n));
}

static uint64_t branch_checksum(void)
{
    return run(20);
}

DEFINE_KCOMPUTE(k_branch, "k-branch", "scan of 128 characters",
                "Code full of conditional branches in kernel mode",
                .kernel = branch_kernel, .checksum = branch_checksum);
