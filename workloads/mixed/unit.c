/* The passes of the compiler that the workload compile runs. */
#include "unit.h"
#include "../../guest/lib/lib.h"

#define BUCKETS 512
#define NAMES 1500 /* that sources can use */

struct symbol {
    uint64_t name, uses;
    uint32_t next; /* index + 1 in the bucket's chain; 0 ends it */
    uint32_t number;
};

struct table {
    uint32_t buckets[BUCKETS]; /* index + 1 */
    uint32_t count;
    struct symbol symbols[UNIT_WORDS];
};
_Static_assert(sizeof(struct table) <= UNIT_TABLE, "unit.h");

static struct symbol *look_up(struct table *t, uint64_t name)
{
    uint32_t *bucket = &t->buckets[mix64(0, name) % BUCKETS];
    struct symbol *s;

    for (uint32_t i = *bucket; i; i = s->next) {
        s = &t->symbols[i - 1];
        if (s->name == name)
            return s;
    }
    s = &t->symbols[t->count++];
    s->name = name;
    s->number = t->count;
    s->next = *bucket;
    *bucket = t->count;
    return s;
}

void unit_parse(const uint64_t *source, void *table, uint64_t *code)
{
    for (unsigned i = 0; i < UNIT_WORDS; i++) {
        struct symbol *s = look_up(table, source[i] % NAMES);

        s->uses++;
        code[i] = (uint64_t)s->number << 32 | s->uses;
    }
}

uint64_t unit_assemble(const uint64_t *code, void *object)
{
    uint64_t *words = object, sum = 0;

    for (unsigned i = 0; i < UNIT_WORDS; i++)
        words[mix64(i, code[i] >> 32) % (UNIT_OBJECT / 8)] += mix64(i, code[i]);
    for (unsigned i = 0; i < UNIT_OBJECT / 8; i++)
        sum = mix64(sum, words[i]);
    return sum;
}
