/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/trace.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset;
} counters[TRACE_COUNTERS] = {
#define COUNTER(name, unit, help) [TRACE_COUNTER_##name] = { #name, offsetof(struct stats_stack, name) },
#include "stats/counters.def"
};

/* True: a drop_ counter, which stands at `*count`. */
static bool drop_count(const struct stats_stack *stats, unsigned i, uint64_t *count)
{
    if (strncmp(counters[i].name, "drop_", 5) != 0)
        return false;
    *count = *(const uint64_t *)((const char *)stats + counters[i].offset);
    return true;
}

void trace_drops(struct trace *trace, const struct stats_stack *stats)
{
    uint64_t count;

    for (unsigned i = 0; i < TRACE_COUNTERS; i++) {
        if (!drop_count(stats, i, &count) || count == trace->told[i])
            continue;
        trace_values(trace, TRACE_drop, counters[i].offset, count - trace->told[i]);
        trace->told[i] = count;
    }
}

void trace_set(struct trace *trace, struct flight_ring *ring, uint32_t points, uint64_t slow_turn_ns,
               const struct stats_stack *stats)
{
    uint64_t count;

    if (ring == NULL)
        points = 0;
    /* What was dropped while nobody asked is not news. */
    for (unsigned i = 0; i < TRACE_COUNTERS && !trace_is_on(trace, TRACE_BIT(drop)); i++)
        if (drop_count(stats, i, &count))
            trace->told[i] = count;
    trace->ring = ring;
    trace->slow_turn_ns = slow_turn_ns;
    trace->points = points;
}
