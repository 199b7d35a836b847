/* The audit's conclusions in words. */
#include "audit.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

static char *add(char *text, char *more)
{
    char *all = xformat("%s%s", text, more);

    free(text);
    free(more);
    return all;
}

/* Wrong in ring 0, the classic list's instructions are the theorem's own case.
 * Others are a VMM that doesn't follow the manual. */
static char *explain_ring0(const struct audit_summary *sum)
{
    if (!sum->classic_ring0)
        return xformat(" The guest's kernel gets what it should from all of "
                       "the classic list, as far as that could be judged, but "
                       "not from %s.",
                       sum->names[0]);
    return xformat(
        " Not classically virtualizable, seen at work: the guest's kernel "
        "executed %s; no trap told the VMM, and they worked on the host's "
        "state. A VMM that relies on traps alone can't do better: it takes "
        "translation, or a guest that is changed, or a CPU that gives the "
        "guest a ring 0 of its own.",
        sum->names[0]);
}

static char *explain_ring3(const struct audit_summary *sum)
{
    return xformat(" In ring 3 %s ran without the trap or the result that the "
                   "manual demands: the guest's programs see the host.",
                   sum->names[1]);
}

/* Of bt: what its ring 3 is. */
static const char *explain_users(const char *user_mode)
{
    if (!strcmp(user_mode, "translate"))
        return " Here it translated the guest's programs, too "
               "(--bt-user=translate). By default, as in trapmark run, they "
               "run directly on the CPU, which is faster but keeps less: see "
               "--bt-user=direct.";
    return " The guest's kernel ran translated, its programs directly on the "
           "CPU (--bt-user=direct, the default of trapmark run). There such an "
           "instruction is the host's to answer: it needs no privilege in ring "
           "3, so it doesn't trap, and the VMM never hears of it. Every VMM "
           "that runs user code directly on such a CPU has this gap, the "
           "paper's binary translator, too: programs hardly ever depend on "
           "these instructions, and kernels, which do, are translated. "
           "--bt-user=translate closes it.";
}

char *audit_conclusion(const struct backend *backend,
                       const struct audit_summary *sum, const char *user_mode)
{
    const unsigned *v = sum->verdicts;
    char *text = xformat("%s (%s): %u of %u tests preserved.", backend->name,
                         backend->summary, v[AUDIT_PRESERVED],
                         sum->made + v[AUDIT_UNKNOWN]);

    if (user_mode)
        text = add(text, xstrdup(explain_users(user_mode)));
    if (sum->wrong[0])
        text = add(text, explain_ring0(sum));
    if (sum->wrong[1])
        text = add(text, explain_ring3(sum));
    if (v[AUDIT_PRESERVED] == sum->made && !v[AUDIT_UNKNOWN])
        text = add(text, xstrdup(" By these instructions the guest can't tell "
                                 "it from the machine in the manual. Traps "
                                 "alone couldn't do that on x86: it sees each "
                                 "of them in another way."));
    else if (!v[AUDIT_WRONG])
        text = add(text, xstrdup(" Nothing went wrong in silence."));
    if (v[AUDIT_TRAPPED])
        text = add(text, xformat(" %u raised an exception that the manual "
                                 "doesn't demand: wrong, but not in silence.",
                                 v[AUDIT_TRAPPED]));
    if (v[AUDIT_UNKNOWN])
        text = add(text, xformat(" %u couldn't be judged: the backend gave up "
                                 "on them, which ends a guest.",
                                 v[AUDIT_UNKNOWN]));
    return text;
}
