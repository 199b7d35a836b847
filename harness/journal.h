/* Finished rows, appended as they come, so that an interrupted run can resume.
 */
#ifndef TM_JOURNAL_H
#define TM_JOURNAL_H

#include "../backends/backend.h"

#include <jansson.h>

struct journal;

/* One line of JSON each: a header with the hash of the run's configuration,
 * then the rows. Lives beside the result file (output.journal) or, where that
 * can't be written, in $TMPDIR under a name made from output and hash.
 *
 * resume: rows (a JSON array) receives the rows of an existing journal with the
 * same hash; without one the run starts afresh. A cut-off last line, as a crash
 * leaves it, is dropped. -EEXIST: there is a file of that name that is no
 * journal, or that of another configuration. Without resume an
 * existing journal is replaced, anything else of that name is -EEXIST too.
 *
 * -EBUSY: another process has the one beside the output open.
 *
 * Returns NULL with *err and why only for these two; where no journal can be
 * written anywhere it is kept in memory and journal_path is NULL. */
struct journal *journal_open(const char *output, uint64_t hash, bool resume,
                             json_t *rows, int *err, char why[REASON_MAX]);

/* Where it is now: it moves to $TMPDIR when its disk is full. NULL: nowhere. */
const char *journal_path(const struct journal *j);
/* Whether that is not beside the output. */
bool journal_moved(const struct journal *j);

/* Appends and syncs one row. 0, or what kept it from the disk (nothing more can
 * be done; the row itself is not lost as long as the process lives). */
int journal_append(struct journal *j, json_t *row);

/* finished: every row is in the saved result file; the journal is removed. */
void journal_close(struct journal *j, bool finished);

#endif
