/* SPDX-License-Identifier: Apache-2.0 */
/* UDP: states, names, boundaries, errors. */
#include <linux/sockios.h>

#include "harness.h"

const char group_name[] = "udp";

static void unconnected(void)
{
    int fd = sys.socket(AF_INET, SOCK_DGRAM, 0), n = -1;
    struct address a;

    SAY_EVENTS(fd);
    SAY_NAMES(fd);
    SAY(sys.send(fd, "x", 1, 0));
    SAY(sys.write(fd, "x", 1));
    SAY_RECV(fd, 1, MSG_DONTWAIT);
    SAY(sys.ioctl(fd, FIONREAD, &n));
    NOTE("FIONREAD", "%d", n);
    SAY(sys.shutdown(fd, SHUT_RDWR));
    SAY_EVENTS(fd);
    a = address_of(AF_INET, HOST, 0);
    SAY(sys.sendto(fd, "x", 1, 0, ADDR(a)));
    a = address_of(AF_INET, HOST, 9);
    SAY(sys.sendto(fd, "x", 1, 0, &a.any, 1));
    SAY(sys.sendto(fd, "x", 1, 0, &a.any, 15));
    a.any.sa_family = AF_UNIX;
    SAY(sys.sendto(fd, "x", 1, 0, ADDR(a)));
}

static void exchange(int family)
{
    int server = bound(family, SOCK_DGRAM, HOST), client = sys.socket(family, SOCK_DGRAM, 0), n = -1;
    struct address to = address_at(server, family);
    struct sockaddr_storage from = { 0 };
    socklen_t len = sizeof(from);
    char buffer[16];

    SAY(sys.sendto(client, "hello", 5, 0, ADDR(to)));
    SAY_NAMES(client);
    await(server, POLLIN);
    SAY_EVENTS(server);
    SAY(sys.ioctl(server, FIONREAD, &n));
    NOTE("FIONREAD", "%d", n);
    SAY(sys.recvfrom(server, buffer, 3, MSG_PEEK, (void *)&from, &len));
    SAY(sys.recvfrom(server, buffer, 3, MSG_PEEK | MSG_TRUNC, NULL, NULL));
    SAY(sys.recvfrom(server, buffer, 3, 0, (void *)&from, &len));
    NOTE("from", "%s (%u) \"%.3s\"", address_name(&from), len, buffer);
    SAY_RECV(server, 3, MSG_DONTWAIT);
    SAY(sys.sendto(server, "back", 4, 0, (void *)&from, len));
    await(client, POLLIN);
    SAY_RECV(client, 10, 0);
    SAY(sys.sendto(client, "", 0, 0, ADDR(to)));
    await(server, POLLIN);
    SAY_EVENTS(server);
    SAY(sys.ioctl(server, FIONREAD, &n));
    NOTE("FIONREAD", "%d", n);
    len = 4;
    SAY(sys.recvfrom(server, buffer, 3, 0, (void *)&from, &len));
    NOTE("short name", "%u", len);
    SAY_EVENTS(server);
}
static void exchange_4(void) { exchange(AF_INET); }
static void exchange_6(void) { exchange(AF_INET6); }

static void zero_reads(void)
{
    struct pair p = udp_pair(AF_INET);
    struct sockaddr_in from;
    socklen_t len = sizeof(from);

    SAY_RECV(p.server, 0, MSG_DONTWAIT);
    sys.send(p.client, "gone", 4, 0);
    await(p.server, POLLIN);
    SAY(sys.read(p.server, NULL, 0));
    SAY_RECV(p.server, 0, 0);
    SAY_RECV(p.server, 4, MSG_DONTWAIT);
    SAY(sys.recvfrom(p.server, NULL, 0, MSG_DONTWAIT, (void *)&from, &len));
}

