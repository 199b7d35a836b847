/* A JSON parser and printer: what the json workload runs. */
#ifndef TM_JN_H
#define TM_JN_H

#include "../../guest/lib/lib.h"

#define JN_DEPTH_MAX 64
#define JN_VALUES_MAX 4096
#define JN_TEXT_MAX 32768
/* A number is coefficient * 10^exponent, so that it is printed as it was read.
 */
#define JN_DIGITS_MAX 18
#define JN_EXPONENT_MAX 999

enum jn_kind {
    JN_NULL,
    JN_FALSE,
    JN_TRUE,
    JN_NUMBER,
    JN_STRING,
    JN_ARRAY,
    JN_OBJECT
};

struct jn_value {
    enum jn_kind kind;
    uint32_t text_len, name_len;
    const char *text;       /* of a string; not terminated */
    const char *name;       /* of a member of an object */
    struct jn_value *first; /* element or member */
    struct jn_value *next;  /* the parent's next one */
    int64_t coefficient;
    int exponent;
};

/* Holds one document's values and strings; a new one takes the place of all. */
struct jn_document {
    struct jn_value values[JN_VALUES_MAX];
    char text[JN_TEXT_MAX];
    unsigned value_count;
    uint32_t text_len;
    const char *at, *end;
    const char *error; /* or NULL */
};

/* The tree of a text of len bytes, which is no longer needed then; or NULL, and
 * d->error says why. The tree lives until the next call with the same d. */
struct jn_value *jn_parse(struct jn_document *d, const char *text, size_t len);

/* The member of an object, or NULL. */
const struct jn_value *jn_member(const struct jn_value *object,
                                 const char *name);

/* Writes the tree without blanks; the number of bytes, or -1: it takes more
 * than `size`. */
int64_t jn_print(const struct jn_value *v, char *out, size_t size);

#endif
