/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has bound which local port: the rules of bind(2) and socket(7) (SO_REUSEADDR, SO_REUSEPORT,
 * IPV6_V6ONLY), kept for all stacks of the process in one table under one lock. Cold path: only
 * explicit bind() and listen() come here; a connect() without bind() takes its port from the stack, and
 * the stacks are asked about the ports of such connections, of accepted ones and of those in TIME_WAIT.
 */
#ifndef CONTROL_PORTS_H
#define CONTROL_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "control/endpoint.h"

/* Lies in the socket that is bound. Zero: not bound. */
struct binding {
    struct list link;
    struct endpoint local;
    struct endpoint narrowed; /* ports_narrow(); family 0: it has what it is bound to */
    uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
    bool bound, dual; /* dual: an IPv6 wildcard that also takes IPv4 */
    bool drawn_elsewhere; /* by the kernel, for a socket of both: a connection of ours may have it by chance */
    /* bind() named it, for this socket or its listener: it outlives a connection (the kernel's
     * SOCK_BINDADDR_LOCK and SOCK_BINDPORT_LOCK). */
    bool fixed_address, fixed_port;
    bool reuse_addr, reuse_port, listening;
    uint32_t device; /* SO_BINDTODEVICE: another one is in nobody's way; 0: any */
};

void ports_init(uint16_t ephemeral_first, uint16_t ephemeral_last);

/* By port, how many TCP sockets have bound it: connect() without bind() leaves those to them. */
const uint32_t *ports_bound_tcp(void);

/*
 * Binds `b` (local, protocol, dual, reuse_* set by the caller); port 0 picks a random ephemeral one
 * (TCP: that no connection has, if there is one) and stores it. 0, -EADDRINUSE; the caller is told
 * -EADDRINUSE for an exhausted range as well (bind(2)).
 */
int ports_bind(struct binding *b);

/* The binding begins to listen: -EADDRINUSE when another listener has the port (tcp). */
int ports_listen(struct binding *b);

/* SO_REUSEADDR and SO_REUSEPORT count as they are when the next one comes. */
void ports_reuse(struct binding *b, bool reuse_addr, bool reuse_port);

/* SO_BINDTODEVICE as it is from now on. */
void ports_bind_device(struct binding *b, uint32_t device);

/* Bound to a wildcard, it answers for `address` alone from now on (it has a peer); NULL: for all again. */
void ports_narrow(struct binding *b, const struct endpoint *address);

/* The binding stays, without listening. */
void ports_unlisten(struct binding *b);

/* Idempotent. */
void ports_release(struct binding *b);

#endif
