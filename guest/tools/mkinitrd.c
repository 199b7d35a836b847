/* Packs guest programs into a newc cpio archive whose file data are
 * page-aligned: mkinitrd OUT PROGRAM... ; each becomes bin/NAME. The same input
 * gives the same bytes. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 4096
#define HEADER_SIZE 110

static void die(const char *format, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

static void die(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    fputs("mkinitrd: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

static long put_zeros(FILE *out, long pos, long until)
{
    for (; pos < until; pos++)
        putc(0, out);
    return pos;
}

static long round_up(long v, long to)
{
    return (v + to - 1) / to * to;
}

/* Header and name, the name padded so that data begin on a page. Returns the
 * new position. */
static long put_header(FILE *out, long pos, unsigned ino, const char *name,
                       unsigned mode, size_t size, long alignment)
{
    long name_pos = pos + HEADER_SIZE;
    long data = round_up(name_pos + (long)strlen(name) + 1, alignment);

    fprintf(out, "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08lX%08X",
            ino, mode, 0u, 0u, 1u, 0u, size, 0u, 0u, 0u, 0u, data - name_pos,
            0u);
    fputs(name, out);
    return put_zeros(out, name_pos + (long)strlen(name), data);
}

static unsigned char *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    unsigned char *data;
    long n;

    if (!f)
        die("%s: %s", path, strerror(errno));
    if (fseek(f, 0, SEEK_END) || (n = ftell(f)) < 0 || fseek(f, 0, SEEK_SET))
        die("%s: %s", path, strerror(errno));
    data = malloc((size_t)n + 1);
    if (!data)
        die("%s: out of memory", path);
    if (fread(data, 1, (size_t)n, f) != (size_t)n)
        die("%s: short read", path);
    fclose(f);
    *size = (size_t)n;
    return data;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
    long pos = 0;
    FILE *out;

    if (argc < 2) {
        fputs("usage: mkinitrd OUT PROGRAM...\n", stderr);
        return 2;
    }
    out = fopen(argv[1], "wb");
    if (!out)
        die("%s: %s", argv[1], strerror(errno));
    qsort(argv + 2, (size_t)argc - 2, sizeof(*argv), by_name);
    for (int i = 2; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        char name[256];
        unsigned char *data;
        size_t size;

        snprintf(name, sizeof(name), "bin/%s", slash ? slash + 1 : argv[i]);
        data = read_file(argv[i], &size);
        pos = put_header(out, pos, (unsigned)i, name, 0100755, size, ALIGNMENT);
        fwrite(data, 1, size, out);
        pos = put_zeros(out, pos + (long)size, round_up(pos + (long)size, 4));
        free(data);
    }
    pos = put_header(out, pos, 0, "TRAILER!!!", 0, 0, 4);
    put_zeros(out, pos, round_up(pos, ALIGNMENT));
    if (fflush(out) || ferror(out) || fclose(out))
        die("%s: %s", argv[1], strerror(errno));
    return 0;
}
