/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens inside lwIP, on its way to the statistics segment. Counting is one addition to a
 * variable of the instance; counters_fold() (counters.h) moves what has gathered to the stack's block.
 * Included by lwIP's own files too (arch/cc.h).
 */
#ifndef PRONGHORN_LWIP_EVENTS_H
#define PRONGHORN_LWIP_EVENTS_H

#include <stdint.h>

#include "lwip/instance_var.h"

/* Rows of stats/counters.def that lwIP's own counters do not cover. */
#define LWIP_EVENTS(EVENT) \
    EVENT(drop_rx_no_memory) \
    EVENT(drop_rx_reassembly) \
    EVENT(drop_rx_no_socket) \
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
    EVENT(tcp_challenge_acks) \
    EVENT(tcp_syn_cookies_out) \
    EVENT(tcp_syn_cookies_in)

struct lwip_events {
#define LWIP_EVENT_FIELD(name) uint32_t name;
    LWIP_EVENTS(LWIP_EVENT_FIELD)
#undef LWIP_EVENT_FIELD
    uint32_t time_wait; /* a level: PCBs in TIME_WAIT */
};

extern INSTANCE_VAR_GLOBAL struct lwip_events template_lwip_events;

#define COUNT_EVENT(name) (INSTANCE(lwip_events).name++)

#endif
