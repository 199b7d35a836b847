/* What another program wrote to standard error. */
#include "vmmlog.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

/* QEMU pauses the machine when KVM can't go on, dumps the registers, and waits.
 * The dump ends with a line of code bytes, the one at RIP in angle brackets. */
static void look_for_kvm_error(struct vmm_log *log, const char *line)
{
    const char *at;

    if (!strncmp(line, "KVM internal error", 18))
        log->failing = true;
    if (!log->failing)
        return;
    if (!strncmp(line, "RIP=", 4))
        snprintf(log->rip, sizeof(log->rip), "%.*s",
                 (int)strcspn(line + 4, " "), line + 4);
    if (strncmp(line, "Code=", 5))
        return;
    at = strchr(line, '<');
    for (size_t n = 0; at && *at && n < sizeof(log->code) - 1; at++)
        if (*at != '<' && *at != '>')
            log->code[n++] = *at;
    log->stopped = true;
    set_why(log->reason, "KVM can't emulate the instruction at 0x%s: %s",
            *log->rip ? log->rip : "?", *log->code ? log->code : "(unknown)");
}

static void take_line(struct vmm_log *log)
{
    log->line[log->len] = '\0';
    if (log->len) {
        look_for_kvm_error(log, log->line);
        snprintf(log->last, sizeof(log->last), "%.*s",
                 (int)sizeof(log->last) - 1, log->line);
    }
    log->len = 0;
}

void vmmlog_take(struct vmm_log *log, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = data[i];

        if (c == '\n')
            take_line(log);
        else if (log->len < sizeof(log->line) - 1)
            log->line[log->len++] = c < ' ' || c == 127 ? ' ' : c;
    }
}

void vmmlog_end(struct vmm_log *log)
{
    take_line(log);
}
