/* SPDX-License-Identifier: Apache-2.0 */
/* TCP: sending and receiving, flags, shutdown; how connections end is in group_tcp_ends.c. */
#include <linux/sockios.h>

#include "harness.h"

const char group_name[] = "tcp";

static void unconnected(void)
{
    int fd = sys.socket(AF_INET, SOCK_STREAM, 0), named = bound(AF_INET, SOCK_STREAM, HOST), n = -1;

    SAY_RECV(fd, 1, 0);
    SAY_RECV(fd, 0, 0);
    SAY_RECV(fd, 1, MSG_DONTWAIT);
    SAY_RECV(fd, 1, MSG_PEEK);
    SAY_RECV(fd, 1, MSG_OOB);
    SAY(sys.send(fd, "x", 1, 0));
    SAY(sys.send(fd, "x", 1, MSG_NOSIGNAL));
    SAY(sys.send(fd, "x", 0, MSG_NOSIGNAL));
    SAY(sys.shutdown(fd, SHUT_RD));
    SAY(sys.shutdown(fd, SHUT_WR));
    SAY(sys.shutdown(fd, 3));
    SAY(sys.shutdown(fd, -1));
    SAY_EVENTS(fd);
    SAY_EVENTS(named);
    SAY_RECV(named, 1, 0);
    SAY(sys.send(named, "x", 1, 0));
    SAY(sys.ioctl(fd, FIONREAD, &n));
    NOTE("FIONREAD", "%d", n);
    SAY(sys.ioctl(fd, SIOCOUTQ, &n));
    NOTE("SIOCOUTQ", "%d", n);
}

static void plain_data(void)
{
    struct pair p = tcp_pair(AF_INET);
    int n = -1;

    SAY_EVENTS(p.server);
    SAY(sys.send(p.client, "hello", 5, 0));
    await(p.server, POLLIN);
    SAY_EVENTS(p.server);
    SAY(sys.ioctl(p.server, FIONREAD, &n));
    NOTE("FIONREAD", "%d", n);
    SAY_RECV(p.server, 2, MSG_PEEK);
    SAY_RECV(p.server, 10, MSG_PEEK);
    SAY_RECV(p.server, 0, 0);
    SAY_RECV(p.server, 2, 0);
    SAY_RECV(p.server, 10, 0);
    SAY_RECV(p.server, 10, MSG_DONTWAIT);
    SAY_RECV(p.server, 0, MSG_DONTWAIT);
    SAY(sys.send(p.client, "x", 0, 0));
    settle();
    SAY_EVENTS(p.server);
    settle();
    SAY(sys.ioctl(p.client, SIOCOUTQ, &n));
    NOTE("SIOCOUTQ", "%d", n);
    SAY(sys.write(p.server, "back", 4));
    await(p.client, POLLIN);
    SAY(sys.recv(p.client, NULL, 0, 0));
    SAY_RECV(p.client, 3, MSG_TRUNC);
    SAY_RECV(p.client, 3, 0);
    SAY(sys.sendto(p.client, "to", 2, 0, NULL, 5));
    SAY_RECV(p.client, 3, MSG_DONTWAIT | MSG_ERRQUEUE);
}

static void names_of_receives(void)
{
    struct pair p = tcp_pair(AF_INET);
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    char buffer[8], control[64];
    struct iovec iov = { buffer, sizeof(buffer) };
    struct msghdr msg = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov,
                          .msg_iovlen = 1, .msg_control = control,
                          .msg_controllen = sizeof(control), .msg_flags = -1 };
    struct address a = address_at(p.listening, AF_INET);

    SAY(sys.sendto(p.client, "abcdef", 6, 0, ADDR(a)));
    await(p.server, POLLIN);
    memset(&from, 0x55, sizeof(from));
    SAY(sys.recvfrom(p.server, buffer, 2, 0, (void *)&from, &len));
    NOTE("from", "%u %d", len, ((char *)&from)[0] == 0x55);
    SAY(sys.recvmsg(p.server, &msg, 0));
    NOTE("msg", "name %u control %zu flags %#x", msg.msg_namelen, msg.msg_controllen, msg.msg_flags);
}

