/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Further IPv4 addresses of a port: lwIP's interface has one, so that each further one is an interface
 * of its own over the same queue, and a received packet is handed to that whose address it is for.
 * All calls run inside the stack's turn.
 */
#ifndef LWIP_NETIF_ALIAS_H
#define LWIP_NETIF_ALIAS_H

#include <stdbool.h>

#include "lwip/netif_port_state.h"

struct rte_mbuf;

/* Room for `count` of them; once, before the first. 0 or -ENOMEM. */
int netif_alias_reserve(struct netif_port *np, unsigned count);
int netif_alias_add(struct netif_port *np, const ip4_addr_t *address, const ip4_addr_t *mask);
void netif_alias_remove_all(struct netif_port *np);
void netif_alias_set_link(struct netif_port *np, bool up);

/* By the destination of IPv4, the target of ARP. The packet may be any, and of any length. */
struct netif *netif_alias_find(struct netif_port *np, const struct rte_mbuf *packet);

/* The interface to hand a received packet to. */
static inline struct netif *netif_alias_for(struct netif_port *np, const struct rte_mbuf *packet)
{
    return LIKELY(np->aliases == 0) ? &np->netif : netif_alias_find(np, packet);
}

#endif
