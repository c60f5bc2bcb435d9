/* SPDX-License-Identifier: Apache-2.0 */
/*
 * getsockopt(2) and setsockopt(2): a table of the options that are a plain value, and functions for
 * the few that are not. An option we do not know answers ENOPROTOOPT, as the kernel does.
 */
#include "socket/options.h"

#include <errno.h>
#include <limits.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>

#include "lwip/tcp_congestion.h"
#include "socket/socket.h"
#include "socket/tcp.h"

#ifndef SO_RCVTIMEO_NEW
#define SO_RCVTIMEO_NEW 66
#define SO_SNDTIMEO_NEW 67
#endif

enum kind { BOOL, INT, U8 };
enum on { ANY = 3, TCP = 1, UDP = 2 };

struct row {
    int level, name;
    enum kind kind;
    enum on on;
    size_t offset;
    long min, max; /* of what may be set */
};

#define FIELD(field) offsetof(struct socket_options, field)

static const struct row rows[] = {
    { SOL_SOCKET, SO_REUSEADDR, BOOL, ANY, FIELD(reuse_addr), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_REUSEPORT, BOOL, ANY, FIELD(reuse_port), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_KEEPALIVE, BOOL, ANY, FIELD(keep_alive), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_BROADCAST, BOOL, ANY, FIELD(broadcast), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_OOBINLINE, BOOL, ANY, FIELD(oob_inline), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_DONTROUTE, BOOL, ANY, FIELD(dont_route), INT_MIN, INT_MAX },
    { SOL_SOCKET, SO_TIMESTAMP, BOOL, ANY, FIELD(timestamp), INT_MIN, INT_MAX },
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
    { IPPROTO_TCP, TCP_DEFER_ACCEPT, INT, TCP, FIELD(defer_accept_s), 0, INT_MAX },
    { IPPROTO_TCP, TCP_SYNCNT, INT, TCP, FIELD(syn_count), 1, 127 },
    { IPPROTO_TCP, TCP_LINGER2, INT, TCP, FIELD(linger2_s), 0, INT_MAX },
    { IPPROTO_TCP, TCP_WINDOW_CLAMP, INT, TCP, FIELD(window_clamp), 0, INT_MAX },
    { IPPROTO_TCP, TCP_NOTSENT_LOWAT, INT, TCP, FIELD(not_sent_low_water), 0, INT_MAX },
    { IPPROTO_IP, IP_TOS, U8, ANY, FIELD(tos), 0, 255 },
    { IPPROTO_IP, IP_TTL, INT, ANY, FIELD(ttl), -1, 255 },
    { IPPROTO_IP, IP_PKTINFO, BOOL, ANY, FIELD(packet_info), INT_MIN, INT_MAX },
    { IPPROTO_IP, IP_RECVTTL, BOOL, ANY, FIELD(receive_ttl), INT_MIN, INT_MAX },
    { IPPROTO_IP, IP_RECVTOS, BOOL, ANY, FIELD(receive_tos), INT_MIN, INT_MAX },
    { IPPROTO_IP, IP_RECVERR, BOOL, ANY, FIELD(receive_error), INT_MIN, INT_MAX },
    { IPPROTO_IP, IP_FREEBIND, BOOL, ANY, FIELD(free_bind), INT_MIN, INT_MAX },
    { IPPROTO_IP, IP_MTU_DISCOVER, INT, ANY, FIELD(mtu_discover), 0, 5 },
    { IPPROTO_IP, IP_MULTICAST_TTL, INT, ANY, FIELD(multicast_ttl), -1, 255 },
    { IPPROTO_IP, IP_MULTICAST_LOOP, BOOL, ANY, FIELD(multicast_loop), INT_MIN, INT_MAX },
    { IPPROTO_IPV6, IPV6_V6ONLY, BOOL, ANY, FIELD(v6_only), INT_MIN, INT_MAX },
    { IPPROTO_IPV6, IPV6_UNICAST_HOPS, INT, ANY, FIELD(hops), -1, 255 },
    { IPPROTO_IPV6, IPV6_MULTICAST_HOPS, INT, ANY, FIELD(multicast_hops), -1, 255 },
    { IPPROTO_IPV6, IPV6_MULTICAST_LOOP, BOOL, ANY, FIELD(multicast_loop), INT_MIN, INT_MAX },
    { IPPROTO_IPV6, IPV6_RECVPKTINFO, BOOL, ANY, FIELD(packet_info6), INT_MIN, INT_MAX },
    { IPPROTO_IPV6, IPV6_TCLASS, U8, ANY, FIELD(tos), -1, 255 },
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
    o->multicast_ttl = o->multicast_hops = 1;
    o->multicast_loop = true;
    o->mtu_discover = 1; /* IP_PMTUDISC_WANT */
    o->receive_buffer_bytes = type == SOCK_STREAM ? l->receive_default : l->udp_receive_default;
    o->send_buffer_bytes = type == SOCK_STREAM ? l->send_default : l->udp_send_default;
    o->congestion = l->congestion;
}

