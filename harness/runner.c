/* One measurement in a process of its own: start, watch, collect, kill. */
#include "runner.h"
#include "guestlog.h"
#include "runner_child.h"
#include "sandbox.h"
#include "util.h"
#include "vmmlog.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

volatile int runner_stop;

static sigset_t mask_before; /* what the signal mask was without our blocking */

static void on_stop(int sig)
{
    (void)sig;
    runner_stop = 1;
}

void runner_catch_signals(void)
{
    static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_stop}, before;
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
        sigaction(stops[i], NULL, &before);
        if (stops[i] == SIGHUP && before.sa_handler == SIG_IGN)
            continue; /* nohup */
        sigaction(stops[i], &action, NULL);
        sigaddset(&set, stops[i]);
    }
    sigprocmask(SIG_BLOCK, &set, &mask_before);
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++)
        sigdelset(&mask_before, stops[i]);
    /* What can't be written is an error like others, not the end. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

int runner_poll(struct pollfd *p, unsigned n, double seconds)
{
    struct timespec wait = {.tv_sec = (time_t)seconds};
    int ready;

    wait.tv_nsec = (long)((seconds - wait.tv_sec) * 1e9);
    ready = ppoll(p, n, &wait, &mask_before);
    return ready < 0 ? -errno : ready;
}

/* Lines as they arrive in pieces. */
struct line_buffer {
    char text[MACHINE_LINE_MAX + 2];
    size_t len;
    bool cut; /* the line is longer; its rest is thrown away */
};

enum { OUT, ERR, CTL, PIPES };

struct watch {
    const struct runner_job *job;
    struct runner_result *result;
    struct guest_log log;
    pid_t pid;
    int pidfd, fd[PIPES]; /* -1: at its end */
    struct line_buffer out;
    struct vmm_log err;
    struct child_report report;
    size_t report_len;
    unsigned bytes, lines;
    bool flooded, timed_out;
};

/* ---- Reading ---------------------------------------------------------- */

static void take_line(struct watch *w)
{
    struct line_buffer *b = &w->out;

    if (b->len && b->text[b->len - 1] == '\r')
        b->len--;
    b->text[b->len] = '\0';
    if (w->job->verbose)
        fprintf(stderr, "  %s/%s: %.*s\n", w->job->backend->name,
                w->job->bench->note.name, (int)b->len, b->text);
    guestlog_line(&w->log, b->text, b->len);
    if (w->job->line)
        w->job->line(w->job->opaque, b->text, b->len);
    b->len = 0;
    b->cut = false;
    w->lines++;
}

static void take_output(struct watch *w, const char *data, size_t len)
{
    struct line_buffer *b = &w->out;

    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n')
            take_line(w);
        else if (b->len < MACHINE_LINE_MAX)
            b->text[b->len++] = data[i];
        else
            b->cut = true;
    }
}

/* Reads what there is. False at the end. */
static bool drain(struct watch *w, int which)
{
    char data[16384];

    for (;;) {
        ssize_t n = read(w->fd[which], data, sizeof(data));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0)
            return false;
        if (which == CTL) {
            size_t room = sizeof(w->report) - w->report_len;

            memcpy((char *)&w->report + w->report_len, data,
                   (size_t)n < room ? (size_t)n : room);
            w->report_len += (size_t)n < room ? (size_t)n : room;
            continue;
        }
        w->bytes += n;
        if (which == OUT)
            take_output(w, data, n);
        else
            vmmlog_take(&w->err, data, n);
        if (w->bytes > RUNNER_MAX_BYTES || w->lines > RUNNER_MAX_LINES)
            return true;
    }
}

static void close_pipe(struct watch *w, int which)
{
    if (w->fd[which] >= 0)
        close(w->fd[which]);
    w->fd[which] = -1;
}

