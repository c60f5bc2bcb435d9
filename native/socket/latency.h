/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that are measured by themselves, each read, write and callback of them, because an operator
 * chose them (pronghorn latency). There are SEGMENT_CHOSEN_MAX sets of histograms in the statistics
 * segment. A set is the console's while it is free or its socket has ended, else its socket's stack's.
 *
 * Nobody else pays for it: queues compare with a limit of their own in place of a constant.
 */
#ifndef SOCKET_LATENCY_H
#define SOCKET_LATENCY_H

#include <stdbool.h>
#include <stdint.h>

struct socket;
struct stack;

/* How many there are: who runs callbacks need not ask for each. */
extern _Atomic unsigned latency_chosen;

/* Console: reserves a set, one that is free or whose socket has ended. -1: none. */
int latency_reserve(void);
/* Console: it was not needed. */
void latency_unreserve(int set);
/* Console: forgets those whose sockets have ended: `id`, or all (0). */
void latency_forget_ended(uint64_t id);

/*
 * Home stack: measures the socket from now on, if its row is still that of `id`; anew, if it is measured
 * already. False: it is not; the set is free again.
 */
bool latency_choose(struct socket *sock, struct stack *stack, int set, uint64_t id);
/* Stack: measures its socket `id`, or none of its sockets (0), any more. */
void latency_release(struct stack *stack, uint64_t id);
/* Stack: the socket goes, its set stays to be read. */
void latency_end(struct socket *sock);

/*
 * Who runs callbacks, around one, on one thread. What the first returns is given to the second; 0: not
 * measured. NULL: the callback closed its socket.
 */
uint64_t latency_callback_begin(struct socket *sock);
void latency_callback_end(struct socket *sock, uint64_t begun_ns);

#endif
