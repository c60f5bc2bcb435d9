/* SPDX-License-Identifier: Apache-2.0 */
/* The stack's half of a UDP socket (udp.c) as the application's half (udp_calls.c) calls it. */
#ifndef SOCKET_UDP_H
#define SOCKET_UDP_H

#include "socket/socket.h"

struct udp_end { /* one stack's part; lwIP's argument */
    struct socket *sock;
    struct stack *stack;
    struct udp_pcb *pcb;
    uint64_t packets_in, bytes_in, drops, packets_out, bytes_out; /* for the statistics */
};

/* In each stack's context. */

/* Opens the PCB on this stack, bound to sock->binding.local. 0 or -errno. */
int udp_open(struct socket *sock, struct stack *stack);
/* Sets sock->peer as default peer and filter (family 0: takes both away). 0 or -errno. */
int udp_set_peer(struct socket *sock, struct stack *stack);
/* The PCB goes, the socket stays: it has given its port back. */
int udp_unbind(struct socket *sock, struct stack *stack);
void udp_close_end(struct socket *sock, struct stack *stack);
void udp_drain(struct socket *sock);
void udp_options_changed(struct socket *sock);
void udp_row(struct socket *sock, struct stats_socket *row);

/* Under sock->lock: an ephemeral port for a socket that sends or connects before bind(). */
int udp_autobind(struct socket *sock, const struct endpoint *towards);
/* May a socket that is bound as this one is speak to the address's family? */
bool udp_family_fits(const struct socket *sock, const struct endpoint *to);
/* ops->send */
ssize_t udp_send_call(struct socket *sock, const struct msghdr *msg, int flags);

/* Joins or leaves a multicast group on the interface with that address (any: all). 0 or -errno. */
int udp_membership(const struct endpoint *group_address, const struct endpoint *interface, bool join);

/* Application: where a datagram goes and whether it may: 0 or -errno. */
struct msghdr;
int udp_resolve(struct socket *sock, const struct msghdr *msg, size_t bytes, struct send_record *record);

/* stack->take_back: arrivals that another stack's application is through with. */
void udp_take_back(struct mpsc_node *returned);

#endif
