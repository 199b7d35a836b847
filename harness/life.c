/* Rows made of whole lives: boots counted from outside. */
#include "life.h"
#include "util.h"

#include <string.h>

#define LIVES_MAX 5 /* a round: they are long, where guest kernels are slow */

const char *life_refuse(const struct backend *backend)
{
    return backend->class == BACKEND_VCPU
               ? NULL
               : "only a machine of our own sees a guest's first instruction";
}

static uint64_t life_ticks(const struct runner_job *job,
                           const struct machine_result *m)
{
    return job->deterministic ? m->all.count[EV_INSN_RETIRED] : m->total_ticks;
}

/* As if the doorbell had been rung at both ends of the life. */
static void add_life(struct machine_result *sum, const struct machine_result *m)
{
    const struct event_counters zero = {0};

    event_accumulate(&sum->kernel, &zero, &m->all);
    sum->kernel_regions++;
    sum->control_regions++;
    sum->kernel_ticks += m->total_ticks;
    for (int i = 0; i < EV_COUNT; i++)
        sum->kernel_vmm_ticks += m->all.ticks[i];
}

/* False: this life did not go well, or not as the ones before; result says why.
 */
static bool live(const struct runner_job *job, struct runner_result *result)
{
    struct runner_result one;
    bool first = !result->count;

    runner_run(job, &one);
    result->wall_s += one.wall_s;
    result->status = one.status;
    memcpy(result->reason, one.reason, sizeof(result->reason));
    if (first)
        memcpy(result->checksum, one.checksum, sizeof(result->checksum));
    if (one.status == ROW_OK && strcmp(one.checksum, result->checksum)) {
        result->status = ROW_FAILED;
        set_why(result->reason, "a later boot gave another checksum");
    }
    if (result->status == ROW_OK) {
        result->samples[result->count++] = life_ticks(job, &one.machine);
        add_life(&result->machine, &one.machine);
    }
    runner_result_free(&one);
    return result->status == ROW_OK;
}

void life_run(const struct runner_job *job, struct runner_result *result)
{
    const unsigned lives = job->samples < LIVES_MAX ? job->samples : LIVES_MAX;
    struct runner_job one = *job;

    memset(result, 0, sizeof(*result));
    one.samples = one.iters = 1;
    result->samples = xcalloc(lives, sizeof(*result->samples));
    result->control = xcalloc(lives, sizeof(*result->control));
    result->iterations = 1;
    result->have_machine = true;
    for (unsigned i = 0; i < lives; i++)
        if (!live(&one, result))
            return;
}
