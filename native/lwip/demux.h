/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds PCBs. Connections (TIME_WAIT too) by their four-tuple in a table that grows with them;
 * listening, bound and UDP PCBs by their local port. The functions that lwIP calls are declared in
 * its own tcp_priv.h and udp.h by our patches.
 */
#ifndef PRONGHORN_LWIP_DEMUX_H
#define PRONGHORN_LWIP_DEMUX_H

#include <stdbool.h>
#include <stdint.h>

#include "lwip/ip_addr.h"

struct tcp_pcb;

/* Bits of a connection's so_options: its owner said SO_REUSEADDR, SO_REUSEPORT, and may have its local port shared. */
#define DEMUX_SHARES_ADDRESS 0x40
#define DEMUX_SHARES_PORT 0x80

/* instance.c: -ENOMEM if the first tables find no room. */
int demux_start(void);
void demux_stop(void);

uint32_t demux_connections(void);

/* Does a bound or listening PCB (not counting `except`, which may be NULL) claim this port? */
bool demux_port_is_claimed(uint16_t local_port, const struct tcp_pcb *except);

/*
 * Does a connection, be it in TIME_WAIT, have this port at that address (which may be a wildcard, or that of both
 * families) and on that interface (netif_idx, 0: any), and share it in none of the ways of who asks (DEMUX_SHARES_*)?
 * Looks at all there are: for bind().
 */
bool demux_port_is_held(const ip_addr_t *address, uint16_t port, uint8_t interface, uint8_t shares);

#endif
