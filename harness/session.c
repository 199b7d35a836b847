/* A whole run: rounds over all rows, journal, warnings, the result file. */
#include "session.h"
#include "../backends/foreign/foreign.h"
#include "../backends/kvm/probe.h"
#include "cmd.h"
#include "life.h"
#include "table.h"
#include "util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In deterministic mode guest time is retired instructions, one a nanosecond,
 * so that calibration doesn't depend on the host. */
#define DETERMINISTIC_KHZ 1000000

/* ---- The head of the file --------------------------------------------- */

static json_t *split_json(const char *list)
{
    char *copy = xstrdup(list ? list : ""), *save = NULL;
    json_t *array = json_array();

    for (char *name = strtok_r(copy, ",", &save); name;
         name = strtok_r(NULL, ",", &save))
        json_array_append_new(array, json_string(name));
    free(copy);
    return array;
}

/* Members of one name stand together. */
static void append_once(json_t *list, const char *name)
{
    size_t n = json_array_size(list);

    if (!n || strcmp(json_string_value(json_array_get(list, n - 1)), name))
        json_array_append_new(list, json_string(name));
}

static void set_grid(json_t *config, const char *member, const struct grid *g)
{
    char *text = grid_text(g);

    result_set_text(config, member, text);
    free(text);
}

static json_t *config_json(const struct session *s)
{
    const struct session_options *o = s->options;
    json_t *config = json_object(), *list = json_array();
    char id[17];

    for (size_t i = 0; i < s->plan.column_count; i++)
        append_once(list, s->plan.columns[i].backend->name);
    json_object_set_new(config, RF_BACKENDS, list);
    list = json_array();
    for (size_t i = 0; i < s->plan.line_count; i++)
        append_once(list, s->plan.lines[i].bench->note.name);
    json_object_set_new(config, RF_BENCHMARKS, list);
    json_object_set_new(config, RF_SUITES,
                        split_json(o->request.suites    ? o->request.suites
                                   : o->request.benches ? NULL
                                                        : "quick"));
    json_object_set_new(config, RF_SAMPLES, json_integer(o->samples));
    json_object_set_new(config, RF_BATCH_US, json_integer(o->batch_us));
    json_object_set_new(config, RF_ROUNDS, json_integer(s->options->rounds));
    json_object_set_new(config, RF_DETERMINISTIC,
                        json_boolean(o->deterministic));
    result_set_text(config, RF_PAGING, o->request.paging);
    set_grid(config, RF_OPTIONS, &o->options);
    set_grid(config, RF_PARAMS, &o->params);
    json_object_set_new(config, RF_RAM_MIB, json_integer(o->ram_mib));
    json_object_set_new(config, RF_SEED, json_integer(o->seed));
    snprintf(id, sizeof(id), "%016llx", (unsigned long long)s->image->id);
    result_set_text(config, RF_GUEST_ID, id);
    return config;
}

/* What must be equal for rows of two runs to stand in one file. */
static uint64_t config_hash(const json_t *config, const char *events)
{
    char *text = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS);
    uint64_t hash = hash_bytes(HASH_START, text, strlen(text));

    if (events)
        hash = hash_bytes(hash, events, strlen(events));
    free(text);
    return hash;
}

static bool planned(const struct session *s, const char *backend)
{
    for (size_t i = 0; i < s->plan.column_count; i++)
        if (!strcmp(s->plan.columns[i].backend->name, backend))
            return true;
    return false;
}

/* ---- Warnings --------------------------------------------------------- */

