/* SPDX-License-Identifier: Apache-2.0 */
/* A network of its own for the kernel's side of a test. */
#ifndef TEST_CONFORMANCE_NETWORK_H
#define TEST_CONFORMANCE_NETWORK_H

#include <stdbool.h>

/* This process enters a network namespace and makes it ready by commands of the shell. False: not permitted. */
bool network_enter(const char *commands);

#endif
