/* SPDX-License-Identifier: Apache-2.0 */
/* Path MTU discovery: a router whose links bear less than ours tells it, and both worlds draw the same from it. */
#include "routed.h"

#include <linux/errqueue.h>

const char group_name[] = "path";
const char group_network[] = ROUTED_NETWORK;
const char group_port[] = ROUTED_PORT;

bool group_start(void)
{
    return routed_start();
}

static const struct {
    int level, discover, mtu;
} of_family[2] = { { IPPROTO_IP, IP_MTU_DISCOVER, IP_MTU }, { IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_MTU } };

static int level_of(int family) { return of_family[family == AF_INET6].level; }
static int discover_of(int family) { return of_family[family == AF_INET6].discover; }
static int mtu_of(int family) { return of_family[family == AF_INET6].mtu; }

static const char *const mode_names[] = { "dont", "want", "do", "probe", "interface", "omit" };
static char data[70000];

static void say_mtu(int fd, int family)
{
    int mtu = -1;
    socklen_t len = sizeof(mtu);

    SAY(sys.getsockopt(fd, level_of(family), mtu_of(family), &mtu, &len));
    NOTE("mtu", "%d", mtu);
}

/* A socket that has spoken with far's N: nobody has to be asked for an address later. */
static int speaks_with(int family, int n, int mode)
{
    struct address to = routed_far(family, n, 7000);
    int fd = sys.socket(family, SOCK_DGRAM, 0);

    if (mode >= 0)
        SAY(set_int(fd, level_of(family), discover_of(family), mode));
    SAY(sys.connect(fd, ADDR(to)));
    routed_forget();
    SAY(sys.send(fd, data, 10, 0));
    NOTE("left", "%s", routed_packet(family, IPPROTO_UDP));
    return fd;
}

static void say_sent(int fd, int family, int bytes)
{
    int result;

    routed_forget();
    result = (int)sys.send(fd, data, (size_t)bytes, 0);
    NOTE("send", "%d: %s", bytes, result < 0 ? error_name(errno) : "sent");
    if (result < 0)
        return;
    NOTE("left", "%s", routed_packet(family, IPPROTO_UDP));
    if (bytes > 1300)
        settle(); /* the router may have something to say */
}

/* One byte more than the link bears, and what it bears. */
static void link_limit(int family)
{
    int headers = family == AF_INET ? 28 : 48, far = routed_far_bound(family, SOCK_DGRAM, 7000);

    for (int mode = 0; mode < 6; mode++) {
        int fd;

        section(mode_names[mode]);
        fd = speaks_with(family, 10, mode);
        say_mtu(fd, family);
        say_sent(fd, family, 1500 - headers);
        say_sent(fd, family, 1501 - headers);
        say_sent(fd, family, 65515 - headers);
        say_sent(fd, family, family == AF_INET ? 65508 : 65528);
        sys.close(fd);
    }
    close(far);
}

/* The path bears less than the link: before and after it is known. */
static void path_limit(int family)
{
    int headers = family == AF_INET ? 28 : 48, far = routed_far_bound(family, SOCK_DGRAM, 7000);

    for (int mode = 0; mode < 6; mode++) {
        int fd;

        section(mode_names[mode]);
        fd = speaks_with(family, 20 + mode, mode);
        say_sent(fd, family, 1450);
        SAY_EVENTS(fd);
        SAY_OPTION(fd, SOL_SOCKET, SO_ERROR);
        say_mtu(fd, family);
        say_sent(fd, family, 1400 - headers);
        say_sent(fd, family, 1401 - headers);
        SAY_OPTION(fd, SOL_SOCKET, SO_ERROR);
        say_mtu(fd, family);
        sys.close(fd);
        section("another");
        fd = speaks_with(family, 20 + mode, 2);
        say_mtu(fd, family);
        say_sent(fd, family, 1401 - headers);
        sys.close(fd);
    }
    close(far);
}

static void link_4(void) { link_limit(AF_INET); }
static void link_6(void) { link_limit(AF_INET6); }
static void path_4(void) { path_limit(AF_INET); }
static void path_6(void) { path_limit(AF_INET6); }

/* Less than is believed (RFC 1191: 68 is the least; Linux takes 552): cut, and not forbidden to be cut further. */
static void small_path(void)
{
    int far = routed_far_bound(AF_INET, SOCK_DGRAM, 7000), fd = speaks_with(AF_INET, 40, -1);

    say_sent(fd, AF_INET, 1000);
    settle();
    SAY_OPTION(fd, SOL_SOCKET, SO_ERROR);
    say_mtu(fd, AF_INET);
    say_sent(fd, AF_INET, 1000);
    say_sent(fd, AF_INET, 100);
    SAY(set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, 2));
    say_sent(fd, AF_INET, 524);
    say_sent(fd, AF_INET, 525);
    close(far);
}

