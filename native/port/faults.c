/* SPDX-License-Identifier: Apache-2.0 */
#include "port/faults.h"

#include <stdlib.h>

#include <rte_ip.h>
#include <rte_mbuf.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "port/burst.h"

#define MILLION 1000000u
#define BILLION UINT64_C(1000000000)
/*
 * A sender that is faster than the rate waits in the queue, for so long at most. A slow line's queue has
 * room for so many bytes all the same: one that takes a packet only when it has sent the last one whole
 * loses nearly all of a window, and its sender does nothing but wait for time-outs.
 */
#define RATE_QUEUE_NS (BILLION / 5)
#define RATE_QUEUE_BYTES (4 * 1514)

/* Packets that wait, in the order in which they are due. */
struct held {
    struct rte_mbuf *packet[FAULTS_HELD_MAX];
    uint64_t due_us[FAULTS_HELD_MAX];
    unsigned first, count;
    uint64_t busy_until_ns; /* the rate: when the line is free again */
};

struct faults {
    struct faults *next;
    struct faults_settings settings;
    struct faults_counts *counts, own; /* own: when nobody asks */
    uint64_t random;
    uint64_t queue_ns; /* the rate: how long the queue may be */
    struct held in, out;
};

/* How long the line is busy with so many bytes. */
static uint64_t line_ns(const struct faults_settings *settings, uint32_t bytes)
{
    return settings->rate_bits != 0 ? bytes * 8 * BILLION / settings->rate_bits : 0;
}

struct faults *faults_create(const struct faults_settings *settings)
{
    struct faults *f = calloc(1, sizeof(*f));

    if (f != NULL) {
        f->settings = *settings;
        f->counts = settings->counts ? settings->counts : &f->own;
        f->random = settings->seed * 2 + 1; /* not 0, the one state that xorshift never leaves */
        f->queue_ns = max_u64(RATE_QUEUE_NS, line_ns(settings, RATE_QUEUE_BYTES));
    }
    return f;
}

static uint32_t random_below(struct faults *f, uint32_t bound)
{
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return (uint32_t)((f->random >> 32) * bound >> 32);
}

static bool happens(struct faults *f, uint32_t ppm)
{
    return ppm != 0 && random_below(f, MILLION) < ppm;
}

static unsigned slot(const struct held *held, unsigned index)
{
    return (held->first + index) % FAULTS_HELD_MAX;
}

/* In its place by time; jitter may put a packet before others. False: too many wait. */
static bool hold(struct faults *f, struct held *held, struct rte_mbuf *packet, uint64_t due_us)
{
    unsigned at = held->count;

    if (held->count == FAULTS_HELD_MAX)
        return false;
    for (; at > 0 && held->due_us[slot(held, at - 1)] > due_us; at--) {
        held->packet[slot(held, at)] = held->packet[slot(held, at - 1)];
        held->due_us[slot(held, at)] = held->due_us[slot(held, at - 1)];
    }
    held->packet[slot(held, at)] = packet;
    held->due_us[slot(held, at)] = due_us;
    held->count++;
    STAT_INC(f->counts, held);
    return true;
}

static struct rte_mbuf *due(struct faults *f, struct held *held, uint64_t now_us)
{
    struct rte_mbuf *packet;

    if (held->count == 0 || held->due_us[held->first] > now_us)
        return NULL;
    packet = held->packet[held->first];
    held->first = slot(held, 1);
    held->count--;
    STAT_ADD(f->counts, held, -1);
    return packet;
}

/* A copy of its own: payload of ours lies in memory that TCP may still repeat. */
static struct rte_mbuf *copy_of(const struct rte_mbuf *packet)
{
    struct rte_mbuf *copy = rte_pktmbuf_copy(packet, packet->pool, 0, UINT32_MAX);

    if (copy != NULL) {
        copy->ol_flags = packet->ol_flags & ~(RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT);
        copy->tx_offload = packet->tx_offload;
    }
    return copy;
}

/* One bit of what follows the Ethernet header; takes the packet, gives the broken one. */
static struct rte_mbuf *corrupted(struct faults *f, struct rte_mbuf *packet)
{
    struct rte_mbuf *copy = packet->pkt_len > RTE_ETHER_HDR_LEN ? copy_of(packet) : NULL;
    uint32_t at;

