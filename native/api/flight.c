/* SPDX-License-Identifier: Apache-2.0 */
#include "api/flight.h"

#include <string.h>

#include "base/log.h"
#include "config/config.h"
#include "console/flight_dump.h"
#include "console/on_stack.h"
#include "lwip/netif_port.h"
#include "lwip/tcp_flight.h"
#include "port/hooks.h"
#include "stack/group.h"
#include "stats/flight.h"

struct choice {
    bool events, packets;
};

static void hang(struct stack *stack, void *context)
{
    const struct choice *choice = context;
    struct flight_ring *ring = flight_ring(stack->id);

    stack->flight = choice->events ? ring : NULL;
    tcp_flight_use(choice->events ? ring : NULL);
    if (ring != NULL)
        ring->now_ns = stack->now_ns;
    for (unsigned i = 0; i < stack->ports_count; i++)
        port_flight_set(netif_port_queue(stack->ports[i]), choice->packets ? ring : NULL);
}

int flight_apply(const struct config *config)
{
    struct flight_settings settings = { .stacks = config->stack_count, .ring_bytes = config->flight_ring_bytes,
                                        .snap_bytes = config->flight_snap_bytes };
    struct choice choice = { .events = config->flight_record != CONFIG_FLIGHT_OFF,
                             .packets = config->flight_record == CONFIG_FLIGHT_PACKETS };
    int result = 0;

    if (!config->stats_enabled)
        return -1;
    if (choice.events && flight_header() == NULL)
        result = flight_create(&settings);
    if (result < 0)
        log_warn("the flight recorder has no shared memory: %s (flight.record = off silences this)",
                 strerror(-result));
    return on_stacks(hang, &choice, sizeof(choice));
}

void flight_apply_watch(const struct config *config)
{
    struct flight_watch watch = { .trigger = config->flight_trigger, .latency_us = config->flight_latency_us,
                                  .signal = flight_signal_named(config->flight_signal) };

    if (watch.signal < 0) {
        log_warn("flight.signal: \"%s\" is no signal that can be used; give USR1, USR2, HUP, QUIT, WINCH or a number",
                 config->flight_signal);
        watch.signal = 0;
    }
    memcpy(watch.directory, config->flight_directory, sizeof(watch.directory));
    flight_watch(&watch);
}
