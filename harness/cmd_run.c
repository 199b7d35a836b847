/* `trapmark run`: measure benchmarks on backends. */
#include "cmd.h"
#include "runtable.h"
#include "session.h"
#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAMPLES_MAX 256 /* the guest's measuring loop keeps no more */
#define RAM_MIN_MIB 64
#define RAM_MAX_MIB 3072 /* device memory begins there */

enum {
    KEY_BATCH = 256,
    KEY_ROUNDS,
    KEY_PAGING,
    KEY_DETERMINISTIC,
    KEY_EVENTS,
    KEY_GUEST,
    KEY_INITRD,
    KEY_DISK,
    KEY_SEED,
    KEY_TIMEOUT,
    KEY_RESUME,
    KEY_RAM,
    KEY_FAULT_AROUND,
    KEY_PREFILL,
    KEY_SHADOW_CACHE,
    KEY_WALK_CACHE,
    KEY_NESTED_LARGE,
    KEY_BT_ADAPTIVE,
    KEY_BT_CHAIN,
    KEY_BT_INLINE,
    KEY_BT_UNIT,
    KEY_BT_USER,
    KEY_KVM_TRACE
};

static const char *const on_off[] = {"on", "off", NULL};
static const char *const users[] = {"direct", "translate", NULL};

/* Options that are dimensions of the run: a list of values gives a row each. */
static const struct choice {
    int key;
    const char *option;        /* on the command line */
    const char *name;          /* for backends: see struct vm */
    const char *const *values; /* NULL: numbers */
    uint64_t min, max;
    bool power; /* of two */
} choices[] = {
    {KEY_FAULT_AROUND, "fault-around", "paging-fault-around", NULL, 1, 512,
     true},
    {KEY_PREFILL, "prefill", "paging-prefill", on_off, 0, 0, false},
    {KEY_SHADOW_CACHE, "shadow-cache", "paging-shadow-cache", NULL, 1, 4096,
     false},
    {KEY_WALK_CACHE, "walk-cache", "paging-walk-cache", on_off, 0, 0, false},
    {KEY_NESTED_LARGE, "nested-large", "paging-nested-large", on_off, 0, 0,
     false},
    {KEY_BT_ADAPTIVE, "bt-adaptive", "bt-adaptive", on_off, 0, 0, false},
    {KEY_BT_CHAIN, "bt-chain", "bt-chain", on_off, 0, 0, false},
    {KEY_BT_INLINE, "bt-inline", "bt-inline", on_off, 0, 0, false},
    {KEY_BT_UNIT, "bt-unit", "bt-unit", NULL, 1, 64, false},
    {KEY_BT_USER, "bt-user", "bt-user", users, 0, 0, false},
    {KEY_KVM_TRACE, "kvm-trace", "kvm-trace", on_off, 0, 0, false},
};
#define CHOICES (int)(sizeof(choices) / sizeof(choices[0]))

