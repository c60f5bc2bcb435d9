/* SPDX-License-Identifier: Apache-2.0 */
/* setsockopt(2), as options_get.c. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/time.h>

#include "base/privilege.h"
#include "lwip/tcp_congestion.h"
#include "socket/error_queue.h"
#include "socket/options_table.h"
#include "socket/ready.h"
#include "socket/tcp.h"

/* The kernel's limits of times, and the least window. */
#define FIN_TIMEOUT_MAX_S 120
#define RTO_MAX_S 120
#define WINDOW_CLAMP_MIN 1152
#define IP6_LEAST_MTU 1280 /* RFC 8200 5 */

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

/* What is there may be enough now (tcp_set_rcvlowat() of the kernel); whoever waits for an edge is told no other. */
static void tell_mark(struct socket *sock)
{
    if (sock->type == SOCK_STREAM && (socket_ops(sock)->events(sock) & EPOLLIN) &&
        (socket_has(sock, SOCKET_RX_END) || recv_queue_bytes(&sock->rx) > 0))
        ready_tell(sock, EPOLLIN);
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
        tell_mark(sock);
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

/* IPV6_MTU: no fragment is larger. */
static int set_fragment_bytes(struct socket *sock, int bytes)
{
    if (bytes != 0 && bytes < IP6_LEAST_MTU)
        return -EINVAL;
    sock->options.fragment_bytes6 = bytes;
    return 0;
}

/* Options of ip(7) that may come without any byte; they are 0 then. */
static bool may_be_empty(int name)
{
    return name == IP_TOS || name == IP_PKTINFO || name == IP_RECVTTL || name == IP_RECVTOS ||
           name == IP_RECVERR || name == IP_MTU_DISCOVER || name == IP_BIND_ADDRESS_NO_PORT;
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

/* socket(7): what only a privileged process may set. 0 or -errno. */
static int forbidden(int level, int name, int number)
{
    if (level != SOL_SOCKET || privilege_network())
        return 0;
    if (name == SO_MARK || (name == SO_PRIORITY && (number < 0 || number > 6)))
        return -EPERM;
    return name == SO_DEBUG && number ? -EACCES : 0;
}

/* A connection that is over has no port any more, unless the program asked for that number. */
static bool gave_port_back(const struct socket *sock)
{
    return sock->type == SOCK_STREAM && socket_state(sock) == SOCKET_CLOSED && !sock->binding.fixed_port;
}

static int set_row(struct socket *sock, const struct option_row *row, int number)
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
    if (sock->type == SOCK_STREAM && ((row->level == IPPROTO_IP && row->name == IP_TOS) ||
                                      (row->level == IPPROTO_IPV6 && row->name == IPV6_TCLASS && number >= 0)))
        number &= ~3; /* the ECN bits are the stack's */
    switch (row->kind) {
    case BOOL:
    case STRICT: *(bool *)field = number != 0; break;
    case U8: *field = (uint8_t)number; break;
    case INT: memcpy(field, &number, sizeof(number)); break;
    }
    if (errors && number == 0)
        error_queue_discard(sock);
    if (row->level == IPPROTO_TCP && row->name == TCP_QUICKACK)
        sock->options.ack_at_once = sock->options.quick_ack;
    if (row->level == IPPROTO_TCP && row->name == TCP_NOTSENT_LOWAT) {
        atomic_store(&sock->tx.not_sent_limit, (uint32_t)number);
        ready_poke(sock);
    }
    return 0;
}

int socket_option_set(struct socket *sock, int level, int name, const void *value, socklen_t len)
{
    const struct option_row *row = socket_option_find(sock, level, name);
    int number, result;

    if ((int)len < 0)
        return -EINVAL;
    if (socket_option_unserved(sock, level) < 0)
        return -ENOPROTOOPT;
    if (value == NULL && len > 0)
        return -EFAULT;
    /* Multicast is for datagrams; each level says so in a way of its own. */
    if (sock->type == SOCK_STREAM && level == IPPROTO_IP && name == IP_MULTICAST_TTL)
        return -EINVAL;
    if (sock->type == SOCK_STREAM && level == IPPROTO_IPV6 && name == IPV6_MULTICAST_HOPS)
        return -ENOPROTOOPT;
    result = socket_device_set(sock, level, name, value, len);
    if (result != -ENOPROTOOPT)
        return result;
    result = parse(level, name, value, len, &number);
    if (result < 0)
        return result;
    result = forbidden(level, name, number);
    if (result < 0)
        return result;
    if (row)
        result = set_row(sock, row, number);
    else if (level == SOL_SOCKET)
        result = set_socket_level(sock, name, value, len, number);
    else if (level == IPPROTO_TCP)
        result = set_tcp_level(sock, name, value, len, number);
    else if (level == IPPROTO_IPV6 && name == IPV6_MTU)
        result = set_fragment_bytes(sock, number);
    else
        result = socket_membership_set(sock, level, name, value, len);
    if (level == SOL_SOCKET && (name == SO_REUSEADDR || name == SO_REUSEPORT))
        ports_reuse(&sock->binding, sock->options.reuse_addr, sock->options.reuse_port);
    if (result == 0 && socket_state(sock) == SOCKET_LISTENING)
        tcp_listen_options_changed(sock);
    else if (result == 0)
        socket_options_apply(sock);
    return result;
}
