/* SPDX-License-Identifier: Apache-2.0 */
/* See tcp_info.h. */
#include "lwip/tcp_info.h"

#include <stdbool.h>
#include <string.h>

#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp_limits.h"

/* A FIN that travels with data counts in snd_nxt, not in snd_lbb. */
uint32_t tcp_unsent_bytes(const struct tcp_pcb *pcb)
{
    return TCP_SEQ_GT(pcb->snd_lbb, pcb->snd_nxt) ? pcb->snd_lbb - pcb->snd_nxt : 0;
}

/* Data sent and not acknowledged: what is in flight less our SYN or FIN. */
static uint32_t data_in_flight(const struct tcp_pcb *pcb)
{
    uint32_t all = pcb->snd_nxt - pcb->lastack;
    bool has_flag = pcb->state == SYN_SENT || pcb->state == SYN_RCVD ||
                    ((pcb->state == FIN_WAIT_1 || pcb->state == CLOSING || pcb->state == LAST_ACK) &&
                     pcb->unsent == NULL);

    return all > 0 && has_flag ? all - 1 : all;
}

void tcp_snapshot(const struct tcp_pcb *pcb, struct tcp_snapshot *snapshot)
{
    memset(snapshot, 0, sizeof(*snapshot));
    snapshot->state = (uint8_t)pcb->state;
    if (pcb->state == LISTEN)
        return;
    snapshot->retransmits = pcb->nrtx;
    snapshot->send_scale = pcb->snd_scale;
    snapshot->receive_scale = pcb->rcv_scale;
    snapshot->timestamps = (pcb->flags & TF_TIMESTAMP) != 0;
    snapshot->sack = (pcb->flags & TF_SACK) != 0;
    snapshot->window_scale = (pcb->flags & TF_WND_SCALE) != 0;
    if (pcb->sa)
        snapshot->rtt_us = (uint32_t)pcb->sa >> 3;
    snapshot->rttvar_us = (uint32_t)pcb->sv >> 2;
    snapshot->rto_us = (uint32_t)pcb->rto * 1000;
    snapshot->total_retransmits = pcb->segments_resent;
    snapshot->segments_in = pcb->segments_in;
    snapshot->segments_out = pcb->segments_out;
    snapshot->out_of_order = pcb->out_of_order;
    snapshot->zero_windows = pcb->zero_windows;
    snapshot->nagle_holds = pcb->nagle_holds;
    snapshot->delayed_acks = pcb->delayed_acks;
    snapshot->bytes_acked = pcb->bytes_delivered;
    snapshot->bytes_received = pcb->bytes_in;
    snapshot->bytes_resent = pcb->bytes_resent;
    snapshot->bytes_sent = pcb->bytes_delivered + data_in_flight(pcb) + pcb->bytes_resent;
    snapshot->data_segments_in = pcb->data_segments_in;
    snapshot->data_segments_out = pcb->data_segments_out;
    snapshot->least_rtt_us = pcb->least_rtt_us;
    snapshot->mss = pcb->mss;
    snapshot->cwnd = pcb->cwnd;
    snapshot->ssthresh = pcb->ssthresh;
    snapshot->send_window = pcb->snd_wnd;
    snapshot->receive_window = pcb->rcv_wnd;
    snapshot->in_flight = pcb->snd_nxt - pcb->lastack;
    snapshot->unsent = tcp_unsent_bytes(pcb);
    snapshot->unread = tcp_unread_bytes(pcb);
}
