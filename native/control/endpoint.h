/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint: an address and a port (RFC 9293 "socket"), as the layers above lwIP pass them around.
 * IPv4 addresses stay IPv4 inside; an AF_INET6 socket shows them as ::ffff:a.b.c.d (RFC 4291 2.5.5.2).
 */
#ifndef CONTROL_ENDPOINT_H
#define CONTROL_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct endpoint {
    uint8_t family; /* AF_INET or AF_INET6; 0: unset */
    uint16_t port;  /* host byte order */
    uint32_t scope; /* IPv6 scope id (interface index), 0: none */
    union {
        struct in_addr v4;
        struct in6_addr v6;
    };
};

/*
 * From a user's sockaddr for a socket of `family`. 0, -EINVAL (too short), -EAFNOSUPPORT, -EFAULT.
 * A mapped address on an AF_INET6 socket becomes AF_INET.
 */
int endpoint_from_sockaddr(struct endpoint *e, int family, const struct sockaddr *addr,
                           socklen_t len);

/*
 * To a user's buffer as socket `family` shows it: at most *len bytes are written, *len becomes the
 * full size (as getsockname(2) says). addr or len may be NULL: nothing happens.
 */
void endpoint_to_sockaddr(const struct endpoint *e, int family, struct sockaddr *addr,
                          socklen_t *len);

bool endpoint_is_any(const struct endpoint *e);
bool endpoint_is_loopback(const struct endpoint *e);
bool endpoint_is_multicast(const struct endpoint *e);
bool endpoint_same_address(const struct endpoint *a, const struct endpoint *b);

#endif
