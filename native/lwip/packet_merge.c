/* SPDX-License-Identifier: Apache-2.0 */
#include "lwip/packet_merge.h"

#include <netinet/in.h>
#include <string.h>

#include "lwip/netif_port_state.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "lwip/checksum.h"
#include "lwip/packet.h"
#include "lwip/packet_checksum.h"

/* Cards refuse to cut smaller pieces (some below 256 bytes), and it would gain little. */
#define SEGMENT_BYTES_MIN 512

/* What a card repeats in each segment, and what only the last one has. */
#define FLAGS_OF_ALL RTE_TCP_ACK_FLAG
#define FLAGS_OF_LAST (RTE_TCP_PSH_FLAG | RTE_TCP_FIN_FLAG)

/* Headers in place, neither aligned nor checked: lwIP made them. */
static inline uint32_t be32_at(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return ntohl(value);
}

#define SEQ 4
#define FLAGS 13
#define WINDOW_END 16
#define URGENT 18

/* Equal but for lengths, identification, checksums, the sequence number and the flags. */
static inline bool same_headers(const uint8_t *a, const uint8_t *b, uint16_t tcp, uint16_t header_bytes)
{
    const uint8_t *tcp_a = a + tcp, *tcp_b = b + tcp;
    /* IPv4: length, identification at 2..5, checksum at 10..11; IPv6: length at 4..5. */
    bool ip4 = a[RTE_ETHER_HDR_LEN] >> 4 == 4;

    if (memcmp(a, b, RTE_ETHER_HDR_LEN + (ip4 ? 2 : 4)) != 0 ||
        (ip4 ? memcmp(a + RTE_ETHER_HDR_LEN + 6, b + RTE_ETHER_HDR_LEN + 6, 4) != 0 ||
                   memcmp(a + RTE_ETHER_HDR_LEN + 12, b + RTE_ETHER_HDR_LEN + 12, tcp - RTE_ETHER_HDR_LEN - 12u) != 0
             : memcmp(a + RTE_ETHER_HDR_LEN + 6, b + RTE_ETHER_HDR_LEN + 6, tcp - RTE_ETHER_HDR_LEN - 6u) != 0))
        return false;
    return memcmp(tcp_a, tcp_b, SEQ) == 0 && memcmp(tcp_a + SEQ + 4, tcp_b + SEQ + 4, FLAGS - SEQ - 4) == 0 &&
           memcmp(tcp_a + FLAGS + 1, tcp_b + FLAGS + 1, WINDOW_END - FLAGS - 1) == 0 &&
           memcmp(tcp_a + URGENT, tcp_b + URGENT, header_bytes - tcp - URGENT) == 0;
}

/* The headers of a frame that has grown. */
static void headers_renew(struct rte_mbuf *packet, const struct packet_merge *merge, uint8_t flags, uint32_t offloads)
{
    uint8_t *frame = rte_pktmbuf_mtod(packet, uint8_t *), *ip = frame + RTE_ETHER_HDR_LEN;
    struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(frame + merge->tcp);

    tcp->tcp_flags |= flags;
    if (ip[0] >> 4 == 6) {
        ((struct rte_ipv6_hdr *)ip)->payload_len = htons((uint16_t)(packet->pkt_len - merge->tcp));
    } else {
        struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)ip;

        ip4->total_length = htons((uint16_t)(packet->pkt_len - RTE_ETHER_HDR_LEN));
        ip4->hdr_checksum = 0; /* also right where the device makes one for each segment */
        ip4->hdr_checksum = (uint16_t)~checksum_sum(ip4, merge->tcp - RTE_ETHER_HDR_LEN);
        if (offloads & PORT_TX_IPV4_CSUM)
            packet->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
    }
    if (packet->ol_flags & RTE_MBUF_F_TX_TCP_SEG)
        return;
    packet->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
    packet->tso_segsz = merge->segment_bytes;
    /* The length is each segment's own: RTE_MBUF_F_TX_TCP_SEG in rte_mbuf_core.h. */
    tcp->cksum = packet_pseudo_sum(ip);
}

bool packet_merge(struct netif_port *np, const struct pbuf *segment)
{
    struct packet_merge *merge = &np->merge;
    struct port_queue *queue = np->queue;
    struct rte_mbuf *packet = merge->packet;
    const uint8_t *headers = segment->payload;
    uint16_t bytes;
    uint8_t flags;

    if (packet == NULL || UNLIKELY(np->mute || queue->hooks != NULL) || queue->pending == 0 ||
        queue->tx[queue->pending - 1] != packet)
        return false;
    if (segment->len < merge->header_bytes || segment->tot_len <= merge->header_bytes ||
        be32_at(headers + merge->tcp + SEQ) != merge->next_seq)
        return false;
    bytes = (uint16_t)(segment->tot_len - merge->header_bytes);
    flags = headers[merge->tcp + FLAGS];
    if (bytes > merge->segment_bytes || (flags & ~FLAGS_OF_LAST) != FLAGS_OF_ALL ||
        packet->pkt_len + bytes > queue->large_bytes || packet->nb_segs + pbuf_clen(segment) > queue->large_pieces ||
        !same_headers(rte_pktmbuf_mtod(packet, const uint8_t *), headers, merge->tcp, merge->header_bytes))
        return false;
    if (packet_append(np, packet, &merge->last, segment, merge->header_bytes) != 0)
        return false;
    headers_renew(packet, merge, flags, queue->offloads);
    port_tx_grown(queue, bytes);
    merge->next_seq += bytes;
    if (bytes < merge->segment_bytes || (flags & RTE_TCP_FIN_FLAG))
        merge->packet = NULL;
    return true;
}

void packet_merge_begin(struct netif_port *np, struct rte_mbuf *packet)
{
    struct packet_merge *merge = &np->merge;
    struct port_queue *queue = np->queue;
    const uint8_t *tcp;
    uint32_t headers;

    merge->packet = NULL;
    if ((packet->ol_flags & RTE_MBUF_F_TX_L4_MASK) != RTE_MBUF_F_TX_TCP_CKSUM || queue->hooks != NULL ||
        queue->pending == 0 || queue->tx[queue->pending - 1] != packet)
        return;
    headers = (uint32_t)(packet->l2_len + packet->l3_len + packet->l4_len);
    tcp = rte_pktmbuf_mtod_offset(packet, const uint8_t *, packet->l2_len + packet->l3_len);
    if (packet->pkt_len < headers + SEGMENT_BYTES_MIN ||
        (tcp[FLAGS] & ~RTE_TCP_PSH_FLAG) != FLAGS_OF_ALL)
        return;
    *merge = (struct packet_merge){
        .packet = packet,
        .last = rte_pktmbuf_lastseg(packet),
        .next_seq = be32_at(tcp + SEQ) + packet->pkt_len - headers,
        .segment_bytes = (uint16_t)(packet->pkt_len - headers),
        .header_bytes = (uint16_t)headers,
        .tcp = (uint16_t)(packet->l2_len + packet->l3_len),
    };
}
