/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multicast: memberships, source filters, and where datagrams to groups leave. Both worlds have two interfaces that
 * are joined, one with each address. With IPv6 an interface is a number, which ours are in each stack: so memberships
 * are of both interfaces, and a datagram leaves where the sender's address is.
 */
#include <arpa/inet.h>
#include <net/if.h>

#include "../worlds.h"
#include "show.h"
#include "slots.h"

static const char *const interfaces[] = { "va", "vb" };
static const char *const addresses[] = { "10.0.0.1", "10.0.0.2", "0.0.0.0", "192.0.2.77" };
static const char *const addresses6[] = { "fd00::1", "fd00::2", "::", "2001:db8::77" };
static const char *const groups[] = { "239.1.2.3", "239.1.2.4" };
static const char *const groups6[] = { "ff15::3", "ff15::4" };

static int set(int fd, int level, int name, const void *value, socklen_t len)
{
    return sys.setsockopt(fd, level, name, value, len);
}

static int membership4(const struct step *s)
{
    static const int sources[] = { 0, 0, IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP, IP_BLOCK_SOURCE,
                                   IP_UNBLOCK_SOURCE };
    struct ip_mreq_source source = { 0 };
    struct ip_mreq plain = { 0 };

    inet_pton(AF_INET, groups[s->b & 1], &plain.imr_multiaddr);
    inet_pton(AF_INET, addresses[s->place & 1], &plain.imr_interface);
    if (s->a < 2)
        return set(number(s->slot), IPPROTO_IP, s->a ? IP_DROP_MEMBERSHIP : IP_ADD_MEMBERSHIP, &plain, sizeof(plain));
    source.imr_multiaddr = plain.imr_multiaddr;
    source.imr_interface = plain.imr_interface;
    inet_pton(AF_INET, addresses[s->c & 3], &source.imr_sourceaddr);
    return set(number(s->slot), IPPROTO_IP, sources[s->a], &source, sizeof(source));
}

static int membership6_of(const struct step *s, unsigned interface)
{
    static const int sources[] = { 0, 0, MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_SOURCE_GROUP, MCAST_BLOCK_SOURCE,
                                   MCAST_UNBLOCK_SOURCE };
    struct sockaddr_in6 group = { .sin6_family = AF_INET6 }, from = { .sin6_family = AF_INET6 };
    struct group_source_req source = { .gsr_interface = interface };
    struct ipv6_mreq plain = { .ipv6mr_interface = interface };

    inet_pton(AF_INET6, groups6[s->b & 1], &group.sin6_addr);
    inet_pton(AF_INET6, addresses6[s->c & 3], &from.sin6_addr);
    plain.ipv6mr_multiaddr = group.sin6_addr;
    if (s->a < 2)
        return set(number(s->slot), IPPROTO_IPV6, s->a ? IPV6_LEAVE_GROUP : IPV6_JOIN_GROUP, &plain, sizeof(plain));
    memcpy(&source.gsr_group, &group, sizeof(group));
    memcpy(&source.gsr_source, &from, sizeof(from));
    return set(number(s->slot), IPPROTO_IPV6, sources[s->a], &source, sizeof(source));
}

static int membership6(const struct step *s)
{
    int result;

    if (world.ours)
        return membership6_of(s, 0);
    result = membership6_of(s, if_nametoindex(interfaces[0]));
    return result < 0 ? result : membership6_of(s, if_nametoindex(interfaces[1]));
}

/* Which of the two is the socket's own address; -1: none. */
static int own_interface(int fd, int *family)
{
    struct sockaddr_storage a = { 0 };
    socklen_t len = sizeof(a);
    char text[INET6_ADDRSTRLEN];

    if (sys.getsockname(fd, (void *)&a, &len) < 0)
        return -1;
    *family = a.ss_family;
    inet_ntop(a.ss_family, a.ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&a)->sin_addr
                                                  : (void *)&((struct sockaddr_in6 *)&a)->sin6_addr,
              text, sizeof(text));
    for (int i = 0; i < 2; i++) {
        if (strcmp(text, a.ss_family == AF_INET ? addresses[i] : addresses6[i]) == 0)
            return i;
    }
    return -1;
}

bool may_reach_group(const struct step *s)
{
    int fd = number(s->slot), family = AF_INET, own = own_interface(fd, &family), index;
    struct in_addr out = { 0 };
    socklen_t len = sizeof(out);

    if (s->place < GROUP_A || fd < 0 || slots[s->slot].holds != SOCKET)
        return true;
    if (own < 0)
        return slots[s->slot].stream;
    if (family == AF_INET6) {
        index = (int)if_nametoindex(interfaces[own]);
        if (!world.ours)
            set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index));
    } else if (sys.getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, &len) == 0 && out.s_addr == 0) {
        inet_pton(AF_INET, addresses[own], &out);
        set(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof(out));
    }
    return true;
}

void step_group(const struct step *s)
{
    int fd = number(s->slot), family = AF_INET;
    socklen_t len = sizeof(family);
    struct in_addr out;

    if (fd >= 0 && (slots[s->slot].holds != SOCKET || sys.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) < 0))
        return;
    if (s->op == OP_MEMBERSHIP) {
        if (fd >= 0 && slots[s->slot].stream && s->a == 2)
            return; /* left out: the kernel lets a stream join by a source, and not without */
        say(family == AF_INET ? membership4(s) : membership6(s));
    } else if (family == AF_INET) {
        inet_pton(AF_INET, addresses[s->place & 3], &out);
        say(set(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof(out)));
    }
}
