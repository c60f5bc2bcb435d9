/* SPDX-License-Identifier: Apache-2.0 */
/* See icmp_error.h. */
#include "lwip/icmp_error.h"

#include <errno.h>

#include "base/compiler.h"
#include "lwip/demux.h"
#include "lwip/icmp.h"
#include "lwip/icmp6.h"
#include "lwip/inet_chksum.h"
#include "lwip/instance_var.h"
#include "lwip/path_mtu.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "lwip/tcp_timeout.h"
#include "lwip/udp.h"

#define ICMP_BYTES 8
#define UDP_BYTES 8
#define FRAGMENT_OFFSET_MASK 0x1fff

/* The first bytes of UDP and of TCP, all that an error must quote (RFC 792). */
struct ports {
    uint16_t from, to;
    uint32_t rest; /* TCP: the sequence number */
};

struct quoted {
    ip_addr_t from, to;
    uint8_t protocol;
    struct ports ports;
    uint16_t offset; /* of those */
};

static bool read_quoted(const struct pbuf *p, uint16_t offset, bool is_ip6, struct quoted *q)
{
    if (is_ip6) {
        struct ip6_hdr header;

        if (pbuf_copy_partial(p, &header, sizeof(header), offset) != sizeof(header))
            return false;
        ip_addr_copy_from_ip6_packed(q->from, header.src);
        ip_addr_copy_from_ip6_packed(q->to, header.dest);
        q->protocol = IP6H_NEXTH(&header);
        offset += sizeof(header);
    } else {
        struct ip_hdr header;

        if (pbuf_copy_partial(p, &header, sizeof(header), offset) != sizeof(header) ||
            IPH_HL_BYTES(&header) < sizeof(header) || (lwip_ntohs(IPH_OFFSET(&header)) & FRAGMENT_OFFSET_MASK))
            return false;
        ip_addr_copy_from_ip4(q->from, header.src);
        ip_addr_copy_from_ip4(q->to, header.dest);
        q->protocol = IPH_PROTO(&header);
        offset = (uint16_t)(offset + IPH_HL_BYTES(&header));
    }
    q->offset = offset;
    return pbuf_copy_partial(p, &q->ports, sizeof(q->ports), offset) == sizeof(q->ports);
}

struct meaning {
    uint8_t error;
    bool fatal;
};

/* By code (RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1), as Linux' icmp_err_convert. */
enum { NET, HOST, PROTOCOL, PORT, FRAGMENTATION_NEEDED };
static const struct meaning unreachable4[] = {
    [NET] = { ENETUNREACH, false },
    [HOST] = { EHOSTUNREACH, false },
    [PROTOCOL] = { ENOPROTOOPT, true },
    [PORT] = { ECONNREFUSED, true },
    [FRAGMENTATION_NEEDED] = { EMSGSIZE, true },
    { EOPNOTSUPP, false },  /* source route failed */
    { ENETUNREACH, true },  /* net unknown */
    { EHOSTDOWN, true },    /* host unknown */
    { ENONET, true },       /* host isolated */
    { ENETUNREACH, true },  /* net prohibited */
    { EHOSTUNREACH, true }, /* host prohibited */
    { ENETUNREACH, false }, /* not with that type of service */
    { EHOSTUNREACH, false },
    { EHOSTUNREACH, true }, /* filtered */
    { EHOSTUNREACH, true }, /* precedence */
    { EHOSTUNREACH, true },
};

/* RFC 4443 3.1 */
enum { NO_ROUTE, PROHIBITED, BEYOND_SCOPE, ADDRESS, NO_PORT, POLICY, REJECTED };
static const struct meaning unreachable6[] = {
    [NO_ROUTE] = { ENETUNREACH, false },      [PROHIBITED] = { EACCES, true },
    [BEYOND_SCOPE] = { EHOSTUNREACH, false }, [ADDRESS] = { EHOSTUNREACH, false },
    [NO_PORT] = { ECONNREFUSED, true },       [POLICY] = { EACCES, true },
    [REJECTED] = { EACCES, true },
};

static bool say(struct icmp_error *e, int error, bool fatal)
{
    e->error = error;
    e->fatal = fatal;
    return true;
}

/* False: nothing that concerns a socket. `info`: the message's second word. */
static bool mean4(struct icmp_error *e, uint32_t info)
{
    switch (e->type) {
    case ICMP_DUR:
        if (e->code >= ARRAY_SIZE(unreachable4))
            return say(e, EHOSTUNREACH, false);
        if (e->code == FRAGMENTATION_NEEDED)
            e->info = info & 0xffff;
        return say(e, unreachable4[e->code].error, unreachable4[e->code].fatal);
    case ICMP_TE: return say(e, EHOSTUNREACH, false);
    case ICMP_PP: e->info = info >> 24; return say(e, EPROTO, true);
    default: return false;
    }
}

