/* perf_event counters by libpfm4 name, around a vCPU or a whole process. */
#include "perf.h"
#include "suggest.h"
#include "util.h"

#include <errno.h>
#include <math.h>
#include <perfmon/pfmlib_perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_event(struct perf_event_attr *attr, pid_t pid)
{
    return syscall(SYS_perf_event_open, attr, pid, -1, -1,
                   PERF_FLAG_FD_CLOEXEC);
}

bool perf_pmu_available(char why[REASON_MAX])
{
    struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
                                   .size = sizeof(attr),
                                   .config = PERF_COUNT_HW_CPU_CYCLES,
                                   .disabled = 1,
                                   .exclude_kernel = 1,
                                   .exclude_hv = 1};
    int fd = open_event(&attr, 0);

    if (fd >= 0) {
        close(fd);
        return true;
    }
    if (errno == ENOENT || errno == EOPNOTSUPP || errno == ENODEV)
        set_why(why,
                "no hardware counters: the kernel offers no CPU PMU, as in "
                "most virtual machines");
    else if (errno == EACCES || errno == EPERM)
        set_why(why, "hardware counters aren't permitted: lower "
                     "kernel.perf_event_paranoid or run as root");
    else
        set_why(why, "perf_event_open: %s", strerror(errno));
    return false;
}

static bool pfm_ready(void)
{
    static int state = -1;

    if (state < 0)
        state = pfm_initialize() == PFM_SUCCESS;
    return state;
}

static int encode(const char *name, struct perf_event_attr *attr)
{
    pfm_perf_encode_arg_t arg = {.attr = attr, .size = sizeof(arg)};
    int err;

    memset(attr, 0, sizeof(*attr));
    attr->size = sizeof(*attr);
    err = pfm_get_os_event_encoding(name, PFM_PLM0 | PFM_PLM3,
                                    PFM_OS_PERF_EVENT, &arg);
    attr->disabled = 1;
    attr->inherit = 1;
    attr->read_format =
        PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    return err;
}

/* The nearest event among those of the PMUs that are present. */
static char *nearest_event(const char *name)
{
    const char **names = NULL, *found;
    size_t count = 0;
    pfm_pmu_info_t pmu;
    char *copy;
    int p;

    pfm_for_all_pmus(p)
    {
        memset(&pmu, 0, sizeof(pmu));
        pmu.size = sizeof(pmu);
        if (pfm_get_pmu_info(p, &pmu) != PFM_SUCCESS || !pmu.is_present)
            continue;
        for (int i = pmu.first_event; i != -1; i = pfm_get_event_next(i)) {
            pfm_event_info_t event = {.size = sizeof(event)};

            if (pfm_get_event_info(i, PFM_OS_PERF_EVENT, &event) != PFM_SUCCESS)
                continue;
            names = xrealloc(names, (count + 2) * sizeof(*names));
            names[count++] = event.name;
        }
    }
    if (!count)
        return NULL;
    names[count] = NULL;
    found = suggest_name(name, names);
    copy = found ? xstrdup(found) : NULL;
    free(names);
    return copy;
}

static int add_event(struct perf_set *set, const char *name,
                     char why[REASON_MAX])
{
    char *nearest;

    if (set->count == PERF_MAX)
        return fail_why(why, -EINVAL, "more than %d events", PERF_MAX);
    if (encode(name, &set->attr[set->count]) == PFM_SUCCESS) {
        set->name[set->count++] = xstrdup(name);
        return 0;
    }
    nearest = nearest_event(name);
    if (nearest)
        set_why(why, "unknown event '%.60s'; did you mean '%s'?", name,
                nearest);
    else
        set_why(why, "unknown event '%.60s'", name);
    free(nearest);
    return -EINVAL;
}

int perf_choose(struct perf_set *set, const char *names, char why[REASON_MAX])
{
    char ignored[REASON_MAX], *list, *save = NULL;
    int err = 0;

    memset(set, 0, sizeof(*set));
    if (!pfm_ready()) {
        if (!names)
            return 0;
        return fail_why(why, -EINVAL,
                        "libpfm4 doesn't know this machine: no "
                        "event names");
    }
    if (!names)
        names = perf_pmu_available(ignored)
                    ? "cycles,instructions,task-clock,context-switches,"
                      "page-faults"
                    : "task-clock,context-switches,page-faults";
    list = xstrdup(names);
    for (char *name = strtok_r(list, ",", &save); name && !err;
         name = strtok_r(NULL, ",", &save))
        err = add_event(set, name, why);
    free(list);
    if (err)
        perf_free(set);
    return err;
}

unsigned perf_drop_unusable(struct perf_set *set, char *dropped, size_t size,
                            char why[REASON_MAX])
{
    unsigned kept = 0, lost = 0;
    size_t used = 0;

    *dropped = '\0';
    for (unsigned i = 0; i < set->count; i++) {
        int fd = open_event(&set->attr[i], 0);

        if (fd >= 0) {
            close(fd);
            set->name[kept] = set->name[i];
            set->attr[kept++] = set->attr[i];
            continue;
        }
        if (!lost && (set->attr[i].type == PERF_TYPE_SOFTWARE ||
                      perf_pmu_available(why)))
            set_why(why, "%s", strerror(errno));
        if (used < size)
            used += snprintf(dropped + used, size - used, "%s%s",
                             lost ? ", " : "", set->name[i]);
        lost++;
        free(set->name[i]);
    }
    set->count = kept;
    return lost;
}

void perf_free(struct perf_set *set)
{
    for (unsigned i = 0; i < set->count; i++)
        free(set->name[i]);
    set->count = 0;
}

void perf_open(const struct perf_set *set, pid_t pid, bool on_exec,
               struct perf_counters *c)
{
    c->count = set->count;
    for (unsigned i = 0; i < set->count; i++) {
        struct perf_event_attr attr = set->attr[i];

        attr.enable_on_exec = on_exec;
        c->fd[i] = open_event(&attr, pid);
    }
}

void perf_enable(const struct perf_counters *c, bool on)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->fd[i] >= 0)
            ioctl(c->fd[i], on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE,
                  0);
}

void perf_read(const struct perf_counters *c, double values[PERF_MAX])
{
    for (unsigned i = 0; i < c->count; i++) {
        uint64_t v[3]; /* count, time enabled, time running */

        values[i] = NAN;
        if (c->fd[i] < 0 || read(c->fd[i], v, sizeof(v)) != sizeof(v))
            continue;
        if (v[2])
            values[i] = (double)v[0] * v[1] / v[2];
    }
}

void perf_close(struct perf_counters *c)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->fd[i] >= 0)
            close(c->fd[i]);
    c->count = 0;
}
