/* SPDX-License-Identifier: Apache-2.0 */
/* Packets on their way into the flight recorder (stats/flight.h). In a turn. */
#ifndef PORT_FLIGHT_PACKET_H
#define PORT_FLIGHT_PACKET_H

#include "port/capture_ring.h"
#include "stats/flight.h"

struct rte_mbuf;

void flight_packet(struct flight_ring *ring, uint16_t port, enum capture_direction direction,
                   const struct rte_mbuf *packet);

#endif
