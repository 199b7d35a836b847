/* The lab's init: loads modules, runs trapmark and sends its files to the host;
 * process 1 of the emulated machine. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* /plan holds a step a line, written by the host:
 *
 *   load FILE [PARAMETER...]   finit_module
 *   unload NAME                delete_module
 *   run NAME ARGUMENT...       trapmark run ARGUMENT... -o NAME; the file goes
 *                              to the host, whatever the exit code
 *
 * The second serial port leads to the host. It carries lines:
 *
 *   say TEXT                   progress
 *   file NAME LENGTH           followed by that many bytes and a newline
 *   error TEXT                 a step failed
 *   done                       after the last step
 */
#define HOST_PORT "/dev/ttyS1"
#define TRAPMARK "/bin/trapmark"
#define WORDS_MAX 32

static FILE *host;

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void tell(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(host, format, args);
    va_end(args);
    fputc('\n', host);
    fflush(host);
}

static void mount_all(void)
{
    static const struct {
        const char *type, *where;
    } mounts[] = {
        {"proc", "/proc"},
        {"sysfs", "/sys"},
        {"devtmpfs", "/dev"},
        {"tmpfs", "/tmp"},
        {"tracefs", "/sys/kernel/tracing"},
    };

    for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
        mkdir(mounts[i].where, 0755);
        if (mount(mounts[i].type, mounts[i].where, mounts[i].type, 0, NULL))
            fprintf(stderr, "mounting %s: %s\n", mounts[i].where,
                    strerror(errno));
    }
}

static void open_host(void)
{
    struct termios raw;
    int fd = open(HOST_PORT, O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd >= 0 && !tcgetattr(fd, &raw)) {
        cfmakeraw(&raw);
        tcsetattr(fd, TCSANOW, &raw);
    }
    host = fd < 0 ? NULL : fdopen(fd, "w");
    if (!host)
        host = stderr;
}

static void load(char **word)
{
    char parameters[256] = "";
    int fd = open(word[0], O_RDONLY | O_CLOEXEC);

    for (char **p = word + 1; *p; p++) {
        strncat(parameters, *p, sizeof(parameters) - strlen(parameters) - 2);
        strcat(parameters, " ");
    }
    if (fd < 0 || syscall(SYS_finit_module, fd, parameters, 0))
        tell("error %s: %s", word[0], strerror(errno));
    if (fd >= 0)
        close(fd);
}

static void unload(char **word)
{
    if (syscall(SYS_delete_module, word[0], O_NONBLOCK))
        tell("error unloading %s: %s", word[0], strerror(errno));
}

static void send_file(const char *name, const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;
    ssize_t len = -1;

    if (file)
        len = getdelim(&text, &room, EOF, file);
    if (len <= 0) {
        tell("error %s: no result", name);
    } else {
        fprintf(host, "file %s %zd\n", name, len);
        fwrite(text, 1, len, host);
        tell("%s", "");
    }
    if (file)
        fclose(file);
    free(text);
}

/* What trapmark says on stderr is progress; its tables are not needed here. */
static void run(char **word)
{
    char *argv[WORDS_MAX + 4] = {TRAPMARK, "run"}, path[128], line[1024];
    int out[2], status = 0, n = 2;
    FILE *said;
    pid_t pid;

    snprintf(path, sizeof(path), "/tmp/%s", word[0]);
    for (char **p = word + 1; *p; p++)
        argv[n++] = *p;
    argv[n++] = "-o";
    argv[n] = path;
    if (pipe2(out, O_CLOEXEC)) {
        tell("error pipe: %s", strerror(errno));
        return;
    }
    pid = fork();
    if (!pid) {
        dup2(open("/dev/null", O_RDWR), STDIN_FILENO);
        dup2(STDIN_FILENO, STDOUT_FILENO);
        dup2(out[1], STDERR_FILENO);
        execv(TRAPMARK, argv);
        dprintf(STDERR_FILENO, TRAPMARK ": %s\n", strerror(errno));
        _exit(127);
    }
    close(out[1]);
    tell("say %s:", word[0]);
    said = fdopen(out[0], "r");
    while (said && fgets(line, sizeof(line), said))
        tell("say %.*s", (int)strcspn(line, "\n"), line);
    if (said)
        fclose(said);
    waitpid(pid, &status, 0);
    send_file(word[0], path);
}

static void step(char *line)
{
    static const struct {
        const char *name;
        void (*act)(char **word);
    } steps[] = {{"load", load}, {"unload", unload}, {"run", run}};
    char *word[WORDS_MAX + 1], *save = NULL;
    unsigned n = 0;

    for (char *w = strtok_r(line, " \n", &save); w && n < WORDS_MAX;
         w = strtok_r(NULL, " \n", &save))
        word[n++] = w;
    word[n] = NULL;
    for (size_t i = 0; n > 1 && i < sizeof(steps) / sizeof(steps[0]); i++)
        if (!strcmp(steps[i].name, word[0]))
            steps[i].act(word + 1);
}

int main(void)
{
    char line[8192]; /* names of all benchmarks */
    FILE *plan;

    mount_all();
    open_host();
    setenv("TMPDIR", "/tmp", 1);
    tell("say the emulated machine is up");
    plan = fopen("/plan", "re");
    if (!plan)
        tell("error /plan: %s", strerror(errno));
    while (plan && fgets(line, sizeof(line), plan))
        step(line);
    tell("done");
    tcdrain(fileno(host));
    reboot(RB_POWER_OFF);
    for (;;)
        pause(); /* the host ends the machine */
}
