/* SPDX-License-Identifier: Apache-2.0 */
#include "routed.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <sched.h>

#include "pronghorn.h"

#define PATIENCE_MS 3000

/* IPv6 of this end must be silent while our stack has the link. */
static const char commands[] =
    "set -e; R=\"nsenter --net=/proc/$PID/fd/$ROUTER\"; F=\"nsenter --net=/proc/$PID/fd/$FAR\";"
    "ip link add va type veth peer name vb netns /proc/$PID/fd/$ROUTER;"
    "$R ip link add vc type veth peer name vd netns /proc/$PID/fd/$FAR;"
    "$R ethtool -K vb tx off >/dev/null; $F ethtool -K vd tx off >/dev/null; ethtool -K va tso off gso off >/dev/null;"
    "if [ $OURS = 1 ]; then echo 1 > /proc/sys/net/ipv6/conf/va/disable_ipv6; ip link set va up; else"
    "  ip link set va up; ip addr add 10.0.0.1/24 dev va; ip addr add fd00::5/64 dev va nodad;"
    "  ip addr add fd00::1/64 dev va nodad; ip addr add 10.0.0.5/24 dev va;"
    "  ip route add default via 10.0.0.2; ip -6 route add default via fd00::2; fi;"
    "$R ip link set vb up; $R ip link set vc up; $F ip link set lo up; $F ip link set vd up;"
    "$R ip addr add 10.0.0.2/24 dev vb; $R ip addr add fd00::2/64 dev vb nodad;"
    "$R ip addr add 10.1.0.2/24 dev vc; $R ip addr add fd01::2/64 dev vc nodad;"
    "$R sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding;"
    "  echo 0 > /proc/sys/net/ipv4/icmp_ratelimit; echo 0 > /proc/sys/net/ipv6/icmp/ratelimit';"
    "$F ip route add 10.0.0.0/24 dev vd src 10.1.0.1 2>/dev/null || true;"
    "for n in $(seq 10 49); do $F ip addr add 10.1.0.$n/24 dev vd; $F ip addr add fd01::$n/64 dev vd nodad;"
    "  if [ $n -ge 20 ]; then if [ $n -ge 40 ]; then m=500 m6=1280; else m=1400 m6=1400; fi;"
    "    $R ip route add 10.1.0.$n/32 dev vc mtu $m; $R ip -6 route add fd01::$n/128 dev vc mtu $m6; fi; done;"
    "$F ip route replace default via 10.1.0.2; $F ip -6 route replace default via fd01::2";

static int here_ns, router_ns, far_ns, sniffer;

static int enter_new(void)
{
    return unshare(CLONE_NEWNET) == 0 ? open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) : -1;
}

static int socket_in(int ns, int family, int type, int protocol)
{
    int fd;

    if (setns(ns, CLONE_NEWNET) < 0)
        return -1;
    fd = socket(family, type, protocol);
    return setns(here_ns, CLONE_NEWNET) < 0 ? -1 : fd;
}

static void put(const char *name, int number)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", number);
    setenv(name, text, 1);
}

bool routed_start(void)
{
    int room = 4 << 20;
    struct sockaddr_ll link = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };

    here_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    router_ns = enter_new();
    far_ns = enter_new();
    if (router_ns < 0 || far_ns < 0 || setns(here_ns, CLONE_NEWNET) < 0)
        return false;
    put("PID", getpid());
    put("ROUTER", router_ns);
    put("FAR", far_ns);
    put("OURS", world.ours);
    if (system(commands) != 0)
        return false;
    sniffer = socket_in(router_ns, AF_PACKET, SOCK_DGRAM, 0);
    if (sniffer < 0 || setns(router_ns, CLONE_NEWNET) < 0)
        return false;
    setsockopt(sniffer, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    link.sll_ifindex = (int)if_nametoindex("vb");
    return setns(here_ns, CLONE_NEWNET) == 0 && bind(sniffer, (struct sockaddr *)&link, sizeof(link)) == 0;
}

struct address routed_far(int family, int n, int port)
{
    struct address a = { .len = family == AF_INET ? sizeof(a.in) : sizeof(a.in6) };
    char text[32];

