/* The three-way trade-off: which paging policy wins where, and by how much. */
#ifndef TM_REPORT_TRADEOFF_H
#define TM_REPORT_TRADEOFF_H

#include "report.h"

enum { DIAL_UPDATES, DIAL_SWITCHES, DIAL_TOUCHES, DIALS };
extern const char *const tradeoff_dials[DIALS];

struct tradeoff_axis {
    uint64_t *values; /* that occur, ascending */
    unsigned n;
};

/* Who wins at a point. */
struct tradeoff_cell {
    unsigned bench; /* UINT_MAX: nobody measured it */
    int winner;     /* contender; -1: none */
    int second;     /* the next best, or -1 */
    double margin;  /* second's time / winner's; 0 without a second, and where
                       the winner can't be told from the control */
    bool clear;     /* their intervals don't overlap */
};

/* The policies of one backend in one file against each other. "none" is no
 * policy but what they are compared with, and doesn't take part. */
struct tradeoff {
    unsigned file;
    const char *backend;
    char *name;       /* backend, and file if there are more */
    unsigned *series; /* the contenders */
    char **names;     /* "trace", "unsync, prefill" */
    unsigned n;       /* of them; at least two */
    struct tradeoff_axis axis[DIALS];
    struct tradeoff_cell *cells; /* see tradeoff_at */
};

/* The maps that there are data for. The caller frees them. */
unsigned tradeoff_find(const struct report *r, struct tradeoff **maps);
void tradeoff_free(struct tradeoff *maps, unsigned n);

/* By indices of the axes. */
struct tradeoff_cell *tradeoff_at(const struct tradeoff *m, unsigned update,
                                  unsigned swap, unsigned touch);

/* What the maps say, and from where on nested paging pays: a sentence a call;
 * none without a row of the suite. */
void tradeoff_say(const struct report *r,
                  void (*say)(void *opaque, const char *sentence),
                  void *opaque);

/* The maps as tables. */
void tradeoff_tables(const struct report *r, FILE *out);

#endif
