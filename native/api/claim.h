/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two processes that answer for one address on one device destroy each other's connections. Before an
 * unmodified program's stacks start, the process claims each of its addresses; the workers of one
 * server, which all have the same settings, thus share out who is ours: the first, and if it ends, the
 * next that asks.
 */
#ifndef API_CLAIM_H
#define API_CLAIM_H

#include <stdbool.h>

struct config;

/* True: all are ours, or already were. False: `holder` is the process that has one (0: not known). */
bool claim_addresses(const struct config *config, int *holder);

/* In a child: they stay its parent's. */
void claim_forget(void);

#endif
