/* SPDX-License-Identifier: Apache-2.0 */
/* Path MTU discovery, lwIP's part: how large a packet may be, whether it may be cut on its way, and what a
 * router's answer changes. In a turn. */
#ifndef PRONGHORN_LWIP_PATH_MTU_H
#define PRONGHORN_LWIP_PATH_MTU_H

#include <stdbool.h>
#include <stdint.h>

#include "lwip/ip_addr.h"
#include "lwip/paths.h"

struct netif;
struct tcp_pcb;

/* Called by lwIP (our patches): the most that leaves in one piece, 0: no limit; with IPv4 the header's flags
 * (host byte order) for a packet of `bytes`. The options are those of netif->hints. */
uint16_t path_mtu_out4(const struct netif *netif, const ip4_addr_t *to, uint16_t bytes, uint8_t protocol,
                       uint16_t *flags);
uint16_t path_mtu_out6(const struct netif *netif, const ip6_addr_t *to);
/* ... and how large the pieces are when it is cut (IPV6_MTU). */
uint16_t path_mtu_pieces6(const struct netif *netif, const ip6_addr_t *to);

/* Towards `to`, by what is known now. `netif` may be NULL. */
uint16_t path_mtu(const struct netif *netif, const ip_addr_t *to);
/* A router told so, in a message that quotes a packet of ours. False: not believed, or no news. */
bool path_mtu_learn(const ip_addr_t *to, uint32_t told);
/* The same of a segment that is on its way: the connection goes on with smaller ones. */
void path_mtu_tcp(struct tcp_pcb *pcb, uint32_t told);

#endif
