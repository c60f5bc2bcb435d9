/* SPDX-License-Identifier: Apache-2.0 */
/* See tcp_limits.h. */
#include "lwip/tcp_limits.h"

#include <errno.h>

#include "base/compiler.h"
#include "lwip/instance.h"
#include "lwip/priv/tcp_priv.h"

_Static_assert(TCP_LIMIT_MAX_BYTES == 65535U << TCP_RCV_SCALE, "the scale that we announce");

/* lwIP asks for each new PCB (lwipopts.h) */
uint32_t tcp_start_send_bytes(void)
{
    return instance_tcp_settings()->send_buffer_bytes;
}

uint32_t tcp_start_receive_bytes(void)
{
    return min_u32(instance_tcp_settings()->receive_buffer_bytes, TCP_LIMIT_MAX_BYTES);
}

uint8_t tcp_start_congestion(void)
{
    return instance_tcp_settings()->congestion;
}

uint32_t tcp_queued_bytes(const struct tcp_pcb *pcb)
{
    return pcb->snd_buf_limit - pcb->snd_buf;
}

uint32_t tcp_unread_bytes(const struct tcp_pcb *pcb)
{
    return TCP_WND_MAX(pcb) - pcb->rcv_wnd;
}

uint32_t tcp_limit_send(struct tcp_pcb *pcb, uint32_t bytes)
{
    uint32_t queued = tcp_queued_bytes(pcb);

    pcb->snd_buf_limit = max_u32(bytes, queued);
    pcb->snd_buf = pcb->snd_buf_limit - queued;
    return pcb->snd_buf_limit;
}

uint32_t tcp_limit_receive(struct tcp_pcb *pcb, uint32_t bytes)
{
    uint32_t unread = tcp_unread_bytes(pcb);
    uint32_t promised = 0;

    /* RFC 9293 3.8.6: a receiver should not take back window that it announced */
    if (pcb->state >= SYN_RCVD && TCP_SEQ_GT(pcb->rcv_ann_right_edge, pcb->rcv_nxt))
        promised = pcb->rcv_ann_right_edge - pcb->rcv_nxt;
    bytes = min_u32(max_u32(bytes, unread + promised), TCP_LIMIT_MAX_BYTES);
    pcb->rcv_wnd_limit = bytes;
    pcb->rcv_wnd = TCP_WND_MAX(pcb) > unread ? TCP_WND_MAX(pcb) - unread : 0;
    if (pcb->state >= SYN_RCVD)
        tcp_update_rcv_ann_wnd(pcb);
    else
        pcb->rcv_ann_wnd = pcb->rcv_wnd;
    return bytes;
}

void tcp_limit_receive_of_listener(struct tcp_pcb *listener, uint32_t bytes)
{
    INVARIANT(listener->state == LISTEN);
    ((struct tcp_pcb_listen *)listener)->rcv_wnd_limit = min_u32(bytes, TCP_LIMIT_MAX_BYTES);
}

int tcp_resume_receive(struct tcp_pcb *pcb)
{
    if (!pcb->refused_data)
        return 0;
    switch (tcp_process_refused_data(pcb)) {
    case ERR_OK:
        return 0;
    case ERR_ABRT:
        return -ECONNABORTED;
    default:
        return -EAGAIN;
    }
}
