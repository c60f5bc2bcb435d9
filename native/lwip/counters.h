/* SPDX-License-Identifier: Apache-2.0 */
/* lwIP's own counters and those of events.h, as rows of stats/counters.def. */
#ifndef PRONGHORN_LWIP_COUNTERS_H
#define PRONGHORN_LWIP_COUNTERS_H

#include <stdbool.h>

struct stats_stack;

/*
 * In a turn: adds what was counted since the last call, and sets the levels that lwIP knows. True:
 * timers of connections ran.
 */
bool counters_fold(struct stats_stack *stats);

#endif
