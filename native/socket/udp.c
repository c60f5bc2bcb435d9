/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack's half of a UDP socket: its PCBs and what they receive. A socket bound to a wildcard has a PCB on
 * every stack and takes what arrives on any of them into its one queue; it sends through its home stack
 * (udp_drain.c).
 */
#include "socket/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/device.h"
#include "control/lwip_address.h"
#include "lwip/icmp_error.h"
#include "lwip/mem.h"
#include "lwip/multicast.h"
#include "lwip/netif.h"
#include "lwip/packet.h"
#include "lwip/path_mtu.h"
#include "lwip/pbuf.h"
#include "lwip/udp.h"
#include "socket/error_queue.h"
#include "socket/ready.h"
#include "socket/tcp.h"
#include "stack/group.h"

/* What a queued datagram counts beside its payload, so that empty ones are bounded too. */
#define ARRIVAL_OVERHEAD 256

static void free_arrival(struct arrival *a)
{
    pbuf_free(a->packet);
    mem_free(a);
}

void udp_return_arrival(struct arrival *a)
{
    if (LIKELY(lwip_delta == instance_delta(a->origin->lwip)))
        free_arrival(a);
    else
        mpsc_push(&a->origin->returns, &a->node);
}

void udp_take_back(struct stack *stack, struct mpsc_node *returned)
{
    while (returned) {
        struct mpsc_node *next = returned->next;
        struct arrival *a = container_of(returned, struct arrival, node);

        arrival_count_wait(a, &stack->stats->rx_wait_ns);
        free_arrival(a);
        returned = next;
    }
}

/* On all stacks: whose others are written meanwhile. */
static uint64_t drops_of(const struct socket *sock)
{
    uint64_t drops = 0;

    for (unsigned i = 0; i < group.count; i++)
        drops += __atomic_load_n(&sock->udp[i].drops, __ATOMIC_RELAXED);
    return drops;
}

static void on_recv(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
                    u16_t from_port)
{
    struct udp_end *end = arg;
    struct recv_queue *rx = &end->sock->rx;
    uint32_t cost = p->tot_len + ARRIVAL_OVERHEAD;
    struct arrival *a = NULL;

    if (UNLIKELY(ip_addr_ismulticast(ip_current_dest_addr())) &&
        !multicast_allows(end->sock->members ? end->sock->members[end->stack->id] : NULL, ip_current_input_netif(),
                          ip_current_dest_addr(), from)) {
        pbuf_free(p);
        return;
    }
    if (recv_queue_held(rx) + cost <= atomic_load_explicit(&rx->limit, memory_order_relaxed))
        a = mem_malloc(sizeof(*a));
    if (a == NULL) {
        STAT_INC(end->stack->stats, drop_rx_socket_full);
        end->drops++;
        pbuf_free(p);
        return;
    }
    STAT_INC(end->stack->stats, udp_in);
    end->packets_in++;
    end->bytes_in += p->tot_len;
    a->packet = packet_keep(p);
    a->bytes = a->packet->tot_len;
    a->cost = cost;
    a->time_ns = end->stack->now_ns;
    a->origin = end->stack;
    a->interface = netif_get_index(ip_current_input_netif());
    endpoint_from_ip(&a->from, from, from_port);
    endpoint_from_ip(&a->to, ip_current_dest_addr(), pcb->local_port);
    if (ip_current_is_v6()) {
        a->ttl = IP6H_HOPLIM(ip6_current_header());
        a->tos = (uint8_t)IP6H_TC(ip6_current_header());
    } else {
        a->ttl = IPH_TTL(ip4_current_header());
        a->tos = IPH_TOS(ip4_current_header());
    }
    a->drops = UNLIKELY(end->sock->options.tell_drops) ? (uint32_t)drops_of(end->sock) : 0;
    recv_queue_push(rx, a);
    ready_raise(end->sock, end->stack, EPOLLIN);
}

/* For IP_RECVERR; NULL: no memory. */
static struct socket_error *record_of(const struct udp_end *end, const struct icmp_error *error)
{
    uint32_t all = error->packet->tot_len, quoted = all > error->offset ? all - error->offset : 0;
    struct socket_error *record = malloc(sizeof(*record) + quoted);

