/* Profiles: what a workload does that a VMM must pay for, per million
 * instructions. */
#include "report_profile.h"
#include "report_stack.h"
#include "table.h"
#include "util.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MILLION 1e6

/* Drawn bottom up in the order of events.h. What a policy makes of the guest's
 * deeds (hidden faults, shadow tables) is not the guest's and not here; a trace
 * fault is its write to a page table. */
static const struct {
    enum tm_event event;
    const char *label, *heading;
} deeds[] = {
    {EV_GUEST_SYSCALL, "system calls", "syscalls"},
    {EV_FAULT_TRUE, "page faults", "page faults"},
    {EV_FAULT_TRACE, "page-table writes", "PT writes"},
    {EV_CTX_SWITCH, "CR3 loads", "CR3 loads"},
    {EV_EXIT_INVLPG, "INVLPG", "INVLPG"},
    {EV_EXIT_IO, "port I/O", "port I/O"},
    {EV_EXIT_MMIO, "device memory", "MMIO"},
    {EV_EXIT_HLT, "HLT", "HLT"},
    {EV_INTERRUPT, "interrupts", "interrupts"},
};
#define DEEDS (sizeof(deeds) / sizeof(deeds[0]))

/* Not drawn: they would hide the others. */
static const struct {
    enum tm_event event;
    const char *heading;
} translation[] = {{EV_TLB_MISS, "TLB misses"}, {EV_WALK_REFS, "walk refs"}};

static bool is_workload(const struct report_bench *b)
{
    return !strcmp(b->suite, "compute") || !strcmp(b->suite, "io") ||
           !strcmp(b->suite, "mixed");
}

bool profile_rate(const struct report_row *row, enum tm_event event,
                  double *value)
{
    double count, retired;

    if (!report_event(row, RF_EVENTS, event_names[EV_INSN_RETIRED], &retired) ||
        retired <= 0)
        return false;
    if (!report_event(row, RF_EVENTS, event_names[event], &count))
        count = 0; /* interp counts all; what never happened is left out */
    *value = count / retired * MILLION;
    return true;
}

static bool traced(const struct report *r, const struct report_row *row)
{
    const char *paging = r->series[row->series].variant.paging;

    return paging && !strcmp(paging, "trace");
}

const struct report_row **profile_choose(const struct report *r, unsigned *n)
{
    const struct report_row **chosen =
        xcalloc(r->nbenches + 1, sizeof(*chosen));
    double unused;

    *n = 0;
    for (unsigned i = 0; i < r->nrows; i++) {
        const struct report_row *row = &r->rows[i], **best;

        best = &chosen[row->bench];
        if (row->status != ROW_OK || !is_workload(&r->benches[row->bench]) ||
            strcmp(r->series[row->series].variant.backend, "interp") ||
            !profile_rate(row, EV_GUEST_SYSCALL, &unused))
            continue;
        if (!*best)
            ++*n;
        if (!*best || (traced(r, row) && !traced(r, *best)))
            *best = row;
    }
    return chosen;
}

void profile_note_untraced(const struct report *r,
                           const struct report_row **chosen, struct text *notes)
{
    struct text list = {0};
    unsigned n = 0, all = 0;

    for (unsigned b = 0; b < r->nbenches; b++) {
        if (!chosen[b])
            continue;
        all++;
        if (traced(r, chosen[b]))
            continue;
        n++;
        text_list(&list, "%s", r->benches[b].label);
    }
    if (n && n == all)
        text_add(notes, "Page-table writes aren't counted here: only run -b "
                        "interp --paging trace counts them.\n");
    else if (n)
        text_add(notes, "Page-table writes aren't counted for: %s.\n",
                 list.text);
    free(list.text);
}

/* ---- Stacked bars ----------------------------------------------------- */

static bool get_profile(const struct stacks *p, const struct report_row *row,
                        struct stack *stack)
{
    const struct report_row *const *chosen = p->opaque;
    char figure[FIGURE_MAX];
    double value;

    if (chosen[row->bench] != row)
        return false;
    for (unsigned i = 0; i < DEEDS; i++) {
        if (!profile_rate(row, deeds[i].event, &value) || value <= 0)
            continue;
        stack->kind[deeds[i].event] = value;
        stack->total += value;
    }
    snprintf(stack->text, sizeof(stack->text), "%s",
             table_figure(stack->total, figure));
    return true;
}

static const char *deed_label(int ev)
{
    for (unsigned i = 0; i < DEEDS; i++)
        if ((int)deeds[i].event == ev)
            return deeds[i].label;
    return event_names[ev];
}

int tsv_profile(const struct report *r, const char *suite, const char *prefix,
                struct tsv_sizes *sizes)
{
    unsigned n;
    const struct report_row **chosen = profile_choose(r, &n);
    struct stacks p = {.r = r,
                       .suite = suite,
                       .get = get_profile,
                       .opaque = chosen,
                       .event_label = deed_label,
                       .least = PROFILE_LEAST};
    struct text notes = {0}, none = {0};
    int err = 0;

    for (unsigned b = 0; b < r->nbenches; b++)
        if (chosen[b] && stacks_largest(&p, b) <= 0)
            text_list(&none, "%s", r->benches[b].label);
    if (n) {
        tsv_note(&notes, "Fewer than 0.1 of them: ", &none);
        profile_note_untraced(r, chosen, &notes);
        text_add(&notes, "The guest's own deeds, counted by interp while it "
                         "was measured; the control's are subtracted. The "
                         "number is the sum.\n");
        err = stacks_write(&p, prefix, &notes, sizes);
    }
    free(none.text);
    free(chosen);
    return err;
}

/* ---- Table ------------------------------------------------------------ */

void profile_table(const struct report *r, FILE *out)
{
    unsigned n;
    const struct report_row **chosen = profile_choose(r, &n);
    const char *cells[DEEDS + 4] = {"workload"};
    char figures[DEEDS + 2][FIGURE_MAX];
    struct table *t;

    if (!n)
        goto done;
    fputs("\nprofiles: events per million instructions, counted by interp\n",
          out);
    for (unsigned i = 0; i < DEEDS + 2; i++) {
        const char *heading =
            i < DEEDS ? deeds[i].heading : translation[i - DEEDS].heading;

        cells[i + 1] = xformat(">%s", heading);
    }
    t = table_new(cells);
    for (unsigned i = 0; i < DEEDS + 2; i++)
        free((char *)cells[i + 1]);
    for (unsigned b = 0; b < r->nbenches; b++) {
        if (!chosen[b])
            continue;
        cells[0] = r->benches[b].label;
        for (unsigned i = 0; i < DEEDS + 2; i++) {
            enum tm_event event =
                i < DEEDS ? deeds[i].event : translation[i - DEEDS].event;
            double value;

            cells[i + 1] = "-";
            if ((event != EV_FAULT_TRACE || traced(r, chosen[b])) &&
                profile_rate(chosen[b], event, &value))
                cells[i + 1] = table_figure(value, figures[i]);
        }
        table_row(t, cells);
    }
    table_print(t, out);
    table_free(t);
done:
    free(chosen);
}
