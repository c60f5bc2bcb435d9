/* SPDX-License-Identifier: Apache-2.0 */
/* Blocking: the calling thread sleeps until a socket has one of some events. */
#ifndef SOCKET_WAIT_H
#define SOCKET_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "socket/socket.h"

/*
 * Until one of `events`, EPOLLERR or EPOLLHUP holds: 0. -EAGAIN at `deadline_ns` (clock_now_ns();
 * UINT64_MAX: none), -EINTR when a signal handler ran, -EBADF when another thread closed the socket.
 * Drives inline stacks meanwhile.
 */
int socket_wait(struct socket *sock, uint32_t events, uint64_t deadline_ns);
/* The same, or until more than `bytes` can be received, be they fewer than SO_RCVLOWAT asks for. */
int socket_wait_bytes(struct socket *sock, uint32_t events, uint64_t bytes, uint64_t deadline_ns);

/* How long one call is willing to wait; begins as { .block = may it? }. */
struct patience {
    bool block;
    bool polled;          /* it looked into the ports */
    uint64_t deadline_ns; /* 0: it has not waited yet */
};

/*
 * A call found nothing to do. 0: it looks again, be it after a turn of inline stacks (what it wants
 * may lie in a port), be it after a wait as socket_wait_bytes(). -EAGAIN: it may not wait, or no longer.
 */
int socket_look_again(struct socket *sock, struct patience *patience, uint32_t events, uint64_t bytes,
                      uint64_t timeout_us);

/* The absolute deadline for a SO_RCVTIMEO or SO_SNDTIMEO in microseconds (0: none). */
uint64_t socket_deadline(uint64_t timeout_us);

/*
 * Inline: one turn for a call that found nothing and may not block, so that a caller who only polls
 * makes progress. True: look again.
 */
bool socket_poll(struct socket *sock);

/*
 * Whether what a call puts into a queue may wait for the next turn, which another call makes, or the caretaker. That
 * one stays out while somebody sleeps who will come back; it may be this thread, woken by something else.
 */
static inline bool socket_may_put_off(const struct stack *stack)
{
    return stack->driver->caller_drives && atomic_load_explicit(&stack->attended, memory_order_relaxed) == 0;
}

#endif
