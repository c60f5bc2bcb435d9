/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals for what happens to a socket (fcntl(2), F_SETOWN): SIGURG when the peer announces an urgent byte and
 * there is an owner, SIGIO or F_SETSIG's when O_ASYNC is set and something can be done. A watch as epoll's tells
 * the latter: sockets without it pay nothing.
 *
 * Whoever drives the stack raises them. A thread that does so within a call of the application's puts it off
 * until it has left the call or sleeps in it (base/inside.h): the handler may use the socket then.
 */
#ifndef SOCKET_ASYNC_H
#define SOCKET_ASYNC_H

#include <stdbool.h>

#include "socket/socket.h"

/* F_SETOWN, F_SETOWN_EX, F_SETSIG and what asks for them, but for F_GETOWN; -EINVAL: none of these. */
int async_fcntl(struct socket *sock, int cmd, long argument);
/* F_GETOWN, SIOCGPGRP: the number of the process, negative: of the group. */
int async_owner(struct socket *sock);
/* O_ASYNC, FIOASYNC by the descriptor `fd`, whose number signals with more to say bear. */
int async_enable(struct socket *sock, int fd, bool on);
bool async_is_on(struct socket *sock);
/* All that was set on the kernel's socket `fd`, which becomes this one. */
void async_take_over(struct socket *sock, int fd);

/* Stack: an urgent byte is announced. */
void async_urgent(struct socket *sock);

#endif
