/* SPDX-License-Identifier: Apache-2.0 */
/* Nobody answers on the link: who is told what, and when. */
#include <arpa/inet.h>

#include "harness.h"

const char group_name[] = "unreachable";
const char group_network[] =
    "set -e; ip link set lo up; ip link add va type veth peer name vb; ip link set va up; ip link set vb up;"
    "ip addr add 10.0.0.1/24 dev va; ip addr add fd00::1/64 dev va nodad";

static struct address nobody(int family)
{
    struct address a = address_of(family, HOST, 7777);

    if (family == AF_INET)
        inet_pton(AF_INET, "10.0.0.77", &a.in.sin_addr);
    else
        inet_pton(AF_INET6, "fd00::77", &a.in6.sin6_addr);
    return a;
}

static int tries_to_connect(int family)
{
    struct address to = nobody(family);
    int fd = sys.socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);

    SAY(sys.connect(fd, ADDR(to)));
    return fd;
}

/* Connected or not, with the option or (level 0) without. */
static int has_sent(int family, bool connected, int level, int option)
{
    struct address to = nobody(family);
    int fd = sys.socket(family, SOCK_DGRAM, 0);

    if (level)
        set_int(fd, level, option, 1);
    if (connected)
        SAY(sys.connect(fd, ADDR(to)));
    SAY(connected ? sys.send(fd, "lost", 4, 0) : sys.sendto(fd, "lost", 4, 0, ADDR(to)));
    return fd;
}

static void say_queued(int fd)
{
    char data[16] = "";
    struct iovec iov = { data, sizeof(data) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

    SAY(sys.recvmsg(fd, &msg, MSG_ERRQUEUE));
    NOTE("what", "\"%s\"", data);
}

static void no_neighbour(void)
{
    int tcp4 = tries_to_connect(AF_INET), tcp6 = tries_to_connect(AF_INET6);
    int plain = has_sent(AF_INET, false, 0, 0), connected = has_sent(AF_INET, true, 0, 0);
    int asks4 = has_sent(AF_INET, false, IPPROTO_IP, IP_RECVERR);
    int asks6 = has_sent(AF_INET6, true, IPPROTO_IPV6, IPV6_RECVERR);
    uint64_t start = now_ms();

    await(tcp4, POLLOUT);
    NOTE("after seconds", "%d", now_ms() - start > 1500 && now_ms() - start < 4900);
    SAY_EVENTS(tcp4);
    SAY_OPTION(tcp4, SOL_SOCKET, SO_ERROR);
    await(tcp6, POLLOUT);
    SAY_EVENTS(tcp6);
    SAY_OPTION(tcp6, SOL_SOCKET, SO_ERROR);
    await(asks4, POLLERR);
    SAY_EVENTS(asks4);
    say_queued(asks4);
    await(asks6, POLLERR);
    SAY_EVENTS(asks6);
    SAY(sys.send(asks6, "more", 4, 0)); /* told here, and not sent */
    say_queued(asks6);
    SAY_EVENTS(plain);
    SAY_EVENTS(connected);
    SAY_RECV(connected, 1, MSG_DONTWAIT);
}

static void waits_for_nobody(void)
{
    struct address to = nobody(AF_INET);
    int fd = sys.socket(AF_INET, SOCK_STREAM, 0);

    SAY(sys.connect(fd, ADDR(to)));
}

const struct scenario scenarios[] = { SCENARIO(no_neighbour), SCENARIO(waits_for_nobody), { 0 } };
