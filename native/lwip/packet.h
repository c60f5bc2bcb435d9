/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A packet is an mbuf to DPDK and a pbuf to lwIP; the pbuf's header lies in the mbuf's private area,
 * so that neither direction allocates.
 *
 * Receive: the pbuf chain owns the mbuf chain; freeing the last reference to a pbuf frees its mbuf.
 * Send: packet_to_mbuf() borrows the pbuf (lwIP keeps it for retransmission) and gives a new mbuf
 * chain: headers are always copied into a fresh mbuf, because lwIP rewrites the header of a segment
 * it sends again, maybe while the card still reads the first copy. Payload that lies in a chunk is
 * attached by reference, the rest is copied.
 */
#ifndef LWIP_PACKET_H
#define LWIP_PACKET_H

#include <stdbool.h>
#include <stdint.h>

struct netif_port;
struct pbuf;
struct rte_mbuf;
struct rte_mempool;

/* Private area of every mbuf; holds the pbuf_custom. */
#define PACKET_PRIV_BYTES 64

/* Shorter payload is copied: a second mbuf and its reference cost more. Measured by bench/. */
#define PACKET_COPY_MAX 256

/* A pool of `count` packets with `data_bytes` of room each; NULL when the arena is full. */
struct rte_mempool *packet_pool_create(const char *name, unsigned count, uint32_t data_bytes,
                                       int numa_node);
void packet_pool_destroy(struct rte_mempool *pool);

/* Packets that somebody holds; exact while nobody takes or gives any. */
unsigned packet_pool_in_use(const struct rte_mempool *pool);

/*
 * For a received packet that may lie long in a socket's queue: takes it, and gives it back as it is
 * as long as a quarter of the pool that it came from is free (over a wire that is the sender's pool);
 * then one with the same payload in the instance's memory, so that its mbufs go home. The same packet
 * also when there is no memory for that.
 */
struct pbuf *packet_keep(struct pbuf *packet);

/* Takes the mbuf chain; the pbuf chain (reference count 1) over the same memory. Never fails. */
struct pbuf *packet_from_mbuf(struct rte_mbuf *mbuf);

/* Lends the pbuf chain; *out is the caller's. 0 or -ENOMEM (nothing taken). */
int packet_to_mbuf(struct netif_port *netif_port, struct pbuf *pbuf, struct rte_mbuf **out);

/*
 * Lends the pbuf chain: its bytes from `skip` on (within the first pbuf) are added to the packet, whose
 * last mbuf is and will be *last. 0, or -ENOMEM and the packet is as before.
 */
int packet_append(struct netif_port *netif_port, struct rte_mbuf *packet, struct rte_mbuf **last,
                  const struct pbuf *pbuf, uint16_t skip);

#endif
