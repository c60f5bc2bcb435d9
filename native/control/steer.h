/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which stack's a local TCP port number is. The range for connecting is split among the stacks, so
 * that the answers' way home is known from the port number alone, whatever the device hashes; a port
 * outside it that was bound and then connected from is claimed until nobody has it bound and its last
 * connection is gone (ports.c). One byte per port, read by the stacks on each packet: 0 anyone
 * (listeners), else stack id + 1.
 */
#ifndef CONTROL_STEER_H
#define CONTROL_STEER_H

#include <stdbool.h>
#include <stdint.h>

/* Splits the range among `stacks`. Only while starting. */
void steer_init(unsigned stacks, uint16_t first, uint16_t last);

/* The part of the range that is this stack's. */
void steer_share(unsigned stack, uint16_t *first, uint16_t *last);

/* The owner of a port, or -1. */
int steer_owner(uint16_t port);

/*
 * Only while starting: the stacks behind one interface, ascending. What comes there for a port that belongs to a
 * stack elsewhere goes to one of these, always the same (netif_steer.c does it likewise).
 */
void steer_interface(uint64_t stacks);

/*
 * Those of `stacks`, which all lead to a peer, that get what the peer sends to `port`: one of them, all if the port is
 * nobody's, none (0) if none does.
 */
uint64_t steer_home(uint16_t port, uint64_t stacks);

/*
 * A socket bound to `port` connects from `stack`, one of steer_home(port, stacks). False: it was another socket's first
 * use that came in between, and the home is elsewhere now.
 */
bool steer_claim(uint16_t port, unsigned stack, uint64_t stacks);
void steer_release(uint16_t port);

/* For netif_steer_join(). */
const uint8_t *steer_table(void);

#endif