    if (record == NULL)
        return NULL;
    memset(record, 0, sizeof(*record));
    record->what = (struct sock_extended_err){
        .ee_errno = (uint32_t)error->error,
        .ee_origin = error->is_ip6 ? SO_EE_ORIGIN_ICMP6 : SO_EE_ORIGIN_ICMP,
        .ee_type = error->type, .ee_code = error->code, .ee_info = error->info };
    endpoint_from_ip(&record->offender, &error->offender, 0);
    endpoint_from_ip(&record->to, &error->to, error->to_port);
    record->arrival = (struct arrival){ .time_ns = end->stack->now_ns, .ttl = error->ttl, .tos = error->tos,
                                        .to.family = record->to.family };
    if (quoted)
        record->bytes = pbuf_copy_partial(error->packet, record->data, (u16_t)quoted, error->offset);
    return record;
}

/* The path is learnt, as the socket's IP_MTU_DISCOVER or IPV6_MTU_DISCOVER wants. False: it is not told. */
static bool takes_mtu(struct socket *sock, const struct icmp_error *error, bool *fatal)
{
    int discover = socket_options_mtu_discover(&sock->options, error->is_ip6 ? AF_INET6 : AF_INET);

    if (mtu_discover_learns(discover))
        path_mtu_learn(&error->to, error->info);
    if (!error->is_ip6)
        return discover != MTU_DISCOVER_DONT;
    *fatal = discover != MTU_DISCOVER_DONT;
    return mtu_discover_learns(discover);
}

/* As __udp4_lib_err() of the kernel: without IP_RECVERR only a connected socket hears, of what is final. */
static void on_unreachable(void *arg, const struct icmp_error *error)
{
    struct udp_end *end = arg;
    struct socket *sock = end->sock;
    bool fatal = error->fatal;

    if (error->error == EMSGSIZE && !takes_mtu(sock, error, &fatal))
        return;
    if (error->is_ip6 ? sock->options.receive_error6 : sock->options.receive_error) {
        struct socket_error *record = record_of(end, error);

        if (record)
            error_queue_push(sock, record);
    } else if (!fatal || socket_state(sock) != SOCKET_CONNECTED) {
        return;
    }
    atomic_store_explicit(&sock->error, error->error, memory_order_release);
    ready_raise(sock, end->stack, EPOLLERR);
}

/* The address that bind() gave. */
static void local_as_bound(const struct socket *sock, ip_addr_t *local)
{
    const struct binding *b = &sock->binding;

    endpoint_to_ip(&b->local, local);
    if (b->dual && endpoint_is_any(&b->local))
        ip_addr_copy(*local, *IP_ANY_TYPE);
}

int udp_open(struct socket *sock, struct stack *stack)
{
    struct udp_end *end = &sock->udp[stack->id];
    const struct binding *b = &sock->binding;
    ip_addr_t local;
    err_t err;

    local_as_bound(sock, &local);
    end->pcb = udp_new_ip_type(IP_GET_TYPE(&local));
    if (end->pcb == NULL)
        return -ENOBUFS;
    end->sock = sock;
    end->stack = stack;
    ip_set_option(end->pcb, SOF_REUSEADDR); /* conflicts were judged by bind() */
    ip_set_option(end->pcb, SOF_BROADCAST); /* judged by sendto() */
    err = udp_bind(end->pcb, &local, b->local.port);
    if (err != ERR_OK) {
        udp_remove(end->pcb);
        end->pcb = NULL;
        return err == ERR_USE ? -EADDRINUSE : -tcp_err_to_errno(err);
    }
    udp_recv(end->pcb, on_recv, end);
    end->pcb->unreachable = on_unreachable;
    if (stack == socket_stack(sock))
        socket_attach(sock, stack);
    return udp_bind_device(sock, stack);
}

int udp_bind_device(struct socket *sock, struct stack *stack)
{
    if (stack == socket_stack(sock))
        udp_options_changed(sock);
    if (sock->udp[stack->id].pcb)
        sock->udp[stack->id].pcb->netif_idx = device_index(sock->options.device);
    return 0;
}

/* Where the peer's datagrams leave. */
static struct netif *way_to_peer(const struct socket *sock, const struct udp_pcb *pcb, const ip_addr_t *peer)
{
    unsigned device = udp_way_of(sock, &sock->peer);

