/* Data of the stacked bars: exits per operation, where the time goes. */
#include "report_stack.h"
#include "table.h"
#include "util.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_GAP 0.5

/* An exit, and neither a sum of others nor a part of them. */
static bool is_exit(int ev)
{
    return !strncmp(event_names[ev], "exit.", 5) && ev != EV_EXIT_TOTAL &&
           ev != EV_EXIT_EMULATED;
}

/* Faults that the VMM takes and the guest doesn't see. */
static bool is_fault(int ev)
{
    return ev == EV_FAULT_HIDDEN || ev == EV_FAULT_TRACE;
}

/* Fills in the kinds that are wanted and not above the limit. */
static double sum_events(const struct report_row *row, bool (*wanted)(int ev),
                         double limit, double kind[STACK_KINDS], bool *any)
{
    double value, sum = 0;

    for (int ev = 0; ev < EV_COUNT; ev++) {
        if (!wanted(ev) ||
            !report_event(row, RF_EVENTS, event_names[ev], &value))
            continue;
        *any = true;
        if (value <= 0 || value > limit)
            continue;
        kind[ev] = value;
        sum += value;
    }
    return sum;
}

/* Where a VMM counts all exits and there are fewer of them than events of some
 * kind, or than exits by kind and faults together, those weren't exits of their
 * own: it met them while it emulated. They are left out. */
static bool get_exits(const struct stacks *p, const struct report_row *row,
                      struct stack *stack)
{
    double exits, faults, total, limit = INFINITY;
    char figure[FIGURE_MAX];
    bool any = false, total_known;

    (void)p;
    total_known =
        report_event(row, RF_EVENTS, event_names[EV_EXIT_TOTAL], &total);
    if (total_known)
        limit = total * 1.01 + 0.01;
    exits = sum_events(row, is_exit, limit, stack->kind, &any);
    faults = sum_events(row, is_fault, limit, stack->kind, &any);
    if (exits + faults > limit) {
        for (int ev = 0; ev < EV_COUNT; ev++)
            if (is_fault(ev))
                stack->kind[ev] = 0;
        faults = 0;
    }
    stack->total = exits + faults;
    if (total_known) {
        stack->kind[STACK_REST] = fmax(total - stack->total, 0);
        stack->total += stack->kind[STACK_REST];
    }
    snprintf(stack->text, sizeof(stack->text), "%s",
             table_figure(stack->total, figure));
    return (any || total_known) && stack->total >= 0.005;
}

/* Per cent of the time inside the backend and the VMM. */
static bool get_split(const struct stacks *p, const struct report_row *row,
                      struct stack *stack)
{
    json_t *split = json_object_get(row->json, RF_TIME_SPLIT);
    double guest, vmm, value, known = 0, total;
    char figure[FIGURE_MAX];

    (void)p;
    if (!result_real(split, RF_GUEST, &guest) ||
        !result_real(split, RF_VMM, &vmm) || guest < 0 || vmm < 0 ||
        guest + vmm <= 0)
        return false;
    total = guest + vmm;
    for (int ev = 0; ev < EV_COUNT; ev++) {
        if (!report_event(row, RF_EVENT_TICKS, event_names[ev], &value) ||
            value <= 0)
            continue;
        stack->kind[ev] = value;
        known += value;
    }
    /* Ticks of events may exceed vmm a little: theirs lack the control's. */
    if (known > vmm)
        for (int ev = 0; ev < EV_COUNT; ev++)
            stack->kind[ev] *= vmm / known;
    for (int ev = 0; ev < EV_COUNT; ev++)
        stack->kind[ev] *= 100 / total;
    stack->kind[STACK_REST] = 100 * fmax(vmm - known, 0) / total;
    stack->kind[STACK_GUEST] = 100 * guest / total;
    stack->total = 100;
    snprintf(stack->text, sizeof(stack->text), "%s ticks",
             table_figure(total, figure));
    return true;
}

/* Suites of grids: with every point the picture would be too long to read. */
bool report_is_grid(const struct report_bench *b)
{
    return !strcmp(b->suite, "paging") || !strcmp(b->suite, "tradeoff");
}

static void note_grids(const struct report *r, struct text *notes)
{
    for (unsigned b = 0; b < r->nbenches; b++) {
        if (!report_is_grid(&r->benches[b]))
            continue;
        text_add(notes, "Left out: the suites paging and tradeoff, with a row "
                        "for each point of their grids.\n");
        return;
    }
}

static bool get(const struct stacks *p, unsigned bench, unsigned series,
                struct stack *stack)
{
    const struct report_row *row = report_ok(p->r, bench, series);

    memset(stack, 0, sizeof(*stack));
    return row && !report_is_grid(&p->r->benches[bench]) &&
           p->get(p, row, stack);
}

