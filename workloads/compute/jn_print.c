/* Prints JSON trees and looks up their members. */
#include "jn.h"

struct jn_writer {
    char *out;
    size_t size, len; /* len may pass size: what there was no room for */
};

static void jn_put(struct jn_writer *w, char c)
{
    if (w->len < w->size)
        w->out[w->len] = c;
    w->len++;
}

static void jn_put_text(struct jn_writer *w, const char *text)
{
    while (*text)
        jn_put(w, *text++);
}

static void jn_put_string(struct jn_writer *w, const char *text, uint32_t len)
{
    static const char hex[] = "0123456789abcdef";
    static const char escapes[32] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};

    jn_put(w, '"');
    for (uint32_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];

        if (c == '"' || c == '\\') {
            jn_put(w, '\\');
            jn_put(w, (char)c);
        } else if (c >= 0x20) {
            jn_put(w, (char)c);
        } else if (escapes[c]) {
            jn_put(w, '\\');
            jn_put(w, escapes[c]);
        } else {
            jn_put_text(w, "\\u00");
            jn_put(w, hex[c >> 4]);
            jn_put(w, hex[c & 15]);
        }
    }
    jn_put(w, '"');
}

/* At least `least` digits. */
static void jn_put_digits(struct jn_writer *w, uint64_t n, int least)
{
    char digits[20];
    int len = 0;

    for (; n; n /= 10)
        digits[len++] = (char)('0' + n % 10);
    for (; least > len; least--)
        jn_put(w, '0');
    while (len)
        jn_put(w, digits[--len]);
}

/* With a point where the fraction is short, else with an exponent. */
static void jn_put_number(struct jn_writer *w, const struct jn_value *v)
{
    uint64_t n = v->coefficient < 0 ? -(uint64_t)v->coefficient
                                    : (uint64_t)v->coefficient;
    uint64_t scale = 1;

    if (v->coefficient < 0)
        jn_put(w, '-');
    if (v->exponent < 0 && v->exponent >= -JN_DIGITS_MAX) {
        for (int i = v->exponent; i < 0; i++)
            scale *= 10;
        jn_put_digits(w, n / scale, 1);
        jn_put(w, '.');
        jn_put_digits(w, n % scale, -v->exponent);
        return;
    }
    jn_put_digits(w, n, 1);
    if (!v->exponent)
        return;
    jn_put_text(w, v->exponent < 0 ? "e-" : "e");
    jn_put_digits(w, (uint64_t)(v->exponent < 0 ? -v->exponent : v->exponent),
                  1);
}

static void jn_put_value(struct jn_writer *w, const struct jn_value *v)
{
    switch (v->kind) {
    case JN_NULL:
        jn_put_text(w, "null");
        break;
    case JN_FALSE:
        jn_put_text(w, "false");
        break;
    case JN_TRUE:
        jn_put_text(w, "true");
        break;
    case JN_NUMBER:
        jn_put_number(w, v);
        break;
    case JN_STRING:
        jn_put_string(w, v->text, v->text_len);
        break;
    case JN_ARRAY:
    case JN_OBJECT:
        jn_put(w, v->kind == JN_ARRAY ? '[' : '{');
        for (const struct jn_value *c = v->first; c; c = c->next) {
            if (c != v->first)
                jn_put(w, ',');
            if (v->kind == JN_OBJECT) {
                jn_put_string(w, c->name, c->name_len);
                jn_put(w, ':');
            }
            jn_put_value(w, c);
        }
        jn_put(w, v->kind == JN_ARRAY ? ']' : '}');
        break;
    }
}

int64_t jn_print(const struct jn_value *v, char *out, size_t size)
{
    struct jn_writer w = {out, size, 0};

    jn_put_value(&w, v);
    return w.len <= size ? (int64_t)w.len : -1;
}

const struct jn_value *jn_member(const struct jn_value *object,
                                 const char *name)
{
    size_t len = strlen(name);

    if (object->kind != JN_OBJECT)
        return NULL;
    for (const struct jn_value *v = object->first; v; v = v->next)
        if (v->name_len == len && !memcmp(v->name, name, len))
            return v;
    return NULL;
}
