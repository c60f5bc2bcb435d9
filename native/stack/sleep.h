/* SPDX-License-Identifier: Apache-2.0 */
/* The one way in which threads of ours sleep in the kernel. */
#ifndef STACK_SLEEP_H
#define STACK_SLEEP_H

#include <poll.h>
#include <signal.h>
#include <stdint.h>

/* Until one of two descriptors (the second may be -1) is readable, or clock_now_us() reaches
 * `until_us` (UINT64_MAX: no bound). 0, or -EINTR when a signal handler ran. */
int sleep_on(int fd, int other_fd, uint64_t until_us);
/* The same with as many as there are, each with the events it is to be ready for. */
int sleep_on_all(struct pollfd *fds, nfds_t count, uint64_t until_us);
/* One descriptor, with this signal mask (NULL: the thread's) for as long as it sleeps. */
int sleep_masked(int fd, uint64_t until_us, const sigset_t *mask);
/* ppoll(2) by a thread that is in a call of ours: handlers find it outside (base/inside.h). */
int sleep_in_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask);

#endif
