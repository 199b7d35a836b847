/* The lab's root file system: a cpio archive of this program and what it needs.
 */
#include "lab.h"
#include "util.h"

#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct archive {
    FILE *out;
    unsigned inode;
    int err;
    char *why;
};

/* cpio(5), format newc: everything is padded to 4 bytes. */
static void put_member(struct archive *a, const char *name, unsigned mode,
                       const void *data, size_t len)
{
    static const char zeros[4];
    size_t head = 110 + strlen(name) + 1;

    fprintf(a->out,
            "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X",
            ++a->inode, mode, 0u, 0u, 1u, 0u, len, 0u, 0u, 0u, 0u,
            strlen(name) + 1, 0u);
    fwrite(name, 1, strlen(name) + 1, a->out);
    fwrite(zeros, 1, -head & 3, a->out);
    fwrite(data, 1, len, a->out);
    fwrite(zeros, 1, -len & 3, a->out);
}

static void put_dirs(struct archive *a, const char *name)
{
    for (const char *slash = strchr(name, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        char *dir = xformat("%.*s", (int)(slash - name), name);

        put_member(a, dir, S_IFDIR | 0755, "", 0);
        free(dir);
    }
}

static void put_file(struct archive *a, const char *name, const char *path)
{
    size_t len;
    char *data;

    if (a->err)
        return;
    data = file_read(path, &len, a->why);
    if (!data) {
        a->err = -EIO;
        return;
    }
    put_dirs(a, name);
    put_member(a, name, S_IFREG | 0755, data, len);
    free(data);
}

/* This program's libraries go to /lib, where the loader looks without being
 * told; the loader itself to where the program names it. */
static int put_library(struct dl_phdr_info *info, size_t size, void *opaque)
{
    const char *path = info->dlpi_name, *slash = strrchr(path, '/');
    char *name;

    (void)size;
    if (*path != '/') /* the program itself, the vDSO */
        return 0;
    if (!strncmp(slash + 1, "ld-linux", 8))
        name = xstrdup(path + 1);
    else
        name = xformat("lib%s", slash);
    put_file(opaque, name, path);
    free(name);
    return 0;
}

int lab_initramfs(const struct lab_files *files, const struct image *image,
                  const struct lab_modules *modules, const char *plan,
                  char why[REASON_MAX])
{
    struct archive a = {.why = why};
    int fd = memfd_create("initramfs", 0);
    int copy = fd < 0 ? -1 : dup(fd);

    a.out = copy < 0 ? NULL : fdopen(copy, "w");
    if (!a.out)
        return fail_why(why, -errno, "no memory for an initramfs: %s",
                        strerror(errno));
    put_file(&a, "init", files->init);
    put_file(&a, "bin/trapmark", "/proc/self/exe");
    put_file(&a, "bin/guest/kernel.elf", image->kernel);
    put_file(&a, "bin/guest/initrd.cpio", image->initrd);
    dl_iterate_phdr(put_library, &a);
    put_dirs(&a, "modules/");
    for (size_t i = 0; i < modules->count; i++) {
        char *name = xformat("modules/%s.ko", modules->v[i].name);

        put_member(&a, name, S_IFREG | 0644, modules->v[i].data,
                   modules->v[i].len);
        free(name);
    }
    put_member(&a, "plan", S_IFREG | 0644, plan, strlen(plan));
    put_member(&a, "TRAILER!!!", 0, "", 0);
    if (!a.err && (ferror(a.out) || fflush(a.out)))
        a.err = fail_why(why, -EIO, "the initramfs: %s", strerror(errno));
    fclose(a.out);
    if (!a.err)
        return fd;
    close(fd);
    return a.err;
}