static const struct argp_option options[] = {
    {"backends", 'b', "B,..", 0,
     "on these backends (default: all that are available)", 1},
    {"benchmarks", 't', "T,..", 0, "these benchmarks; see trapmark list", 1},
    {"suites", 's', "SUITE,..", 0,
     "these suites: micro kcompute paging tradeoff compute io mixed paper "
     "quick (default: quick, unless -t names something)",
     1},
    {"param", 'p', "NAME=V,..", 0,
     "other values for a dial of the benchmarks; may be repeated; see "
     "trapmark list",
     1},
    {"samples", 'n', "N", 0,
     "batches a row, shared out among its rounds (default 30; 4 when "
     "deterministic)",
     2},
    {"rounds", KEY_ROUNDS, "N", 0,
     "processes a row is measured in, in turn with the other rows of its "
     "benchmark (default 3, or as many as get two batches each; 1 when "
     "deterministic)",
     2},
    {"batch-us", KEY_BATCH, "N", 0,
     "least duration of a batch in microseconds (default 2000)", 2},
    {"seed", KEY_SEED, "N", 0, "for whatever is random (default 1)", 2},
    {"deterministic", KEY_DETERMINISTIC, NULL, 0,
     "guest time is retired instructions, one a nanosecond: figures are exact "
     "and in instructions",
     2},
    {"events", KEY_EVENTS, "E,..", 0,
     "perf events by libpfm4 name (default: cycles, instructions, task-clock, "
     "context-switches, page-faults, as far as the host has them)",
     2},
    {"timeout", KEY_TIMEOUT, "S", 0,
     "seconds until a row's process is killed (default 30)", 2},
    {NULL, 0, NULL, 0, "A row for each value of a list:", 3},
    {"paging", KEY_PAGING, "POLICY,..", 0,
     "memory virtualization, where a backend has a choice: none vtlb trace "
     "unsync nested",
     3},
    {"fault-around", KEY_FAULT_AROUND, "N,..", 0,
     "shadow paging: pages filled at one hidden fault, a power of two", 3},
    {"prefill", KEY_PREFILL, "on|off", 0,
     "trace, unsync: fill from a kept shadow at the CR3 load", 3},
    {"shadow-cache", KEY_SHADOW_CACHE, "N,..", 0,
     "trace, unsync: address spaces whose shadows are kept", 3},
    {"walk-cache", KEY_WALK_CACHE, "on|off", 0,
     "interp: keep upper levels of page walks (default on, but none: off)", 3},
    {"nested-large", KEY_NESTED_LARGE, "on|off", 0,
     "nested: second-level pages of 2 MiB (default off)", 3},
    {"bt-adaptive", KEY_BT_ADAPTIVE, "on|off", 0,
     "bt: turn accesses that keep trapping into callouts (default on)", 3},
    {"bt-chain", KEY_BT_CHAIN, "on|off", 0,
     "bt: let translations jump to each other (default on)", 3},
    {"bt-inline", KEY_BT_INLINE, "on|off", 0,
     "bt: sequences in place of the hot sensitive instructions, or callouts "
     "(default on)",
     3},
    {"bt-unit", KEY_BT_UNIT, "N,..", 0,
     "bt: most instructions in a translation unit (default 12)", 3},
    {"bt-user", KEY_BT_USER, "direct|translate", 0,
     "bt: run user code directly or from the cache, too (default direct)", 3},
    {"kvm-trace", KEY_KVM_TRACE, "on|off", 0,
     "kvm: count exits by reason, which makes each of them slower (default "
     "off)",
     3},
    {NULL, 0, NULL, 0, "The guest and where results go:", 4},
    {"guest", KEY_GUEST, "FILE", 0, "another guest kernel", 4},
    {"initrd", KEY_INITRD, "FILE", 0, "another initrd", 4},
    {"disk", KEY_DISK, "FILE", 0,
     "a raw disk image of at least 16 MiB, of which the first 16 are "
     "overwritten (default: one in memory)",
     4},
    {"ram", KEY_RAM, "MIB", 0, "the guest's memory (default 128)", 4},
    {"output", 'o', "FILE", 0,
     "write the result file (- is standard output); finished rows are kept in "
     "FILE.journal until then",
     4},
    {"resume", KEY_RESUME, NULL, 0,
     "keep the rows of FILE.journal that an interrupted run left", 4},
    {"verbose", 'v', NULL, 0, "show what guests print and each row", 4},
    {0}};

static void check_value(const struct choice *c, const char *value)
{
    uint64_t n;

    if (!c->values) {
        n = cli_number(c->option, value, c->min, c->max);
        if (c->power && (n & (n - 1)))
            cli_usage("--%s takes a power of two, not %s", c->option, value);
        return;
    }
    for (const char *const *v = c->values; *v; v++)
        if (!strcmp(*v, value))
            return;
    cli_usage("--%s is %s or %s, not '%s'", c->option, c->values[0],
              c->values[1], value);
}

static void take_choice(struct session_options *o, const struct choice *c,
                        const char *list)
{
    const struct grid_dial *d;

    if (!grid_set(&o->options, c->name, list))
        cli_usage("--%s names nothing in '%s'", c->option, list);
    d = grid_find(&o->options, c->name);
    for (size_t i = 0; i < d->count; i++)
        check_value(c, d->values[i]);
}

