/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets of both sides (file.kernel_side): a listener or a UDP socket on all addresses, of which one
 * half is ours and the other is the kernel's socket of the same descriptor. Neither half waits: these
 * calls take from either, and wait on both. Results: >= 0 or -errno.
 */
#ifndef API_BOTH_H
#define API_BOTH_H

#include "socket/socket.h"

int both_accept(struct socket *sock, int fd, struct sockaddr *addr, socklen_t *len, int flags,
                int (*own)(struct socket *, struct sockaddr *, socklen_t *, int));
ssize_t both_recv(struct socket *sock, int fd, struct msghdr *msg, int flags);
/* Where the destination wrote from, or else where the rules say that it is. */
ssize_t both_send(struct socket *sock, int fd, const struct msghdr *msg, int flags);
/*
 * A UDP socket with a peer is on one side only. 1: it is the kernel's now, and connected there; 0:
 * ours alone, to be connected.
 */
int both_connect(struct socket *sock, int fd, const struct sockaddr *addr, socklen_t len);
int both_setsockopt(struct socket *sock, int fd, int level, int name, const void *value, socklen_t len);

#endif
