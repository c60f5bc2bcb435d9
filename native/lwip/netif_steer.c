/* SPDX-License-Identifier: Apache-2.0 */
#include "lwip/netif_steer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/doorbell.h"
#include "lwip/ip.h"
#include "lwip/netif_port.h"
#include "lwip/netif_port_state.h"

struct netif_steer {
    unsigned self, count; /* indices into the members */
    uint8_t member_of[256]; /* owner_of_port's values -> index; NOT_HERE */
    const uint8_t *owner_of_port;
    bool by_hash;
    struct netif_port *port;
    struct doorbell **bells; /* [count] */
    struct ring **out; /* [count]: to that stack; ours to push */
    struct ring **in;  /* [count]: from that stack; owned by us */
};

enum { TO_NOBODY = -1, TO_ALL = -2 };
#define NOT_HERE 0xff

#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_IP6 0x86dd
#define ARP_REPLY 2
#define ND_ADVERTISEMENT 136 /* RFC 4861 4.4 */
#define ICMP_BYTES 8
#define IP6_BYTES 40

static inline uint16_t be16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

/* Murmur3's finisher over the addresses and ports; `addresses` holds both, `words` of 4 bytes. */
static inline unsigned flow_member(const struct netif_steer *steer, const uint8_t *addresses,
                                   unsigned words, const uint8_t *ports)
{
    uint64_t sum;
    uint32_t word;

    memcpy(&word, ports, 4);
    sum = word;
    for (unsigned i = 0; i < words; i++) {
        memcpy(&word, addresses + i * 4, 4);
        sum = (sum ^ word) * 0xff51afd7ed558ccdull;
        sum ^= sum >> 33;
    }
    sum *= 0xc4ceb9fe1a85ec53ull;
    return (unsigned)((sum >> 32) * steer->count >> 32);
}

/* The stack that puts a datagram together: by what all its fragments have in common (RFC 791, RFC 8200 4.5). */
static unsigned fragment_member(const struct netif_steer *steer, const uint8_t *addresses, unsigned words,
                                uint32_t id, uint8_t protocol)
{
    uint32_t key = id ^ (uint32_t)protocol << 24;

    return flow_member(steer, addresses, words, (const uint8_t *)&key);
}

/* Fragments of one datagram may come on several queues: the first has ports, the others do not. */
static inline bool ip4_is_fragment(const uint8_t *ip)
{
    return (be16(ip + 6) & 0x3fff) != 0;
}

static inline bool ip6_is_fragment(const uint8_t *ip, uint32_t bytes)
{
    return ip[6] == 44 && bytes >= 14 + 40 + 8;
}

bool netif_steer_is_fragment(const struct rte_mbuf *packet)
{
    const uint8_t *eth = rte_pktmbuf_mtod(packet, const uint8_t *);
    uint16_t type = be16(eth + 12);

    return type == ETHERTYPE_IP4   ? ip4_is_fragment(eth + 14)
           : type == ETHERTYPE_IP6 ? ip6_is_fragment(eth + 14, rte_pktmbuf_data_len(packet))
                                   : false;
}

static inline int other_than_self(const struct netif_steer *steer, unsigned member)
{
    return member == steer->self ? TO_NOBODY : (int)member;
}

/* By addresses and ports as they stand in what the peer sends. */
static int connection_destination(const struct netif_steer *steer, const uint8_t *addresses, unsigned words,
                                  const uint8_t *ports)
{
    uint8_t owner = __atomic_load_n(&steer->owner_of_port[be16(ports + 2)], __ATOMIC_RELAXED);
    unsigned member = steer->member_of[owner];

    if (owner == 0 && steer->by_hash)
        member = flow_member(steer, addresses, words, ports);
    return member == NOT_HERE ? TO_NOBODY : other_than_self(steer, member);
}

static bool is_icmp_error(const uint8_t *icmp, bool ip6)
{
    return ip6 ? icmp[0] > 0 && icmp[0] < 128                       /* RFC 4443 2.1 */
               : icmp[0] == 3 || icmp[0] == 11 || icmp[0] == 12;    /* RFC 792 */
}