static const struct row *find(const struct socket *sock, int level, int name)
{
    enum on kind = sock->type == SOCK_STREAM ? TCP : UDP;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].level == level && rows[i].name == name && (rows[i].on & kind))
            return &rows[i];
    }
    return NULL;
}

/* ---- get ---- */

static int give(void *value, socklen_t *len, const void *from, size_t bytes)
{
    if (*len > bytes)
        *len = (socklen_t)bytes;
    memcpy(value, from, *len);
    return 0;
}

static int give_int(void *value, socklen_t *len, int number)
{
    return give(value, len, &number, sizeof(number));
}

static int give_time(void *value, socklen_t *len, uint64_t us)
{
    struct timeval tv = { .tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000) };

    return give(value, len, &tv, sizeof(tv));
}

static int get_socket_level(struct socket *sock, int name, void *value, socklen_t *len)
{
    const struct socket_options *o = &sock->options;
    struct linger linger;

    switch (name) {
    case SO_ERROR: return give_int(value, len, socket_take_error(sock));
    case SO_TYPE: return give_int(value, len, sock->type);
    case SO_PROTOCOL: return give_int(value, len, sock->protocol);
    case SO_DOMAIN: return give_int(value, len, sock->family);
    case SO_ACCEPTCONN: return give_int(value, len, socket_state(sock) == SOCKET_LISTENING);
    case SO_RCVBUF: return give_int(value, len, (int)(o->receive_buffer_bytes * 2));
    case SO_SNDBUF: return give_int(value, len, (int)(o->send_buffer_bytes * 2));
    case SO_RCVLOWAT: return give_int(value, len, o->low_water ? o->low_water : 1);
    case SO_SNDLOWAT: return give_int(value, len, 1);
    case SO_INCOMING_NAPI_ID: return give_int(value, len, 0);
    case SO_BINDTODEVICE: *len = 0; return 0;
    case SO_RCVTIMEO:
    case SO_RCVTIMEO_NEW: return give_time(value, len, o->receive_timeout_us);
    case SO_SNDTIMEO:
    case SO_SNDTIMEO_NEW: return give_time(value, len, o->send_timeout_us);
    case SO_LINGER:
        linger.l_onoff = o->linger_s != LINGER_OFF;
        linger.l_linger = o->linger_s == LINGER_OFF ? 0 : o->linger_s;
        return give(value, len, &linger, sizeof(linger));
    default: return -ENOPROTOOPT;
    }
}

static int get_tcp_level(struct socket *sock, int name, void *value, socklen_t *len)
{
    struct tcp_info info;

    switch (name) {
    case TCP_INFO:
        tcp_info_fill(sock, &info);
        return give(value, len, &info, sizeof(info));
    case TCP_MAXSEG:
        tcp_info_fill(sock, &info);
        return give_int(value, len,
                        (int)(info.tcpi_snd_mss ? info.tcpi_snd_mss : sock->options.max_segment ? : 536));
    case TCP_CONGESTION: {
        char name16[16] = { 0 };

        strncpy(name16, tcp_congestion_name(sock->options.congestion), sizeof(name16) - 1);
        return give(value, len, name16, sizeof(name16));
    }
    case TCP_FASTOPEN: return give_int(value, len, 0);
    default: return -ENOPROTOOPT;
    }
}

int socket_option_get(struct socket *sock, int level, int name, void *value, socklen_t *len)
{
    const struct row *row = find(sock, level, name);
    const uint8_t *field;
    int number = 0;

    if (len == NULL || (value == NULL && *len > 0))
        return -EFAULT;
    if ((int)*len < 0)
        return -EINVAL;
    if (level == IPPROTO_IPV6 && sock->family != AF_INET6)
        return -EOPNOTSUPP;
    if (row == NULL) {
        if (level == SOL_SOCKET)
            return get_socket_level(sock, name, value, len);
        if (level == IPPROTO_TCP && sock->type == SOCK_STREAM)
            return get_tcp_level(sock, name, value, len);
        if (level == IPPROTO_IP && name == IP_OPTIONS) {
            *len = 0;
            return 0;
        }
        return level == IPPROTO_IP || level == IPPROTO_IPV6 ? -ENOPROTOOPT : -EOPNOTSUPP;
    }
    field = (const uint8_t *)&sock->options + row->offset;
    switch (row->kind) {
    case BOOL: number = *(const bool *)field; break;
    case U8: number = *field; break;
    case INT:
        number = *(const int *)field;
        if (number == -1 && level != SOL_SOCKET)
            number = 64; /* IP_TTL, IPV6_UNICAST_HOPS: the stack's default */
        break;
    }
    return give_int(value, len, number);
}

/* ---- set ---- */

static int set_time(uint64_t *us, const void *value, socklen_t len)
{
    struct timeval tv;

    if (len < (socklen_t)sizeof(tv))
        return -EINVAL;
    memcpy(&tv, value, sizeof(tv));
    if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
        return -EDOM;
    *us = tv.tv_sec < 0 ? 0 : (uint64_t)tv.tv_sec * 1000000 + (uint64_t)tv.tv_usec;
    return 0;
}

