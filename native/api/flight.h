/* SPDX-License-Identifier: Apache-2.0 */
/* The flight recorder as the settings want it: made, and hung onto the stacks. */
#ifndef API_FLIGHT_H
#define API_FLIGHT_H

struct config;

/* In the start, when the stacks run; later on the console's thread. -1, or the stack that did not answer (yet). */
int flight_apply(const struct config *config);

/* What makes it write itself to a file. */
void flight_apply_watch(const struct config *config);

#endif
