/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data path of a queue pair. Only the driver of the stack that owns the queue calls these.
 * Ownership: port_rx gives packets to the caller, port_tx_put takes them.
 */
#ifndef PORT_BURST_H
#define PORT_BURST_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/compiler.h"
#include "base/doorbell.h"
#include "port/flight_packet.h"
#include "port/hooks.h"
#include "stats/stats.h"

#define PORT_BURST 32
#define PORT_PENDING 64

struct port_queue {
    uint16_t port_id;
    uint16_t queue_id;
    uint16_t pending;
    uint32_t bursts; /* begun and ended: odd inside of one, see quiesce.c */
    uint32_t offloads;              /* enum port_offload, copied */
    struct stats_stack *stats;      /* the driving stack's; the port's own until set */
    struct doorbell *peer_doorbell; /* wire: the stack at the other end, rung after a flush */
    struct doorbell *doorbell;      /* of the stack that drives this queue */
    bool fd_moves;                  /* see interrupt.c */
    bool never_wakes;               /* gives no packets at all */
    bool flush_always;              /* the device wants tx calls even when there is nothing to send */
    bool tso;     /* takes large TCP frames now; also written by the thread that serves a vhost peer */
    bool prepare; /* one of those pending is large: the driver must see them first */
    uint16_t large_pieces, large_bytes; /* the most that a large frame may have */
    struct port_hooks *hooks;       /* captures and faults; NULL: none */
    struct flight_ring *flight;     /* the flight recorder of the stack; NULL: not for packets */
    struct port *port;
    int fd;        /* to sleep on, or -1 */
    int moving_fd; /* the device's, watched through fd: it changes with each peer */
    struct rte_mbuf *tx[PORT_PENDING];
    uint64_t lost; /* packets that the device dropped, as last told; the port's first queue only */
};

/* Around each call into the driver; quiesce.c says why no fence is needed. */
static inline void port_burst_mark(struct port_queue *queue)
{
    __atomic_store_n(&queue->bursts, queue->bursts + 1, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Sends what is pending. What the device refuses stays pending. Returns what is left. */
unsigned port_flush(struct port_queue *queue);

/* Up to `room` packets, now the caller's (who counts their bytes when it looks at them). */
static inline unsigned port_rx(struct port_queue *queue, struct rte_mbuf **packets, uint16_t room)
{
    uint16_t got;

    port_burst_mark(queue);
    got = rte_eth_rx_burst(queue->port_id, queue->queue_id, packets, room);
    port_burst_mark(queue);

    if (got != 0) {
        STAT_ADD(queue->stats, rx_packets, got);
        STAT_INC(queue->stats, rx_bursts);
        histogram_tally(&queue->stats->rx_burst_packets, got); /* sum and max: loop/tick.c */
    }
    if (UNLIKELY(queue->hooks != NULL))
        got = port_hooks_rx(queue, packets, got, room);
    if (queue->flight != NULL)
        for (unsigned i = 0; i < got; i++)
            flight_packet(queue->flight, queue->port_id, CAPTURE_IN, packets[i]);
    return got;
}

/*
 * After a port_rx() that gave nothing: the device had packets, which faults lost or hold back. More may
 * lie there, for which no doorbell rings again: that was no idle turn, after which a stack may sleep.
 */
static inline bool port_rx_kept(const struct port_queue *queue)
{
    return UNLIKELY(queue->hooks != NULL) && queue->hooks->kept;
}

/* Takes the packet: it is sent by a later flush, or dropped and counted when the device is full. */
void port_tx_full(struct port_queue *queue, struct rte_mbuf *packet);

/* Past the hooks. */
static inline void port_tx_now(struct port_queue *queue, struct rte_mbuf *packet)
{
    if (__builtin_expect(queue->pending == PORT_PENDING, 0)) {
        port_tx_full(queue, packet);
        return;
    }
    queue->tx[queue->pending++] = packet;
    STAT_ADD(queue->stats, tx_bytes, packet->pkt_len);
}

/* The last pending packet is a large TCP frame, and `bytes` longer than before. */
static inline void port_tx_grown(struct port_queue *queue, uint32_t bytes)
{
    queue->prepare = true;
    STAT_ADD(queue->stats, tx_bytes, bytes);
    STAT_INC(queue->stats, tx_merged);
}

static inline void port_tx_put(struct port_queue *queue, struct rte_mbuf *packet)
{
    if (queue->flight != NULL)
        flight_packet(queue->flight, queue->port_id, CAPTURE_OUT, packet);
    if (UNLIKELY(queue->hooks != NULL))
        port_hooks_tx(queue, packet);
    else
        port_tx_now(queue, packet);
}

#endif
