/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP listener: one listening PCB on each stack that answers for its address, one accept queue.
 * Whichever stack completes a handshake owns the new connection, makes its socket, and pushes it;
 * the home stack tells the waiters.
 *
 * The backlog is lwIP's: a connection counts until accept() has returned it, and further SYNs are
 * dropped meanwhile, so that the peer tries again (listen(2)).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/address.h"
#include "control/device.h"
#include "control/lwip_address.h"
#include "lwip/tcp.h"
#include "lwip/tcp_limits.h"
#include "socket/ready.h"
#include "socket/tcp.h"
#include "socket/tcp_hooks.h"
#include "socket/tcp_defer.h"
#include "socket/wait.h"
#include "stack/group.h"

struct listener_end { /* lwIP's argument */
    struct socket *sock;
    struct stack *stack;
    struct tcp_pcb *pcb;
    uint64_t refused; /* SYNs that met a full queue */
    struct defer_queue deferred;
};

struct accept_queue {
    struct mpsc arrived; /* sockets, by dirty_node: unused until somebody has the socket */
    struct lock taker;
    struct mpsc_node *taken; /* under taker, oldest first */
    _Atomic uint32_t count;
    uint32_t backlog;
    struct listener_end end[];
};

/* (Its socket is too young to have a row.) */
static void trace_accept(struct stack *stack, struct accept_queue *q, const struct tcp_pcb *pcb)
{
    struct trace_note note = { .value = { atomic_load(&q->count), q->backlog }, .local_port = pcb->local_port,
                               .peer_port = pcb->remote_port };

    trace_write(&stack->trace, TRACE_accept, &note);
}

/*
 * As the kernel's, a connection begins with what the handshake's last segment had, whatever it may be good for:
 * its multicast TTL is that one's. (Of a deferred one whose time is over there is no segment.)
 */
static void take_hops(struct socket *sock)
{
    if (ip4_current_header())
        sock->options.multicast_ttl = sock->options.multicast_hops = IPH_TTL(ip4_current_header());
    else if (ip6_current_header())
        sock->options.multicast_hops = IP6H_HOPLIM(ip6_current_header());
}

/* The connection gets its socket, and the listener is told. */
static err_t arrive(void *arg, struct tcp_pcb *pcb)
{
    struct listener_end *end = arg;
    struct socket *listener = end->sock, *sock;
    struct accept_queue *q = listener->accepts;

    sock = socket_new(listener->family, SOCK_STREAM, IPPROTO_TCP, &tcp_ops);
    if (sock == NULL)
        return ERR_MEM; /* lwIP resets the connection */
    sock->options = listener->options;
    take_hops(sock);
    sock->binding.fixed_address = listener->binding.fixed_address;
    /* What was shut before it listened is shut in each connection (sk_clone_lock() of the kernel). */
    socket_set(sock, atomic_load(&listener->flags) & (SOCKET_RX_SHUT | SOCKET_TX_SHUT));
    atomic_init(&sock->rx.limit, atomic_load(&listener->rx.limit));
    atomic_init(&sock->tx.limit, atomic_load(&listener->tx.limit));
    atomic_init(&sock->tx.not_sent_limit, atomic_load(&listener->tx.not_sent_limit));
    tcp_adopt(sock, end->stack, pcb);
    if (UNLIKELY(socket_has(sock, SOCKET_TX_SHUT)))
        tcp_drain(sock); /* the FIN */
    STAT_INC(end->stack->stats, tcp_accepts);
    atomic_fetch_add(&q->count, 1);
    if (trace_is_on(&end->stack->trace, TRACE_BIT(accept)))
        trace_accept(end->stack, q, pcb);
    mpsc_push(&q->arrived, &sock->dirty_node);
    ready_raise(listener, end->stack, EPOLLIN);
    return ERR_OK;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct listener_end *end = arg;
    uint32_t defer_s = end->sock->options.defer_accept_s;

    if (err != ERR_OK || pcb == NULL) {
        if (err == ERR_WOULDBLOCK)
            end->refused++;
        return ERR_VAL;
    }
    tcp_backlog_delayed(pcb);
    if (UNLIKELY(defer_s > 0))
        return defer_add(&end->deferred, pcb, defer_s) ? ERR_OK : ERR_MEM;
    return arrive(end, pcb);
}

