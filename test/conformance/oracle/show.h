/* SPDX-License-Identifier: Apache-2.0 */
/* How the trace of a sequence tells what a call returned: appended to the line of its step. */
#ifndef TEST_CONFORMANCE_ORACLE_SHOW_H
#define TEST_CONFORMANCE_ORACLE_SHOW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Where the lines go; what a step says beyond its result, it prints there itself. */
extern FILE *trace;

/* A new trace: ports are numbered from the first, and SIGPIPE is told, not died of. */
void show_begin(FILE *to);

/* The result of a call, or its errno. True: it succeeded. */
bool say(long long result);
/* For what gives a descriptor: whether it did. */
bool say_fd(int fd);
/* A struct sockaddr; ports by the order in which they appear. */
void say_address(const void *address);
void say_bytes(const uint8_t *bytes, long long count);

#endif