/*
 * An ICMP error comes from any router, by any queue, and is for the stack whose segment it quotes: the way of
 * that connection's own packets, seen from the peer. UDP sockets are on all stacks.
 */
static int error_destination(const struct netif_steer *steer, const uint8_t *icmp, const uint8_t *end, bool ip6)
{
    uint32_t left = (uint32_t)(end - icmp), header = IP6_BYTES, address = ip6 ? 16 : 4;
    const uint8_t *quoted = icmp + ICMP_BYTES, *from, *ports;
    uint8_t addresses[32], turned[4];
    int queue;

    if (left < ICMP_BYTES + (ip6 ? 40 : 20) || !is_icmp_error(icmp, ip6))
        return TO_NOBODY;
    if (!ip6)
        header = (quoted[0] & 15u) * 4;
    if (quoted[ip6 ? 6 : 9] != 6 || header < 20 || left < ICMP_BYTES + header + 4 ||
        (!ip6 && (be16(quoted + 6) & 0x1fff) != 0)) /* only the first fragment has the ports */
        return TO_NOBODY;
    from = quoted + (ip6 ? 8 : 12);
    ports = quoted + header;
    memcpy(addresses, from + address, address);
    memcpy(addresses + address, from, address);
    memcpy(turned, ports + 2, 2);
    memcpy(turned + 2, ports, 2);
    if (steer->by_hash || __atomic_load_n(&steer->owner_of_port[be16(ports)], __ATOMIC_RELAXED) != 0)
        return connection_destination(steer, addresses, address / 2, turned);
    /* An accepted connection: where the card put it, if that is known. */
    queue = port_rss_queue(steer->port->port, ip6, addresses, addresses + address, be16(turned), be16(ports));
    return queue < 0 ? TO_ALL : other_than_self(steer, (unsigned)queue);
}

/* The packet has passed packet_check(): its headers are whole and in the first segment. */
static int destination(const struct netif_steer *steer, const struct rte_mbuf *packet)
{
    const uint8_t *eth = rte_pktmbuf_mtod(packet, const uint8_t *), *ip = eth + 14, *l4, *addresses;
    uint32_t bytes = rte_pktmbuf_data_len(packet), header, words;

    switch (be16(eth + 12)) {
    case ETHERTYPE_ARP:
        return bytes >= 14 + 8 && be16(ip + 6) == ARP_REPLY ? TO_ALL : TO_NOBODY;
    case ETHERTYPE_IP4:
        header = (ip[0] & 15u) * 4;
        if (UNLIKELY(ip4_is_fragment(ip)))
            return other_than_self(steer, fragment_member(steer, ip + 12, 2, be16(ip + 4), ip[9]));
        if (ip[9] != 6 || bytes < 14 + header + 4)
            return ip[9] == 1 && bytes > 14 + header ? error_destination(steer, ip + header, eth + bytes, false)
                                                     : TO_NOBODY;
        l4 = ip + header;
        addresses = ip + 12;
        words = 2;
        break;
    case ETHERTYPE_IP6:
        if (ip[6] == 58 && bytes > 14 + 40 && ip[40] == ND_ADVERTISEMENT)
            return TO_ALL;
        if (UNLIKELY(ip6_is_fragment(ip, bytes))) {
            uint32_t id;

            memcpy(&id, ip + 40 + 4, sizeof(id));
            return other_than_self(steer, fragment_member(steer, ip + 8, 8, id, 0));
        }
        if (ip[6] != 6 || bytes < 14 + 40 + 4)
            return ip[6] == 58 && bytes > 14 + 40 ? error_destination(steer, ip + 40, eth + bytes, true)
                                                  : TO_NOBODY;
        l4 = ip + 40;
        addresses = ip + 8;
        words = 8;
        break;
    default:
        return TO_NOBODY;
    }
    return connection_destination(steer, addresses, words, l4);
}

bool netif_steer_comes_home(void *context, const ip_addr_t *local, uint16_t local_port, const ip_addr_t *peer,
                            uint16_t peer_port)
{
    const struct netif_port *np;
    struct netif *netif = peer_port != 0 ? ip_route(local, peer) : NULL;
    int queue;

    (void)context;
    if (netif == NULL || !netif_port_is_ours(netif))
        return true;
    np = netif->state;
    if (np->steer == NULL)
        return true;
    queue = port_rss_queue(np->port, IP_IS_V6(peer), &peer->u_addr, &local->u_addr, peer_port, local_port);
    return queue < 0 || queue == np->queue->queue_id;
}

