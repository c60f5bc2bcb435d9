/* SPDX-License-Identifier: Apache-2.0 */
#include "port/capture_ring.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_net.h>

/* What a filter may look at of a packet in several pieces. */
#define FILTER_BYTES 2048

struct capture_ring *capture_ring_create(const struct capture_settings *settings)
{
    struct capture_ring *ring = aligned_alloc(CACHE_LINE, sizeof(*ring));

    if (ring == NULL)
        return NULL;
    memset(ring, 0, sizeof(*ring));
    ring->size = settings->ring_bytes;
    ring->snap_bytes = settings->snap_bytes;
    ring->directions = settings->directions;
    ring->overwrite = settings->overwrite;
    ring->filter = settings->filter;
    ring->program = settings->program;
    ring->data = malloc(settings->ring_bytes);
    if (ring->data != NULL)
        return ring;
    free(ring);
    return NULL;
}

void capture_ring_destroy(struct capture_ring *ring)
{
    if (ring == NULL)
        return;
    free(ring->data);
    free(ring);
}

uint64_t capture_time_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct capture_record *record_at(struct capture_ring *ring, uint64_t position)
{
    return (struct capture_record *)(ring->data + (position & (ring->size - 1)));
}

/* The room for a record of `bytes` in one piece, or NULL. Moves head over the ring's end if it must. */
static struct capture_record *room_for(struct capture_ring *ring, uint32_t bytes)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint32_t to_end = ring->size - (uint32_t)(head & (ring->size - 1));
    uint64_t need = bytes <= to_end ? bytes : to_end + bytes;

    if (bytes > ring->size / 2)
        return NULL;
    if (ring->overwrite) {
        while (head + need - ring->oldest > ring->size)
            ring->oldest += record_at(ring, ring->oldest)->bytes;
    } else if (head + need - atomic_load_explicit(&ring->tail, memory_order_acquire) > ring->size) {
        return NULL;
    }
    if (bytes > to_end) {
        *(uint32_t *)record_at(ring, head) = to_end;
        if (to_end >= 8)
            ((uint32_t *)record_at(ring, head))[1] = CAPTURE_SKIP;
        head += to_end;
        atomic_store_explicit(&ring->head, head, memory_order_release);
    }
    return record_at(ring, head);
}

/*
 * Where the TCP or UDP header begins (and, in `l2`, the IP header) of a packet whose checksum another fills
 * in: a device that it goes to, or nobody, because it came over memory and was whole (virtio's NEEDS_CSUM).
 * 0: it has one already.
 */
