/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets bound to an interface (SO_BINDTODEVICE), and datagrams told to leave by one (IP_UNICAST_IF). Two links, va
 * (10.0.0.1, fd00::1) and vc (10.0.1.1, fd01::1), to one far end (.2), which answers on both; each is a way to
 * the other's addresses, too.
 */
#include "harness.h"

#include <arpa/inet.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <sys/syscall.h>

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

const char group_name[] = "device";
const char group_network[] = "ip link set lo up";
const char group_port[] =
    "af_packet,iface=va,address=10.0.0.1/24,address=10.0.0.5/24,address=fd00::1/64,gateway=10.0.0.2,gateway=fd00::2;"
    "af_packet,iface=vc,address=10.0.1.1/24,address=fd01::1/64,gateway=10.0.1.2,gateway=fd01::2";

static const char commands[] =
    "set -e; F=\"nsenter --net=/proc/$PID/fd/$FAR\";"
    "link() { ip link add $1 type veth peer name $2 netns /proc/$PID/fd/$FAR; $F ethtool -K $2 tx off >/dev/null;"
    "  ethtool -K $1 tso off gso off >/dev/null; echo $OURS > /proc/sys/net/ipv6/conf/$1/disable_ipv6;"
    "  ip link set $1 up; $F ip link set $2 up; $F ip addr add $3.2/24 dev $2; $F ip addr add $4::2/64 dev $2 nodad;"
    "  if [ $OURS = 0 ]; then ip addr add $3.1/24 dev $1; ip addr add $4::1/64 dev $1 nodad;"
    "    ip route add default via $3.2 dev $1 metric $5; ip -6 route add default via $4::2 dev $1 metric $5; fi; };"
    "$F ip link set lo up; $F sh -c 'for i in all default; do echo 0 > /proc/sys/net/ipv4/conf/$i/rp_filter; done';"
    "for i in all default; do echo 0 > /proc/sys/net/ipv4/conf/$i/rp_filter; done;"
    "link va vb 10.0.0 fd00 10; link vc vd 10.0.1 fd01 20;"
    "if [ $OURS = 0 ]; then ip addr add 10.0.0.5/24 dev va; fi";

static int here_ns, far_ns;

static void put(const char *name, int number)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", number);
    setenv(name, text, 1);
}

bool group_start(void)
{
    here_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (unshare(CLONE_NEWNET) < 0)
        return false;
    far_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (setns(here_ns, CLONE_NEWNET) < 0)
        return false;
    put("PID", getpid());
    put("FAR", far_ns);
    put("OURS", world.ours);
    return system(commands) == 0;
}

static struct address at(const char *text, int port)
{
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    struct address a = { .len = family == AF_INET ? sizeof(a.in) : sizeof(a.in6) };

    a.any.sa_family = (sa_family_t)family;
    inet_pton(family, text, family == AF_INET ? (void *)&a.in.sin_addr : &a.in6.sin6_addr);
    a.in.sin_port = htons((uint16_t)port);
    return a;
}

static const char *text_of(const struct address *a)
{
    static char text[64];

    inet_ntop(a->any.sa_family, a->any.sa_family == AF_INET ? (const void *)&a->in.sin_addr : &a->in6.sin6_addr, text,
              sizeof(text));
    return text;
}

/* A socket of the kernel's at the far end, bound; port 0 and TCP: it does not listen. */
static int far_socket(const char *address, int type, int port)
{
    struct address a = at(address, port);
    int fd = -1, one = 1;

    if (setns(far_ns, CLONE_NEWNET) == 0)
        fd = socket(a.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || setns(here_ns, CLONE_NEWNET) < 0 || bind(fd, ADDR(a)) < 0 ||
        (type == SOCK_STREAM && port && listen(fd, 8) < 0))
        NOTE("far end", "%s", strerror(errno));
    return fd;
}

static int bind_to(int fd, const char *name)
{
    return sys.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name));
}

static int number_of(const char *name)
{
    if (world.ours)
        return strcmp(name, "va") == 0 ? 2 : strcmp(name, "vc") == 0 ? 3 : 1;
    return (int)if_nametoindex(name);
}

