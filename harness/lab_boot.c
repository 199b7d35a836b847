/* Boots the lab's machine under QEMU and reads what its init says. */
#include "lab.h"
#include "runner.h"
#include "util.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- What init says ---------------------------------------------------- */

/* The length of the complete message at text, or 0; told as it is found. */
static size_t take_message(struct lab_channel *c, char *text, size_t len)
{
    char *end = memchr(text, '\n', len), name[64];
    size_t line = end ? (size_t)(end - text) + 1 : 0, size;

    if (!end)
        return 0;
    *end = '\0';
    if (sscanf(text, "file %63s %zu", name, &size) == 2) {
        if (len - line < size + 1) {
            *end = '\n';
            return 0;
        }
        c->file(c->opaque, name, text + line, size);
        return line + size + 1;
    }
    if (!strncmp(text, "say ", 4))
        c->say(c->opaque, text + 4);
    else if (!strncmp(text, "error ", 6))
        c->error(c->opaque, text + 6);
    else if (!strcmp(text, "done"))
        c->done = true;
    return line;
}

void lab_channel_feed(struct lab_channel *c, const char *data, size_t len)
{
    size_t at = 0, n;

    c->text = xrealloc(c->text, c->len + len + 1);
    memcpy(c->text + c->len, data, len);
    c->len += len;
    while (at < c->len && (n = take_message(c, c->text + at, c->len - at)))
        at += n;
    memmove(c->text, c->text + at, c->len - at);
    c->len -= at;
}

void lab_channel_free(struct lab_channel *c)
{
    free(c->text);
    c->text = NULL;
    c->len = 0;
}

/* ---- QEMU --------------------------------------------------------------- */

/* EPYC is SVM with nested paging; what TCG lacks of it, it warns about. quiet
 * and no mitigations: each is minutes of emulation elsewhere. */
#define CPU "EPYC,+svm,+npt"
#define MEMORY_MIB "768"
#define KERNEL_WORDS                                                           \
    "console=ttyS0 quiet panic=-1 nokaslr mitigations=off tsc=reliable "       \
    "no_timer_check random.trust_cpu=on"

struct boot {
    pid_t pid;
    int from;             /* what init says */
    int console, message; /* memfds: the kernel's console, QEMU's own words */
};

