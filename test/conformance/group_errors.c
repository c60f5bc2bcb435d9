/* SPDX-License-Identifier: Apache-2.0 */
/* The error queue of UDP sockets (ip(7), IP_RECVERR), and which errors come without it. */
#include "harness.h"

#include <linux/errqueue.h>

const char group_name[] = "errors";

static void say_error(const struct cmsghdr *c)
{
    const struct sock_extended_err *e = (const void *)CMSG_DATA(c);
    struct sockaddr_storage offender = { 0 };

    memcpy(&offender, SO_EE_OFFENDER(e), c->cmsg_len - CMSG_LEN(0) - sizeof(*e));
    NOTE("error", "%s origin %u type %u code %u info %u by %s", error_name((int)e->ee_errno), e->ee_origin,
         e->ee_type, e->ee_code, e->ee_info, address_name(&offender));
}

/* recvmsg(MSG_ERRQUEUE) into so many bytes and so much room for messages. */
static void say_queue(int fd, size_t bytes, size_t room, int flags)
{
    char data[256] = "";
    struct sockaddr_storage to = { 0 };
    _Alignas(struct cmsghdr) uint8_t control[256];
    struct iovec iov = { data, bytes };
    struct msghdr msg = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1,
                          .msg_control = control, .msg_controllen = room };

    if (SAY(sys.recvmsg(fd, &msg, MSG_ERRQUEUE | flags)) < 0)
        return;
    NOTE("message", "\"%.20s\" to %s (%u) flags %#x", data, address_name(&to), msg.msg_namelen, msg.msg_flags);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        NOTE("ancillary", "%d/%d (%zu)", c->cmsg_level, c->cmsg_type, c->cmsg_len);
        if (c->cmsg_level != SOL_SOCKET && c->cmsg_len >= CMSG_LEN(sizeof(struct sock_extended_err)))
            say_error(c);
    }
}

/* A port where nobody is. */
static struct address nobody(int family)
{
    int gone = bound(family, SOCK_DGRAM, family == AF_INET6 ? HOST : HOST);
    struct address to = address_at(gone, family);

    sys.close(gone);
    return to;
}

static void queue(int family, int level, int option, bool connected)
{
    struct address to = nobody(family);
    int fd = sys.socket(family, SOCK_DGRAM, 0), ep = sys.epoll_create1(0);
    struct epoll_event event = { .events = EPOLLET, .data.u64 = 1 };

    SAY(set_int(fd, level, option, 1));
    SAY_OPTION(fd, level, option);
    sys.epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
    SAY_EPOLL(ep, 0);
    say_queue(fd, 100, 256, 0);
    if (connected)
        SAY(sys.connect(fd, ADDR(to)));
    SAY(sys.sendto(fd, "first", 5, 0, ADDR(to)));
    await(fd, POLLERR);
    SAY_EVENTS(fd);
    SAY_EPOLL(ep, 3000);
    say_queue(fd, 100, 256, MSG_PEEK);
    SAY_EVENTS(fd);
    SAY_OPTION(fd, SOL_SOCKET, SO_ERROR);
    SAY(sys.sendto(fd, "first", 5, 0, ADDR(to)));
    await(fd, POLLERR);
    SAY_RECV(fd, 10, MSG_DONTWAIT); /* takes the error, leaves the queue */
    SAY_EVENTS(fd);
    SAY(sys.sendto(fd, "second", 6, 0, ADDR(to)));
    settle();
    SAY(sys.sendto(fd, "third", 5, 0, ADDR(to)));
    settle();
    say_queue(fd, 3, 256, 0);
    SAY_OPTION(fd, SOL_SOCKET, SO_ERROR);
    SAY_EVENTS(fd);
    say_queue(fd, 100, 40, 0);
    SAY_EVENTS(fd);
    SAY(sys.sendto(fd, "fourth", 6, 0, ADDR(to)));
    settle();
    SAY(set_int(fd, level, option, 0)); /* forgets what waits */
    SAY_EVENTS(fd);
    say_queue(fd, 100, 256, 0);
}
static void queue_4(void) { queue(AF_INET, IPPROTO_IP, IP_RECVERR, false); }
static void queue_4_connected(void) { queue(AF_INET, IPPROTO_IP, IP_RECVERR, true); }
static void queue_6(void) { queue(AF_INET6, IPPROTO_IPV6, IPV6_RECVERR, false); }
static void queue_6_connected(void) { queue(AF_INET6, IPPROTO_IPV6, IPV6_RECVERR, true); }

static void queue_mapped(void)
{
    struct address to = nobody(AF_INET);
    int fd = sys.socket(AF_INET6, SOCK_DGRAM, 0);

    SAY(set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1)); /* not of IPv4 */
    SAY(sys.sendto(fd, "first", 5, 0, ADDR(to)));
    settle();
    SAY_EVENTS(fd);
    SAY(set_int(fd, IPPROTO_IP, IP_RECVERR, 1));
    SAY(sys.sendto(fd, "second", 6, 0, ADDR(to)));
    await(fd, POLLERR);
    SAY_EVENTS(fd);
    say_queue(fd, 100, 256, 0);
}

static void with_headers_and_time(void)
{
    struct address to = nobody(AF_INET);
    int fd = sys.socket(AF_INET, SOCK_DGRAM, 0);

    set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
    set_int(fd, IPPROTO_IP, IP_RECVTTL, 1);
    set_int(fd, SOL_SOCKET, SO_TIMESTAMP, 1);
    SAY(sys.sendto(fd, "first", 5, 0, ADDR(to)));
    await(fd, POLLERR);
    say_queue(fd, 100, 256, 0);
}

static void long_datagrams(void)
{
    struct address to = nobody(AF_INET);
    int fd = sys.socket(AF_INET, SOCK_DGRAM, 0);
    static char data[1400], got[2000];
    struct iovec iov = { got, sizeof(got) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

    set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
    SAY(sys.sendto(fd, data, sizeof(data), 0, ADDR(to)));
    await(fd, POLLERR);
    SAY(sys.recvmsg(fd, &msg, MSG_ERRQUEUE)); /* as much as the message quotes */
    NOTE("flags", "%#x", msg.msg_flags);
}

static void none_of_streams(void)
{
    struct pair p = tcp_pair(AF_INET);

    SAY(set_int(p.client, IPPROTO_IP, IP_RECVERR, 1));
    say_queue(p.client, 10, 256, 0);
    say_queue(p.client, 10, 256, MSG_DONTWAIT);
}

static void several_before_one_read(void)
{
    struct address to = nobody(AF_INET);
    int fd = sys.socket(AF_INET, SOCK_DGRAM, 0);

    set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
    for (int i = 0; i < 5; i++) {
        sys.sendto(fd, "01234" + i, 1, 0, ADDR(to));
        settle();
        SAY_OPTION(fd, SOL_SOCKET, SO_ERROR);
    }
    for (int i = 0; i < 6; i++)
        say_queue(fd, 10, 256, 0);
}

const struct scenario scenarios[] = {
    SCENARIO(queue_4), SCENARIO(queue_4_connected), SCENARIO(queue_6), SCENARIO(queue_6_connected),
    SCENARIO(queue_mapped), SCENARIO(with_headers_and_time), SCENARIO(long_datagrams),
    SCENARIO(none_of_streams), SCENARIO(several_before_one_read), { 0 },
};