static void mapped(void)
{
    int server = bound(AF_INET, SOCK_DGRAM, HOST), client = sys.socket(AF_INET6, SOCK_DGRAM, 0);
    int only = sys.socket(AF_INET6, SOCK_DGRAM, 0);
    struct address to = address_of(AF_INET6, MAPPED_HOST, port_of(server));
    struct address four = address_of(AF_INET, HOST, port_of(server));
    struct sockaddr_storage from = { 0 };
    socklen_t len = sizeof(from);
    char buffer[8];

    SAY(sys.sendto(client, "m", 1, 0, ADDR(to)));
    SAY_NAMES(client);
    await(server, POLLIN);
    SAY(sys.recvfrom(server, buffer, 8, 0, (void *)&from, &len));
    NOTE("from", "%s", address_name(&from));
    SAY(sys.sendto(server, "r", 1, 0, (void *)&from, len));
    await(client, POLLIN);
    len = sizeof(from);
    SAY(sys.recvfrom(client, buffer, 8, 0, (void *)&from, &len));
    NOTE("from", "%s (%u)", address_name(&from), len);
    SAY(sys.sendto(client, "4", 1, 0, ADDR(four)));
    SAY(sys.connect(client, ADDR(to)));
    SAY_NAMES(client);
    set_int(only, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    SAY(sys.sendto(only, "m", 1, 0, ADDR(to)));
    SAY(sys.connect(only, ADDR(to)));
}

static void connecting(void)
{
    int server = bound(AF_INET, SOCK_DGRAM, HOST), other = bound(AF_INET, SOCK_DGRAM, HOST);
    int client = sys.socket(AF_INET, SOCK_DGRAM, 0), named = bound(AF_INET, SOCK_DGRAM, ANY);
    struct address to = address_at(server, AF_INET), second = address_at(other, AF_INET), back;
    struct sockaddr unspec = { .sa_family = AF_UNSPEC };

    SAY(sys.connect(client, ADDR(to)));
    SAY_NAMES(client);
    SAY(sys.send(client, "x", 1, 0));
    SAY(sys.sendto(client, "y", 1, 0, ADDR(second)));
    await(server, POLLIN);
    SAY_RECV(server, 4, 0);
    await(other, POLLIN);
    SAY_RECV(other, 4, 0);
    /* What others send is not for it. */
    back = address_of(AF_INET, OTHER, port_of(client));
    if (!world.ours)
        back = address_of(AF_INET, HOST, port_of(client));
    SAY(sys.sendto(other, "no", 2, 0, ADDR(back)));
    SAY(sys.sendto(server, "yes", 3, 0, ADDR(back)));
    await(client, POLLIN);
    settle();
    SAY_RECV(client, 4, MSG_DONTWAIT);
    SAY_RECV(client, 4, MSG_DONTWAIT);
    SAY(sys.connect(client, ADDR(second)));
    SAY_NAMES(client);
    SAY(sys.connect(client, &unspec, sizeof(unspec)));
    SAY_NAMES(client);
    SAY(sys.send(client, "x", 1, 0));
    SAY(sys.connect(client, &unspec, sizeof(unspec)));
    SAY(sys.connect(named, ADDR(to)));
    SAY_NAMES(named);
    SAY(sys.connect(named, &unspec, sizeof(unspec)));
    SAY_NAMES(named);
    SAY(sys.connect(named, &to.any, 8));
    to.any.sa_family = AF_UNIX;
    SAY(sys.connect(named, ADDR(to)));
    to = address_of(AF_INET, HOST, 0);
    SAY(sys.connect(named, ADDR(to)));
    SAY_NAMES(named);
}

static void shut(int how)
{
    struct pair p = udp_pair(AF_INET);

    sys.send(p.server, "queued", 6, 0);
    await(p.client, POLLIN);
    SAY(sys.shutdown(p.client, how));
    SAY_EVENTS(p.client);
    SAY(sys.send(p.client, "x", 1, 0));
    SAY(sys.send(p.client, "", 0, 0));
    SAY_RECV(p.client, 10, MSG_DONTWAIT);
    SAY_RECV(p.client, 10, MSG_DONTWAIT);
    sys.send(p.server, "later", 5, 0);
    settle();
    SAY_EVENTS(p.client);
    SAY_RECV(p.client, 10, MSG_DONTWAIT);
    SAY_NAMES(p.client);
    SAY(sys.shutdown(p.client, 9));
}
static void shutdown_read(void) { shut(SHUT_RD); }
static void shutdown_write(void) { shut(SHUT_WR); }
static void shutdown_both(void) { shut(SHUT_RDWR); }

static void refused_seen_by(int how)
{
    struct pair p = udp_pair(AF_INET);

    sys.close(p.server);
    SAY(sys.send(p.client, "x", 1, 0));
    await(p.client, POLLERR);
    SAY_EVENTS(p.client);
    switch (how) {
    case 0: SAY_RECV(p.client, 1, MSG_DONTWAIT); break;
    case 1: SAY(sys.send(p.client, "x", 1, 0)); break;
    case 2: SAY_OPTION(p.client, SOL_SOCKET, SO_ERROR); break;
    }
    SAY_RECV(p.client, 1, MSG_DONTWAIT);
}
static void refused_by_recv(void) { refused_seen_by(0); }
static void refused_by_send(void) { refused_seen_by(1); }
static void refused_by_so_error(void) { refused_seen_by(2); }

static void refused_6(void)
{
    struct pair p = udp_pair(AF_INET6);

    sys.close(p.server);
    SAY(sys.send(p.client, "x", 1, 0));
    await(p.client, POLLERR);
    SAY_EVENTS(p.client);
    SAY_RECV(p.client, 1, MSG_DONTWAIT);
}

static void refused_unconnected(void)
{
    int gone = bound(AF_INET, SOCK_DGRAM, HOST), fd = sys.socket(AF_INET, SOCK_DGRAM, 0);
    struct address to = address_at(gone, AF_INET);

    sys.close(gone);
    SAY(sys.sendto(fd, "x", 1, 0, ADDR(to)));
    settle();
    SAY_EVENTS(fd);
    SAY_RECV(fd, 1, MSG_DONTWAIT);
}

static void sizes(void)
{
    struct pair p = udp_pair(AF_INET);
    static char data[66000];
    char got[10];
    struct iovec parts[3] = { { got, 4 }, { NULL, 0 }, { got + 4, 4 } };
    struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 3 };

    SAY(sys.send(p.client, data, 65508, 0));
    SAY(sys.send(p.client, data, 66000, 0));
    SAY(sys.send(p.client, data, 65507, 0));
    await(p.server, POLLIN);
    SAY(sys.recv(p.server, data, sizeof(data), 0));
    sys.send(p.client, "0123456789", 10, 0);
    await(p.server, POLLIN);
    SAY(sys.recvmsg(p.server, &msg, MSG_PEEK));
    NOTE("flags", "%#x", msg.msg_flags);
    SAY(sys.recvmsg(p.server, &msg, MSG_TRUNC));
    NOTE("flags", "%#x \"%.8s\"", msg.msg_flags, got);
    sys.send(p.client, "01234567", 8, 0);
    await(p.server, POLLIN);
    SAY(sys.recvmsg(p.server, &msg, MSG_TRUNC));
    NOTE("flags", "%#x", msg.msg_flags);
    SAY(sys.sendmsg(p.client, &msg, 0));
    msg.msg_iovlen = 0;
    SAY(sys.sendmsg(p.client, &msg, 0));
    await(p.server, POLLIN);
    settle();
    SAY_RECV(p.server, 20, MSG_DONTWAIT);
    SAY_RECV(p.server, 20, MSG_DONTWAIT);
    SAY_RECV(p.server, 20, MSG_DONTWAIT);
    SAY_RECV(p.server, 20, MSG_DONTWAIT | MSG_WAITALL);
    SAY_RECV(p.server, 20, MSG_OOB | MSG_DONTWAIT);
    SAY(sys.send(p.client, "x", 1, MSG_OOB));
}

