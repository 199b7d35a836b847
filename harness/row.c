/* One row of the results: rounds merged, control subtracted, JSON built. */
#include "row.h"
#include "stats.h"
#include "util.h"
#include "variant.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const status_names[] = {
    [ROW_OK] = RF_STATUS_OK,
    [ROW_SKIPPED] = RF_STATUS_SKIPPED,
    [ROW_FAILED] = RF_STATUS_FAILED,
    [ROW_TIMEOUT] = RF_STATUS_TIMEOUT,
};

static void end_row(struct row *row, enum row_status status, const char *reason)
{
    row->done = true;
    row->status = status;
    set_why(row->reason, "%s", reason);
}

void row_skip(struct row *row, const char *reason)
{
    end_row(row, ROW_SKIPPED, reason);
}

static void append_ticks(uint64_t **to, unsigned have, const uint64_t *from,
                         unsigned n)
{
    *to = xrealloc(*to, (have + n) * sizeof(**to));
    memcpy(*to + have, from, n * sizeof(**to));
}

static void add_counters(struct event_counters *sum,
                         const struct event_counters *more)
{
    for (int i = 0; i < EV_COUNT; i++) {
        sum->count[i] += more->count[i];
        sum->ticks[i] += more->ticks[i];
    }
}

static void add_machine(struct machine_result *sum,
                        const struct machine_result *more)
{
    add_counters(&sum->kernel, &more->kernel);
    add_counters(&sum->control, &more->control);
    sum->kernel_regions += more->kernel_regions;
    sum->control_regions += more->control_regions;
    sum->kernel_ticks += more->kernel_ticks;
    sum->kernel_vmm_ticks += more->kernel_vmm_ticks;
}

void row_add(struct row *row, struct runner_result *r)
{
    row->wall_s += r->wall_s;
    if (r->status != ROW_OK)
        return end_row(row, r->status, r->reason);
    if (row->rounds.n && r->iterations != row->iterations)
        return end_row(row, ROW_FAILED,
                       "a later round ran batches of another length");
    if (row->rounds.n && strcmp(r->checksum, row->checksum))
        return end_row(row, ROW_FAILED, "a later round gave another checksum");
    append_ticks(&row->samples, row->count, r->samples, r->count);
    append_ticks(&row->control, row->count, r->control, r->count);
    row->count += r->count;
    row->iterations = r->iterations;
    memcpy(row->checksum, r->checksum, sizeof(row->checksum));
    if (r->have_machine) {
        add_machine(&row->machine, &r->machine);
        row->have_machine = true;
    }
    for (unsigned i = 0; r->have_perf && i < PERF_MAX; i++)
        row->perf[i] += r->perf[i];
    row->have_perf = r->have_perf;
    row->perf_whole_process = r->perf_whole_process;
    row->rounds.first[++row->rounds.n] = row->count;
}

static json_t *ticks_json(const uint64_t *ticks, unsigned n)
{
    json_t *array = json_array();

    for (unsigned i = 0; i < n; i++)
        json_array_append_new(array, json_integer(ticks[i]));
    return array;
}

static json_t *rounds_json(const struct stats_rounds *r)
{
    json_t *array = json_array();

    for (unsigned i = 0; i < r->n; i++)
        json_array_append_new(
            array, json_integer((json_int_t)(r->first[i + 1] - r->first[i])));
    return array;
}

static json_t *summary_json(const struct stats_summary *s)
{
    json_t *o = json_object(), *interval = json_array(), *modes;

    result_set_real(o, RF_MEDIAN, s->median);
    result_set_real(o, RF_MAD, s->mad);
    result_set_real(o, RF_MIN, s->min);
    json_array_append_new(interval, json_real(s->ci_low));
    json_array_append_new(interval, json_real(s->ci_high));
    json_object_set_new(o, RF_CI95, interval);
    if (s->modes < 2)
        return o;
    modes = json_array();
    for (unsigned i = 0; i < s->modes; i++)
        json_array_append_new(modes, json_real(s->mode[i]));
    json_object_set_new(o, RF_MODES, modes);
    return o;
}

