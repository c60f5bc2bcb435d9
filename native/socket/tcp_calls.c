/* SPDX-License-Identifier: Apache-2.0 */
/* The application's half of a TCP socket: what holds, sending and receiving, all on the queues. */
#include <errno.h>

#include "socket/control_message.h"
#include "socket/ready.h"
#include "socket/tcp.h"
#include "socket/urgent.h"
#include "socket/wait.h"

/* More than this consumed but not credited: the stack is told now, not with its next turn. */
#define CREDIT_SOON_BYTES 16384
#define CREDIT_SOON_ARRIVALS 16
#define WINDOW_LEAST_BYTES 4096 /* into less room than that a peer may send nothing */

/* SO_RCVLOWAT: so much, or as much as may come before something is read (tcp_epollin_ready()). */
static bool is_enough(const struct socket *sock, uint64_t bytes)
{
    uint64_t held = recv_queue_held(&sock->rx);
    uint32_t limit = atomic_load_explicit(&sock->rx.limit, memory_order_relaxed);

    return bytes >= (uint64_t)sock->options.low_water || held + max_u32(limit / 8, WINDOW_LEAST_BYTES) >= limit;
}

static bool is_readable_past_urgent(struct socket *sock)
{
    uint64_t bytes = urgent_ready_bytes(&sock->rx, sock->options.oob_inline);

    return bytes > 0 && (sock->options.low_water <= 1 || is_enough(sock, bytes));
}

static inline bool is_readable(struct socket *sock)
{
    return !recv_queue_is_empty(&sock->rx) &&
           (LIKELY(sock->options.low_water <= 1) || is_enough(sock, recv_queue_bytes(&sock->rx)));
}

uint32_t tcp_events(struct socket *sock)
{
    enum socket_state state = socket_state(sock);
    uint32_t flags = atomic_load_explicit(&sock->flags, memory_order_acquire);
    uint32_t events = 0;

    /* Not its error either: that is stored a moment before the state, and who is waiting for the
     * outcome would wake up between the two and find neither a failure nor a connection. */
    if (state == SOCKET_CONNECTING)
        return 0;
    if (atomic_load_explicit(&sock->error, memory_order_relaxed))
        events |= EPOLLERR;
    if (urgent_is_set(&sock->rx) && urgent_is_there(&sock->rx))
        events |= EPOLLPRI;
    if (state == SOCKET_CLOSED)
        return events | EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLHUP | EPOLLRDHUP;
    if (state == SOCKET_IDLE)
        return events | EPOLLOUT | EPOLLWRNORM | EPOLLHUP |
               (flags & SOCKET_RX_SHUT ? EPOLLIN | EPOLLRDNORM | EPOLLRDHUP : 0);
    if (flags & (SOCKET_RX_END | SOCKET_RX_SHUT))
        events |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
    else if (urgent_is_set(&sock->rx) ? is_readable_past_urgent(sock) : is_readable(sock))
        events |= EPOLLIN | EPOLLRDNORM;
    if ((flags & SOCKET_TX_SHUT) || send_queue_is_writable(&sock->tx))
        events |= EPOLLOUT | EPOLLWRNORM;
    else {
        atomic_store(&sock->tx.wants_room, true); /* tell when this changes */
        if (UNLIKELY(send_queue_is_writable(&sock->tx))) /* it did just now */
            events |= EPOLLOUT | EPOLLWRNORM;
    }
    if ((flags & (SOCKET_RX_END | SOCKET_RX_SHUT)) && (flags & SOCKET_TX_SHUT))
        events |= EPOLLHUP;
    return events;
}

/* Why nothing can be sent now: -errno; 0: it can. */
static int tcp_send_refusal(struct socket *sock)
{
    int error = socket_take_error(sock);

    if (error)
        return -error;
    switch (socket_state(sock)) {
    case SOCKET_CONNECTED: return socket_has(sock, SOCKET_TX_SHUT) ? -EPIPE : 0;
    case SOCKET_CONNECTING: return -EAGAIN;
    case SOCKET_IDLE:
    case SOCKET_LISTENING:
    case SOCKET_CLOSED: break;
    }
    return -EPIPE;
}

static size_t iov_bytes(const struct msghdr *msg)
{
    size_t bytes = 0;

    for (size_t i = 0; i < msg->msg_iovlen; i++)
        bytes += msg->msg_iov[i].iov_len;
    return bytes;
}

static void mark_urgent(struct send_queue *q)
{
    socket_set(container_of(q, struct socket, tx), SOCKET_URGENT);
}

