/* Small helpers of the harness: messages, memory, files, hashing. */
#ifndef TM_UTIL_H
#define TM_UTIL_H

#include "../backends/backend.h"

/* Formats into why (cut to fit) and returns err, a negative errno. */
int fail_why(char why[REASON_MAX], int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Formats into why, cut to fit. */
void set_why(char why[REASON_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Like asprintf, realloc, strdup and calloc, but out of memory ends the
 * process. */
char *xformat(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
void *xcalloc(size_t n, size_t size);

/* The whole file, malloc'ed, with a NUL behind len bytes. NULL: why; a file of
 * more than 256 MiB is refused, so that a device can't eat all memory. */
char *file_read(const char *path, size_t *len, char why[REASON_MAX]);
/* The first line of a small file without its newline, or false. */
bool file_line(const char *path, char *line, size_t size);
/* All of len bytes. 0 or negative errno. */
int write_all(int fd, const void *data, size_t len);
/* Creates the directories that path (of a file) lies in. 0 or negative errno.
 */
int make_parents(const char *path);
/* $TMPDIR, or /tmp. */
const char *temp_dir(void);

/* FNV-1a, 64 bits; start with HASH_START. */
#define HASH_START 0xcbf29ce484222325ull
uint64_t hash_bytes(uint64_t hash, const void *data, size_t len);

/* Seconds of CLOCK_MONOTONIC. */
double clock_seconds(void);

/* An unsigned decimal number within [min, max], nothing behind it. */
bool parse_number(const char *text, uint64_t min, uint64_t max,
                  uint64_t *value);

#endif
