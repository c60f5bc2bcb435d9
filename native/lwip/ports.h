/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local ports. connect() and bind(0) get one by RFC 6056, algorithm 3: a keyed hash of the destination
 * says where to begin, so that who talks to one destination cannot guess the ports used to another,
 * and ports to one destination come back as late as possible. A port is taken for a connection if the
 * whole four-tuple is free (so there are as many connections as ports per destination), for bind(0)
 * if nobody has it. instance_hooks.port_comes_home may turn down some in a row: the choice stays a random one,
 * among the ports whose answers the card puts on our own queue.
 */
#ifndef PRONGHORN_LWIP_PORTS_H
#define PRONGHORN_LWIP_PORTS_H

#include <stdint.h>

int ports_start(void);
void ports_stop(void);

/* How many TCP PCBs have this local port, those in TIME_WAIT too; demux.c counts. Any thread may ask. */
void ports_take(uint16_t port);
void ports_give(uint16_t port);
uint32_t ports_users(uint16_t port);

#endif
