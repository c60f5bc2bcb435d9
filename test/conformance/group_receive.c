/* SPDX-License-Identifier: Apache-2.0 */
/* What receiving tells beside the data, and when it may begin: marks, times, headers. */
#include <sys/time.h>

#include "harness.h"

const char group_name[] = "receive";

/* ---- SO_RCVLOWAT ---- */

static void mark(void)
{
    struct pair p = tcp_pair(AF_INET);
    int ep = sys.epoll_create1(0);
    struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = 1 };

    SAY(set_int(p.server, SOL_SOCKET, SO_RCVLOWAT, 10));
    sys.epoll_ctl(ep, EPOLL_CTL_ADD, p.server, &event);
    sys.send(p.client, "abc", 3, 0);
    settle();
    SAY_EVENTS(p.server);
    SAY_EPOLL(ep, 0);
    sys.send(p.client, "defghi", 6, 0);
    settle();
    SAY_EVENTS(p.server);
    SAY_EPOLL(ep, 0);
    sys.send(p.client, "j", 1, 0);
    settle();
    SAY_EVENTS(p.server);
    SAY_EPOLL(ep, 3000);
    SAY_RECV(p.server, 1, 0);
    SAY_EVENTS(p.server);
    SAY_RECV(p.server, 100, MSG_DONTWAIT); /* fewer are given to who does not wait */
    sys.send(p.client, "xy", 2, 0);
    settle();
    SAY_EVENTS(p.server);
    SAY(set_int(p.server, SOL_SOCKET, SO_RCVLOWAT, 2)); /* and now they are enough */
    settle();
    SAY_EVENTS(p.server);
    SAY_EPOLL(ep, 3000);
    SAY(set_int(p.server, SOL_SOCKET, SO_RCVLOWAT, 100));
    SAY_EVENTS(p.server);
    sys.shutdown(p.client, SHUT_WR);
    await(p.server, POLLRDHUP);
    SAY_EVENTS(p.server);
    SAY_RECV(p.server, 100, 0);
    SAY_RECV(p.server, 100, 0);
}

static void send_late(void *fd)
{
    sys.send(*(int *)fd, "later!", 6, 0);
}

static void mark_of_a_waiting_recv(void)
{
    struct pair p = tcp_pair(AF_INET);
    struct timeval limit = { .tv_usec = 50000 };

    set_int(p.server, SOL_SOCKET, SO_RCVLOWAT, 6);
    sys.send(p.client, "abc", 3, 0);
    settle();
    later(30, send_late, &p.client);
    SAY_RECV(p.server, 100, 0);
    join();
    sys.send(p.client, "abc", 3, 0);
    settle();
    SAY_RECV(p.server, 2, 0); /* no more is asked for */
    sys.setsockopt(p.server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    SAY_RECV(p.server, 100, 0);
    SAY_RECV(p.server, 100, 0);
    SAY_RECV(p.server, 0, 0);
    sys.send(p.client, "abc", 3, 0);
    settle();
    SAY_RECV(p.server, 100, MSG_PEEK);
    SAY_RECV(p.server, 100, MSG_PEEK | MSG_WAITALL);
    later(10, send_late, &p.client);
    SAY_RECV(p.server, 9, MSG_PEEK | MSG_WAITALL);
    join();
    SAY_RECV(p.server, 9, MSG_WAITALL);
}

static void mark_beyond_the_buffer(void)
{
    struct pair p = tcp_pair(AF_INET);

    set_int(p.server, SOL_SOCKET, SO_RCVBUF, 65536);
    SAY(set_int(p.server, SOL_SOCKET, SO_RCVLOWAT, 1 << 30));
    fill(p.client);
    await(p.server, POLLIN);
    SAY_EVENTS(p.server); /* as full as it gets */
}

static void mark_of_datagrams(void)
{
    struct pair p = udp_pair(AF_INET);

    SAY(set_int(p.server, SOL_SOCKET, SO_RCVLOWAT, 10));
    SAY_OPTION(p.server, SOL_SOCKET, SO_RCVLOWAT);
    SAY(set_int(p.server, SOL_SOCKET, SO_RCVLOWAT, 0));
    SAY_OPTION(p.server, SOL_SOCKET, SO_RCVLOWAT);
    SAY(set_int(p.server, SOL_SOCKET, SO_RCVLOWAT, 10));
    sys.send(p.client, "abc", 3, 0);
    await(p.server, POLLIN);
    SAY_EVENTS(p.server);
    SAY_RECV(p.server, 100, 0);
}

/* ---- ancillary data ---- */

static void say_time(const char *label, const void *data, bool nanoseconds)
{
    struct timespec now, then;

    memcpy(&then, data, sizeof(then));
    clock_gettime(CLOCK_REALTIME, &now);
    if (!nanoseconds)
        then.tv_nsec *= 1000;
    NOTE(label, "%s", now.tv_sec * 1000 + now.tv_nsec / 1000000 - then.tv_sec * 1000 - then.tv_nsec / 1000000 < 3000
                          ? "just now" : "another time");
}

static void say_messages(int fd, size_t room, int flags)
{
    char data[16];
    _Alignas(struct cmsghdr) uint8_t control[512];
    struct iovec iov = { data, sizeof(data) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room };

    SAY(sys.recvmsg(fd, &msg, flags));
    NOTE("flags", "%#x, %zu", msg.msg_flags, msg.msg_controllen);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        int number = 0;

        NOTE("message", "%d/%d (%zu)", c->cmsg_level, c->cmsg_type, c->cmsg_len);
        memcpy(&number, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0) < sizeof(number) ? 1 : sizeof(number));
        if (c->cmsg_level == SOL_SOCKET)
            say_time("time", CMSG_DATA(c), c->cmsg_type != SO_TIMESTAMP && c->cmsg_type != SO_TIMESTAMP_NEW);
        else if (c->cmsg_type != IP_PKTINFO && c->cmsg_type != IPV6_PKTINFO)
            NOTE("number", "%d", number);
    }
}

