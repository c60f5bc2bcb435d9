/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several stacks behind one port: which of them a received packet is for, and how it gets there.
 *
 * A device spreads flows over its queues by a hash of its own, so that the answers to a connection
 * that we opened may arrive on another stack's queue. Where the hash is known (port_rss_queue), a local
 * port is chosen whose answers come home. Where it is not, and for ports that a user bound: each local
 * TCP port number that is used for connecting belongs to one stack (control/steer.h); a packet that
 * arrives elsewhere is handed to it through a ring, checked and unchanged. ARP replies and neighbour
 * advertisements go to all stacks, for each has a table of its own. An ICMP
 * error goes to the stack whose TCP segment it quotes. The fragments of a datagram go to one stack,
 * whichever queues they come on. Everything else is served where it arrived: listeners and
 * UDP sockets are on all stacks.
 *
 * Incoming connections may stay where they arrive only if all their packets do. A card's RSS promises
 * that; the queues of virtual devices don't (the kernel's fanout and multi-queue follow the sender's
 * transmit hash, which changes when it repeats a segment). There TCP is spread by a hash of our own.
 */
#ifndef LWIP_NETIF_STEER_H
#define LWIP_NETIF_STEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ring.h"
#include "lwip/ip_addr.h"

struct doorbell;
struct netif_port;
struct netif_steer;
struct rte_mbuf;

#define NETIF_STEER_SLOTS 256

/*
 * Joins the netif_ports of one port once, before they are driven: members[i] belongs to the stack
 * with number stacks[i]. owner_of_port[TCP port]: 0 anyone, else a stack's number + 1; read on each
 * packet. `by_hash`: the device does not keep a flow on one queue. 0 or -ENOMEM.
 */
struct netif_steer_member {
    struct netif_port *port;
    struct doorbell *bell;
    unsigned stack;
};
int netif_steer_join(const struct netif_steer_member *members, unsigned count,
                     const uint8_t *owner_of_port, bool by_hash);
void netif_steer_leave(struct netif_port *port);

/*
 * Whether the answers to a connection from here to there arrive on this stack's own queue, as far as is
 * known; an instance's hook (hooks.h).
 */
bool netif_steer_comes_home(void *context, const ip_addr_t *local, uint16_t local_port, const ip_addr_t *peer,
                            uint16_t peer_port);

/* True: the packet was taken (handed over, or dropped and counted because the other is behind). */
bool netif_steer_out(struct netif_steer *steer, struct rte_mbuf *packet);
/* Whether lwIP must still check the packet, once it is whole: packet_check() could not. */
bool netif_steer_is_fragment(const struct rte_mbuf *packet);
/* The next packet that another stack handed over, or NULL. */
struct rte_mbuf *netif_steer_in(struct netif_steer *steer);

#endif
