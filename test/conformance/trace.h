/* SPDX-License-Identifier: Apache-2.0 */
/* The trace's end of the harness. */
#ifndef TEST_CONFORMANCE_TRACE_H
#define TEST_CONFORMANCE_TRACE_H

#include "harness.h"

/* Lines go to this descriptor; SIGPIPE is counted from now on. */
void trace_start(int fd);
/* A new scenario: no section, no ports named. */
void trace_scenario(void);

#endif
