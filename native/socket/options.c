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

#include "base/privilege.h"
#include "lwip/tcp_congestion.h"
#include "socket/error_queue.h"
#include "socket/ready.h"
#include "socket/socket.h"
#include "socket/tcp.h"

#ifndef SO_RCVTIMEO_NEW
#define SO_RCVTIMEO_NEW 66
#define SO_SNDTIMEO_NEW 67
#endif

/* Of the kernel: its fixed default and limits of times, and the least window. */
#define FIN_TIMEOUT_S 60
#define FIN_TIMEOUT_MAX_S 120
#define RTO_MAX_S 120
#define WINDOW_CLAMP_MIN 1152

enum kind { BOOL, INT, U8, STRICT /* a BOOL that takes 0 and 1 alone */ };
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
    { IPPROTO_IP, IP_TOS, U8, ANY, FIELD(tos), INT_MIN, INT_MAX },
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
    { IPPROTO_IPV6, IPV6_MULTICAST_LOOP, STRICT, ANY, FIELD(multicast_loop), 0, 1 },
    { IPPROTO_IPV6, IPV6_RECVPKTINFO, BOOL, ANY, FIELD(packet_info6), INT_MIN, INT_MAX },
    { IPPROTO_IPV6, IPV6_TCLASS, U8, ANY, FIELD(traffic_class), -1, 255 },
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

static enum timestamp timestamp_kind(int name)
{
    switch (name) {
    case SO_TIMESTAMP: return TIMESTAMP_US;
    case SO_TIMESTAMPNS: return TIMESTAMP_NS;
    case SO_TIMESTAMP_NEW: return TIMESTAMP_US_NEW;
    default: return TIMESTAMP_NS_NEW;
    }
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
    case SO_TIMESTAMP:
    case SO_TIMESTAMPNS:
    case SO_TIMESTAMPNS_NEW: return give_int(value, len, o->timestamp == timestamp_kind(name));
    case SO_TIMESTAMP_NEW: return give_int(value, len, o->timestamp >= TIMESTAMP_US_NEW); /* of both */
    case SO_INCOMING_NAPI_ID: return give_int(value, len, 0);
    case SO_BINDTODEVICE: *len = 0; return 0;
    case SO_RCVTIMEO:
    case SO_RCVTIMEO_NEW: return give_time(value, len, o->receive_timeout_us);
    case SO_SNDTIMEO:
    case SO_SNDTIMEO_NEW: return give_time(value, len, o->send_timeout_us);
    case SO_LINGER:
        linger.l_onoff = o->linger_s != LINGER_OFF;
        linger.l_linger = o->linger_last_s;
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
    case TCP_FASTOPEN:
    case TCP_FASTOPEN_CONNECT: return give_int(value, len, 0);
    default: return -ENOPROTOOPT;
    }
}

/* What a level that nobody serves answers, before the length is looked at (ip_getsockopt() and
 * ipv6_getsockopt() of the kernel). 0: it is served. */
static int unserved(const struct socket *sock, int level)
{
    if (level == SOL_SOCKET || level == IPPROTO_IP ||
        (level == IPPROTO_TCP && sock->type == SOCK_STREAM) ||
        (level == IPPROTO_IPV6 && sock->family == AF_INET6))
        return 0;
    return sock->family == AF_INET6 ? -ENOPROTOOPT : -EOPNOTSUPP;
}

static int number_of(const struct socket *sock, const struct row *row)
{
    const uint8_t *field = (const uint8_t *)&sock->options + row->offset;
    int number;

    switch (row->kind) {
    case BOOL:
    case STRICT: return *(const bool *)field;
    case U8: return *field;
    case INT: break;
    }
    number = *(const int *)field;
    if (row->level == IPPROTO_TCP)
        return row->name == TCP_LINGER2 && number == 0 ? FIN_TIMEOUT_S : number;
    if (number == -1 && row->level != SOL_SOCKET)
        number = 64; /* IP_TTL, IPV6_UNICAST_HOPS: the stack's default */
    return number;
}

int socket_option_get(struct socket *sock, int level, int name, void *value, socklen_t *len)
{
    const struct row *row = find(sock, level, name);
    int number, result = unserved(sock, level);

    if (result < 0)
        return result;
    if (len == NULL || (value == NULL && (int)*len > 0))
        return -EFAULT;
    if ((int)*len < 0 && level != IPPROTO_IPV6) /* which takes it for a large one */
        return -EINVAL;
    if (row == NULL) {
        if (level == SOL_SOCKET)
            return get_socket_level(sock, name, value, len);
        if (level == IPPROTO_TCP)
            return get_tcp_level(sock, name, value, len);
        if (level == IPPROTO_IP && name == IP_OPTIONS) {
            *len = 0;
            return 0;
        }
        return -ENOPROTOOPT;
    }
    number = number_of(sock, row);
    if (level == IPPROTO_IP && *len > 0 && *len < sizeof(number) && number >= 0 && number <= 255) {
        *(uint8_t *)value = (uint8_t)number; /* programs of old ask for one byte (ip(7)) */
        *len = 1;
        return 0;
    }
    return give_int(value, len, number);
}

/* ---- set ---- */

/* As long as the SYN-ACKs take that are sent so often: the kernel counts these, not seconds. */
static int defer_accept_as_kept(int seconds)
{
    int pause = 1, sum = 0, count = 0;

    for (; sum < seconds && count < 255; count++) {
        sum += pause;
        pause = pause < RTO_MAX_S / 2 ? pause * 2 : RTO_MAX_S;
    }
    return sum;
}

