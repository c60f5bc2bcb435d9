/* SPDX-License-Identifier: Apache-2.0 */
/* The control messages of a datagram that is sent: source, interface, TTL, type of service; seen on the wire. */
#include "routed.h"

#include <arpa/inet.h>
#include <net/if.h>

const char group_name[] = "control";
const char group_network[] = ROUTED_NETWORK;
const char group_port[] = ROUTED_PORT;

static int far4, far6;

bool group_start(void)
{
    return routed_start();
}

/* Of the link: the kernel's number, or our only port's. */
static int interface(void)
{
    return world.ours ? 2 : (int)if_nametoindex("va");
}

static int far_of(int family)
{
    int *far = family == AF_INET ? &far4 : &far6;

    if (*far <= 0)
        *far = routed_far_bound(family, SOCK_DGRAM, 7000);
    return *far;
}

struct message {
    int level, type;
    size_t bytes; /* of the data; 0: its own size */
    const void *data;
    size_t size;
};

/* Sends 10 bytes with the messages to `to` (NULL: the peer): the result, what left, from where it came. */
static void say_sent(int fd, int family, const struct address *to, const struct message *messages, int count, int flags)
{
    _Alignas(struct cmsghdr) char control[512] = { 0 };
    struct iovec iov = { (char[]){ "0123456789" }, 10 };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
    struct address from = { .len = sizeof(from.storage) };
    size_t used = 0;
    uint64_t until;
    char byte[32];

    for (int i = 0; i < count; i++) {
        struct cmsghdr *c = (struct cmsghdr *)(control + used);

        c->cmsg_level = messages[i].level;
        c->cmsg_type = messages[i].type;
        c->cmsg_len = CMSG_LEN(messages[i].bytes ? messages[i].bytes : messages[i].size);
        memcpy(CMSG_DATA(c), messages[i].data, messages[i].size);
        used += CMSG_SPACE(messages[i].bytes ? messages[i].bytes : messages[i].size);
    }
    msg.msg_controllen = used;
    if (to) {
        msg.msg_name = (void *)(uintptr_t)&to->any;
        msg.msg_namelen = to->len;
    }
    while (recv(far_of(family), byte, sizeof(byte), MSG_DONTWAIT) >= 0)
        continue;
    routed_forget();
    if (SAY(sys.sendmsg(fd, &msg, flags)) < 0 || (flags & MSG_MORE))
        return;
    NOTE("left", "%s", routed_packet(family, IPPROTO_UDP));
    for (until = now_ms() + 2000; now_ms() < until; usleep(500)) {
        if (recvfrom(far_of(family), byte, sizeof(byte), MSG_DONTWAIT, &from.any, &from.len) >= 0) {
            char text[64] = "";

            inet_ntop(family, family == AF_INET ? (void *)&from.in.sin_addr : (void *)&from.in6.sin6_addr, text,
                      sizeof(text));
            NOTE("from", "%s", text);
            return;
        }
    }
    NOTE("from", "nobody");
}

static int speaker(int family, int to_family)
{
    struct address to = routed_far(to_family, 10, 7000);
    int fd = sys.socket(family, SOCK_DGRAM, 0);

    far_of(to_family);
    if (family == to_family)
        SAY(sys.connect(fd, ADDR(to)));
    return fd;
}

#define MESSAGE(level, type, value) { level, type, 0, &(value), sizeof(value) }
/* One message, to the peer. */
#define ONE(level, type, value) say_sent(fd, family, NULL, &(struct message)MESSAGE(level, type, value), 1, 0)
/* The same with another length than the value has. */
#define CUT(level, type, value, length) \
    say_sent(fd, family, NULL, \
             &(struct message){ level, type, length, &(value), length < sizeof(value) ? length : sizeof(value) }, 1, 0)

static void numbers(int family, int level, int ttl, int tos)
{
    static const int tried[] = { -2, -1, 0, 1, 7, 255, 256 };
    int fd = speaker(family, family);
    uint8_t byte = 0x28;
    int number = 9;

    for (size_t i = 0; i < sizeof(tried) / sizeof(tried[0]); i++) {
        section("ttl");
        if (tried[i] != 0 || family == AF_INET) /* it would not pass the router */
            ONE(level, ttl, tried[i]);
        section("tos");
        ONE(level, tos, tried[i]);
    }
    section("length");
    CUT(level, ttl, number, 2);
    CUT(level, ttl, number, 8);
    CUT(level, tos, number, 2);
    CUT(level, tos, number, 8);
    ONE(level, tos, byte);
    section("after them");
    SAY(set_int(fd, level, family == AF_INET ? IP_TTL : IPV6_UNICAST_HOPS, 33));
    SAY(set_int(fd, level, tos, 0x48));
    say_sent(fd, family, NULL, NULL, 0, 0);
    ONE(level, ttl, number);
    ONE(level, tos, number);
    section("both");
    say_sent(fd, family, NULL, (struct message[]){ MESSAGE(level, ttl, number), MESSAGE(level, tos, number) }, 2, 0);
    say_sent(fd, family, NULL, (struct message[]){ MESSAGE(level, ttl, number), MESSAGE(level, 200, number) }, 2, 0);
    section("of another level");
    ONE(family == AF_INET ? IPPROTO_IPV6 : IPPROTO_IP, family == AF_INET ? IPV6_HOPLIMIT : IP_TTL, number);
    ONE(SOL_SOCKET, 200, number);
    ONE(IPPROTO_TCP, 1, number);
    ONE(IPPROTO_UDP, 1, number);
    section("in pieces");
    say_sent(fd, family, NULL, &(struct message)MESSAGE(level, ttl, number), 1, MSG_MORE);
    say_sent(fd, family, NULL, NULL, 0, 0);
    section("next");
    say_sent(fd, family, NULL, NULL, 0, 0);
}

