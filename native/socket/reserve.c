/* SPDX-License-Identifier: Apache-2.0 */
/* Sending in place: room in the send queue that the caller writes to (lend.h says who calls). */
#include <errno.h>
#include <string.h>

#include "lwip/warm.h"
#include "socket/lend.h"
#include "socket/udp.h"
#include "socket/wait.h"

/* A datagram's record comes first; both begin at multiples of 8. */
static size_t head_bytes(const struct socket *sock)
{
    return sock->type == SOCK_DGRAM ? sizeof(struct send_record) : 0;
}

static size_t whole_bytes(const struct socket *sock, size_t bytes)
{
    return sock->type == SOCK_DGRAM ? sizeof(struct send_record) + ((bytes + 7) & ~(size_t)7) : bytes;
}

size_t reserve_max(const struct socket *sock)
{
    return (SEND_RESERVE_MAX - head_bytes(sock)) & ~(size_t)7;
}

/* Under writer. False: no room, or no memory (then the socket is marked as starved). */
static bool reserve_now(struct socket *sock, struct stack *stack, void **data, size_t bytes)
{
    struct send_queue *tx = &sock->tx;
    uint8_t *room = NULL;

    /* As much too much as one reservation: EPOLLOUT then always means that one succeeds. */
    if (!send_queue_is_writable(tx) && send_queue_bytes(tx) > 0) {
        atomic_store(&tx->wants_room, true);
        return false;
    }
    room = send_queue_reserve(tx, stack->chunks, (uint32_t)whole_bytes(sock, bytes));
    if (room == NULL) {
        atomic_store(&tx->wants_room, true);
        atomic_store(&tx->starved, true);
        return false;
    }
    *data = room + head_bytes(sock);
    return true;
}

int reserve_room(struct socket *sock, void **data, size_t bytes, int flags)
{
    struct patience patience = { .block = !(flags & MSG_DONTWAIT) && !file_nonblock(&sock->file) };
    const struct socket_ops *ops = socket_ops(sock);
    int result;

    if (ops->send_refusal == NULL)
        return -EOPNOTSUPP; /* a listener */
    if (data == NULL)
        return -EFAULT;
    if (bytes == 0 || (flags & ~MSG_DONTWAIT))
        return -EINVAL;
    if (bytes > reserve_max(sock))
        return -EMSGSIZE;
    for (;;) {
        bool taken = false;

        result = ops->send_refusal(sock);
        if (result == 0) {
            lock_take(&sock->tx.writer);
            taken = reserve_now(sock, socket_stack(sock), data, bytes);
            lock_give(&sock->tx.writer);
        } else if (result != -EAGAIN) {
            return result;
        }
        if (taken)
            return 0;
        if (result == 0)
            socket_mark_dirty(sock, true);
        result = socket_look_again(sock, &patience, EPOLLOUT, UINT64_MAX, sock->options.send_timeout_us);
        if (result < 0)
            return result;
    }
}

/* Under writer. */
static int commit_now(struct socket *sock, struct stack *stack, size_t bytes, const struct send_record *record)
{
    struct send_queue *tx = &sock->tx;

    if (tx->reserved == NULL || whole_bytes(sock, bytes) > tx->reserved_bytes)
        return -EINVAL;
    if (sock->type == SOCK_DGRAM)
        memcpy(tx->reserved->data + tx->reserved_at, record, sizeof(*record));
    if (!send_queue_commit(tx, stack->chunks, (uint32_t)whole_bytes(sock, bytes)))
        return -EAGAIN;
    return 0;
}

static ssize_t give_up(struct socket *sock, ssize_t result)
{
    lock_take(&sock->tx.writer);
    send_queue_unreserve(&sock->tx);
    lock_give(&sock->tx.writer);
    return result;
}

