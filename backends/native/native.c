/* The compute workloads as ordinary host processes: the 100 % mark. */
#include "../backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the binaries lie is known when a job starts; command() looks. */
static int native_probe(char why[REASON_MAX])
{
    (void)why;
    return 0;
}

static const char *native_paging(void)
{
    return "none (host process)";
}

static char **native_command(const struct foreign_job *job,
                             char why[REASON_MAX])
{
    char **argv = calloc(3, sizeof(*argv));

    if (argv && asprintf(&argv[0], "%s/%s", job->native_dir, job->bench) < 0)
        argv[0] = NULL;
    if (argv && argv[0])
        argv[1] = strdup(job->cmdline ? job->cmdline : "");
    if (!argv || !argv[0] || !argv[1]) {
        snprintf(why, REASON_MAX, "out of memory");
        goto fail;
    }
    if (access(argv[0], X_OK) < 0) {
        snprintf(why, REASON_MAX, "no native program for %.40s: %.120s: %s",
                 job->bench, argv[0], strerror(errno));
        goto fail;
    }
    return argv;
fail:
    if (argv) {
        free(argv[0]);
        free(argv[1]);
    }
    free(argv);
    return NULL;
}

extern const struct backend backend_native;
const struct backend backend_native = {
    .name = "native",
    .summary = "compute workloads as ordinary processes of this host",
    .class = BACKEND_PROCESS,
    .probe = native_probe,
    .paging = native_paging,
    .command = native_command,
};