/* What do_tcp_setsockopt() makes of the number; -EINVAL: it may not be set now. */
static int as_kept(const struct socket *sock, int name, int *number)
{
    switch (name) {
    case TCP_LINGER2: *number = *number < 0 ? -1 : *number > FIN_TIMEOUT_MAX_S ? FIN_TIMEOUT_MAX_S : *number; break;
    case TCP_DEFER_ACCEPT: *number = defer_accept_as_kept(*number); break;
    case TCP_WINDOW_CLAMP:
        if (*number == 0 && socket_state(sock) != SOCKET_IDLE && socket_state(sock) != SOCKET_CLOSED)
            return -EINVAL;
        if (*number != 0 && *number < WINDOW_CLAMP_MIN)
            *number = WINDOW_CLAMP_MIN;
        break;
    }
    return 0;
}

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
        if (linger.l_onoff)
            o->linger_last_s = linger.l_linger;
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
    case SO_RCVLOWAT:
        if (number < 0)
            number = INT_MAX;
        if (sock->type == SOCK_STREAM) {
            uint32_t cap = o->receive_buffer_fixed ? o->receive_buffer_bytes : l->receive_max;

            number = number > (int)cap ? (int)cap : number;
        }
        o->low_water = number;
        ready_poke(sock); /* what is there may be enough now */
        return 0;
    case SO_TIMESTAMP:
    case SO_TIMESTAMPNS:
    case SO_TIMESTAMP_NEW:
    case SO_TIMESTAMPNS_NEW: /* one kind drives out another; any of them taken back ends all */
        o->timestamp = number ? (uint8_t)timestamp_kind(name) : TIMESTAMP_NONE;
        return 0;
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

/* Options of ip(7) that may come without any byte; they are 0 then. */
static bool may_be_empty(int name)
{
    return name == IP_TOS || name == IP_PKTINFO || name == IP_RECVTTL || name == IP_RECVTOS ||
           name == IP_RECVERR || name == IP_MTU_DISCOVER;
}

/* The number in the caller's `len` bytes: 0 or -EINVAL. */
static int parse(int level, int name, const void *value, socklen_t len, int *number)
{
    *number = 0;
    if (len >= (socklen_t)sizeof(*number))
        memcpy(number, value, sizeof(*number));
    else if (len >= 1 && (level == IPPROTO_IP || (level == IPPROTO_TCP && name == TCP_CONGESTION)))
        *number = *(const uint8_t *)value;
    else if (level != IPPROTO_IP || !may_be_empty(name))
        return -EINVAL;
    return 0;
}

/* socket(7): what only a privileged process may set. */
static bool forbidden(int level, int name, int number)
{
    return level == SOL_SOCKET &&
           (name == SO_MARK || (name == SO_PRIORITY && (number < 0 || number > 6))) &&
           !privilege_network();
}

/* A connection that is over has no port any more, unless the program asked for that number. */
static bool gave_port_back(const struct socket *sock)
{
    return sock->type == SOCK_STREAM && socket_state(sock) == SOCKET_CLOSED && !sock->binding.fixed_port;
}

static int set_row(struct socket *sock, const struct row *row, int number)
{
    uint8_t *field = (uint8_t *)&sock->options + row->offset;

    bool errors = (row->level == IPPROTO_IP && row->name == IP_RECVERR) ||
                  (row->level == IPPROTO_IPV6 && row->name == IPV6_RECVERR);

    if (number < row->min || number > row->max)
        return -EINVAL;
    if (errors && number && sock->type == SOCK_DGRAM && error_queue_open(sock) < 0)
        return -ENOBUFS;
    if (number == 0 && row->level == IPPROTO_IP && row->name == IP_TTL)
        return -EINVAL;
    if (row->level == IPPROTO_TCP && as_kept(sock, row->name, &number) < 0)
        return -EINVAL;
    /* ipv6(7): only before the socket has a name. */
    if (row->level == IPPROTO_IPV6 && row->name == IPV6_V6ONLY && socket_has_port(sock) && !gave_port_back(sock))
        return -EINVAL;
    if (row->level == IPPROTO_IP && row->name == IP_TOS && sock->type == SOCK_STREAM)
        number &= ~3; /* the ECN bits are the stack's */
    switch (row->kind) {
    case BOOL:
    case STRICT: *(bool *)field = number != 0; break;
    case U8: *field = (uint8_t)number; break;
    case INT: memcpy(field, &number, sizeof(number)); break;
    }
    if (errors && number == 0)
        error_queue_discard(sock);
    return 0;
}

int socket_option_set(struct socket *sock, int level, int name, const void *value, socklen_t len)
{
    const struct row *row = find(sock, level, name);
    int number, result;

    if ((int)len < 0)
        return -EINVAL;
    if (unserved(sock, level) < 0)
        return -ENOPROTOOPT;
    if (value == NULL && len > 0)
        return -EFAULT;
    /* Multicast is for datagrams; each level says so in a way of its own. */
    if (sock->type == SOCK_STREAM && level == IPPROTO_IP && name == IP_MULTICAST_TTL)
        return -EINVAL;
    if (sock->type == SOCK_STREAM && level == IPPROTO_IPV6 && name == IPV6_MULTICAST_HOPS)
        return -ENOPROTOOPT;
    result = parse(level, name, value, len, &number);
    if (result < 0)
        return result;
    if (forbidden(level, name, number))
        return -EPERM;
    if (row)
        result = set_row(sock, row, number);
    else if (level == SOL_SOCKET)
        result = set_socket_level(sock, name, value, len, number);
    else if (level == IPPROTO_TCP)
        result = set_tcp_level(sock, name, value, len, number);
    else
        result = socket_membership_set(sock, level, name, value, len);
    if (level == SOL_SOCKET && (name == SO_REUSEADDR || name == SO_REUSEPORT))
        ports_reuse(&sock->binding, sock->options.reuse_addr, sock->options.reuse_port);
    if (result == 0)
        socket_options_apply(sock);
    return result;
}
