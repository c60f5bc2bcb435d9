/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments of one connection that leave one behind the other become one large frame, which the device
 * cuts again (TSO). lwIP knows nothing of it: a segment that it sends is added to the last frame that
 * waits for the device, if it goes on where that ends and its headers are the same. So retransmission,
 * congestion control and pacing see segments, and ports without TSO pay one branch.
 *
 * The frame is the queue's, as each packet that was put (port/burst.h); it is extended only while it is
 * the last one that waits, and never once captures or faults hang on the queue: they see segments.
 */
#ifndef LWIP_PACKET_MERGE_H
#define LWIP_PACKET_MERGE_H

#include <stdbool.h>
#include <stdint.h>

struct netif_port;
struct pbuf;
struct rte_mbuf;

/* The frame that can be extended; cleared with each flush. */
struct packet_merge {
    struct rte_mbuf *packet; /* NULL: none */
    struct rte_mbuf *last;   /* of its mbufs */
    uint32_t next_seq;       /* what it goes on with */
    uint16_t segment_bytes;  /* the payload of each of its segments */
    uint16_t header_bytes;   /* from the Ethernet header to TCP's options */
    uint16_t tcp;            /* where TCP's header begins */
};

/* Lends the segment. True: it leaves with the frame before it. */
bool packet_merge(struct netif_port *netif_port, const struct pbuf *segment);

/* The packet was put; what follows may be merged into it. */
void packet_merge_begin(struct netif_port *netif_port, struct rte_mbuf *packet);

#endif