    return device ? netif_get_by_index(device_index(device)) : ip_route(&pcb->local_ip, peer);
}

int udp_set_peer(struct socket *sock, struct stack *stack)
{
    struct udp_pcb *pcb = sock->udp[stack->id].pcb;
    ip_addr_t peer;
    err_t err;

    if (pcb == NULL)
        return 0;
    if (sock->peer.port == 0 && endpoint_is_any(&sock->peer)) {
        udp_disconnect(pcb);
        local_as_bound(sock, &pcb->local_ip);
        return 0;
    }
    endpoint_to_ip(&sock->peer, &peer);
    err = udp_connect(pcb, &peer, sock->peer.port);
    if (err != ERR_OK)
        return -tcp_err_to_errno(err);
    if (stack == socket_stack(sock) && endpoint_is_any(&sock->local)) {
        const ip_addr_t *local = ip_netif_get_local_ip(way_to_peer(sock, pcb, &peer), &peer);
        uint16_t port = sock->local.port;

        if (local)
            endpoint_from_ip(&sock->local, local, port);
    }
    /* From now on it answers for that address alone, on the other stacks for none. */
    if (!endpoint_is_any(&sock->local))
        endpoint_to_ip(&sock->local, &pcb->local_ip);
    return 0;
}

int udp_unbind(struct socket *sock, struct stack *stack)
{
    struct udp_end *end = &sock->udp[stack->id];

    if (end->pcb)
        udp_remove(end->pcb);
    end->pcb = NULL;
    return 0;
}

void udp_close_end(struct socket *sock, struct stack *stack)
{
    struct udp_end *end = &sock->udp[stack->id];

    if (stack == socket_stack(sock))
        udp_drain(sock); /* what was sent goes out */
    if (end->pcb) {
        udp_remove(end->pcb);
        end->pcb = NULL;
    }
    if (stack != socket_stack(sock))
        return;
    recv_queue_discard(&sock->rx, udp_return_arrival);
    send_queue_discard(&sock->tx);
    socket_detach(sock);
}

void udp_row(struct socket *sock, struct stats_socket *row)
{
    struct udp_end sum = { .sock = sock };

    for (unsigned i = 0; i < group.count; i++) { /* other stacks' ends are written meanwhile */
        const struct udp_end *end = &sock->udp[i];

        sum.packets_in += __atomic_load_n(&end->packets_in, __ATOMIC_RELAXED);
        sum.bytes_in += __atomic_load_n(&end->bytes_in, __ATOMIC_RELAXED);
        sum.packets_out += __atomic_load_n(&end->packets_out, __ATOMIC_RELAXED);
        sum.bytes_out += __atomic_load_n(&end->bytes_out, __ATOMIC_RELAXED);
    }
    row->state = socket_state(sock) == SOCKET_CONNECTED ? 1 : 7; /* as Linux: TCP_ESTABLISHED, TCP_CLOSE */
    row->recv_queue = (uint32_t)recv_queue_bytes(&sock->rx);
    row->send_queue = (uint32_t)send_queue_bytes(&sock->tx);
    row->rx_packets = sum.packets_in;
    row->rx_bytes = sum.bytes_in;
    row->tx_packets = sum.packets_out;
    row->tx_bytes = sum.bytes_out;
    row->drops = drops_of(sock);
}

int udp_membership(struct socket *sock, struct stack *stack, const struct udp_wish *wish)
{
    struct multicast_member **members = &sock->members[stack->id];
    struct multicast_wish one = { .what = MULTICAST_LEAVE };

    _Static_assert((int)WISH_UNBLOCK_SOURCE == (int)MULTICAST_UNBLOCK_SOURCE, "the same names");
    if (wish == NULL) {
        multicast_leave_all(members);
        return 0;
    }
    one.what = (int)wish->what;
    endpoint_to_ip(&wish->group, &one.group);
    endpoint_to_ip(&wish->source, &one.source);
    endpoint_to_ip(&wish->interface, &one.interface);
    if (wish->index > UINT8_MAX)
        return -ENODEV;
    one.index = (uint8_t)wish->index;
    return multicast_change(members, &one);
}
