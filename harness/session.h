/* A whole run: rounds over all rows, journal, warnings, the result file. */
#ifndef TM_SESSION_H
#define TM_SESSION_H

#include "hostfacts.h"
#include "journal.h"
#include "plan.h"
#include "progress.h"

/* As the command line says; lists and paths may be NULL. */
struct session_options {
    struct plan_request request;
    unsigned samples; /* a row, over all rounds */
    unsigned rounds;  /* at most samples */
    uint64_t batch_us, seed;
    const char *events, *guest, *initrd, *disk, *output;
    struct grid options; /* of backends: "bt-unit", "paging-prefill", ... */
    struct grid params;  /* values for the dials of benchmarks */
    unsigned ram_mib;    /* of the guest */
    bool deterministic, resume, verbose;
    unsigned timeout_s;
    const char *command; /* for the result file */
};

struct session {
    const struct session_options *options;
    const struct image *image;
    struct plan plan;
    struct perf_set perf;
    struct host_facts host;
    json_t *file; /* the result file under construction */
    bool interrupted;
    struct journal *journal; /* NULL without an output file to resume */
    char *scratch;           /* temporary directory, or NULL */
    char *disk;              /* the disk image in it, or NULL */
    struct progress *progress;
    unsigned ok, failed, skipped; /* rows, after session_run */
};

/* Plans, runs, checks; fills s->file. Wrong options end the program. 0, or a
 * negative errno with why: nothing could be begun. */
int session_run(struct session *s, const struct session_options *options,
                const struct image *image, char why[REASON_MAX]);
/* Writes the file where options->output says; removes the journal when all is
 * in it. 0 or negative errno with why. */
int session_save(struct session *s, char why[REASON_MAX]);
void session_free(struct session *s);

#endif
