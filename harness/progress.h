/* Progress: one updating line on a terminal, a line a row elsewhere. */
#ifndef TM_PROGRESS_H
#define TM_PROGRESS_H

#include <stdbool.h>

struct progress;

/* total: how many steps there will be; steps are weighted by kind (the
 * backend), whose mean duration is learnt on the way. Writes to stderr. */
struct progress *progress_new(const char *const *kinds,
                              const unsigned *steps_of_kind, bool verbose);

/* A step begins: shown on a terminal. */
void progress_begin(struct progress *p, unsigned kind, const char *bench,
                    int round, int rounds);
/* It ended after that many seconds. */
void progress_end(struct progress *p, unsigned kind, double seconds);
/* Steps that won't be taken after all. */
void progress_drop(struct progress *p, unsigned kind, unsigned steps);

/* A finished row, as a line of its own where stderr is no terminal or the run
 * is verbose. */
void progress_row(struct progress *p, const char *line);
/* A message that stays, whatever the progress line does. */
void progress_note(struct progress *p, const char *line);

/* Clears the line. */
void progress_free(struct progress *p);

#endif
