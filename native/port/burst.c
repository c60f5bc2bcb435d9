/* SPDX-License-Identifier: Apache-2.0 */
#include "port/burst.h"

#include "port/device.h"

#include <string.h>

unsigned port_flush(struct port_queue *queue)
{
    struct stats_stack *stats = queue->stats;
    struct doorbell *peer;
    uint16_t sent;

    if (queue->pending == 0 && !queue->flush_always)
        return 0;
    if (UNLIKELY(queue->hooks != NULL))
        port_hooks_flush(queue);
    if (UNLIKELY(queue->prepare))
        segmentation_prepare(queue);
    port_burst_mark(queue);
    sent = rte_eth_tx_burst(queue->port_id, queue->queue_id, queue->tx, queue->pending);
    port_burst_mark(queue);
    if (sent > 0) {
        STAT_ADD(stats, tx_packets, sent);
        STAT_INC(stats, tx_bursts);
        peer = __atomic_load_n(&queue->peer_doorbell, __ATOMIC_ACQUIRE);
        if (peer != NULL)
            doorbell_ring(peer);
    }
    if (sent < queue->pending) {
        STAT_INC(stats, tx_refused);
        memmove(queue->tx, queue->tx + sent, (size_t)(queue->pending - sent) * sizeof(queue->tx[0]));
    }
    queue->pending -= sent;
    queue->prepare &= queue->pending > 0;
    return queue->pending;
}

void port_tx_full(struct port_queue *queue, struct rte_mbuf *packet)
{
    if (port_flush(queue) == PORT_PENDING) {
        STAT_INC(queue->stats, drop_tx_ring_full);
        rte_pktmbuf_free(packet);
        return;
    }
    queue->tx[queue->pending++] = packet;
    STAT_ADD(queue->stats, tx_bytes, packet->pkt_len);
}
