/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An epoll that a program got from the kernel becomes ours with the first socket of ours in it. Other
 * threads may sleep in the kernel's epoll_wait() at that moment, where our events do not reach them: a
 * marker, a readable descriptor that the program does not know, wakes them one after the other, each
 * passing it on. Nobody shows it to the program.
 */
#ifndef FD_EPOLL_MARKER_H
#define FD_EPOLL_MARKER_H

#include <stdbool.h>
#include <sys/epoll.h>

void epoll_marker_add(int kernel_epfd);
/* A thread was woken by it: the next one's turn. */
void epoll_marker_pass(int kernel_epfd);
bool epoll_is_marker(const struct epoll_event *event);

/*
 * Takes it out of `count` events: how many are left. As long as threads sleep in the kernel's wait for
 * that epoll, it is passed on.
 */
int epoll_without_marker(struct epoll_event *events, int count, int kernel_epfd, int program_epfd);

/* Around the kernel's wait; between the two the caller looks once more whose `epfd` is. */
void epoll_sleep_begin(int program_epfd);
void epoll_sleep_end(int program_epfd);

#endif
