/* Measured regions: what happened between two rings of the doorbell. */
#include "internal.h"
#include "guest/abi/abi.h"

#include <stdio.h>

static void region_warn(struct machine *m, const char *what)
{
    if (m->result && !m->result->warning[0])
        snprintf(m->result->warning, REASON_MAX, "doorbell: %s", what);
}

static void region_begin(struct machine *m, uint32_t value)
{
    if (m->region.kind)
        region_warn(m, "a region began before the last one ended");
    m->region.kind = value;
    if (m->vm->backend->sync_events)
        m->vm->backend->sync_events(m->vm);
    m->region.events = m->vm->events;
    m->region.tsc = machine_timed(m) ? __rdtsc() : 0;
}

static void region_end(struct machine *m, uint32_t value)
{
    uint64_t tsc = machine_timed(m) ? __rdtsc() : 0;
    struct machine_result *r = m->result;
    struct event_counters end;

    if (m->region.kind != value - 1) {
        region_warn(m, "a region ended that had not begun");
        m->region.kind = 0;
        return;
    }
    m->region.kind = 0;
    if (m->vm->backend->sync_events)
        m->vm->backend->sync_events(m->vm);
    end = m->vm->events;
    end.count[EV_EXIT_IO]--; /* the ring itself, which the bus has counted */
    if (end.count[EV_EXIT_TOTAL])
        end.count[EV_EXIT_TOTAL]--;
    if (!r)
        return;

    if (value == TM_DB_CONTROL_END) {
        event_accumulate(&r->control, &m->region.events, &end);
        r->control_regions++;
        return;
    }
    event_accumulate(&r->kernel, &m->region.events, &end);
    r->kernel_regions++;
    r->kernel_ticks += tsc - m->region.tsc;
}

_Static_assert(TM_DB_KERNEL_END == TM_DB_KERNEL_BEGIN + 1 &&
                   TM_DB_CONTROL_END == TM_DB_CONTROL_BEGIN + 1,
               "region_end() relies on it");

void region_doorbell(struct machine *m, uint32_t value)
{
    m->uncharged = true;
    switch (value) {
    case TM_DB_KERNEL_BEGIN:
    case TM_DB_CONTROL_BEGIN:
        region_begin(m, value);
        break;
    case TM_DB_KERNEL_END:
    case TM_DB_CONTROL_END:
        region_end(m, value);
        break;
    default:
        region_warn(m, "unknown value");
        return;
    }
    if (m->config.doorbell)
        m->config.doorbell(m->config.opaque, value);
}
