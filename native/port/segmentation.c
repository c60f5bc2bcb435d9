/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP frames larger than the MTU, which the device cuts into segments (TSO): whether a queue may send
 * them now, and how large. Who makes them: lwip/packet_merge.c.
 *
 * A card or a virtio host tells it once. A vhost port has it from each guest anew: those that do not
 * take large frames are sent none. That is told on the thread that serves the guest, by the event of
 * its link; queue->tso is one byte that the stack reads with every segment.
 *
 * A queue whose driver refused a frame makes none until its port is opened again or another guest comes
 * (segmentation_begin, guest_look). That is not remembered longer: what lies behind the port may be another
 * driver, member or guest then, and to ask again costs one frame, which TCP repeats, and one warning.
 */
#include <errno.h>
#include <string.h>

#include <linux/virtio_net.h>

#include <rte_eth_vhost.h>
#include <rte_vhost.h>

#include "base/log.h"
#include "port/device.h"

/* IPv4's length has 16 bits, and so has lwIP's for a packet with its Ethernet header. */
#define LARGE_BYTES 65535u
#define LARGE_PIECES 64u
/* What fits in a guest's receive buffer, at the least: Linux gives its rings pages or 1.5 KiB. */
#define GUEST_BUFFER_BYTES 1024u
/* A large frame waits for that part of a ring at most, or it would wait for ever. */
#define RING_PART 4u

#define GUEST_TAKES                                                                                  \
    (1ull << VIRTIO_NET_F_GUEST_CSUM | 1ull << VIRTIO_NET_F_GUEST_TSO4 | 1ull << VIRTIO_NET_F_GUEST_TSO6)

static void queues_set(struct device *device, bool tso, uint32_t bytes)
{
    for (unsigned i = 0; i < device->port.queues; i++) {
        __atomic_store_n(&device->queue[i].large_bytes, (uint16_t)min_u32(bytes, LARGE_BYTES), __ATOMIC_RELAXED);
        __atomic_store_n(&device->queue[i].tso, tso, __ATOMIC_RELAXED);
    }
}

static void guest_look(struct device *device)
{
    struct rte_vhost_vring ring = {0};
    uint64_t features = 0;
    int vid = rte_eth_vhost_get_vid_from_port_id(device->port.id);
    bool takes = vid >= 0 && rte_vhost_get_negotiated_features(vid, &features) == 0 &&
                 (features & GUEST_TAKES) == GUEST_TAKES && rte_vhost_get_vhost_vring(vid, 0, &ring) == 0;

    queues_set(device, takes, ring.size / RING_PART * GUEST_BUFFER_BYTES);
}

static int guest_changed(uint16_t port_id, enum rte_eth_event_type type, void *argument, void *result)
{
    (void)port_id, (void)type, (void)result;
    guest_look(argument);
    return 0;
}

int segmentation_join(struct device *device)
{
    if (device->vdev == NULL || !(device->vdev->traits & VDEV_TSO_BY_PEER))
        return 0;
    device->tso_by_peer =
        rte_eth_dev_callback_register(device->port.id, RTE_ETH_EVENT_INTR_LSC, guest_changed, device) == 0;
    return device->tso_by_peer ? 0 : -ENOMEM;
}

void segmentation_leave(struct device *device)
{
    if (device->tso_by_peer)
        rte_eth_dev_callback_unregister(device->port.id, RTE_ETH_EVENT_INTR_LSC, guest_changed, device);
    device->tso_by_peer = false;
}

void segmentation_begin(struct device *device, const struct rte_eth_dev_info *info)
{
    uint32_t most = info->tx_desc_lim.nb_seg_max ? info->tx_desc_lim.nb_seg_max : LARGE_PIECES;
    uint32_t pieces = min_u32(min_u32(most, LARGE_PIECES), device->slots / RING_PART);

    if (!(device->port.offloads & PORT_TX_TSO))
        return;
    for (unsigned i = 0; i < device->port.queues; i++)
        device->queue[i].large_pieces = (uint16_t)pieces;
    if (device->tso_by_peer)
        guest_look(device); /* it may have come before the queues were there */
    else
        queues_set(device, true, LARGE_BYTES);
}

bool segmentation_is_bad(const struct device *device)
{
    for (unsigned i = 0; i < device->members; i++)
        if (strncmp(device->member[i], "net_tap", 7) == 0)
            return true;
    return device->vdev != NULL && (device->vdev->traits & VDEV_CUTS_BADLY);
}

void segmentation_prepare(struct port_queue *queue)
{
    uint16_t good = 0;

    while ((good = (uint16_t)(good + rte_eth_tx_prepare(queue->port_id, queue->queue_id, queue->tx + good,
                                                        (uint16_t)(queue->pending - good)))) < queue->pending) {
        struct rte_mbuf *refused = queue->tx[good];

        /* TCP sends it again; as large as before it would be refused for ever. */
        log_warn("port %s: the driver refuses a frame of %u bytes in %u pieces (%s), so segmentation is no longer "
                 "left to it. tso=off on the port line says so from the start",
                 queue->port->name, refused->pkt_len, refused->nb_segs, strerror(rte_errno));
        queue->tso = false;
        STAT_INC(queue->stats, drop_tx_too_big);
        rte_pktmbuf_free(refused);
        queue->pending--;
        memmove(queue->tx + good, queue->tx + good + 1, (size_t)(queue->pending - good) * sizeof(queue->tx[0]));
    }
}