static void add_timing(const struct row *row, const struct row_options *o,
                       json_t *run)
{
    double *net = xcalloc(row->count, sizeof(*net));
    double *control = xcalloc(row->count, sizeof(*control));
    struct stats_summary s;

    for (unsigned i = 0; i < row->count; i++) {
        control[i] = (double)row->control[i] / row->iterations;
        net[i] = ((double)row->samples[i] - (double)row->control[i]) /
                 row->iterations;
    }
    stats_summarise(net, &row->rounds, o->seed, &s);
    json_object_set_new(run, RF_TICKS_PER_OP, summary_json(&s));
    result_set_real(run, RF_CONTROL_PER_OP, stats_median(control, row->count));
    if (!o->deterministic)
        result_set_real(run, RF_NS_PER_OP, s.median * 1e6 / o->tsc_khz);
    json_object_set_new(
        run, RF_NOISY,
        json_boolean(stats_noisy(&s, stats_mad(control, row->count))));
    free(net);
    free(control);
}

/* Per operation, and what the control did is taken away. An event that happened
 * in neither is left out; a difference below zero is chance and becomes 0. */
static void add_events(const struct row *row, json_t *run)
{
    const struct machine_result *m = &row->machine;
    double kernel_ops = (double)m->kernel_regions * row->iterations;
    double control_ops = (double)m->control_regions * row->iterations;
    json_t *events = json_object(), *control = json_object();
    json_t *ticks = json_object();

    if (!m->kernel_regions || !m->control_regions)
        kernel_ops = control_ops = 0;
    for (int i = 0; kernel_ops > 0 && i < EV_COUNT; i++) {
        double k = m->kernel.count[i] / kernel_ops;
        double c = m->control.count[i] / control_ops;
        double t =
            m->kernel.ticks[i] / kernel_ops - m->control.ticks[i] / control_ops;

        if (k > 0 || c > 0)
            result_set_real(events, event_names[i], k > c ? k - c : 0);
        if (c > 0)
            result_set_real(control, event_names[i], c);
        if (m->kernel.ticks[i])
            result_set_real(ticks, event_names[i], t > 0 ? t : 0);
    }
    if (json_object_size(events))
        json_object_set(run, RF_EVENTS, events);
    if (json_object_size(control))
        json_object_set(run, RF_CONTROL_EVENTS, control);
    if (json_object_size(ticks))
        json_object_set(run, RF_EVENT_TICKS, ticks);
    json_decref(events);
    json_decref(control);
    json_decref(ticks);
    if (kernel_ops > 0 && m->kernel_ticks &&
        m->kernel_vmm_ticks <= m->kernel_ticks) {
        json_t *split = json_object();

        result_set_real(split, RF_GUEST,
                        (m->kernel_ticks - m->kernel_vmm_ticks) / kernel_ops);
        result_set_real(split, RF_VMM, m->kernel_vmm_ticks / kernel_ops);
        json_object_set_new(run, RF_TIME_SPLIT, split);
    }
}

static void add_perf(const struct row *row, const struct row_options *o,
                     json_t *run)
{
    double ops = (double)row->machine.kernel_regions * row->iterations;
    json_t *counts = json_object(), *perf;

    if (row->perf_whole_process)
        ops = 1;
    for (unsigned i = 0; ops > 0 && i < o->perf->count; i++)
        result_set_real(counts, o->perf->name[i], row->perf[i] / ops);
    if (json_object_size(counts)) {
        perf = json_object();
        result_set_text(perf, RF_SCOPE,
                        row->perf_whole_process ? "process" : "op");
        json_object_set(perf, RF_COUNTS, counts);
        json_object_set_new(run, RF_PERF, perf);
    }
    json_decref(counts);
}

/* What the row is a row of. */
static json_t *row_head(const struct row *row)
{
    const struct tm_note_bench *note = &row->line->bench->note;
    const struct row_column *c = row->column;
    json_t *run = json_object(), *params = json_copy(row->line->params);

    json_object_update(params, c->params);
    result_set_text(run, RF_SUITE, note->suite);
    result_set_text(run, RF_BENCH, note->name);
    result_set_text(run, RF_OP, note->op);
    result_set_text(run, RF_BACKEND, c->backend->name);
    result_set_text(run, RF_PAGING,
                    c->paging ? c->paging : c->backend->paging());
    json_object_set_new(run, RF_PARAMS, params);
    return run;
}

