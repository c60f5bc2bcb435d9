/* SPDX-License-Identifier: Apache-2.0 */
/* The application's half of a TCP socket: a connection is asked for, given up, and shut, by calls to the stack. */
#include <errno.h>
#include <string.h>

#include "control/address.h"
#include "control/steer.h"
#include "socket/lend.h"
#include "socket/ready.h"
#include "socket/tcp.h"
#include "socket/wait.h"
#include "stack/group.h"

struct connect_call {
    struct rpc rpc;
    struct socket *sock;
    int result;
};

static void connect_run(struct rpc *rpc)
{
    struct connect_call *call = container_of(rpc, struct connect_call, rpc);

    call->result = tcp_start(call->sock, socket_stack(call->sock));
    rpc_finish(rpc);
}

/*
 * The stack that connects, one of `stacks`, which all lead to the peer; from a bound port the one that gets what the
 * peer answers. A socket that had a stack before stays there. -errno: there is none.
 */
static int settle(struct socket *sock, uint64_t stacks)
{
    uint16_t port = sock->binding.local.port;
    struct stack *stack = socket_stack(sock);
    uint64_t home, here = stack ? UINT64_C(1) << stack->id : 0;

    do {
        home = sock->binding.bound ? steer_home(port, stacks) : stacks;
        if (stacks & here)
            home &= here;
        if (home == 0)
            return -EADDRNOTAVAIL;
        stack = group_choose(home);
    } while (sock->binding.bound && !steer_claim(port, stack->id, stacks));
    socket_settle(sock, stack);
    return 0;
}

/* Under sock->lock: the SYN goes out. */
static int connect_begin(struct socket *sock, const struct endpoint *peer)
{
    struct connect_call call = { .sock = sock };
    struct endpoint to = *peer;
    uint64_t stacks, from = UINT64_MAX;
    int result;

    if (sock->options.v6_only && peer->family == AF_INET)
        return -ENETUNREACH;
    if (socket_is_mapped(sock) && peer->family == AF_INET6)
        return -EAFNOSUPPORT;
    if (endpoint_is_any(&to))
        address_own(&to);
    if (endpoint_is_multicast(&to))
        return -ENETUNREACH;
    /* What comes from a loopback address stays on the loopback (RFC 1122 3.2.1.3). */
    if (endpoint_is_loopback(&sock->local) && !endpoint_is_loopback(&to))
        return -EINVAL;
    if (!endpoint_is_any(&sock->local))
        from = address_stacks(&sock->local);
    stacks = address_stacks_by(&to, sock->options.device) & from;
    if (stacks == 0 && sock->options.device == 0) /* to itself: through its own interface's loop */
        stacks = address_stacks(&to) & from;
    if (stacks == 0)
        return -ENETUNREACH;
    result = settle(sock, stacks);
    if (result < 0)
        return result;
    sock->peer = to;
    if (socket_has(sock, SOCKET_TX_SHUT))
        socket_set(sock, SOCKET_TX_DONE); /* shut before it was up: nothing is sent, no FIN either */
    atomic_store(&sock->error, 0);
    rpc_init(&call.rpc, connect_run);
    stack_call(socket_stack(sock), &call.rpc);
    if (call.result == 0 && sock->binding.bound && endpoint_is_any(&sock->binding.local))
        ports_narrow(&sock->binding, &sock->local);
    return call.result;
}

static void disconnect_run(struct rpc *rpc)
{
    struct connect_call *call = container_of(rpc, struct connect_call, rpc);

    tcp_disconnect(call->sock);
    rpc_finish(rpc);
}

void tcp_give_port_back(struct socket *sock)
{
    uint16_t port = sock->local.port;
    struct binding *b = &sock->binding;

    if (b->bound && b->fixed_port) {
        ports_narrow(b, NULL);
        sock->local = b->local;
        return;
    }
    /* A port that nobody asked for by number is free again; the kernel, too, still shows it. */
    if (!b->fixed_address)
        sock->local = (struct endpoint){ .family = sock->family };
    sock->local.port = port;
    ports_release(b);
}

/* Under sock->lock: as tcp_disconnect() of the kernel, the socket is as new, but for its binding. */
static void be_idle(struct socket *sock)
{
    struct connect_call call = { .sock = sock };

    lend_detach(sock);
    lock_take(&sock->rx.reader); /* nobody is in the queues while they are emptied */
    lock_take(&sock->tx.writer);
    rpc_init(&call.rpc, disconnect_run);
    stack_call(socket_stack(sock), &call.rpc);
    lock_give(&sock->tx.writer);
    lock_give(&sock->rx.reader);
    tcp_give_port_back(sock);
    memset(&sock->peer, 0, sizeof(sock->peer));
}

