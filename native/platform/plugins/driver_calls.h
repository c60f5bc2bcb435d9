/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of DPDK's drivers and libraries into libc that must come out otherwise for us. The build renames
 * them in their objects (cmake/dpdk.cmake), so that nothing else is touched.
 */
#ifndef PLATFORM_PLUGINS_DRIVER_CALLS_H
#define PLATFORM_PLUGINS_DRIVER_CALLS_H

#include <sys/types.h>

/* The process that runs DPDK, not one that it forked; set before the start. */
extern pid_t driver_calls_owner;

/*
 * Waits until no thread is inside a burst of a port that it entered before the call; set by port/.
 * Called on DPDK's interrupt thread.
 */
extern void (*driver_calls_quiesce)(void);

/*
 * How long virtio_user waits for its first peer, in milliseconds; set by port/ before it is probed, and
 * negative afterwards if nobody came. 0: for ever, as when a peer is known to be there.
 */
extern int driver_calls_accept_ms;

/*
 * The fanout group of the af_packet port that is being probed. Set to -1 by port/ before: its first
 * queue makes the group.
 */
extern int driver_calls_fanout;

/*
 * Of a memif port as client: the connection to its server is there, or over; set by port/. The first is
 * called inside of the call that connects, the second on DPDK's interrupt thread too, and for every
 * other descriptor that the driver closes.
 */
extern void (*driver_calls_connected)(int fd);
extern void (*driver_calls_closing)(int fd);

/* Connects once more: 0, or -1. On DPDK's interrupt thread, where the driver takes a lost connection down. */
int driver_calls_memif_connect(const char *dpdk_name);

#endif