static void say_error_record(int fd)
{
    char bytes[64], control[512];
    struct iovec iov = { bytes, sizeof(bytes) };
    struct address name = { .len = sizeof(name.storage) };
    struct msghdr msg = { .msg_name = &name.any, .msg_namelen = sizeof(name.storage), .msg_iov = &iov,
                          .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
    struct cmsghdr *c;

    if (SAY(sys.recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT)) < 0)
        return;
    NOTE("about", "%s flags %x", msg.msg_namelen ? address_name(&name) : "-", (unsigned)msg.msg_flags);
    for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        const struct sock_extended_err *e = (const void *)CMSG_DATA(c);

        NOTE("record", "level %d type %d length %zu: errno %u origin %u type %u code %u info %u family %u",
             c->cmsg_level, c->cmsg_type, c->cmsg_len, e->ee_errno, e->ee_origin, e->ee_type, e->ee_code, e->ee_info,
             SO_EE_OFFENDER(e)->sa_family);
    }
}

/* The error queue tells of what is too large here, and of what was on its way. */
static void records(int family)
{
    int far = routed_far_bound(family, SOCK_DGRAM, 7000), fd = speaks_with(family, 30, 2);
    int level = level_of(family), option = family == AF_INET ? IP_RECVERR : IPV6_RECVERR;
    struct address to = routed_far(family, 30, 7000);

    SAY(set_int(fd, level, option, 1));
    say_sent(fd, family, 1473);
    SAY_EVENTS(fd);
    SAY_OPTION(fd, SOL_SOCKET, SO_ERROR);
    say_error_record(fd);
    SAY_EVENTS(fd);
    say_sent(fd, family, 1450);
    await(fd, POLLERR);
    SAY_EVENTS(fd);
    say_sent(fd, family, 1450);
    say_sent(fd, family, 1450);
    say_error_record(fd);
    SAY_OPTION(fd, SOL_SOCKET, SO_ERROR);
    say_error_record(fd);
    SAY_EVENTS(fd);
    say_error_record(fd);
    section("larger than ip");
    SAY(set_int(fd, level, discover_of(family), 1));
    SAY(sys.send(fd, data, 65530, 0));
    say_error_record(fd);
    SAY(sys.send(fd, data, 65536, 0));
    say_error_record(fd);
    SAY(sys.send(fd, data, 60000, MSG_MORE));
    SAY(sys.send(fd, data, 6000, 0));
    say_error_record(fd);
    SAY(set_int(fd, level, option, 0));
    SAY(sys.send(fd, data, 65530, 0));
    say_error_record(fd);
    section("without a peer");
    fd = sys.socket(family, SOCK_DGRAM, 0);
    SAY(set_int(fd, level, option, 1));
    SAY(set_int(fd, level, discover_of(family), 2));
    SAY(sys.sendto(fd, data, 1460, 0, ADDR(to)));
    say_error_record(fd);
    say_mtu(fd, family);
    close(far);
}

static void records_4(void) { records(AF_INET); }
static void records_6(void) { records(AF_INET6); }

static void mapped(void)
{
    int far = routed_far_bound(AF_INET, SOCK_DGRAM, 7000), fd = sys.socket(AF_INET6, SOCK_DGRAM, 0);
    struct address to = routed_far(AF_INET6, 31, 7000);

    memset(&to.in6.sin6_addr, 0, 16);
    to.in6.sin6_addr.s6_addr[10] = to.in6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&to.in6.sin6_addr.s6_addr[12], (const uint8_t[]){ 10, 1, 0, 31 }, 4);
    SAY(set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, 2));
    SAY(set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1));
    SAY(sys.connect(fd, ADDR(to)));
    say_sent(fd, AF_INET, 1473); /* IPv6's option is not looked at */
    SAY(set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, 2));
    say_sent(fd, AF_INET, 1473);
    say_error_record(fd);
    SAY(set_int(fd, IPPROTO_IP, IP_RECVERR, 1));
    say_sent(fd, AF_INET, 1473);
    say_error_record(fd);
    say_sent(fd, AF_INET, 1450);
    await(fd, POLLERR);
    say_error_record(fd);
    say_mtu(fd, AF_INET);
    say_mtu(fd, AF_INET6);
    close(far);
}

