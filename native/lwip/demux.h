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

struct tcp_pcb;

/* instance.c: -ENOMEM if the first tables find no room. */
int demux_start(void);
void demux_stop(void);

uint32_t demux_connections(void);

/* Does a bound or listening PCB (not counting `except`, which may be NULL) claim this port? */
bool demux_port_is_claimed(uint16_t local_port, const struct tcp_pcb *except);

#endif
