/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoll(7) over our sockets and the kernel's descriptors together.
 *
 * An item for one of our sockets is a watch on it: its stack puts the item on `arrived` when
 * something changed; the waiting thread moves it to its own ready list and asks the socket what
 * holds now. Level-triggered items stay on that list as long as something holds, edge-triggered ones
 * leave it when told. Items for the kernel's descriptors live in a kernel epoll of their own.
 */
#ifndef FD_EPOLL_H
#define FD_EPOLL_H

#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "socket/file.h"

/*
 * A file of kind FILE_EPOLL with one user, or -errno. `kernel_fd`: an epoll of the kernel's that it is
 * made around, and closes; -1: none.
 */
int epoll_create_file(int kernel_fd, struct file **out);

/* 0 or -errno, as epoll_ctl(2). `target`: the file of `fd` if it is one of ours, else NULL. */
int epoll_control(struct file *file, int op, int fd, struct file *target,
                  const struct epoll_event *event);

/*
 * Events (at least 1, unless the time is over), or -errno. Deadline in clock_now_ns(). The signal mask
 * (NULL: none) holds only while the thread sleeps.
 */
int epoll_collect(struct file *file, struct epoll_event *events, int max, uint64_t deadline_ns,
                  const sigset_t *mask);

/* What poll(2) says of it: EPOLLIN | EPOLLRDNORM or 0. The stacks were turned before. */
uint32_t epoll_events(struct file *file);
/*
 * Around a sleep on epoll_kernel_fd(), for who waits for it among other things: ask once more after it is
 * armed. False: another thread sleeps on it: look again soon.
 */
bool epoll_arm_inner(struct file *file, uint64_t *until_us);
void epoll_disarm_inner(struct file *file);

/* For loops that sleep in a wait of their own: pronghorn.h, ph_epoll_fd and ph_epoll_prepare. */
int epoll_kernel_fd(struct file *file);
int epoll_prepare(struct file *file, uint64_t *timeout_us);

#endif