static void flags_of_receives(void)
{
    struct pair p = tcp_pair(AF_INET);
    struct timeval limit = { .tv_usec = 60000 };

    sys.send(p.client, "abcdef", 6, 0);
    await(p.server, POLLIN);
    SAY_RECV(p.server, 6, MSG_WAITALL);
    sys.send(p.client, "abc", 3, 0);
    await(p.server, POLLIN);
    SAY_RECV(p.server, 6, MSG_WAITALL | MSG_DONTWAIT);
    sys.setsockopt(p.server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    SAY_RECV(p.server, 6, 0);
    sys.send(p.client, "xyz", 3, 0);
    SAY_RECV(p.server, 6, MSG_WAITALL);
    sys.send(p.client, "123", 3, 0);
    await(p.server, POLLIN);
    SAY_RECV(p.server, 6, MSG_WAITALL | MSG_PEEK);
    sys.shutdown(p.client, SHUT_WR);
    SAY_RECV(p.server, 6, MSG_WAITALL);
    SAY_RECV(p.server, 6, MSG_WAITALL);
    SAY_RECV(p.server, 6, MSG_OOB);
}

/* Whether "three" is still held back after so long; once more when this thread was put aside meanwhile. */
static bool is_held_for(int from, int to, int flags, unsigned ms)
{
    char bytes[16];

    for (int i = 0; i < 50; i++) {
        uint64_t start = now_ms();
        bool held;

        sys.send(from, "three", 5, flags);
        usleep(ms * 1000);
        held = sys.recv(to, bytes, sizeof(bytes), MSG_DONTWAIT) < 0;
        if (now_ms() - start < 2 * ms)
            return held;
        if (held && await(to, POLLIN))
            sys.recv(to, bytes, sizeof(bytes), 0);
    }
    return false;
}

static void more(void)
{
    struct pair p = tcp_pair(AF_INET);

    SAY(sys.send(p.client, "one", 3, MSG_MORE));
    SAY(sys.send(p.client, "two", 3, 0));
    await(p.server, POLLIN);
    settle();
    SAY_RECV(p.server, 10, 0);
    NOTE("held", "%d", is_held_for(p.client, p.server, MSG_MORE, 75));
    SAY(sys.shutdown(p.client, SHUT_WR));
    await(p.server, POLLIN);
    SAY_RECV(p.server, 10, 0);
}

/* The 200 ms of what is held back now, not of what was held back before it. */
static void more_again(void)
{
    struct pair p = tcp_pair(AF_INET);

    SAY(sys.send(p.client, "one", 3, MSG_MORE));
    SAY(sys.send(p.client, "two", 3, 0));
    await(p.server, POLLIN);
    usleep(150000);
    SAY_RECV(p.server, 10, 0);
    NOTE("held", "%d", is_held_for(p.client, p.server, MSG_MORE, 75));
    SAY(sys.shutdown(p.client, SHUT_WR));
    await(p.server, POLLIN);
    SAY_RECV(p.server, 10, 0);
}

static void corked(void)
{
    struct pair p = tcp_pair(AF_INET);

    SAY(set_int(p.client, IPPROTO_TCP, TCP_CORK, 1));
    NOTE("held", "%d", is_held_for(p.client, p.server, 0, 75));
    SAY(set_int(p.client, IPPROTO_TCP, TCP_CORK, 0));
    await(p.server, POLLIN);
    SAY_RECV(p.server, 10, 0);
}

static void vectors(void)
{
    struct pair p = tcp_pair(AF_INET);
    static struct iovec many[1100];
    static char bytes[1100];
    char a[3], b[4], c[8];
    struct iovec in[4] = { { a, 3 }, { NULL, 0 }, { b, 4 }, { c, 8 } };
    struct iovec out[3] = { { "he", 2 }, { NULL, 0 }, { "llo world", 9 } };
    struct msghdr msg = { .msg_iov = many, .msg_iovlen = 1025 };

    SAY(sys.writev(p.client, out, 3));
    await(p.server, POLLIN);
    SAY(sys.readv(p.server, in, 4));
    NOTE("parts", "%.3s|%.4s|%.4s", a, b, c);
    SAY(sys.writev(p.client, out, 0));
    SAY(sys.writev(p.client, out, -1));
    SAY(sys.readv(p.server, in, -1));
    SAY(sys.readv(p.server, in, 0));
    for (int i = 0; i < 1100; i++)
        many[i] = (struct iovec){ bytes + i, 1 };
    memset(bytes, 'm', sizeof(bytes));
    SAY(sys.writev(p.client, many, 1025));
    SAY(sys.readv(p.server, many, 1025));
    SAY(sys.sendmsg(p.client, &msg, 0));
    SAY(sys.recvmsg(p.server, &msg, 0));
    SAY(sys.writev(p.client, many, 1024));
    await(p.server, POLLIN);
    settle();
    SAY(sys.readv(p.server, many, 1024));
    msg.msg_iovlen = 0;
    SAY(sys.sendmsg(p.client, &msg, 0));
    nonblocking(p.server);
    SAY(sys.recvmsg(p.server, &msg, 0));
    out[0].iov_len = (size_t)-1;
    SAY(sys.writev(p.client, out, 3));
    msg.msg_iov = out;
    msg.msg_iovlen = 3;
    SAY(sys.sendmsg(p.client, &msg, 0));
    SAY_RECV(p.server, 10, 0);
}

static void many_messages(void)
{
    struct pair p = tcp_pair(AF_INET);
    char a[4], b[4];
    struct iovec in[2] = { { a, 4 }, { b, 4 } };
    struct iovec out[2] = { { "one", 3 }, { "two", 3 } };
    struct mmsghdr sent[2] = { { .msg_hdr = { .msg_iov = &out[0], .msg_iovlen = 1 } },
                               { .msg_hdr = { .msg_iov = &out[1], .msg_iovlen = 1 } } };
    struct mmsghdr got[2] = { { .msg_hdr = { .msg_iov = &in[0], .msg_iovlen = 1 } },
                              { .msg_hdr = { .msg_iov = &in[1], .msg_iovlen = 1 } } };

    SAY(sys.sendmmsg(p.client, sent, 2, 0));
    NOTE("sent", "%u %u", sent[0].msg_len, sent[1].msg_len);
    settle();
    SAY(sys.recvmmsg(p.server, got, 2, MSG_DONTWAIT, NULL));
    NOTE("got", "%u %u", got[0].msg_len, got[1].msg_len);
    SAY(sys.recvmmsg(p.server, got, 2, MSG_DONTWAIT, NULL));
    SAY(sys.recvmmsg(p.server, got, 0, MSG_DONTWAIT, NULL));
    SAY(sys.sendmmsg(p.client, sent, 0, 0));
}

static void after_shutdown(int how)
{
    struct pair p = tcp_pair(AF_INET);
    int n = -1;

    sys.send(p.server, "left", 4, 0);
    await(p.client, POLLIN);
    SAY(sys.shutdown(p.client, how));
    settle();
    SAY_EVENTS(p.client);
    SAY_EVENTS(p.server);
    SAY_RECV(p.client, 10, MSG_DONTWAIT);
    SAY_RECV(p.client, 10, MSG_DONTWAIT);
    SAY(sys.send(p.client, "a", 1, 0));
    SAY(sys.send(p.client, "a", 1, MSG_NOSIGNAL));
    SAY(sys.send(p.client, "a", 0, 0));
    settle();
    SAY_RECV(p.server, 10, MSG_DONTWAIT);
    SAY_RECV(p.server, 0, MSG_DONTWAIT);
    SAY(sys.send(p.server, "late", 4, 0));
    settle();
    SAY_EVENTS(p.client);
    SAY(sys.ioctl(p.client, FIONREAD, &n));
    NOTE("FIONREAD", "%d", n);
    SAY_RECV(p.client, 10, MSG_DONTWAIT);
    SAY_RECV(p.client, 10, MSG_DONTWAIT);
    SAY(sys.shutdown(p.client, how));
    SAY(sys.shutdown(p.client, SHUT_RDWR));
    settle();
    SAY_EVENTS(p.client);
    SAY(sys.shutdown(p.server, SHUT_RDWR));
    settle();
    SAY_EVENTS(p.client);
    SAY_EVENTS(p.server);
    SAY(sys.shutdown(p.client, SHUT_WR));
    SAY(sys.shutdown(p.server, SHUT_WR));
    SAY_OPTION(p.client, SOL_SOCKET, SO_ERROR);
    SAY_OPTION(p.server, SOL_SOCKET, SO_ERROR);
}
static void shutdown_read(void) { after_shutdown(SHUT_RD); }
static void shutdown_write(void) { after_shutdown(SHUT_WR); }
static void shutdown_both(void) { after_shutdown(SHUT_RDWR); }

/* What arrives with a time to live of less than that is not seen, of strangers and of the peer. */
static void least_ttl_of(int family, int level, int least, int own)
{
    int listening = bound(family, SOCK_STREAM, HOST), fd, got;
    struct address a = address_at(listening, family);

    SAY(set_int(listening, level, least, 256));
    SAY(set_int(listening, level, least, 100));
    SAY_OPTION(listening, level, least);
    SAY(sys.listen(listening, 4));
    fd = sys.socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SAY(sys.connect(fd, ADDR(a)));
    settle();
    settle();
    SAY_EVENTS(fd);
    SAY(sys.close(fd));
    fd = sys.socket(family, SOCK_STREAM, 0);
    SAY(set_int(fd, level, own, 100));
    SAY(sys.connect(fd, ADDR(a)));
    await(listening, POLLIN);
    got = SAY_FD(sys.accept4(listening, NULL, NULL, SOCK_NONBLOCK));
    SAY_OPTION(got, level, least);
    sys.send(fd, "a", 1, 0);
    await(got, POLLIN);
    SAY_RECV(got, 1, 0);
    SAY(set_int(fd, level, own, 99));
    sys.send(fd, "b", 1, 0);
    settle();
    settle();
    SAY_EVENTS(got);
    SAY(set_int(fd, level, own, 200)); /* it is sent again */
    await(got, POLLIN);
    SAY_RECV(got, 1, 0);
}

static void least_ttl(void)
{
    section("IPv4");
    least_ttl_of(AF_INET, IPPROTO_IP, IP_MINTTL, IP_TTL);
    section("IPv6");
    least_ttl_of(AF_INET6, IPPROTO_IPV6, IPV6_MINHOPCOUNT, IPV6_UNICAST_HOPS);
}

const struct scenario scenarios[] = {
    SCENARIO(unconnected), SCENARIO(plain_data), SCENARIO(names_of_receives),
    SCENARIO(flags_of_receives), SCENARIO(more), SCENARIO(more_again), SCENARIO(corked), SCENARIO(vectors),
    SCENARIO(many_messages), SCENARIO(shutdown_read), SCENARIO(shutdown_write),
    SCENARIO(shutdown_both), SCENARIO(least_ttl), { 0 },
};