static uint32_t clamp(long bytes, uint32_t min, uint32_t max)
{
    if (bytes < (long)min)
        return min;
    return bytes > (long)max ? max : (uint32_t)bytes;
}

static int set_socket_level(struct socket *sock, int name, const void *value, socklen_t len,
                            int number)
{
    const struct socket_limits *l = &socket_limits;
    struct socket_options *o = &sock->options;
    struct linger linger;

    switch (name) {
    case SO_RCVTIMEO:
    case SO_RCVTIMEO_NEW: return set_time(&o->receive_timeout_us, value, len);
    case SO_SNDTIMEO:
    case SO_SNDTIMEO_NEW: return set_time(&o->send_timeout_us, value, len);
    case SO_LINGER:
        if (len < (socklen_t)sizeof(linger))
            return -EINVAL;
        memcpy(&linger, value, sizeof(linger));
        o->linger_s = linger.l_onoff ? linger.l_linger : LINGER_OFF;
        return 0;
    case SO_RCVBUF:
    case SO_RCVBUFFORCE:
        o->receive_buffer_bytes = clamp(number, l->receive_min, l->receive_max);
        o->receive_buffer_fixed = true;
        atomic_store(&sock->rx.limit, o->receive_buffer_bytes);
        return 0;
    case SO_SNDBUF:
    case SO_SNDBUFFORCE:
        o->send_buffer_bytes = clamp(number, l->send_min, l->send_max);
        o->send_buffer_fixed = true;
        atomic_store(&sock->tx.limit, o->send_buffer_bytes);
        return 0;
    case SO_RCVLOWAT: o->low_water = number < 0 ? INT_MAX : number; return 0;
    case SO_ERROR:
    case SO_TYPE:
    case SO_DOMAIN:
    case SO_PROTOCOL:
    case SO_ACCEPTCONN: return -ENOPROTOOPT;
    default: return -ENOPROTOOPT;
    }
}

static int set_tcp_level(struct socket *sock, int name, const void *value, socklen_t len, int number)
{
    switch (name) {
    case TCP_MAXSEG:
        if (number != 0 && (number < 88 || number > 32767))
            return -EINVAL;
        sock->options.max_segment = (uint32_t)number;
        return 0;
    case TCP_CONGESTION: {
        char name16[16] = { 0 };
        int found;

        memcpy(name16, value, len < (socklen_t)sizeof(name16) ? len : sizeof(name16) - 1);
        found = tcp_congestion_find(name16);
        if (found < 0)
            return -ENOENT;
        sock->options.congestion = (uint8_t)found;
        return 0;
    }
    case TCP_FASTOPEN:
    case TCP_FASTOPEN_CONNECT: return -EOPNOTSUPP;
    default: return -ENOPROTOOPT;
    }
}

int socket_option_set(struct socket *sock, int level, int name, const void *value, socklen_t len)
{
    const struct row *row = find(sock, level, name);
    uint8_t *field;
    int number = 0, result = 0;

    if ((int)len < 0)
        return -EINVAL;
    if (value == NULL && len > 0)
        return -EFAULT;
    if (level == IPPROTO_IPV6 && sock->family != AF_INET6)
        return -ENOPROTOOPT;
    if (len >= (socklen_t)sizeof(int))
        memcpy(&number, value, sizeof(number));
    else if (len >= 1 && (level == IPPROTO_IP || (level == IPPROTO_TCP && name == TCP_CONGESTION)))
        number = *(const uint8_t *)value;
    else
        return -EINVAL;
    if (row == NULL) {
        if (level == SOL_SOCKET)
            result = set_socket_level(sock, name, value, len, number);
        else if (level == IPPROTO_TCP && sock->type == SOCK_STREAM)
            result = set_tcp_level(sock, name, value, len, number);
        else if (level == IPPROTO_IP || level == IPPROTO_IPV6)
            result = socket_membership_set(sock, level, name, value, len);
        else
            result = -ENOPROTOOPT;
    } else {
        if (number < row->min || number > row->max)
            return -EINVAL;
        /* ipv6(7): only before the socket has a name. */
        if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY &&
            (sock->family != AF_INET6 || sock->binding.bound))
            return sock->family != AF_INET6 ? -ENOPROTOOPT : -EINVAL;
        field = (uint8_t *)&sock->options + row->offset;
        switch (row->kind) {
        case BOOL: *(bool *)field = number != 0; break;
        case U8: *field = (uint8_t)number; break;
        case INT: memcpy(field, &number, sizeof(number)); break;
        }
    }
    if (level == SOL_SOCKET && (name == SO_REUSEADDR || name == SO_REUSEPORT))
        ports_reuse(&sock->binding, sock->options.reuse_addr, sock->options.reuse_port);
    else if (result == 0)
        socket_options_apply(sock);
    return result;
}