    snprintf(text, sizeof(text), family == AF_INET ? "10.1.0.%d" : "fd01::%d", n);
    a.any.sa_family = (sa_family_t)family;
    if (family == AF_INET)
        inet_pton(AF_INET, text, &a.in.sin_addr);
    else
        inet_pton(AF_INET6, text, &a.in6.sin6_addr);
    a.in.sin_port = htons((uint16_t)port);
    return a;
}

int routed_far_bound(int family, int type, int port)
{
    struct address any = { .len = family == AF_INET ? sizeof(any.in) : sizeof(any.in6) };
    int fd = socket_in(far_ns, family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

    any.any.sa_family = (sa_family_t)family;
    any.in.sin_port = htons((uint16_t)port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || bind(fd, ADDR(any)) < 0 || (type == SOCK_STREAM && listen(fd, 8) < 0))
        NOTE("far end", "%s", strerror(errno));
    return fd;
}

int routed_far_stream(int family)
{
    return socket_in(far_ns, family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

void routed_forget(void)
{
    char packet[64];

    while (recv(sniffer, packet, sizeof(packet), MSG_DONTWAIT) >= 0)
        continue;
}

/* True: it is one of the wanted; described in `text`. */
static bool describe4(const uint8_t *packet, int protocol, int bytes, char *text, size_t size)
{
    struct iphdr ip;
    unsigned fragment;

    memcpy(&ip, packet, sizeof(ip));
    fragment = ntohs(ip.frag_off);
    if (ip.protocol != protocol || (ip.saddr & htonl(0xffffff00)) != inet_addr("10.0.0.0") || ntohs(ip.tot_len) < bytes)
        return false;
    snprintf(text, size, "%d bytes%s%s at %u, ttl %d, tos %d", ntohs(ip.tot_len), fragment & 0x4000 ? " DF" : "",
             fragment & 0x2000 ? " MF" : "", (fragment & 0x1fff) * 8, ip.ttl, ip.tos);
    return true;
}

static bool describe6(const uint8_t *packet, int protocol, int bytes, char *text, size_t size)
{
    struct ip6_frag fragment = { .ip6f_nxt = IPPROTO_NONE };
    struct ip6_hdr ip;
    int length, offset;

    memcpy(&ip, packet, sizeof(ip));
    length = ntohs(ip.ip6_plen) + 40;
    if (ip.ip6_nxt == IPPROTO_FRAGMENT)
        memcpy(&fragment, packet + sizeof(ip), sizeof(fragment));
    if ((ip.ip6_nxt != protocol && fragment.ip6f_nxt != protocol) || ip.ip6_src.s6_addr[0] != 0xfd ||
        ip.ip6_src.s6_addr[1] != 0 || length < bytes)
        return false;
    offset = ntohs(fragment.ip6f_offlg);
    snprintf(text, size, "%d bytes%s%s at %u, hops %d, class %d", length,
             ip.ip6_nxt == IPPROTO_FRAGMENT ? " fragment" : "", offset & 1 ? " MF" : "", (unsigned)offset & 0xfff8u,
             ip.ip6_hlim, (int)(ntohl(ip.ip6_flow) >> 20 & 0xff));
    return true;
}

static const char *packet_of(int family, int protocol, int bytes, int patience_ms)
{
    static char text[96];
    uint64_t until = now_ms() + (uint64_t)patience_ms;

    for (;;) {
        struct sockaddr_ll from;
        socklen_t len = sizeof(from);
        uint8_t packet[2048];
        ssize_t got = recvfrom(sniffer, packet, sizeof(packet), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
        struct pollfd p = { .fd = sniffer, .events = POLLIN };

        if (got < 0) {
            if (now_ms() >= until)
                return "nothing";
            if (world.ours)
                ph_turn();
            poll(&p, 1, 1);
            continue;
        }
        if (from.sll_pkttype == PACKET_OUTGOING || got < 28)
            continue;
        if (ntohs(from.sll_protocol) == (family == AF_INET ? ETH_P_IP : ETH_P_IPV6) &&
            (family == AF_INET ? describe4 : describe6)(packet, protocol, bytes, text, sizeof(text)))
            return text;
    }
}

const char *routed_packet(int family, int protocol)
{
    return packet_of(family, protocol, 0, PATIENCE_MS);
}

const char *routed_packet_left(int family, int protocol, int bytes)
{
    return packet_of(family, protocol, bytes, 0);
}
