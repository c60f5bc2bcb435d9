/* SPDX-License-Identifier: Apache-2.0 */
/* struct netif_port itself, for netif_port.c and packet.c only. */
#ifndef LWIP_NETIF_PORT_STATE_H
#define LWIP_NETIF_PORT_STATE_H

#include <stdbool.h>
#include <stdint.h>

/* DPDK's headers take in libc's, whose struct ip6_hdr bears the name of lwIP's. */
#define ip6_hdr libc_ip6_hdr
#include <netinet/ip6.h>
#undef ip6_hdr

#include "base/compiler.h"
#include "lwip/ip_addr.h"
#include "lwip/netif.h"
#include "lwip/stats.h"
/* lwIP's macro has the name of ours. */
#undef STATS_INC
#include "lwip/packet_merge.h"
#include "platform/chunk.h"
#include "port/burst.h"
#include "port/port.h"
#include "stats/stats.h"

struct netif_port {
    struct netif netif; /* lwIP's list points here: never moves */
    struct netif *alias; /* one for each further IPv4 address, netif_alias.c; by alias->state they are np's */
    unsigned aliases;
    struct port_queue *queue;
    struct rte_mempool *packets;
    struct chunk_pool *chunks;
    struct stats_stack *stats;
    bool multi_segs, skip_l4;
    struct packet_merge merge;
    bool mute; /* what goes out is freed instead (warm.c) */
    struct port *port;
    uint32_t moves; /* of the port, as last seen */
    uint64_t link_due_us; /* when to look at the link again */
    struct netif_steer *steer; /* the port serves several stacks; else NULL */
    bool has_gateway6;
    ip6_addr_t gateway6;
};

#endif
