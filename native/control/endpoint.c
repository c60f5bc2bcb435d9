/* SPDX-License-Identifier: Apache-2.0 */
#include "control/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

int endpoint_from_sockaddr(struct endpoint *e, int family, const struct sockaddr *addr,
                           socklen_t len)
{
    memset(e, 0, sizeof(*e));
    if (addr == NULL && len > 0)
        return -EFAULT;
    if (len < (socklen_t)sizeof(sa_family_t))
        return -EINVAL;
    if (family == AF_INET) {
        struct sockaddr_in in;

        if (len < (socklen_t)sizeof(in))
            return -EINVAL;
        memcpy(&in, addr, sizeof(in));
        if (in.sin_family != AF_INET)
            return -EAFNOSUPPORT;
        e->family = AF_INET;
        e->port = ntohs(in.sin_port);
        e->v4 = in.sin_addr;
        return 0;
    }
    struct sockaddr_in6 in6;

    /* The kernel takes the 24 bytes of RFC 2133 as well, without the scope id. */
    if (len < (socklen_t)offsetof(struct sockaddr_in6, sin6_scope_id))
        return -EINVAL;
    memset(&in6, 0, sizeof(in6));
    memcpy(&in6, addr, len < (socklen_t)sizeof(in6) ? len : sizeof(in6));
    if (in6.sin6_family != AF_INET6)
        return -EAFNOSUPPORT;
    e->port = ntohs(in6.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
        e->family = AF_INET;
        memcpy(&e->v4, &in6.sin6_addr.s6_addr[12], 4);
        return 0;
    }
    e->family = AF_INET6;
    e->scope = in6.sin6_scope_id;
    e->v6 = in6.sin6_addr;
    return 0;
}

void endpoint_to_sockaddr(const struct endpoint *e, int family, struct sockaddr *addr,
                          socklen_t *len)
{
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } out;
    socklen_t size;

    if (addr == NULL || len == NULL)
        return;
    memset(&out, 0, sizeof(out));
    if (family == AF_INET) {
        size = sizeof(out.in);
        out.in.sin_family = AF_INET;
        out.in.sin_port = htons(e->port);
        if (e->family == AF_INET)
            out.in.sin_addr = e->v4;
    } else {
        size = sizeof(out.in6);
        out.in6.sin6_family = AF_INET6;
        out.in6.sin6_port = htons(e->port);
        if (e->family == AF_INET6) {
            out.in6.sin6_addr = e->v6;
            out.in6.sin6_scope_id = e->scope;
        } else if (e->family == AF_INET) {
            out.in6.sin6_addr.s6_addr[10] = 0xff;
            out.in6.sin6_addr.s6_addr[11] = 0xff;
            memcpy(&out.in6.sin6_addr.s6_addr[12], &e->v4, 4);
        }
    }
    memcpy(addr, &out, *len < size ? *len : size);
    *len = size;
}

bool endpoint_is_any(const struct endpoint *e)
{
    if (e->family == AF_INET)
        return e->v4.s_addr == INADDR_ANY;
    return e->family == 0 || IN6_IS_ADDR_UNSPECIFIED(&e->v6);
}

bool endpoint_is_loopback(const struct endpoint *e)
{
    if (e->family == AF_INET)
        return (ntohl(e->v4.s_addr) >> 24) == IN_LOOPBACKNET;
    return e->family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&e->v6);
}

bool endpoint_is_multicast(const struct endpoint *e)
{
    if (e->family == AF_INET)
        return IN_MULTICAST(ntohl(e->v4.s_addr));
    return e->family == AF_INET6 && IN6_IS_ADDR_MULTICAST(&e->v6);
}

bool endpoint_same_address(const struct endpoint *a, const struct endpoint *b)
{
    if (a->family != b->family)
        return false;
    if (a->family == AF_INET)
        return a->v4.s_addr == b->v4.s_addr;
    return a->family == 0 || memcmp(&a->v6, &b->v6, sizeof(a->v6)) == 0;
}