struct listen_call {
    struct rpc rpc;
    struct socket *sock;
    struct stack *stack;
    int result;
};

/* What the answer to a SYN tells: its headers, and how much may come before anybody accepts. */
static void look_as_told(struct tcp_pcb *listening, const struct socket *sock)
{
    tcp_set_headers(listening, &sock->options, sock->family);
    listening->netif_idx = device_index(sock->options.device);
    tcp_limit_receive_of_listener(listening, tcp_receive_bytes(&sock->options));
}

static void listen_run(struct rpc *rpc)
{
    struct listen_call *call = container_of(rpc, struct listen_call, rpc);
    struct socket *sock = call->sock;
    struct listener_end *end = &sock->accepts->end[call->stack->id];
    uint16_t backlog = sock->accepts->backlog > UINT16_MAX ? UINT16_MAX
                                                           : (uint16_t)sock->accepts->backlog;
    struct tcp_pcb *pcb, *listening;
    ip_addr_t local;
    err_t err;

    if (end->pcb) { /* listen() again, or an option was set */
        tcp_backlog_set(end->pcb, backlog);
        look_as_told(end->pcb, sock);
        call->result = 0;
        rpc_finish(rpc);
        return;
    }
    endpoint_to_ip(&sock->binding.local, &local);
    if (sock->binding.dual && endpoint_is_any(&sock->binding.local))
        ip_addr_copy(local, *IP_ANY_TYPE);
    pcb = tcp_new_ip_type(IP_GET_TYPE(&local));
    if (pcb == NULL) {
        call->result = -ENOBUFS;
        rpc_finish(rpc);
        return;
    }
    pcb->netif_idx = device_index(sock->options.device);
    ip_set_option(pcb, SOF_REUSEADDR); /* conflicts were judged by ports_listen() */
    if (sock->binding.reuse_port)
        ip_set_option(pcb, SOF_REUSEPORT);
    err = tcp_bind(pcb, &local, sock->binding.local.port);
    listening = err == ERR_OK ? tcp_listen_with_backlog_and_err(pcb, backlog, &err) : NULL;
    if (listening == NULL) {
        tcp_abort(pcb);
        call->result = err == ERR_USE ? -EADDRINUSE : -ENOBUFS;
        rpc_finish(rpc);
        return;
    }
    look_as_told(listening, sock);
    *end = (struct listener_end){ .sock = sock, .stack = call->stack, .pcb = listening };
    defer_init(&end->deferred, call->stack, arrive, end);
    tcp_arg(listening, end);
    tcp_accept(listening, on_accept);
    if (call->stack == socket_stack(sock))
        socket_attach(sock, call->stack);
    call->result = 0;
    rpc_finish(rpc);
}

static void close_end(struct socket *sock, struct stack *stack)
{
    struct listener_end *end = &sock->accepts->end[stack->id];

    if (end->pcb) {
        defer_end(&end->deferred);
        tcp_arg(end->pcb, NULL);
        tcp_close(end->pcb);
        end->pcb = NULL;
    }
}

static void listen_close(struct socket *sock, struct stack *stack)
{
    close_end(sock, stack);
    if (stack == socket_stack(sock))
        socket_detach(sock);
}

static struct socket *take(struct accept_queue *q)
{
    struct mpsc_node *node;

    lock_take(&q->taker);
    if (q->taken == NULL)
        q->taken = mpsc_take(&q->arrived);
    node = q->taken;
    if (node) {
        q->taken = node->next;
        atomic_fetch_sub(&q->count, 1);
    }
    lock_give(&q->taker);
    return node ? container_of(node, struct socket, dirty_node) : NULL;
}