static void more(void)
{
    struct pair p = udp_pair(AF_INET);

    SAY(sys.send(p.client, "one", 3, MSG_MORE));
    settle();
    SAY_RECV(p.server, 20, MSG_DONTWAIT);
    SAY(sys.send(p.client, "two", 3, 0));
    await(p.server, POLLIN);
    SAY_RECV(p.server, 20, MSG_DONTWAIT);
    SAY_RECV(p.server, 20, MSG_DONTWAIT);
}

static void many(void)
{
    struct pair p = udp_pair(AF_INET);
    char a[4], b[4], c[4];
    struct iovec in[3] = { { a, 4 }, { b, 4 }, { c, 4 } };
    struct iovec out[3] = { { "one", 3 }, { "three", 5 }, { "", 0 } };
    struct mmsghdr sent[3] = { 0 }, got[3] = { 0 };

    for (int i = 0; i < 3; i++) {
        sent[i].msg_hdr = (struct msghdr){ .msg_iov = &out[i], .msg_iovlen = 1 };
        got[i].msg_hdr = (struct msghdr){ .msg_iov = &in[i], .msg_iovlen = 1 };
    }
    SAY(sys.sendmmsg(p.client, sent, 3, 0));
    NOTE("sent", "%u %u %u", sent[0].msg_len, sent[1].msg_len, sent[2].msg_len);
    settle();
    SAY(sys.recvmmsg(p.server, got, 2, MSG_WAITFORONE, NULL));
    NOTE("got", "%u %u %#x", got[0].msg_len, got[1].msg_len, got[1].msg_hdr.msg_flags);
    SAY(sys.recvmmsg(p.server, got, 3, MSG_WAITFORONE, NULL));
    NOTE("got", "%u", got[0].msg_len);
    SAY(sys.recvmmsg(p.server, got, 3, MSG_DONTWAIT, NULL));
}

