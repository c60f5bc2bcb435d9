/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docs/differences.md as the tests read it: a list item that begins with `group/scenario: label`
 * permits the trace lines of that label in that scenario to differ from the kernel's. A label may
 * end in * and then stands for all that begin so.
 */
#ifndef TEST_CONFORMANCE_DIFFERENCES_H
#define TEST_CONFORMANCE_DIFFERENCES_H

#include <stdbool.h>
#include <stdio.h>

void differences_load(const char *group);
/* Are the traces equal but for listed lines? With `out`, the unlisted differences are printed. */
bool differences_compare(const char *scenario, const char *expected, const char *got, FILE *out);
/* How many listed ones never occurred; they are printed. */
int differences_unused(FILE *out);

#endif