static void say_device(int fd, socklen_t len)
{
    char name[32] = "";
    int number = -1, result;

    result = sys.getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len);
    NOTE("device", "%s \"%.31s\" %u", result < 0 ? error_name(errno) : "is", name, len);
    len = sizeof(number);
    SAY(sys.getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &number, &len));
    NOTE("number", "%d", number == number_of("va") ? 1 : number == number_of("vc") ? 2 : number);
}

static void names_of(int type)
{
    int fd = sys.socket(AF_INET, type, 0);

    say_device(fd, 32);
    SAY(bind_to(fd, "nothing"));
    SAY(sys.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "va", (socklen_t)-1));
    SAY(sys.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, NULL, 2));
    SAY(sys.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "va", 1));
    SAY(bind_to(fd, "va"));
    say_device(fd, 32);
    say_device(fd, 16);
    say_device(fd, 15);
    SAY(sys.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "vc\0and more than fits", 20));
    say_device(fd, 32);
    SAY(bind_to(fd, "lo"));
    say_device(fd, 32);
    SAY(sys.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, NULL, 0));
    say_device(fd, 32);
    SAY(set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, number_of("vc")));
    say_device(fd, 32);
    SAY(set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, -1));
    SAY(set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, 7777));
    say_device(fd, 32);
    SAY(set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, 0));
    say_device(fd, 32);
    SAY(sys.setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, "abc", 3));
}
static void names_udp(void) { names_of(SOCK_DGRAM); }
static void names_tcp(void) { names_of(SOCK_STREAM); }

/* Who is bound already stays there, unless privileged. */
static void unprivileged(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct had[_LINUX_CAPABILITY_U32S_3], now[_LINUX_CAPABILITY_U32S_3];
    int fd = sys.socket(AF_INET, SOCK_DGRAM, 0);

    syscall(SYS_capget, &header, had);
    memcpy(now, had, sizeof(now));
    now[0].effective &= ~(1u << CAP_NET_RAW);
    syscall(SYS_capset, &header, now);
    SAY(bind_to(fd, "va"));
    SAY(bind_to(fd, "vc"));
    SAY(bind_to(fd, ""));
    SAY(set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, 0));
    syscall(SYS_capset, &header, had);
    say_device(fd, 32);
    SAY(bind_to(fd, ""));
}

/* Of several bound to one port each hears its own link. */
static void receives(const char *near, const char *far, const char *near2, const char *far2)
{
    int family = strchr(near, ':') ? AF_INET6 : AF_INET, fds[3], by[2];
    struct address any = { .len = family == AF_INET ? sizeof(any.in) : sizeof(any.in6) }, to[2] = { at(near, 7100),
                                                                                                   at(near2, 7100) };
    char text[8];

    any.any.sa_family = (sa_family_t)family;
    any.in.sin_port = htons(7100);
    by[0] = far_socket(far, SOCK_DGRAM, 0);
    by[1] = far_socket(far2, SOCK_DGRAM, 0);
    for (int i = 0; i < 3; i++)
        fds[i] = sys.socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    SAY(bind_to(fds[0], "va"));
    SAY(sys.bind(fds[0], ADDR(any)));
    SAY(sys.bind(fds[1], ADDR(any)));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 2; i++) {
            section(i ? "by vc" : "by va");
            snprintf(text, sizeof(text), "%d %d", round, i);
            if (sendto(by[i], text, 3, 0, ADDR(to[i])) < 0) /* the first tells that nobody heard the last */
                sendto(by[i], text, 3, 0, ADDR(to[i]));
            if (round == 0 ? i == 0 : round == 1)
                await(fds[i], POLLIN);
            settle();
            for (int k = 0; k < 2; k++)
                SAY_RECV(fds[k], 8, 0);
        }
        section(NULL);
        if (round == 0) {
            SAY(bind_to(fds[1], "vc"));
            SAY(sys.bind(fds[1], ADDR(any)));
            SAY(sys.bind(fds[2], ADDR(any)));
            SAY(bind_to(fds[2], "lo"));
            SAY(sys.bind(fds[2], ADDR(any)));
        } else {
            SAY(bind_to(fds[0], "vc")); /* both may hear it now, the last one bound does */
            sys.close(fds[1]);
            fds[1] = fds[2];
        }
    }
    close(by[0]);
    close(by[1]);
}
static void receives_4(void) { receives("10.0.0.1", "10.0.0.2", "10.0.1.1", "10.0.1.2"); }
static void receives_6(void) { receives("fd00::1", "fd00::2", "fd01::1", "fd01::2"); }

