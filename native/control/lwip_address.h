/* SPDX-License-Identifier: Apache-2.0 */
/* Between our endpoint and lwIP's ip_addr_t. */
#ifndef CONTROL_LWIP_ADDRESS_H
#define CONTROL_LWIP_ADDRESS_H

#include <string.h>

#include "control/endpoint.h"
#include "lwip/ip_addr.h"

static inline void endpoint_to_ip(const struct endpoint *e, ip_addr_t *ip)
{
    memset(ip, 0, sizeof(*ip));
    if (e->family == AF_INET6) {
        IP_SET_TYPE_VAL(*ip, IPADDR_TYPE_V6);
        memcpy(ip_2_ip6(ip)->addr, &e->v6, 16);
        ip6_addr_set_zone(ip_2_ip6(ip), (u8_t)e->scope);
    } else {
        IP_SET_TYPE_VAL(*ip, IPADDR_TYPE_V4);
        ip_2_ip4(ip)->addr = e->v4.s_addr;
    }
}

static inline void endpoint_from_ip(struct endpoint *e, const ip_addr_t *ip, uint16_t port)
{
    memset(e, 0, sizeof(*e));
    e->port = port;
    if (IP_IS_V6(ip)) {
        e->family = AF_INET6;
        memcpy(&e->v6, ip_2_ip6(ip)->addr, 16);
        e->scope = ip6_addr_zone(ip_2_ip6(ip));
    } else {
        e->family = AF_INET;
        e->v4.s_addr = ip_2_ip4(ip)->addr;
    }
}

#endif
