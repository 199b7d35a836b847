/* Small helpers of the harness: messages, memory, files, hashing. */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What file_read takes: nothing of ours is near. */
#define FILE_MAX (256 << 20)

int fail_why(char why[REASON_MAX], int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, REASON_MAX, format, args);
    va_end(args);
    return err;
}

void set_why(char why[REASON_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, REASON_MAX, format, args);
    va_end(args);
}

static void out_of_memory(void)
{
    static const char text[] = "trapmark: out of memory\n";

    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        _exit(1);
    _exit(1);
}

char *xformat(const char *format, ...)
{
    va_list args;
    char *text;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0)
        out_of_memory();
    return text;
}

void *xrealloc(void *p, size_t size)
{
    void *q = realloc(p, size ? size : 1);

    if (!q)
        out_of_memory();
    return q;
}

char *xstrdup(const char *s)
{
    char *copy = strdup(s);

    if (!copy)
        out_of_memory();
    return copy;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (!p)
        out_of_memory();
    return p;
}

char *file_read(const char *path, size_t *len, char why[REASON_MAX])
{
    size_t size = 0, room = 0;
    char *data = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        set_why(why, "%s: %s", path, strerror(errno));
        return NULL;
    }
    for (;;) {
        ssize_t n;

        if (room - size < 2) {
            room = room ? room * 2 : 65536;
            data = xrealloc(data, room);
        }
        n = read(fd, data + size, room - size - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            set_why(why, "%s: %s", path, strerror(errno));
            free(data);
            data = NULL;
        }
        if (n <= 0)
            break;
        size += n;
        if (size > FILE_MAX) {
            set_why(why, "%s: larger than %d MiB", path, FILE_MAX >> 20);
            free(data);
            data = NULL;
            break;
        }
    }
    close(fd);
    if (!data)
        return NULL;
    data[size] = '\0';
    *len = size;
    return data;
}

bool file_line(const char *path, char *line, size_t size)
{
    FILE *f = fopen(path, "re");
    bool ok;

    if (!f)
        return false;
    ok = fgets(line, size, f);
    fclose(f);
    if (ok)
        line[strcspn(line, "\n")] = '\0';
    return ok && *line;
}

int write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        p += n;
        len -= n;
    }
    return 0;
}

int make_parents(const char *path)
{
    char *copy = xstrdup(path);
    int err = 0;

    for (char *p = copy + 1; *p && !err; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(copy, 0777) && errno != EEXIST)
            err = -errno;
        *p = '/';
    }
    free(copy);
    return err;
}

const char *temp_dir(void)
{
    const char *dir = getenv("TMPDIR");

    return dir && *dir ? dir : "/tmp";
}

uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *p = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 0x100000001b3ull;
    return hash;
}

double clock_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    unsigned long long v;
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    v = strtoull(text, &end, 10);
    if (errno || *end || v < min || v > max)
        return false;
    *value = v;
    return true;
}
