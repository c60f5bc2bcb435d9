/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/tick.h"

#include "lwip/counters.h"
#include "lwip/netif_port.h"
#include "platform/chunk.h"
#include "socket/table.h"

#define TICK_US 10000
#define PORT_BURST_MAX 64 /* no burst is larger */

/* True: timers of connections ran. */
static bool levels(struct stack *s)
{
    bool ran = counters_fold(s->stats);

    if (s->ports_count > 0) /* they share one pool */
        STAT_SET(s->stats, packets_free, netif_port_packets_free(s->ports[0]));
    histogram_settle(&s->stats->rx_burst_packets, s->stats->rx_packets, PORT_BURST_MAX);
    STAT_SET(s->stats, chunks_free, chunk_pool_free_count(s->chunks));
    if (trace_is_on(&s->trace, TRACE_BIT(drop)))
        trace_drops(&s->trace, s->stats);
    return ran;
}

static void run(struct stack_timer *timer)
{
    struct stack *s = container_of(timer, struct stack, tick);

    if (levels(s)) /* a retransmission changes a row without any other work */
        s->rows.stale = s->rows.sockets;
    if (table_refresh(s))
        tick_start(s);
}

void tick_open(struct stack *s)
{
    list_init(&s->tick.link);
    s->tick.run = run;
}

void tick_start(struct stack *s)
{
    stack_timer_start(s, &s->tick, s->now_us + TICK_US);
}

void tick_now(struct stack *s)
{
    stack_timer_stop(&s->tick);
    levels(s);
}
