/* What a foreign VMM's exit status means. */
#include "../../guest/abi/abi.h"
#include "foreign.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* isa-debug-exit turns the byte v into this status. */
#define QEMU_STATUS(v) ((v) << 1 | 1)

/* The last line that isn't empty: where it begins, and its length. */
static const char *last_line(const char *text, size_t *len)
{
    size_t end = strlen(text), begin;

    while (end && strchr(" \t\r\n", text[end - 1]))
        end--;
    for (begin = end; begin && text[begin - 1] != '\n'; begin--)
        ;
    *len = end - begin;
    return text + begin;
}

enum foreign_end foreign_end_of(int wait_status, const char *errors,
                                char why[REASON_MAX])
{
    const char *line;
    size_t len = 0;

    if (WIFEXITED(wait_status)) {
        int code = WEXITSTATUS(wait_status);

        if (code == QEMU_STATUS(TM_EXIT_OK))
            return FOREIGN_OK;
        if (code == QEMU_STATUS(TM_EXIT_PANIC)) {
            snprintf(why, REASON_MAX, "the guest panicked");
            return FOREIGN_PANIC;
        }
    }
    line = last_line(errors ? errors : "", &len);
    if (len)
        snprintf(why, REASON_MAX, "%.*s", len < 200 ? (int)len : 200, line);
    else if (WIFSIGNALED(wait_status))
        snprintf(why, REASON_MAX, "the VMM was killed by signal %d (%s)",
                 WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
    else if (WEXITSTATUS(wait_status) == 0)
        snprintf(why, REASON_MAX,
                 "the guest reset or shut down (triple fault?)");
    else
        snprintf(why, REASON_MAX, "the VMM exited with status %d",
                 WEXITSTATUS(wait_status));
    return FOREIGN_DIED;
}