static void times(void)
{
    static const int names[] = { SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMP_NEW, SO_TIMESTAMPNS_NEW };
    struct pair p = udp_pair(AF_INET);

    for (int i = 0; i < 4; i++) {
        SAY(set_int(p.server, SOL_SOCKET, names[i], 5));
        for (int k = 0; k < 4; k++)
            SAY_OPTION(p.server, SOL_SOCKET, names[k]);
        sys.send(p.client, "x", 1, 0);
        await(p.server, POLLIN);
        say_messages(p.server, 512, MSG_PEEK);
        say_messages(p.server, 8, 0);
    }
    SAY(set_int(p.server, SOL_SOCKET, SO_TIMESTAMP, 0)); /* takes the others' back, too */
    for (int k = 0; k < 4; k++)
        SAY_OPTION(p.server, SOL_SOCKET, names[k]);
    sys.send(p.client, "x", 1, 0);
    await(p.server, POLLIN);
    say_messages(p.server, 512, 0);
}

static void times_of_a_stream(void)
{
    struct pair p = tcp_pair(AF_INET);

    set_int(p.server, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    settle();
    usleep(20000); /* the kernel switches them on in the background */
    sys.send(p.client, "abc", 3, 0);
    await(p.server, POLLIN);
    say_messages(p.server, 512, 0);
    sys.shutdown(p.client, SHUT_WR);
    await(p.server, POLLRDHUP);
    say_messages(p.server, 512, 0);
}

static void headers(int family, bool mapped)
{
    int server = bound(family, SOCK_DGRAM, mapped ? MAPPED_ANY : ANY);
    int client = bound(mapped ? AF_INET : family, SOCK_DGRAM, HOST);
    struct address to = address_at(server, mapped ? AF_INET : family);
    static const struct {
        int level, name;
    } all[] = { { IPPROTO_IP, IP_RECVTTL }, { IPPROTO_IP, IP_RECVTOS }, { IPPROTO_IP, IP_PKTINFO },
                { IPPROTO_IPV6, IPV6_RECVHOPLIMIT }, { IPPROTO_IPV6, IPV6_RECVTCLASS },
                { IPPROTO_IPV6, IPV6_RECVPKTINFO } };

    SAY(set_int(client, IPPROTO_IP, IP_TTL, 33));
    SAY(set_int(client, IPPROTO_IP, IP_TOS, 0x48));
    if (family == AF_INET6 && !mapped) {
        SAY(set_int(client, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 44));
        SAY(set_int(client, IPPROTO_IPV6, IPV6_TCLASS, 0x28));
    }
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        SAY(set_int(server, all[i].level, all[i].name, 1));
        SAY_OPTION(server, all[i].level, all[i].name);
        sys.sendto(client, "x", 1, 0, ADDR(to));
        await(server, POLLIN);
        say_messages(server, 512, 0);
    }
    set_int(server, SOL_SOCKET, SO_TIMESTAMP, 1);
    sys.sendto(client, "x", 1, 0, ADDR(to));
    await(server, POLLIN);
    say_messages(server, 512, MSG_PEEK);
    say_messages(server, 60, 0);
}
static void headers_4(void) { headers(AF_INET, false); }
static void headers_6(void) { headers(AF_INET6, false); }
static void headers_mapped(void) { headers(AF_INET6, true); }

const struct scenario scenarios[] = {
    SCENARIO(mark), SCENARIO(mark_of_a_waiting_recv), SCENARIO(mark_beyond_the_buffer),
    SCENARIO(mark_of_datagrams), SCENARIO(times), SCENARIO(times_of_a_stream), SCENARIO(headers_4),
    SCENARIO(headers_6), SCENARIO(headers_mapped), { 0 },
};
