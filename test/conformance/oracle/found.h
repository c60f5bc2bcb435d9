/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_CONFORMANCE_ORACLE_FOUND_H
#define TEST_CONFORMANCE_ORACLE_FOUND_H

#include "oracle.h"

/* The sequences of a found.txt, and how many; their `seed` is the number of the line. */
int found_read(const char *path, struct sequence *list, int max);

#endif
