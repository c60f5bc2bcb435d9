/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readiness. What holds is computed from the queues (ops->events); what changed is told to the
 * socket's watches, once per turn and socket (ready_flush). A watch is an epoll item or a thread
 * blocked in a call. Watches of a settled socket are touched by its home stack alone.
 */
#ifndef SOCKET_READY_H
#define SOCKET_READY_H

#include <stdint.h>
#include <sys/epoll.h>

#include "socket/socket.h"

/* Of a change of state: all watches are told, whatever they wait for (sk_state_change() of the kernel). */
#define READY_STATE (EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)

/* Any stack's turn: `events` (EPOLL*) have become true. */
void ready_raise(struct socket *sock, struct stack *current, uint32_t events);

/* stack->ready_flush: tells the watches of all sockets with raised events. */
void ready_flush(struct stack *stack);

/* The stack: tells the socket's writers when chunks are to be had again. */
void ready_starved(struct socket *sock);

/* Application: has the home stack tell the watches, after a change made on this side. */
void ready_poke(struct socket *sock);
/* The same for those of `events`. */
void ready_tell(struct socket *sock, uint32_t events);

/* Application, when the socket closes: takes all watches off and tells them that it is gone. */
void ready_unwatch_all(struct socket *sock);

/* Application: adds and removes a watch. After removal returns, notify is not running or called. */
void ready_watch(struct socket *sock, struct watch *watch);
void ready_unwatch(struct socket *sock, struct watch *watch);

#endif
