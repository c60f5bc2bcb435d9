/* SPDX-License-Identifier: Apache-2.0 */
#include "control/inspect.h"

#include <ctype.h>
#include <stdio.h>

#include "base/json_out.h"
#include "lwip/etharp.h"
#include "lwip/instance_var.h"
#include "lwip/netif.h"
#include "lwip/netif_port.h"
#include "lwip/priv/nd6_priv.h"

/* lwIP treats every IPv6 network as a /64. */
#define IP6_PREFIX_BITS 64

/* lwIP writes upper case, RFC 5952 wants lower. */
static const char *lower(char *text)
{
    for (char *c = text; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return text;
}

static void tell_route(struct json_out *out, unsigned stack, const struct netif *netif, const char *destination,
                       const char *gateway, const char *source)
{
    char port[8];

    snprintf(port, sizeof(port), "%c%c%u", netif->name[0], netif->name[1], netif->num);
    json_open(out, NULL, '{');
    json_number(out, "stack", stack);
    json_string(out, "destination", destination);
    json_string(out, "gateway", gateway);
    json_string(out, "netif", port);
    json_string(out, "source", source);
    json_number(out, "mtu", netif->mtu);
    json_bool(out, "up", netif_is_up(netif) && netif_is_link_up(netif));
    json_close(out, '}');
}

static void routes4(struct json_out *out, unsigned stack, const struct netif *netif)
{
    const ip4_addr_t *own = netif_ip4_addr(netif), *mask = netif_ip4_netmask(netif);
    char source[IP4ADDR_STRLEN_MAX], network[IP4ADDR_STRLEN_MAX], text[IP4ADDR_STRLEN_MAX + 4];
    ip4_addr_t first;

    if (ip4_addr_isany(own))
        return;
    ip4_addr_get_network(&first, own, mask);
    ip4addr_ntoa_r(own, source, sizeof(source));
    ip4addr_ntoa_r(&first, network, sizeof(network));
    snprintf(text, sizeof(text), "%s/%d", network, __builtin_popcount(mask->addr));
    tell_route(out, stack, netif, text, "", source);
    /* (The loop netif names itself as its gateway.) */
    if (!ip4_addr_isany(netif_ip4_gw(netif)) && !ip4_addr_cmp(netif_ip4_gw(netif), own)) {
        ip4addr_ntoa_r(netif_ip4_gw(netif), network, sizeof(network));
        tell_route(out, stack, netif, "0.0.0.0/0", network, source);
    }
}

static void routes6(struct json_out *out, unsigned stack, struct netif *netif)
{
    char source[IP6ADDR_STRLEN_MAX], network[IP6ADDR_STRLEN_MAX], text[IP6ADDR_STRLEN_MAX + 5];

    for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        bool loop = ip6_addr_isloopback(netif_ip6_addr(netif, i));
        ip6_addr_t first;

        if (!ip6_addr_isvalid(netif_ip6_addr_state(netif, i)))
            continue;
        ip6_addr_copy(first, *netif_ip6_addr(netif, i));
        if (!loop)
            first.addr[2] = first.addr[3] = 0;
        ip6addr_ntoa_r(netif_ip6_addr(netif, i), source, sizeof(source));
        ip6addr_ntoa_r(&first, network, sizeof(network));
        snprintf(text, sizeof(text), "%s/%d", network, loop ? 128 : IP6_PREFIX_BITS);
        tell_route(out, stack, netif, lower(text), "", lower(source));
    }
    /* The loop netif has no netif_port behind it. */
    if (netif->hwaddr_len == 6 && netif_port_gateway6(netif) != NULL) {
        ip6addr_ntoa_r(netif_port_gateway6(netif), network, sizeof(network));
        tell_route(out, stack, netif, "::/0", lower(network), "");
    }
}

void inspect_routes(struct json_out *out, unsigned stack)
{
    struct netif *netif;

    NETIF_FOREACH(netif) {
        routes4(out, stack, netif);
        routes6(out, stack, netif);
    }
}

static void tell_neighbor(struct json_out *out, unsigned stack, const char *address, const uint8_t *mac,
                          const char *state, const struct netif *netif)
{
    char text[18] = "", port[8];

    snprintf(port, sizeof(port), "%c%c%u", netif->name[0], netif->name[1], netif->num);
    if (mac != NULL)
        snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
    json_open(out, NULL, '{');
    json_number(out, "stack", stack);
    json_string(out, "address", address);
    json_string(out, "mac", text);
    json_string(out, "state", state);
    json_string(out, "netif", port);
    json_close(out, '}');
}

void inspect_neighbors(struct json_out *out, unsigned stack)
{
    static const char *const states[] = { "none", "incomplete", "reachable", "stale", "delay", "probe" };
    char text[IP6ADDR_STRLEN_MAX];

    for (size_t i = 0; i < ARP_TABLE_SIZE; i++) {
        struct eth_addr *mac;
        struct netif *netif;
        ip4_addr_t *address;

        if (etharp_get_entry(i, &address, &netif, &mac))
            tell_neighbor(out, stack, ip4addr_ntoa_r(address, text, sizeof(text)), mac->addr, "reachable", netif);
    }
    for (size_t i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++) {
        const struct nd6_neighbor_cache_entry *entry = &INSTANCE(neighbor_cache)[i];

        if (entry->state == ND6_NO_ENTRY || entry->netif == NULL)
            continue;
        ip6addr_ntoa_r(&entry->next_hop_address, text, sizeof(text));
        tell_neighbor(out, stack, lower(text), entry->state == ND6_INCOMPLETE ? NULL : entry->lladdr,
                      states[entry->state < 6 ? entry->state : 0], entry->netif);
    }
}
