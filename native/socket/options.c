/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/options_table.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "lwip/paths.h"

#define FIELD(field) offsetof(struct socket_options, field)

static const struct option_row rows[] = {
    { SOL_SOCKET, SO_REUSEADDR, BOOL, ANY, FIELD(reuse_addr), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_REUSEPORT, BOOL, ANY, FIELD(reuse_port), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_KEEPALIVE, BOOL, ANY, FIELD(keep_alive), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_BROADCAST, BOOL, ANY, FIELD(broadcast), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_OOBINLINE, BOOL, ANY, FIELD(oob_inline), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_DONTROUTE, BOOL, ANY, FIELD(dont_route), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_DEBUG, BOOL, ANY, FIELD(debug), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_SELECT_ERR_QUEUE, BOOL, ANY, FIELD(select_error_queue), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_RXQ_OVFL, BOOL, ANY, FIELD(tell_drops), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_INCOMING_CPU, INT, ANY, FIELD(incoming_core), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_PRIORITY, INT, ANY, FIELD(priority), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_MARK, INT, ANY, FIELD(mark), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_BUSY_POLL, INT, ANY, FIELD(busy_poll_us), 0, INT_MAX },
    { IPPROTO_TCP, TCP_NODELAY, BOOL, TCP, FIELD(no_delay), INT_MIN, INT_MAX },
    { IPPROTO_TCP, TCP_CORK, BOOL, TCP, FIELD(cork), INT_MIN, INT_MAX },
    { IPPROTO_TCP, TCP_QUICKACK, BOOL, TCP, FIELD(quick_ack), INT_MIN, INT_MAX },
    { IPPROTO_TCP, TCP_KEEPIDLE, INT, TCP, FIELD(keep_idle_s), 1, 32767 },
    { IPPROTO_TCP, TCP_KEEPINTVL, INT, TCP, FIELD(keep_interval_s), 1, 32767 },
    { IPPROTO_TCP, TCP_KEEPCNT, INT, TCP, FIELD(keep_count), 1, 127 },
    { IPPROTO_TCP, TCP_USER_TIMEOUT, INT, TCP, FIELD(user_timeout_ms), 0, INT_MAX },
    { IPPROTO_TCP, TCP_DEFER_ACCEPT, INT, TCP, FIELD(defer_accept_s), INT_MIN, INT_MAX },
    { IPPROTO_TCP, TCP_SYNCNT, INT, TCP, FIELD(syn_count), 1, 127 },
    { IPPROTO_TCP, TCP_LINGER2, INT, TCP, FIELD(linger2_s), INT_MIN, INT_MAX },
    { IPPROTO_TCP, TCP_WINDOW_CLAMP, INT, TCP, FIELD(window_clamp), INT_MIN, INT_MAX },
    { IPPROTO_TCP, TCP_NOTSENT_LOWAT, INT, TCP, FIELD(not_sent_low_water), INT_MIN, INT_MAX },
    { IPPROTO_TCP, TCP_INQ, STRICT, TCP, FIELD(tell_queued), 0, 1 },
    { IPPROTO_IP, IP_TOS, U8, ANY, FIELD(tos), INT_MIN, INT_MAX },
    { IPPROTO_IP, IP_TTL, INT, ANY, FIELD(ttl), -1, 255 },
    { IPPROTO_IP, IP_PKTINFO, BOOL, ANY, FIELD(packet_info), INT_MIN, INT_MAX },
    { IPPROTO_IP, IP_RECVTTL, BOOL, ANY, FIELD(receive_ttl), INT_MIN, INT_MAX },
    { IPPROTO_IP, IP_RECVTOS, BOOL, ANY, FIELD(receive_tos), INT_MIN, INT_MAX },
    { IPPROTO_IP, IP_RECVERR, BOOL, ANY, FIELD(receive_error), INT_MIN, INT_MAX },
    { IPPROTO_IP, IP_FREEBIND, BOOL, ANY, FIELD(free_bind), INT_MIN, INT_MAX },
    { IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, BOOL, ANY, FIELD(bind_no_port), INT_MIN, INT_MAX },
    { IPPROTO_IP, IP_MTU_DISCOVER, INT, ANY, FIELD(mtu_discover), 0, MTU_DISCOVER_OMIT },
    { IPPROTO_IP, IP_MINTTL, INT, ANY, FIELD(least_ttl), 0, 255 },
    { IPPROTO_IP, IP_MULTICAST_TTL, INT, ANY, FIELD(multicast_ttl), -1, 255 },
    { IPPROTO_IP, IP_MULTICAST_LOOP, BOOL, ANY, FIELD(multicast_loop), INT_MIN, INT_MAX },
    { IPPROTO_IPV6, IPV6_V6ONLY, BOOL, ANY, FIELD(v6_only), INT_MIN, INT_MAX },
    { IPPROTO_IPV6, IPV6_UNICAST_HOPS, INT, ANY, FIELD(hops), -1, 255 },
    { IPPROTO_IPV6, IPV6_MINHOPCOUNT, INT, ANY, FIELD(least_hops), 0, 255 },
    { IPPROTO_IPV6, IPV6_MULTICAST_HOPS, INT, ANY, FIELD(multicast_hops), -1, 255 },
    { IPPROTO_IPV6, IPV6_MULTICAST_LOOP, STRICT, ANY, FIELD(multicast_loop), 0, 1 },
    { IPPROTO_IPV6, IPV6_RECVPKTINFO, BOOL, ANY, FIELD(packet_info6), INT_MIN, INT_MAX },
    { IPPROTO_IPV6, IPV6_TCLASS, U8, ANY, FIELD(traffic_class), -1, 255 },
    { IPPROTO_IPV6, IPV6_FREEBIND, BOOL, ANY, FIELD(free_bind), INT_MIN, INT_MAX },
    { IPPROTO_IPV6, IPV6_MTU_DISCOVER, INT, ANY, FIELD(mtu_discover6), 0, MTU_DISCOVER_OMIT },
    { IPPROTO_IPV6, IPV6_DONTFRAG, BOOL, ANY, FIELD(dont_fragment6), INT_MIN, INT_MAX },
    { IPPROTO_IPV6, IPV6_RECVERR, BOOL, ANY, FIELD(receive_error6), INT_MIN, INT_MAX },
    { IPPROTO_IPV6, IPV6_RECVHOPLIMIT, BOOL, ANY, FIELD(receive_hop_limit), INT_MIN, INT_MAX },
    { IPPROTO_IPV6, IPV6_RECVTCLASS, BOOL, ANY, FIELD(receive_class), INT_MIN, INT_MAX },
};

