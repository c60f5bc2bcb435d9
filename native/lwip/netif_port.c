/* SPDX-License-Identifier: Apache-2.0 */
#include "lwip/netif_port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/netif_port_state.h"
#include "lwip/netif_steer.h"

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/mld6.h"
#include "lwip/multicast.h"
#include "lwip/nd6.h"
#include "netif/ethernet.h"

#include "base/log.h"
#include "config/config.h"
#include "lwip/hooks.h"
#include "lwip/instance.h"
#include "lwip/netif_alias.h"
#include "lwip/netif_whole.h"
#include "lwip/packet.h"
#include "lwip/packet_checksum.h"
#include "lwip/tcp_timeout.h"
#include "port/interrupt.h"

/* Devices tell changes of their link, and what they dropped, when asked, which costs up to a system call. */
#define LINK_PERIOD_US 100000

/*
 * TCP's and UDP's checksums are made when a packet goes to the device (packet_sum), or before it is
 * cut (fragment_checksum), all others by lwIP. What comes in is checked before lwIP gets it; what is
 * left to lwIP is switched on per packet, because it takes a packet in within the call. Outside of it
 * the checks stay off: a packet to one of our own addresses goes round inside lwIP and has neither.
 */
#define CHECKSUM_ALWAYS                                                                             \
    (NETIF_CHECKSUM_GEN_IP | NETIF_CHECKSUM_GEN_ICMP | NETIF_CHECKSUM_GEN_ICMP6 |                    \
     NETIF_CHECKSUM_CHECK_ICMP | NETIF_CHECKSUM_CHECK_ICMP6)
#define CHECKSUM_BY_LWIP (CHECKSUM_ALWAYS | NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP)

/* ---- out -------------------------------------------------------------------------------------- */

/*
 * A full device answers ERR_WOULDBLOCK, so that TCP keeps the segment and tries again in a later turn: what
 * was dropped would come back only after a time-out.
 */
static err_t link_output(struct netif *netif, struct pbuf *pbuf)
{
    struct netif_port *np = netif->state;
    struct rte_mbuf *packet;

    if (np->queue->tso && packet_merge(np, pbuf))
        return ERR_OK;
    if (UNLIKELY(np->queue->pending == PORT_PENDING) && netif_port_flush(np) == PORT_PENDING)
        return ERR_WOULDBLOCK;
    if (UNLIKELY(pbuf->tot_len > netif->mtu + SIZEOF_ETH_HDR)) {
        STAT_INC(np->stats, drop_tx_too_big);
        return ERR_VAL;
    }
    if (UNLIKELY(packet_to_mbuf(np, pbuf, &packet) != 0)) {
        STAT_INC(np->stats, drop_tx_no_memory);
        return ERR_MEM;
    }
    if (UNLIKELY(np->mute)) {
        rte_pktmbuf_free(packet);
        return ERR_OK;
    }
    port_tx_put(np->queue, packet);
    if (np->queue->tso)
        packet_merge_begin(np, packet);
    return ERR_OK;
}

bool netif_port_is_ours(const struct netif *netif)
{
    return netif->linkoutput == link_output;
}

unsigned netif_port_flush(struct netif_port *np)
{
    np->merge.packet = NULL;
    return port_flush(np->queue);
}

/* ---- in --------------------------------------------------------------------------------------- */

static void drop(struct netif_port *np, struct rte_mbuf *packet, enum packet_verdict verdict)
{
    switch (verdict) {
    case PACKET_BAD_IP:
        STAT_INC(np->stats, drop_rx_checksum_ip);
        break;
    case PACKET_PARTIAL_TCP:
    case PACKET_PARTIAL_UDP:
        log_warn_limited(60000, "port %s: packets arrive without a checksum, because their sender leaves it to its "
                                "card. Switch that off there (ethtool -K INTERFACE tx off), or trust this port: "
                                "rx_checksum=off",
                         np->port->name);
        if (verdict == PACKET_PARTIAL_TCP)
            STAT_INC(np->stats, drop_rx_checksum_tcp);
        else
            STAT_INC(np->stats, drop_rx_checksum_udp);
        break;
    case PACKET_BAD_TCP:
        STAT_INC(np->stats, drop_rx_checksum_tcp);
        break;
    case PACKET_BAD_UDP:
        STAT_INC(np->stats, drop_rx_checksum_udp);
        break;
    default:
        if (packet->pkt_len > np->netif.mtu + (uint32_t)SIZEOF_ETH_HDR)
            log_warn_limited(60000, "port %s: frames arrive that are larger than its MTU of %u, and are cut off: their "
                                    "sender leaves segmentation to its card. Switch that off there (ethtool -K "
                                    "INTERFACE tso off gso off tx off)",
                             np->port->name, np->netif.mtu);
        STAT_INC(np->stats, drop_rx_malformed);
    }
    rte_pktmbuf_free(packet);
}

