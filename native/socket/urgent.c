/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/urgent.h"

#include <errno.h>

#include "lwip/pieces.h"
#include "socket/socket.h"

enum state { NONE, AWAITED, THERE, TAKEN };

#define POSITION_SHIFT 10 /* 54 bits: they come round after 16 PiB, and are compared as such */
#define STATE_SHIFT 8

static uint64_t word_of(uint64_t at, enum state state, uint8_t byte)
{
    return at << POSITION_SHIFT | (uint64_t)state << STATE_SHIFT | byte;
}

static enum state state_of(uint64_t word)
{
    return (enum state)(word >> STATE_SHIFT & 3);
}

/* How far the mark lies ahead of a position of the stream; negative: behind it. */
static int64_t ahead_of(uint64_t word, uint64_t position)
{
    return (int64_t)((word & ~(uint64_t)((1 << POSITION_SHIFT) - 1)) - (position << POSITION_SHIFT)) >>
           POSITION_SHIFT;
}

/* What was taken off the queue, by reading or lending. Exact under `reader`. */
static uint64_t taken(const struct recv_queue *q)
{
    return atomic_load_explicit(&q->consumed, memory_order_relaxed) +
           atomic_load_explicit(&q->lent, memory_order_relaxed);
}

static uint64_t received(const struct recv_queue *q)
{
    return atomic_load_explicit(&q->received, memory_order_acquire);
}

/* Where reading goes on: behind an earlier urgent byte that is to be dropped. */
static uint64_t next(const struct recv_queue *q)
{
    uint64_t at = taken(q);

    return at + (atomic_load_explicit(&q->urgent_drop, memory_order_relaxed) == at + 1);
}

/* The state, if reading has not passed the mark; one that it has is forgotten. */
static uint64_t current(struct recv_queue *q)
{
    uint64_t word = atomic_load_explicit(&q->urgent, memory_order_acquire);

    if (word == 0 || ahead_of(word, next(q)) >= 0)
        return word;
    atomic_compare_exchange_strong(&q->urgent, &word, 0);
    return 0;
}

bool urgent_announce(struct recv_queue *q, uint64_t at, bool in_line)
{
    uint64_t word = current(q), position = next(q);

    if (word != 0 && ahead_of(word, at) >= 0)
        return false;
    /*
     * As the kernel: an urgent byte that the next one replaces is read as any other, but for one that
     * reading has stopped at. tcp_check_urg() says why.
     */
    if (word != 0 && ahead_of(word, position) == 0 && !in_line && position != received(q))
        atomic_store_explicit(&q->urgent_drop, position + 1, memory_order_relaxed);
    atomic_store_explicit(&q->urgent, word_of(at, AWAITED, 0), memory_order_release);
    return true;
}

static uint8_t byte_at(const struct pbuf *data, uint64_t offset)
{
    while (offset >= piece_bytes(data)) {
        offset -= piece_bytes(data);
        data = piece_next(data);
    }
    return piece_data(data)[offset];
}

bool urgent_look(struct recv_queue *q, uint64_t from, const struct pbuf *data)
{
    uint64_t word = atomic_load_explicit(&q->urgent, memory_order_relaxed);
    int64_t offset = ahead_of(word, from);

    if (state_of(word) != AWAITED || offset < 0 || offset >= pieces_bytes(data))
        return false;
    return atomic_compare_exchange_strong(
        &q->urgent, &word, word_of(from + (uint64_t)offset, THERE, byte_at(data, (uint64_t)offset)));
}

/* An earlier urgent byte that reading had stopped at goes unread. */
static void drop(struct recv_queue *q)
{
    uint64_t due = atomic_load_explicit(&q->urgent_drop, memory_order_relaxed);

    if (due == 0)
        return;
    if (due == taken(q) + 1 && recv_queue_read(q, NULL, 0, 0, 1, false) == 0)
        return;
    atomic_store_explicit(&q->urgent_drop, 0, memory_order_relaxed);
}