static void ip6_options(void)
{
    int far = routed_far_bound(AF_INET6, SOCK_DGRAM, 7000), fd = speaks_with(AF_INET6, 11, -1);
    struct ip6_mtuinfo info = { .ip6m_mtu = 0 };
    socklen_t len = sizeof(info);

    SAY_OPTION(fd, IPPROTO_IPV6, IPV6_DONTFRAG);
    SAY(set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1));
    SAY(set_int(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1));
    say_sent(fd, AF_INET6, 1452);
    say_sent(fd, AF_INET6, 1453);
    say_error_record(fd);
    SAY(set_int(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 0));
    SAY(set_int(fd, IPPROTO_IPV6, IPV6_MTU, 1279));
    SAY(set_int(fd, IPPROTO_IPV6, IPV6_MTU, 1300));
    say_mtu(fd, AF_INET6);
    say_sent(fd, AF_INET6, 1252);
    say_sent(fd, AF_INET6, 1253);
    say_sent(fd, AF_INET6, 1453);
    SAY(set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, 3));
    say_sent(fd, AF_INET6, 1253);
    say_error_record(fd);
    SAY(set_int(fd, IPPROTO_IPV6, IPV6_MTU, 0));
    say_sent(fd, AF_INET6, 1253);
    SAY(set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, 6));
    SAY(set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, -1));
    SAY(sys.getsockopt(fd, IPPROTO_IPV6, IPV6_PATHMTU, &info, &len));
    NOTE("path", "%u, %u", info.ip6m_mtu, (unsigned)len);
    len = 8;
    SAY(sys.getsockopt(fd, IPPROTO_IPV6, IPV6_PATHMTU, &info, &len));
    fd = sys.socket(AF_INET6, SOCK_DGRAM, 0);
    SAY(sys.getsockopt(fd, IPPROTO_IPV6, IPV6_PATHMTU, &info, (socklen_t[]){ sizeof(info) }));
    say_mtu(fd, AF_INET6);
    SAY_OPTION(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER);
    close(far);
}

/* Reads at the far end until `bytes` came; true: they are what was sent. */
static bool arrives(int accepted, int fd, size_t bytes)
{
    uint64_t until = now_ms() + 6000;
    size_t got = 0;

    while (got < bytes && now_ms() < until) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char buffer[16384];
        ssize_t n = recv(accepted, buffer, sizeof(buffer), 0);

        for (ssize_t i = 0; i < n; i++)
            if (buffer[i] != data[(got + (size_t)i) % sizeof(data)])
                return false;
        if (n > 0)
            got += (size_t)n;
        else
            sys.poll(&p, 1, 1); /* whoever drives a stack of ours */
    }
    return got == bytes;
}

/* What left until now has no packet larger than the path's MTU; told: how many were not forbidden to be cut. */
static void say_stream(int family, int limit)
{
    int cut = 0, large = 0;

    for (;;) {
        const char *packet = routed_packet_left(family, IPPROTO_TCP, 1000);

        if (strcmp(packet, "nothing") == 0)
            break;
        cut += family == AF_INET ? strstr(packet, "DF") == NULL : strstr(packet, "fragment") != NULL;
        large += atoi(packet) > limit;
    }
    NOTE("too large", "%d", large);
    NOTE("may be cut", "%d", cut);
}

static void stream(int family, int n, int mode, int limit)
{
    int listening = routed_far_bound(family, SOCK_STREAM, 7001), accepted;
    struct address to = routed_far(family, n, 7001);
    int fd = sys.socket(family, SOCK_STREAM, 0);

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 31 + i / 251);
    if (mode >= 0)
        SAY(set_int(fd, level_of(family), discover_of(family), mode));
    routed_forget();
    SAY(sys.connect(fd, ADDR(to)));
    say_mtu(fd, family);
    SAY_OPTION(fd, IPPROTO_TCP, TCP_MAXSEG);
    while ((accepted = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) < 0)
        usleep(1000);
    NOTE("sent", "%zd", sys.send(fd, data, sizeof(data), 0));
    NOTE("arrived", "%d", arrives(accepted, fd, sizeof(data)));
    say_stream(family, 1500);
    say_mtu(fd, family);
    SAY_OPTION(fd, IPPROTO_TCP, TCP_MAXSEG);
    settle();
    routed_forget();
    NOTE("sent", "%zd", sys.send(fd, data, sizeof(data), 0));
    NOTE("arrived", "%d", arrives(accepted, fd, sizeof(data)));
    say_stream(family, limit);
    sys.close(fd);
    section("the next one");
    fd = sys.socket(family, SOCK_STREAM, 0);
    SAY(sys.connect(fd, ADDR(to)));
    say_mtu(fd, family);
    SAY_OPTION(fd, IPPROTO_TCP, TCP_MAXSEG);
    section(NULL);
    close(accepted);
    close(listening);
}

static void stream_4(void) { stream(AF_INET, 32, -1, 1400); }
static void stream_6(void) { stream(AF_INET6, 32, -1, 1400); }
static void stream_4_dont(void) { stream(AF_INET, 33, 0, 1500); }
static void stream_4_small(void) { stream(AF_INET, 41, -1, 552); }

const struct scenario scenarios[] = {
    SCENARIO(link_4),    SCENARIO(link_6),   SCENARIO(path_4),      SCENARIO(path_6),
    SCENARIO(small_path), SCENARIO(records_4), SCENARIO(records_6), SCENARIO(mapped),
    SCENARIO(ip6_options), SCENARIO(stream_4), SCENARIO(stream_6),  SCENARIO(stream_4_dont),
    SCENARIO(stream_4_small), { 0 },
};
