/* SPDX-License-Identifier: Apache-2.0 */
#include "lwip/packet_checksum.h"

#include <netinet/in.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "base/compiler.h"
#include "lwip/checksum.h"
#include "port/port.h"

/* Where the transport header of a frame is. */
struct l4 {
    uint32_t offset, bytes; /* from the frame's start; header and data */
    uint32_t pseudo;        /* unfolded sum of the pseudo-header */
    uint8_t protocol;
    bool ip4; /* packet_sum() only */
};

static inline uint16_t fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* Sum of `bytes` from `offset` on over all segments; an odd segment shifts those behind it. */
static uint32_t sum_range(const struct rte_mbuf *packet, uint32_t offset, uint32_t bytes)
{
    uint32_t sum = 0;
    bool odd = false;

    for (; packet != NULL && bytes > 0; packet = packet->next) {
        uint32_t part;
        uint16_t piece;

        if (offset >= packet->data_len) {
            offset -= packet->data_len;
            continue;
        }
        part = min_u32(packet->data_len - offset, bytes);
        piece = checksum_sum(rte_pktmbuf_mtod_offset(packet, const void *, offset), (int)part);
        sum += odd ? __builtin_bswap16(piece) : piece;
        odd ^= part & 1;
        bytes -= part;
        offset = 0;
    }
    return fold(sum);
}

static uint32_t pseudo_sum(const void *addresses, int address_bytes, uint32_t bytes, uint8_t protocol)
{
    return (uint32_t)checksum_sum(addresses, address_bytes) + htons((uint16_t)bytes) +
           htons((uint16_t)(bytes >> 16)) + htons(protocol);
}

static enum packet_verdict ip4_locate(const struct rte_mbuf *packet, struct l4 *out)
{
    const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(packet, const struct rte_ipv4_hdr *, RTE_ETHER_HDR_LEN);
    uint32_t header, total;