/* Ports on the kernel's interfaces also see what is meant for the kernel. */
static inline bool is_for_us(const struct netif_port *np, const struct rte_mbuf *packet)
{
    const uint8_t *to = rte_pktmbuf_mtod(packet, const uint8_t *);

    return (to[0] & 1) != 0 || memcmp(to, np->netif.hwaddr, 6) == 0;
}

static void packet_in(struct netif_port *np, struct rte_mbuf *packet)
{
    enum packet_verdict verdict;
    struct netif *netif;

    STAT_ADD(np->stats, rx_bytes, packet->pkt_len);
    verdict = packet_check(packet, np->skip_l4);
    if (UNLIKELY(verdict >= PACKET_MALFORMED)) {
        drop(np, packet, verdict);
        return;
    }
    if (UNLIKELY(!is_for_us(np, packet))) {
        STAT_INC(np->stats, drop_rx_not_ours);
        rte_pktmbuf_free(packet);
        return;
    }
    if (UNLIKELY(packet->pkt_len > UINT16_MAX)) { /* pbuf->tot_len */
        drop(np, packet, PACKET_MALFORMED);
        return;
    }
    if (np->steer && netif_steer_out(np->steer, packet))
        return;
    netif = netif_alias_for(np, packet);
    NETIF_SET_CHECKSUM_CTRL(netif, verdict == PACKET_FRAGMENT && !np->skip_l4 ? CHECKSUM_BY_LWIP : CHECKSUM_ALWAYS);
    ethernet_input(packet_from_mbuf(packet), netif); /* takes it, whatever it says */
    if (UNLIKELY(netif != &np->netif))
        NETIF_SET_CHECKSUM_CTRL(netif, CHECKSUM_ALWAYS);
}

static void link_look(struct netif_port *np)
{
    bool up = port_link_is_up(np->port);
    uint64_t lost = port_lost_packets(np->queue);

    np->link_due_us = instance_now_us() + LINK_PERIOD_US;
    port_queue_settle(np->queue);
    if (UNLIKELY(lost > 0))
        STAT_ADD(np->stats, drop_rx_device, lost);
    if (UNLIKELY(np->moves != np->port->moves)) {
        np->moves = np->port->moves;
        etharp_gratuitous(&np->netif); /* RFC 5227 4: so that switches send to the new member */
    }
    if (up == (netif_is_link_up(&np->netif) != 0))
        return;
    log_info("port %s: link is %s", np->port->name, up ? "up" : "down");
    if (up)
        netif_set_link_up(&np->netif);
    else
        netif_set_link_down(&np->netif);
    netif_alias_set_link(np, up);
    if (up)
        tcp_timeout_link_is_up();
}

void netif_port_look(struct netif_port *np)
{
    if (instance_now_us() >= np->link_due_us)
        link_look(np);
}

/* What another stack checked and found to be for us. */
static unsigned steered_in(struct netif_port *np)
{
    struct rte_mbuf *packet;
    unsigned count = 0;

    while (count < PORT_BURST && (packet = netif_steer_in(np->steer)) != NULL) {
        struct netif *netif = netif_alias_for(np, packet);
        bool check = !np->skip_l4 && UNLIKELY(netif_steer_is_fragment(packet));

        NETIF_SET_CHECKSUM_CTRL(netif, check ? CHECKSUM_BY_LWIP : CHECKSUM_ALWAYS);
        ethernet_input(packet_from_mbuf(packet), netif);
        NETIF_SET_CHECKSUM_CTRL(netif, CHECKSUM_ALWAYS);
        count++;
    }
    return count;
}

