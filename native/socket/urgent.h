/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP's urgent data as tcp(7) and the kernel have it: at most one byte of the stream is urgent, the last
 * that the peer announced. Reading stops at it (the mark), and steps over it unless SO_OOBINLINE is set;
 * recv(MSG_OOB) gets it at any time, once.
 *
 * The state is one word in the receive queue: the byte's position in the stream, what is known of it,
 * and its value. 0: there is none, and nobody pays more than that look. The stack announces and stores,
 * the application takes and forgets; each by one atomic exchange, so neither waits for the other.
 *
 * Sending: the position behind the last urgent byte, which the stack turns into a sequence number.
 */
#ifndef SOCKET_URGENT_H
#define SOCKET_URGENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/compiler.h"
#include "socket/recv.h"

struct msghdr;
struct socket;

static inline bool urgent_is_set(const struct recv_queue *q)
{
    return UNLIKELY(atomic_load_explicit(&q->urgent, memory_order_acquire) != 0);
}

/* Stack: the byte at this position of the stream is urgent. False: that is nothing new. */
bool urgent_announce(struct recv_queue *q, uint64_t at, bool in_line);
/* Stack: the stream from position `from` on. True: the urgent byte is among it, it is there now. */
bool urgent_look(struct recv_queue *q, uint64_t from, const struct pbuf *data);

/*
 * Application, under `reader`: recv_queue_read() with regard to the mark. `*behind` is how many bytes
 * beside those given lie before what comes next (peeking steps over the urgent byte without taking it).
 * `*stop`: the mark is reached and something was read; the call ends.
 */
struct urgent_read {
    bool peek, in_line;
    size_t done; /* bytes that the call has read before */
    size_t behind;
    bool stop;
};
size_t urgent_read(struct recv_queue *q, struct urgent_read *how, const struct iovec *iov, int iov_count,
                   size_t bytes);

/* recv(2) with MSG_OOB: it never waits. */
ssize_t urgent_receive(struct socket *sock, struct msghdr *msg, int flags);

/* SIOCATMARK: the next byte to be read is the urgent one. */
bool urgent_at_mark(struct recv_queue *q);
/* EPOLLPRI: the byte is there, and was not read. */
bool urgent_is_there(struct recv_queue *q);
/* How much one call can read now: FIONREAD. */
uint64_t urgent_readable_bytes(struct recv_queue *q, bool in_line);
/* How much counts for EPOLLIN: without an urgent byte that reading would step over. */
uint64_t urgent_ready_bytes(struct recv_queue *q, bool in_line);

#endif
