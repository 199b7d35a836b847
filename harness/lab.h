/* The lab: KVM's exits on emulated SVM, counted in a Debian kernel under QEMU's
 * TCG. */
#ifndef TM_LAB_H
#define TM_LAB_H

#include "image.h"

#include <jansson.h>

/* What a boot needs. Strings are owned; qemu_root is NULL where QEMU is an
 * installed one, else the directory that its package is unpacked in. */
struct lab_files {
    char *dir; /* where packages are unpacked and our own init lies */
    char *init, *fetch;
    char *kernel;  /* bzImage */
    char *modules; /* the kernel's module directory */
    char *qemu, *qemu_root;
};

/* Fills dir, init and fetch, then what of the others is there. lab_dir, kernel,
 * qemu: the user's choice, or NULL. 0, or -ENOENT with why: something that
 * lab_fetch doesn't bring is missing. */
int lab_find(struct lab_files *files, const char *lab_dir, const char *kernel,
             const char *qemu, char why[REASON_MAX]);
/* What is still missing, with what to do about it; NULL: nothing. */
const char *lab_missing(const struct lab_files *files);
/* Runs the script that downloads and unpacks packages, then looks again. What
 * goes wrong is on stderr, from the script itself. */
void lab_fetch(struct lab_files *files);
void lab_files_free(struct lab_files *files);

/* ---- The initramfs ---------------------------------------------------- */

/* The value of key in a module's .modinfo section, or NULL. data: the .ko file;
 * the answer points into it. */
const char *lab_modinfo(const char *data, size_t len, const char *key);

/* One module to be loaded: its name (with '_') and its file's content. */
struct lab_module {
    char *name, *data;
    size_t len;
};
struct lab_modules {
    struct lab_module *v;
    size_t count;
};
/* The module and all that it depends on, in the order of loading. dir: where
 * the kernel's modules are. 0 or negative errno with why. */
int lab_modules_find(struct lab_modules *modules, const char *dir,
                     const char *name, char why[REASON_MAX]);
void lab_modules_free(struct lab_modules *modules);

/* Writes an initramfs (cpio, newc) into a new memfd: our init, this very
 * program with the libraries it is linked to, the guest image, the modules and
 * the plan (lab/init.c). The descriptor, or negative errno with why. */
int lab_initramfs(const struct lab_files *files, const struct image *image,
                  const struct lab_modules *modules, const char *plan,
                  char why[REASON_MAX]);

/* ---- What is run ------------------------------------------------------ */

struct lab_request {
    bool quick;          /* only the first pass */
    const char *benches; /* these instead, with commas; or NULL */
};

/* Passes are runs of trapmark, each under nested and under shadow paging. */
#define LAB_PASSES 4
/* One short batch: a count needs no more. */
#define LAB_BATCHES "-n 1 --batch-us 20000 --timeout 20 --kvm-trace on"

/* The benchmarks of a pass that no earlier one has, with commas; malloc'ed.
 * NULL: none. */
char *lab_list(const struct lab_request *request, const struct image *image,
               unsigned pass);
/* The steps for init (lab/init.c): modules in the order of loading, the last of
 * them kvm_amd. malloc'ed. */
char *lab_plan(const struct lab_request *request, const struct image *image,
               const struct lab_modules *modules);

/* ---- The boot --------------------------------------------------------- */

/* What init says on its serial port (lab/init.c), taken apart. */
struct lab_channel {
    char *text; /* what is not yet complete */
    size_t len;
    bool done;
    void (*say)(void *opaque, const char *line);
    void (*error)(void *opaque, const char *line);
    void (*file)(void *opaque, const char *name, const char *data, size_t len);
    void *opaque;
};
void lab_channel_feed(struct lab_channel *c, const char *data, size_t len);
void lab_channel_free(struct lab_channel *c);

/* Boots and feeds the channel until init is done, the machine ends or the time
 * is up. 0; -EINTR (SIGINT, SIGTERM, SIGHUP), -ETIME, -EIO or another negative
 * errno with why. */
int lab_boot(const struct lab_files *files, int initramfs, unsigned seconds,
             struct lab_channel *channel, char why[REASON_MAX]);

/* ---- The result ------------------------------------------------------- */

/* One file of several that differ in paging; takes parts' rows over. */
json_t *lab_merge(const json_t *parts, const char *command);

#endif
