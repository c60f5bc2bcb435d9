/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose is a socket of an unmodified program: ours, the kernel's, or, when it listens, both's. Decided
 * when it gets its first address (bind, connect, listen, the first datagram) by the rules of the
 * setting `route`, then by what we know of some programs, then by the addresses of our ports:
 *
 *  - bound to an address of ours: ours; to the wildcard: both; to any other: the kernel's;
 *  - towards an address of ours or a network that a port of ours is on: ours; towards loopback, this
 *    host, multicast, or a network that the kernel has an interface on: the kernel's; towards
 *    anything else: ours if a port has a gateway, else the kernel's.
 *
 * Nothing here needs the stacks: they start when the first socket is ours.
 */
#ifndef FD_ROUTE_H
#define FD_ROUTE_H

#include <stdbool.h>

#include "config/config.h"
#include "control/endpoint.h"

struct route_answer {
    enum route_verdict verdict;
    char reason[CONFIG_ROUTE_LINE_BYTES + 64];
};

/* Takes over what it needs of the settings. */
void route_start(const struct config *config);

/* What the setting shim.without_core says. */
bool route_refuses(void);

/* Does a port of ours stand on this interface of the kernel's? */
bool route_stands_on(const char *interface);

/*
 * `use`: listen for bind() and listen(), connect for connect() and datagrams; `e` is that address.
 * `on_port`: SO_BINDTODEVICE names an interface that a port of ours stands on.
 */
void route_decide(struct route_answer *answer, int type, enum route_use use, const struct endpoint *e, bool on_port);

/* In a child: no other thread holds anything. */
void route_forked(void);

#endif
