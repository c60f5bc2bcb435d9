/* SPDX-License-Identifier: Apache-2.0 */
/* poll(2) and select(2) over our sockets and the kernel's descriptors together. */
#ifndef FD_POLL_H
#define FD_POLL_H

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/select.h>

/* The number of descriptors with events, 0 at the deadline (clock_now_ns()), or -errno. */
int poll_wait(struct pollfd *fds, nfds_t count, uint64_t deadline_ns, const sigset_t *mask);
int select_wait(int count, fd_set *in, fd_set *out, fd_set *except, uint64_t deadline_ns,
                const sigset_t *mask);

#endif