void socket_options_init(struct socket_options *o, int type)
{
    const struct socket_limits *l = &socket_limits;

    memset(o, 0, sizeof(*o));
    o->linger_s = LINGER_OFF;
    o->no_delay = l->no_delay;
    o->quick_ack = true;
    o->keep_idle_s = l->keep_idle_s;
    o->keep_interval_s = l->keep_interval_s;
    o->keep_count = l->keep_count;
    o->syn_count = l->syn_retries;
    o->ttl = o->hops = -1;
    o->incoming_core = -1;
    o->multicast_ttl = o->multicast_hops = 1;
    o->multicast_loop = true;
    o->mtu_discover = o->mtu_discover6 = MTU_DISCOVER_WANT;
    o->receive_buffer_bytes = type == SOCK_STREAM ? l->receive_default : l->udp_receive_default;
    o->send_buffer_bytes = type == SOCK_STREAM ? l->send_default : l->udp_send_default;
    o->congestion = l->congestion;
}

const struct option_row *socket_option_find(const struct socket *sock, int level, int name)
{
    enum option_on kind = sock->type == SOCK_STREAM ? TCP : UDP;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].level == level && rows[i].name == name && (rows[i].on & kind))
            return &rows[i];
    }
    return NULL;
}

int socket_option_unserved(const struct socket *sock, int level)
{
    if (level == SOL_SOCKET || level == IPPROTO_IP ||
        (level == IPPROTO_TCP && sock->type == SOCK_STREAM) ||
        (level == IPPROTO_IPV6 && sock->family == AF_INET6))
        return 0;
    return sock->family == AF_INET6 ? -ENOPROTOOPT : -EOPNOTSUPP;
}