static bool mean6(struct icmp_error *e, uint32_t info)
{
    switch (e->type) {
    case ICMP6_TYPE_DUR:
        if (e->code >= ARRAY_SIZE(unreachable6))
            return say(e, EPROTO, true);
        return say(e, unreachable6[e->code].error, unreachable6[e->code].fatal);
    case ICMP6_TYPE_PTB: e->info = info; return say(e, EMSGSIZE, true);
    case ICMP6_TYPE_TE: return say(e, EHOSTUNREACH, false);
    case ICMP6_TYPE_PP: e->info = info; return say(e, EPROTO, true);
    default: return false;
    }
}

/* Of several sockets on one port the connected one, else one that is bound to the address. */
static void tell_udp(struct icmp_error *e, const struct quoted *q)
{
    uint16_t from_port = lwip_ntohs(q->ports.from);
    struct udp_pcb *found = NULL;

    e->offset = q->offset + UDP_BYTES;
    for (struct udp_pcb *pcb = udp_demux(from_port); pcb; pcb = pcb->hash_next) {
        if (pcb->local_port != from_port || !pcb->unreachable ||
            !(ip_addr_isany(&pcb->local_ip) || ip_addr_cmp_zoneless(&pcb->local_ip, &q->from)))
            continue;
        if (!(pcb->flags & UDP_FLAGS_CONNECTED)) {
            found = found ? found : pcb;
        } else if (pcb->remote_port == e->to_port && ip_addr_cmp_zoneless(&pcb->remote_ip, &q->to)) {
            found = pcb;
            break;
        }
    }
    if (found)
        found->unreachable(found->recv_arg, e);
}

/* RFC 5927 4: only what quotes a segment that is on its way. */
static void tell_tcp(const struct icmp_error *e, const struct quoted *q)
{
    uint32_t sequence = lwip_ntohl(q->ports.rest);
    struct tcp_pcb *pcb = tcp_demux(&q->from, lwip_ntohs(q->ports.from), &q->to, e->to_port);

    if (pcb == NULL || pcb->state == TIME_WAIT || !TCP_SEQ_BETWEEN(sequence, pcb->lastack, pcb->snd_nxt))
        return;
    if (e->error == EMSGSIZE) {
        path_mtu_tcp(pcb, e->info);
        return;
    }
    if (pcb->state == SYN_SENT) {
        tcp_timeout_fail(pcb, (err_t)e->error);
        return;
    }
    pcb->soft_error = (u8_t)e->error;
    pcb->soft_error_at = pcb->lastack;
}

static void tell(struct icmp_error *e, const struct pbuf *p, uint16_t offset)
{
    struct quoted q;

    if (!read_quoted(p, offset, e->is_ip6, &q))
        return;
    e->packet = p;
    e->to = q.to;
    e->to_port = lwip_ntohs(q.ports.to);
    if (q.protocol == IP_PROTO_UDP)
        tell_udp(e, &q);
    else if (q.protocol == IP_PROTO_TCP)
        tell_tcp(e, &q);
}

void icmp_error_input(const struct pbuf *p, int is_ip6)
{
    struct icmp_error e = { .is_ip6 = is_ip6 };
    uint8_t header[ICMP_BYTES];
    uint32_t info;

    if (pbuf_copy_partial(p, header, sizeof(header), 0) != sizeof(header))
        return;
    e.type = header[0];
    e.code = header[1];
    memcpy(&info, header + 4, sizeof(info));
    if (!(is_ip6 ? mean6 : mean4)(&e, lwip_ntohl(info)))
        return;
    if (!is_ip6) { /* of IPv6's it was looked at before */
        IF__NETIF_CHECKSUM_ENABLED(ip_current_input_netif(), NETIF_CHECKSUM_CHECK_ICMP) {
            if (inet_chksum_pbuf((struct pbuf *)(uintptr_t)p) != 0)
                return;
        }
    }
    e.ttl = is_ip6 ? IP6H_HOPLIM(ip6_current_header()) : IPH_TTL(ip4_current_header());
    e.tos = is_ip6 ? (uint8_t)IP6H_TC(ip6_current_header()) : IPH_TOS(ip4_current_header());
    ip_addr_copy(e.offender, *ip_current_src_addr());
    tell(&e, p, ICMP_BYTES);
}

/* Linux sends itself the message that a router would have sent. */
void icmp_error_no_neighbour(const struct pbuf *p, int is_ip6)
{
    struct icmp_error e = { .is_ip6 = is_ip6, .error = EHOSTUNREACH, .ttl = 64 };
    struct quoted q;

    e.type = is_ip6 ? ICMP6_TYPE_DUR : ICMP_DUR;
    e.code = is_ip6 ? ADDRESS : HOST;
    if (!read_quoted(p, 0, is_ip6, &q))
        return;
    ip_addr_copy(e.offender, q.from);
    tell(&e, p, 0);
}