/* What the far end gets, and whence. */
static void say_came(int far)
{
    struct address from = { .len = sizeof(from.storage) };
    struct pollfd p = { .fd = far, .events = POLLIN };
    char bytes[16];
    ssize_t n = -1;

    if (poll(&p, 1, 3000) == 1)
        n = recvfrom(far, bytes, sizeof(bytes), 0, &from.any, &from.len);
    NOTE("came", "%zd from %s", n, n < 0 ? "nowhere" : text_of(&from));
}

static void say_sent(int fd, int far, const struct address *to)
{
    int result = (int)sys.sendto(fd, "abc", 3, 0, to ? &to->any : NULL, to ? to->len : 0);

    NOTE("sendto", "%d %s", result, result < 0 ? error_name(errno) : "");
    if (result >= 0)
        say_came(far);
}

static void sends(const char *far1, const char *far2, int level, int unicast)
{
    struct address to = at(far1, 7200), to2 = at(far2, 7200), none = { .any.sa_family = AF_UNSPEC, .len = 16 };
    int far = far_socket(strchr(far1, ':') ? "::" : "0.0.0.0", SOCK_DGRAM, 7200);
    int fd = sys.socket(to.any.sa_family, SOCK_DGRAM, 0), number, other;
    socklen_t len = sizeof(number);

    say_sent(fd, far, &to);
    say_sent(fd, far, &to2);
    section("bound");
    SAY(bind_to(fd, "va"));
    say_sent(fd, far, &to);
    say_sent(fd, far, &to2);
    SAY(bind_to(fd, "vc"));
    say_sent(fd, far, &to);
    SAY(sys.connect(fd, ADDR(to)));
    say_sent(fd, far, NULL);
    SAY(sys.connect(fd, ADDR(none)));
    SAY(bind_to(fd, "va"));
    SAY(sys.connect(fd, ADDR(to2)));
    say_sent(fd, far, NULL);
    SAY(sys.connect(fd, ADDR(none)));
    section("unicast");
    number = (int)htonl((uint32_t)number_of("vc"));
    other = (int)htonl((uint32_t)number_of("va"));
    SAY(sys.setsockopt(fd, level, unicast, &number, sizeof(number)));
    SAY(sys.setsockopt(fd, level, unicast, &other, sizeof(other)));
    SAY(bind_to(fd, ""));
    SAY(sys.setsockopt(fd, level, unicast, &number, 3));
    SAY(sys.setsockopt(fd, level, unicast, &number, 8));
    SAY(set_int(fd, level, unicast, (int)htonl(7777)));
    SAY(sys.setsockopt(fd, level, unicast, &number, sizeof(number)));
    SAY(sys.getsockopt(fd, level, unicast, &other, &len));
    NOTE("as set", "%d", other == number);
    say_sent(fd, far, &to);
    SAY(sys.connect(fd, ADDR(to)));
    say_sent(fd, far, NULL);
    SAY(sys.connect(fd, ADDR(none)));
    SAY(set_int(fd, level, unicast, 0));
    say_sent(fd, far, &to);
    close(far);
}
static void sends_4(void) { sends("10.0.0.2", "10.0.1.2", IPPROTO_IP, IP_UNICAST_IF); }
static void sends_6(void) { sends("fd00::2", "fd01::2", IPPROTO_IPV6, IPV6_UNICAST_IF); }

/* From an address of the port's, bound to it: first, second, the other link's. */
static void sources(void)
{
    static const char *const own[] = { "10.0.0.1", "10.0.0.5", "10.0.1.1" };
    int far = far_socket("0.0.0.0", SOCK_DGRAM, 7200);
    struct address to = at("10.0.0.2", 7200);

    for (int i = 0; i < 3; i++) {
        struct address from = at(own[i], 0);
        int fd = sys.socket(AF_INET, SOCK_DGRAM, 0);

        section(own[i]);
        SAY(bind_to(fd, "va"));
        SAY(sys.bind(fd, ADDR(from)));
        say_sent(fd, far, &to);
    }
    close(far);
}