    if (copy == NULL || copy->nb_segs != 1)
        goto unchanged;
    if (copy->ol_flags & RTE_MBUF_F_TX_L4_MASK) {
        /* The device would sum the broken bytes up and make them right: do its work before. */
        uint32_t l4 = copy->l2_len + copy->l3_len;
        uint16_t sum;

        if (rte_raw_cksum_mbuf(copy, l4, copy->pkt_len - l4, &sum) != 0)
            goto unchanged;
        at = l4 + ((copy->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_TCP_CKSUM ? 16 : 6);
        *rte_pktmbuf_mtod_offset(copy, uint16_t *, at) = (uint16_t)~sum;
        copy->ol_flags &= ~RTE_MBUF_F_TX_L4_MASK;
    }
    at = RTE_ETHER_HDR_LEN + random_below(f, copy->pkt_len - RTE_ETHER_HDR_LEN);
    *rte_pktmbuf_mtod_offset(copy, uint8_t *, at) ^= (uint8_t)(1u << random_below(f, 8));
    rte_pktmbuf_free(packet);
    STAT_INC(f->counts, corrupted);
    return copy;

unchanged:
    rte_pktmbuf_free(copy);
    return packet;
}

/* When the packet is to go on. */
static uint64_t due_time(struct faults *f, struct held *held, const struct rte_mbuf *packet, uint64_t now_us)
{
    const struct faults_settings *s = &f->settings;
    uint64_t due_us = now_us;

    if (s->rate_bits != 0) {
        held->busy_until_ns = max_u64(held->busy_until_ns, now_us * 1000) + line_ns(s, packet->pkt_len);
        due_us = held->busy_until_ns / 1000;
    }
    if (happens(f, s->reorder_ppm)) { /* overtakes those that wait */
        STAT_INC(f->counts, reordered);
        return now_us;
    }
    due_us += s->delay_us;
    if (s->jitter_us != 0)
        due_us += random_below(f, s->jitter_us + 1);
    return due_us;
}

/* What becomes of one packet: lost, or held (perhaps broken, perhaps twice). True: it was lost. */
static bool treat(struct faults *f, struct held *held, struct rte_mbuf *packet, uint64_t now_us)
{
    const struct faults_settings *s = &f->settings;
    struct rte_mbuf *twin;

    STAT_INC(f->counts, packets);
    if (happens(f, s->loss_ppm)) {
        STAT_INC(f->counts, lost);
        goto lost;
    }
    if (s->rate_bits != 0 && held->busy_until_ns > now_us * 1000 + f->queue_ns)
        goto overrun;
    if (happens(f, s->corrupt_ppm))
        packet = corrupted(f, packet);
    twin = happens(f, s->duplicate_ppm) ? copy_of(packet) : NULL;
    if (twin != NULL && hold(f, held, twin, due_time(f, held, twin, now_us)))
        STAT_INC(f->counts, duplicated);
    else
        rte_pktmbuf_free(twin);
    if (hold(f, held, packet, due_time(f, held, packet, now_us)))
        return false;

overrun:
    STAT_INC(f->counts, overrun);
lost:
    rte_pktmbuf_free(packet);
    return true;
}

static bool concerns(const struct faults *f, const struct rte_mbuf *packet, enum capture_direction direction)
{
    uint8_t beginning[256];
    uint32_t captured = min_u32(packet->pkt_len, sizeof(beginning));
    const uint8_t *bytes;

    if (!(f->settings.directions & direction))
        return false;
    if (f->settings.filter == NULL)
        return true;
    bytes = rte_pktmbuf_read(packet, 0, captured, beginning);
    return bytes != NULL && f->settings.filter(f->settings.program, bytes, packet->pkt_len, captured);
}

/* The set that treats the packet; NULL: none. */
static struct faults *set_for(struct faults *first, const struct rte_mbuf *packet, enum capture_direction direction)
{
    struct faults *f = first;

    while (f != NULL && !concerns(f, packet, direction))
        f = f->next;
    return f;
}

uint16_t faults_rx(struct faults *first, struct port_queue *queue, struct rte_mbuf **packets, uint16_t got,
                   uint16_t room)
{
    uint64_t now_us = clock_now_us();
    uint16_t out = 0;

    for (uint16_t i = 0; i < got; i++) {
        struct faults *f = set_for(first, packets[i], CAPTURE_IN);

        if (f == NULL)
            packets[out++] = packets[i];
        else if (treat(f, &f->in, packets[i], now_us))
            STAT_INC(queue->stats, drop_rx_injected);
    }
    for (struct faults *f = first; f != NULL; f = f->next) {
        struct rte_mbuf *packet;

        while (out < room && (packet = due(f, &f->in, now_us)) != NULL)
            packets[out++] = packet;
    }
    return out;
}

void faults_tx(struct faults *first, struct port_queue *queue, struct rte_mbuf *packet)
{
    struct faults *f = set_for(first, packet, CAPTURE_OUT);

    if (f == NULL)
        port_tx_now(queue, packet);
    else if (treat(f, &f->out, packet, clock_now_us()))
        STAT_INC(queue->stats, drop_tx_injected);
}

void faults_flush(struct faults *first, struct port_queue *queue)
{
    for (struct faults *f = first; f != NULL; f = f->next) {
        uint64_t now_us = f->out.count != 0 ? clock_now_us() : 0;
        struct rte_mbuf *packet;

        while (queue->pending < PORT_PENDING && (packet = due(f, &f->out, now_us)) != NULL)
            port_tx_now(queue, packet);
    }
}

uint64_t faults_due_us(const struct faults *first, const struct port_queue *queue)
{
    bool room = queue->pending < PORT_PENDING; /* else the device has to take something first */
    uint64_t due_us = UINT64_MAX;

    for (const struct faults *f = first; f != NULL; f = f->next) {
        if (f->in.count != 0)
            due_us = min_u64(due_us, f->in.due_us[f->in.first]);
        if (f->out.count != 0 && room)
            due_us = min_u64(due_us, f->out.due_us[f->out.first]);
    }
    return due_us;
}

struct faults *faults_replace(struct faults **first, unsigned number, struct faults *with)
{
    struct faults **at = first, *old = NULL;

    while (*at != NULL && (*at)->settings.number < number)
        at = &(*at)->next;
    if (*at != NULL && (*at)->settings.number == number) {
        old = *at;
        *at = old->next;
    }
    if (with != NULL) {
        with->next = *at;
        *at = with;
    }
    return old;
}

uint64_t faults_numbers(const struct faults *first)
{
    uint64_t numbers = 0;

    for (const struct faults *f = first; f != NULL; f = f->next)
        numbers |= UINT64_C(1) << (f->settings.number - 1);
    return numbers;
}

void faults_destroy(struct faults *f, struct port_queue *queue)
{
    struct rte_mbuf *packet;

    if (f == NULL)
        return;
    while ((packet = due(f, &f->out, UINT64_MAX)) != NULL)
        port_tx_now(queue, packet);
    while ((packet = due(f, &f->in, UINT64_MAX)) != NULL) {
        STAT_INC(queue->stats, drop_rx_injected);
        rte_pktmbuf_free(packet);
    }
    free(f);
}
