/* SPDX-License-Identifier: Apache-2.0 */
/* See demux.h. */
#include "lwip/demux.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "lwip/instance_var.h"
#include "lwip/memory.h"
#include "lwip/ports.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/siphash.h"
#include "lwip/udp.h"

#define CONNECTIONS_FIRST 1024
#define CONNECTIONS_LAST (1U << 22)
#define PORT_BUCKETS 256
#define UDP_BUCKETS 512

struct buckets {
    struct tcp_pcb *listening[PORT_BUCKETS];
    struct tcp_pcb *bound[PORT_BUCKETS];
    struct udp_pcb *udp[UDP_BUCKETS];
};

struct demux {
    struct tcp_pcb **connections;
    uint32_t size; /* a power of two */
    uint32_t count;
    uint64_t key[3];
    struct buckets *ports;
};

static INSTANCE_VAR struct demux template_demux;

int demux_start(void)
{
    struct demux *demux = &INSTANCE(demux);

    demux->connections = memory_zalloc(CONNECTIONS_FIRST, sizeof(demux->connections[0]));
    demux->ports = memory_zalloc(1, sizeof(*demux->ports));
    if (!demux->connections || !demux->ports)
        return -ENOMEM;
    demux->size = CONNECTIONS_FIRST;
    for (uint64_t i = 0; i < 3; i++)
        demux->key[i] = siphash(&i, 1) | 1;
    return 0;
}

void demux_stop(void)
{
    struct demux *demux = &INSTANCE(demux);

    if (demux->connections)
        memory_free(demux->connections);
    if (demux->ports)
        memory_free(demux->ports);
    demux->connections = NULL;
    demux->ports = NULL;
}

uint32_t demux_connections(void)
{
    return INSTANCE(demux).count;
}

/* A product of two keyed words, both halves folded: cheap, and who does not know the keys cannot
 * aim many four-tuples at one bucket. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint32_t tuple_hash(const struct demux *demux, const ip_addr_t *local,
                                  uint16_t local_port, const ip_addr_t *peer, uint16_t peer_port)
{
    uint64_t ports = (uint64_t)local_port << 16 | peer_port;
    uint64_t hash;

    if (IP_IS_V6(peer)) {
        const uint32_t *to = ip_2_ip6(local)->addr, *from = ip_2_ip6(peer)->addr;

        hash = mix(((uint64_t)to[0] << 32 | to[1]) ^ demux->key[0],
                   ((uint64_t)to[2] << 32 | to[3]) ^ demux->key[1]);
        hash = mix(((uint64_t)from[0] << 32 | from[1]) ^ hash,
                   ((uint64_t)from[2] << 32 | from[3]) ^ demux->key[2]);
        hash = mix(hash ^ ports, demux->key[1]);
    } else {
        hash = mix(((uint64_t)ip4_addr_get_u32(ip_2_ip4(local)) << 32 |
                    ip4_addr_get_u32(ip_2_ip4(peer))) ^ demux->key[0],
                   ports ^ demux->key[1]);
        hash = mix(hash, demux->key[2]);
    }
    return (uint32_t)(hash >> 20);
}

static inline void bucket_push(struct tcp_pcb **bucket, struct tcp_pcb *pcb)
{
    pcb->hash_next = *bucket;
    pcb->hash_link = bucket;
    if (*bucket)
        (*bucket)->hash_link = &pcb->hash_next;
    *bucket = pcb;
}

static inline void bucket_remove(struct tcp_pcb *pcb)
{
    *pcb->hash_link = pcb->hash_next;
    if (pcb->hash_next)
        pcb->hash_next->hash_link = pcb->hash_link;
    pcb->hash_next = NULL;
    pcb->hash_link = NULL;
}

static inline struct tcp_pcb **connection_bucket(struct demux *demux, const ip_addr_t *local,
                                                 uint16_t local_port, const ip_addr_t *peer,
                                                 uint16_t peer_port)
{
    uint32_t hash = tuple_hash(demux, local, local_port, peer, peer_port);

    return &demux->connections[hash & (demux->size - 1)];
}

static struct tcp_pcb **bucket_of(struct demux *demux, const struct tcp_pcb *pcb)
{
    return connection_bucket(demux, &pcb->local_ip, pcb->local_port, &pcb->remote_ip,
                             pcb->remote_port);
}

/* Twice as many buckets, if there is memory; else the chains get longer, nothing worse. */
static void connections_grow(struct demux *demux)
{
    uint32_t old_size = demux->size;
    struct tcp_pcb **old = demux->connections;
    struct tcp_pcb **grown = memory_zalloc(old_size * 2ULL, sizeof(*grown));

    if (!grown)
        return;
    demux->connections = grown;
    demux->size = old_size * 2;
    for (uint32_t i = 0; i < old_size; i++) {
        while (old[i]) {
            struct tcp_pcb *pcb = old[i];

            bucket_remove(pcb);
            bucket_push(bucket_of(demux, pcb), pcb);
        }
    }
    memory_free(old);
}