size_t urgent_read(struct recv_queue *q, struct urgent_read *how, const struct iovec *iov, int iov_count,
                   size_t bytes)
{
    uint64_t word, ahead;
    size_t part;

    how->behind = 0;
    how->stop = false;
    if (bytes == 0) /* looks, and steps over nothing */
        return 0;
    drop(q);
    word = current(q);
    if (word == 0)
        return recv_queue_read(q, iov, iov_count, how->done, bytes, how->peek);
    ahead = (uint64_t)ahead_of(word, taken(q));
    if (ahead > 0) {
        part = recv_queue_read(q, iov, iov_count, how->done, min_size(bytes, ahead), how->peek);
        how->stop = part == ahead;
        return part;
    }
    if (how->done > 0) {
        how->stop = true;
        return 0;
    }
    if (how->in_line)
        part = recv_queue_read(q, iov, iov_count, how->done, bytes, how->peek);
    else if (how->peek)
        part = recv_queue_peek_behind(q, iov, iov_count, how->behind = 1, bytes);
    else if (recv_queue_read(q, NULL, 0, 0, 1, false) > 0)
        part = recv_queue_read(q, iov, iov_count, how->done, bytes, false);
    else
        part = 0;
    current(q);
    return part;
}

bool urgent_at_mark(struct recv_queue *q)
{
    uint64_t word = current(q);

    return word != 0 && ahead_of(word, next(q)) == 0;
}

bool urgent_is_there(struct recv_queue *q)
{
    return state_of(current(q)) == THERE;
}

uint64_t urgent_readable_bytes(struct recv_queue *q, bool in_line)
{
    uint64_t word = current(q), position = next(q), all = received(q) - position;

    if (word == 0 || in_line || ahead_of(word, received(q)) >= 0)
        return all;
    return (uint64_t)ahead_of(word, position);
}

uint64_t urgent_ready_bytes(struct recv_queue *q, bool in_line)
{
    uint64_t all = received(q) - next(q);

    return all - (all > 0 && !in_line && urgent_at_mark(q));
}

static size_t room_of(const struct msghdr *msg)
{
    size_t room = 0;

    for (size_t i = 0; i < msg->msg_iovlen; i++)
        room += msg->msg_iov[i].iov_len;
    return room;
}

static void put(const struct msghdr *msg, uint8_t byte)
{
    size_t i = 0;

    while (msg->msg_iov[i].iov_len == 0)
        i++;
    *(uint8_t *)msg->msg_iov[i].iov_base = byte;
}

/* The kernel's tcp_recv_urg(). */
ssize_t urgent_receive(struct socket *sock, struct msghdr *msg, int flags)
{
    struct recv_queue *q = &sock->rx;
    bool closed = socket_state(sock) == SOCKET_CLOSED;
    uint64_t word = current(q);

    while (!sock->options.oob_inline && state_of(word) == THERE) {
        if (closed && !socket_has(sock, SOCKET_RX_END))
            return -ENOTCONN;
        if (!(flags & MSG_PEEK) &&
            !atomic_compare_exchange_weak(&q->urgent, &word, (word & ~(3ull << STATE_SHIFT)) |
                                                                 (uint64_t)TAKEN << STATE_SHIFT))
            continue; /* another one was announced */
        msg->msg_flags |= MSG_OOB;
        if (room_of(msg) == 0) {
            msg->msg_flags |= MSG_TRUNC;
            return 0;
        }
        if (!(flags & MSG_TRUNC))
            put(msg, (uint8_t)word);
        return 1;
    }
    if (sock->options.oob_inline || state_of(word) != AWAITED)
        return -EINVAL; /* tcp(7) has no better word for it */
    if (closed || socket_has(sock, SOCKET_RX_END | SOCKET_RX_SHUT))
        return closed && !socket_has(sock, SOCKET_RX_END) ? -ENOTCONN : 0;
    return -EAGAIN;
}
