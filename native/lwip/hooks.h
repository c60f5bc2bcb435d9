/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions that lwIP asks its surroundings, and who answers: the control layer sets one table per
 * instance. Every answer may be NULL, then lwIP's own rules decide.
 */
#ifndef PRONGHORN_LWIP_HOOKS_H
#define PRONGHORN_LWIP_HOOKS_H

#include <stdbool.h>

#include "lwip/ip_addr.h"

struct netif;
struct pbuf;
struct tuple;

struct instance_hooks {
    void *context;
    /* the netif that leads to `destination`; `source` may be NULL */
    struct netif *(*ip4_route)(void *context, const ip4_addr_t *source,
                               const ip4_addr_t *destination);
    struct netif *(*ip6_route)(void *context, const ip6_addr_t *source,
                               const ip6_addr_t *destination);
    /* next hop for an address that is not on the netif's link; it must outlive the call */
    const ip4_addr_t *(*ip4_gateway)(void *context, struct netif *netif,
                                     const ip4_addr_t *destination);
    const ip6_addr_t *(*ip6_gateway)(void *context, struct netif *netif,
                                     const ip6_addr_t *destination);
    /* Do the packets of an outgoing connection from this local port come back to this stack by themselves?
     * peer_port is 0 while the peer is unknown: bind(0). */
    bool (*port_comes_home)(void *context, const ip_addr_t *local, uint16_t local_port,
                            const ip_addr_t *peer, uint16_t peer_port);
    /* Put together of fragments, with its IP header: true if it is another stack's, and then it was taken. */
    bool (*is_elsewhere)(struct netif *netif, struct pbuf *packet);
};

/* In a turn. Copied. */
void hooks_set(const struct instance_hooks *hooks);

/* called by lwIP (lwipopts.h) */
struct netif *hook_ip4_route(const ip4_addr_t *source, const ip4_addr_t *destination);
struct netif *hook_ip6_route(const ip6_addr_t *source, const ip6_addr_t *destination);
const ip4_addr_t *hook_ip4_gateway(struct netif *netif, const ip4_addr_t *destination);
const ip6_addr_t *hook_ip6_gateway(struct netif *netif, const ip6_addr_t *destination);
bool hook_is_elsewhere(struct netif *netif, struct pbuf *packet);

struct ip_pcb;
/* The packet at hand has at least the time to live that the PCB asks for (IP_MINTTL). */
bool hook_lives_long_enough(const struct ip_pcb *pcb);

/* called by ports.c */
bool hook_port_comes_home(const struct tuple *tuple);

/* isn.c: initial sequence number, RFC 6528 */
u32_t isn_next(const ip_addr_t *local, u16_t local_port, const ip_addr_t *peer, u16_t peer_port);

#endif
