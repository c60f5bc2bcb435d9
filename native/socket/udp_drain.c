/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack's half of sending datagrams, in the home stack's context: records are taken from the send queue
 * and leave with the headers that the socket's options and the control messages chose.
 */
#include <string.h>

#include "control/device.h"
#include "control/lwip_address.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/udp.h"
#include "socket/ready.h"
#include "socket/udp.h"

/* Shorter payload is copied behind its header: one packet in one piece. */
#define SEND_COPY_MAX 512

/* Copies from the stream, moving on; a record is published as a whole, so nothing can be missing. */
static void stream_copy(struct send_queue *q, void *to, uint32_t bytes)
{
    uint8_t *out = to;

    while (bytes > 0) {
        uint32_t part;
        const uint8_t *data = send_queue_peek(q, &part);

        if (part > bytes)
            part = bytes;
        memcpy(out, data, part);
        send_queue_advance(q, part, false);
        out += part;
        bytes -= part;
    }
}

static void stream_skip(struct send_queue *q, uint32_t bytes)
{
    while (bytes > 0) {
        uint32_t part;

        send_queue_peek(q, &part);
        if (part > bytes)
            part = bytes;
        send_queue_advance(q, part, false);
        bytes -= part;
    }
}

/* The payload as pbufs over the chunks themselves; lwIP copies those it has to keep (PBUF_REF). */
static struct pbuf *stream_refer(struct send_queue *q, uint32_t bytes)
{
    struct pbuf *chain = NULL;

    while (bytes > 0) {
        uint32_t part;
        const uint8_t *data = send_queue_peek(q, &part);
        struct pbuf *piece;

        if (part > bytes)
            part = bytes;
        piece = pbuf_alloc_reference((void *)(uintptr_t)data, (u16_t)part, PBUF_REF);
        send_queue_advance(q, part, false);
        bytes -= part;
        if (piece == NULL) {
            if (chain)
                pbuf_free(chain);
            stream_skip(q, bytes);
            return NULL;
        }
        if (chain)
            pbuf_cat(chain, piece);
        else
            chain = piece;
    }
    return chain;
}

/* No route is chosen over an interface whose link is down. */
static bool link_is_down(void)
{
    const struct netif *netif;

    NETIF_FOREACH(netif)
        if (!netif_is_link_up(netif))
            return true;
    return false;
}

static void count_unsent(struct stats_stack *stats, err_t err)
{
    if (err == ERR_WOULDBLOCK)
        STAT_INC(stats, drop_tx_ring_full);
    else if (err == ERR_BUF)
        STAT_INC(stats, drop_tx_no_memory);
    else if (err == ERR_RTE && link_is_down())
        STAT_INC(stats, drop_tx_link_down);
    else if (err == ERR_RTE)
        STAT_INC(stats, drop_tx_no_route);
    /* all else was counted where it happened (lwip/netif_port.c) */
}

static void set_headers(const struct socket *sock, struct udp_pcb *pcb, int family)
{
    int hops = family == AF_INET6 ? sock->options.multicast_hops : sock->options.multicast_ttl;

    udp_set_multicast_ttl(pcb, hops < 0 ? 1 : (u8_t)hops);
    pcb->tos = socket_options_tos(&sock->options, family);
    pcb->ttl = socket_options_ttl(&sock->options, family);
}

static const struct send_choice no_choice = { .ttl = -1, .tos = -1, .dont_fragment = -1 };

/* As udp_sendto(), by the way and with the header that control messages and options chose. */
static err_t send_chosen(struct udp_pcb *pcb, struct pbuf *packet, const ip_addr_t *to, uint16_t to_port,
                         const struct send_choice *choice, unsigned way)
{
    u8_t ttl = pcb->ttl, tos = pcb->tos, multicast_ttl = udp_get_multicast_ttl(pcb);
    unsigned interface = choice->interface ? choice->interface : way;
    struct netif *netif = interface ? netif_get_by_index(device_index(interface)) : NULL;
    ip_addr_t source;
    err_t err = ERR_RTE;

    if (choice->ttl >= 0) {
        pcb->ttl = (u8_t)choice->ttl;
        udp_set_multicast_ttl(pcb, (u8_t)choice->ttl);
    }
    if (choice->tos >= 0)
        pcb->tos = (u8_t)choice->tos;
    if (choice->source.family) {
        endpoint_to_ip(&choice->source, &source);
        netif = netif ? netif : ip_route(&source, to);
        if (netif)
            err = udp_sendto_if_src(pcb, packet, to, to_port, netif, &source);
    } else if (netif && !ip_addr_isany(&pcb->local_ip) && !ip_addr_ismulticast(&pcb->local_ip)) {
        err = udp_sendto_if_src(pcb, packet, to, to_port, netif, &pcb->local_ip); /* be it another interface's */
    } else if (interface == 0 || netif) {
        err = netif ? udp_sendto_if(pcb, packet, to, to_port, netif) : udp_sendto(pcb, packet, to, to_port);
    }
    pcb->ttl = ttl;
    pcb->tos = tos;
    udp_set_multicast_ttl(pcb, multicast_ttl);
    return err;
}