static void timeout(void)
{
    struct pair p = udp_pair(AF_INET);
    struct timeval limit = { .tv_usec = 40000 };
    uint64_t start = now_ms();

    sys.setsockopt(p.server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    SAY_RECV(p.server, 1, 0);
    NOTE("waited", "%d", now_ms() - start >= 35 && now_ms() - start < 1000);
}

static void broadcast(void)
{
    int fd = sys.socket(AF_INET, SOCK_DGRAM, 0);
    struct address to = address_of(AF_INET, HOST, 9);

    to.in.sin_addr.s_addr = INADDR_BROADCAST;
    SAY(sys.sendto(fd, "x", 1, 0, ADDR(to)));
    SAY(sys.connect(fd, ADDR(to)));
}

/* Who has a peer has one address, too, and leaves its port on the others to whoever comes. */
static void port_beside_a_peer(void)
{
    int fd = sys.socket(AF_INET6, SOCK_DGRAM, 0), other = sys.socket(AF_INET6, SOCK_DGRAM, 0);
    struct address peer = address_of(AF_INET6, MAPPED_HOST, 9), a;

    SAY(sys.connect(fd, ADDR(peer)));
    a = address_of(AF_INET6, HOST, port_of(fd));
    SAY(sys.bind(other, ADDR(a)));
    SAY_NAMES(other);

    /* With a port that was asked for it goes back to the wildcard. */
    fd = bound(AF_INET, SOCK_DGRAM, ANY);
    peer = address_of(AF_INET, HOST, 9);
    SAY(sys.connect(fd, ADDR(peer)));
    other = sys.socket(AF_INET, SOCK_DGRAM, 0);
    a = address_of(AF_INET, ANY, port_of(fd));
    SAY(sys.bind(other, ADDR(a)));
}

/* Its peer is an IPv4 one, and so is its address. */
static void mapped_by_its_peer(void)
{
    int fd = sys.socket(AF_INET6, SOCK_DGRAM, 0), six = bound(AF_INET6, SOCK_DGRAM, HOST);
    struct address peer = address_of(AF_INET6, MAPPED_HOST, port_of(six)), to = address_at(six, AF_INET6);
    struct address four = address_of(AF_INET, HOST, port_of(six)), any = address_of(AF_INET6, ANY, port_of(six));
    struct sockaddr unspec = { .sa_family = AF_UNSPEC };
    socklen_t len = sizeof(int);
    int error;

    SAY(sys.connect(fd, ADDR(peer)));
    SAY(sys.sendto(fd, "x", 1, 0, ADDR(to)));
    SAY(sys.connect(fd, ADDR(to)));
    SAY_NAMES(fd);
    SAY(sys.sendto(fd, "x", 1, 0, ADDR(four)));
    settle();
    SAY_OPTION(fd, SOL_SOCKET, SO_ERROR);
    SAY(sys.sendto(fd, "x", 1, 0, ADDR(any))); /* of the host, whichever that is */
    settle();
    sys.getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len); /* if it was this one, it refused */
    SAY(sys.connect(fd, &unspec, sizeof(unspec)));
    SAY(sys.sendto(fd, "x", 1, 0, ADDR(to)));
    await(six, POLLIN);
    SAY_RECV(six, 2, MSG_DONTWAIT);
}

/* It has no port yet, and is watched. */
static void shutdown_is_told(void)
{
    int fd = sys.socket(AF_INET6, SOCK_DGRAM, 0), ep = sys.epoll_create1(0);
    struct epoll_event event = { .events = EPOLLRDHUP | EPOLLET, .data.u64 = 1 };

    sys.epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
    SAY_EPOLL(ep, 0);
    SAY(sys.shutdown(fd, SHUT_RD));
    SAY_EPOLL(ep, 0);
    SAY_EPOLL(ep, 0);
}

const struct scenario scenarios[] = {
    SCENARIO(unconnected), SCENARIO(exchange_4), SCENARIO(exchange_6), SCENARIO(zero_reads),
    SCENARIO(mapped), SCENARIO(connecting), SCENARIO(shutdown_read), SCENARIO(shutdown_write),
    SCENARIO(shutdown_both), SCENARIO(refused_by_recv), SCENARIO(refused_by_send),
    SCENARIO(refused_by_so_error), SCENARIO(refused_6), SCENARIO(refused_unconnected),
    SCENARIO(sizes), SCENARIO(more), SCENARIO(many), SCENARIO(timeout), SCENARIO(broadcast),
    SCENARIO(port_beside_a_peer), SCENARIO(mapped_by_its_peer),
    SCENARIO(shutdown_is_told), { 0 },
};