static void hand(struct netif_steer *steer, unsigned to, struct rte_mbuf *packet)
{
    if (ring_push(steer->out[to], packet)) {
        doorbell_ring(steer->bells[to]);
        STAT_INC(steer->port->stats, rx_handed_over);
        return;
    }
    STAT_INC(steer->port->stats, drop_rx_no_memory);
    rte_pktmbuf_free(packet);
}

bool netif_steer_out(struct netif_steer *steer, struct rte_mbuf *packet)
{
    int to = destination(steer, packet);

    if (to == TO_NOBODY)
        return false;
    if (to >= 0) {
        hand(steer, (unsigned)to, packet);
        return true;
    }
    for (unsigned i = 0; i < steer->count; i++) {
        struct rte_mbuf *copy;

        if (i == steer->self)
            continue;
        copy = rte_pktmbuf_copy(packet, steer->port->packets, 0, UINT32_MAX);
        if (copy)
            hand(steer, i, copy);
    }
    return false; /* and for ourselves */
}

struct rte_mbuf *netif_steer_in(struct netif_steer *steer)
{
    for (unsigned i = 0; i < steer->count; i++) {
        struct rte_mbuf *packet = steer->in[i] ? ring_pop(steer->in[i]) : NULL;

        if (packet)
            return packet;
    }
    return NULL;
}

void netif_steer_leave(struct netif_port *port)
{
    struct netif_steer *steer = port->steer;
    struct rte_mbuf *packet;

    if (steer == NULL)
        return;
    while (steer->in && (packet = netif_steer_in(steer)) != NULL)
        rte_pktmbuf_free(packet);
    for (unsigned i = 0; steer->in && i < steer->count; i++)
        free(steer->in[i]);
    free(steer->in);
    free(steer->out);
    free(steer->bells);
    free(steer);
    port->steer = NULL;
}

static int make(const struct netif_steer_member *members, unsigned self, unsigned count,
                const uint8_t *owner_of_port, bool by_hash)
{
    struct netif_steer *steer = calloc(1, sizeof(*steer));

    if (steer == NULL)
        return -ENOMEM;
    members[self].port->steer = steer;
    steer->self = self;
    steer->count = count;
    steer->owner_of_port = owner_of_port;
    steer->by_hash = by_hash;
    steer->port = members[self].port;
    steer->bells = calloc(count, sizeof(*steer->bells));
    steer->out = calloc(count, sizeof(*steer->out));
    steer->in = calloc(count, sizeof(*steer->in));
    if (steer->bells == NULL || steer->out == NULL || steer->in == NULL)
        return -ENOMEM;
    steer->member_of[0] = NOT_HERE;
    for (unsigned owner = 0; owner < 255; owner++) /* a port of a stack elsewhere: always the same (control/steer.c) */
        steer->member_of[owner + 1] = (uint8_t)(owner % count);
    for (unsigned i = 0; i < count; i++) {
        steer->bells[i] = members[i].bell;
        steer->member_of[members[i].stack + 1] = (uint8_t)i;
        if (i == self)
            continue;
        steer->in[i] = aligned_alloc(CACHE_LINE, ring_bytes(NETIF_STEER_SLOTS));
        if (steer->in[i] == NULL)
            return -ENOMEM;
        ring_init(steer->in[i], NETIF_STEER_SLOTS);
    }
    return 0;
}

int netif_steer_join(const struct netif_steer_member *members, unsigned count,
                     const uint8_t *owner_of_port, bool by_hash)
{
    for (unsigned i = 0; i < count; i++) {
        int result = make(members, i, count, owner_of_port, by_hash);

        if (result < 0)
            return result; /* netif_steer_leave() takes apart what is there */
    }
    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = 0; k < count; k++)
            members[i].port->steer->out[k] = members[k].port->steer->in[i];
    }
    return 0;
}
