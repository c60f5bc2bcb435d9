/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection knows about itself: the source of TCP_INFO and of the socket table. In a turn. */
#ifndef PRONGHORN_LWIP_TCP_INFO_H
#define PRONGHORN_LWIP_TCP_INFO_H

#include <stdint.h>

struct tcp_pcb;

struct tcp_snapshot {
    uint8_t state; /* enum tcp_state of lwIP: CLOSED, LISTEN, SYN_SENT ... as in RFC 9293 */
    uint8_t retransmits;  /* of the oldest segment, in a row */
    uint8_t send_scale, receive_scale;
    uint8_t timestamps, sack, window_scale; /* negotiated: 1 */
    uint32_t rtt_us, rttvar_us, rto_us;
    uint32_t mss;
    uint32_t cwnd, ssthresh;                /* bytes */
    uint32_t send_window, receive_window;   /* bytes: the peer's, ours */
    uint32_t in_flight;                     /* bytes sent and not acknowledged */
    uint32_t unsent;                        /* bytes queued and not sent */
    uint32_t unread;
    uint32_t total_retransmits;             /* segments */
    uint32_t segments_in, segments_out;
    uint32_t out_of_order;                  /* segments that came before their predecessors */
    uint32_t zero_windows;                  /* times that a window closed, either way */
    uint32_t nagle_holds, delayed_acks;     /* as in stats/counters.def */
    uint32_t data_segments_in, data_segments_out;
    uint32_t least_rtt_us;                  /* 0: none was measured */
    uint64_t bytes_acked, bytes_received;
    uint64_t bytes_sent, bytes_resent;      /* sent: again counts again */
};

/* Queued and not sent yet. */
uint32_t tcp_unsent_bytes(const struct tcp_pcb *pcb);

void tcp_snapshot(const struct tcp_pcb *pcb, struct tcp_snapshot *snapshot);

#endif
