/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the stack's half of a TCP socket; nobody else includes it. */
#ifndef SOCKET_TCP_HOOKS_H
#define SOCKET_TCP_HOOKS_H

#include "lwip/tcp.h"
#include "socket/socket.h"

/* Makes the socket the PCB's: argument, callbacks, options. */
void tcp_hook(struct socket *sock, struct tcp_pcb *pcb);
/* Takes the PCB from the socket; it goes on alone, or is freed by the caller. */
void tcp_unhook(struct socket *sock);

/* lwIP's callback: the handshake of an active open is through. */
err_t tcp_on_connected(void *arg, struct tcp_pcb *pcb, err_t err);

/* lwIP's callback: the peer names the urgent byte (urgent.h). */
void tcp_on_urgent(struct tcp_pcb *pcb, void *data, u32_t at, const struct pbuf *p, u32_t seq);
/* An urgent byte was written and the FIN was not: the PCB is told. */
void tcp_send_urgent(struct socket *sock);

/* TTLs, type of service and path MTU discovery, as the options have them for peers of that family. */
struct tcp_pcb;
void tcp_set_headers(struct tcp_pcb *pcb, const struct socket_options *o, int family);

/* SO_RCVBUF and TCP_WINDOW_CLAMP. */
uint32_t tcp_receive_bytes(const struct socket_options *o);

/* A new connection: TCP_MAXSEG, as far as it is ours to keep. */
void tcp_limit_segments(struct socket *sock);

/* TCP_NOTSENT_LOWAT is set: the stack says how far the stream has been sent, after each output pass. */
static inline bool tcp_tells_sent(const struct socket *sock)
{
    return atomic_load_explicit(&sock->tx.not_sent_limit, memory_order_relaxed) != 0;
}
void tcp_tell_sent(struct socket *sock);

/* After each output pass; looks at the buffers once per round trip. */
void tcp_tune(struct socket *sock);

#endif