/* Under sock->lock. What was up or on its way is broken, and says so (tcp_disconnect()). */
static void disconnect(struct socket *sock)
{
    enum socket_state state = socket_state(sock);

    if (state != SOCKET_IDLE)
        be_idle(sock);
    socket_clear(sock, SOCKET_RX_SHUT | SOCKET_TX_SHUT);
    if (state == SOCKET_CONNECTED || state == SOCKET_CONNECTING)
        atomic_store(&sock->error, ECONNRESET);
    if (socket_stack(sock))
        ready_poke(sock);
    sock->way = WAY_NONE;
}

/* Under sock->lock: is anything to be waited for? -errno: what connect() says if it may not wait;
 * 0: the outcome is there. */
static int connect_advance(struct socket *sock, const struct endpoint *peer)
{
    int result;

    switch ((enum socket_way)sock->way) {
    case WAY_CONNECTED: return -EISCONN;
    case WAY_DISCONNECTING: return -EINVAL;
    case WAY_CONNECTING: return socket_state(sock) == SOCKET_CONNECTING ? -EALREADY : 0;
    case WAY_NONE: break;
    }
    if (socket_state(sock) != SOCKET_IDLE)
        return -EISCONN;
    result = connect_begin(sock, peer);
    if (result < 0)
        return result;
    sock->way = WAY_CONNECTING;
    return -EINPROGRESS;
}

/* Under sock->lock, as the end of the kernel's inet_stream_connect(): the SYN has had its answer. */
static int connect_outcome(struct socket *sock)
{
    enum socket_state state = socket_state(sock);
    int error;

    if (state == SOCKET_CONNECTED) {
        sock->way = WAY_CONNECTED;
        return 0;
    }
    error = socket_take_error(sock);
    if (state != SOCKET_IDLE) {
        be_idle(sock); /* and may be connected once more */
        ready_poke(sock);
    }
    sock->way = WAY_NONE;
    return error ? -error : -ECONNABORTED;
}

int tcp_connect_call(struct socket *sock, const struct endpoint *peer, bool take_away)
{
    int result, waited;

    lock_take(&sock->lock);
    if (take_away) {
        disconnect(sock);
        lock_give(&sock->lock);
        return 0;
    }
    result = connect_advance(sock, peer);
    if (result == -EINPROGRESS || (result == -EALREADY && sock->way == WAY_CONNECTING)) {
        lock_give(&sock->lock);
        if (file_nonblock(&sock->file))
            return result;
        waited = socket_wait(sock, EPOLLOUT, socket_deadline(sock->options.send_timeout_us));
        if (waited < 0)
            return waited == -EAGAIN ? result : waited; /* SO_SNDTIMEO (socket(7)) */
        lock_take(&sock->lock);
        result = 0;
    }
    if (result == 0)
        result = connect_outcome(sock);
    lock_give(&sock->lock);
    return result;
}

static void shutdown_run(struct rpc *rpc)
{
    struct connect_call *call = container_of(rpc, struct connect_call, rpc);

    tcp_drain(call->sock);
    ready_raise(call->sock, socket_stack(call->sock), READY_STATE);
    rpc_finish(rpc);
}

int tcp_shutdown_call(struct socket *sock, int how)
{
    struct connect_call call = { .sock = sock };
    enum socket_state state;

    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return -EINVAL;
    lock_take(&sock->lock);
    state = socket_state(sock);
    if (state == SOCKET_CONNECTING) { /* the SYN is taken back (inet_shutdown()) */
        disconnect(sock);
        lock_give(&sock->lock);
        return 0;
    }
    if (sock->way == WAY_CONNECTING)
        sock->way = state == SOCKET_CONNECTED ? WAY_CONNECTED : WAY_DISCONNECTING;
    lock_give(&sock->lock);
    lock_take(&sock->tx.writer); /* nothing is written after it: the FIN comes behind all that was taken */
    socket_set(sock, (how != SHUT_WR ? SOCKET_RX_SHUT : 0) | (how != SHUT_RD ? SOCKET_TX_SHUT : 0));
    lock_give(&sock->tx.writer);
    if (state != SOCKET_CONNECTED) {
        ready_poke(sock);
        return -ENOTCONN; /* and yet, as in the kernel, it is shut */
    }
    rpc_init(&call.rpc, shutdown_run);
    stack_call(socket_stack(sock), &call.rpc);
    return 0;
}
