/* SPDX-License-Identifier: Apache-2.0 */
#include "lwip/netif_whole.h"

#include <string.h>

#include "lwip/netif_port_state.h"

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "lwip/ip.h"
#include "lwip/netif_port.h"
#include "lwip/netif_steer.h"
#include "lwip/packet_checksum.h"

/* A copy as the device would have given it, had it come in one piece; NULL: no memory. */
static struct rte_mbuf *frame_of(const struct netif_port *np, const struct pbuf *packet, bool ip4)
{
    struct rte_mbuf *frame = rte_pktmbuf_alloc(np->packets), *last = frame;
    struct rte_ether_hdr *ether;

    if (frame == NULL)
        return NULL;
    ether = (struct rte_ether_hdr *)rte_pktmbuf_append(frame, sizeof(*ether));
    memset(ether, 0, sizeof(*ether));
    memcpy(&ether->dst_addr, np->netif.hwaddr, sizeof(ether->dst_addr));
    ether->ether_type = rte_cpu_to_be_16(ip4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
    for (uint32_t at = 0; at < packet->tot_len;) {
        uint32_t part = min_u32(rte_pktmbuf_tailroom(last), packet->tot_len - at);

        if (part == 0) {
            last->next = rte_pktmbuf_alloc(np->packets);
            if (last->next == NULL) {
                rte_pktmbuf_free(frame);
                return NULL;
            }
            last = last->next;
            frame->nb_segs++;
            continue;
        }
        pbuf_copy_partial(packet, rte_pktmbuf_mtod_offset(last, void *, last->data_len), (u16_t)part, (u16_t)at);
        last->data_len = (uint16_t)(last->data_len + part);
        frame->pkt_len += part;
        at += part;
    }
    return frame;
}

bool netif_whole_is_elsewhere(struct netif *netif, struct pbuf *packet)
{
    const uint8_t *ip = packet->payload;
    struct netif_port *np = netif->state;
    bool ip4 = ip[0] >> 4 == 4, elsewhere;
    struct rte_mbuf *frame;

    if (!netif_port_is_ours(netif) || np->steer == NULL || ip[ip4 ? 9 : 6] != IP_PROTO_TCP ||
        packet->tot_len > UINT16_MAX - sizeof(struct rte_ether_hdr))
        return false;
    frame = frame_of(np, packet, ip4);
    if (frame == NULL) { /* on the wrong stack it would be answered with a reset */
        STAT_INC(np->stats, drop_rx_no_memory);
        pbuf_free(packet);
        return true;
    }
    /* Nobody checks what was handed over again; what is wrong is lwIP's to find, and to count. */
    elsewhere = packet_check(frame, np->skip_l4) == PACKET_GOOD && netif_steer_out(np->steer, frame);
    if (elsewhere)
        pbuf_free(packet);
    else
        rte_pktmbuf_free(frame);
    return elsewhere;
}
