/* SPDX-License-Identifier: Apache-2.0 */
/* The application's half of a UDP socket. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/address.h"
#include "control/device.h"
#include "socket/control_message.h"
#include "socket/error_queue.h"
#include "socket/ready.h"
#include "socket/udp.h"
#include "socket/wait.h"
#include "stack/group.h"

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

/* The home stack first: it decides the local address. */
static int set_peer(struct socket *sock)
{
    struct end_call call = { .sock = sock, .stack = socket_stack(sock), .run = udp_set_peer };

    rpc_init(&call.rpc, end_run);
    stack_call(call.stack, &call.rpc);
    return call.result < 0 ? call.result : on_each(sock, udp_set_peer);
}

/* Under sock->lock, bound: PCBs where the address is answered for. `towards` picks the home stack. */
static int udp_settle(struct socket *sock, const struct endpoint *towards)
{
    const struct endpoint *local = &sock->binding.local;
    uint64_t home;

    if (sock->udp == NULL)
        sock->udp = calloc(group.count, sizeof(*sock->udp));
    if (sock->udp == NULL)
        return -ENOMEM;
    sock->stacks = endpoint_is_multicast(local) ? group_mask() : address_stacks(local);
    home = sock->stacks & device_stacks(sock->options.device) & (towards ? udp_stacks_to(sock, towards) : UINT64_MAX);
    if (home == 0)
        home = sock->stacks;
    if (home == 0)
        return -EADDRNOTAVAIL;
    socket_settle(sock, group_choose(home));
    return on_each(sock, udp_open);
}

void udp_device_changed(struct socket *sock)
{
    lock_take(&sock->lock);
    if (sock->udp)
        on_each(sock, udp_bind_device);
    lock_give(&sock->lock);
}

uint64_t udp_stacks_to(const struct socket *sock, const struct endpoint *to)
{
    return address_stacks_by(to, udp_way_of(sock, to));
}

static int udp_bind_call(struct socket *sock, const struct endpoint *local)
{
    int result;

    lock_take(&sock->lock);
    result = socket_bind(sock, local);
    if (result == 0 && sock->binding.bound)
        result = udp_settle(sock, NULL);
    lock_give(&sock->lock);
    return result;
}

int udp_autobind(struct socket *sock, const struct endpoint *towards)
{
    int result;

    if (sock->binding.bound)
        return 0;
    result = socket_autobind(sock);
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

/* Under sock->lock, as __udp_disconnect(): a port that nobody asked for by number goes back. */
static int forget_peer(struct socket *sock)
{
    memset(&sock->peer, 0, sizeof(sock->peer));
    atomic_store(&sock->state, SOCKET_IDLE);
    if (!sock->binding.bound)
        return 0;
    sock->local = endpoint_is_any(&sock->binding.local)
                      ? (struct endpoint){ .family = sock->family, .port = sock->local.port }
                      : sock->binding.local;
    if (sock->binding.fixed_port) {
        ports_narrow(&sock->binding, NULL);
        return on_each(sock, udp_set_peer);
    }
    ports_release(&sock->binding);
    sock->local.port = 0;
    return on_each(sock, udp_unbind);
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
        result = forget_peer(sock);
    } else if ((result = udp_autobind(sock, peer)) < 0) {
        result = -EAGAIN; /* whatever comes of the rest (inet_dgram_connect()) */
    } else if (socket_is_mapped(sock) && peer->family == AF_INET6) {
        result = -EAFNOSUPPORT;
    } else if (udp_stacks_to(sock, peer) == 0 ||
               !udp_family_fits(sock, peer)) {
        result = -ENETUNREACH;
    } else if (peer->family == AF_INET && peer->v4.s_addr == INADDR_BROADCAST &&
               !sock->options.broadcast) {
        result = -EACCES;
    } else {
        sock->peer = *peer;
        result = set_peer(sock);
        if (result == 0) {
            atomic_store(&sock->state, SOCKET_CONNECTED);
            if (endpoint_is_any(&sock->binding.local) && !endpoint_is_any(&sock->local))
                ports_narrow(&sock->binding, &sock->local);
        }
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
    struct patience patience = { .block = !(flags & MSG_DONTWAIT) && !file_nonblock(&sock->file) };
    int error;

    msg->msg_flags = 0;
    if (flags & MSG_ERRQUEUE)
        return error_queue_recv(sock, msg);
    for (;;) {
        const struct arrival *a;
        ssize_t result;

        error = socket_take_error(sock); /* first, as __skb_try_recv_datagram() */
        if (error)
            return -error;
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
        if (patience.block && socket_has(sock, SOCKET_RX_SHUT)) { /* only who would wait is told of the end */
            msg->msg_namelen = 0;
            msg->msg_controllen = 0;
            return 0;
        }
        error = socket_look_again(sock, &patience, EPOLLIN, UINT64_MAX, sock->options.receive_timeout_us);
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
    if (result == 0 && UNLIKELY(!sock->binding.bound)) {
        lock_take(&sock->lock);
        result = udp_autobind(sock, &any);
        lock_give(&sock->lock);
    }
    return result;
}

static uint32_t udp_events(struct socket *sock)
{
    uint32_t flags = atomic_load_explicit(&sock->flags, memory_order_acquire), events = 0;

    if (atomic_load_explicit(&sock->error, memory_order_relaxed) || !error_queue_is_empty(sock))
        events |= EPOLLERR | (sock->options.select_error_queue ? EPOLLPRI : 0);
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
