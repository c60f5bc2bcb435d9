/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens inside lwIP, on its way to the statistics segment. Counting is one addition to a
 * variable of the instance; counters_fold() (counters.h) moves what has gathered to the stack's block.
 * Included by lwIP's own files too (arch/cc.h).
 */
#ifndef PRONGHORN_LWIP_EVENTS_H
#define PRONGHORN_LWIP_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "lwip/instance_var.h"
#include "lwip/tcp_flight.h"

/* Rows of stats/counters.def that lwIP's own counters do not cover. */
#define LWIP_EVENTS(EVENT) \
    EVENT(drop_rx_no_memory) \
    EVENT(drop_rx_reassembly) \
    EVENT(drop_rx_no_connection) \
    EVENT(drop_rx_listen_full) \
    EVENT(drop_rx_tcp_window) \
    EVENT(drop_tx_no_neighbor) \
    EVENT(timers) \
    EVENT(tcp_closes) \
    EVENT(tcp_resets_in) \
    EVENT(tcp_resets_out) \
    EVENT(tcp_timeouts) \
    EVENT(tcp_retransmits) \
    EVENT(tcp_rto) \
    EVENT(tcp_rto_undone) \
    EVENT(tcp_fast_retransmits) \
    EVENT(tcp_duplicate_acks) \
    EVENT(tcp_out_of_order) \
    EVENT(tcp_zero_window_in) \
    EVENT(tcp_zero_window_out) \
    EVENT(tcp_persist_probes) \
    EVENT(tcp_keepalive_probes) \
    EVENT(tcp_nagle_holds) \
    EVENT(tcp_delayed_acks) \
    EVENT(tcp_challenge_acks) \
    EVENT(tcp_syn_cookies_out) \
    EVENT(tcp_syn_cookies_in)

struct lwip_events {
#define LWIP_EVENT_FIELD(name) uint32_t name;
    LWIP_EVENTS(LWIP_EVENT_FIELD)
#undef LWIP_EVENT_FIELD
    uint32_t time_wait; /* a level: PCBs in TIME_WAIT */
    bool noted; /* by one of these two */
    struct flight_ring *flight; /* the stack's flight recorder; NULL: off */
    const struct trace *trace;  /* its trace points; NULL: those of connections are off */
    trace_socket_id *socket_id;
};

extern INSTANCE_VAR_GLOBAL struct lwip_events template_lwip_events;

#define COUNT_EVENT(name) (INSTANCE(lwip_events).name++)

/* The same of one connection: flight recorder and trace points note it too (tcp_flight.h). flight.pl puts them in. */
#define COUNT_PCB_EVENT(name, pcb) do { \
    COUNT_EVENT(name); \
    if (INSTANCE(lwip_events).noted) \
        tcp_flight_note((pcb), FLIGHT_EVENT_##name, (pcb)->state); \
} while (0)
#define TCP_STATE_SET(pcb, new_state) do { \
    enum tcp_state tcp_state_before = (pcb)->state; \
    (pcb)->state = (new_state); \
    if (INSTANCE(lwip_events).noted) \
        tcp_flight_note((pcb), FLIGHT_EVENT_state, tcp_state_before); \
} while (0)

#endif
