/* SPDX-License-Identifier: Apache-2.0 */
/* The application's half of a UDP socket. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/address.h"
#include "socket/control_message.h"
#include "socket/ready.h"
#include "socket/udp.h"
#include "socket/wait.h"
#include "stack/group.h"

#define PAYLOAD_MAX_V4 65507u /* 65535 less the IPv4 and UDP headers */
#define PAYLOAD_MAX_V6 65527u /* 65535 less the UDP header */

struct end_call {
    struct rpc rpc;
    struct socket *sock;
    struct stack *stack;
    int (*run)(struct socket *sock, struct stack *stack);
    int result;
};

static void end_run(struct rpc *rpc)
{
    struct end_call *call = container_of(rpc, struct end_call, rpc);

    call->result = call->run(call->sock, call->stack);
    rpc_finish(rpc);
}

/* On every stack of the socket; the first error. */
static int on_each(struct socket *sock, int (*run)(struct socket *, struct stack *))
{
    int result = 0;

    for (unsigned i = 0; i < group.count; i++) {
        struct end_call call = { .sock = sock, .stack = group.stacks[i], .run = run };

        if (!(sock->stacks & (UINT64_C(1) << i)))
            continue;
        rpc_init(&call.rpc, end_run);
        stack_call(call.stack, &call.rpc);
        if (call.result < 0 && result == 0)
            result = call.result;
    }
    return result;
}

/* Under sock->lock, bound: PCBs where the address is answered for. `towards` picks the home stack. */
static int udp_settle(struct socket *sock, const struct endpoint *towards)
{
    const struct endpoint *local = &sock->binding.local;
    uint64_t home;

    sock->udp = calloc(group.count, sizeof(*sock->udp));
    if (sock->udp == NULL)
        return -ENOMEM;
    sock->stacks = endpoint_is_multicast(local) ? group_mask() : address_stacks(local);
    home = sock->stacks & (towards ? address_stacks_to(towards) : UINT64_MAX);
    if (home == 0)
        home = sock->stacks;
    if (home == 0)
        return -EADDRNOTAVAIL;
    socket_settle(sock, group_choose(home));
    return on_each(sock, udp_open);
}

static int udp_bind_call(struct socket *sock, const struct endpoint *local)
{
    int result;

    lock_take(&sock->lock);
    result = socket_bind(sock, local);
    if (result == 0)
        result = udp_settle(sock, NULL);
    lock_give(&sock->lock);
    return result;
}

/* Under sock->lock: an ephemeral port for a socket that sends or connects before bind(). */
static int autobind(struct socket *sock, const struct endpoint *towards)
{
    struct endpoint any = { .family = sock->family };
    int result;

    if (sock->binding.bound)
        return 0;
    if (sock->options.v6_only == false && towards->family == AF_INET)
        any.family = AF_INET;
    result = socket_bind(sock, &any);
    if (result == 0) /* nobody asked for an address: it shows as the family's own wildcard */
        sock->local = (struct endpoint){ .family = sock->family, .port = sock->local.port };
    return result == 0 ? udp_settle(sock, towards) : result;
}

static int refuse_listen(struct socket *sock, int backlog)
{
    (void)sock;
    (void)backlog;
    return -EOPNOTSUPP;
}

static int refuse_accept(struct socket *sock, struct socket **accepted)
{
    (void)sock;
    (void)accepted;
    return -EOPNOTSUPP;
}

static int udp_connect_call(struct socket *sock, const struct endpoint *peer, bool disconnect)
{
    struct endpoint here;
    int result = 0;

    if (!disconnect && endpoint_is_any(peer)) {
        here = *peer;
        address_own(&here);
        peer = &here;
    }
    lock_take(&sock->lock);
    if (disconnect) {
        memset(&sock->peer, 0, sizeof(sock->peer));
        if (socket_stack(sock))
            result = on_each(sock, udp_set_peer);
        if (sock->binding.bound) {
            uint16_t port = sock->local.port;

            sock->local = sock->binding.local;
            sock->local.port = port;
        }
        atomic_store(&sock->state, SOCKET_IDLE);
    } else if (address_stacks_to(peer) == 0 ||
               (peer->family != sock->family && sock->options.v6_only)) {
        result = -ENETUNREACH;
    } else if (peer->family == AF_INET && peer->v4.s_addr == INADDR_BROADCAST &&
               !sock->options.broadcast) {
        result = -EACCES;
    } else {
        result = autobind(sock, peer);
        if (result == 0) {
            sock->peer = *peer;
            result = on_each(sock, udp_set_peer);
        }
        if (result == 0)
            atomic_store(&sock->state, SOCKET_CONNECTED);
    }
    lock_give(&sock->lock);
    return result;
}

