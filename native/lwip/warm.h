/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a send through lwIP and packet.c, up to where the packet would be handed to the device; it
 * is freed there. For whoever sends rarely and wants the code and the data of that way in the caches.
 * In the stack's turn. Nothing of the connection changes: TCP runs on a copy of the PCB.
 *
 * Where the next hop is not known yet, or is looked up by neighbour discovery (IPv6), the way ends in
 * front of the IP layer: the packet would wait there for an answer, and then be sent.
 */
#ifndef PRONGHORN_LWIP_WARM_H
#define PRONGHORN_LWIP_WARM_H

#include <stdint.h>

struct endpoint;
struct tcp_pcb;
struct udp_pcb;

/* `data` lies in a send chunk, as it would for a real send by reference. */
void warm_tcp(struct tcp_pcb *pcb, const void *data, uint16_t bytes);
/* `address`: 4 bytes, network order. */
void warm_udp4(struct udp_pcb *pcb, const void *data, uint16_t bytes, const void *address, uint16_t port);

#endif
