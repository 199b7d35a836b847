/* The guest image: where its files are, what benchmarks it holds. */
#include "image.h"
#include "util.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int image_suite_rank(const char *suite)
{
    static const char *const suite_order[IMAGE_SUITES] = {
        "micro", "kcompute", "paging", "tradeoff", "compute", "io", "mixed"};
    int n = IMAGE_SUITES;

    for (int i = 0; i < n; i++)
        if (!strcmp(suite, suite_order[i]))
            return i;
    return n;
}

/* Stable: within a suite the image's own order holds. */
static void sort_by_suite(struct bench_list *list)
{
    for (size_t i = 1; i < list->count; i++) {
        struct bench_info moving = list->v[i];
        size_t j = i;

        for (; j && image_suite_rank(list->v[j - 1].note.suite) >
                        image_suite_rank(moving.note.suite);
             j--)
            list->v[j] = list->v[j - 1];
        list->v[j] = moving;
    }
}

/* The directory that holds guest/ and native/: beside the executable in a build
 * tree; ../lib/trapmark from there or TM_LIBDIR when installed. NULL: none has
 * a kernel. */
static char *find_home(char **beside)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    exe[n < 0 ? 0 : n] = '\0';
    *beside = xstrdup(dirname(exe));
    for (int i = 0; i < 3; i++) {
        char *home = i == 0   ? xstrdup(*beside)
                     : i == 1 ? xformat("%s/../lib/trapmark", *beside)
                              : xstrdup(TM_LIBDIR);
        char *kernel = xformat("%s/guest/kernel.elf", home);
        bool there = !access(kernel, F_OK);

        free(kernel);
        if (there)
            return home;
        free(home);
    }
    return NULL;
}

/* The user's path made absolute, or home's own file. */
static char *resolve(const char *given, const char *home, const char *own,
                     char why[REASON_MAX])
{
    char *path;

    if (!given)
        return xformat("%s/%s", home, own);
    path = realpath(given, NULL);
    if (!path)
        set_why(why, "%s: %s", given, strerror(errno));
    return path;
}

static int read_part(struct image *image, const char *path, bool initrd,
                     char why[REASON_MAX])
{
    struct stat st;
    size_t len;
    char *data;
    int err;

    /* Opening a FIFO would wait for a writer. */
    if (!stat(path, &st) && !S_ISREG(st.st_mode))
        return fail_why(why, -EINVAL, "%s: not a regular file", path);
    data = file_read(path, &len, why);
    if (!data)
        return -ENOENT;
    if (initrd)
        err = notes_read_initrd(&image->benches, data, len, path, why);
    else
        err = notes_read_elf(&image->benches, data, len, false, path, why);
    image->id = hash_bytes(image->id, data, len);
    free(data);
    return err;
}

int image_open(struct image *image, const char *kernel, const char *initrd,
               char why[REASON_MAX])
{
    char *beside, *home = find_home(&beside);
    int err = 0;

    memset(image, 0, sizeof(*image));
    image->id = HASH_START;
    if (!home && (!kernel || !initrd)) {
        err = fail_why(why, -ENOENT,
                       "no guest image in %s/guest or %s/guest: build it with "
                       "make, or name it with --guest and --initrd",
                       beside, TM_LIBDIR);
        goto out;
    }
    image->native_dir = xformat("%s/native", home ? home : beside);
    image->kernel = resolve(kernel, home, "guest/kernel.elf", why);
    image->initrd = resolve(initrd, home, "guest/initrd.cpio", why);
    if (!image->kernel || !image->initrd)
        err = -ENOENT;
    if (!err)
        err = read_part(image, image->kernel, false, why);
    if (!err)
        err = read_part(image, image->initrd, true, why);
    if (err)
        image_close(image);
    else
        sort_by_suite(&image->benches);
out:
    free(home);
    free(beside);
    return err;
}

void image_close(struct image *image)
{
    free(image->kernel);
    free(image->initrd);
    free(image->native_dir);
    bench_list_free(&image->benches);
    memset(image, 0, sizeof(*image));
}

const struct bench_info *image_find(const struct image *image, const char *name)
{
    for (size_t i = 0; i < image->benches.count; i++)
        if (!strcmp(image->benches.v[i].note.name, name))
            return &image->benches.v[i];
    return NULL;
}