static uint8_t byte_of(const struct msghdr *msg, size_t at)
{
    const struct iovec *iov = msg->msg_iov;

    for (; at >= iov->iov_len; iov++)
        at -= iov->iov_len;
    return ((const uint8_t *)iov->iov_base)[at];
}

/* send(2) with MSG_OOB: the last byte that there is room for is the urgent one, as tcp_mark_urg() has it. */
static size_t write_urgent(struct socket *sock, struct chunk_pool *pool, const struct msghdr *msg, size_t from,
                           size_t bytes)
{
    struct send_queue *q = &sock->tx;
    size_t part, most = min_size(bytes, send_queue_room(q));

    if (most == 0)
        return 0;
    part = send_queue_write(q, pool, msg->msg_iov, (int)msg->msg_iovlen, from, most - 1);
    return part < most - 1
               ? part
               : part + send_queue_write_urgent(q, pool, byte_of(msg, from + part), mark_urgent);
}

/* Under writer: as much as there is room for. */
static size_t write_some(struct socket *sock, const struct msghdr *msg, size_t from, size_t bytes, int flags)
{
    struct send_queue *q = &sock->tx;
    struct chunk_pool *pool = socket_stack(sock)->chunks;
    size_t part;

    if (UNLIKELY(flags & MSG_MORE))
        send_queue_hold(q);
    part = LIKELY(!(flags & MSG_OOB))
               ? send_queue_write(q, pool, msg->msg_iov, (int)msg->msg_iovlen, from, bytes)
               : write_urgent(sock, pool, msg, from, bytes);
    if (part > 0 && !(flags & MSG_MORE))
        send_queue_let_go(q);
    if (part < bytes)
        atomic_store(&q->wants_room, true);
    return part;
}

static ssize_t tcp_send_call(struct socket *sock, const struct msghdr *msg, int flags)
{
    struct patience patience = { .block = !(flags & MSG_DONTWAIT) && !file_nonblock(&sock->file) };
    size_t bytes = iov_bytes(msg), done = 0;
    int result;

    for (;;) {
        size_t part = 0;

        /* Asked under the lock: what is written is written before shutdown(), and to this peer. */
        lock_take(&sock->tx.writer);
        result = tcp_send_refusal(sock);
        if (result == 0 && bytes > 0)
            part = write_some(sock, msg, done, bytes - done, flags);
        lock_give(&sock->tx.writer);
        if (result == 0 && bytes == 0)
            return 0;
        if (result < 0 && result != -EAGAIN)
            return done ? (ssize_t)done : result;
        done += part;
        if (part > 0) {
            socket_mark_dirty(sock, true);
            if (done == bytes)
                return (ssize_t)done;
            continue; /* room may have come with that */
        }
        /* Nothing taken although OUT may hold: the pool of chunks is empty. */
        if (result == 0 && send_queue_room(&sock->tx) > 0) {
            atomic_store(&sock->tx.starved, true);
            socket_mark_dirty(sock, true);
        }
        result = socket_look_again(sock, &patience, EPOLLOUT, UINT64_MAX, sock->options.send_timeout_us);
        if (result < 0)
            return done ? (ssize_t)done : result;
    }
}

/* Tells the stack what was consumed. */
static void tcp_give_back(struct socket *sock)
{
    struct recv_queue *rx = &sock->rx;
    uint64_t owed = atomic_load_explicit(&rx->consumed, memory_order_relaxed) -
                    __atomic_load_n(&rx->credited, __ATOMIC_RELAXED);
    uint32_t limit = atomic_load_explicit(&rx->limit, memory_order_relaxed);
    bool soon = owed >= CREDIT_SOON_BYTES || owed >= limit / 4 ||
                rx->done_pending >= CREDIT_SOON_ARRIVALS;

    if (soon)
        rx->done_pending = 0;
    socket_mark_dirty(sock, soon);
}

/* No data will come after what is queued. */
static bool tcp_recv_is_over(struct socket *sock)
{
    enum socket_state state = socket_state(sock);

    return socket_has(sock, SOCKET_RX_END | SOCKET_RX_SHUT) ||
           (state != SOCKET_CONNECTED && state != SOCKET_CONNECTING) ||
           atomic_load_explicit(&sock->error, memory_order_relaxed) != 0;
}

/* The queue is empty and it is over: what recv(2) says then. */
static int tcp_recv_nothing(struct socket *sock)
{
    int error;

    /* The order is that of the kernel's tcp_recvmsg(). */
    if (socket_has(sock, SOCKET_RX_END))
        return 0;
    error = socket_take_error(sock);
    if (error)
        return -error;
    if (socket_has(sock, SOCKET_RX_SHUT))
        return 0;
    switch (socket_state(sock)) {
    case SOCKET_CLOSED: return 0;
    case SOCKET_IDLE:
    case SOCKET_LISTENING: return -ENOTCONN;
    case SOCKET_CONNECTING:
    case SOCKET_CONNECTED: break;
    }
    return -EAGAIN;
}

