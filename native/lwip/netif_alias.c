/* SPDX-License-Identifier: Apache-2.0 */
#include "lwip/netif_alias.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "lwip/instance_var.h"
#include "netif/ethernet.h"

#define ARP_TARGET 24 /* RFC 826, over Ethernet and IPv4: the target's protocol address */
#define IP4_DESTINATION 16

int netif_alias_reserve(struct netif_port *np, unsigned count)
{
    np->alias = count > 0 ? calloc(count, sizeof(*np->alias)) : NULL;
    return count > 0 && np->alias == NULL ? -ENOMEM : 0;
}

/* As the port's first interface, but that all groups and IPv6 are only there. */
static err_t alias_init(struct netif *alias)
{
    struct netif_port *np = alias->state;
    const struct netif *first = &np->netif;

    memcpy(alias->name, first->name, sizeof(alias->name));
    alias->output = first->output;
    alias->linkoutput = first->linkoutput;
    alias->mtu = first->mtu;
    alias->hwaddr_len = first->hwaddr_len;
    memcpy(alias->hwaddr, first->hwaddr, sizeof(alias->hwaddr));
    alias->flags = first->flags & (NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP);
    NETIF_SET_CHECKSUM_CTRL(alias, first->chksum_flags);
    return ERR_OK;
}

int netif_alias_add(struct netif_port *np, const ip4_addr_t *address, const ip4_addr_t *mask)
{
    struct netif *alias = &np->alias[np->aliases];

    struct netif *before = np->aliases > 0 ? alias - 1 : &np->netif;

    if (netif_add(alias, address, mask, netif_ip4_gw(&np->netif), np, alias_init, ethernet_input) == NULL)
        return -ENOMEM;
    alias->num = np->netif.num; /* an address more, not an interface */
    /* Behind the port's other ones in the list: of two in one network the first is who sends. */
    INSTANCE(netif_list) = alias->next;
    alias->next = before->next;
    before->next = alias;
    np->aliases++;
    netif_set_up(alias);
    return 0;
}

void netif_alias_remove_all(struct netif_port *np)
{
    while (np->aliases > 0)
        netif_remove(&np->alias[--np->aliases]);
    free(np->alias);
    np->alias = NULL;
}

void netif_alias_set_link(struct netif_port *np, bool up)
{
    for (unsigned i = 0; i < np->aliases; i++) {
        if (up)
            netif_set_link_up(&np->alias[i]);
        else
            netif_set_link_down(&np->alias[i]);
    }
}

struct netif *netif_alias_find(struct netif_port *np, const struct rte_mbuf *packet)
{
    const uint8_t *frame = rte_pktmbuf_mtod(packet, const uint8_t *);
    uint32_t bytes = rte_pktmbuf_data_len(packet), at, to;

    if (bytes < SIZEOF_ETH_HDR || frame[12] != 0x08 || (frame[13] != 0x00 && frame[13] != 0x06))
        return &np->netif;
    at = SIZEOF_ETH_HDR + (frame[13] == 0x06 ? ARP_TARGET : IP4_DESTINATION);
    if (bytes < at + sizeof(to))
        return &np->netif;
    memcpy(&to, frame + at, sizeof(to));
    for (unsigned i = 0; i < np->aliases; i++)
        if (netif_ip4_addr(&np->alias[i])->addr == to)
            return &np->alias[i];
    return &np->netif;
}
