/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which queue a card puts a flow on (RSS): Toeplitz' hash over the addresses and ports of what arrives,
 * whose low bits choose an entry of the indirection table. The table is set here, queue after queue; key
 * and table are read back, because some drivers take what they like. What is not known for sure is not
 * told: a wrong guess would cost a ring between two stacks, as no guess does.
 */
#include <arpa/inet.h>
#include <string.h>

#include <rte_thash.h>

#include "port/device.h"

#define ENTRIES_MAX RTE_ETH_RSS_RETA_SIZE_512
#define TCP4 RTE_ETH_RSS_NONFRAG_IPV4_TCP
#define TCP6 (RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_IPV6_TCP_EX)

static bool key_read(struct device *device, const struct rte_eth_dev_info *info)
{
    struct rte_eth_rss_conf conf = {.rss_key = device->rss.key,
                                    .rss_key_len = info->hash_key_size ? info->hash_key_size : 40};

    if (conf.rss_key_len > sizeof(device->rss.key) || rte_eth_dev_rss_hash_conf_get(device->port.id, &conf) != 0)
        return false;
    device->rss.tcp4 = (conf.rss_hf & TCP4) != 0;
    device->rss.tcp6 = (conf.rss_hf & TCP6) != 0;
    return true;
}

static bool table_set(struct device *device, uint16_t entries)
{
    struct rte_eth_rss_reta_entry64 table[ENTRIES_MAX / RTE_ETH_RETA_GROUP_SIZE] = {0};

    if (entries == 0 || entries > ENTRIES_MAX || (entries & (entries - 1)) != 0)
        return false;
    for (unsigned i = 0; i < entries; i++) {
        table[i / RTE_ETH_RETA_GROUP_SIZE].mask |= 1ull << i % RTE_ETH_RETA_GROUP_SIZE;
        table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] = (uint16_t)(i % device->port.queues);
    }
    rte_eth_dev_rss_reta_update(device->port.id, table, entries); /* what came of it is read next */
    if (rte_eth_dev_rss_reta_query(device->port.id, table, entries) != 0)
        return false;
    for (unsigned i = 0; i < entries; i++) {
        device->rss.queue_of[i] = table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
        if (device->rss.queue_of[i] >= device->port.queues)
            return false;
    }
    device->rss.mask = (uint16_t)(entries - 1);
    return true;
}

void rss_begin(struct device *device, const struct rte_eth_dev_info *info)
{
    device->rss.known = (device->port.offloads & PORT_RX_RSS) && key_read(device, info) &&
                        table_set(device, info->reta_size);
}

/* The words of RSS' input are in host order: source, destination, both ports. */
int port_rss_queue(const struct port *port, bool ip6, const void *peer, const void *local, uint16_t peer_port,
                   uint16_t local_port)
{
    const struct rss *rss = &device_of((struct port *)(uintptr_t)port)->rss;
    unsigned words = ip6 ? 4 : 1;
    uint32_t input[9];

    if (!rss->known || !(ip6 ? rss->tcp6 : rss->tcp4))
        return -1;
    memcpy(input, peer, words * 4);
    memcpy(input + words, local, words * 4);
    for (unsigned i = 0; i < 2 * words; i++)
        input[i] = ntohl(input[i]);
    input[2 * words] = (uint32_t)peer_port << 16 | local_port;
    return rss->queue_of[rte_softrss(input, 2 * words + 1, rss->key) & rss->mask];
}
