/* SPDX-License-Identifier: Apache-2.0 */
/* getsockopt(2) and setsockopt(2): defaults, values, lengths, inheritance. */
#include "harness.h"

const char group_name[] = "options";

static const struct option {
    const char *name;
    int level, number, some, bad;
} options[] = {
#define O(level, name, some, bad) { #name, level, name, some, bad }
    O(SOL_SOCKET, SO_REUSEADDR, 1, -7), O(SOL_SOCKET, SO_REUSEPORT, 1, 5),
    O(SOL_SOCKET, SO_KEEPALIVE, 1, 9), O(SOL_SOCKET, SO_BROADCAST, 1, 2),
    O(SOL_SOCKET, SO_OOBINLINE, 1, 2), O(SOL_SOCKET, SO_DONTROUTE, 1, 2),
    O(SOL_SOCKET, SO_TIMESTAMP, 1, 2), O(SOL_SOCKET, SO_TIMESTAMPNS, 1, 2),
    O(SOL_SOCKET, SO_PRIORITY, 3, -1), O(SOL_SOCKET, SO_MARK, 1, -1),
    O(SOL_SOCKET, SO_RCVLOWAT, 5, -1), O(SOL_SOCKET, SO_TYPE, 1, 1),
    O(SOL_SOCKET, SO_PROTOCOL, 1, 1), O(SOL_SOCKET, SO_DOMAIN, 1, 1),
    O(SOL_SOCKET, SO_ACCEPTCONN, 1, 1), O(SOL_SOCKET, SO_ERROR, 1, 1),
    O(SOL_SOCKET, SO_SNDLOWAT, 4, 1), O(SOL_SOCKET, 9999, 4, 1),
    O(SOL_SOCKET, SO_DEBUG, 1, -7), O(SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1, 200),
    O(SOL_SOCKET, SO_RXQ_OVFL, 1, -7), O(SOL_SOCKET, SO_INCOMING_CPU, 0, 70000), O(IPPROTO_TCP, TCP_INQ, 1, 200),
    O(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, -7), O(IPPROTO_IPV6, IPV6_FREEBIND, 1, 70000),
    O(IPPROTO_TCP, TCP_NODELAY, 1, 77), O(IPPROTO_TCP, TCP_CORK, 1, 7),
    O(IPPROTO_TCP, TCP_QUICKACK, 1, 0), O(IPPROTO_TCP, TCP_KEEPIDLE, 100, 0),
    O(IPPROTO_TCP, TCP_KEEPINTVL, 100, 40000), O(IPPROTO_TCP, TCP_KEEPCNT, 3, 128),
    O(IPPROTO_TCP, TCP_USER_TIMEOUT, 5000, -1), O(IPPROTO_TCP, TCP_SYNCNT, 2, 256),
    O(IPPROTO_TCP, TCP_MAXSEG, 1000, 10), O(IPPROTO_TCP, 9999, 1, 1),
    O(IPPROTO_TCP, TCP_LINGER2, 200, -5), O(IPPROTO_TCP, TCP_LINGER2, 7, 0),
    O(IPPROTO_TCP, TCP_DEFER_ACCEPT, 10, -1), O(IPPROTO_TCP, TCP_DEFER_ACCEPT, 70000, 0),
    O(IPPROTO_TCP, TCP_WINDOW_CLAMP, 70000, 5), O(IPPROTO_TCP, TCP_NOTSENT_LOWAT, 5000, -1),
    O(IPPROTO_IP, IP_TOS, 0x10, 256), O(IPPROTO_IP, IP_TTL, 33, 256),
    O(IPPROTO_IP, IP_PKTINFO, 1, 2), O(IPPROTO_IP, IP_RECVTTL, 1, 2),
    O(IPPROTO_IP, IP_RECVTOS, 1, 2), O(IPPROTO_IP, IP_RECVERR, 1, 2),
    O(IPPROTO_IP, IP_FREEBIND, 1, 2), O(IPPROTO_IP, IP_MTU_DISCOVER, 2, 9),
    O(IPPROTO_IP, IP_MULTICAST_TTL, 7, 256), O(IPPROTO_IP, IP_MULTICAST_LOOP, 0, 2),
    O(IPPROTO_IPV6, IPV6_V6ONLY, 1, 5), O(IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9, 256),
    O(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 9, 256), O(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, 3),
    O(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, 2), O(IPPROTO_IPV6, IPV6_TCLASS, 8, 256),
    O(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, 2), O(IPPROTO_IPV6, IPV6_RECVTCLASS, 1, 2),
    O(12345, 1, 1, 1),
};
#define COUNT (sizeof(options) / sizeof(options[0]))