unsigned netif_port_input(struct netif_port *np)
{
    struct rte_mbuf *packets[PORT_BURST];
    unsigned count = port_rx(np->queue, packets, PORT_BURST), steered = 0;

    /* Packets over a link that was down: it is up, and no answer finds a route before that is known. */
    if (UNLIKELY(count > 0 && !netif_is_link_up(&np->netif)))
        np->link_due_us = 0;
    if (UNLIKELY(instance_now_us() >= np->link_due_us))
        link_look(np);
    if (np->steer)
        steered = steered_in(np);
    if (count == 0)
        return steered + port_rx_kept(np->queue);
    for (unsigned i = 0; i < count && i < 4; i++)
        rte_prefetch0(rte_pktmbuf_mtod(packets[i], void *));
    for (unsigned i = 0; i < count; i++) {
        if (i + 4 < count)
            rte_prefetch0(rte_pktmbuf_mtod(packets[i + 4], void *));
        packet_in(np, packets[i]);
    }
    NETIF_SET_CHECKSUM_CTRL(&np->netif, CHECKSUM_ALWAYS);
    return count + steered;
}

/* ---- life ------------------------------------------------------------------------------------- */

static err_t netif_init_port(struct netif *netif)
{
    struct netif_port *np = netif->state;

    netif->name[0] = 'p';
    netif->name[1] = (char)('0' + np->port->id % 10);
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = link_output;
    netif->mtu = np->port->mtu;
    netif->hwaddr_len = sizeof(np->port->mac);
    memcpy(netif->hwaddr, np->port->mac, sizeof(np->port->mac));
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    if (port_link_is_up(np->port))
        netif->flags |= NETIF_FLAG_LINK_UP;
    NETIF_SET_CHECKSUM_CTRL(netif, CHECKSUM_ALWAYS);
    return ERR_OK;
}

static void address4(const struct config_address *from, ip4_addr_t *address, ip4_addr_t *mask)
{
    uint32_t bits = from->prefix_bits;

    memcpy(&address->addr, from->bytes, 4);
    mask->addr = lwip_htonl(bits == 0 ? 0 : 0xffffffffu << (32 - bits));
}

static void address6(const struct config_address *from, ip6_addr_t *address)
{
    memcpy(address->addr, from->bytes, 16);
    ip6_addr_clear_zone(address);
}

static int address6_add(struct netif_port *np, const struct config_address *from, char *err,
                        size_t err_size)
{
    struct netif *netif = &np->netif;
    ip6_addr_t address;
    s8_t index;

    address6(from, &address);
    ip6_addr_assign_zone(&address, IP6_UNICAST, netif);
    if (ip6_addr_islinklocal(&address)) {
        netif_ip6_addr_set(netif, 0, &address);
        return 0;
    }
    if (netif_add_ip6_address(netif, &address, &index) != ERR_OK) {
        snprintf(err, err_size, "port %s: more than %d IPv6 addresses. Remove some address= from the port line",
                 np->port->name, LWIP_IPV6_NUM_ADDRESSES - 1);
        return -EINVAL;
    }
    /* Given by hand, so taken at their word: no second of waiting for duplicate detection. */
    netif->ip6_prefix_bits[index] = from->prefix_bits;
    netif_ip6_addr_set_state(netif, index, IP6_ADDR_PREFERRED);
    return 0;
}

static const ip6_addr_t *gateway6_of(void *context, struct netif *netif, const ip6_addr_t *destination)
{
    return netif_port_is_ours(netif) ? netif_port_gateway6(netif) : NULL;
}

const ip6_addr_t *netif_port_gateway6(struct netif *netif)
{
    struct netif_port *np = netif->state;

    return np->has_gateway6 ? &np->gateway6 : NULL;
}