void tcp_pcb_link(struct tcp_pcb **list, struct tcp_pcb *pcb)
{
    struct demux *demux = &INSTANCE(demux);

    INVARIANT(!pcb->hash_link);
    pcb->next = *list;
    pcb->prev = NULL;
    if (*list)
        (*list)->prev = pcb;
    *list = pcb;
    ports_take(pcb->local_port);
    if (list == &INSTANCE(tcp_listen_pcbs).pcbs) {
        bucket_push(&demux->ports->listening[pcb->local_port % PORT_BUCKETS], pcb);
    } else if (list == &INSTANCE(tcp_bound_pcbs)) {
        bucket_push(&demux->ports->bound[pcb->local_port % PORT_BUCKETS], pcb);
    } else {
        if (list == &INSTANCE(tcp_tw_pcbs)) {
            pcb->tmr = INSTANCE(tcp_ticks);
            INSTANCE(lwip_events).time_wait++;
            if (!INSTANCE(tcp_tw_oldest))
                INSTANCE(tcp_tw_oldest) = pcb;
        }
        if (++demux->count > demux->size && demux->size < CONNECTIONS_LAST)
            connections_grow(demux);
        bucket_push(bucket_of(demux, pcb), pcb);
    }
}

void tcp_pcb_unlink(struct tcp_pcb **list, struct tcp_pcb *pcb)
{
    struct demux *demux = &INSTANCE(demux);

    /* tcp_close() in a callback takes the PCB out, tcp_input() once more when it is done with it */
    if (!pcb->hash_link)
        return;
    if (list == &INSTANCE(tcp_tw_pcbs))
        INSTANCE(lwip_events).time_wait--;
    if (pcb == INSTANCE(tcp_tw_oldest))
        INSTANCE(tcp_tw_oldest) = pcb->prev;
    if (pcb->prev)
        pcb->prev->next = pcb->next;
    else
        *list = pcb->next;
    if (pcb->next)
        pcb->next->prev = pcb->prev;
    pcb->next = pcb->prev = NULL;
    bucket_remove(pcb);
    ports_give(pcb->local_port);
    /* a listening PCB is a smaller struct, which has no timers */
    if (list != &INSTANCE(tcp_listen_pcbs).pcbs && list != &INSTANCE(tcp_bound_pcbs)) {
        tcp_timer_disarm(pcb);
        demux->count--;
    }
}

struct tcp_pcb *tcp_demux(const ip_addr_t *local_ip, u16_t local_port, const ip_addr_t *remote_ip,
                          u16_t remote_port)
{
    struct tcp_pcb *pcb =
        *connection_bucket(&INSTANCE(demux), local_ip, local_port, remote_ip, remote_port);

    while (pcb && !(pcb->remote_port == remote_port && pcb->local_port == local_port &&
                    ip_addr_cmp(&pcb->remote_ip, remote_ip) &&
                    ip_addr_cmp(&pcb->local_ip, local_ip)))
        pcb = pcb->hash_next;
    return pcb;
}

struct tcp_pcb_listen *tcp_demux_listen(u16_t local_port)
{
    return (struct tcp_pcb_listen *)INSTANCE(demux).ports->listening[local_port % PORT_BUCKETS];
}

/* The next one from `pcb` on, itself included, that shares the address and port of `with`. */
static struct tcp_pcb_listen *sharer(struct tcp_pcb_listen *pcb, const struct tcp_pcb_listen *with)
{
    while (pcb && !(pcb->local_port == with->local_port && ip_get_option(pcb, SOF_REUSEPORT) &&
                    ip_addr_cmp(&pcb->local_ip, &with->local_ip)))
        pcb = (struct tcp_pcb_listen *)pcb->hash_next;
    return pcb;
}

struct tcp_pcb_listen *tcp_demux_share(struct tcp_pcb_listen *lpcb, const ip_addr_t *local_ip,
                                       const ip_addr_t *remote_ip, u16_t remote_port)
{
    struct tcp_pcb_listen *first = sharer(tcp_demux_listen(lpcb->local_port), lpcb), *pcb;
    uint64_t hash = tuple_hash(&INSTANCE(demux), local_ip, lpcb->local_port, remote_ip, remote_port);
    uint32_t count = 0, skip;

    for (pcb = first; pcb; pcb = sharer((struct tcp_pcb_listen *)pcb->hash_next, lpcb))
        count++;
    /* The upper bits: the lower ones choose the bucket of the connection. */
    skip = (uint32_t)(hash * count >> 32);
    for (pcb = first; skip > 0; skip--)
        pcb = sharer((struct tcp_pcb_listen *)pcb->hash_next, lpcb);
    return pcb;
}

/* ---- who may bind where ----------------------------------------------------------------------- */