double stacks_largest(const struct stacks *p, unsigned bench)
{
    struct stack stack;
    double most = 0, told = 0;

    if (p->suite && strcmp(p->r->benches[bench].suite, p->suite))
        return 0;
    for (unsigned s = 0; s < p->r->nseries; s++) {
        if (!get(p, bench, s, &stack))
            continue;
        most = fmax(most, stack.total);
        told = fmax(told, stack.total - stack.kind[STACK_GUEST]);
    }
    return told < p->least ? 0 : most;
}

/* Benchmarks whose totals differ by powers of ten can't share a linear axis:
 * panels for up to 5, 50, 500 ... */
static unsigned magnitude(const struct stacks *p, unsigned bench)
{
    double most = stacks_largest(p, bench);
    unsigned m = 0;

    for (double limit = 5; !p->percent && m + 1 < STACK_PANELS && most > limit;
         limit *= 10)
        m++;
    return m;
}

/* 1, 2 or 5 times a power of ten, at least the value. */
static double round_up(double value)
{
    double power = pow(10, floor(log10(value)));
    static const double steps[] = {1, 1.5, 2, 3, 4, 5, 6, 8, 10};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (value <= steps[i] * power * 1.0001)
            return steps[i] * power;
    return 10 * power;
}

/* Gives every kind that occurs an index in the legend. Returns how many. */
static unsigned find_keys(const struct stacks *p, int key[STACK_KINDS])
{
    /* The guest first and the unattributed last. */
    unsigned n = 0;
    bool used[STACK_KINDS] = {false};
    struct stack stack;

    for (unsigned b = 0; b < p->r->nbenches; b++) {
        if (stacks_largest(p, b) <= 0)
            continue;
        for (unsigned s = 0; s < p->r->nseries; s++)
            if (get(p, b, s, &stack))
                for (unsigned k = 0; k < STACK_KINDS; k++)
                    used[k] |= stack.kind[k] > stack.total * 0.001;
    }
    for (unsigned k = 0; k < STACK_KINDS; k++)
        key[k] = -1;
    if (used[STACK_GUEST])
        key[STACK_GUEST] = n++;
    for (unsigned k = 0; k < EV_COUNT; k++)
        if (used[k])
            key[k] = n++;
    if (used[STACK_REST])
        key[STACK_REST] = n++;
    return n;
}

static const char *kind_name(unsigned kind)
{
    return kind == STACK_GUEST  ? "guest"
           : kind == STACK_REST ? "unattributed"
                                : event_names[kind];
}

static bool write_keys(const struct stacks *p, const int key[STACK_KINDS],
                       const char *prefix)
{
    FILE *f = tsv_open(prefix, "keys");

    if (!f)
        return false;
    for (int i = 0; i < STACK_KINDS; i++) {
        for (unsigned k = 0; k < STACK_KINDS; k++) {
            if (key[k] != i)
                continue;
            fprintf(f, "%s\t%s\t0\n", kind_name(k),
                    k == STACK_GUEST  ? p->guest_label
                    : k == STACK_REST ? p->rest_label
                    : p->event_label  ? p->event_label(k)
                                      : event_names[k]);
        }
    }
    return tsv_close(f);
}

static unsigned put_bench(struct stacks *p, unsigned bench, unsigned panel,
                          const int key[STACK_KINDS], FILE *bars, FILE *labels)
{
    double *y = &p->rows[panel];
    const char *name = p->r->benches[bench].label;
    struct stack stack;
    unsigned n = 0;

    for (unsigned s = 0; s < p->r->nseries; s++) {
        double from = 0;
        int count = 0;

        if (!get(p, bench, s, &stack))
            continue;
        for (unsigned k = 0; k < STACK_KINDS; k++)
            count = key[k] >= count ? key[k] + 1 : count;
        for (int i = 0; i < count; i++) {
            for (unsigned k = 0; k < STACK_KINDS; k++) {
                if (key[k] != i || stack.kind[k] <= 0)
                    continue;
                fprintf(bars, "%u\t%.3f\t%d\t%.9g\t%.9g\n", panel, *y + 0.5, i,
                        from, from + stack.kind[k]);
                from += stack.kind[k];
            }
        }
        fprintf(labels, "%u\t%.3f\t", panel, *y + 0.5);
        tsv_field(labels, n ? "" : name);
        fputc('\t', labels);
        tsv_field(labels, p->r->series[s].label);
        fprintf(labels, "\t%.9g\t", from);
        tsv_field(labels, stack.text);
        fputc('\n', labels);
        *y += 1;
        n++;
    }
    if (n)
        *y += GROUP_GAP;
    return n;
}

