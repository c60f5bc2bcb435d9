/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lending received packets to the application: include/pronghorn/zerocopy.h says what is promised.
 *
 * Each socket that lends has a lender: the list of its loans in the order in which they were lent. A
 * loan is one arrival taken off the receive queue (or its copy in send chunks), and is over when all
 * segments of it are back; the arrival then goes to its stack's `returns`, and its bytes count as
 * consumed, which opens the peer's window.
 *
 * A loan is named by its lender's place in a table and its number there, never by address: returning
 * one twice, or after the runtime stopped, is an error and no harm. Lenders outlive their sockets
 * until the last loan is back; their memory is reused, and their numbers go on.
 *
 * Locks: lender.lock, then recv_queue.reader.
 */
#ifndef SOCKET_LEND_H
#define SOCKET_LEND_H

#include "socket/socket.h"

/* As struct ph_segment. */
struct lend_segment {
    const uint8_t *data;
    uint32_t bytes;
    uint32_t flags;
    uint64_t time_ns;
    uint64_t loan;
};

#define LEND_MORE 1u
#define LEND_SEGMENTS_MIN 64u
#define LEND_ARENA 0x1000000
#define LEND_QUIET 0x2000000

/* Application: see ph_recv_lend(). `place`: the code that borrows. */
ssize_t lend_receive(struct socket *sock, struct lend_segment *segments, size_t max, int flags,
                     const void *place);
/* Application: 0 or -EINVAL. */
int lend_return(const struct lend_segment *segments, size_t count);
/* Application: 0 or -EINVAL. */
int lend_names(const struct lend_segment *segment, struct endpoint *from, struct endpoint *to, int *family);

/* Application: the socket closes or is made new; what is lent counts no longer. */
void lend_detach(struct socket *sock);
/* Stack, now and then: warns when a borrower keeps what the socket needs. */
void lend_look(struct socket *sock);
/* While stopping, when no thread is inside a call: all loans end. */
void lend_stop(void);

/* ---- reserve.c: see ph_send_reserve() and its like ---- */
int reserve_room(struct socket *sock, void **data, size_t bytes, int flags);
size_t reserve_max(const struct socket *sock);
ssize_t reserve_commit(struct socket *sock, size_t bytes, int flags, const struct sockaddr *to,
                       socklen_t to_len);
int reserve_warm(struct socket *sock, const void *data, size_t bytes, const struct sockaddr *to,
                 socklen_t to_len);

#endif
