/* The runner process itself: what happens between fork and exit. */
#include "runner_child.h"
#include "sandbox.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Above any real need; a runaway process must still hit something. */
#define ADDRESS_SPACE (16ull << 30)

/* Where the pipes are from here on. */
#define OUT_FD 3
#define CTL_FD 4
/* And meanwhile. */
#define HIGH_FD 64

static struct child_report report;
static struct perf_counters counters;

static void send_all(int fd, const void *data, size_t len)
{
    /* The parent reads all the time; an error means that it is gone. */
    if (write_all(fd, data, len))
        _exit(1);
}

static void on_denied(int number)
{
    report.kind = CHILD_DENIED;
    report.number = number;
    send_all(CTL_FD, &report, sizeof(report));
    _exit(1);
}

static void on_line(void *opaque, const char *text, size_t len)
{
    static char line[MACHINE_LINE_MAX + 1];

    (void)opaque;
    if (len > MACHINE_LINE_MAX)
        len = MACHINE_LINE_MAX;
    memcpy(line, text, len);
    line[len] = '\n';
    send_all(OUT_FD, line, len + 1);
}

static void on_doorbell(void *opaque, uint32_t value)
{
    (void)opaque;
    if (value == TM_DB_KERNEL_BEGIN)
        perf_enable(&counters, true);
    else if (value == TM_DB_KERNEL_END)
        perf_enable(&counters, false);
}

static void run_machine(const struct child_setup *setup)
{
    const struct runner_job *job = setup->job;
    struct machine_config config = {
        .backend = job->backend,
        .kernel = job->image->kernel,
        .initrd = job->image->initrd,
        .cmdline = setup->cmdline,
        .disk = job->disk,
        .paging = job->paging,
        .options = job->options,
        .ram_size = runner_ram(job),
        .deterministic = job->deterministic,
        .tsc_khz = job->tsc_khz,
        .line = on_line,
        .doorbell = on_doorbell,
    };
    struct machine *m;
    int err = 0;

    perf_open(job->perf, 0, false, &counters);
    m = machine_create(&config, report.why);
    if (m && (job->backend->caps & CAP_SANDBOX))
        err = sandbox_enter(on_denied, report.why);
    report.kind = CHILD_FAILED;
    if (m && !err) {
        machine_run(m, &report.machine);
        report.kind = CHILD_DONE;
        perf_read(&counters, report.perf);
    }
    send_all(CTL_FD, &report, sizeof(report));
    _exit(0);
}

/* fd becomes wanted; both may be in each other's way, so by way of high ones.
 */
static int out_of_the_way(const struct child_setup *setup, int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);

    if (high < 0) {
        dprintf(setup->err,
                "no file descriptor beyond %d: %s; raise ulimit -n\n", HIGH_FD,
                strerror(errno));
        _exit(1);
    }
    return high;
}

void runner_child(const struct child_setup *setup)
{
    int out = out_of_the_way(setup, setup->out);
    int ctl = out_of_the_way(setup, setup->ctl);
    int err = out_of_the_way(setup, setup->err), null;
    char go;

    sandbox_limits(setup->parent, setup->job->timeout_s * 4 + 10,
                   ADDRESS_SPACE);
    while (read(setup->gate, &go, 1) < 0 && errno == EINTR)
        ;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(setup->argv ? out : null, STDOUT_FILENO) < 0 ||
        dup2(err, STDERR_FILENO) < 0)
        _exit(1);
    for (int sig = 1; sig < SIGRTMIN; sig++)
        signal(sig, SIG_DFL);
    sigprocmask(SIG_SETMASK, &setup->mask, NULL);
    if (setup->argv) {
        execvp(setup->argv[0], setup->argv);
        dprintf(STDERR_FILENO, "%s: %s\n", setup->argv[0], strerror(errno));
        _exit(127);
    }
    /* No file of the parent's stays open: not the journal, not the terminal. */
    if (dup2(out, OUT_FD) < 0 || dup2(ctl, CTL_FD) < 0 ||
        close_range(CTL_FD + 1, ~0u, 0))
        _exit(1);
    run_machine(setup);
    _exit(1);
}
