/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a send through lwIP and packet.c, up to where the packet would be handed to the device; it
 * is freed there. For whoever sends rarely and wants the code and the data of that way in the caches.
 * In the stack's turn. Nothing of the connection changes: TCP runs on a copy of the PCB.
 *
 * Where the next hop is not known yet the way ends in front of the IP layer: the packet would wait there for an
 * answer, and then be sent.
 */
#ifndef PRONGHORN_LWIP_WARM_H
#define PRONGHORN_LWIP_WARM_H

#include <stdbool.h>
#include <stdint.h>

struct tcp_pcb;
struct udp_pcb;

/* `data` lies in a send chunk, as it would for a real send by reference. */
void warm_tcp(struct tcp_pcb *pcb, const void *data, uint16_t bytes);

struct warm_peer {
    const void *address; /* 4 bytes, or 16, in network order */
    bool ip6;
    uint32_t scope; /* IPv6: of a link-local address */
    uint16_t port;
};
void warm_udp(struct udp_pcb *pcb, const void *data, uint16_t bytes, const struct warm_peer *peer);

#endif