static int udp_shutdown_call(struct socket *sock, int how)
{
    if (how < SHUT_RD || how > SHUT_RDWR)
        return -EINVAL;
    socket_set(sock, (how != SHUT_WR ? SOCKET_RX_SHUT : 0) | (how != SHUT_RD ? SOCKET_TX_SHUT : 0));
    ready_poke(sock);
    return socket_state(sock) == SOCKET_CONNECTED ? 0 : -ENOTCONN; /* shut all the same */
}

int udp_resolve(struct socket *sock, const struct msghdr *msg, size_t bytes, struct send_record *record)
{
    const struct endpoint *to = &record->to;
    int result;

    memset(record, 0, sizeof(*record));
    if (msg->msg_name && msg->msg_namelen > 0) {
        int family = sock->family;

        /* An IPv4 name is as good as its mapped form (udpv6_sendmsg() of the kernel). */
        if (family == AF_INET6 && msg->msg_namelen >= sizeof(sa_family_t) &&
            ((const struct sockaddr *)msg->msg_name)->sa_family == AF_INET)
            family = AF_INET;
        result = endpoint_from_sockaddr(&record->to, family, msg->msg_name, msg->msg_namelen);
        if (result < 0)
            return result;
        if (record->to.family != sock->family && sock->options.v6_only)
            return -ENETUNREACH;
        if (record->to.port == 0)
            return -EINVAL;
        if (endpoint_is_any(&record->to))
            address_own(&record->to);
    } else if (socket_state(sock) == SOCKET_CONNECTED) {
        to = &sock->peer;
    } else {
        return -EDESTADDRREQ;
    }
    if (bytes > (to->family == AF_INET6 ? PAYLOAD_MAX_V6 : PAYLOAD_MAX_V4))
        return -EMSGSIZE;
    if (to->family == AF_INET && to->v4.s_addr == INADDR_BROADCAST && !sock->options.broadcast)
        return -EACCES;
    if (address_stacks_to(to) == 0)
        return -ENETUNREACH;
    record->payload_bytes = (uint32_t)bytes;
    return 0;
}

static ssize_t udp_send_call(struct socket *sock, const struct msghdr *msg, int flags)
{
    bool block = !(flags & MSG_DONTWAIT) && !file_nonblock(&sock->file);
    struct send_record record;
    uint64_t deadline = 0;
    size_t bytes = 0;
    int result;

    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    for (size_t i = 0; i < msg->msg_iovlen; i++)
        bytes += msg->msg_iov[i].iov_len;
    result = udp_resolve(sock, msg, bytes, &record);
    if (result < 0)
        return result;
    result = socket_take_error(sock);
    if (result)
        return -result;
    if (socket_has(sock, SOCKET_TX_SHUT))
        return -EPIPE;
    if (result == 0 && UNLIKELY(socket_stack(sock) == NULL)) {
        lock_take(&sock->lock);
        result = autobind(sock, record.to.family ? &record.to : &sock->peer);
        lock_give(&sock->lock);
    }
    if (result < 0)
        return result;
    for (;;) {
        struct stack *stack = socket_stack(sock);
        bool taken;

        lock_take(&sock->tx.writer);
        taken = send_queue_write_record(&sock->tx, stack->chunks, &record, msg->msg_iov,
                                        (int)msg->msg_iovlen);
        if (!taken)
            atomic_store(&sock->tx.wants_room, true);
        lock_give(&sock->tx.writer);
        if (taken) {
            socket_mark_dirty(sock, true);
            return (ssize_t)bytes;
        }
        if (send_queue_is_writable(&sock->tx))
            atomic_store(&sock->tx.starved, true);
        socket_mark_dirty(sock, true);
        if (!block)
            return -EAGAIN;
        if (deadline == 0)
            deadline = socket_deadline(sock->options.send_timeout_us);
        result = socket_wait(sock, EPOLLOUT, deadline);
        if (result < 0)
            return result;
    }
}

