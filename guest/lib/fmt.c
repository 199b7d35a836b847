/* Formatting without a libc: a small snprintf and JSON string escaping. */
#include "lib.h"

struct sink {
    char *buf;
    size_t size, len; /* len counts what didn't fit, too */
};

static void put(struct sink *s, char c)
{
    if (s->len + 1 < s->size)
        s->buf[s->len] = c;
    s->len++;
}

static void put_text(struct sink *s, const char *text, size_t n, int width)
{
    for (int pad = width - (int)n; pad > 0; pad--)
        put(s, ' ');
    for (size_t i = 0; i < n; i++)
        put(s, text[i]);
}

static void put_number(struct sink *s, uint64_t v, unsigned base, bool negative,
                       int width, char pad)
{
    char digits[20];
    int n = 0;

    do {
        digits[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    if (negative && pad == '0')
        put(s, '-');
    for (int i = n + negative; i < width; i++)
        put(s, pad);
    if (negative && pad != '0')
        put(s, '-');
    while (n)
        put(s, digits[--n]);
}

static uint64_t take_signed(va_list *ap, int longs)
{
    return longs ? (uint64_t)va_arg(*ap, long) : (uint64_t)va_arg(*ap, int);
}

static uint64_t take_unsigned(va_list *ap, int longs)
{
    return longs ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned);
}

/* One directive; *f points behind the percent sign and is moved past it. */
static void put_directive(struct sink *s, const char **f, va_list *ap)
{
    char pad = ' ';
    int width = 0, precision = -1, longs = 0;
    const char *text;
    size_t n = 0;
    uint64_t v;

    if (**f == '0') {
        pad = '0';
        (*f)++;
    }
    while (**f >= '0' && **f <= '9')
        width = width * 10 + *(*f)++ - '0';
    if (**f == '.') {
        (*f)++;
        precision = 0;
        if (**f == '*') {
            precision = va_arg(*ap, int);
            (*f)++;
        }
        while (**f >= '0' && **f <= '9')
            precision = precision * 10 + *(*f)++ - '0';
    }
    for (; **f == 'l' || **f == 'z'; (*f)++)
        longs++;

    switch (*(*f)++) {
    case 's':
        text = va_arg(*ap, const char *);
        while ((precision < 0 || n < (size_t)precision) && text[n])
            n++;
        put_text(s, text, n, width);
        return;
    case 'c':
        put(s, (char)va_arg(*ap, int));
        return;
    case 'd':
        v = take_signed(ap, longs);
        if ((int64_t)v < 0)
            put_number(s, -v, 10, true, width, pad);
        else
            put_number(s, v, 10, false, width, pad);
        return;
    case 'u':
        put_number(s, take_unsigned(ap, longs), 10, false, width, pad);
        return;
    case 'x':
        put_number(s, take_unsigned(ap, longs), 16, false, width, pad);
        return;
    case 'p':
        put(s, '0');
        put(s, 'x');
        put_number(s, (uint64_t)va_arg(*ap, void *), 16, false, width, pad);
        return;
    case '\0':
        (*f)--;
        return;
    default:
        put(s, (*f)[-1]); /* %% and whatever is unknown */
    }
}

int fmt_vsnprintf(char *buf, size_t size, const char *format, va_list ap)
{
    struct sink s = {buf, size, 0};
    va_list args;

    va_copy(args, ap);
    while (*format) {
        if (*format != '%') {
            put(&s, *format++);
            continue;
        }
        format++;
        put_directive(&s, &format, &args);
    }
    va_end(args);
    if (size)
        buf[s.len < size ? s.len : size - 1] = '\0';
    return (int)s.len;
}

int fmt_snprintf(char *buf, size_t size, const char *format, ...)
{
    va_list ap;
    int n;

    va_start(ap, format);
    n = fmt_vsnprintf(buf, size, format, ap);
    va_end(ap);
    return n;
}

char *json_escape(char *dst, size_t size, const char *src)
{
    size_t n = 0;

    for (; *src; src++) {
        char escaped[8];
        size_t len;

        if (*src == '"' || *src == '\\')
            len = (size_t)fmt_snprintf(escaped, sizeof(escaped), "\\%c", *src);
        else if ((unsigned char)*src < ' ')
            len = (size_t)fmt_snprintf(escaped, sizeof(escaped), "\\u%04x",
                                       (unsigned)*src);
        else
            len = (size_t)fmt_snprintf(escaped, sizeof(escaped), "%c", *src);
        if (n + len >= size)
            break;
        memcpy(dst + n, escaped, len);
        n += len;
    }
    dst[n] = '\0';
    return dst;
}
