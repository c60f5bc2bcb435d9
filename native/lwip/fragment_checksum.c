/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checksum of a segment or datagram that IP is about to cut (our patch in ip4_frag() and
 * ip6_frag()). What leaves whole is summed up when it goes to the device (packet_sum), or by the
 * device; a fragment cannot be.
 */
#include <stdbool.h>
#include <string.h>

#include "lwip/inet_chksum.h"
#include "lwip/ip.h"
#include "lwip/netif.h"
#include "lwip/prot/tcp.h"
#include "lwip/prot/udp.h"

static bool is_left_to_the_port(const struct netif *netif, uint8_t protocol)
{
#if LWIP_CHECKSUM_CTRL_PER_NETIF
    return (protocol == IP_PROTO_UDP && !(netif->chksum_flags & NETIF_CHECKSUM_GEN_UDP)) ||
           (protocol == IP_PROTO_TCP && !(netif->chksum_flags & NETIF_CHECKSUM_GEN_TCP));
#else
    return false;
#endif
}

void fragment_checksum(struct pbuf *packet, const struct netif *netif)
{
    const struct ip_hdr *ip4 = packet->payload;
    const struct ip6_hdr *ip6 = packet->payload;
    bool is_ip4 = IPH_V(ip4) == 4;
    uint8_t protocol = is_ip4 ? IPH_PROTO(ip4) : IP6H_NEXTH(ip6);
    uint16_t header = is_ip4 ? IPH_HL_BYTES(ip4) : IP6_HLEN, sum;
    uint8_t *field;
    ip_addr_t from, to;

    if (!is_left_to_the_port(netif, protocol))
        return;
    if (is_ip4) {
        ip_addr_copy_from_ip4(from, ip4->src);
        ip_addr_copy_from_ip4(to, ip4->dest);
    } else {
        ip_addr_copy_from_ip6_packed(from, ip6->src);
        ip_addr_copy_from_ip6_packed(to, ip6->dest);
    }
    /* lwIP's headers of all layers lie in one piece. */
    LWIP_ASSERT("headers in one piece", packet->len >= header + (protocol == IP_PROTO_UDP ? UDP_HLEN : TCP_HLEN));
    pbuf_remove_header(packet, header);
    field = protocol == IP_PROTO_UDP ? (uint8_t *)&((struct udp_hdr *)packet->payload)->chksum
                                     : (uint8_t *)&((struct tcp_hdr *)packet->payload)->chksum;
    memset(field, 0, sizeof(sum));
    sum = ip_chksum_pseudo(packet, protocol, packet->tot_len, &from, &to);
    if (sum == 0 && protocol == IP_PROTO_UDP)
        sum = 0xffff; /* RFC 768: 0 says that there is none */
    memcpy(field, &sum, sizeof(sum));
    pbuf_add_header_force(packet, header);
}
