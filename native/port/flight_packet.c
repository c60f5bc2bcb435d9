/* SPDX-License-Identifier: Apache-2.0 */
#include "port/flight_packet.h"

#include <string.h>

#include <rte_mbuf.h>

void flight_packets(struct flight_ring *ring, uint16_t port, struct rte_mbuf *const *packets, unsigned count,
                    enum capture_direction direction)
{
    uint32_t snap = ring->slot_bytes - (uint32_t)sizeof(struct flight_record);

    for (unsigned i = 0; i < count; i++) {
        struct rte_mbuf *packet = packets[i];
        struct flight_record *record = flight_begin(ring, FLIGHT_PACKET, (uint8_t)direction);
        uint8_t *copy = (uint8_t *)(record + 1);

        record->port = port;
        record->length = packet->pkt_len;
        record->captured = min_u32(packet->pkt_len, snap);
        /* A copy of a constant length is a few instructions; it stays inside of the packet's buffer. */
        if (LIKELY(snap == FLIGHT_SNAP_MIN && packet->data_len >= FLIGHT_SNAP_MIN)) {
            memcpy(copy, rte_pktmbuf_mtod(packet, const uint8_t *), FLIGHT_SNAP_MIN);
        } else {
            const void *source = rte_pktmbuf_read(packet, 0, record->captured, copy);

            if (source != copy)
                memcpy(copy, source, record->captured);
        }
        /* (Of the beginning of a packet nobody can tell.) */
        if (packet->pkt_len <= snap)
            capture_complete_checksum(copy, record->captured, packet, direction);
        flight_end(ring);
    }
}
