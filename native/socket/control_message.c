/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/control_message.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "base/clock.h"
#include "base/compiler.h"

struct writer {
    struct msghdr *msg;
    size_t used;
};

static void put(struct writer *w, int level, int type, const void *data, size_t bytes)
{
    size_t room = w->msg->msg_controllen - w->used;
    struct cmsghdr *header = (struct cmsghdr *)((uint8_t *)w->msg->msg_control + w->used);

    /* As put_cmsg() of the kernel: the last one may be cut. */
    if (room < CMSG_LEN(bytes))
        w->msg->msg_flags |= MSG_CTRUNC;
    if (w->msg->msg_control == NULL || room < sizeof(*header))
        return;
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = min_size(CMSG_LEN(bytes), room);
    memcpy(CMSG_DATA(header), data, header->cmsg_len - sizeof(*header));
    w->used += min_size(CMSG_SPACE(bytes), room);
}

/* The stack's clock is monotonic; the options promise the wall clock (socket(7)). */
static void put_time(struct writer *w, enum timestamp kind, uint64_t arrived_ns)
{
    struct timespec wall;
    struct timeval tv;
    uint64_t ns;

    clock_gettime(CLOCK_REALTIME, &wall);
    ns = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec - (clock_now_ns() - arrived_ns);
    wall = (struct timespec){ .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };
    tv = (struct timeval){ .tv_sec = wall.tv_sec, .tv_usec = wall.tv_nsec / 1000 };
    switch (kind) {
    case TIMESTAMP_NONE: break;
    case TIMESTAMP_US: put(w, SOL_SOCKET, SO_TIMESTAMP, &tv, sizeof(tv)); break;
    case TIMESTAMP_NS: put(w, SOL_SOCKET, SO_TIMESTAMPNS, &wall, sizeof(wall)); break;
    case TIMESTAMP_US_NEW: put(w, SOL_SOCKET, SO_TIMESTAMP_NEW, &tv, sizeof(tv)); break;
    case TIMESTAMP_NS_NEW: put(w, SOL_SOCKET, SO_TIMESTAMPNS_NEW, &wall, sizeof(wall)); break;
    }
}

static void put_number(struct writer *w, int level, int type, int number)
{
    put(w, level, type, &number, sizeof(number));
}

static void put_packet_info6(struct writer *w, const struct arrival *a)
{
    struct in6_pktinfo info = { .ipi6_ifindex = a->interface };

    if (a->to.family == AF_INET6) {
        info.ipi6_addr = a->to.v6;
    } else {
        info.ipi6_addr.s6_addr[10] = info.ipi6_addr.s6_addr[11] = 0xff;
        memcpy(&info.ipi6_addr.s6_addr[12], &a->to.v4, 4);
    }
    put(w, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
}

/* The options of the family that the datagram came by, in the kernel's order; an IPv6 socket may have
 * asked for IPv4's as well. */
static void put_headers(struct writer *w, const struct socket_options *o, const struct arrival *a)
{
    if (o->packet_info6)
        put_packet_info6(w, a);
    if (a->to.family == AF_INET) {
        if (o->packet_info) {
            struct in_pktinfo info = { .ipi_ifindex = (int)a->interface,
                                       .ipi_spec_dst = a->to.v4,
                                       .ipi_addr = a->to.v4 };

            put(w, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
        }
        if (o->receive_ttl)
            put_number(w, IPPROTO_IP, IP_TTL, a->ttl);
        if (o->receive_tos)
            put(w, IPPROTO_IP, IP_TOS, &a->tos, sizeof(a->tos));
        return;
    }
    if (o->receive_hop_limit)
        put_number(w, IPPROTO_IPV6, IPV6_HOPLIMIT, a->ttl);
    if (o->receive_class)
        put_number(w, IPPROTO_IPV6, IPV6_TCLASS, a->tos);
}

static inline void put_asked(struct writer *w, const struct socket_options *o, const struct arrival *a)
{
    if (UNLIKELY(o->timestamp))
        put_time(w, o->timestamp, a->time_ns);
    if (UNLIKELY(o->tell_drops) && a->drops)
        put(w, SOL_SOCKET, SO_RXQ_OVFL, &a->drops, sizeof(a->drops));
    if (UNLIKELY(o->packet_info | o->packet_info6 | o->receive_ttl | o->receive_tos | o->receive_hop_limit |
                 o->receive_class))
        put_headers(w, o, a);
}

void control_message_arrival(struct socket *sock, const struct arrival *a, struct msghdr *msg)
{
    struct writer w = { .msg = msg };

    put_asked(&w, &sock->options, a);
    msg->msg_controllen = w.used;
}

void control_message_error(struct socket *sock, const struct arrival *a, bool has_headers, const void *data,
                           size_t bytes, struct msghdr *msg)
{
    struct writer w = { .msg = msg };

    if (has_headers)
        put_asked(&w, &sock->options, a);
    else if (sock->options.timestamp)
        put_time(&w, sock->options.timestamp, a->time_ns);
    if (sock->family == AF_INET6)
        put(&w, IPPROTO_IPV6, IPV6_RECVERR, data, bytes);
    else
        put(&w, IPPROTO_IP, IP_RECVERR, data, bytes);
    msg->msg_controllen = w.used;
}

/* As tcp_inq_hint() of the kernel: the peer's end counts as one byte more, so that it is read too. */
static int queued_hint(struct socket *sock)
{
    bool is_ended = socket_has(sock, SOCKET_RX_END); /* before the look at the queue: it comes after all data */

    return (int)recv_queue_bytes(&sock->rx) + is_ended;
}

void control_message_stream(struct socket *sock, uint64_t arrived_ns, struct msghdr *msg)
{
    struct writer w = { .msg = msg };

    if (sock->options.timestamp && arrived_ns)
        put_time(&w, sock->options.timestamp, arrived_ns);
    if (sock->options.tell_queued)
        put_number(&w, IPPROTO_TCP, TCP_CM_INQ, queued_hint(sock));
    msg->msg_controllen = w.used;
}
