/* How the report's plots get their data: TSV files with a common prefix. */
#ifndef TM_REPORT_TSV_H
#define TM_REPORT_TSV_H

#include "report.h"

/* What a script needs to lay out the page. */
struct tsv_sizes {
    unsigned columns; /* columns or panels of the page */
    double rows;      /* bar heights, of the tallest column or of all panels */
    unsigned keys;    /* entries of the legend */
    unsigned notes;   /* lines below the picture */
};

/* Writes the data of one plot to PREFIX.*.tsv, as the scripts in plots/ say.
 * suite: NULL for a plot of all suites. Returns the number of bars (0: nothing
 * to draw) or a negative errno. */
typedef int tsv_writer(const struct report *r, const char *suite,
                       const char *prefix, struct tsv_sizes *sizes);
tsv_writer tsv_cost, tsv_relative, tsv_exits, tsv_split;
tsv_writer tsv_nano, tsv_mechanisms, tsv_map, tsv_cuts;
tsv_writer tsv_profile, tsv_scatter;

/* PREFIX.NAME.tsv, or NULL with errno. */
FILE *tsv_open(const char *prefix, const char *name);
/* A field without tabs, quotes and line breaks. */
void tsv_field(FILE *f, const char *text);
/* Closes; true if everything was written. */
bool tsv_close(FILE *f);
/* Writes the notes, wrapped, and frees them. Returns the number of lines or a
 * negative errno. */
int tsv_notes(const char *prefix, struct text *notes);
/* A paragraph of the notes: head, then the list; nothing where it is empty.
 * Frees the list. */
void tsv_note(struct text *notes, const char *head, struct text *list);
/* Appends the picked benchmarks of a series, if any, to the list: "kvm: in,
 * out; bt: in". */
void tsv_note_series(const struct report *r, unsigned series,
                     const struct report_pick *picks, struct text *list);
/* Which rows of the suite (NULL: all) aren't there, by status. */
void tsv_note_missing(const struct report *r, const char *suite,
                      struct text *notes);
/* What the KVM of the files is, if any row has a figure of it. */
void tsv_note_kvm(const struct report *r, struct text *notes);

#endif
