/* Where the lab's parts are: kernel, QEMU, our init; fetching what is missing.
 */
#include "lab.h"
#include "util.h"

#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The last match in the order of names, or NULL. */
static char *find_last(const char *dir, const char *pattern)
{
    char *path = xformat("%s/%s", dir, pattern), *found = NULL;
    glob_t g;

    if (!glob(path, 0, NULL, &g)) {
        found = xstrdup(g.gl_pathv[g.gl_pathc - 1]);
        globfree(&g);
    }
    free(path);
    return found;
}

/* An executable of that name in $PATH, or NULL. */
static char *find_program(const char *name)
{
    char *path = xstrdup(getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    char *save = NULL;

    for (char *dir = strtok_r(path, ":", &save); dir;
         dir = strtok_r(NULL, ":", &save)) {
        char *file = xformat("%s/%s", dir, name);

        if (!access(file, X_OK)) {
            free(path);
            return file;
        }
        free(file);
    }
    free(path);
    return NULL;
}

static void look(struct lab_files *f)
{
    const char *version;

    if (!f->kernel)
        f->kernel = find_last(f->dir, "root/boot/vmlinuz-*");
    version = f->kernel ? strstr(f->kernel, "vmlinuz-") : NULL;
    if (version && !f->modules) {
        /* /boot/vmlinuz-V belongs to /lib/modules/V. */
        f->modules =
            xformat("%.*s/../lib/modules/%s", (int)(version - f->kernel - 1),
                    f->kernel, version + strlen("vmlinuz-"));
        if (access(f->modules, R_OK)) {
            free(f->modules);
            f->modules = NULL;
        }
    }
    if (!f->qemu)
        f->qemu = find_program("qemu-system-x86_64");
    if (!f->qemu) {
        f->qemu = find_last(f->dir, "root/usr/bin/qemu-system-x86_64");
        if (f->qemu)
            f->qemu_root = xformat("%s/root", f->dir);
    }
}

/* Beside the executable in a build tree, else where it is installed. */
static char *own_dir(void)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    char *dir, *init;

    exe[n < 0 ? 0 : n] = '\0';
    dirname(exe);
    dir = xformat("%s/lab", exe);
    init = xformat("%s/init", dir);
    if (access(init, R_OK)) {
        free(dir);
        dir = xformat("%s/../lib/trapmark/lab", exe);
    }
    free(init);
    return dir;
}

int lab_find(struct lab_files *f, const char *lab_dir, const char *kernel,
             const char *qemu, char why[REASON_MAX])
{
    char *own = own_dir();

    memset(f, 0, sizeof(*f));
    f->init = xformat("%s/init", own);
    f->fetch = xformat("%s/fetch.sh", own);
    f->dir = xstrdup(lab_dir ? lab_dir : own);
    free(own);
    if (access(f->init, R_OK))
        return fail_why(why, -ENOENT, "%s: %s; build it with make", f->init,
                        strerror(errno));
    if (kernel && access(kernel, R_OK))
        return fail_why(why, -ENOENT, "%s: %s", kernel, strerror(errno));
    if (qemu && access(qemu, X_OK))
        return fail_why(why, -ENOENT, "%s: %s", qemu, strerror(errno));
    f->kernel = kernel ? realpath(kernel, NULL) : NULL;
    f->qemu = qemu ? realpath(qemu, NULL) : NULL;
    look(f);
    return 0;
}

const char *lab_missing(const struct lab_files *f)
{
    if (!f->kernel)
        return "no kernel image is there; 'make lab-deps' fetches Debian's";
    if (!f->modules)
        return "the kernel's modules are not beside it in ../lib/modules";
    if (!f->qemu)
        return "no qemu-system-x86_64 is there; 'make lab-deps' fetches it";
    return NULL;
}

void lab_fetch(struct lab_files *f)
{
    pid_t pid;

    if (access(f->fetch, R_OK))
        return;
    pid = fork();
    if (!pid) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execl("/bin/sh", "sh", f->fetch, f->dir, NULL);
        _exit(127);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
    look(f);
}

void lab_files_free(struct lab_files *f)
{
    char *const all[] = {f->dir,     f->init, f->fetch,    f->kernel,
                         f->modules, f->qemu, f->qemu_root};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        free(all[i]);
    memset(f, 0, sizeof(*f));
}