static void warn(struct session *s, const char *advice, const char *backend,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

static void warn(struct session *s, const char *advice, const char *backend,
                 const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    result_warn(s->file, text, advice, NULL, backend);
    free(text);
}

/* KVM's kind of paging is its module's, not a row's. */
static void warn_about_paging(struct session *s)
{
    json_t *asked, *policy;
    bool other = s->options->request.paging && planned(s, "kvm");
    char text[REASON_MAX];
    size_t i;

    if (!other)
        return;
    asked = split_json(s->options->request.paging);
    json_array_foreach(asked, i, policy)
    {
        other &= strcmp(json_string_value(policy),
                        backend_find("kvm")->paging()) != 0;
    }
    json_decref(asked);
    if (!other)
        return;
    kvm_probe_say_paging(text);
    warn(s, NULL, NULL, "--paging changes nothing for kvm: %s", text);
}

static void warn_about_host(struct session *s)
{
    const struct host_facts *h = &s->host;
    char lost[200], why[REASON_MAX];

    for (size_t i = 0; i < s->plan.left_out_count; i++)
        warn(s, NULL, NULL, "left out %s", s->plan.left_out[i]);
    warn_about_paging(s);
    if (perf_drop_unusable(&s->perf, lost, sizeof(lost), why))
        warn(s, NULL, NULL, "not counted: %s: %s", lost, why);
    else if (!s->options->events && !h->pmu)
        warn(s, "cycles and cache misses need a host whose PMU is visible",
             NULL, "%s", h->pmu_why);
    if (h->kvm.emulated_cpu)
        warn(s, "use the counts; compare no times with those of other hosts",
             NULL,
             "this processor is emulated (QEMU TCG): times of its rows are no "
             "hardware's");
    else if (h->kvm.available && !strcmp(h->kvm.ring0, "emulated") &&
             (planned(s, "kvm") || planned(s, "qemu-kvm")))
        warn(s,
             "read its figures as those of an emulator in the kernel, not "
             "of VT-x or SVM",
             NULL, "%s: ring 0 runs %.0f times slower than ring 3",
             h->kvm.label, h->kvm.ring0_ratio);
    if (*h->governor && strcmp(h->governor, "performance"))
        warn(s, "set the governor to performance", NULL,
             "the CPU frequency governor is %s: figures drift", h->governor);
}

/* What a reader of one row must know about its figures. */
static void warn_about_run(struct session *s, const json_t *run)
{
    const json_t *figure = json_object_get(run, RF_TICKS_PER_OP);
    size_t modes = json_array_size(json_object_get(figure, RF_MODES));
    const char *bench = result_text(run, RF_BENCH);
    const char *backend = result_text(run, RF_BACKEND);
    char text[REASON_MAX];

    if (result_text(run, RF_TIMES))
        return; /* of which the host's own warning says more */
    if (json_is_true(json_object_get(run, RF_NOISY)))
        result_warn(s->file,
                    "noisy: the median is not known to 5 %, or its control "
                    "varies as much",
                    "close other programs, or raise --samples or --batch-us",
                    bench, backend);
    if (modes > 1) {
        set_why(text,
                "its samples fall into %zu groups: something switches "
                "between states",
                modes);
        result_warn(s->file, text,
                    "look at the raw samples; the median hides all but one",
                    bench, backend);
    }
}

/* ---- Rows ------------------------------------------------------------- */

static void describe_row(const struct row *row, char text[REASON_MAX])
{
    const json_t *figure = json_object_get(row->json, RF_TICKS_PER_OP);
    const char *status = result_text(row->json, RF_STATUS);
    const char *unit = result_text(row->json, RF_UNIT);
    char number[16];
    double median;

    if (result_text(row->json, RF_TIMES) && row->status == ROW_OK)
        set_why(text, "%-8s %-14s %-9s %.1f s", status, row->line->label,
                row->column->label, row->wall_s);
    else if (result_real(figure, RF_MEDIAN, &median))
        set_why(text, "%-8s %-14s %-9s %8s %s/op%s  %.1f s", status,
                row->line->label, row->column->label,
                table_figure(median, number), unit,
                json_is_true(json_object_get(row->json, RF_NOISY)) ? " (noisy)"
                                                                   : "",
                row->wall_s);
    else
        set_why(text, "%-8s %-14s %-9s %s", status, row->line->label,
                row->column->label, result_text(row->json, RF_REASON));
}

static void finish_row(struct session *s, struct row *row)
{
    const struct session_options *o = s->options;
    struct row_options ro = {o->deterministic, o->seed, s->host.tsc_khz,
                             &s->perf};
    char text[REASON_MAX], note[REASON_MAX];
    bool moved;
    int err;

    row_finish(row, &ro);
    if (s->host.kvm.emulated_cpu)
        result_set_text(row->json, RF_TIMES, RF_TIMES_EMULATED);
    else if (row->column->options &&
             strstr(row->column->options, "kvm-trace=on"))
        result_set_text(row->json, RF_TIMES, RF_TIMES_TRACED);
    describe_row(row, text);
    progress_row(s->progress, text);
    if (!s->journal)
        return;
    moved = journal_moved(s->journal);
    err = journal_append(s->journal, row->json);
    if (!moved && journal_moved(s->journal) && journal_path(s->journal)) {
        set_why(note, "%s.journal can't be written; the journal goes on in %s",
                o->output, journal_path(s->journal));
        progress_note(s->progress, note);
    } else if (err && journal_path(s->journal)) {
        set_why(note, "%s: %s; this row is only in memory",
                journal_path(s->journal), strerror(-err));
        progress_note(s->progress, note);
    }
}

/* A name for the disk image of other VMMs, or NULL: reason. */
static const char *scratch_disk(struct session *s, char reason[REASON_MAX])
{
    if (s->disk)
        return s->disk;
    s->scratch = xformat("%s/trapmark-XXXXXX", temp_dir());
    if (!mkdtemp(s->scratch)) {
        set_why(reason, "no place for the disk image: %s: %s; set TMPDIR",
                s->scratch, strerror(errno));
        free(s->scratch);
        s->scratch = NULL;
        return NULL;
    }
    return s->disk = xformat("%s/disk.img", s->scratch);
}

/* The disk image for a row: the user's, or, for other VMMs, one of ours; filled
 * anew, as rows write to it. The machine makes its own. False: reason. */
static bool find_disk(struct session *s, const struct row *row,
                      const char **disk, char reason[REASON_MAX])
{
    const char *path = s->options->disk;

    *disk = NULL;
    if (!(row->line->bench->note.flags & TM_BENCH_NEEDS_DISK))
        return true;
    if (!path && row->column->backend->class != BACKEND_FOREIGN)
        return true;
    if (!path)
        path = scratch_disk(s, reason);
    if (!path || disk_write_image(path, reason))
        return false;
    *disk = path;
    return true;
}

static void run_round(struct session *s, struct row *row, unsigned kind,
                      unsigned round)
{
    const struct session_options *o = s->options;
    struct runner_job job = {
        .backend = row->column->backend,
        .bench = row->line->bench,
        .words = row->line->words,
        .image = s->image,
        .samples = (o->samples + o->rounds - 1 - round) / o->rounds,
        .batch_us = o->batch_us,
        .iters = row->iterations,
        .seed = o->seed,
        .tsc_khz = o->deterministic ? DETERMINISTIC_KHZ : s->host.tsc_khz,
        .paging = row->column->paging,
        .options = row->column->options,
        .ram_mib = o->ram_mib,
        .deterministic = o->deterministic,
        .timeout_s = o->timeout_s,
        .perf = &s->perf,
        .verbose = o->verbose,
    };
    struct runner_result result = {.status = ROW_FAILED};
    bool life = row->line->bench->note.flags & TM_BENCH_WHOLE_LIFE;

    progress_begin(s->progress, kind, row->line->label, round + 1, o->rounds);
    if (find_disk(s, row, &job.disk, result.reason))
        (life ? life_run : runner_run)(&job, &result);
    progress_end(s->progress, kind, result.wall_s);
    if (result.status == ROW_INTERRUPTED)
        s->interrupted = true;
    else
        row_add(row, &result);
    runner_result_free(&result);
    if (s->interrupted)
        return;
    if (row->done && round + 1 < o->rounds)
        progress_drop(s->progress, kind, o->rounds - round - 1);
    if (row->done || round + 1 == o->rounds)
        finish_row(s, row);
}

/* Round by round, every other one backwards, so that drift hits all alike. */
static void run_line(struct session *s, size_t line)
{
    size_t n = s->plan.column_count;
    struct row *rows = &s->plan.rows[line * n];

    for (unsigned round = 0; round < s->options->rounds; round++)
        for (size_t i = 0; i < n; i++) {
            size_t j = round % 2 ? n - 1 - i : i;

            if (s->interrupted || runner_stop) {
                s->interrupted = true;
                return;
            }
            if (!rows[j].done)
                run_round(s, &rows[j], j, round);
        }
}

/* Rows that a journal holds already. */
static void adopt_rows(struct session *s, const json_t *old)
{
    size_t total = s->plan.line_count * s->plan.column_count, i;
    json_t *run;

    json_array_foreach(old, i, run)
    {
        for (size_t k = 0; k < total; k++) {
            struct row *row = &s->plan.rows[k];

            if (row->json || !row_is(row, run) || !result_text(run, RF_STATUS))
                continue;
            row->done = true;
            row->json = json_incref(run);
        }
    }
}

static void start_progress(struct session *s)
{
    size_t n = s->plan.column_count;
    const char **names = xcalloc(n + 1, sizeof(*names));
    unsigned *steps = xcalloc(n, sizeof(*steps));

    for (size_t j = 0; j < n; j++) {
        names[j] = s->plan.columns[j].label;
        for (size_t i = 0; i < s->plan.line_count; i++)
            if (!s->plan.rows[i * n + j].done)
                steps[j] += s->options->rounds;
    }
    s->progress = progress_new(names, steps, s->options->verbose);
    free(names);
    free(steps);
}

static int open_journal(struct session *s, uint64_t hash, char why[REASON_MAX])
{
    json_t *old = json_array();
    const char *path, *output = s->options->output;
    int err;

    s->journal = journal_open(output, hash, s->options->resume, old, &err, why);
    if (s->journal) {
        path = journal_path(s->journal);
        if (!path)
            cli_say("no journal can be written, neither beside %s nor in %s",
                    output, temp_dir());
        else if (journal_moved(s->journal))
            cli_say("nothing can be written beside %s; the journal is %s",
                    output, path);
        adopt_rows(s, old);
    }
    json_decref(old);
    return err;
}

/* The rows that got an end, in table order, and what there is to say of them.
 */
static void collect(struct session *s)
{
    size_t total = s->plan.line_count * s->plan.column_count, i;
    json_t *runs = json_object_get(s->file, RF_RUNS), *run;

    for (i = 0; i < total; i++)
        if (s->plan.rows[i].json)
            json_array_append(runs, s->plan.rows[i].json);
    rows_check_checksums(runs);
    json_array_foreach(runs, i, run)
    {
        const char *status = result_text(run, RF_STATUS);

        if (!strcmp(status, RF_STATUS_OK))
            s->ok++;
        else if (!strcmp(status, RF_STATUS_SKIPPED))
            s->skipped++;
        else
            s->failed++;
        warn_about_run(s, run);
    }
    if (s->interrupted)
        json_object_set_new(json_object_get(s->file, RF_CONFIG), RF_INTERRUPTED,
                            json_true());
}

int session_run(struct session *s, const struct session_options *options,
                const struct image *image, char why[REASON_MAX])
{
    struct primitive primitives[PRIMITIVES];
    size_t total;
    json_t *config;
    int err;

    memset(s, 0, sizeof(*s));
    s->options = options;
    s->image = image;
    if (perf_choose(&s->perf, options->events, why))
        cli_usage("%s", why);
    plan_make(&s->plan, image, &options->request);
    runner_catch_signals();
    hostfacts_collect(&s->host);
    primitives_measure(&s->host, primitives);
    s->file = result_new();
    json_object_set_new(s->file, RF_HOST, hostfacts_json(&s->host, primitives));
    config = config_json(s);
    json_object_set_new(s->file, RF_CONFIG, config);
    /* What goes down a pipe can't be resumed. */
    if (options->output && strcmp(options->output, "-")) {
        err = open_journal(s, config_hash(config, options->events), why);
        if (err)
            return err;
    }
    result_set_text(config, RF_COMMAND, options->command);
    warn_about_host(s);
    start_progress(s);
    total = s->plan.line_count * s->plan.column_count;
    for (size_t i = 0; i < total; i++)
        if (s->plan.rows[i].done && !s->plan.rows[i].json)
            finish_row(s, &s->plan.rows[i]);
    for (size_t i = 0; i < s->plan.line_count && !s->interrupted; i++)
        run_line(s, i);
    progress_free(s->progress);
    s->progress = NULL;
    collect(s);
    return 0;
}

int session_save(struct session *s, char why[REASON_MAX])
{
    int err;

    if (!s->options->output)
        return 0;
    err = result_save(s->file, s->options->output, why);
    if (!err && !s->interrupted && s->journal) {
        journal_close(s->journal, true);
        s->journal = NULL;
    }
    return err;
}

void session_free(struct session *s)
{
    if (s->journal)
        journal_close(s->journal, false);
    if (s->disk)
        unlink(s->disk);
    if (s->scratch)
        rmdir(s->scratch);
    free(s->disk);
    free(s->scratch);
    perf_free(&s->perf);
    plan_free(&s->plan);
    json_decref(s->file);
}
