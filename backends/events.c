/* Names and arithmetic of the event counters. */
#include "events.h"

#include <string.h>

const char *const event_names[EV_COUNT] = {
#define EVENT(id, name, meaning) [EV_##id] = name,
    TM_EVENTS(EVENT)
#undef EVENT
};

const char *const event_meanings[EV_COUNT] = {
#define EVENT(id, name, meaning) [EV_##id] = meaning,
    TM_EVENTS(EVENT)
#undef EVENT
};

int event_find(const char *name)
{
    for (int i = 0; i < EV_COUNT; i++)
        if (!strcmp(event_names[i], name))
            return i;
    return -1;
}

void event_accumulate(struct event_counters *sum,
                      const struct event_counters *begin,
                      const struct event_counters *end)
{
    for (int i = 0; i < EV_COUNT; i++) {
        sum->count[i] += end->count[i] - begin->count[i];
        sum->ticks[i] += end->ticks[i] - begin->ticks[i];
    }
}
