/* SPDX-License-Identifier: Apache-2.0 */
/* The worlds in which scenarios run: the kernel's sockets, and ours with each way of driving. */
#ifndef TEST_CONFORMANCE_WORLDS_H
#define TEST_CONFORMANCE_WORLDS_H

#include "harness.h"

extern const struct world worlds[]; /* the kernel first */
extern const int worlds_count;

/* Settling takes as many times longer; grows when a scenario is run again. */
extern unsigned world_patience;
extern const char *world_caretaker_ms; /* stack.caretaker_ms of our worlds */

/* Makes `sys` that world's; starts our runtime. False: it does not start (a line on stderr). */
bool world_enter(const struct world *w);
/* Closes what the scenario left open. */
void world_tidy(void);

#endif
