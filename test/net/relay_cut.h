/* SPDX-License-Identifier: Apache-2.0 */
/* A wire whose routers cut what is too long for them: large TCP segments become fragments of IP. */
#ifndef TEST_NET_RELAY_CUT_H
#define TEST_NET_RELAY_CUT_H

#include <stddef.h>
#include <stdint.h>

#define CUT_FRAME 2048

/*
 * The fragments of a frame with a TCP segment, each with at most `most` bytes (a multiple of 8) of it: calls
 * `emit` for each of them, or once for a frame that is short enough or something else.
 */
void relay_cut(const uint8_t *frame, size_t bytes, size_t most,
               void (*emit)(void *context, const uint8_t *frame, size_t bytes), void *context);

#endif