/* How much recv(2) waits for if it may wait (sock_rcvlowat() of the kernel). */
static size_t enough_for(const struct socket *sock, size_t bytes, int flags)
{
    size_t mark = sock->options.low_water > 1 ? (size_t)sock->options.low_water : 1;

    return flags & MSG_WAITALL ? bytes : min_size(mark, bytes);
}

/* What the call reads while there is an urgent byte. At the mark it ends: 0 is enough then. */
static size_t read_with_urgent(struct socket *sock, struct urgent_read *how, const struct iovec *iov,
                               int iov_count, size_t bytes, size_t *enough)
{
    uint64_t before = atomic_load_explicit(&sock->rx.consumed, memory_order_relaxed);
    size_t part = urgent_read(&sock->rx, how, iov, iov_count, bytes);

    if (how->stop)
        *enough = 0;
    if (part == 0 && atomic_load_explicit(&sock->rx.consumed, memory_order_relaxed) != before)
        tcp_give_back(sock);
    return part;
}

static ssize_t tcp_recv_call(struct socket *sock, struct msghdr *msg, int flags)
{
    struct patience patience = { .block = !(flags & MSG_DONTWAIT) && !file_nonblock(&sock->file) };
    bool peek = flags & MSG_PEEK;
    const struct iovec *iov = flags & MSG_TRUNC ? NULL : msg->msg_iov; /* tcp(7): discard */
    size_t bytes = iov_bytes(msg), done = 0, behind = 0, enough = enough_for(sock, bytes, flags);
    int result;

    msg->msg_namelen = 0;
    msg->msg_flags = 0;
    if (flags & (MSG_OOB | MSG_ERRQUEUE)) {
        msg->msg_controllen = 0;
        return flags & MSG_ERRQUEUE ? -EAGAIN : urgent_receive(sock, msg, flags);
    }
    for (;;) {
        bool over = tcp_recv_is_over(sock); /* before the look at the queue: it comes after all data */
        size_t part;

        lock_take(&sock->rx.reader);
        if (peek)
            done = 0; /* nothing is consumed: from the beginning each time */
        if (LIKELY(!urgent_is_set(&sock->rx))) {
            part = recv_queue_read(&sock->rx, iov, (int)msg->msg_iovlen, done, bytes - done, peek);
        } else {
            struct urgent_read how = { .peek = peek, .in_line = sock->options.oob_inline, .done = done };

            part = read_with_urgent(sock, &how, iov, (int)msg->msg_iovlen, bytes - done, &enough);
            behind = how.behind;
        }
        lock_give(&sock->rx.reader);
        done += part;
        if (part > 0 && !peek)
            tcp_give_back(sock);
        if (bytes > 0 ? done >= enough : !recv_queue_is_empty(&sock->rx)) /* 0: waits for data as well */
            break;
        if (over) {
            if (done > 0)
                break;
            result = tcp_recv_nothing(sock);
            if (result == 0)
                control_message_stream(sock, 0, msg);
            else
                msg->msg_controllen = 0;
            return result;
        }
        result = socket_look_again(sock, &patience, EPOLLRDHUP, peek ? done + behind : 0,
                                   sock->options.receive_timeout_us);
        if (result < 0 && done == 0 && (bytes > 0 || !patience.block))
            return result;
        if (result < 0)
            break;
    }
    if (done > 0)
        control_message_stream(sock, sock->rx.read_ns, msg);
    else
        msg->msg_controllen = 0;
    return (ssize_t)done;
}

static int not_listening(struct socket *sock, struct socket **accepted)
{
    (void)sock;
    (void)accepted;
    return -EINVAL;
}

const struct socket_ops tcp_ops = {
    .bind = socket_bind,
    .listen = tcp_listen_call,
    .accept = not_listening,
    .connect = tcp_connect_call,
    .shutdown = tcp_shutdown_call,
    .send = tcp_send_call,
    .recv = tcp_recv_call,
    .events = tcp_events,
    .drain = tcp_drain,
    .close = tcp_close_socket,
    .options_changed = tcp_options_changed,
    .row = tcp_row,
    .recv_is_over = tcp_recv_is_over,
    .recv_nothing = tcp_recv_nothing,
    .give_back = tcp_give_back,
    .send_refusal = tcp_send_refusal,
};
