/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/control_message.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "base/clock.h"

struct writer {
    struct msghdr *msg;
    size_t used;
};

static void put(struct writer *w, int level, int type, const void *data, size_t bytes)
{
    struct cmsghdr *header;

    if (w->used + CMSG_SPACE(bytes) > w->msg->msg_controllen) {
        w->msg->msg_flags |= MSG_CTRUNC;
        return;
    }
    header = (struct cmsghdr *)((uint8_t *)w->msg->msg_control + w->used);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(header), data, bytes);
    w->used += CMSG_SPACE(bytes);
}

void control_message_arrival(struct socket *sock, const struct arrival *a, struct msghdr *msg)
{
    const struct socket_options *o = &sock->options;
    struct writer w = { .msg = msg };

    if (LIKELY(!o->timestamp && !o->packet_info && !o->packet_info6)) {
        msg->msg_controllen = 0;
        return;
    }
    if (o->timestamp) {
        /* The stack's clock is monotonic; the option promises the wall clock (socket(7)). */
        struct timespec wall;
        uint64_t us;
        struct timeval tv;

        clock_gettime(CLOCK_REALTIME, &wall);
        us = (uint64_t)wall.tv_sec * 1000000 + (uint64_t)wall.tv_nsec / 1000 -
             (clock_now_ns() - a->time_ns) / 1000;
        tv = (struct timeval){ .tv_sec = (time_t)(us / 1000000), .tv_usec = (int)(us % 1000000) };
        put(&w, SOL_SOCKET, SCM_TIMESTAMP, &tv, sizeof(tv));
    }
    if (o->packet_info && a->to.family == AF_INET) {
        struct in_pktinfo info = { .ipi_ifindex = (int)a->interface,
                                   .ipi_spec_dst = a->to.v4,
                                   .ipi_addr = a->to.v4 };

        put(&w, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    }
    if (o->packet_info6) {
        struct in6_pktinfo info = { .ipi6_ifindex = a->interface };

        if (a->to.family == AF_INET6) {
            info.ipi6_addr = a->to.v6;
        } else {
            info.ipi6_addr.s6_addr[10] = info.ipi6_addr.s6_addr[11] = 0xff;
            memcpy(&info.ipi6_addr.s6_addr[12], &a->to.v4, 4);
        }
        put(&w, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    }
    msg->msg_controllen = w.used;
}
