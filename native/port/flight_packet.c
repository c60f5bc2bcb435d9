/* SPDX-License-Identifier: Apache-2.0 */
#include "port/flight_packet.h"

#include <string.h>

#include <rte_mbuf.h>

static void __attribute__((noinline)) note_any(struct flight_ring *ring, uint16_t port,
                                               enum capture_direction direction, const struct rte_mbuf *packet)
{
    uint32_t snap = ring->slot_bytes - (uint32_t)sizeof(struct flight_record);
    struct flight_record *record = flight_begin(ring, FLIGHT_PACKET, (uint8_t)direction);
    uint8_t *copy = (uint8_t *)(record + 1);
    const void *source;

    record->port = port;
    record->length = packet->pkt_len;
    record->captured = min_u32(packet->pkt_len, snap);
    source = rte_pktmbuf_read(packet, 0, record->captured, copy);
    if (source != copy)
        memcpy(copy, source, record->captured);
    /* (Of the beginning of a packet nobody can tell.) */
    if (packet->pkt_len <= snap)
        capture_complete_checksum(copy, record->captured, packet, direction);
    flight_end(ring);
}

/*
 * Twice for each round trip, so every instruction counts: no loop, no registers to save, the record's three
 * words and a copy of a constant length, which stays inside of the packet's buffer.
 */
void flight_packet(struct flight_ring *ring, uint16_t port, enum capture_direction direction,
                   const struct rte_mbuf *packet)
{
    uint64_t head, what, captured = FLIGHT_SNAP_MIN;
    uint8_t *slot;

    if (UNLIKELY(ring->slot_bytes != FLIGHT_SLOT_MIN || packet->data_len <= FLIGHT_SNAP_MIN)) {
        note_any(ring, port, direction, packet);
        return;
    }
    head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    slot = ring->slot + (head & ring->mask) * FLIGHT_SLOT_MIN;
    what = FLIGHT_PACKET | (uint32_t)direction << 8 | (uint32_t)port << 16 | (uint64_t)packet->pkt_len << 32;
    memcpy(slot, &ring->now_ns, 8);
    memcpy(slot + 8, &what, 8);
    memcpy(slot + 16, &captured, 8);
    memcpy(slot + 24, rte_pktmbuf_mtod(packet, const uint8_t *), FLIGHT_SNAP_MIN);
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    /* (Behind the last slot it is a hint for nothing.) */
    __builtin_prefetch(slot + FLIGHT_SLOT_MIN, 1);
    __builtin_prefetch(slot + FLIGHT_SLOT_MIN + CACHE_LINE, 1);
}
