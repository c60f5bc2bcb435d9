/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork(): a child has its parent's descriptors and a copy of its memory, but none of its threads, and
 * not the memory of the stacks (platform/arena.h: left out). So in the child what was ours is gone:
 * the numbers stand for sockets of the kernel's that were never connected (ENOTCONN, EPIPE), listeners
 * of both sides are the kernel's, and undecided sockets stay undecided. A child forked before the
 * stacks started is like any other process.
 */
#ifndef API_FORK_H
#define API_FORK_H

#include <stdbool.h>

/* From now on forks of this process are attended to. Idempotent. */
void fork_attend(void);

/* Whether this process ever forked: another one may take from a listener's kernel half. */
bool fork_has_children(void);

/*
 * In a child that had sockets of its parent's stacks: a call on the kernel's descriptor `fd`. When it is
 * one of those, that is said once, with the rule that mends it.
 */
extern bool fork_lost_any;
void fork_warn(int fd);

#endif
