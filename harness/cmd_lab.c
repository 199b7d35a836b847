/* `trapmark lab`: exits of nested and of shadow paging, on any machine. */
#include "cmd.h"
#include "exits.h"
#include "hostfacts.h"
#include "lab.h"
#include "report.h"
#include "resultfile.h"
#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_S 300
#define LIMIT_QUICK_S 120

enum {
    KEY_QUICK = 256,
    KEY_HERE,
    KEY_KERNEL,
    KEY_QEMU,
    KEY_DIR,
    KEY_NO_FETCH,
    KEY_LIMIT
};

struct options {
    struct lab_request request;
    bool here, no_fetch;
    const char *output, *kernel, *qemu, *dir, *command;
    unsigned limit_s;
};

static const struct argp_option option_table[] = {
    {"quick", KEY_QUICK, NULL, 0,
     "only what the paper measures, and a few exits more: at most 2 minutes",
     1},
    {"benchmarks", 't', "T,..", 0, "these benchmarks; see trapmark list", 1},
    {"output", 'o', "FILE", 0,
     "write the result file (- is standard output, and no table)", 1},
    {"limit", KEY_LIMIT, "S", 0,
     "seconds until the lab stops with what it has (default 300; 120 with "
     "--quick)",
     1},
    {"here", KEY_HERE, NULL, 0,
     "use this host's own KVM (default where that is VT-x or SVM)", 2},
    {"no-fetch", KEY_NO_FETCH, NULL, 0,
     "download nothing; what is missing ends the command", 2},
    {"kernel", KEY_KERNEL, "FILE", 0,
     "another bzImage vmlinuz-V; modules are in ../lib/modules/V", 2},
    {"qemu", KEY_QEMU, "FILE", 0, "another qemu-system-x86_64", 2},
    {"dir", KEY_DIR, "DIR", 0, "where packages are unpacked", 2},
    {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case KEY_QUICK:
        o->request.quick = true;
        return 0;
    case 't':
        cli_check_list("benchmarks", arg);
        o->request.benches = arg;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case KEY_LIMIT:
        o->limit_s = cli_number("limit", arg, 1, 86400);
        return 0;
    case KEY_HERE:
        o->here = true;
        return 0;
    case KEY_NO_FETCH:
        o->no_fetch = true;
        return 0;
    case KEY_KERNEL:
        o->kernel = arg;
        return 0;
    case KEY_QEMU:
        o->qemu = arg;
        return 0;
    case KEY_DIR:
        o->dir = arg;
        return 0;
    case ARGP_KEY_ARG:
        cli_usage("'%s' is no option; benchmarks are named with -t", arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    option_table,
    parse_option,
    NULL,
    "Count the exits of nested and of shadow paging.\v"
    "Boots Debian's cloud kernel under QEMU, whose emulator implements AMD SVM "
    "with nested paging, and runs the backend kvm in it twice: kvm_amd with "
    "npt=1 and with npt=0. Counts are exact; times are an emulator's and are "
    "marked so. What is missing is fetched as Debian packages and unpacked, "
    "not installed. Exit codes: 0 every row ok or skipped, 1 a row failed or "
    "the limit was reached, 2 bad usage or input, 77 nothing could run, 130 "
    "interrupted.",
    NULL,
    NULL,
    NULL};

/* ---- Results ------------------------------------------------------------ */

struct lab {
    double begin;  /* clock_seconds() */
    json_t *parts; /* array of result files */
    bool failed;   /* a step, or a row */
};

static void on_say(void *opaque, const char *line)
{
    const struct lab *lab = opaque;

    fprintf(stderr, "%3.0f s  %s\n", clock_seconds() - lab->begin, line);
}

static void on_error(void *opaque, const char *line)
{
    struct lab *lab = opaque;

    lab->failed = true;
    cli_say("in the emulated machine: %s", line);
}

static void on_file(void *opaque, const char *name, const char *data,
                    size_t len)
{
    struct lab *lab = opaque;
    json_error_t error;
    json_t *part = json_loadb(data, len, 0, &error);

    if (part && json_array_size(json_object_get(part, RF_RUNS))) {
        json_array_append_new(lab->parts, part);
        return;
    }
    json_decref(part);
    lab->failed = true;
    cli_say("%s: no result file arrived", name);
}

static int run_emulated(struct lab *lab, const struct options *o,
                        const struct lab_files *files,
                        const struct image *image, char why[REASON_MAX])
{
    struct lab_channel channel = {
        .say = on_say, .error = on_error, .file = on_file, .opaque = lab};
    struct lab_modules modules;
    int err = lab_modules_find(&modules, files->modules, "kvm_amd", why), fd;
    char *plan;

    if (err)
        return err;
    plan = lab_plan(&o->request, image, &modules);
    err = fd = lab_initramfs(files, image, &modules, plan, why);
    if (fd >= 0) {
        err = lab_boot(files, fd, o->limit_s, &channel, why);
        close(fd);
    }
    lab_channel_free(&channel);
    lab_modules_free(&modules);
    free(plan);
    return err;
}

/* trapmark run with these words, its tables on stderr, into a file. */
static int run_self(const char *list, char *path, char why[REASON_MAX])
{
    char words[] = LAB_BATCHES, *save = NULL;
    char *argv[20] = {"trapmark", "run",        "-b", "kvm",
                      "-t",       (char *)list, "-o", path};
    size_t n = 8;
    pid_t pid;

    for (char *word = strtok_r(words, " ", &save); word;
         word = strtok_r(NULL, " ", &save))
        argv[n++] = word;
    fflush(stdout);
    pid = fork();
    if (!pid) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, NULL, 0) < 0)
        return fail_why(why, -errno, "trapmark run: %s", strerror(errno));
    return 0;
}

