/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket of an unmodified program before it is known whose it is (fd/route.h). It is a real socket
 * of the kernel's, which all calls but those below go to as if we were not there, and an entry in the
 * descriptor table that remembers what the program set. The first address decides:
 *
 *  - the kernel's: the entry goes away; from then on the socket costs nothing;
 *  - ours: a socket of ours gets the descriptors, what was set is applied to it, and the kernel's
 *    socket stays behind as the holder of the number (fstat, dup, exec and select keep their sense);
 *  - both (a listener, or a UDP socket on all addresses): the same, and the kernel's socket is bound
 *    and listens as well; accept, recv and all waits take from either (file.kernel_side).
 *
 * A socket that is bound or listens becomes ours no earlier than with the first call that waits on it
 * or takes from it. So a program that forks between listen() and that call (to become a daemon, or to
 * leave accepting to workers) starts our stacks in the process that serves.
 *
 * Results: 0 or -errno. Each call has a use of `file`.
 */
#ifndef FD_UNDECIDED_H
#define FD_UNDECIDED_H

#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "socket/file.h"

/* socket(2): a descriptor, plainly the kernel's unless we serve its domain, type and protocol. */
int undecided_open(int domain, int type, int protocol);

/*
 * Before the first of them: starts the stacks, 0 or -errno. `begin`, once after that: all that is bound or listens
 * is on them now, so that peers may come.
 */
void undecided_set_start(int (*start)(void), void (*begin)(void));
/* Why it last failed; kept, not copied. */
void undecided_set_reason(const char *why);

int undecided_bind(struct file *file, int fd, const struct sockaddr *addr, socklen_t len);
int undecided_listen(struct file *file, int fd, int backlog);
int undecided_setsockopt(struct file *file, int fd, int level, int name, const void *value,
                         socklen_t len);
int undecided_getsockname(struct file *file, int fd, struct sockaddr *addr, socklen_t *len);

/*
 * Decide, and leave the call itself to be made on what the descriptor then is: connect(2) and
 * datagrams to `addr` (NULL: no address), and calls that wait or take (undecided_serve).
 */
int undecided_connect(struct file *file, int fd, const struct sockaddr *addr, socklen_t len);
int undecided_serve(struct file *file, int fd);

/* It is the kernel's from now on. */
void undecided_leave(struct file *file, int fd, const char *reason);

/* The same for a descriptor, if it is one of these; serve: it is waited on. */
void fd_serve(int fd);

/* epoll_ctl(2) went to the kernel: remembered for the case that it becomes ours. */
void undecided_watch(struct file *file, int op, int epfd, int fd, const struct epoll_event *event);

/* Whether one is bound or listens and will be ours with its first use. */
bool undecided_one_waits(void);

/* In a child: no other thread holds anything; of one descriptor, and of all. */
void undecided_inherited(struct file *file);
void undecided_forked(void);

#endif