static void send_one(struct udp_end *end, const struct send_record *record, const struct send_choice *choice,
                     struct pbuf *packet)
{
    struct udp_pcb *pcb = end->pcb;
    err_t err = packet ? ERR_RTE : ERR_BUF;

    if (pcb && packet) {
        if (end->sock->family == AF_INET6)
            set_headers(end->sock, pcb, record->to.family ? record->to.family : end->sock->peer.family);
        if (record->to.family == 0 && !choice && LIKELY(!end->has_way)) {
            err = udp_send(pcb, packet);
        } else {
            const struct endpoint *peer = record->to.family ? &record->to : &end->sock->peer;
            ip_addr_t to;

            endpoint_to_ip(peer, &to);
            err = LIKELY(!choice && !end->has_way) ? udp_sendto(pcb, packet, &to, peer->port)
                                                   : send_chosen(pcb, packet, &to, peer->port,
                                                                 choice ? choice : &no_choice,
                                                                 udp_way_of(end->sock, peer));
        }
    }
    if (packet)
        pbuf_free(packet);
    if (UNLIKELY(err != ERR_OK)) {
        count_unsent(end->stack->stats, err);
        return;
    }
    STAT_INC(end->stack->stats, udp_out);
    end->packets_out++;
    end->bytes_out += record->payload_bytes;
}

void udp_drain(struct socket *sock)
{
    struct udp_end *end = &sock->udp[socket_stack(sock)->id];
    struct send_queue *tx = &sock->tx;
    uint32_t ready;

    recv_queue_reap(&sock->rx, &end->stack->stats->rx_wait_ns, udp_return_arrival);
    while (send_queue_peek(tx, &ready) != NULL) {
        struct send_record record;
        struct send_choice choice;
        uint8_t padding[8];
        struct pbuf *packet;
        uint32_t padded, before = sizeof(record);

        stream_copy(tx, &record, sizeof(record));
        if (UNLIKELY(record.chooses)) {
            stream_copy(tx, &choice, sizeof(choice));
            record.payload_bytes -= (uint32_t)sizeof(choice);
            before += (uint32_t)sizeof(choice);
        }
        padded = (record.payload_bytes + 7u) & ~7u;
        if (record.payload_bytes <= SEND_COPY_MAX) {
            packet = pbuf_alloc(PBUF_TRANSPORT, (u16_t)record.payload_bytes, PBUF_RAM);
            if (packet)
                stream_copy(tx, packet->payload, record.payload_bytes);
            else
                stream_skip(tx, record.payload_bytes);
        } else {
            packet = stream_refer(tx, record.payload_bytes);
        }
        stream_copy(tx, padding, padded - record.payload_bytes);
        send_one(end, &record, record.chooses ? &choice : NULL, packet);
        send_queue_release(tx, before + padded);
    }
    send_queue_measure(tx, tx->queued, &end->stack->stats->tx_wait_ns);
    if (atomic_load(&tx->wants_room) && send_queue_is_writable(tx)) {
        atomic_store(&tx->wants_room, false);
        ready_raise(sock, end->stack, EPOLLOUT);
    }
    if (UNLIKELY(stack_chunks_low(end->stack)))
        send_queue_trim(tx);
}

void udp_options_changed(struct socket *sock)
{
    struct udp_pcb *pcb = sock->udp ? sock->udp[socket_stack(sock)->id].pcb : NULL;
    const struct socket_options *o = &sock->options;

    if (pcb == NULL)
        return;
    udp_drain(sock); /* what was sent before is sent as it was then */
    if (sock->family == AF_INET) /* of IPv6 it depends on the destination: send_one() */
        set_headers(sock, pcb, AF_INET);
    sock->udp[socket_stack(sock)->id].has_way = o->device || o->unicast_device || o->unicast_device6;
    pcb->mcast_ip4.addr = o->multicast_interface.s_addr;
    udp_set_multicast_netif_index(pcb, (u8_t)o->multicast_interface6);
    pcb->netif_hints.mtu_discover = (u8_t)o->mtu_discover;
    pcb->netif_hints.mtu_discover6 = (u8_t)o->mtu_discover6;
    pcb->netif_hints.fragment_bytes6 = (u16_t)min_u32((uint32_t)o->fragment_bytes6, UINT16_MAX);
    if (o->multicast_loop)
        udp_set_flags(pcb, UDP_FLAGS_MULTICAST_LOOP);
    else
        udp_clear_flags(pcb, UDP_FLAGS_MULTICAST_LOOP);
}
