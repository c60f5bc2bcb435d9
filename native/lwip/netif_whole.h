/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was put together of fragments, where several stacks serve a port. The stack that puts it together is
 * chosen by what all fragments have in common (netif_steer.h); the ports, which say whose a TCP segment is, are
 * known only now. Rare: TCP avoids fragments, so what goes to another stack is copied.
 */
#ifndef LWIP_NETIF_WHOLE_H
#define LWIP_NETIF_WHOLE_H

#include <stdbool.h>

struct netif;
struct pbuf;

/* An instance's hook (hooks.h). */
bool netif_whole_is_elsewhere(struct netif *netif, struct pbuf *packet);

#endif