static int addresses_add(struct netif_port *np, const struct port_config *config, char *err,
                         size_t err_size)
{
    ip4_addr_t address, mask, gateway = {0};
    bool has_ip4 = false;

    for (uint32_t i = 0; i < config->gateways.count; i++) {
        const struct config_address *from = &config->gateways.entry[i];

        if (from->family == AF_INET) {
            memcpy(&gateway.addr, from->bytes, 4);
        } else {
            address6(from, &np->gateway6);
            ip6_addr_assign_zone(&np->gateway6, IP6_UNICAST, &np->netif);
            np->has_gateway6 = true;
        }
    }
    if (netif_alias_reserve(np, config->addresses.count) != 0)
        return -ENOMEM;
    for (uint32_t i = 0; i < config->addresses.count; i++) {
        const struct config_address *from = &config->addresses.entry[i];
        int status;

        if (from->family == AF_INET6) {
            status = address6_add(np, from, err, err_size);
            if (status != 0)
                return status;
            continue;
        }
        address4(from, &address, &mask);
        if (has_ip4) {
            if (netif_alias_add(np, &address, &mask) != 0) {
                snprintf(err, err_size, "port %s: no memory for its addresses", np->port->name);
                return -ENOMEM;
            }
            continue;
        }
        has_ip4 = true;
        netif_set_addr(&np->netif, &address, &mask, &gateway);
    }
    if (config->gateways.count > 0 || INSTANCE(netif_default) == NULL)
        netif_set_default(&np->netif);
    return 0;
}

int netif_port_add(struct netif_port **out, const struct netif_port_settings *settings, char *err,
                   size_t err_size)
{
    static struct stats_stack nobody;
    static const struct instance_hooks hooks = {
        .ip6_gateway = gateway6_of,
        .port_comes_home = netif_steer_comes_home,
        .is_elsewhere = netif_whole_is_elsewhere,
    };
    struct netif_port *np = calloc(1, sizeof(*np));
    int status;

    *out = NULL;
    if (np == NULL)
        return -ENOMEM;
    np->port = settings->port;
    np->queue = port_queue(settings->port, settings->queue);
    np->packets = settings->packets;
    np->chunks = settings->chunks;
    np->stats = settings->stats ? settings->stats : &nobody;
    if (settings->stats != NULL)
        np->queue->stats = settings->stats;
    np->multi_segs = (np->queue->offloads & PORT_TX_MULTI_SEGS) != 0;
    np->skip_l4 = settings->port->rx_checksum_skip;
    if (netif_add(&np->netif, NULL, NULL, NULL, np, netif_init_port, ethernet_input) == NULL) {
        free(np);
        return -ENOMEM;
    }
    if (settings->number)
        np->netif.num = (u8_t)(settings->number - 1); /* before addresses take it for their zone */
    hooks_set(&hooks);
    netif_create_ip6_linklocal_address(&np->netif, 1);
    netif_ip6_addr_set_state(&np->netif, 0, IP6_ADDR_PREFERRED);
    netif_set_up(&np->netif);
    status = addresses_add(np, settings->config, err, err_size);
    if (status != 0) {
        netif_port_remove(np);
        return status;
    }
    *out = np;
    return 0;
}

void netif_port_remove(struct netif_port *np)
{
    if (np == NULL)
        return;
    netif_steer_leave(np);
    netif_alias_remove_all(np);
    netif_set_down(&np->netif);
    multicast_netif_gone(&np->netif);
    netif_remove(&np->netif);
    free(np);
}

unsigned netif_port_packets_free(const struct netif_port *np)
{
    return rte_mempool_avail_count(np->packets);
}

struct port_queue *netif_port_queue(struct netif_port *np)
{
    return np->queue;
}

void netif_port_place(const struct netif_port *np, int *port, int *queue)
{
    *port = np->queue->port_id;
    *queue = np->queue->queue_id;
}

unsigned netif_port_pending(const struct netif_port *np)
{
    return np->queue->pending;
}

bool netif_port_link_is_up(const struct netif_port *np)
{
    return netif_is_link_up(&np->netif) != 0;
}

const struct port *netif_port_port(const struct netif_port *np)
{
    return np->port;
}

struct netif *netif_port_netif(struct netif_port *np)
{
    return &np->netif;
}

struct netif *netif_port_alias(struct netif_port *np, unsigned index)
{
    return index < np->aliases ? &np->alias[index] : NULL;
}