bool row_is(const struct row *row, const json_t *run)
{
    static const char *const members[] = {RF_SUITE, RF_BENCH, RF_BACKEND,
                                          RF_PAGING, RF_PARAMS};
    json_t *head = row_head(row);
    bool is = true;

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        is &= json_equal(json_object_get(head, members[i]),
                         json_object_get(run, members[i]));
    json_decref(head);
    return is;
}

void row_finish(struct row *row, const struct row_options *o)
{
    json_t *run = row_head(row);

    if (!row->done)
        row->status = ROW_OK;
    row->done = true;
    row->json = run;
    result_set_text(run, RF_STATUS, status_names[row->status]);
    if (row->wall_s > 0)
        result_set_real(run, RF_WALL_S, row->wall_s);
    if (row->status != ROW_OK) {
        result_set_text(run, RF_REASON, row->reason);
        return;
    }
    result_set_text(run, RF_UNIT,
                    o->deterministic ? RF_UNIT_INSTRUCTIONS : RF_UNIT_TICKS);
    json_object_set_new(run, RF_ITERATIONS, json_integer(row->iterations));
    add_timing(row, o, run);
    json_object_set_new(run, RF_SAMPLES, ticks_json(row->samples, row->count));
    json_object_set_new(run, RF_ROUNDS, rounds_json(&row->rounds));
    json_object_set_new(run, RF_CONTROL, ticks_json(row->control, row->count));
    result_set_text(run, RF_CHECKSUM, row->checksum);
    if (row->have_machine)
        add_events(row, run);
    if (row->have_perf)
        add_perf(row, o, run);
}

/* ---- Checksums -------------------------------------------------------- */

/* The checksum of a run of the same work as `like`, or NULL. */
static const char *ok_checksum(const json_t *run, const json_t *like)
{
    const char *backend = result_text(run, RF_BACKEND);

    if (strcmp(result_text(run, RF_BENCH), result_text(like, RF_BENCH)) ||
        strcmp(result_text(run, RF_STATUS), RF_STATUS_OK) ||
        !variant_same_point(backend, json_object_get(run, RF_PARAMS),
                            result_text(like, RF_BACKEND),
                            json_object_get(like, RF_PARAMS)))
        return NULL;
    return result_text(run, RF_CHECKSUM);
}

/* The run that the others of its work are measured by. */
static const json_t *find_oracle(const json_t *runs, const json_t *like)
{
    const json_t *best = NULL;
    size_t i, j, best_votes = 0;
    json_t *run, *other;

    json_array_foreach(runs, i, run)
    {
        const char *sum = ok_checksum(run, like);
        size_t votes = 0;

        if (!sum)
            continue;
        if (!strcmp(result_text(run, RF_BACKEND), "interp"))
            return run;
        json_array_foreach(runs, j, other)
        {
            const char *theirs = ok_checksum(other, like);

            votes += theirs && !strcmp(theirs, sum);
        }
        if (votes > best_votes) {
            best_votes = votes;
            best = run;
        }
    }
    return best;
}

/* Wrong work has no speed: only the raw figures stay. */
static void reject_run(json_t *run, const json_t *oracle)
{
    static const char *const derived[] = {
        RF_TICKS_PER_OP, RF_CONTROL_PER_OP, RF_NS_PER_OP,
        RF_EVENTS,       RF_CONTROL_EVENTS, RF_EVENT_TICKS,
        RF_TIME_SPLIT,   RF_PERF,           RF_NOISY};
    char *reason = xformat(
        "checksum %s differs from %s's %s", result_text(run, RF_CHECKSUM),
        result_text(oracle, RF_BACKEND), result_text(oracle, RF_CHECKSUM));

    result_set_text(run, RF_STATUS, RF_STATUS_FAILED);
    result_set_text(run, RF_REASON, reason);
    for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++)
        json_object_del(run, derived[i]);
    free(reason);
}

unsigned rows_check_checksums(json_t *runs)
{
    unsigned rejected = 0;
    json_t *run;
    size_t i;

    json_array_foreach(runs, i, run)
    {
        const char *sum = ok_checksum(run, run);
        const json_t *oracle = sum ? find_oracle(runs, run) : NULL;

        if (!oracle || !strcmp(sum, result_text(oracle, RF_CHECKSUM)))
            continue;
        reject_run(run, oracle);
        rejected++;
    }
    return rejected;
}

void row_free(struct row *row)
{
    free(row->samples);
    free(row->control);
    json_decref(row->json);
}
