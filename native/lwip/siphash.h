/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-2-4 (Aumasson, Bernstein 2012) over whole 64-bit words, keyed by the instance's secret:
 * who does not know the key can neither guess sequence numbers and ports nor fill one hash bucket.
 */
#ifndef PRONGHORN_LWIP_SIPHASH_H
#define PRONGHORN_LWIP_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#include "lwip/ip_addr.h"

struct tuple {
    const ip_addr_t *local;
    const ip_addr_t *peer;
    uint16_t local_port; /* host byte order, as in PCBs */
    uint16_t peer_port;
};

/* The four-tuple as numbers; an IPv4 address differs from every IPv6 one. */
static inline void tuple_words(const struct tuple *tuple, uint64_t words[5])
{
    const ip_addr_t *local = tuple->local, *peer = tuple->peer;

    if (IP_IS_V6(local)) {
        words[0] = (uint64_t)ip_2_ip6(local)->addr[0] << 32 | ip_2_ip6(local)->addr[1];
        words[1] = (uint64_t)ip_2_ip6(local)->addr[2] << 32 | ip_2_ip6(local)->addr[3];
    } else {
        words[0] = 4;
        words[1] = ip4_addr_get_u32(ip_2_ip4(local));
    }
    if (IP_IS_V6(peer)) {
        words[2] = (uint64_t)ip_2_ip6(peer)->addr[0] << 32 | ip_2_ip6(peer)->addr[1];
        words[3] = (uint64_t)ip_2_ip6(peer)->addr[2] << 32 | ip_2_ip6(peer)->addr[3];
    } else {
        words[2] = 4;
        words[3] = ip4_addr_get_u32(ip_2_ip4(peer));
    }
    words[4] = (uint64_t)tuple->local_port << 16 | tuple->peer_port;
}

/* In a turn. */
uint64_t siphash(const uint64_t *words, size_t count);
void siphash_start(const uint8_t secret[16]);

#endif
