/* SPDX-License-Identifier: Apache-2.0 */
#include "control/address_netif.h"

#include "control/address.h"
#include "control/lwip_address.h"
#include "lwip/netif.h"

/* RFC 4291 2.5.4: where nothing else was said. */
#define IP6_PREFIX_BITS 64

int address_add_netif(unsigned stack, unsigned port, const struct netif *netif, bool has_gateway6)
{
    unsigned device = netif_get_index(netif);
    struct endpoint e;
    int result = 0;

    if (!ip4_addr_isany(netif_ip4_addr(netif))) {
        endpoint_from_ip(&e, netif_ip_addr4(netif), 0);
        result = address_add(stack, port, device, &e, (unsigned)__builtin_popcount(netif_ip4_netmask(netif)->addr),
                             !ip4_addr_isany(netif_ip4_gw(netif)), netif->mtu);
    }
    for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES && result == 0; i++) {
        if (ip6_addr_isinvalid(netif_ip6_addr_state(netif, i)))
            continue;
        endpoint_from_ip(&e, netif_ip_addr6(netif, i), 0);
        e.scope = 0;
        result = address_add(stack, port, device, &e,
                             netif->ip6_prefix_bits[i] ? netif->ip6_prefix_bits[i] : IP6_PREFIX_BITS,
                             has_gateway6, netif->mtu);
    }
    return result;
}