static void each(int family, int type)
{
    for (size_t i = 0; i < COUNT; i++) {
        const struct option *o = &options[i];
        int fd = sys.socket(family, type, 0), value = o->some;
        unsigned char bytes[8] = { 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa };
        socklen_t len = 2;

        section(o->name);
        trace_option("default", fd, o->level, o->number);
        SAY(sys.setsockopt(fd, o->level, o->number, &value, sizeof(value)));
        trace_option("now", fd, o->level, o->number);
        SAY(set_int(fd, o->level, o->number, o->bad));
        trace_option("now", fd, o->level, o->number);
        SAY(sys.setsockopt(fd, o->level, o->number, &value, 3));
        SAY(sys.setsockopt(fd, o->level, o->number, &value, 1));
        SAY(sys.setsockopt(fd, o->level, o->number, &value, 0));
        SAY(sys.setsockopt(fd, o->level, o->number, &value, (socklen_t)-1));
        SAY(sys.getsockopt(fd, o->level, o->number, bytes, &len));
        NOTE("short", "%u %d", len, bytes[2] == 0xaa);
        len = (socklen_t)-1;
        SAY(sys.getsockopt(fd, o->level, o->number, bytes, &len));
        section(NULL);
        sys.close(fd);
    }
}
static void tcp_4(void) { each(AF_INET, SOCK_STREAM); }
static void tcp_6(void) { each(AF_INET6, SOCK_STREAM); }
static void udp_4(void) { each(AF_INET, SOCK_DGRAM); }
static void udp_6(void) { each(AF_INET6, SOCK_DGRAM); }

