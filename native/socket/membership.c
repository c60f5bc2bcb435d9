/* SPDX-License-Identifier: Apache-2.0 */
/* Multicast group membership (ip(7), ipv6(7)), kept by every stack that serves the socket. */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "control/address.h"
#include "socket/udp.h"
#include "stack/group.h"

struct membership_call {
    struct rpc rpc;
    struct endpoint group_address, interface;
    bool join;
    int result;
};

static void membership_run(struct rpc *rpc)
{
    struct membership_call *call = container_of(rpc, struct membership_call, rpc);

    call->result = udp_membership(&call->group_address, &call->interface, call->join);
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

int socket_membership_set(struct socket *sock, int level, int name, const void *value, socklen_t len)
{
    struct membership_call call = { .result = 0 };
    int result = -ENODEV;

    if (level == IPPROTO_IP && (name == IP_ADD_MEMBERSHIP || name == IP_DROP_MEMBERSHIP)) {
        struct ip_mreq request;

        if (len < (socklen_t)sizeof(request))
            return -EINVAL;
        memcpy(&request, value, sizeof(request));
        call.group_address = (struct endpoint){ .family = AF_INET, .v4 = request.imr_multiaddr };
        call.interface = (struct endpoint){ .family = AF_INET, .v4 = request.imr_interface };
        call.join = name == IP_ADD_MEMBERSHIP;
    } else if (level == IPPROTO_IPV6 &&
               (name == IPV6_ADD_MEMBERSHIP || name == IPV6_DROP_MEMBERSHIP)) {
        struct ipv6_mreq request;

        if (len < (socklen_t)sizeof(request))
            return -EINVAL;
        memcpy(&request, value, sizeof(request));
        call.group_address = (struct endpoint){ .family = AF_INET6, .v6 = request.ipv6mr_multiaddr };
        call.interface = (struct endpoint){ .family = AF_INET6 };
        call.join = name == IPV6_ADD_MEMBERSHIP;
    } else if ((level == IPPROTO_IP && name == IP_MULTICAST_IF) ||
               (level == IPPROTO_IPV6 && name == IPV6_MULTICAST_IF)) {
        return set_interface(sock, level, value, len);
    } else {
        return -ENOPROTOOPT;
    }
    if (!endpoint_is_multicast(&call.group_address))
        return -EINVAL;
    (void)sock;
    for (unsigned i = 0; i < group.count; i++) {
        rpc_init(&call.rpc, membership_run);
        stack_call(group.stacks[i], &call.rpc);
        if (call.result == 0 || result == -ENODEV)
            result = call.result;
    }
    return result;
}