static bool addresses_clash(const ip_addr_t *a, const ip_addr_t *b)
{
    if (IP_IS_ANY_TYPE_VAL(*a) || IP_IS_ANY_TYPE_VAL(*b))
        return true;
    return IP_IS_V6(a) == IP_IS_V6(b) && (ip_addr_isany(a) || ip_addr_isany(b) || ip_addr_cmp(a, b));
}

static bool binds_clash(const struct tcp_pcb *pcb, const ip_addr_t *address, uint16_t port,
                        const struct tcp_pcb *other)
{
    return other != pcb && other->local_port == port &&
           !(ip_get_option(pcb, SOF_REUSEADDR) && ip_get_option(other, SOF_REUSEADDR)) &&
           addresses_clash(address, &other->local_ip);
}

int tcp_bind_allowed(const struct tcp_pcb *pcb, const ip_addr_t *ipaddr, u16_t port)
{
    const struct buckets *ports = INSTANCE(demux).ports;
    const struct tcp_pcb *other;
    uint32_t claims = 0;

    for (other = ports->listening[port % PORT_BUCKETS]; other; other = other->hash_next) {
        if (binds_clash(pcb, ipaddr, port, other))
            return false;
        claims += other->local_port == port;
    }
    for (other = ports->bound[port % PORT_BUCKETS]; other; other = other->hash_next) {
        if (binds_clash(pcb, ipaddr, port, other))
            return false;
        claims += other->local_port == port;
    }
    if (ports_users(port) == claims)
        return true;
    /* connections use the port as well: rare enough to look at all of them */
    for (other = INSTANCE(tcp_active_pcbs); other; other = other->next)
        if (binds_clash(pcb, ipaddr, port, other))
            return false;
    if (ip_get_option(pcb, SOF_REUSEADDR))
        return true; /* TIME_WAIT does not hinder then */
    for (other = INSTANCE(tcp_tw_pcbs); other; other = other->next)
        if (binds_clash(pcb, ipaddr, port, other))
            return false;
    return true;
}

bool demux_port_is_claimed(uint16_t local_port, const struct tcp_pcb *except)
{
    const struct buckets *ports = INSTANCE(demux).ports;
    const struct tcp_pcb *pcb;

    for (pcb = ports->listening[local_port % PORT_BUCKETS]; pcb; pcb = pcb->hash_next)
        if (pcb->local_port == local_port && pcb != except)
            return true;
    for (pcb = ports->bound[local_port % PORT_BUCKETS]; pcb; pcb = pcb->hash_next)
        if (pcb->local_port == local_port && pcb != except)
            return true;
    return false;
}

/* A handshake that a listener has under way is nobody's yet. */
static bool holds(const struct tcp_pcb *pcb, const ip_addr_t *address, uint16_t port, uint8_t interface,
                  uint8_t shares)
{
    return pcb->local_port == port && (!interface || !pcb->netif_idx || pcb->netif_idx == interface) &&
           !(pcb->so_options & shares) && addresses_clash(address, &pcb->local_ip) &&
           !(pcb->state == SYN_RCVD && pcb->connected == NULL);
}

bool demux_port_is_held(const ip_addr_t *address, uint16_t port, uint8_t interface, uint8_t shares)
{
    const struct tcp_pcb *pcb;

    for (pcb = INSTANCE(tcp_active_pcbs); pcb; pcb = pcb->next)
        if (holds(pcb, address, port, interface, shares))
            return true;
    for (pcb = INSTANCE(tcp_tw_pcbs); pcb; pcb = pcb->next)
        if (holds(pcb, address, port, interface, shares))
            return true;
    return false;
}

/* ---- UDP ------------------------------------------------------------------------------------------ */

void udp_pcb_link(struct udp_pcb *pcb)
{
    struct udp_pcb **list = &INSTANCE(udp_pcbs);
    struct udp_pcb **bucket = &INSTANCE(demux).ports->udp[pcb->local_port % UDP_BUCKETS];

    pcb->next = *list;
    pcb->prev = NULL;
    if (*list)
        (*list)->prev = pcb;
    *list = pcb;
    pcb->hash_next = *bucket;
    pcb->hash_link = bucket;
    if (*bucket)
        (*bucket)->hash_link = &pcb->hash_next;
    *bucket = pcb;
}

void udp_pcb_unlink(struct udp_pcb *pcb)
{
    if (!pcb->hash_link)
        return;
    if (pcb->prev)
        pcb->prev->next = pcb->next;
    else
        INSTANCE(udp_pcbs) = pcb->next;
    if (pcb->next)
        pcb->next->prev = pcb->prev;
    pcb->next = pcb->prev = NULL;
    *pcb->hash_link = pcb->hash_next;
    if (pcb->hash_next)
        pcb->hash_next->hash_link = pcb->hash_link;
    pcb->hash_next = NULL;
    pcb->hash_link = NULL;
}

struct udp_pcb *udp_demux(u16_t local_port)
{
    return INSTANCE(demux).ports->udp[local_port % UDP_BUCKETS];
}
