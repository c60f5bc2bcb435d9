/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack's half of a TCP socket (tcp.c, the only user of lwIP's PCBs beside tcp_listen.c) as the
 * application's half (tcp_calls.c, tcp_connect.c) and the listener call it. All in the stack's context.
 */
#ifndef SOCKET_TCP_H
#define SOCKET_TCP_H

#include "socket/socket.h"

/* Makes the PCB, binds it to sock->local as far as set, sends the SYN to sock->peer. 0 or -errno. */
int tcp_start(struct socket *sock, struct stack *stack);

/* Its socket's id in the statistics; 0: it has none (yet). The stack. */
uint64_t tcp_socket_id(const struct tcp_pcb *pcb);

/* Takes over an established PCB (accept). */
void tcp_adopt(struct socket *sock, struct stack *stack, struct tcp_pcb *pcb);

/* connect(2) with AF_UNSPEC: a RST where there is a peer, empty queues, SOCKET_IDLE. */
void tcp_disconnect(struct socket *sock);

/* The PCB answers RST and is gone; nobody is told. */
void tcp_drop(struct socket *sock);

void tcp_drain(struct socket *sock);
void tcp_close_socket(struct socket *sock, struct stack *stack);
void tcp_options_changed(struct socket *sock);

/* struct tcp_info from our own PCB; zeros where the stack does not know. */
struct tcp_info;
void tcp_info_fill(struct socket *sock, struct tcp_info *info);

/* ops->row */
struct stats_socket;
void tcp_row(struct socket *sock, struct stats_socket *row);

/* The application's half. */
uint32_t tcp_events(struct socket *sock);
/* Under sock->lock: the socket is neither connected nor listening any more. */
void tcp_give_port_back(struct socket *sock);
int tcp_listen_call(struct socket *sock, int backlog);
/* The options of a listener, on each stack where it listens. */
void tcp_listen_options_changed(struct socket *sock);
int tcp_connect_call(struct socket *sock, const struct endpoint *peer, bool take_away);
int tcp_shutdown_call(struct socket *sock, int how);
int tcp_err_to_errno(int err);

/*
 * How many connections may wait: one more than listen(2) is told, as in the kernel; negative numbers
 * are large ones. tcp.backlog_max is the counterpart of SOMAXCONN.
 */
static inline uint32_t tcp_backlog_clamp(int backlog)
{
    return 1 + ((uint32_t)backlog > socket_limits.backlog_max ? socket_limits.backlog_max
                                                              : (uint32_t)backlog);
}

#endif
