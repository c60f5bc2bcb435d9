/* SPDX-License-Identifier: Apache-2.0 */
#include "lwip/warm.h"

#include <string.h>

#include "lwip/etharp.h"
#include "lwip/netif_port_state.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/udp.h"

#include "lwip/netif_port.h"

/* As socket/tcp.c: what is shorter is copied into lwIP's segment. */
#define WRITE_COPY_MAX 256

/* The interface that leads there, if a packet would go out to it now. */
static struct netif_port *way_to(const ip_addr_t *from, const ip_addr_t *to)
{
    const ip4_addr_t *next, *known;
    struct netif *netif;
    struct eth_addr *hardware;

    if (!IP_IS_V4(to))
        return NULL;
    netif = ip_route(from, to);
    if (netif == NULL || !netif_port_is_ours(netif) || ip4_addr_cmp(ip_2_ip4(to), netif_ip4_addr(netif)))
        return NULL;
    next = ip4_addr_netcmp(ip_2_ip4(to), netif_ip4_addr(netif), netif_ip4_netmask(netif)) ? ip_2_ip4(to)
                                                                                          : netif_ip4_gw(netif);
    if (!ip4_addr_ismulticast(ip_2_ip4(to)) && etharp_find_addr(netif, next, &hardware, &known) < 0)
        return NULL;
    return netif->state;
}

void warm_tcp(struct tcp_pcb *pcb, const void *data, uint16_t bytes)
{
    struct netif_port *np = way_to(&pcb->local_ip, &pcb->remote_ip);
    struct tcp_pcb copy = *pcb;

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
    if (tcp_write(&copy, data, bytes, bytes <= WRITE_COPY_MAX ? TCP_WRITE_FLAG_COPY : 0) == ERR_OK && np) {
        np->mute = true;
        tcp_output(&copy);
        np->mute = false;
    }
    tcp_timer_disarm(&copy);
    tcp_segs_free(copy.unsent);
    tcp_segs_free(copy.unacked);
}

void warm_udp4(struct udp_pcb *pcb, const void *data, uint16_t bytes, const void *address, uint16_t port)
{
    struct pbuf *packet = pbuf_alloc(PBUF_TRANSPORT, bytes, PBUF_RAM);
    struct netif_port *np;
    ip_addr_t to;

    if (packet == NULL)
        return;
    memcpy(packet->payload, data, bytes);
    memset(&to, 0, sizeof(to));
    memcpy(&ip_2_ip4(&to)->addr, address, 4);
    IP_SET_TYPE_VAL(to, IPADDR_TYPE_V4);
    np = way_to(&pcb->local_ip, &to);
    if (np) {
        np->mute = true;
        udp_sendto(pcb, packet, &to, port);
        np->mute = false;
    }
    pbuf_free(packet);
}