static void become_qemu(const struct lab_files *f, const struct boot *b,
                        int initramfs, int to)
{
    char *initrd = xformat("/proc/self/fd/%d", initramfs);
    char *console =
        xformat("file,id=console,path=/proc/self/fd/%d", b->console);
    char *data = xformat("%s/usr/share/qemu", f->qemu_root ? f->qemu_root : "");
    char *bios =
        xformat("%s/usr/share/seabios", f->qemu_root ? f->qemu_root : "");
    const char *argv[40] = {f->qemu,
                            "-nodefaults",
                            "-no-user-config",
                            "-display",
                            "none",
                            "-no-reboot",
                            "-M",
                            "q35",
                            "-accel",
                            "tcg",
                            "-cpu",
                            CPU,
                            "-m",
                            MEMORY_MIB,
                            "-kernel",
                            f->kernel,
                            "-initrd",
                            initrd,
                            "-append",
                            KERNEL_WORDS,
                            "-chardev",
                            console,
                            "-serial",
                            "chardev:console",
                            "-chardev",
                            "stdio,id=init,signal=off",
                            "-serial",
                            "chardev:init"};
    size_t n = 0;

    while (argv[n])
        n++;
    if (f->qemu_root) {
        char *libs = xformat("%s/usr/lib/x86_64-linux-gnu:"
                             "%s/lib/x86_64-linux-gnu",
                             f->qemu_root, f->qemu_root);
        char *modules =
            xformat("%s/usr/lib/x86_64-linux-gnu/qemu", f->qemu_root);

        setenv("LD_LIBRARY_PATH", libs, 1);
        setenv("QEMU_MODULE_DIR", modules, 1);
        argv[n++] = "-L";
        argv[n++] = data;
        argv[n++] = "-L";
        argv[n++] = bios;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(open("/dev/null", O_RDWR), STDIN_FILENO);
    dup2(to, STDOUT_FILENO);
    dup2(b->message, STDERR_FILENO);
    execv(f->qemu, (char *const *)argv);
    dprintf(STDERR_FILENO, "%s: %s\n", f->qemu, strerror(errno));
    _exit(127);
}

static int start(struct boot *b, const struct lab_files *f, int initramfs,
                 char why[REASON_MAX])
{
    int pipes[2];

    b->console = memfd_create("console", 0);
    b->message = memfd_create("message", 0);
    if (b->console < 0 || b->message < 0 || pipe2(pipes, O_CLOEXEC))
        return fail_why(why, -errno, "QEMU can't be started: %s",
                        strerror(errno));
    b->from = pipes[0];
    b->pid = fork();
    if (!b->pid)
        become_qemu(f, b, initramfs, pipes[1]);
    close(pipes[1]);
    if (b->pid < 0)
        return fail_why(why, -errno, "QEMU can't be started: %s",
                        strerror(errno));
    return 0;
}

/* The last line of a memfd that isn't blank, in at most size bytes. */
static bool last_line(int fd, char *line, size_t size)
{
    char tail[2048];
    off_t end = lseek(fd, 0, SEEK_END);
    off_t from =
        end > (off_t)sizeof(tail) - 1 ? end - (off_t)sizeof(tail) + 1 : 0;
    ssize_t n = end < 0 ? -1 : pread(fd, tail, sizeof(tail) - 1, from);
    char *begin;

    while (n > 0 && isspace((unsigned char)tail[n - 1]))
        n--;
    if (n <= 0)
        return false;
    tail[n] = '\0';
    begin = strrchr(tail, '\n');
    snprintf(line, size, "%.*s", (int)size - 1, begin ? begin + 1 : tail);
    return true;
}

/* Why a machine ended that wasn't done: the kernel's last words, or QEMU's. */
static int explain(const struct boot *b, char why[REASON_MAX])
{
    char line[160];

    if (last_line(b->console, line, sizeof(line)))
        return fail_why(why, -EIO, "the emulated machine ended early: %s",
                        line);
    if (last_line(b->message, line, sizeof(line)))
        return fail_why(why, -EIO, "QEMU: %s", line);
    return fail_why(why, -EIO, "QEMU ended without a word");
}

static int listen_to(struct boot *b, unsigned seconds, struct lab_channel *c,
                     char why[REASON_MAX])
{
    double end = clock_seconds() + seconds;

    while (!c->done) {
        struct pollfd p = {.fd = b->from, .events = POLLIN};
        double left = end - clock_seconds();
        char data[16384];
        ssize_t n;
        int ready;

        if (runner_stop)
            return fail_why(why, -EINTR, "interrupted");
        if (left <= 0)
            return fail_why(why, -ETIME, "stopped after %u seconds", seconds);
        ready = runner_poll(&p, 1, left);
        if (ready < 0 && ready != -EINTR)
            return fail_why(why, ready, "poll: %s", strerror(-ready));
        if (ready <= 0)
            continue;
        n = read(b->from, data, sizeof(data));
        if (n <= 0)
            return explain(b, why);
        lab_channel_feed(c, data, n);
    }
    return 0;
}

int lab_boot(const struct lab_files *files, int initramfs, unsigned seconds,
             struct lab_channel *channel, char why[REASON_MAX])
{
    struct boot b = {.from = -1, .console = -1, .message = -1};
    int err;

    runner_catch_signals();
    err = start(&b, files, initramfs, why);
    if (!err) {
        err = listen_to(&b, seconds, channel, why);
        kill(b.pid, SIGKILL);
        waitpid(b.pid, NULL, 0);
    }
    if (b.from >= 0)
        close(b.from);
    if (b.console >= 0)
        close(b.console);
    if (b.message >= 0)
        close(b.message);
    return err;
}
