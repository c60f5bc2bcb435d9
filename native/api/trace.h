/* SPDX-License-Identifier: Apache-2.0 */
/* The trace points as the settings want them: their rings made, the stacks told. */
#ifndef API_TRACE_H
#define API_TRACE_H

struct config;

/* In the start, when the stacks run; later on the console's thread. -1, or the stack that did not answer (yet). */
int trace_apply(const struct config *config);

#endif
