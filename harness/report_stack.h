/* Stacked bars: what a plot of them chooses from the report. */
#ifndef TM_REPORT_STACK_H
#define TM_REPORT_STACK_H

#include "report_tsv.h"

/* Kinds beyond the events. */
#define STACK_GUEST EV_COUNT
#define STACK_REST (EV_COUNT + 1) /* known only as a part of a total */
#define STACK_KINDS (EV_COUNT + 2)
#define STACK_PANELS 8

/* One bar: an amount of each kind, and what stands at its end. */
struct stack {
    double kind[STACK_KINDS];
    double total;
    char text[96];
};

struct stacks {
    const struct report *r;
    const char *suite; /* NULL: all but those of grids */
    /* Mandatory. False: the row has no bar. */
    bool (*get)(const struct stacks *p, const struct report_row *row,
                struct stack *stack);
    const void *opaque;
    /* Optional: what the legend says of an event instead of its name. */
    const char *(*event_label)(int ev);
    const char *rest_label, *guest_label;
    bool percent;
    double least; /* a benchmark without that much outside the guest is left
                     out */

    /* The rest is the writer's. */
    unsigned panels;
    double top[STACK_PANELS], rows[STACK_PANELS], largest[STACK_PANELS];
};

/* The largest total of a benchmark; 0: it has no bars. */
double stacks_largest(const struct stacks *p, unsigned bench);

/* Writes the data for plots/stack.gp; frees notes. As tsv_writer. */
int stacks_write(struct stacks *p, const char *prefix, struct text *notes,
                 struct tsv_sizes *sizes);

/* Suites with a row for each point of a grid; stacks leave them out. */
bool report_is_grid(const struct report_bench *b);

#endif
