/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes apart what start.c put together, whatever of it is there: a start that failed ends here, too.
 * From the console, which reaches all, down to the devices, whose memory the stacks' pools are.
 */
#include <stdlib.h>

#include "api/parts.h"
#include "api/start.h"
#include "base/log.h"
#include "console/console.h"
#include "control/address.h"
#include "control/device.h"
#include "loop/loop.h"
#include "loop/tick.h"
#include "lwip/packet.h"
#include "lwip/paths.h"
#include "platform/arena.h"
#include "platform/chunk.h"
#include "platform/telemetry.h"
#include "port/plugin.h"
#include "port/port.h"
#include "socket/lend.h"
#include "socket/thread.h"
#include "stack/group.h"
#include "stats/flight.h"
#include "stats/segment.h"

#define SETTLE_ROUNDS 100

/*
 * The threads are gone. What they left for each other (sockets that were just closed, datagrams of
 * one stack's memory that another was through with) finds its way home, which takes more than one
 * round when one stack's leavings make work for another.
 */
static void settle_stacks(void)
{
    bool busy = true;

    for (unsigned round = 0; busy && round < SETTLE_ROUNDS; round++) {
        busy = false;
        for (unsigned i = 0; i < group.count; i++) {
            struct stack *s = group.stacks[i];

            if (s->lwip && (stack_has_mail(s) || !mpsc_is_empty(&s->returns))) {
                loop_turn(s);
                busy = true;
            }
        }
    }
}

static void end_stack(struct stack *s)
{
    struct stack_visit visit;
    size_t lost;

    if (s->lwip) {
        visit = stack_enter(s);
        tick_now(s);
        for (unsigned i = 0; i < s->ports_count; i++) {
            netif_port_flush(s->ports[i]);
            netif_port_remove(s->ports[i]);
        }
        stack_leave(visit);
        lost = instance_destroy(s->lwip);
        if (lost)
            log_warn("stack %u: %zu objects of its memory were never given back", s->id, lost);
    }
}

/*
 * Nobody sends any more and the devices are closed: what is not back now was lost. (Not while a
 * thread is still inside a call: it may hold some.)
 */
static void check_balance(const struct stack *s)
{
    unsigned packets = parts.pools[s->id] ? packet_pool_in_use(parts.pools[s->id]) : 0;
    unsigned chunks = 0;

    if (s->chunks) {
        chunk_pool_settle(s->chunks);
        chunks = s->chunks->count - chunk_pool_free_count(s->chunks);
    }
    packets -= packets ? plugin_packets_kept(parts.pools[s->id]) : 0;
    if (packets || chunks)
        log_error("stack %u: %u packets and %u send chunks were never given back", s->id, packets,
                  chunks);
    INVARIANT(packets == 0 && chunks == 0);
}

static void free_stack(struct stack *s)
{
    /* Memory that was shown to the application must stay where it looks. */
    if (s->chunks && !arena_bounds.exported)
        chunk_pool_destroy(s->chunks);
    if (parts.pools[s->id] && !arena_bounds.exported)
        packet_pool_destroy(parts.pools[s->id]);
    if (parts.has_lcore[s->id])
        core_release(s->lcore);
    loop_sleep_close(s);
    doorbell_close(&s->bell);
    free(s);
}

void stop_all(void)
{
    console_stop();
    telemetry_stop();
    caretaker_stop();
    for (unsigned i = 0; i < group.count; i++) {
        if (parts.running[i])
            dedicated_stop(group.stacks[i]);
    }
    lend_stop();
    settle_stacks();
    for (unsigned i = 0; i < group.count; i++)
        end_stack(group.stacks[i]);
    while (parts.ports_count > 0)
        port_close(parts.ports[--parts.ports_count]);
    threads_flush();
    for (unsigned i = 0; i < group.count; i++)
        check_balance(group.stacks[i]);
    for (unsigned i = 0; i < group.count; i++)
        free_stack(group.stacks[i]);
    group.count = 0;
    paths_destroy(group.paths);
    group.paths = NULL;
    address_clear();
    device_clear();
    flight_remove();
    segment_remove();
    log_stop();
}
