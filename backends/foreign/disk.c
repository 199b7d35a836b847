/* The benchmark disk as a file. */
#include "../../guest/abi/abi.h"
#include "foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 4096
#define CHUNK (256 * BLOCK)

static void fill(uint64_t *words, uint64_t block, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++)
        for (uint64_t w = 0; w < BLOCK / 8; w++)
            *words++ = tm_disk_word(block + b, w);
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= n;
    }
    return 0;
}

int disk_write_image(const char *path, char why[REASON_MAX])
{
    uint64_t *words = malloc(CHUNK);
    int fd = -1, err = words ? 0 : -ENOMEM;

    if (!err) {
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        err = fd < 0 ? -errno : 0;
    }
    for (uint64_t at = 0; !err && at < TM_DISK_MIN; at += CHUNK) {
        fill(words, at / BLOCK, CHUNK / BLOCK);
        err = write_all(fd, (char *)words, CHUNK);
    }
    if (fd >= 0 && close(fd) < 0 && !err)
        err = -errno;
    if (err)
        snprintf(why, REASON_MAX, "disk image %.150s: %s", path,
                 strerror(-err));
    free(words);
    return err;
}
