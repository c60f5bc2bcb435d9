/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statistics segment through DPDK's telemetry socket (stats.telemetry), for those who have
 * collectors for that: the commands /pronghorn/info, /pronghorn/stats and so on, beside DPDK's own.
 * A thread of DPDK's serves them; it reads what lies in memory and asks no stack.
 */
#ifndef PLATFORM_TELEMETRY_H
#define PLATFORM_TELEMETRY_H

/*
 * After eal_start() with telemetry and segment_create(). 0, or -errno: the socket is not there, and
 * nothing else is wrong. Makes the socket its user's alone.
 */
int telemetry_start(void);

/* Removes the sockets of killed processes, behind which nobody listens. After eal_start(), whatever telemetry is. */
void telemetry_sweep(void);
/* Before segment_remove(): who asks afterwards gets nothing. Idempotent. */
void telemetry_stop(void);

#endif