static uint32_t unsummed(const struct rte_mbuf *packet, enum capture_direction direction, uint32_t *l2, bool *udp)
{
    uint64_t left = packet->ol_flags & RTE_MBUF_F_TX_L4_MASK;
    struct rte_net_hdr_lens lengths;
    uint32_t type;

    *l2 = packet->l2_len;
    if (direction == CAPTURE_OUT) {
        *udp = left == RTE_MBUF_F_TX_UDP_CKSUM;
        return *udp || left == RTE_MBUF_F_TX_TCP_CKSUM ? packet->l2_len + packet->l3_len : 0;
    }
    if ((packet->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) != RTE_MBUF_F_RX_L4_CKSUM_NONE)
        return 0;
    type = rte_net_get_ptype(packet, &lengths, RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK | RTE_PTYPE_L4_MASK);
    *l2 = lengths.l2_len;
    *udp = (type & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_UDP;
    return *udp || (type & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_TCP ? lengths.l2_len + lengths.l3_len : 0;
}

/*
 * What the field must hold for the sum over all to be right, as RFC 9293 has the pseudo-header. Peers leave
 * its length out of frames that are to be cut.
 */
static uint16_t pseudo_sum(const uint8_t *bytes, uint32_t l2, uint32_t l4, uint16_t field)
{
    if (bytes[l2] >> 4 == 4)
        return rte_ipv4_phdr_cksum((const struct rte_ipv4_hdr *)(bytes + l2), 0);
    /* (With extension headers it would be another protocol's.) */
    return l4 - l2 == sizeof(struct rte_ipv6_hdr) ? rte_ipv6_phdr_cksum((const struct rte_ipv6_hdr *)(bytes + l2), 0)
                                                  : field;
}

void capture_complete_checksum(uint8_t *bytes, uint32_t captured, const struct rte_mbuf *packet,
                               enum capture_direction direction)
{
    bool udp = false;
    uint32_t l2, l4 = unsummed(packet, direction, &l2, &udp), at = l4 + (udp ? 6 : 16);
    uint16_t sum, field;

    if (l4 == 0 || at + 2 > captured)
        return;
    /* The field holds the sum of the pseudo-header: summing over it gives the whole. */
    if (rte_raw_cksum_mbuf(packet, l4, packet->pkt_len - l4, &sum) != 0)
        return;
    if (direction == CAPTURE_IN && (packet->ol_flags & RTE_MBUF_F_RX_LRO)) {
        uint32_t whole = sum;

        memcpy(&field, bytes + at, 2);
        whole += (uint16_t)~field;
        whole += pseudo_sum(bytes, l2, l4, field);
        whole = (whole & 0xffff) + (whole >> 16);
        sum = (uint16_t)((whole & 0xffff) + (whole >> 16));
    }
    sum = (uint16_t)~sum;
    if (sum == 0 && udp)
        sum = 0xffff; /* RFC 768: 0 is none */
    memcpy(bytes + at, &sum, 2);
}

static bool wanted(const struct capture_ring *ring, const struct rte_mbuf *packet)
{
    uint8_t beginning[FILTER_BYTES];
    uint32_t captured = min_u32(packet->pkt_len, FILTER_BYTES);
    const uint8_t *bytes;

    if (ring->filter == NULL)
        return true;
    if (packet->data_len == packet->pkt_len)
        captured = packet->pkt_len;
    bytes = rte_pktmbuf_read(packet, 0, captured, beginning);
    return bytes != NULL && ring->filter(ring->program, bytes, packet->pkt_len, captured);
}

void capture_packet(struct capture_ring *ring, const struct rte_mbuf *packet, enum capture_direction direction,
                    uint64_t time_ns)
{
    uint32_t captured = min_u32(packet->pkt_len, ring->snap_bytes);
    uint32_t bytes = (uint32_t)align_up(sizeof(struct capture_record) + captured, 8);
    struct capture_record *record;
    const void *source;

    if (!(ring->directions & direction) || !wanted(ring, packet))
        return;
    atomic_store_explicit(&ring->seen, ring->seen + 1, memory_order_relaxed);
    record = room_for(ring, bytes);
    if (record == NULL) {
        atomic_store_explicit(&ring->missed, ring->missed + 1, memory_order_relaxed);
        return;
    }
    *record = (struct capture_record){ .bytes = bytes, .captured = captured, .length = packet->pkt_len,
                                       .direction = direction, .time_ns = time_ns };
    source = rte_pktmbuf_read(packet, 0, captured, record + 1);
    if (source != record + 1)
        memcpy(record + 1, source, captured);
    capture_complete_checksum((uint8_t *)(record + 1), captured, packet, direction);
    atomic_store_explicit(&ring->head, atomic_load_explicit(&ring->head, memory_order_relaxed) + bytes,
                          memory_order_release);
}

const struct capture_record *capture_ring_peek(struct capture_ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    if (ring->overwrite && tail < ring->oldest)
        tail = ring->oldest;
    while (tail != atomic_load_explicit(&ring->head, memory_order_acquire)) {
        const struct capture_record *record = record_at(ring, tail);

        if (record->captured != CAPTURE_SKIP) {
            atomic_store_explicit(&ring->tail, tail, memory_order_release);
            return record;
        }
        tail += record->bytes;
        atomic_store_explicit(&ring->tail, tail, memory_order_release);
    }
    return NULL;
}

void capture_ring_next(struct capture_ring *ring, const struct capture_record *record)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    atomic_store_explicit(&ring->tail, tail + record->bytes, memory_order_release);
}
