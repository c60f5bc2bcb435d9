/* SPDX-License-Identifier: Apache-2.0 */
/* The stack's half of a UDP socket (udp.c, udp_drain.c) as the application's half (udp_calls.c) calls it. */
#ifndef SOCKET_UDP_H
#define SOCKET_UDP_H

#include "socket/socket.h"

struct udp_end { /* one stack's part; lwIP's argument */
    struct socket *sock;
    struct stack *stack;
    struct udp_pcb *pcb;
    bool has_way; /* an option says by which interface datagrams leave */
    uint64_t packets_in, bytes_in, drops, packets_out, bytes_out; /* for the statistics */
};

/* In each stack's context. */

/* Opens the PCB on this stack, bound to sock->binding.local. 0 or -errno. */
int udp_open(struct socket *sock, struct stack *stack);
/* SO_BINDTODEVICE as it is now. */
int udp_bind_device(struct socket *sock, struct stack *stack);
/* Sets sock->peer as default peer and filter (family 0: takes both away). 0 or -errno. */
int udp_set_peer(struct socket *sock, struct stack *stack);
/* The PCB goes, the socket stays: it has given its port back. */
int udp_unbind(struct socket *sock, struct stack *stack);
void udp_close_end(struct socket *sock, struct stack *stack);
void udp_row(struct socket *sock, struct stats_socket *row);
/* In the home stack's: another stack's memory goes back to it. */
void udp_return_arrival(struct arrival *a);
/* udp_drain.c: sends what waits, and returns what was read; the options, for what is sent from now on. */
void udp_drain(struct socket *sock);
void udp_options_changed(struct socket *sock);

/* Under sock->lock: an ephemeral port for a socket that sends or connects before bind(). */
int udp_autobind(struct socket *sock, const struct endpoint *towards);
/* SO_BINDTODEVICE is another: on each stack. */
void udp_device_changed(struct socket *sock);
/* Those of the socket's stacks, or of all, from which its datagrams can go there. */
uint64_t udp_stacks_to(const struct socket *sock, const struct endpoint *to);
/* May a socket that is bound as this one is speak to the address's family? */
bool udp_family_fits(const struct socket *sock, const struct endpoint *to);
/* ops->send */
ssize_t udp_send_call(struct socket *sock, const struct msghdr *msg, int flags);
/* Of a datagram that MSG_MORE has begun, with its record: 0 is that there is none. */
uint32_t udp_gathered_bytes(struct socket *sock);

enum udp_wish_what { /* as struct multicast_wish has them */
    WISH_JOIN,
    WISH_LEAVE,
    WISH_JOIN_SOURCE,
    WISH_LEAVE_SOURCE,
    WISH_BLOCK_SOURCE,
    WISH_UNBLOCK_SOURCE,
};

struct udp_wish {
    enum udp_wish_what what;
    struct endpoint group, source;
    struct endpoint interface; /* that has this address; any: see index */
    uint32_t index;            /* its number; 0: all interfaces */
};

/* Changes what the socket receives of multicast groups, here. NULL: leaves them all. 0 or -errno. */
int udp_membership(struct socket *sock, struct stack *stack, const struct udp_wish *wish);

/* Application: where a datagram goes and whether it may, and what its control messages choose: 0 or -errno. */
struct msghdr;
int udp_resolve(struct socket *sock, const struct msghdr *msg, size_t bytes, struct send_record *record,
                struct send_choice *choice);
/* By which interface the options want it to leave; 0: as routes say. */
static inline unsigned udp_way_of(const struct socket *sock, const struct endpoint *to)
{
    const struct socket_options *o = &sock->options;

    if (LIKELY((o->device | o->unicast_device | o->unicast_device6) == 0))
        return 0;
    if (o->device)
        return o->device;
    return endpoint_is_multicast(to) ? 0 : socket_options_unicast_device(o, to->family);
}
/* udp_control.c: the control messages of what goes to an address of `family`; whether a route bears the choice. */
int udp_control(struct socket *sock, const struct msghdr *msg, int family, struct send_choice *choice);
int udp_control_route(struct socket *sock, const struct send_choice *choice);

/* stack->take_back: arrivals that another stack's application is through with. */
void udp_take_back(struct stack *stack, struct mpsc_node *returned);

#endif
