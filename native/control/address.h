/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses are ours, and which stack answers for them or leads to a destination.
 *
 * A table of the process, filled while the stacks start and constant afterwards, so that any thread
 * reads it without a lock. Stacks are named by their bit in a mask (1 << stack.id).
 */
#ifndef CONTROL_ADDRESS_H
#define CONTROL_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "control/endpoint.h"

/*
 * One address of one stack's port, its stack->ports[port], which programs know as `device`. 0, or -ENOSPC (table
 * full). Only while starting.
 */
int address_add(unsigned stack, unsigned port, unsigned device, const struct endpoint *address, unsigned prefix_bits,
                bool has_gateway, uint16_t link_mtu);
void address_clear(void);

/* As a destination a wildcard is this host: puts the loopback address of its family in its place. */
void address_own(struct endpoint *any);

/*
 * Stacks that have this very address. "Any" and loopback (127.0.0.0/8, ::1) are every stack's: each
 * has a loopback of its own, and who listens there listens on all of them. 0: not ours.
 */
uint64_t address_stacks(const struct endpoint *address);

/* Which of the stack's ports has this very address; -1: none. */
int address_port(unsigned stack, const struct endpoint *address);

/*
 * Stacks from which the destination can be reached: on a subnet of theirs, or by a gateway. An
 * address of our own is reached from the other stacks of its subnet first (the in-process wire), or
 * from its own stack (loopback). 0: ENETUNREACH.
 */
uint64_t address_stacks_to(const struct endpoint *destination);

/* The same by way of one interface alone (device.h); 0: by any. */
uint64_t address_stacks_by(const struct endpoint *destination, unsigned device);

/* How large a packet may be that goes there: by the link, and `by_path` by what routers told, too. */
uint32_t address_mtu(const struct endpoint *destination, bool by_path);

#endif
