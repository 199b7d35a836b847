/* Parses JSON into a tree. */
#include "jn.h"

static struct jn_value *jn_parse_value(struct jn_document *d, unsigned depth);

static bool jn_fail(struct jn_document *d, const char *error)
{
    if (!d->error)
        d->error = error;
    d->at = d->end;
    return false;
}

/* The next character without blanks before it; 0 at the end. */
static char jn_peek(struct jn_document *d)
{
    while (d->at < d->end && (*d->at == ' ' || *d->at == '\n' ||
                              *d->at == '\t' || *d->at == '\r'))
        d->at++;
    return d->at < d->end ? *d->at : '\0';
}

static bool jn_accept(struct jn_document *d, char c)
{
    if (jn_peek(d) != c || d->at == d->end)
        return false;
    d->at++;
    return true;
}

static void jn_store(struct jn_document *d, unsigned byte)
{
    if (d->text_len < JN_TEXT_MAX)
        d->text[d->text_len++] = (char)byte;
    else
        jn_fail(d, "too much text");
}

static void jn_store_utf8(struct jn_document *d, uint32_t c)
{
    if (c < 0x80) {
        jn_store(d, c);
        return;
    }
    if (c < 0x800) {
        jn_store(d, 0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            jn_store(d, 0xe0 | c >> 12);
        } else {
            jn_store(d, 0xf0 | c >> 18);
            jn_store(d, 0x80 | (c >> 12 & 0x3f));
        }
        jn_store(d, 0x80 | (c >> 6 & 0x3f));
    }
    jn_store(d, 0x80 | (c & 0x3f));
}

/* Four hexadecimal digits. */
static uint32_t jn_hex(struct jn_document *d)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < 4; i++) {
        char c = d->at < d->end ? *d->at++ : '\0';

        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            v = v << 4 | (uint32_t)((c | 32) - 'a' + 10);
        else
            jn_fail(d, "no hexadecimal digit");
    }
    return v;
}

/* After \u: a character of one or of two units. */
static void jn_unicode(struct jn_document *d)
{
    uint32_t c = jn_hex(d), low;

    if (c >= 0xd800 && c < 0xe000) {
        bool pair = c < 0xdc00 && d->end - d->at >= 2 && d->at[0] == '\\' &&
                    d->at[1] == 'u';

        if (pair)
            d->at += 2;
        low = pair ? jn_hex(d) : 0;
        if (low < 0xdc00 || low >= 0xe000) {
            jn_fail(d, "half a surrogate pair");
            return;
        }
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    jn_store_utf8(d, c);
}

static void jn_escape(struct jn_document *d)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = d->at < d->end ? *d->at++ : '\0';

    if (c == 'u') {
        jn_unicode(d);
        return;
    }
    for (unsigned i = 0; from[i]; i++) {
        if (c == from[i]) {
            jn_store(d, (uint8_t)to[i]);
            return;
        }
    }
    jn_fail(d, "no such escape");
}

/* After the quote. Bytes from 0x80 up are taken as they are. */
static bool jn_string(struct jn_document *d, const char **text, uint32_t *len)
{
    uint32_t begin = d->text_len;

    while (d->at < d->end && *d->at != '"') {
        char c = *d->at++;

        if (c == '\\')
            jn_escape(d);
        else if ((uint8_t)c < 0x20)
            jn_fail(d, "a control character in a string");
        else
            jn_store(d, (uint8_t)c);
    }
    if (d->at == d->end)
        return jn_fail(d, "a string doesn't end");
    d->at++;
    *text = d->text + begin;
    *len = d->text_len - begin;
    return true;
}

static bool jn_is_digit(const struct jn_document *d)
{
    return d->at < d->end && *d->at >= '0' && *d->at <= '9';
}

/* At least one digit, appended to the coefficient; returns how many. */
static int jn_digits(struct jn_document *d, struct jn_value *v)
{
    int n = 0;

    for (; jn_is_digit(d); n++) {
        if (v->coefficient >= 100000000000000000) /* 10^(JN_DIGITS_MAX - 1) */
            jn_fail(d, "a number has too many digits");
        else
            v->coefficient = 10 * v->coefficient + (*d->at++ - '0');
    }
    if (!n)
        jn_fail(d, "a digit is missing");
    return n;
}

