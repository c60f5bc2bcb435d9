/* SPDX-License-Identifier: Apache-2.0 */
/* TCP_INFO, FIONREAD and SIOCOUTQ: what a connection knows of itself. */
#include <linux/tcp.h>
#include <string.h>

#include "control/address.h"
#include "lwip/tcp_info.h"
#include "socket/tcp.h"
#include "socket/udp.h"
#include "socket/urgent.h"

#define TCPOLEN_TSTAMP_ALIGNED 12u /* RFC 7323, appendix A */

struct info_call {
    struct rpc rpc;
    struct socket *sock;
    struct tcp_snapshot snapshot;
};

static void info_run(struct rpc *rpc)
{
    struct info_call *call = container_of(rpc, struct info_call, rpc);

    if (call->sock->tcp) {
        const struct send_queue *tx = &call->sock->tx;

        tcp_snapshot(call->sock->tcp, &call->snapshot);
        call->snapshot.unsent += (uint32_t)(atomic_load(&tx->written) - tx->queued);
    }
    rpc_finish(rpc);
}

/* Linux numbers the states differently from lwIP (include/net/tcp_states.h of the kernel's API). */
static const uint8_t linux_state[] = {
    [0] = 7 /* CLOSED */,    [1] = 10 /* LISTEN */,     [2] = 2 /* SYN_SENT */,
    [3] = 3 /* SYN_RCVD */,  [4] = 1 /* ESTABLISHED */, [5] = 4 /* FIN_WAIT_1 */,
    [6] = 5 /* FIN_WAIT_2 */, [7] = 8 /* CLOSE_WAIT */, [8] = 11 /* CLOSING */,
    [9] = 9 /* LAST_ACK */,  [10] = 6 /* TIME_WAIT */,
};

void tcp_row(struct socket *sock, struct stats_socket *row)
{
    struct tcp_snapshot s;

    row->recv_queue = (uint32_t)recv_queue_bytes(&sock->rx);
    row->send_queue = (uint32_t)send_queue_bytes(&sock->tx);
    if (sock->tcp == NULL) {
        row->state = linux_state[0];
        return;
    }
    tcp_snapshot(sock->tcp, &s);
    row->state = s.state < sizeof(linux_state) ? linux_state[s.state] : linux_state[0];
    row->rtt_us = s.rtt_us;
    row->rto_us = s.rto_us;
    row->cwnd_bytes = s.cwnd;
    row->ssthresh_bytes = s.ssthresh;
    row->send_window_bytes = s.send_window;
    row->recv_window_bytes = s.receive_window;
    row->mss_bytes = s.mss;
    row->retransmits = s.total_retransmits;
    row->out_of_order = s.out_of_order;
    row->zero_windows = s.zero_windows;
    row->nagle_holds = s.nagle_holds;
    row->delayed_acks = s.delayed_acks;
    row->rx_bytes = s.bytes_received;
    row->tx_bytes = s.bytes_acked;
    row->rx_packets = s.segments_in;
    row->tx_packets = s.segments_out;
}

void tcp_info_fill(struct socket *sock, struct tcp_info *info)
{
    struct info_call call = { .sock = sock };
    const struct tcp_snapshot *s = &call.snapshot;
    struct stack *stack = socket_stack(sock);

    memset(info, 0, sizeof(*info));
    info->tcpi_state = socket_state(sock) == SOCKET_LISTENING ? 10 : 7;
    if (socket_state(sock) == SOCKET_LISTENING)
        return;
    info->tcpi_min_rtt = UINT32_MAX;
    if (stack == NULL)
        return;
    rpc_init(&call.rpc, info_run);
    stack_call(stack, &call.rpc);
    if (s->mss == 0)
        return;
    info->tcpi_state = s->state < sizeof(linux_state) ? linux_state[s->state] : linux_state[0];
    if (info->tcpi_state == 6) /* Linux keeps TIME_WAIT in a place of its own: the socket's connection is over */
        info->tcpi_state = linux_state[0];
    info->tcpi_retransmits = s->retransmits;
    info->tcpi_options = (uint8_t)((s->timestamps ? TCPI_OPT_TIMESTAMPS : 0) |
                                   (s->sack ? TCPI_OPT_SACK : 0) |
                                   (s->window_scale ? TCPI_OPT_WSCALE : 0));
    info->tcpi_snd_wscale = s->send_scale & 15;
    info->tcpi_rcv_wscale = s->receive_scale & 15;
    info->tcpi_rto = s->rto_us;
    /* Linux takes off what each segment bears of options. */
    info->tcpi_snd_mss = info->tcpi_rcv_mss = info->tcpi_advmss =
        s->mss - (s->timestamps ? TCPOLEN_TSTAMP_ALIGNED : 0);
    info->tcpi_pmtu = address_mtu(&sock->peer, true);
    info->tcpi_rtt = s->rtt_us;
    info->tcpi_rttvar = s->rttvar_us;
    info->tcpi_snd_ssthresh = s->ssthresh / s->mss;
    info->tcpi_snd_cwnd = s->cwnd / s->mss;
    info->tcpi_unacked = (s->in_flight + s->mss - 1) / s->mss;
    info->tcpi_total_retrans = s->total_retransmits;
    info->tcpi_rcv_space = s->receive_window;
    info->tcpi_bytes_acked = s->bytes_acked;
    info->tcpi_bytes_received = s->bytes_received;
    info->tcpi_notsent_bytes = s->unsent;
    info->tcpi_segs_in = s->segments_in;
    info->tcpi_segs_out = s->segments_out;
    info->tcpi_snd_wnd = s->send_window;
    info->tcpi_bytes_sent = s->bytes_sent;
    info->tcpi_bytes_retrans = s->bytes_resent;
    info->tcpi_data_segs_in = s->data_segments_in;
    info->tcpi_data_segs_out = s->data_segments_out;
    if (s->least_rtt_us)
        info->tcpi_min_rtt = s->least_rtt_us;
}

int socket_readable_bytes(struct socket *sock)
{
    uint64_t bytes = 0;

    if (socket_state(sock) == SOCKET_LISTENING)
        return -1;
    if (sock->type == SOCK_STREAM) {
        bytes = LIKELY(!urgent_is_set(&sock->rx)) ? recv_queue_bytes(&sock->rx)
                                                  : urgent_readable_bytes(&sock->rx, sock->options.oob_inline);
    } else {
        const struct arrival *next; /* udp(7): the size of the next datagram */

        lock_take(&sock->rx.reader);
        next = recv_queue_datagram(&sock->rx);
        bytes = next ? next->bytes : 0;
        lock_give(&sock->rx.reader);
    }
    return bytes > INT32_MAX ? INT32_MAX : (int)bytes;
}

int socket_not_sent_bytes(struct socket *sock)
{
    struct tcp_info info;

    tcp_info_fill(sock, &info);
    return (int)info.tcpi_notsent_bytes;
}

int socket_unsent_bytes(struct socket *sock)
{
    return (int)send_queue_bytes(&sock->tx) + (sock->type == SOCK_DGRAM ? (int)udp_gathered_bytes(sock) : 0);
}