static void times(void)
{
    int fd = sys.socket(AF_INET, SOCK_STREAM, 0);
    struct timeval tv = { .tv_sec = 2, .tv_usec = 500000 };
    socklen_t len = sizeof(tv);

    SAY(sys.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
    memset(&tv, 0, sizeof(tv));
    SAY(sys.getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
    NOTE("time", "%ld.%06ld (%u)", (long)tv.tv_sec, (long)tv.tv_usec, len);
    tv.tv_usec = 1000000;
    SAY(sys.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
    tv.tv_usec = -1;
    SAY(sys.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
    SAY(sys.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, 4));
    tv = (struct timeval){ .tv_sec = -3 };
    SAY(sys.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
    SAY(sys.getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &len));
    NOTE("time", "%ld.%06ld", (long)tv.tv_sec, (long)tv.tv_usec);
}

static void lingers(void)
{
    int fd = sys.socket(AF_INET, SOCK_STREAM, 0);
    struct linger l = { 1, 7 };
    socklen_t len = sizeof(l);

    SAY(sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
    SAY(sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, 4));
    l = (struct linger){ 9, 9 };
    SAY(sys.getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len));
    NOTE("linger", "%d %d (%u)", l.l_onoff, l.l_linger, len);
    l = (struct linger){ 0, 5 };
    SAY(sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
    SAY(sys.getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len));
    NOTE("linger", "%d", l.l_onoff);
}

static void inherited(void)
{
    int listening = bound(AF_INET, SOCK_STREAM, HOST), fd, got;

    set_int(listening, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(listening, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(listening, IPPROTO_TCP, TCP_KEEPIDLE, 77);
    set_int(listening, IPPROTO_IP, IP_TTL, 44);
    set_int(listening, IPPROTO_IP, IP_TOS, 8);
    set_int(listening, SOL_SOCKET, SO_REUSEADDR, 1);
    sys.listen(listening, 2);
    fd = connected_to(listening, AF_INET);
    got = SAY_FD(sys.accept4(listening, NULL, NULL, 0));
    SAY_OPTION(got, SOL_SOCKET, SO_KEEPALIVE);
    SAY_OPTION(got, IPPROTO_TCP, TCP_NODELAY);
    SAY_OPTION(got, IPPROTO_TCP, TCP_KEEPIDLE);
    SAY_OPTION(got, IPPROTO_IP, IP_TTL);
    SAY_OPTION(got, IPPROTO_IP, IP_TOS);
    SAY_OPTION(got, SOL_SOCKET, SO_REUSEADDR);
    SAY_OPTION(fd, SOL_SOCKET, SO_KEEPALIVE);
}

/* TCP_INQ: what is left after a call, and the end as one byte more. */
static void queued(void)
{
    struct pair p = tcp_pair(AF_INET);
    unsigned char control[64] = { 0 };
    char bytes[16];

    SAY(set_int(p.server, IPPROTO_TCP, TCP_INQ, 1));
    SAY(sys.send(p.client, "0123456789", 10, 0));
    SAY(sys.recv(p.server, bytes, 10, MSG_PEEK | MSG_WAITALL));
    SAY(sys.shutdown(p.client, SHUT_WR));
    await(p.server, POLLRDHUP);
    for (int i = 0; i < 4; i++) {
        struct iovec iov = { bytes, 4 };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 64 };
        struct cmsghdr *header;
        int left = -1;

        SAY(sys.recvmsg(p.server, &msg, 0));
        header = CMSG_FIRSTHDR(&msg);
        if (header != NULL)
            memcpy(&left, CMSG_DATA(header), sizeof(left));
        NOTE("left", "%d (%d %d)", left, header ? header->cmsg_level : -1, header ? header->cmsg_type : -1);
    }
}

/* SO_RXQ_OVFL: what found no room is told by the next that did. */
static int dropped(int fd, int *told)
{
    _Alignas(struct cmsghdr) char control[64] = { 0 };
    char bytes[100];
    struct iovec iov = { bytes, sizeof(bytes) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 64 };
    int result = (int)sys.recvmsg(fd, &msg, MSG_DONTWAIT);
    struct cmsghdr *c = result < 0 ? NULL : CMSG_FIRSTHDR(&msg);

    *told = -1;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL && c->cmsg_len == CMSG_LEN(sizeof(*told)))
        memcpy(told, CMSG_DATA(c), sizeof(*told));
    return result;
}

static void overflown(void)
{
    struct pair p = udp_pair(AF_INET);
    int sent = 0, got, told;

    SAY(set_int(p.server, SOL_SOCKET, SO_RXQ_OVFL, 1));
    SAY(set_int(p.server, SOL_SOCKET, SO_RCVBUF, 8192));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; round < 2 && i < 300; i++, sent++) {
            sys.send(p.client, "12345678", 8, 0);
            if (i % 50 == 0)
                settle(); /* nothing may get lost on the way */
        }
        settle();
        for (got = 0; dropped(p.server, &told) >= 0; got++)
            if (got == 0)
                NOTE("first", "%s", told < 0 ? "says nothing" : "says");
        sent -= got;
        sys.send(p.client, "12345678", 8, 0);
        await(p.server, POLLIN);
        NOTE("next", "%d, %s", dropped(p.server, &told), told == sent ? "as lost" : "another number");
        if (round == 1)
            SAY(set_int(p.server, SOL_SOCKET, SO_RXQ_OVFL, 0));
    }
}