/* What nobody accepted is reset, as the kernel does. */
static void listen_closed(struct socket *sock)
{
    struct socket *waiting;

    while ((waiting = take(sock->accepts)) != NULL) {
        waiting->options.linger_s = 0;
        file_unuse(&waiting->file);
    }
}

static int listen_accept(struct socket *sock, struct socket **accepted)
{
    struct accept_queue *q = sock->accepts;
    uint64_t deadline = 0;
    bool polled = false;

    while ((*accepted = take(q)) == NULL) {
        int result;

        if (!polled) {
            polled = true;
            if (socket_poll(sock))
                continue;
        }
        if (socket_state(sock) != SOCKET_LISTENING) /* shut down meanwhile */
            return -EINVAL;
        if (file_nonblock(&sock->file))
            return -EAGAIN;
        if (deadline == 0)
            deadline = socket_deadline(sock->options.receive_timeout_us);
        result = socket_wait(sock, EPOLLIN, deadline);
        if (result < 0)
            return result;
    }
    socket_set(*accepted, SOCKET_TAKEN);
    socket_mark_dirty(*accepted, atomic_load(&q->count) >= q->backlog / 2);
    return 0;
}

static uint32_t listen_events(struct socket *sock)
{
    return atomic_load(&sock->accepts->count) > 0 ? EPOLLIN | EPOLLRDNORM : 0;
}

static uint32_t listen_offers(struct socket *sock)
{
    return atomic_load(&sock->accepts->count);
}

static void listen_row(struct socket *sock, struct stats_socket *row)
{
    const struct accept_queue *q = sock->accepts;
    uint64_t refused = 0;

    for (unsigned i = 0; i < group.count; i++)
        refused += __atomic_load_n(&q->end[i].refused, __ATOMIC_RELAXED);
    row->state = 10; /* TCP_LISTEN */
    row->recv_queue = atomic_load_explicit(&q->count, memory_order_relaxed);
    row->send_queue = q->backlog - 1; /* as listen() was told, see tcp_backlog_clamp() */
    row->drops = refused;
}

static int listen_listen(struct socket *sock, int backlog);
static int listen_shutdown(struct socket *sock, int how);

static int refuse_connect(struct socket *sock, const struct endpoint *peer, bool disconnect)
{
    (void)peer;
    return disconnect ? listen_shutdown(sock, SHUT_RD) : -EISCONN;
}

static void unlisten_run(struct rpc *rpc)
{
    struct listen_call *call = container_of(rpc, struct listen_call, rpc);

    close_end(call->sock, call->stack);
    if (call->stack == socket_stack(call->sock))
        ready_raise(call->sock, call->stack, READY_STATE);
    rpc_finish(rpc);
}

/* Under sock->lock: the socket is as it was before listen(). */
static void unlisten(struct socket *sock)
{
    atomic_store_explicit(&sock->ops, &tcp_ops, memory_order_release);
    atomic_store_explicit(&sock->state, SOCKET_IDLE, memory_order_release);
    for (unsigned i = 0; i < group.count; i++) {
        struct listen_call call = { .sock = sock, .stack = group.stacks[i] };

        if (!(sock->stacks & (UINT64_C(1) << i)))
            continue;
        rpc_init(&call.rpc, unlisten_run);
        stack_call(call.stack, &call.rpc);
    }
    sock->stacks = 0;
    ports_unlisten(&sock->binding); /* last: who listens next must find no PCB of ours */
    listen_closed(sock);
}

/* As the kernel's inet_shutdown(): SHUT_RD ends the listening. */
static int listen_shutdown(struct socket *sock, int how)
{
    if (how < SHUT_RD || how > SHUT_RDWR)
        return -EINVAL;
    if (how == SHUT_WR)
        return 0;
    lock_take(&sock->lock);
    if (socket_state(sock) != SOCKET_LISTENING) {
        lock_give(&sock->lock);
        return -ENOTCONN;
    }
    socket_clear(sock, SOCKET_RX_SHUT | SOCKET_TX_SHUT); /* what was shut before it listened (tcp_disconnect()) */
    unlisten(sock);
    tcp_give_port_back(sock);
    lock_give(&sock->lock);
    return 0;
}

