/* What the guest's audit reported, and what it means. */
#ifndef TM_AUDIT_H
#define TM_AUDIT_H

#include "../backends/backend.h"

#define AUDIT_MAX 256

/* One test: an instruction in one ring. */
struct audit_cell {
    bool begun, ended;
    char insn[24], group[12];
    int ring;
    int want_vector, vector;  /* -1: no exception */
    char want[160], got[160]; /* label=value, space-separated */
    char problem[REASON_MAX]; /* "", or why it can't be judged */
};

/* One backend's; cells by the guest's index. */
struct audit_log {
    unsigned count; /* highest index seen, plus one */
    struct audit_cell cells[AUDIT_MAX];
};

/* Takes one line of the guest's; false: it isn't the audit's, or is malformed
 * and therefore ignored. */
bool audit_line(struct audit_log *log, const char *text, size_t len);

/* The test that was begun and never ended, or -1. */
int audit_unfinished(const struct audit_log *log);

enum audit_verdict {
    AUDIT_PRESERVED, /* as the manual says, be it an exception or a value */
    AUDIT_TRAPPED,   /* an exception other than the manual demands */
    AUDIT_WRONG,     /* no exception, and not what the manual says */
    AUDIT_UNKNOWN    /* refused by the backend, or never made */
};

/* detail: one line that says why, "" where all is as it should be. */
enum audit_verdict audit_judge(const struct audit_cell *cell,
                               char detail[REASON_MAX]);
extern const char *const audit_verdicts[]; /* by enum audit_verdict */

/* "#GP" and the like, or "vector N" in text. */
const char *audit_exception(int vector, char text[24]);

struct audit_summary {
    unsigned made;          /* tests that could be judged */
    unsigned verdicts[4];   /* by enum audit_verdict */
    unsigned wrong[2];      /* silently wrong in ring 0, in ring 3 */
    unsigned classic_ring0; /* of wrong[0], those of the classic list */
    char *names[2];         /* of these, comma-separated; malloc'ed */
};
void audit_sum(const struct audit_log *log, struct audit_summary *sum);
void audit_sum_free(struct audit_summary *sum);

/* In ring 3 the five instructions that UMIP makes trap are right and others of
 * the classic list aren't: only a trap tells the two apart. */
bool audit_shows_umip(const struct audit_log *log);

/* What the manual says of the classic instructions, from the tests themselves:
 * how many are sensitive without being privileged, their names, malloc'ed. */
unsigned audit_unprivileged(const struct audit_log *log, char **names);

/* What follows for one backend, in words, malloc'ed. user_mode: of bt, its
 * --bt-user; NULL for the others. */
char *audit_conclusion(const struct backend *backend,
                       const struct audit_summary *sum, const char *user_mode);

#endif
