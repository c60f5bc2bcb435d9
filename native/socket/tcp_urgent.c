/* SPDX-License-Identifier: Apache-2.0 */
/* The stack's half of urgent data (urgent.h): sequence numbers and positions of the stream. */
#include "socket/urgent.h"

#include "lwip/tcp.h"
#include "socket/async.h"
#include "socket/ready.h"
#include "socket/tcp_hooks.h"

/* What lwIP has received in order, and the socket not yet. */
static uint64_t on_the_way(const struct tcp_pcb *pcb)
{
    return pcb->refused_data ? pcb->refused_data->tot_len : 0;
}

void tcp_on_urgent(struct tcp_pcb *pcb, void *data, u32_t at, const struct pbuf *p, u32_t seq)
{
    struct socket *sock = data;
    struct recv_queue *rx;
    uint64_t received;

    if (sock == NULL || sock->tcp != pcb || socket_has(sock, SOCKET_ORPHAN))
        return;
    rx = &sock->rx;
    /* rcv_nxt, as the stream counts. */
    received = atomic_load_explicit(&rx->received, memory_order_relaxed) + on_the_way(pcb);
    if (!urgent_announce(rx, received + (at - pcb->rcv_nxt), sock->options.oob_inline))
        return;
    /* A segment that came before others tells the byte already, as the kernel has it. */
    if (at - seq < p->tot_len && urgent_look(rx, received + (uint64_t)(int32_t)(seq - pcb->rcv_nxt), p))
        ready_raise(sock, socket_stack(sock), EPOLLIN | EPOLLPRI);
    if (UNLIKELY(atomic_load_explicit(&sock->async, memory_order_relaxed) != NULL))
        async_urgent(sock); /* its handler may ask for the byte at once */
}

void tcp_send_urgent(struct socket *sock)
{
    uint64_t behind = atomic_load_explicit(&sock->tx.urgent, memory_order_relaxed);

    tcp_urgent(sock->tcp, sock->tcp->snd_lbb + (uint32_t)(behind - sock->tx.queued));
}