/* Until the process ends, or must be ended. */
static void watch_process(struct watch *w)
{
    double deadline = clock_seconds() + w->job->timeout_s;
    bool ended = false;

    while (!ended && !runner_stop) {
        struct pollfd p[PIPES + 1];
        double left = deadline - clock_seconds();

        if (left <= 0) {
            w->timed_out = true;
            return;
        }
        for (int i = 0; i < PIPES; i++)
            p[i] = (struct pollfd){w->fd[i], POLLIN, 0};
        p[PIPES] = (struct pollfd){w->pidfd, POLLIN, 0};
        if (runner_poll(p, PIPES + 1, left) < 0)
            continue;
        ended = p[PIPES].revents;
        for (int i = 0; i < PIPES; i++)
            if (w->fd[i] >= 0 && (p[i].revents || ended) && !drain(w, i))
                close_pipe(w, i);
        if (w->lines > RUNNER_MAX_LINES || w->bytes > RUNNER_MAX_BYTES) {
            w->flooded = true;
            return;
        }
        if (w->err.stopped)
            return;
    }
}

/* ---- Judging ---------------------------------------------------------- */

static void decide(struct runner_result *r, enum row_status status,
                   const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void decide(struct runner_result *r, enum row_status status,
                   const char *format, ...)
{
    va_list args;

    va_start(args, format);
    r->status = status;
    vsnprintf(r->reason, sizeof(r->reason), format, args);
    va_end(args);
}

/* QEMU's exit status for a byte written to isa-debug-exit. */
#define DEBUG_EXIT(byte) ((byte) << 1 | 1)

/* How the process ended, in words; "" where it ended well. */
static void describe_status(const struct watch *w, int status,
                            char text[REASON_MAX])
{
    const char *last = w->err.last;

    bool foreign = w->job->backend->class == BACKEND_FOREIGN;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

    *text = '\0';
    if (WIFSIGNALED(status))
        set_why(text, "its process died of signal %d (%s)%s%s",
                WTERMSIG(status), strsignal(WTERMSIG(status)),
                *last ? ": " : "", last);
    else if (foreign && code == DEBUG_EXIT(TM_EXIT_OK))
        return;
    else if (foreign && code == DEBUG_EXIT(TM_EXIT_PANIC))
        set_why(text, "the guest panicked without saying why");
    else if (foreign && !code)
        set_why(text,
                "the guest reset the machine without a word (triple "
                "fault)%s%s",
                *last ? "; last message: " : "", last);
    else if (code)
        set_why(text, "its process ended with status %d%s%s", code,
                *last ? ": " : "", last);
}

/* The runner's own word on how the machine ended, "" where all is well. */
static void describe_report(const struct watch *w, char text[REASON_MAX])
{
    const struct child_report *c = &w->report;
    const char *why = c->machine.why;
    char name[64];

    *text = '\0';
    if (c->kind == CHILD_DENIED)
        set_why(text, "the sandbox stopped the runner: it called %s",
                sandbox_call_name(c->number, name));
    else if (c->kind == CHILD_FAILED)
        set_why(text, "%s", c->why);
    else if (c->machine.end != END_OK)
        set_why(text, "%s", *why ? why : "the machine gave no reason");
}

static void copy_report(struct watch *w)
{
    struct runner_result *r = w->result;

    if (w->report.kind != CHILD_DONE)
        return;
    r->have_machine = true;
    r->machine = w->report.machine;
    memcpy(r->perf, w->report.perf, sizeof(r->perf));
    r->have_perf = true;
}

static void judge_killed(struct watch *w)
{
    struct runner_result *r = w->result;
    unsigned limit = w->job->timeout_s;

    if (w->flooded)
        return decide(r, ROW_FAILED,
                      "flooded its serial port: %u bytes, %u lines; killed",
                      w->bytes, w->lines);
    if (w->err.stopped)
        return decide(r, ROW_FAILED, "%s", w->err.reason);
    if (!w->timed_out)
        return decide(r, ROW_INTERRUPTED, "interrupted");
    if (w->log.have_result)
        decide(r, ROW_TIMEOUT,
               "gave a result but did not end within %u s; "
               "killed",
               limit);
    else if (!w->lines)
        decide(r, ROW_TIMEOUT, "no output for %u s; killed", limit);
    else
        decide(r, ROW_TIMEOUT, "no result for %u s while %s; killed", limit,
               w->log.doing);
}

static void judge(struct watch *w, int status)
{
    struct runner_result *r = w->result;
    struct guest_log *log = &w->log;
    char ended[REASON_MAX], machine[REASON_MAX] = "";

    describe_status(w, status, ended);
    if (w->report_len == sizeof(w->report)) {
        w->report.why[REASON_MAX - 1] = '\0';
        w->report.machine.why[REASON_MAX - 1] = '\0';
        describe_report(w, machine);
        copy_report(w);
    } else if (w->job->backend->class == BACKEND_VCPU && !*ended) {
        set_why(ended, "its process ended without a word");
    }
    if (log->panic)
        decide(r, ROW_FAILED, "guest panic: %.*s", REASON_MAX - 20,
               log->reason);
    else if (log->have_result && log->skipped)
        decide(r, ROW_SKIPPED, "%s", log->reason);
    else if (log->have_result && !log->ok)
        decide(r, ROW_FAILED, "%s", log->reason);
    else if (*machine)
        decide(r, ROW_FAILED, "%s", machine);
    else if (*ended)
        decide(r, ROW_FAILED, "%s", ended);
    else if (!log->have_result)
        decide(r, ROW_FAILED, "the guest ended without a result%s",
               log->hello ? "" : " or even a hello");
    else
        r->status = ROW_OK;
}

/* A process that crashed is why a row failed, or hangs, more often than not. */
static void add_crash(struct watch *w)
{
    struct runner_result *r = w->result;
    size_t len = strlen(r->reason);

    if (*w->log.crash && (r->status == ROW_FAILED || r->status == ROW_TIMEOUT))
        snprintf(r->reason + len, sizeof(r->reason) - len,
                 "; a process had crashed: %s", w->log.crash);
}

/* ---- Starting --------------------------------------------------------- */

static char *command_line(const struct runner_job *job)
{
    char *line = xformat("bench=%s samples=%u batch_us=%llu seed=%llu",
                         job->bench->note.name, job->samples,
                         (unsigned long long)job->batch_us,
                         (unsigned long long)job->seed);

    if (job->iters) {
        char *more =
            xformat("%s iters=%llu", line, (unsigned long long)job->iters);
        free(line);
        line = more;
    }
    if (job->words) {
        char *more = xformat("%s %s", line, job->words);
        free(line);
        line = more;
    }
    /* The machine appends the frequency itself. */
    if (job->backend->class != BACKEND_VCPU) {
        char *more =
            xformat("%s tsc_khz=%llu", line, (unsigned long long)job->tsc_khz);
        free(line);
        line = more;
    }
    return line;
}

uint64_t runner_ram(const struct runner_job *job)
{
    return (uint64_t)(job->ram_mib ? job->ram_mib : RUNNER_RAM_MIB) << 20;
}

static char **foreign_argv(const struct runner_job *job, const char *cmdline,
                           char why[REASON_MAX])
{
    bool process = job->backend->class == BACKEND_PROCESS;
    struct foreign_job f = {
        .kernel = process ? NULL : job->image->kernel,
        .initrd = process ? NULL : job->image->initrd,
        .cmdline = cmdline,
        .disk = job->disk,
        .native_dir = job->image->native_dir,
        .bench = job->bench->note.name,
        .ram_size = runner_ram(job),
    };

    return job->backend->command(&f, why);
}

static void free_argv(char **argv)
{
    if (!argv)
        return;
    for (char **p = argv; *p; p++)
        free(*p);
    free(argv);
}

static bool open_pipes(int near[PIPES], int far[PIPES], int gate[2])
{
    int pair[2];

    for (int i = 0; i < PIPES; i++) {
        if (pipe2(pair, O_CLOEXEC))
            return false;
        near[i] = pair[0];
        far[i] = pair[1];
        fcntl(near[i], F_SETFL, O_NONBLOCK);
    }
    return !pipe2(gate, O_CLOEXEC);
}

/* The child waits at the gate until its counters are open. */
static pid_t start(const struct runner_job *job, const char *cmdline,
                   char *const *argv, struct watch *w,
                   struct perf_counters *counters)
{
    int far[PIPES] = {-1, -1, -1}, gate[2] = {-1, -1};
    pid_t parent = getpid(), pid = -1;

    if (open_pipes(w->fd, far, gate)) {
        fflush(NULL);
        pid = fork();
    }
    if (!pid) {
        struct child_setup setup = {
            .job = job,
            .cmdline = cmdline,
            .argv = argv,
            .parent = parent,
            .out = far[OUT],
            .err = far[ERR],
            .ctl = far[CTL],
            .gate = gate[0],
            .mask = mask_before,
        };

        close(gate[1]);
        runner_child(&setup);
    }
    for (int i = 0; i < PIPES; i++)
        if (far[i] >= 0)
            close(far[i]);
    if (gate[0] >= 0)
        close(gate[0]);
    if (pid > 0) {
        setpgid(pid, pid);
        if (argv)
            perf_open(job->perf, pid, true, counters);
    }
    if (gate[1] >= 0)
        close(gate[1]);
    return pid;
}

void runner_run(const struct runner_job *job, struct runner_result *result)
{
    struct watch *w = xcalloc(1, sizeof(*w));
    struct perf_counters counters = {0};
    char *cmdline = command_line(job), **argv = NULL;
    double begin = clock_seconds();
    int status = 0;

    memset(result, 0, sizeof(*result));
    w->job = job;
    w->result = result;
    w->pidfd = -1;
    for (int i = 0; i < PIPES; i++)
        w->fd[i] = -1;
    guestlog_init(&w->log, job->bench->note.name);
    if (job->backend->class != BACKEND_VCPU) {
        argv = foreign_argv(job, cmdline, result->reason);
        if (!argv) {
            result->status = ROW_FAILED;
            goto out;
        }
    }
    w->pid = start(job, cmdline, argv, w, &counters);
    if (w->pid < 0) {
        decide(result, ROW_FAILED, "no process could be started: %s",
               strerror(errno));
        goto out;
    }
    w->pidfd = pidfd_open(w->pid, 0);
    watch_process(w);
    /* Whether it ended or must end now: nothing of its group stays. */
    kill(-w->pid, SIGKILL);
    waitpid(w->pid, &status, 0);
    if (w->out.len)
        take_line(w);
    vmmlog_end(&w->err);
    /* All of what a reason may have to cut short. */
    if (job->verbose && WIFSIGNALED(status) && *w->err.last)
        fprintf(stderr, "  %s/%s: %s\n", job->backend->name,
                job->bench->note.name, w->err.last);
    if (runner_stop || w->flooded || w->err.stopped || w->timed_out)
        judge_killed(w);
    else
        judge(w, status);
    add_crash(w);
    if (argv) {
        perf_read(&counters, result->perf);
        result->have_perf = result->perf_whole_process = true;
    }
    if (result->status == ROW_OK) {
        result->iterations = w->log.iterations;
        result->count = w->log.count;
        result->samples = w->log.samples;
        result->control = w->log.control;
        w->log.samples = w->log.control = NULL;
        memcpy(result->checksum, w->log.checksum, sizeof(result->checksum));
    }
out:
    result->wall_s = clock_seconds() - begin;
    perf_close(&counters);
    for (int i = 0; i < PIPES; i++)
        close_pipe(w, i);
    if (w->pidfd >= 0)
        close(w->pidfd);
    guestlog_free(&w->log);
    free_argv(argv);
    free(cmdline);
    free(w);
}

void runner_result_free(struct runner_result *result)
{
    free(result->samples);
    free(result->control);
    result->samples = result->control = NULL;
    result->count = 0;
}
