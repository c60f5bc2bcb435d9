/* SPDX-License-Identifier: Apache-2.0 */
#include "lwip/warm.h"

#include <string.h>

#include "lwip/etharp.h"
#include "lwip/netif_port_state.h"
#include "lwip/priv/nd6_priv.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/udp.h"

#include "lwip/netif_port.h"

/* As socket/tcp.c: what is shorter is copied into lwIP's segment. */
#define WRITE_COPY_MAX 256

/* The interface that leads there, whose packets go nowhere meanwhile; NULL: a packet would not go out to it now. */
struct way {
    struct netif_port *np;
    struct nd6_neighbor_cache_entry *stale; /* taken for fresh meanwhile, or it would be asked (RFC 4861 7.3.3) */
};

static bool knows_next4(struct netif *netif, const ip4_addr_t *to)
{
    const ip4_addr_t *next, *known;
    struct eth_addr *hardware;

    if (ip4_addr_cmp(to, netif_ip4_addr(netif)))
        return false;
    next = ip4_addr_netcmp(to, netif_ip4_addr(netif), netif_ip4_netmask(netif)) ? to : netif_ip4_gw(netif);
    return ip4_addr_ismulticast(to) || etharp_find_addr(netif, next, &hardware, &known) >= 0;
}

/* As nd6_get_next_hop_addr_or_queue(), but that nothing is made, asked or kept waiting. */
static bool knows_next6(struct netif *netif, const ip6_addr_t *to, struct way *way)
{
    const ip6_addr_t *next = NULL;

    if (netif_get_ip6_addr_match(netif, to) >= 0)
        return false;
    if (ip6_addr_ismulticast(to))
        return true;
    for (unsigned i = 0; i < LWIP_ND6_NUM_DESTINATIONS && next == NULL; i++) {
        if (ip6_addr_cmp(to, &INSTANCE(destination_cache)[i].destination_addr))
            next = &INSTANCE(destination_cache)[i].next_hop_addr;
    }
    for (unsigned i = 0; i < LWIP_ND6_NUM_NEIGHBORS && next != NULL; i++) {
        struct nd6_neighbor_cache_entry *neighbor = &INSTANCE(neighbor_cache)[i];

        if (neighbor->state < ND6_REACHABLE || !ip6_addr_cmp(next, &neighbor->next_hop_address))
            continue;
        way->stale = neighbor->state == ND6_STALE ? neighbor : NULL;
        return true;
    }
    return false;
}

static struct way way_to(const ip_addr_t *from, const ip_addr_t *to)
{
    struct netif *netif = ip_route(from, to);
    struct way way = {0};

    if (netif == NULL || !netif_port_is_ours(netif) ||
        !(IP_IS_V4(to) ? knows_next4(netif, ip_2_ip4(to)) : knows_next6(netif, ip_2_ip6(to), &way)))
        return way;
    way.np = netif->state;
    way.np->mute = true;
    if (way.stale)
        way.stale->state = ND6_REACHABLE;
    return way;
}

static void way_end(const struct way *way)
{
    way->np->mute = false;
    if (way->stale)
        way->stale->state = ND6_STALE;
}

void warm_tcp(struct tcp_pcb *pcb, const void *data, uint16_t bytes)
{
    struct tcp_pcb copy = *pcb;
    err_t written;

    /* An idle connection with all windows open, at the same place in the stream. */
    copy.timer_next = NULL;
    copy.timer_link = NULL;
    copy.unsent = copy.unacked = copy.unsent_tail = copy.unacked_tail = NULL;
    copy.ooseq = NULL;
    copy.refused_data = NULL;
    copy.snd_queuelen = 0;
    copy.unsent_oversize = 0;
    copy.snd_nxt = copy.lastack = copy.snd_lbb;
    copy.snd_buf = copy.snd_buf_limit;
    copy.snd_wnd = copy.snd_wnd_max = copy.cwnd = 2 * TCP_MSS > bytes ? 4 * TCP_MSS : 2 * (tcpwnd_size_t)bytes;
    copy.credit = 0;
    copy.rtime = -1;
    copy.rttest = 0;
    copy.persist_backoff = 0;
    copy.flags = (copy.flags & ~(TF_INFR | TF_ACK_NOW | TF_ACK_DELAY | TF_RTO | TF_NAGLEMEMERR)) | TF_NODELAY;
    written = tcp_write(&copy, data, bytes, bytes <= WRITE_COPY_MAX ? TCP_WRITE_FLAG_COPY : 0);
    if (written == ERR_OK) {
        struct way way = way_to(&pcb->local_ip, &pcb->remote_ip);

        if (way.np) {
            tcp_output(&copy);
            way_end(&way);
        }
    }
    tcp_timer_disarm(&copy);
    tcp_segs_free(copy.unsent);
    tcp_segs_free(copy.unacked);
}

void warm_udp(struct udp_pcb *pcb, const void *data, uint16_t bytes, const struct warm_peer *peer)
{
    struct pbuf *packet = pbuf_alloc(PBUF_TRANSPORT, bytes, PBUF_RAM);
    struct way way = {0};
    ip_addr_t to;

    if (packet == NULL)
        return;
    memcpy(packet->payload, data, bytes);
    memset(&to, 0, sizeof(to));
    if (peer->ip6) {
        memcpy(ip_2_ip6(&to)->addr, peer->address, 16);
        ip6_addr_set_zone(ip_2_ip6(&to), (u8_t)peer->scope);
    } else {
        memcpy(&ip_2_ip4(&to)->addr, peer->address, 4);
    }
    IP_SET_TYPE_VAL(to, peer->ip6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4);
    way = way_to(&pcb->local_ip, &to);
    if (way.np) {
        udp_sendto(pcb, packet, &to, peer->port);
        way_end(&way);
    }
    pbuf_free(packet);
}