    if (packet->data_len < RTE_ETHER_HDR_LEN + sizeof(*ip))
        return PACKET_MALFORMED;
    header = (ip->version_ihl & 0x0fu) * 4;
    total = ntohs(ip->total_length);
    if (header < sizeof(*ip) || total < header || RTE_ETHER_HDR_LEN + total > packet->pkt_len ||
        RTE_ETHER_HDR_LEN + header > packet->data_len)
        return PACKET_MALFORMED;
    if ((packet->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_BAD)
        return PACKET_BAD_IP;
    if ((packet->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN &&
        checksum_sum(ip, (int)header) != 0xffff)
        return PACKET_BAD_IP;
    out->protocol = ip->next_proto_id;
    out->offset = RTE_ETHER_HDR_LEN + header;
    out->bytes = total - header;
    if (ip->fragment_offset & htons(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK))
        return PACKET_FRAGMENT;
    out->pseudo = pseudo_sum(&ip->src_addr, 8, out->bytes, out->protocol);
    return PACKET_GOOD;
}

static enum packet_verdict ip6_locate(const struct rte_mbuf *packet, struct l4 *out)
{
    const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod_offset(packet, const struct rte_ipv6_hdr *, RTE_ETHER_HDR_LEN);

    if (packet->data_len < RTE_ETHER_HDR_LEN + sizeof(*ip) ||
        RTE_ETHER_HDR_LEN + sizeof(*ip) + ntohs(ip->payload_len) > packet->pkt_len)
        return PACKET_MALFORMED;
    out->protocol = ip->proto;
    out->offset = RTE_ETHER_HDR_LEN + sizeof(*ip);
    out->bytes = ntohs(ip->payload_len);
    if (ip->proto != IPPROTO_TCP && ip->proto != IPPROTO_UDP && ip->proto != IPPROTO_ICMPV6)
        return PACKET_FRAGMENT; /* extension headers are rare: lwIP walks them and checks */
    out->pseudo = pseudo_sum(&ip->src_addr, 32, out->bytes, out->protocol);
    return PACKET_GOOD;
}

static enum packet_verdict locate(const struct rte_mbuf *packet, struct l4 *out)
{
    const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(packet, const struct rte_ether_hdr *);

    if (UNLIKELY(packet->data_len < sizeof(*ether)))
        return PACKET_MALFORMED;
    if (LIKELY(ether->ether_type == htons(RTE_ETHER_TYPE_IPV4)))
        return ip4_locate(packet, out);
    if (ether->ether_type == htons(RTE_ETHER_TYPE_IPV6))
        return ip6_locate(packet, out);
    return PACKET_OTHER;
}

enum packet_verdict packet_check(const struct rte_mbuf *packet, bool skip_l4)
{
    uint64_t device = packet->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
    const uint16_t *field;
    struct l4 l4;
    enum packet_verdict verdict = locate(packet, &l4);
    uint32_t field_offset;
    bool tcp;

    if (verdict != PACKET_GOOD || (l4.protocol != IPPROTO_TCP && l4.protocol != IPPROTO_UDP))
        return verdict;
    tcp = l4.protocol == IPPROTO_TCP;
    field_offset = l4.offset + (uint32_t)(tcp ? offsetof(struct rte_tcp_hdr, cksum)
                                              : offsetof(struct rte_udp_hdr, dgram_cksum));
    if (l4.bytes < (tcp ? sizeof(struct rte_tcp_hdr) : sizeof(struct rte_udp_hdr)) ||
        field_offset + 2 > packet->data_len)
        return PACKET_MALFORMED;
    if (skip_l4 || device == RTE_MBUF_F_RX_L4_CKSUM_GOOD || device == RTE_MBUF_F_RX_L4_CKSUM_NONE)
        return PACKET_GOOD;
    field = rte_pktmbuf_mtod_offset(packet, const uint16_t *, field_offset);
    if (!tcp && *field == 0) /* RFC 768: not summed; RFC 8200 8.1: not allowed over IPv6 */
        return l4.offset == RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv6_hdr) &&
                       rte_pktmbuf_mtod(packet, const uint8_t *)[RTE_ETHER_HDR_LEN] >> 4 == 6
                   ? PACKET_BAD_UDP
                   : PACKET_GOOD;
    if (device != RTE_MBUF_F_RX_L4_CKSUM_BAD &&
        LIKELY(fold(l4.pseudo + sum_range(packet, l4.offset, l4.bytes)) == 0xffff))
        return PACKET_GOOD;
    if (*field == fold(l4.pseudo))
        return tcp ? PACKET_PARTIAL_TCP : PACKET_PARTIAL_UDP;
    return tcp ? PACKET_BAD_TCP : PACKET_BAD_UDP;
}

/* Where the transport header of a frame of lwIP's is; false: there is none, or only a piece of it. */
static inline bool sum_locate(const struct rte_mbuf *packet, struct l4 *out)
{
    const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(packet, const struct rte_ether_hdr *);
    const uint8_t *ip = (const uint8_t *)(ether + 1);
    bool ip4 = ether->ether_type == htons(RTE_ETHER_TYPE_IPV4);

    if (!ip4 && ether->ether_type != htons(RTE_ETHER_TYPE_IPV6))
        return false;
    out->protocol = ip4 ? ip[9] : ip[6];
    if (out->protocol != IPPROTO_TCP && out->protocol != IPPROTO_UDP)
        return false;
    if (ip4 && UNLIKELY(((const struct rte_ipv4_hdr *)ip)->fragment_offset &
                        htons(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)))
        return false; /* summed up before it was cut, fragment_checksum.c */
    out->offset = RTE_ETHER_HDR_LEN + (ip4 ? (ip[0] & 0x0fu) * 4 : (uint32_t)sizeof(struct rte_ipv6_hdr));
    out->bytes = packet->pkt_len - out->offset;
    out->pseudo = pseudo_sum(ip4 ? ip + 12 : ip + 8, ip4 ? 8 : 32, out->bytes, out->protocol);
    out->ip4 = ip4;
    return true;
}

void packet_sum(struct rte_mbuf *packet, uint32_t offloads)
{
    uint16_t *field, sum;
    struct l4 l4;
    bool tcp;

    if (!sum_locate(packet, &l4))
        return;
    tcp = l4.protocol == IPPROTO_TCP;
    field = rte_pktmbuf_mtod_offset(packet, uint16_t *,
                                    l4.offset + (tcp ? offsetof(struct rte_tcp_hdr, cksum)
                                                     : offsetof(struct rte_udp_hdr, dgram_cksum)));
    if (offloads & (tcp ? PORT_TX_TCP_CSUM : PORT_TX_UDP_CSUM)) {
        const struct rte_tcp_hdr *header = rte_pktmbuf_mtod_offset(packet, struct rte_tcp_hdr *, l4.offset);

        packet->l2_len = RTE_ETHER_HDR_LEN;
        packet->l3_len = l4.offset - RTE_ETHER_HDR_LEN;
        packet->l4_len = tcp ? (header->data_off >> 4) * 4u : sizeof(struct rte_udp_hdr);
        packet->ol_flags |= (tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM) |
                            (l4.ip4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6);
        *field = fold(l4.pseudo); /* what devices expect to find, rte_mbuf_core.h */
        return;
    }
    *field = 0;
    sum = (uint16_t)~fold(l4.pseudo + sum_range(packet, l4.offset, l4.bytes));
    *field = sum == 0 && !tcp ? 0xffff : sum; /* RFC 768: 0 says that there is none */
}

uint16_t packet_pseudo_sum(const uint8_t *ip)
{
    bool ip4 = ip[0] >> 4 == 4;

    return fold(pseudo_sum(ip4 ? ip + 12 : ip + 8, ip4 ? 8 : 32, 0, IPPROTO_TCP));
}
