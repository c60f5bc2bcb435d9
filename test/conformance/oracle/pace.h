/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a step is over: what it sent has arrived, and what that caused. Nothing here sleeps, so that the
 * outcome does not hang on how busy the machine is; what takes time by design (200 ms of MSG_MORE, a
 * second of a lost SYN) must not pass between two steps, and a run that took so long says so.
 */
#ifndef TEST_CONFORMANCE_ORACLE_PACE_H
#define TEST_CONFORMANCE_ORACLE_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Once, after the world was entered. False: the kernel's side cannot be followed here. */
bool pace_begin(void);

void pace_settle(void);

/* Settles again and again until `is_so` holds, at most so long as a delayed acknowledgement may take. */
void pace_until(bool (*is_so)(int fd), int fd);

/* How long a sequence may take so that none of the timers of 200 ms runs within it. */
#define PACE_QUICK_US 120000
uint64_t pace_now_us(void);

#endif
