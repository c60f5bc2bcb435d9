/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multicast group membership (ip(7), ipv6(7), RFC 3678), kept by every stack: a wildcard socket receives on all of
 * them. What a membership is, and who is told of it, is lwip/multicast.h's business.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "control/address.h"
#include "socket/udp.h"
#include "stack/group.h"

struct membership_call {
    struct rpc rpc;
    struct socket *sock;
    struct stack *stack;
    const struct udp_wish *wish; /* NULL: leaves all */
    int result;
};

static void membership_run(struct rpc *rpc)
{
    struct membership_call *call = container_of(rpc, struct membership_call, rpc);

    call->result = udp_membership(call->sock, call->stack, call->wish);
    rpc_finish(rpc);
}

/* IP_MULTICAST_IF, IPV6_MULTICAST_IF: where datagrams to groups leave. An address, or a whole ip_mreqn. */
static int set_interface(struct socket *sock, int level, const void *value, socklen_t len)
{
    struct endpoint own = { .family = AF_INET };
    size_t at = len >= (socklen_t)sizeof(struct ip_mreq) ? offsetof(struct ip_mreq, imr_interface) : 0;
    int index;

    if (level == IPPROTO_IPV6) {
        if (len < (socklen_t)sizeof(index))
            return -EINVAL;
        memcpy(&index, value, sizeof(index));
        if (index < 0)
            return -ENODEV;
        sock->options.multicast_interface6 = (uint32_t)index;
        return 0;
    }
    if (len < (socklen_t)sizeof(own.v4))
        return -EINVAL;
    memcpy(&own.v4, (const uint8_t *)value + at, sizeof(own.v4));
    if (!endpoint_is_any(&own) && (endpoint_is_multicast(&own) || address_stacks(&own) == 0))
        return -EADDRNOTAVAIL;
    sock->options.multicast_interface = own.v4;
    return 0;
}

/* What an option's value looks like. */
enum form { MREQ, MREQ_SOURCE, MREQ6, GROUP, GROUP_SOURCE };

static const struct row {
    int level, name;
    enum form form;
    enum udp_wish_what what;
} rows[] = {
    { IPPROTO_IP, IP_ADD_MEMBERSHIP, MREQ, WISH_JOIN },
    { IPPROTO_IP, IP_DROP_MEMBERSHIP, MREQ, WISH_LEAVE },
    { IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, MREQ_SOURCE, WISH_JOIN_SOURCE },
    { IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, MREQ_SOURCE, WISH_LEAVE_SOURCE },
    { IPPROTO_IP, IP_BLOCK_SOURCE, MREQ_SOURCE, WISH_BLOCK_SOURCE },
    { IPPROTO_IP, IP_UNBLOCK_SOURCE, MREQ_SOURCE, WISH_UNBLOCK_SOURCE },
    { IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, MREQ6, WISH_JOIN },
    { IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, MREQ6, WISH_LEAVE },
    { -1, MCAST_JOIN_GROUP, GROUP, WISH_JOIN },
    { -1, MCAST_LEAVE_GROUP, GROUP, WISH_LEAVE },
    { -1, MCAST_JOIN_SOURCE_GROUP, GROUP_SOURCE, WISH_JOIN_SOURCE },
    { -1, MCAST_LEAVE_SOURCE_GROUP, GROUP_SOURCE, WISH_LEAVE_SOURCE },
    { -1, MCAST_BLOCK_SOURCE, GROUP_SOURCE, WISH_BLOCK_SOURCE },
    { -1, MCAST_UNBLOCK_SOURCE, GROUP_SOURCE, WISH_UNBLOCK_SOURCE },
};

static const struct row *find(int level, int name)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].name == name && (rows[i].level == level || rows[i].level == -1))
            return &rows[i];
    return NULL;
}

/* (A row of both levels has sockaddrs, of the level's family.) */
static int read_address(struct endpoint *to, const struct sockaddr_storage *from, int level)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;

    if (from->ss_family != (level == IPPROTO_IP ? AF_INET : AF_INET6))
        return -EADDRNOTAVAIL;
    memcpy(&four, from, sizeof(four));
    memcpy(&six, from, sizeof(six));
    *to = from->ss_family == AF_INET ? (struct endpoint){ .family = AF_INET, .v4 = four.sin_addr }
                                     : (struct endpoint){ .family = AF_INET6, .v6 = six.sin6_addr };
    return 0;
}

