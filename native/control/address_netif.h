/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_ADDRESS_NETIF_H
#define CONTROL_ADDRESS_NETIF_H

#include <stdbool.h>

struct netif;

/* In the stack's turn: enters all addresses of an interface of its stack->ports[port] into the table. 0 or -ENOSPC. */
int address_add_netif(unsigned stack, unsigned port, const struct netif *netif, bool has_gateway6);

#endif
