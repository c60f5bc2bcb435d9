/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace points (base/trace.def): notes of what a stack does, of equal size, in rings of their own,
 * /dev/shm/pronghorn.<pid>.trace, made by the flight recorder's machinery (flight.h) when the first
 * point is switched on. Each stack has one writer, whoever drives it at the time. Off, a point is a
 * branch on a bit; those inside lwIP are behind the branch that the flight recorder has anyway.
 */
#ifndef STATS_TRACE_H
#define STATS_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/trace.h"
#include "stats/flight.h"
#include "stats/stats.h"

/* Follows the record's head (kind FLIGHT_TRACE, detail: enum trace_point) in a slot of the ring. */
struct trace_note {
    uint64_t socket; /* its row's id (stats.h); 0: none (yet) */
    uint64_t value[2];
    uint16_t local_port, peer_port;
    uint32_t reserved;
};

/* Makes slots of one cache line. */
#define TRACE_SNAP 40
_Static_assert(sizeof(struct trace_note) <= TRACE_SNAP, "a note fits");
_Static_assert(sizeof(struct flight_record) + TRACE_SNAP == CACHE_LINE, "one cache line");

enum trace_counter {
#define COUNTER(name, unit, help) TRACE_COUNTER_##name,
#include "stats/counters.def"
    TRACE_COUNTERS
};

/* Lies in the stack; only its driver touches it. */
struct trace {
    uint32_t points; /* bits of enum trace_point; 0: all off */
    struct flight_ring *ring; /* not NULL when a point is on */
    uint64_t slow_turn_ns;
    uint64_t told[TRACE_COUNTERS]; /* of each drop_ counter, what was noted of it */
};

static inline bool trace_is_on(const struct trace *trace, uint32_t bit)
{
    return UNLIKELY((trace->points & bit) != 0);
}

/* Only when the point is on. The time is the clock's, not the turn's: notes tell how long things take. */
static inline void trace_write(const struct trace *trace, enum trace_point point, const struct trace_note *note)
{
    struct flight_ring *ring = trace->ring;
    struct flight_record *record;

    ring->now_ns = clock_now_ns();
    record = flight_begin(ring, FLIGHT_TRACE, (uint8_t)point);
    record->captured = sizeof(*note);
    *(struct trace_note *)(record + 1) = *note;
    flight_end(ring);
}

static inline void trace_values(const struct trace *trace, enum trace_point point, uint64_t first, uint64_t second)
{
    trace_write(trace, point, &(struct trace_note){ .value = { first, second } });
}

/* Switches the points on or off. `ring` may be NULL when all are off. */
void trace_set(struct trace *trace, struct flight_ring *ring, uint32_t points, uint64_t slow_turn_ns,
               const struct stats_stack *stats);

/*
 * The point `drop`: a note for each drop_ counter that grew since the last call; `reason` is where the
 * counter lies in the stack's block, as the segment's directory has it. Called when counters were
 * folded, so that drops cost those who drop nothing.
 */
void trace_drops(struct trace *trace, const struct stats_stack *stats);

#endif