ssize_t reserve_commit(struct socket *sock, size_t bytes, int flags, const struct sockaddr *to,
                       socklen_t to_len)
{
    const struct socket_ops *ops = socket_ops(sock);
    struct send_record record = { 0 };
    bool more = (flags & MSG_MORE) != 0;
    struct stack *stack;
    int result;

    if (ops->send_refusal == NULL)
        return -EOPNOTSUPP;
    if (flags & ~(MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL))
        return -EINVAL;
    if (bytes == 0)
        return give_up(sock, 0);
    result = ops->send_refusal(sock);
    if (result == 0 && sock->type == SOCK_DGRAM) {
        struct msghdr msg = { .msg_name = (void *)(uintptr_t)to, .msg_namelen = to ? to_len : 0 };

        result = udp_resolve(sock, &msg, bytes, &record, NULL);
    }
    if (result < 0)
        return result == -EAGAIN ? result : give_up(sock, result);
    stack = socket_stack(sock);
    lock_take(&sock->tx.writer);
    /* Of a stream once more: it may have been shut or broken meanwhile. */
    result = sock->type == SOCK_STREAM ? ops->send_refusal(sock) : 0;
    if (result < 0 && result != -EAGAIN)
        send_queue_unreserve(&sock->tx);
    if (result == 0 && more && sock->type == SOCK_STREAM)
        send_queue_hold(&sock->tx);
    if (result == 0)
        result = commit_now(sock, stack, bytes, &record);
    if (result == 0 && !more)
        send_queue_let_go(&sock->tx);
    lock_give(&sock->tx.writer);
    if (result < 0)
        return result;
    /* Inline, a turn for each part would undo what MSG_MORE is for; the caretaker sees to the rest. */
    socket_mark_dirty(sock, !(more && socket_may_put_off(stack)));
    return (ssize_t)bytes;
}

/* ---- without sending --------------------------------------------------------------------------- */

struct warm_call {
    struct rpc rpc;
    struct socket *sock;
    const void *data;
    uint16_t bytes;
    const struct endpoint *to;
};

static void warm_run(struct rpc *rpc)
{
    struct warm_call *call = container_of(rpc, struct warm_call, rpc);
    struct socket *sock = call->sock;

    if (sock->type == SOCK_STREAM && sock->tcp && socket_state(sock) == SOCKET_CONNECTED) {
        warm_tcp(sock->tcp, call->data, call->bytes);
    } else if (sock->type == SOCK_DGRAM) {
        struct udp_pcb *pcb = sock->udp[socket_stack(sock)->id].pcb;
        struct warm_peer to = { .address = &call->to->v6, .ip6 = call->to->family == AF_INET6,
                                .scope = call->to->scope, .port = call->to->port };

        if (pcb)
            warm_udp(pcb, call->data, call->bytes, &to);
    }
    rpc_finish(rpc);
}

int reserve_warm(struct socket *sock, const void *data, size_t bytes, const struct sockaddr *to,
                 socklen_t to_len)
{
    const struct socket_ops *ops = socket_ops(sock);
    struct warm_call call = { .sock = sock, .bytes = (uint16_t)bytes };
    struct send_record record = { 0 };
    struct stack *stack;
    uint8_t *room;
    int result;

    if (ops->send_refusal == NULL)
        return -EOPNOTSUPP;
    if (data == NULL)
        return -EFAULT;
    if (bytes == 0)
        return -EINVAL;
    if (bytes > reserve_max(sock))
        return -EMSGSIZE;
    result = ops->send_refusal(sock);
    if (result == 0 && sock->type == SOCK_DGRAM) {
        struct msghdr msg = { .msg_name = (void *)(uintptr_t)to, .msg_namelen = to ? to_len : 0 };

        result = udp_resolve(sock, &msg, bytes, &record, NULL);
    }
    if (result < 0)
        return result;
    call.to = record.to.family ? &record.to : &sock->peer;
    stack = socket_stack(sock);
    lock_take(&sock->tx.writer);
    room = send_queue_reserve(&sock->tx, stack->chunks, (uint32_t)whole_bytes(sock, bytes));
    if (room) {
        room += head_bytes(sock);
        memmove(room, data, bytes); /* it may be what was reserved just now */
        call.data = room;
        rpc_init(&call.rpc, warm_run);
        stack_call(stack, &call.rpc);
        send_queue_unreserve(&sock->tx);
    }
    lock_give(&sock->tx.writer);
    return room ? 0 : -EAGAIN;
}
