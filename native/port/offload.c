/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the device does by itself. Asked for is only what the packet path uses, and only if the device
 * can; port.offloads tells the packet path what it need not do.
 */
#include <string.h>

#include "port/device.h"

static const struct {
    uint64_t dpdk;
    uint32_t ours;
} tx_offloads[] = {
    {RTE_ETH_TX_OFFLOAD_TCP_CKSUM, PORT_TX_TCP_CSUM},
    {RTE_ETH_TX_OFFLOAD_UDP_CKSUM, PORT_TX_UDP_CSUM},
    {RTE_ETH_TX_OFFLOAD_MULTI_SEGS, PORT_TX_MULTI_SEGS},
}, rx_offloads[] = {
    {RTE_ETH_RX_OFFLOAD_IPV4_CKSUM, PORT_RX_IPV4_CSUM},
    {RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM, PORT_RX_L4_CSUM},
    {RTE_ETH_RX_OFFLOAD_SCATTER, PORT_RX_SCATTER},
};

/* A frame to be cut comes in pieces, its headers' checksums are the device's, too. */
#define TSO_NEEDS (PORT_TX_TCP_CSUM | PORT_TX_MULTI_SEGS)

static void tso_choose(struct device *device, const struct port_config *config, const struct rte_eth_dev_info *info,
                       struct rte_eth_conf *out)
{
    struct port *port = &device->port;
    unsigned traits = device->vdev ? device->vdev->traits : 0;
    uint64_t lro = RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER;

    if (!config->offload || !config->tso)
        return;
    if ((port->offloads & TSO_NEEDS) == TSO_NEEDS) {
        if (traits & VDEV_TSO_BY_PEER) {
            port->offloads |= PORT_TX_TSO;
        } else if ((info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_TCP_TSO) && !segmentation_is_bad(device)) {
            /* The length in each IPv4 header is another one. */
            out->txmode.offloads |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
            out->txmode.offloads |= info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
            port->offloads |= PORT_TX_TSO;
            if (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM)
                port->offloads |= PORT_TX_IPV4_CSUM;
        }
    }
    /*
     * Virtio's host hands over what its own sender left uncut. What cards put together themselves is
     * left apart: it delays, and hides what a capture should show.
     */
    if (strncmp(info->driver_name, "net_virtio", 10) == 0 && (info->rx_offload_capa & lro) == lro &&
        (port->offloads & PORT_RX_L4_CSUM)) {
        out->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_TCP_LRO;
        port->offloads |= PORT_RX_LARGE;
    }
}

/*
 * The key of the hash that spreads received flows over queues, from Microsoft's RSS specification,
 * which every driver knows: steering outgoing connections home means computing the same hash.
 */
static uint8_t rss_key[52] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca,
    0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b,
    0xbe, 0xac, 0x01, 0xfa, 0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d,
};

#define RSS_WANTED                                                                                   \
    (RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_IPV6 | \
     RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP)

void offload_choose(struct device *device, const struct port_config *config,
                    const struct rte_eth_dev_info *info, struct rte_eth_conf *out)
{
    struct port *port = &device->port;
    uint64_t rss = info->flow_type_rss_offloads & RSS_WANTED;

    for (size_t i = 0; i < ARRAY_SIZE(tx_offloads); i++) {
        bool checksum = tx_offloads[i].dpdk != RTE_ETH_TX_OFFLOAD_MULTI_SEGS;

        if ((info->tx_offload_capa & tx_offloads[i].dpdk) != tx_offloads[i].dpdk ||
            (checksum && !config->offload))
            continue;
        out->txmode.offloads |= tx_offloads[i].dpdk;
        port->offloads |= tx_offloads[i].ours;
    }
    for (size_t i = 0; i < ARRAY_SIZE(rx_offloads); i++) {
        bool checksum = rx_offloads[i].dpdk != RTE_ETH_RX_OFFLOAD_SCATTER;

        if ((info->rx_offload_capa & rx_offloads[i].dpdk) != rx_offloads[i].dpdk ||
            (checksum && !config->offload))
            continue;
        out->rxmode.offloads |= rx_offloads[i].dpdk;
        port->offloads |= rx_offloads[i].ours;
    }
    tso_choose(device, config, info, out);
    if (port->queues > 1 && rss != 0) {
        out->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        out->rx_adv_conf.rss_conf.rss_hf = rss;
        if (info->hash_key_size >= 40 && info->hash_key_size <= sizeof(rss_key)) {
            out->rx_adv_conf.rss_conf.rss_key = rss_key;
            out->rx_adv_conf.rss_conf.rss_key_len = info->hash_key_size;
        }
        port->offloads |= PORT_RX_RSS;
    }
}