static void numbers_4(void) { numbers(AF_INET, IPPROTO_IP, IP_TTL, IP_TOS); }
static void numbers_6(void) { numbers(AF_INET6, IPPROTO_IPV6, IPV6_HOPLIMIT, IPV6_TCLASS); }

static void source_4(void)
{
    static const char *const tried[] = { "0.0.0.0", "10.0.0.1", "10.0.0.5", "10.0.0.6", "10.1.0.10", "224.0.0.1",
                                         "255.255.255.255", "0.0.0.1" };
    int family = AF_INET, fd = speaker(family, family);
    struct address to = routed_far(family, 11, 7000);
    struct in_pktinfo info = { 0 };

    for (size_t i = 0; i < sizeof(tried) / sizeof(tried[0]); i++) {
        section(tried[i]);
        inet_pton(AF_INET, tried[i], &info.ipi_spec_dst);
        info.ipi_ifindex = 0;
        ONE(IPPROTO_IP, IP_PKTINFO, info);
        info.ipi_ifindex = interface();
        ONE(IPPROTO_IP, IP_PKTINFO, info);
        info.ipi_ifindex = 77;
        ONE(IPPROTO_IP, IP_PKTINFO, info);
    }
    section("length");
    CUT(IPPROTO_IP, IP_PKTINFO, info, 8);
    section("bound");
    fd = sys.socket(family, SOCK_DGRAM, 0);
    info.ipi_ifindex = 0;
    inet_pton(AF_INET, "10.0.0.1", &to.in.sin_addr);
    to.in.sin_port = 0;
    SAY(sys.bind(fd, ADDR(to)));
    to = routed_far(family, 11, 7000);
    inet_pton(AF_INET, "10.0.0.5", &info.ipi_spec_dst);
    say_sent(fd, family, &to, &(struct message)MESSAGE(IPPROTO_IP, IP_PKTINFO, info), 1, 0);
    say_sent(fd, family, &to, NULL, 0, 0);
    section("any address of others");
    SAY(set_int(fd, IPPROTO_IP, IP_FREEBIND, 1));
    inet_pton(AF_INET, "10.0.0.9", &info.ipi_spec_dst);
    say_sent(fd, family, &to, &(struct message)MESSAGE(IPPROTO_IP, IP_PKTINFO, info), 1, 0);
}

static void source_6(void)
{
    static const char *const tried[] = { "::", "fd00::1", "fd00::5", "fd00::6", "fe80::99", "ff02::1", "::1" };
    int family = AF_INET6, fd = speaker(family, family);
    struct in6_pktinfo info = { .ipi6_ifindex = 0 };

    for (size_t i = 0; i < sizeof(tried) / sizeof(tried[0]); i++) {
        section(tried[i]);
        inet_pton(AF_INET6, tried[i], &info.ipi6_addr);
        info.ipi6_ifindex = 0;
        if (i < 6) /* ::1 is discarded on the way, here and there in other places */
            ONE(IPPROTO_IPV6, IPV6_PKTINFO, info);
        info.ipi6_ifindex = (unsigned)interface();
        if (i < 6)
            ONE(IPPROTO_IPV6, IPV6_PKTINFO, info);
        info.ipi6_ifindex = 77;
        ONE(IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
    section("length");
    CUT(IPPROTO_IPV6, IPV6_PKTINFO, info, 16);
    section("don't cut");
    for (int value = -1; value < 3; value++)
        ONE(IPPROTO_IPV6, IPV6_DONTFRAG, value);
}

/* An IPv6 socket that speaks IPv4 takes IPv4's messages, and IPv6's source. */
static void mapped(void)
{
    int family = AF_INET, fd = speaker(AF_INET6, family), number = 9;
    struct address to = { .len = sizeof(to.in6), .in6 = { .sin6_family = AF_INET6, .sin6_port = htons(7000) } };
    struct in6_pktinfo info = { .ipi6_ifindex = 0 };
    struct in_pktinfo info4 = { .ipi_ifindex = 0 };

    inet_pton(AF_INET6, "::ffff:10.1.0.10", &to.in6.sin6_addr);
    SAY(sys.connect(fd, ADDR(to)));
    ONE(IPPROTO_IP, IP_TTL, number);
    ONE(IPPROTO_IPV6, IPV6_HOPLIMIT, number);
    inet_pton(AF_INET, "10.0.0.5", &info4.ipi_spec_dst);
    ONE(IPPROTO_IP, IP_PKTINFO, info4);
    inet_pton(AF_INET6, "::ffff:10.0.0.5", &info.ipi6_addr);
    ONE(IPPROTO_IPV6, IPV6_PKTINFO, info);
    inet_pton(AF_INET6, "fd00::5", &info.ipi6_addr);
    ONE(IPPROTO_IPV6, IPV6_PKTINFO, info);
}

const struct scenario scenarios[] = { SCENARIO(numbers_4), SCENARIO(numbers_6), SCENARIO(source_4),
                                      SCENARIO(source_6),  SCENARIO(mapped),    { 0 } };
