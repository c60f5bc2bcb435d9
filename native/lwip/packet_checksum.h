/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums of whole packets, where the device does not do them. Data path. */
#ifndef LWIP_PACKET_CHECKSUM_H
#define LWIP_PACKET_CHECKSUM_H

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;

enum packet_verdict {
    PACKET_GOOD,       /* nothing more to check for lwIP, but ICMP */
    PACKET_FRAGMENT,   /* lwIP has to check it when it is whole; also unusual IPv6 headers */
    PACKET_OTHER,      /* not IP */
    PACKET_MALFORMED,  /* shorter than its headers say */
    PACKET_BAD_IP,
    PACKET_BAD_TCP,
    PACKET_BAD_UDP,
    PACKET_PARTIAL_TCP, /* only the pseudo-header is summed: the peer leaves the rest to its card */
    PACKET_PARTIAL_UDP,
};

/* Judges a received frame by what the device says and else by its bytes. */
enum packet_verdict packet_check(const struct rte_mbuf *packet, bool skip_l4);

/*
 * The checksum of a TCP segment or UDP datagram to be sent, which lwIP leaves to us: asks the device
 * for it if it can (`offloads`, enum port_offload), or sums it up here. All others are there already:
 * those of ICMP and IGMP, and of what IP has cut (fragment_checksum.c).
 */
void packet_sum(struct rte_mbuf *packet, uint32_t offloads);

/* Of a TCP segment whose IP header this is, without its length: what a device that cuts it begins with. */
uint16_t packet_pseudo_sum(const uint8_t *ip);

#endif