/* Under rx.reader: the datagram at the front to the user's buffers. */
static ssize_t deliver(struct socket *sock, const struct arrival *a, struct msghdr *msg, int flags)
{
    size_t copied = arrival_copy(a, msg->msg_iov, (int)msg->msg_iovlen);

    if (msg->msg_name)
        endpoint_to_sockaddr(&a->from, sock->family, msg->msg_name, &msg->msg_namelen);
    control_message_arrival(sock, a, msg);
    if (copied < a->bytes)
        msg->msg_flags |= MSG_TRUNC;
    return flags & MSG_TRUNC ? (ssize_t)a->bytes : (ssize_t)copied;
}

static ssize_t udp_recv_call(struct socket *sock, struct msghdr *msg, int flags)
{
    bool block = !(flags & MSG_DONTWAIT) && !file_nonblock(&sock->file);
    uint64_t deadline = 0;
    bool polled = false;
    int error;

    msg->msg_flags = 0;
    if (flags & MSG_ERRQUEUE)
        return -EAGAIN;
    for (;;) {
        const struct arrival *a;
        ssize_t result;

        lock_take(&sock->rx.reader);
        a = recv_queue_datagram(&sock->rx);
        if (a) {
            result = deliver(sock, a, msg, flags);
            if (!(flags & MSG_PEEK))
                recv_queue_pop(&sock->rx);
            lock_give(&sock->rx.reader);
            if (!(flags & MSG_PEEK))
                socket_mark_dirty(sock, false);
            return result;
        }
        lock_give(&sock->rx.reader);
        error = socket_take_error(sock);
        if (error)
            return -error;
        if (block && socket_has(sock, SOCKET_RX_SHUT)) { /* only who would wait is told of the end */
            msg->msg_namelen = 0;
            msg->msg_controllen = 0;
            return 0;
        }
        if (!polled && socket_stack(sock)) {
            polled = true;
            if (socket_poll(sock))
                continue;
        }
        if (!block)
            return -EAGAIN;
        if (deadline == 0)
            deadline = socket_deadline(sock->options.receive_timeout_us);
        error = socket_wait(sock, EPOLLIN, deadline);
        if (error < 0)
            return error;
    }
}

static bool udp_recv_is_over(struct socket *sock)
{
    return atomic_load_explicit(&sock->error, memory_order_relaxed) != 0 || socket_has(sock, SOCKET_RX_SHUT);
}

static int udp_recv_nothing(struct socket *sock)
{
    return -socket_take_error(sock);
}

static void udp_give_back(struct socket *sock)
{
    socket_mark_dirty(sock, false);
}

static int udp_send_refusal(struct socket *sock)
{
    struct endpoint any = { .family = sock->family };
    int result = -socket_take_error(sock);

    if (result == 0 && socket_has(sock, SOCKET_TX_SHUT))
        return -EPIPE;
    if (result == 0 && UNLIKELY(socket_stack(sock) == NULL)) {
        lock_take(&sock->lock);
        result = autobind(sock, &any);
        lock_give(&sock->lock);
    }
    return result;
}

static uint32_t udp_events(struct socket *sock)
{
    uint32_t flags = atomic_load_explicit(&sock->flags, memory_order_acquire), events = 0;

    if (atomic_load_explicit(&sock->error, memory_order_relaxed))
        events |= EPOLLERR;
    if (!recv_queue_is_empty(&sock->rx) || (flags & SOCKET_RX_SHUT))
        events |= EPOLLIN | EPOLLRDNORM;
    if (flags & SOCKET_RX_SHUT)
        events |= EPOLLRDHUP;
    if (send_queue_is_writable(&sock->tx) || (flags & SOCKET_TX_SHUT))
        events |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
    else
        atomic_store(&sock->tx.wants_room, true);
    if ((flags & SOCKET_RX_SHUT) && (flags & SOCKET_TX_SHUT))
        events |= EPOLLHUP;
    return events;
}

const struct socket_ops udp_ops = {
    .bind = udp_bind_call,
    .listen = refuse_listen,
    .accept = refuse_accept,
    .connect = udp_connect_call,
    .shutdown = udp_shutdown_call,
    .send = udp_send_call,
    .recv = udp_recv_call,
    .events = udp_events,
    .drain = udp_drain,
    .close = udp_close_end,
    .options_changed = udp_options_changed,
    .row = udp_row,
    .recv_is_over = udp_recv_is_over,
    .recv_nothing = udp_recv_nothing,
    .give_back = udp_give_back,
    .send_refusal = udp_send_refusal,
};