static void take_params(struct session_options *o, const char *text)
{
    char why[REASON_MAX];

    if (!text[strspn(text, " ")])
        cli_usage("--param names nothing");
    if (grid_parse(&o->params, text, why))
        cli_usage("--param: %s", why);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct session_options *o = state->input;

    for (int i = 0; i < CHOICES; i++)
        if (choices[i].key == key) {
            take_choice(o, &choices[i], arg);
            return 0;
        }

    switch (key) {
    case 'b':
        o->request.backends = arg;
        break;
    case 't':
        o->request.benches = arg;
        break;
    case 's':
        o->request.suites = arg;
        break;
    case 'p':
        take_params(o, arg);
        break;
    case 'n':
        o->samples = cli_number("samples", arg, 1, SAMPLES_MAX);
        break;
    case KEY_ROUNDS:
        o->rounds = cli_number("rounds", arg, 1, STATS_ROUNDS_MAX);
        break;
    case KEY_BATCH:
        o->batch_us = cli_number("batch-us", arg, 1, 10000000);
        break;
    case KEY_SEED:
        o->seed = cli_number("seed", arg, 0, INT64_MAX);
        break;
    case KEY_DETERMINISTIC:
        o->deterministic = o->request.deterministic = true;
        break;
    case KEY_PAGING:
        o->request.paging = arg;
        break;
    case KEY_EVENTS:
        o->events = arg;
        break;
    case KEY_TIMEOUT:
        o->timeout_s = cli_number("timeout", arg, 1, 86400);
        break;
    case KEY_GUEST:
        o->guest = arg;
        break;
    case KEY_INITRD:
        o->initrd = arg;
        break;
    case KEY_DISK:
        o->disk = arg;
        break;
    case 'o':
        o->output = arg;
        break;
    case KEY_RESUME:
        o->resume = true;
        break;
    case KEY_RAM:
        o->ram_mib = cli_number("ram", arg, RAM_MIN_MIB, RAM_MAX_MIB);
        if (o->ram_mib % 2)
            cli_usage("--ram takes an even number of MiB, not %u", o->ram_mib);
        break;
    case 'v':
        o->verbose = true;
        break;
    case ARGP_KEY_ARG:
        cli_usage("'%s' is no option; benchmarks are named with -t", arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* Workloads write to it, also where only reads are timed. Root may write to a
 * file that nobody is meant to write to: its mode counts too. */
static void check_disk(const char *path)
{
    struct stat st;

    if (stat(path, &st))
        cli_usage("--disk %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        cli_usage("--disk %s: not a regular file", path);
    if (access(path, R_OK))
        cli_usage("--disk %s: %s", path, strerror(errno));
    if (access(path, W_OK) || !(st.st_mode & 0222))
        cli_usage("--disk %s: is read-only; benchmarks write to it", path);
    if (st.st_size < (off_t)TM_DISK_MIN)
        cli_usage("--disk %s: holds %lld KiB; at least %u MiB are needed", path,
                  (long long)st.st_size >> 10, TM_DISK_MIN >> 20);
}

/* Three, or as many as get two batches each. */
static unsigned usual_rounds(const struct session_options *o)
{
    unsigned n = o->samples / 2;

    if (o->deterministic || !n)
        return 1;
    return n < 3 ? n : 3;
}

static void check_options(struct session_options *o)
{
    cli_check_list("backends", o->request.backends);
    cli_check_list("benchmarks", o->request.benches);
    cli_check_list("suites", o->request.suites);
    cli_check_list("events", o->events);
    cli_check_list("paging", o->request.paging);
    o->request.options = &o->options;
    o->request.params = &o->params;
    if (!o->samples)
        o->samples = o->deterministic ? 4 : 30;
    if (o->rounds > o->samples)
        cli_usage("--rounds: %u rounds need at least as many --samples, not %u",
                  o->rounds, o->samples);
    if (!o->rounds)
        o->rounds = usual_rounds(o);
    if (o->resume && (!o->output || !strcmp(o->output, "-")))
        cli_usage("--resume needs -o FILE: the journal is kept beside it");
    if (o->output)
        cli_check_output(o->output);
    if (o->disk)
        check_disk(o->disk);
}

static int exit_code(const struct session *s)
{
    if (s->interrupted)
        return EXIT_INTERRUPTED;
    if (s->failed)
        return EXIT_FAILED;
    return s->ok ? EXIT_OK : EXIT_NOTHING;
}

/* Saves and says where everything is. */
static int deliver(struct session *s, int status)
{
    const char *output = s->options->output, *journal;
    char why[REASON_MAX];

    if (!output)
        return status;
    if (!session_save(s, why)) {
        if (s->interrupted)
            cli_say("interrupted; %u rows are in %s, --resume goes on from "
                    "there",
                    s->ok + s->failed + s->skipped, output);
        return status;
    }
    journal = s->journal ? journal_path(s->journal) : NULL;
    if (journal)
        cli_say("%s; the finished rows are in %s, --resume goes on from there",
                why, journal);
    else
        cli_say("%s; the finished rows are lost, there was no place for a "
                "journal either",
                why);
    return status == EXIT_INTERRUPTED ? status : EXIT_FAILED;
}

int cmd_run(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .doc =
            "Measure benchmarks on backends.\v"
            "Exit codes: 0 every row ok or skipped, 1 a row failed or the "
            "output "
            "could not be written, 2 bad usage or input, 77 nothing could run, "
            "130 interrupted.",
    };
    struct session_options o = {.batch_us = 2000,
                                .seed = 1,
                                .timeout_s = 30,
                                .ram_mib = RUNNER_RAM_MIB};
    char why[REASON_MAX], *command, *disk = NULL;
    struct session session;
    struct image image;
    int status;

    command = cli_join(argc, argv); /* argp reorders argv */
    o.command = command;
    cli_parse(&argp, argc, argv, &o);
    check_options(&o);
    if (o.disk)
        o.disk = disk = realpath(o.disk, NULL);
    if (image_open(&image, o.guest, o.initrd, why) ||
        machine_check_kernel(image.kernel, why))
        cli_usage("%s", why);
    if (o.output && strcmp(o.output, "-"))
        make_parents(o.output); /* what fails here is reported when saving */
    if (session_run(&session, &o, &image, why)) {
        cli_say("%s", why);
        status = EXIT_USAGE;
    } else {
        runtable_print(&session,
                       o.output && !strcmp(o.output, "-") ? stderr : stdout);
        fflush(stdout);
        status = deliver(&session, exit_code(&session));
    }
    session_free(&session);
    image_close(&image);
    grid_free(&o.options);
    grid_free(&o.params);
    free(disk);
    free(command);
    return status;
}