static int read_wish(struct udp_wish *wish, enum form form, int level, const void *value, socklen_t len)
{
    static const socklen_t least[] = { sizeof(struct ip_mreq), sizeof(struct ip_mreq_source),
                                       sizeof(struct ipv6_mreq), sizeof(struct group_req),
                                       sizeof(struct group_source_req) };
    union {
        struct ip_mreqn four;
        struct ip_mreq_source source;
        struct ipv6_mreq six;
        struct group_req group;
        struct group_source_req group_source;
    } v;
    int result;

    if (len < least[form])
        return -EINVAL;
    memset(&v, 0, sizeof(v));
    memcpy(&v, value, len < (socklen_t)sizeof(v) ? len : sizeof(v));
    switch (form) {
    case MREQ:
        wish->group = (struct endpoint){ .family = AF_INET, .v4 = v.four.imr_multiaddr };
        wish->interface.v4 = v.four.imr_address;
        if (len >= (socklen_t)sizeof(v.four))
            wish->index = (uint32_t)v.four.imr_ifindex;
        return 0;
    case MREQ_SOURCE:
        wish->group = (struct endpoint){ .family = AF_INET, .v4.s_addr = v.source.imr_multiaddr.s_addr };
        wish->source = (struct endpoint){ .family = AF_INET, .v4.s_addr = v.source.imr_sourceaddr.s_addr };
        wish->interface.v4.s_addr = v.source.imr_interface.s_addr;
        return 0;
    case MREQ6:
        wish->group = (struct endpoint){ .family = AF_INET6, .v6 = v.six.ipv6mr_multiaddr };
        wish->index = v.six.ipv6mr_interface;
        return 0;
    case GROUP:
        wish->index = v.group.gr_interface;
        return read_address(&wish->group, &v.group.gr_group, level);
    case GROUP_SOURCE:
        wish->index = v.group_source.gsr_interface;
        result = read_address(&wish->group, &v.group_source.gsr_group, level);
        return result < 0 ? result : read_address(&wish->source, &v.group_source.gsr_source, level);
    }
    return -EINVAL;
}

/* Under sock->lock. Each stack has the interfaces that it serves, so most say ENODEV of some. */
static int on_each_stack(struct socket *sock, const struct udp_wish *wish)
{
    struct membership_call call = { .sock = sock, .wish = wish };
    int result = -ENODEV;

    for (unsigned i = 0; i < group.count; i++) {
        call.stack = group.stacks[i];
        rpc_init(&call.rpc, membership_run);
        stack_call(call.stack, &call.rpc);
        if (call.result == 0 || result == -ENODEV)
            result = call.result;
    }
    return result;
}

int socket_membership_set(struct socket *sock, int level, int name, const void *value, socklen_t len)
{
    struct udp_wish wish = { .interface.family = AF_INET };
    const struct row *row = find(level, name);
    int result;

    if ((level == IPPROTO_IP && name == IP_MULTICAST_IF) ||
        (level == IPPROTO_IPV6 && name == IPV6_MULTICAST_IF))
        return set_interface(sock, level, value, len);
    if (row == NULL)
        return -ENOPROTOOPT;
    result = read_wish(&wish, row->form, level, value, len);
    if (result < 0)
        return result;
    if (!endpoint_is_multicast(&wish.group))
        return -EINVAL;
    if (sock->type == SOCK_STREAM) /* as do_ip_setsockopt() of connections, and ip_mc_source() of no member */
        return row->what == WISH_JOIN || row->what == WISH_LEAVE || row->what == WISH_JOIN_SOURCE ? -EPROTO : -EINVAL;
    wish.what = row->what;
    lock_take(&sock->lock);
    if (sock->members == NULL)
        sock->members = calloc(group.count, sizeof(*sock->members));
    result = sock->members ? on_each_stack(sock, &wish) : -ENOBUFS;
    lock_give(&sock->lock);
    return result;
}

void socket_membership_end(struct socket *sock)
{
    if (sock->members)
        on_each_stack(sock, NULL);
}
