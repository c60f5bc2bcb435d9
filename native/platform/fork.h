/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK's memory and fork(). Shared pages would let a child write into its parent's packets; private
 * ones would be copied, away from the addresses that devices know, with the parent's next write. So a
 * child gets none of it: a touch there is a fault, and nothing in a child goes there.
 */
#ifndef PLATFORM_FORK_H
#define PLATFORM_FORK_H

/* After the EAL's start; also covers what it maps later. */
void fork_leave_out(void);

#endif
