/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection's PCB takes over from the socket's options, and how its buffers grow. */
#include "control/device.h"
#include "lwip/demux.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"
#include "lwip/tcp_info.h"
#include "lwip/tcp_limits.h"
#include "socket/options_table.h"
#include "socket/ready.h"
#include "socket/tcp.h"
#include "socket/tcp_hooks.h"

/* Buffers are not looked at more often, however short the round trip. */
#define TUNE_MIN_US 200

/*
 * Automatic tuning, as the kernel's (tcp(7), tcp_moderate_rcvbuf): once per round trip, a window of
 * which more than half was read in that time is doubled, and a send buffer that is full is brought to
 * twice the congestion window. A buffer that the user has set stays.
 */
void tcp_tune(struct socket *sock)
{
    uint64_t consumed = sock->rx.credited;
    struct tcp_snapshot now;
    uint64_t now_us = socket_stack(sock)->now_us;
    uint32_t limit = atomic_load_explicit(&sock->rx.limit, memory_order_relaxed);

    if (now_us - sock->tune_us < TUNE_MIN_US)
        return;
    tcp_snapshot(sock->tcp, &now);
    if (now_us - sock->tune_us < now.rtt_us)
        return;
    if (consumed - sock->tune_consumed > limit / 2 && !sock->options.receive_buffer_fixed &&
        !sock->options.window_clamp &&
        now_us - sock->tune_us < 2 * (uint64_t)now.rtt_us + TUNE_MIN_US &&
        limit < socket_limits.receive_max) {
        limit = limit * 2 > socket_limits.receive_max ? socket_limits.receive_max : limit * 2;
        atomic_store_explicit(&sock->rx.limit, tcp_limit_receive(sock->tcp, limit),
                              memory_order_relaxed);
    }
    limit = atomic_load_explicit(&sock->tx.limit, memory_order_relaxed);
    if (!sock->options.send_buffer_fixed && now.cwnd > limit / 2 &&
        limit < socket_limits.send_max &&
        send_queue_bytes(&sock->tx) > limit / 2) {
        limit = now.cwnd * 2 > socket_limits.send_max ? socket_limits.send_max : now.cwnd * 2;
        atomic_store_explicit(&sock->tx.limit, tcp_limit_send(sock->tcp, limit),
                              memory_order_relaxed);
    }
    sock->tune_us = now_us;
    sock->tune_consumed = consumed;
}

void tcp_tell_sent(struct socket *sock)
{
    struct send_queue *tx = &sock->tx;

    atomic_store(&tx->sent, tx->queued - tcp_unsent_bytes(sock->tcp));
    if (atomic_load(&tx->wants_room) && send_queue_is_writable(tx)) {
        atomic_store(&tx->wants_room, false);
        ready_raise(sock, socket_stack(sock), EPOLLOUT);
    }
}

/* An ACK that is held back when TCP_QUICKACK is set goes out (tcp(7)). */
static void set_quick_ack(struct tcp_pcb *pcb, bool at_once)
{
    if (!at_once) {
        tcp_clear_flags(pcb, TF_QUICKACK);
        return;
    }
    tcp_set_flags(pcb, TF_QUICKACK);
    if (pcb->flags & TF_ACK_DELAY) {
        tcp_ack_now(pcb);
        tcp_output(pcb);
    }
}

/* TCP_LINGER2, in milliseconds; negative: not at all. */
static int32_t fin_wait_ms(const struct socket_options *o)
{
    int32_t seconds = (int32_t)o->linger2_s;

    return seconds < 0 ? -1 : (seconds ? seconds : FIN_TIMEOUT_S) * 1000;
}

void tcp_limit_segments(struct socket *sock)
{
    uint32_t most = sock->options.max_segment;

    if (most && most < sock->tcp->mss)
        sock->tcp->mss = (uint16_t)most;
}

void tcp_set_headers(struct tcp_pcb *pcb, const struct socket_options *o, int family)
{
    pcb->tos = socket_options_tos(o, family);
    pcb->ttl = socket_options_ttl(o, family);
    pcb->least_ttl = socket_options_least_ttl(o, family);
    pcb->netif_hints.mtu_discover = (u8_t)o->mtu_discover;
    pcb->netif_hints.mtu_discover6 = (u8_t)o->mtu_discover6;
}

uint32_t tcp_receive_bytes(const struct socket_options *o)
{
    return o->window_clamp ? min_u32(o->window_clamp, o->receive_buffer_bytes) : o->receive_buffer_bytes;
}

void tcp_options_changed(struct socket *sock)
{
    const struct socket_options *o = &sock->options;
    struct tcp_pcb *pcb = sock->tcp;

    if (pcb == NULL)
        return;
    if (o->no_delay)
        tcp_nagle_disable(pcb);
    else
        tcp_nagle_enable(pcb);
    if (o->keep_alive)
        ip_set_option(pcb, SOF_KEEPALIVE);
    else
        ip_reset_option(pcb, SOF_KEEPALIVE);
    pcb->so_options = (u8_t)((pcb->so_options & ~(DEMUX_SHARES_ADDRESS | DEMUX_SHARES_PORT)) |
                             (o->reuse_addr ? DEMUX_SHARES_ADDRESS : 0) | (o->reuse_port ? DEMUX_SHARES_PORT : 0));
    pcb->keep_idle = o->keep_idle_s * 1000;
    pcb->keep_intvl = o->keep_interval_s * 1000;
    pcb->keep_cnt = o->keep_count;
    pcb->user_timeout_ms = o->user_timeout_ms;
    pcb->fin_wait_ms = fin_wait_ms(o);
    pcb->syn_retries = (uint8_t)o->syn_count; /* 127 at most */
    tcp_set_headers(pcb, o, sock->peer.family);
    pcb->congestion = o->congestion;
    pcb->netif_idx = device_index(o->device);
    if (o->window_clamp || o->receive_buffer_fixed)
        tcp_limit_receive(pcb, tcp_receive_bytes(o));
    if (o->send_buffer_fixed)
        tcp_limit_send(pcb, o->send_buffer_bytes);
    set_quick_ack(pcb, o->ack_at_once);
    if (UNLIKELY(tcp_tells_sent(sock)))
        tcp_tell_sent(sock);
    if (!o->cork && send_queue_bytes(&sock->tx) > 0)
        tcp_drain(sock); /* what a cork held back */
}