static void late(void)
{
    struct pair p = tcp_pair(AF_INET6);

    SAY(set_int(p.client, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    SAY(set_int(p.listening, IPPROTO_IPV6, IPV6_V6ONLY, 0));
    SAY(set_int(p.client, IPPROTO_IP, IP_TTL, 5));
    SAY(set_int(p.client, IPPROTO_TCP, TCP_WINDOW_CLAMP, 0));
    SAY(set_int(p.client, IPPROTO_TCP, TCP_WINDOW_CLAMP, 1));
    SAY_OPTION(p.client, IPPROTO_TCP, TCP_WINDOW_CLAMP);
}

/* Segments keep to it whatever the path would bear; set later it changes nothing. */
static void segments(void)
{
    int listening = listener(AF_INET, 2), fd = sys.socket(AF_INET, SOCK_STREAM, 0);
    struct address a = address_at(listening, AF_INET);

    set_int(fd, IPPROTO_TCP, TCP_MAXSEG, 700);
    SAY(sys.connect(fd, ADDR(a)));
    SAY_OPTION(fd, IPPROTO_TCP, TCP_MAXSEG);
    SAY(set_int(fd, IPPROTO_TCP, TCP_MAXSEG, 300));
    SAY_OPTION(fd, IPPROTO_TCP, TCP_MAXSEG);
}

/* How much gets through before anybody reads hangs on the listener; the kernel counts overhead of its own. */
static void room(int bytes, bool listens, bool accepted)
{
    int listening = bound(AF_INET, SOCK_STREAM, HOST), fd, got = -1, n = -1;

    if (listens)
        sys.listen(listening, 2);
    SAY(set_int(listening, SOL_SOCKET, SO_RCVBUF, bytes));
    if (!listens)
        sys.listen(listening, 2);
    fd = connected_to(listening, AF_INET);
    if (accepted)
        got = sys.accept4(listening, NULL, NULL, 0);
    fill(fd);
    if (!accepted)
        got = sys.accept4(listening, NULL, NULL, 0);
    SAY(sys.ioctl(got, FIONREAD, &n));
    NOTE("holds", "as told %d, something %d", n <= bytes * 2, n >= bytes / 4);
    SAY_OPTION(got, SOL_SOCKET, SO_RCVBUF);
}

static void rooms(void)
{
    static const int bytes[] = { 4096, 16384, 90000, 180000 };

    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        section("before listen()");
        room(bytes[i], false, true);
        section("nobody accepts");
        room(bytes[i], false, false);
        section("after listen()");
        room(bytes[i], true, true);
    }
}

/* struct tcp_info of linux/tcp.h, which goes on where libc's ends. */
struct info {
    struct tcp_info libc;
    uint64_t pacing[2], acked, received;
    uint32_t segs_out, segs_in, not_sent, min_rtt, data_segs_in, data_segs_out;
    uint64_t rates[4];
    uint32_t delivered[2];
    uint64_t sent, again;
};

/* TCP_INFO's sums, of known traffic. */
static void say_sums(const char *who, int fd)
{
    struct info info = { .min_rtt = 0 };
    socklen_t len = sizeof(info);

    sys.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
    NOTE(who, "sent %llu again %llu got %llu, segments %u %u, rtt %s %s", (unsigned long long)info.sent,
         (unsigned long long)info.again, (unsigned long long)info.received, info.data_segs_out, info.data_segs_in,
         info.min_rtt == UINT32_MAX ? "unknown" : info.min_rtt ? "known" : "0",
         info.min_rtt <= info.libc.tcpi_rtt || info.min_rtt == UINT32_MAX ? "least" : "not the least");
}

static void sums(void)
{
    struct pair p = tcp_pair(AF_INET);
    char data[1000] = { 0 };

    for (int i = 0; i < 7; i++) {
        sys.send(p.client, data, 100 + (size_t)i, 0);
        await(p.server, POLLIN);
        sys.recv(p.server, data, sizeof(data), 0);
        settle();
    }
    sys.send(p.server, data, 1000, 0);
    await(p.client, POLLIN);
    settle();
    say_sums("client", p.client);
    say_sums("server", p.server);
    say_sums("fresh", sys.socket(AF_INET, SOCK_STREAM, 0));
}

const struct scenario scenarios[] = {
    SCENARIO(tcp_4), SCENARIO(tcp_6), SCENARIO(udp_4), SCENARIO(udp_6), SCENARIO(times),
    SCENARIO(lingers), SCENARIO(inherited), SCENARIO(overflown), SCENARIO(sums), SCENARIO(late), SCENARIO(segments),
    SCENARIO(queued), SCENARIO(rooms), { 0 },
};