static bool write_panels(const struct stacks *p, const char *prefix)
{
    FILE *f = tsv_open(prefix, "panels");

    if (!f)
        return false;
    for (unsigned i = 0; i < p->panels; i++)
        fprintf(f, "%.3f\t%.3f\t%.9g\n", p->top[i], p->rows[i], p->largest[i]);
    return tsv_close(f);
}

int stacks_write(struct stacks *p, const char *prefix, struct text *notes,
                 struct tsv_sizes *sizes)
{
    FILE *bars = tsv_open(prefix, "bars"), *labels = tsv_open(prefix, "labels");
    int key[STACK_KINDS], count = 0, lines;
    double top = 0;
    bool ok = bars && labels;

    sizes->keys = find_keys(p, key);
    for (unsigned m = 0; ok && m < STACK_PANELS; m++) {
        unsigned panel = p->panels, n = 0;
        double most = 0;

        for (unsigned b = 0; b < p->r->nbenches; b++) {
            if (stacks_largest(p, b) <= 0 || magnitude(p, b) != m)
                continue;
            most = fmax(most, stacks_largest(p, b));
            n += put_bench(p, b, panel, key, bars, labels);
        }
        if (!n)
            continue;
        p->top[panel] = top;
        p->largest[panel] = round_up(most);
        top += p->rows[panel];
        count += n;
        p->panels++;
    }
    if (bars)
        ok &= tsv_close(bars);
    if (labels)
        ok &= tsv_close(labels);
    ok = ok && write_keys(p, key, prefix) && write_panels(p, prefix);
    lines = tsv_notes(prefix, notes);
    if (!ok || lines < 0)
        return -EIO;
    sizes->columns = p->panels;
    sizes->rows = top;
    sizes->notes = lines;
    return count;
}

int tsv_exits(const struct report *r, const char *suite, const char *prefix,
              struct tsv_sizes *sizes)
{
    struct stacks p = {
        .r = r, .suite = suite, .get = get_exits, .rest_label = "unattributed"};
    struct text notes = {0}, none = {0}, uncounted = {0};
    double value;

    for (unsigned b = 0; b < r->nbenches; b++)
        if (!report_is_grid(&r->benches[b]) && stacks_largest(&p, b) <= 0)
            text_list(&none, "%s", r->benches[b].label);
    for (unsigned s = 0; s < r->nseries; s++) {
        bool counted = false;

        for (unsigned i = 0; i < r->nrows && !counted; i++)
            for (int ev = 0; ev < EV_COUNT && !counted; ev++)
                counted =
                    r->rows[i].series == s && r->rows[i].status == ROW_OK &&
                    (is_exit(ev) || is_fault(ev) || ev == EV_EXIT_TOTAL) &&
                    report_event(&r->rows[i], RF_EVENTS, event_names[ev],
                                 &value);
        if (!counted)
            text_list(&uncounted, "%s", r->series[s].label);
    }
    tsv_note(&notes,
             "No bar: less than 0.005 exits per operation, or none "
             "counted: ",
             &none);
    tsv_note(&notes, "No exits counted on: ", &uncounted);
    text_add(&notes,
             "Unattributed: in the total that the VMM counts, but of "
             "a kind it doesn't tell. Events that it met while emulating "
             "are no exits. The number is the sum.\n");
    note_grids(r, &notes);
    tsv_note_kvm(r, &notes);
    return stacks_write(&p, prefix, &notes, sizes);
}

int tsv_split(const struct report *r, const char *suite, const char *prefix,
              struct tsv_sizes *sizes)
{
    struct stacks p = {.r = r,
                       .suite = suite,
                       .get = get_split,
                       .percent = true,
                       .least = 2,
                       .guest_label = "run loop (guest)",
                       .rest_label = "VMM, other work"};
    struct text notes = {0}, none = {0}, dull = {0};
    bool *split = xcalloc(r->nbenches, sizeof(*split));

    for (unsigned s = 0; s < r->nseries; s++) {
        struct stack stack;
        bool known = false;

        for (unsigned b = 0; b < r->nbenches; b++) {
            if (!get(&p, b, s, &stack))
                continue;
            split[b] = true;
            known = true;
        }
        if (!known)
            text_list(&none, "%s", r->series[s].label);
    }
    for (unsigned b = 0; b < r->nbenches; b++)
        if (split[b] && stacks_largest(&p, b) <= 0)
            text_list(&dull, "%s", r->benches[b].label);
    free(split);
    tsv_note(&notes,
             "No bar: less than 2 % is spent in event handlers: ", &dull);
    tsv_note(&notes, "The split isn't known for: ", &none);
    text_add(&notes, "Run loop: inside the backend; for kvm that includes "
                     "KVM's own work in the host kernel. The control loop is "
                     "included. The number is the whole, per operation.\n");
    note_grids(r, &notes);
    tsv_note_kvm(r, &notes);
    return stacks_write(&p, prefix, &notes, sizes);
}
