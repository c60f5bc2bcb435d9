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

#include "base/doorbell.h"

#define PORT_BURST 32
#define PORT_PENDING 64

/* Single writer: the queue's stack. Readers see them through the statistics segment. */
struct port_counters {
    uint64_t rx_packets, rx_bytes, rx_bursts;
    uint64_t tx_packets, tx_bytes, tx_bursts;
    uint64_t tx_full;    /* packets dropped because the device took none for a whole pending list */
    uint64_t tx_refused; /* bursts of which the device took only a part (kept, sent later) */
};

struct port_queue {
    uint16_t port_id;
    uint16_t queue_id;
    uint16_t pending;
    uint32_t offloads;              /* enum port_offload, copied */
    struct port_counters *counters; /* own_counters unless set elsewhere */
    struct doorbell *peer_doorbell; /* wire: the stack at the other end, rung after a flush */
    struct doorbell *doorbell;      /* of the stack that drives this queue */
    bool fd_moves;                  /* see interrupt.c */
    bool never_wakes;               /* gives no packets at all */
    bool flush_always;              /* the device wants tx calls even when there is nothing to send */
    struct port *port;
    int fd;        /* to sleep on, or -1 */
    int moving_fd; /* the device's, watched through fd: it changes with each peer */
    struct rte_mbuf *tx[PORT_PENDING];
    struct port_counters own_counters;
};

/* Sends what is pending. What the device refuses stays pending. Returns what is left. */
unsigned port_flush(struct port_queue *queue);

/* Up to `room` packets, now the caller's. */
static inline unsigned port_rx(struct port_queue *queue, struct rte_mbuf **packets, uint16_t room)
{
    uint16_t got = rte_eth_rx_burst(queue->port_id, queue->queue_id, packets, room);

    if (got != 0) {
        queue->counters->rx_packets += got;
        queue->counters->rx_bursts++;
    }
    return got;
}

/* Takes the packet: it is sent by a later flush, or dropped and counted when the device is full. */
void port_tx_full(struct port_queue *queue, struct rte_mbuf *packet);

static inline void port_tx_put(struct port_queue *queue, struct rte_mbuf *packet)
{
    if (__builtin_expect(queue->pending == PORT_PENDING, 0)) {
        port_tx_full(queue, packet);
        return;
    }
    queue->tx[queue->pending++] = packet;
    queue->counters->tx_bytes += packet->pkt_len;
}

#endif
