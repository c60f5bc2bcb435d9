/* SPDX-License-Identifier: Apache-2.0 */
/* Which UDP PCB an ICMP "destination unreachable" is about; called by lwIP (our patch). */
#include "lwip/demux.h"
#include "lwip/instance_var.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "lwip/udp.h"

#define ICMP_BYTES 8
#define UDP_PORTS_BYTES 4

struct quoted { /* what the error quotes of our datagram */
    ip_addr_t from, to;
    uint16_t from_port, to_port;
};

static bool read_quoted(const struct pbuf *p, bool is_ip6, struct quoted *q)
{
    uint16_t ports[2], offset = ICMP_BYTES;

    if (is_ip6) {
        struct ip6_hdr header;

        if (pbuf_copy_partial(p, &header, sizeof(header), offset) != sizeof(header) ||
            IP6H_NEXTH(&header) != IP6_NEXTH_UDP)
            return false;
        ip_addr_copy_from_ip6_packed(q->from, header.src);
        ip_addr_copy_from_ip6_packed(q->to, header.dest);
        offset += sizeof(header);
    } else {
        struct ip_hdr header;

        if (pbuf_copy_partial(p, &header, sizeof(header), offset) != sizeof(header) ||
            IPH_PROTO(&header) != IP_PROTO_UDP || IPH_HL_BYTES(&header) < sizeof(header))
            return false;
        ip_addr_copy_from_ip4(q->from, header.src);
        ip_addr_copy_from_ip4(q->to, header.dest);
        offset = (uint16_t)(offset + IPH_HL_BYTES(&header));
    }
    if (pbuf_copy_partial(p, ports, sizeof(ports), offset) != UDP_PORTS_BYTES)
        return false;
    q->from_port = lwip_ntohs(ports[0]);
    q->to_port = lwip_ntohs(ports[1]);
    return true;
}

void udp_unreachable(const struct pbuf *p, int code, int is_ip6)
{
    struct quoted q;
    struct udp_pcb *pcb;

    if (!read_quoted(p, is_ip6, &q))
        return;
    for (pcb = udp_demux(q.from_port); pcb; pcb = pcb->hash_next) {
        if (pcb->local_port == q.from_port && pcb->remote_port == q.to_port &&
            (pcb->flags & UDP_FLAGS_CONNECTED) && pcb->unreachable &&
            ip_addr_cmp_zoneless(&pcb->remote_ip, &q.to) &&
            (ip_addr_isany(&pcb->local_ip) || ip_addr_cmp_zoneless(&pcb->local_ip, &q.from))) {
            pcb->unreachable(pcb->recv_arg, code);
            return;
        }
    }
}
