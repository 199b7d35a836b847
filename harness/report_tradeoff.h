/* The three-way trade-off: which paging policy wins where, and by how much. */
#ifndef TM_REPORT_TRADEOFF_H
#define TM_REPORT_TRADEOFF_H

#include "report.h"

#define TRADEOFF_MOST 64

enum { DIAL_UPDATES, DIAL_SWITCHES, DIAL_TOUCHES, DIALS };
extern const char *const tradeoff_dials[DIALS];

struct tradeoff_axis {
    uint64_t *values; /* that occur, ascending */
    unsigned n;
};

/* What paging costs at a point, in times of the same steps without updates,
 * switches and touches: the median of (sample - control) / control over the
 * pairs that were taken one after the other, and its 95 % interval. A clock
 * that changes its speed between rows, or within one, changes both of a pair.
 */
struct tradeoff_price {
    double median, low, high;
};
/* False where the row isn't ok or has no pairs. NULL is no row. */
bool tradeoff_price(const struct report_row *row, struct tradeoff_price *price);

/* Who wins at a point. Sets of contenders have a bit for each. */
struct tradeoff_cell {
    unsigned bench;    /* UINT_MAX: nobody measured it */
    int winner;        /* contender; -1: none */
    int second;        /* the next best, or -1 */
    double margin;     /* second's price / winner's; 0 without a second, and
                          where the winner can't be told from the control */
    uint64_t measured; /* those with a price here */
    uint64_t tied;     /* those that can't be told from the winner, as their
                          intervals overlap; itself included; 0 if alone */
    bool clear;        /* there is a second, and nobody else is tied */
};

/* The policies of one backend in one file against each other. "none" is no
 * policy but what they are compared with, and doesn't take part. */
struct tradeoff {
    unsigned file;
    const char *backend;
    char *name;       /* backend, and file if there are more */
    unsigned *series; /* the contenders */
    char **names;     /* "trace", "unsync, prefill" */
    unsigned n;       /* of them; 2 to TRADEOFF_MOST */
    struct tradeoff_axis axis[DIALS];
    struct tradeoff_cell *cells; /* see tradeoff_at */
};

/* The maps that there are data for. The caller frees them. */
unsigned tradeoff_find(const struct report *r, struct tradeoff **maps);
void tradeoff_free(struct tradeoff *maps, unsigned n);

/* The others that are tied with the winner, "trace, unsync", or "all" if that is
 * every contender measured there; malloc'ed, NULL where there are none. */
char *tradeoff_tied(const struct tradeoff *m, const struct tradeoff_cell *c);

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