static int jn_exponent(struct jn_document *d)
{
    bool negative = d->at < d->end && *d->at == '-';
    int e = 0, n = 0;

    if (d->at < d->end && (*d->at == '-' || *d->at == '+'))
        d->at++;
    for (; jn_is_digit(d) && e <= JN_EXPONENT_MAX; n++)
        e = 10 * e + (*d->at++ - '0');
    if (!n)
        jn_fail(d, "a digit is missing");
    if (e > JN_EXPONENT_MAX)
        jn_fail(d, "an exponent is too large");
    return negative ? -e : e;
}

static void jn_number(struct jn_document *d, struct jn_value *v)
{
    bool negative = *d->at == '-', zero;

    v->kind = JN_NUMBER;
    d->at += negative;
    zero = d->at < d->end && *d->at == '0';
    if (jn_digits(d, v) > 1 && zero)
        jn_fail(d, "a number begins with 0");
    if (d->at < d->end && *d->at == '.') {
        d->at++;
        v->exponent = -jn_digits(d, v);
    }
    if (d->at < d->end && (*d->at == 'e' || *d->at == 'E')) {
        d->at++;
        v->exponent += jn_exponent(d);
    }
    if (negative)
        v->coefficient = -v->coefficient;
}

/* After the bracket: elements, or members with names. */
static void jn_children(struct jn_document *d, struct jn_value *v, char close,
                        unsigned depth)
{
    struct jn_value **link = &v->first;

    v->kind = close == '}' ? JN_OBJECT : JN_ARRAY;
    if (depth == JN_DEPTH_MAX) {
        jn_fail(d, "too deep");
        return;
    }
    if (jn_accept(d, close))
        return;
    do {
        const char *name = NULL;
        uint32_t len = 0;

        if (close == '}' && (!jn_accept(d, '"') || !jn_string(d, &name, &len) ||
                             !jn_accept(d, ':'))) {
            jn_fail(d, "a member has no name");
            return;
        }
        *link = jn_parse_value(d, depth + 1);
        if (!*link)
            return;
        (*link)->name = name;
        (*link)->name_len = len;
        link = &(*link)->next;
    } while (jn_accept(d, ','));
    if (!jn_accept(d, close))
        jn_fail(d, "a bracket isn't closed");
}

static void jn_word(struct jn_document *d, struct jn_value *v)
{
    static const char *const words[] = {
        [JN_NULL] = "null", [JN_FALSE] = "false", [JN_TRUE] = "true"};

    for (unsigned i = 0; i <= JN_TRUE; i++) {
        size_t len = strlen(words[i]);

        if ((size_t)(d->end - d->at) < len || memcmp(d->at, words[i], len))
            continue;
        d->at += len;
        v->kind = (enum jn_kind)i;
        return;
    }
    jn_fail(d, "no value");
}

static struct jn_value *jn_parse_value(struct jn_document *d, unsigned depth)
{
    struct jn_value *v;
    char c = jn_peek(d);

    if (d->value_count == JN_VALUES_MAX) {
        jn_fail(d, "too many values");
        return NULL;
    }
    v = &d->values[d->value_count++];
    *v = (struct jn_value){.kind = JN_NULL};
    if (c == '{' || c == '[') {
        d->at++;
        jn_children(d, v, c == '{' ? '}' : ']', depth);
    } else if (c == '"') {
        d->at++;
        v->kind = JN_STRING;
        jn_string(d, &v->text, &v->text_len);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        jn_number(d, v);
    } else {
        jn_word(d, v);
    }
    return d->error ? NULL : v;
}

struct jn_value *jn_parse(struct jn_document *d, const char *text, size_t len)
{
    struct jn_value *v;

    d->value_count = 0;
    d->text_len = 0;
    d->error = NULL;
    d->at = text;
    d->end = text + len;
    v = jn_parse_value(d, 0);
    jn_peek(d);
    if (d->at < d->end)
        jn_fail(d, "something follows the document");
    return d->error ? NULL : v;
}