static ssize_t refuse_send(struct socket *sock, const struct msghdr *msg, int flags)
{
    int error = socket_take_error(sock); /* of a connection that it tried before it listened */

    (void)msg;
    (void)flags;
    return error ? -error : -EPIPE;
}

static ssize_t refuse_recv(struct socket *sock, struct msghdr *msg, int flags)
{
    (void)sock;
    (void)msg;
    return flags & MSG_ERRQUEUE ? -EAGAIN : -ENOTCONN;
}

static void nothing(struct socket *sock)
{
    (void)sock;
}

const struct socket_ops tcp_listen_ops = {
    .bind = socket_bind,
    .listen = listen_listen,
    .accept = listen_accept,
    .connect = refuse_connect,
    .shutdown = listen_shutdown,
    .send = refuse_send,
    .recv = refuse_recv,
    .events = listen_events,
    .offers = listen_offers,
    .drain = nothing,
    .close = listen_close,
    .closed = listen_closed,
    .options_changed = nothing,
    .row = listen_row,
};

/* Under sock->lock: a PCB on every stack that answers for the address. */
static int listen_everywhere(struct socket *sock)
{
    uint64_t done = 0;
    int result = 0;

    for (unsigned i = 0; i < group.count; i++) {
        struct listen_call call = { .sock = sock, .stack = group.stacks[i] };

        if (!(sock->stacks & (UINT64_C(1) << i)))
            continue;
        rpc_init(&call.rpc, listen_run);
        stack_call(call.stack, &call.rpc);
        if (call.result < 0 && result == 0)
            result = call.result;
        done |= UINT64_C(1) << i;
    }
    sock->stacks = done;
    return result;
}

static int listen_listen(struct socket *sock, int backlog)
{
    int result;

    lock_take(&sock->lock);
    sock->accepts->backlog = tcp_backlog_clamp(backlog);
    result = listen_everywhere(sock);
    lock_give(&sock->lock);
    return result;
}

void tcp_listen_options_changed(struct socket *sock)
{
    lock_take(&sock->lock);
    if (socket_state(sock) == SOCKET_LISTENING)
        listen_everywhere(sock);
    lock_give(&sock->lock);
}

static struct accept_queue *accept_queue_new(void)
{
    size_t bytes = sizeof(struct accept_queue) + group.count * sizeof(struct listener_end);
    struct accept_queue *q = aligned_alloc(CACHE_LINE, (bytes + CACHE_LINE - 1) & -CACHE_LINE);

    if (q)
        memset(q, 0, bytes);
    return q;
}

int tcp_listen_call(struct socket *sock, int backlog)
{
    struct accept_queue *q;
    int result = 0;

    lock_take(&sock->lock);
    if (socket_state(sock) != SOCKET_IDLE) {
        lock_give(&sock->lock);
        return -EINVAL;
    }
    if (!sock->binding.bound)
        result = socket_autobind(sock);
    if (result == 0)
        result = ports_listen(&sock->binding);
    if (result == 0) {
        sock->stacks = address_stacks(&sock->binding.local) & device_stacks(sock->options.device);
        q = sock->accepts ? sock->accepts : accept_queue_new(); /* listens once more */
        if (q == NULL || sock->stacks == 0)
            result = q == NULL ? -ENOMEM : -EADDRNOTAVAIL;
        else {
            if (sock->accepts == NULL)
                mpsc_init(&q->arrived);
            q->backlog = tcp_backlog_clamp(backlog);
            sock->accepts = q;
            socket_settle(sock, group_choose(sock->stacks));
            atomic_store_explicit(&sock->ops, &tcp_listen_ops, memory_order_release);
            atomic_store_explicit(&sock->state, SOCKET_LISTENING, memory_order_release);
            result = listen_everywhere(sock);
            if (result < 0)
                unlisten(sock);
            q = NULL;
        }
        if (q != sock->accepts)
            free(q);
    }
    lock_give(&sock->lock);
    return result;
}