/* A connection that the far end asks for. */
static void say_asked(const char *from, const char *to)
{
    struct address here = at(to, 7300);
    int fd = far_socket(from, SOCK_STREAM, 0), error = 0;
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    socklen_t len = sizeof(error);

    if (connect(fd, ADDR(here)) < 0 && errno == EINPROGRESS)
        poll(&p, 1, 3000);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    NOTE("asked", "%s: %s", to, error ? error_name(error) : "up");
    close(fd);
}

static void listens(const char *any, const char *near, const char *far, const char *near2, const char *far2)
{
    struct address here = at(any, 7300);
    int fd = sys.socket(here.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0), second, got;

    SAY(bind_to(fd, "va"));
    SAY(sys.bind(fd, ADDR(here)));
    SAY(sys.listen(fd, 4));
    say_asked(far, near);
    say_asked(far2, near2);
    await(fd, POLLIN);
    got = SAY_FD(sys.accept4(fd, NULL, NULL, 0));
    say_device(got, 32);
    second = sys.socket(here.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SAY(sys.bind(second, ADDR(here)));
    SAY(bind_to(second, "vc"));
    SAY(sys.bind(second, ADDR(here)));
    SAY(sys.listen(second, 4));
    say_asked(far2, near2);
    SAY(bind_to(fd, "vc"));
    say_asked(far, near);
    sys.close(second);
    say_asked(far2, near2);
    SAY(bind_to(fd, ""));
    say_asked(far, near);
    say_asked(far2, near2);
}
static void listens_4(void) { listens("0.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.1.1", "10.0.1.2"); }
static void listens_6(void) { listens("::", "fd00::1", "fd00::2", "fd01::1", "fd01::2"); }

/* A connection leaves by the interface, be there a better way. */
static void connects(const char *any, const char *to_text)
{
    int far = far_socket(any, SOCK_STREAM, 7400);

    for (int i = 0; i < 3; i++) {
        struct address to = at(to_text, 7400), from = { .len = sizeof(from.storage) };
        struct pollfd p = { .fd = far, .events = POLLIN };
        int fd = sys.socket(to.any.sa_family, SOCK_STREAM, 0), got;

        section(i == 0 ? "free" : i == 1 ? "va" : "vc");
        if (i)
            SAY(bind_to(fd, i == 1 ? "va" : "vc"));
        SAY(sys.connect(fd, ADDR(to)));
        poll(&p, 1, 3000);
        got = accept(far, &from.any, &from.len);
        NOTE("from", "%s", got < 0 ? "nowhere" : text_of(&from));
        say_device(fd, 32);
        close(got);
    }
    close(far);
}
static void connects_4(void) { connects("0.0.0.0", "10.0.1.2"); }
static void connects_6(void) { connects("::", "fd01::2"); }

/* IP_PKTINFO's number is the port's, whichever address it came to. */
static void numbers(void)
{
    static const char *const own[] = { "10.0.0.1", "10.0.0.5", "10.0.1.1" };
    int fd = sys.socket(AF_INET, SOCK_DGRAM, 0), far = far_socket("0.0.0.0", SOCK_DGRAM, 0);
    struct address any = at("0.0.0.0", 7500);

    SAY(sys.bind(fd, ADDR(any)));
    SAY(set_int(fd, IPPROTO_IP, IP_PKTINFO, 1));
    for (int i = 0; i < 3; i++) {
        _Alignas(struct cmsghdr) char control[128] = { 0 };
        struct iovec iov = { (char[16]){ 0 }, 16 };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 128 };
        struct address to = at(own[i], 7500);
        struct in_pktinfo info = { 0 };

        sendto(far, "abc", 3, 0, ADDR(to));
        await(fd, POLLIN);
        SAY(sys.recvmsg(fd, &msg, MSG_DONTWAIT));
        if (CMSG_FIRSTHDR(&msg))
            memcpy(&info, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(info));
        NOTE("by", "%s", info.ipi_ifindex == number_of("va") ? "va" : info.ipi_ifindex == number_of("vc") ? "vc" : "?");
    }
    close(far);
}

const struct scenario scenarios[] = {
    SCENARIO(names_udp), SCENARIO(names_tcp), SCENARIO(unprivileged), SCENARIO(receives_4), SCENARIO(receives_6),
    SCENARIO(sends_4), SCENARIO(sends_6), SCENARIO(sources), SCENARIO(listens_4), SCENARIO(listens_6),
    SCENARIO(connects_4), SCENARIO(connects_6), SCENARIO(numbers), { 0 }
};
