/* The report's model of result files: benchmarks down, series across. */
#ifndef TM_REPORT_H
#define TM_REPORT_H

#include "ratio.h"
#include "resultfile.h"
#include "variant.h"

#include <stdio.h>

/* A growing string. text is NULL until something is appended; free() it. */
struct text {
    char *text;
    size_t len;
};
void text_add(struct text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Appends ", " first, unless t is empty. */
void text_list(struct text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct report_file {
    const char *path; /* borrowed */
    const char *name; /* basename, borrowed */
    json_t *json;
};

/* One column: a backend under one paging policy with its options in one file.
 */
struct report_series {
    struct variant variant;
    char *label; /* unique; names the file if there are more */
};

/* One line: a benchmark with its parameters. */
struct report_bench {
    const char *suite, *name;
    const char *op; /* NULL where no row says it */
    char *label;    /* name, and parameters if it has any */
};

enum report_status { ROW_OK, ROW_SKIPPED, ROW_FAILED, ROW_TIMEOUT };

struct report_row {
    unsigned bench, series, file;
    enum report_status status;
    const char *reason; /* NULL only where status is ROW_OK */
    json_t *json;       /* the member of runs[] */
    /* Only where status is ROW_OK: */
    double median, low, high, mad;
    bool noisy;
};

struct report {
    struct report_file *files;
    struct report_series *series; /* by backend, then file */
    struct report_bench *benches; /* by suite */
    struct report_row *rows;      /* as in the files */
    /* Rows of which only the counts mean anything, of emulated processors: in
     * no table or plot of times. They have no series, and bench is nbenches
     * where no row of times is of the same benchmark. */
    struct report_row *counted;
    unsigned nfiles, nseries, nbenches, nrows, ncounted;
    bool instructions; /* the unit is retired instructions, not ticks */
};

extern const char *const report_status_names[];

/* Reads the files. 0, or negative errno with one line in why: a file that
 * can't be read or isn't of the shape the report needs, files of different
 * units. The paths are borrowed until report_free. */
int report_load(struct report *r, char *const *paths, unsigned n,
                char why[REASON_MAX]);
void report_free(struct report *r);

/* The row of a benchmark in a series, or NULL. */
const struct report_row *report_find(const struct report *r, unsigned bench,
                                     unsigned series);
/* The same, or NULL also where it isn't ok. */
const struct report_row *report_ok(const struct report *r, unsigned bench,
                                   unsigned series);

/* How much paler than its backend's colour a series is drawn, 0 to 0.75, so
 * that the variants of a backend differ. */
double report_paleness(const struct report *r, unsigned series);

/* "ticks" or "instructions"; "TSC ticks" or "retired instructions". */
const char *report_unit(const struct report *r);
const char *report_unit_long(const struct report *r);

/* What the host's probe calls the KVM that rows of a file ran on; NULL where no
 * row with a figure did. */
const char *report_kvm_label(const struct report *r, unsigned file);

/* The next suite after the given one (NULL: the first), or NULL. */
const char *report_next_suite(const struct report *r, const char *suite);

/* Count per operation, or false where it wasn't counted. member: RF_EVENTS or
 * RF_EVENT_TICKS. */
bool report_event(const struct report_row *row, const char *member,
                  const char *event, double *value);

/* Time relative to native, of the same file. False where either is missing, and
 * where the row is native itself. */
bool report_relative(const struct report *r, const struct report_row *row,
                     struct ratio *ratio);

#define FIGURE_MAX 16 /* for table_figure */

/* Benchmarks to be listed: an array of nbenches. */
struct report_pick {
    bool known;     /* has what is looked at */
    bool picked;    /* and belongs in the list */
    double percent; /* said beside those picked, unless it is 0 */
};

#define REPORT_LIST_MOST 3
/* Appends the picked ones: by their labels, but those of a benchmark with more
 * than that many known points together: "all 24 points of tradeoff (51 to 99 %)", "5 of
 * 24 points of tradeoff". after follows each, NULL: nothing. */
void report_list(const struct report *r, const struct report_pick *picks,
                 const char *after, struct text *t);

/* What the data say, a sentence a call. */
void report_summary(const struct report *r,
                    void (*say)(void *opaque, const char *sentence),
                    void *opaque);

/* Why rows are missing: one call per distinct reason, with the rows it holds
 * for ("wrmsr on kvm, rdmsr on kvm, all 24 of micro on native"). */
void report_missing(const struct report *r,
                    void (*say)(void *opaque, const char *status,
                                const char *reason, const char *rows),
                    void *opaque);

/* The files' warnings: one call per distinct text and advice (NULL: none), with
 * the rows it is about, "kvm: in, out; interp: in" (NULL: the host). */
void report_warnings(const struct report *r,
                     void (*say)(void *opaque, const char *text,
                                 const char *advice, const char *rows),
                     void *opaque);

/* Whether the suite has anything but skipped rows in the series: else a column
 * of its own would say less than the reason. */
bool report_has_column(const struct report *r, const char *suite,
                       unsigned series);

/* The same for a line: whether any series with a column has a row of it. */
bool report_has_line(const struct report *r, unsigned bench);

/* Tables on a stream. */
void report_tables(const struct report *r, FILE *out);

/* ---- Plots ------------------------------------------------------------ */

struct report_plot {
    char *name;         /* NAME.svg */
    const char *suite;  /* that it belongs to, or NULL; borrowed */
    const char *script; /* in plots/ */
    char *title, *xlabel;
    char *svg; /* the picture, or NULL where gnuplot didn't draw it */
    size_t svg_len;
};

struct report_plots {
    struct report_plot *plot;
    unsigned n;
    char why[REASON_MAX]; /* why there are no pictures, or empty */
};

/* Draws what there are data for. 0; -ENOENT where gnuplot or the scripts are
 * missing and -EIO where it fails, both with why: the plots then lack svg. */
int report_draw(const struct report *r, struct report_plots *plots);
void report_plots_free(struct report_plots *plots);

/* ---- The page --------------------------------------------------------- */

/* Writes DIR/report.html and DIR/NAME.svg. 0 or negative errno with why. */
int report_write(const struct report *r, const struct report_plots *plots,
                 const char *dir, char why[REASON_MAX]);
void report_html(const struct report *r, const struct report_plots *plots,
                 const char *dir, FILE *out);

#endif
