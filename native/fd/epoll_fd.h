/* SPDX-License-Identifier: Apache-2.0 */
/* epoll_ctl(2) by descriptor numbers, whosever they are. */
#ifndef FD_EPOLL_FD_H
#define FD_EPOLL_FD_H

#include <sys/epoll.h>

/*
 * 0 or -errno. An epoll of the kernel's that gets a socket of ours becomes ours: its number stays, and
 * what is registered in it stays registered.
 */
int epoll_control_fd(int epfd, int op, int fd, struct epoll_event *event);

/* A descriptor registered in the kernel's `epfd` has become one of ours: it moves. */
void epoll_move(int epfd, int fd, struct epoll_event *event);

#endif
