/* SPDX-License-Identifier: Apache-2.0 */
#include "api/trace.h"

#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "console/on_stack.h"
#include "lwip/tcp_flight.h"
#include "socket/tcp.h"
#include "stack/group.h"
#include "stats/trace.h"

struct choice {
    uint32_t points;
    uint64_t slow_turn_ns;
};

static void hang(struct stack *stack, void *context)
{
    const struct choice *choice = context;
    struct trace *trace = &stack->trace;

    trace_set(trace, flight_ring_of(FLIGHT_FILE_TRACE, stack->id), choice->points, choice->slow_turn_ns, stack->stats);
    tcp_trace_use(trace->points & (TRACE_BIT(state) | TRACE_BIT(retransmit) | TRACE_BIT(rto)) ? trace : NULL,
                  tcp_socket_id);
}

int trace_apply(const struct config *config)
{
    struct flight_settings settings = { .file = FLIGHT_FILE_TRACE, .stacks = config->stack_count,
                                        .ring_bytes = config->trace_ring_bytes, .snap_bytes = TRACE_SNAP };
    struct choice choice = { .points = config->trace_points,
                             .slow_turn_ns = (uint64_t)config->trace_slow_turn_us * 1000 };
    int result = 0;

    if (!config->stats_enabled)
        return -1;
    if (flight_header_of(FLIGHT_FILE_TRACE) == NULL) {
        if (choice.points == 0)
            return -1;
        result = flight_create(&settings);
    }
    if (result < 0)
        log_warn("the trace points have no shared memory: %s (trace.points = none silences this)", strerror(-result));
    return on_stacks(hang, &choice, sizeof(choice));
}