/* One pass on this host, in the mode that its KVM is in. */
static int run_pass_here(struct lab *lab, const char *list,
                         char why[REASON_MAX])
{
    char *path = xformat("%s/trapmark-lab-%d.json", temp_dir(), getpid());
    int err = run_self(list, path, why);
    json_t *part = err ? NULL : result_load(path, why);

    if (part)
        json_array_append_new(lab->parts, part);
    else if (!err)
        err = -EIO;
    unlink(path);
    free(path);
    return err;
}

static int run_here(struct lab *lab, const struct options *o,
                    const struct image *image, char why[REASON_MAX])
{
    int err = 0;

    for (unsigned p = 0; p < LAB_PASSES && !err; p++) {
        char *list = lab_list(&o->request, image, p);

        if (list)
            err = run_pass_here(lab, list, why);
        free(list);
    }
    return err;
}

static bool is_real(const struct kvm_facts *k)
{
    return k->available && k->cpu_flag && !k->emulated_cpu &&
           (!strcmp(k->module, "kvm_amd") || !strcmp(k->module, "kvm_intel"));
}

/* ---- The command --------------------------------------------------------- */

static int judge(const struct lab *lab, const json_t *file)
{
    bool ok = false, failed = lab->failed;
    json_t *run;
    size_t i;

    json_array_foreach(json_object_get(file, RF_RUNS), i, run)
    {
        const char *status = result_text(run, RF_STATUS);

        ok |= !strcmp(status, RF_STATUS_OK);
        failed |=
            strcmp(status, RF_STATUS_OK) && strcmp(status, RF_STATUS_SKIPPED);
    }
    return failed ? EXIT_FAILED : ok ? EXIT_OK : EXIT_NOTHING;
}

static int deliver(const struct lab *lab, const struct options *o,
                   const char *trouble)
{
    json_t *file = lab_merge(lab->parts, o->command);
    int status = EXIT_FAILED;
    char why[REASON_MAX];
    struct exits exits;

    if (*trouble) {
        cli_say("%s", trouble);
        if (file)
            result_warn(file, trouble, NULL, NULL, NULL);
    }
    if (!file)
        return EXIT_FAILED;
    if (!*trouble)
        status = judge(lab, file);
    if (!o->output || strcmp(o->output, "-")) {
        exits_collect(&exits, file);
        exits_print(&exits, stdout);
        if (!exits.nlines)
            cli_say("no exits of VT-x or SVM were counted; trapmark doctor "
                    "says what this KVM is");
        exits_free(&exits);
    }
    if (o->output)
        make_parents(o->output); /* what fails here is reported when saving */
    if (o->output && result_save(file, o->output, why)) {
        cli_say("%s", why);
        status = EXIT_FAILED;
    }
    json_decref(file);
    return status;
}

/* Everything that a boot needs, or the reason why not and false. */
static bool prepare(const struct options *o, struct lab_files *files)
{
    char why[REASON_MAX];
    const char *missing;

    if (lab_find(files, o->dir, o->kernel, o->qemu, why)) {
        cli_say("%s", why);
        return false;
    }
    if (lab_missing(files) && !o->no_fetch && !o->kernel)
        lab_fetch(files);
    missing = lab_missing(files);
    if (missing)
        cli_say("%s: %s", files->dir, missing);
    return !missing;
}

static void check_options(struct options *o)
{
    if (o->kernel && access(o->kernel, R_OK))
        cli_usage("%s: %s", o->kernel, strerror(errno));
    if (o->qemu && access(o->qemu, X_OK))
        cli_usage("%s: %s", o->qemu, strerror(errno));
    if (o->output)
        cli_check_output(o->output);
    if (!o->limit_s)
        o->limit_s = o->request.quick ? LIMIT_QUICK_S : LIMIT_S;
}

static void check_benches(const struct options *o, const struct image *image)
{
    char *copy = xstrdup(o->request.benches ? o->request.benches : ""),
         *save = NULL;

    for (char *name = strtok_r(copy, ",", &save); name;
         name = strtok_r(NULL, ",", &save))
        if (!image_find(image, name))
            cli_usage("unknown benchmark '%s'; see trapmark list", name);
    free(copy);
}

int cmd_lab(int argc, char **argv)
{
    struct lab lab = {.begin = clock_seconds(), .parts = json_array()};
    struct lab_files files = {0};
    struct options o = {0};
    char why[REASON_MAX] = "", other[KVM_COMMAND_MAX];
    char *command = cli_join(argc, argv);
    struct kvm_facts kvm;
    struct image image;
    int status = EXIT_NOTHING, err;

    o.command = command;
    cli_parse(&argp, argc, argv, &o);
    check_options(&o);
    if (image_open(&image, NULL, NULL, why))
        cli_usage("%s", why);
    check_benches(&o, &image);
    kvm_probe_facts(&kvm);
    if (o.here || (is_real(&kvm) && !o.kernel && !o.qemu)) {
        run_here(&lab, &o, &image, why);
        status = deliver(&lab, &o, why);
        if (kvm_probe_other_paging(other))
            cli_say("that is one kind of paging; for the other: %s", other);
    } else if (prepare(&o, &files)) {
        err = run_emulated(&lab, &o, &files, &image, why);
        status = deliver(&lab, &o, why);
        if (err == -EINTR)
            status = EXIT_INTERRUPTED;
    }
    lab_files_free(&files);
    image_close(&image);
    json_decref(lab.parts);
    free(command);
    return status;
}
