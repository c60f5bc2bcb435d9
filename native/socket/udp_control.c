/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control messages of a sendmsg() (ip(7), ipv6(7), RFC 3542): what they choose for one datagram. Each
 * check is the kernel's, in its order (ip_cmsg_send(), ip6_datagram_send_ctl(), __sock_cmsg_send()).
 */
#include <errno.h>
#include <string.h>

#include "base/privilege.h"
#include "control/address.h"
#include "control/device.h"
#include "socket/udp.h"
#include "stack/group.h"

/* Exactly a number, or any from as many bytes on. */
static int number_of(const struct cmsghdr *c, int *number)
{
    if (c->cmsg_len != CMSG_LEN(sizeof(*number)))
        return -EINVAL;
    memcpy(number, CMSG_DATA(c), sizeof(*number));
    return 0;
}

static int ranged(const struct cmsghdr *c, int min, int max, int16_t *out)
{
    int number, result = number_of(c, &number);

    if (result < 0 || number < min || number > max)
        return -EINVAL;
    *out = (int16_t)number;
    return 0;
}

static int socket_level(const struct cmsghdr *c)
{
    switch (c->cmsg_type) {
    case SCM_RIGHTS:
    case SCM_CREDENTIALS: return 0; /* of other families */
    case SO_MARK: return !privilege_network() ? -EPERM : c->cmsg_len == CMSG_LEN(sizeof(uint32_t)) ? 0 : -EINVAL;
    default: return -EINVAL;
    }
}

static void choose_source4(struct send_choice *choice, struct in_addr source, int interface)
{
    if (interface)
        choice->interface = (uint32_t)interface;
    choice->source = (struct endpoint){ .family = source.s_addr ? AF_INET : 0, .v4 = source };
}

/* ::ffff:a.b.c.d by IPv6's message, for a datagram that leaves by IPv4. */
static int mapped_source(const struct cmsghdr *c, struct send_choice *choice)
{
    struct in6_pktinfo info;
    struct in_addr v4;

    if (c->cmsg_len < CMSG_LEN(sizeof(info)))
        return -EINVAL;
    memcpy(&info, CMSG_DATA(c), sizeof(info));
    if (!IN6_IS_ADDR_V4MAPPED(&info.ipi6_addr))
        return -EINVAL;
    memcpy(&v4, &info.ipi6_addr.s6_addr[12], sizeof(v4));
    choose_source4(choice, v4, (int)info.ipi6_ifindex);
    return 0;
}

static int of_ip4(const struct cmsghdr *c, struct send_choice *choice)
{
    struct in_pktinfo info;

    switch (c->cmsg_type) {
    case IP_PKTINFO:
        if (c->cmsg_len != CMSG_LEN(sizeof(info)))
            return -EINVAL;
        memcpy(&info, CMSG_DATA(c), sizeof(info));
        choose_source4(choice, info.ipi_spec_dst, info.ipi_ifindex);
        return 0;
    case IP_TTL: return ranged(c, 1, 255, &choice->ttl);
    case IP_TOS:
        if (c->cmsg_len == CMSG_LEN(1)) {
            choice->tos = *CMSG_DATA(c);
            return 0;
        }
        return ranged(c, 0, 255, &choice->tos);
    default: return -EINVAL;
    }
}

static bool has_interface(struct socket *sock, uint32_t interface)
{
    return device_name(interface) && (device_stacks(interface) >> socket_stack(sock)->id & 1);
}

static int source6(struct socket *sock, const struct cmsghdr *c, struct send_choice *choice)
{
    struct endpoint source = { .family = AF_INET6 };
    struct in6_pktinfo info;

    if (c->cmsg_len < CMSG_LEN(sizeof(info)))
        return -EINVAL;
    memcpy(&info, CMSG_DATA(c), sizeof(info));
    if (sock->options.device && info.ipi6_ifindex && info.ipi6_ifindex != sock->options.device)
        return -EINVAL;
    if (info.ipi6_ifindex)
        choice->interface = info.ipi6_ifindex;
    if (choice->interface && !has_interface(sock, choice->interface))
        return -ENODEV;
    source.v6 = info.ipi6_addr;
    if (choice->interface == 0 && IN6_IS_ADDR_LINKLOCAL(&source.v6))
        return -EINVAL;
    if (endpoint_is_any(&source))
        return 0;
    if (!sock->options.free_bind && address_stacks(&source) == 0)
        return -EINVAL;
    choice->source = source;
    return 0;
}

static int of_ip6(struct socket *sock, const struct cmsghdr *c, struct send_choice *choice)
{
    int number, result;

    switch (c->cmsg_type) {
    case IPV6_PKTINFO: return source6(sock, c, choice);
    case IPV6_HOPLIMIT: return ranged(c, -1, 255, &choice->ttl);
    case IPV6_TCLASS:
        result = ranged(c, -1, 255, &choice->tos);
        choice->tos &= 0xff; /* -1 is no default: the kernel sends 255 */
        return result;
    case IPV6_DONTFRAG:
        if (number_of(c, &number) < 0 || number < 0 || number > 1)
            return -EINVAL;
        choice->dont_fragment = (int8_t)number;
        return 0;
    default: return -EINVAL;
    }
}

int udp_control(struct socket *sock, const struct msghdr *msg, int family, struct send_choice *choice)
{
    const uint8_t *end = (const uint8_t *)msg->msg_control + msg->msg_controllen;

    *choice = (struct send_choice){ .ttl = -1, .tos = -1, .dont_fragment = -1 };
    if (msg->msg_control == NULL)
        return -EFAULT;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)msg, c)) {
        int result = 0;

        if (c->cmsg_len < sizeof(*c) || c->cmsg_len > (size_t)(end - (const uint8_t *)c))
            return -EINVAL;
        if (c->cmsg_level == SOL_SOCKET)
            result = socket_level(c);
        else if (c->cmsg_level == IPPROTO_UDP)
            result = -EINVAL; /* nothing is cut here into several datagrams */
        else if (family == AF_INET6 && c->cmsg_level == IPPROTO_IPV6)
            result = of_ip6(sock, c, choice);
        else if (family == AF_INET && c->cmsg_level == IPPROTO_IP)
            result = of_ip4(c, choice);
        else if (family == AF_INET && sock->family == AF_INET6 && c->cmsg_level == IPPROTO_IPV6 &&
                 c->cmsg_type == IPV6_PKTINFO)
            result = mapped_source(c, choice);
        if (result < 0)
            return result;
    }
    return 0;
}

/* ip_route_output_key_hash_rcu(): when the way is looked up. */
int udp_control_route(struct socket *sock, const struct send_choice *choice)
{
    const struct endpoint *source = &choice->source;

    if (source->family == AF_INET && (endpoint_is_multicast(source) || source->v4.s_addr == INADDR_BROADCAST))
        return -EINVAL;
    if (source->family == AF_INET && address_stacks(source) == 0)
        return -ENETUNREACH; /* with IP_FREEBIND, too */
    return choice->interface && !has_interface(sock, choice->interface) ? -ENODEV : 0;
}
