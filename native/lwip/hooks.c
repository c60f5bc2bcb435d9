/* SPDX-License-Identifier: Apache-2.0 */
/* See hooks.h. */
#include "lwip/hooks.h"

#include "lwip/instance_var.h"
#include "lwip/ip.h"
#include "lwip/siphash.h"

static INSTANCE_VAR struct instance_hooks template_hooks;

void hooks_set(const struct instance_hooks *hooks)
{
    INSTANCE(hooks) = *hooks;
}

struct netif *hook_ip4_route(const ip4_addr_t *source, const ip4_addr_t *destination)
{
    const struct instance_hooks *hooks = &INSTANCE(hooks);

    return hooks->ip4_route ? hooks->ip4_route(hooks->context, source, destination) : NULL;
}

struct netif *hook_ip6_route(const ip6_addr_t *source, const ip6_addr_t *destination)
{
    const struct instance_hooks *hooks = &INSTANCE(hooks);

    return hooks->ip6_route ? hooks->ip6_route(hooks->context, source, destination) : NULL;
}

const ip4_addr_t *hook_ip4_gateway(struct netif *netif, const ip4_addr_t *destination)
{
    const struct instance_hooks *hooks = &INSTANCE(hooks);

    return hooks->ip4_gateway ? hooks->ip4_gateway(hooks->context, netif, destination) : NULL;
}

const ip6_addr_t *hook_ip6_gateway(struct netif *netif, const ip6_addr_t *destination)
{
    const struct instance_hooks *hooks = &INSTANCE(hooks);

    return hooks->ip6_gateway ? hooks->ip6_gateway(hooks->context, netif, destination) : NULL;
}

bool hook_port_comes_home(const struct tuple *tuple)
{
    const struct instance_hooks *hooks = &INSTANCE(hooks);

    return !hooks->port_comes_home ||
           hooks->port_comes_home(hooks->context, tuple->local, tuple->local_port, tuple->peer,
                                  tuple->peer_port);
}

bool hook_lives_long_enough(const struct ip_pcb *pcb)
{
    return (ip_current_is_v6() ? IP6H_HOPLIM(ip6_current_header()) : IPH_TTL(ip4_current_header())) >= pcb->least_ttl;
}

bool hook_is_elsewhere(struct netif *netif, struct pbuf *packet)
{
    const struct instance_hooks *hooks = &INSTANCE(hooks);

    return hooks->is_elsewhere && hooks->is_elsewhere(netif, packet);
}
