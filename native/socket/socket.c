/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "control/address.h"
#include "socket/lend.h"
#include "socket/error_queue.h"
#include "socket/ready.h"
#include "socket/table.h"
#include "stack/group.h"

struct socket_limits socket_limits;

#define PROTOCOLS 263 /* IPPROTO_MPTCP + 1, the kernel's IPPROTO_MAX; libc's may be older */

struct close_call {
    struct rpc rpc;
    struct socket *sock;
    struct stack *stack;
};

static void close_run(struct rpc *rpc)
{
    struct close_call *call = container_of(rpc, struct close_call, rpc);
    struct socket *sock = call->sock;
    struct stack *stack = call->stack;
    bool lingers = sock->type == SOCK_STREAM && stack == socket_stack(sock) && sock->options.linger_s > 0 &&
                   !file_nonblock(&sock->file) && socket_state(sock) == SOCKET_CONNECTED;

    socket_set(sock, SOCKET_ORPHAN);
    if (stack == socket_stack(sock))
        list_remove(&sock->blocked_watch.link); /* nobody is told any more */
    if (lingers) {
        /* Finished by the protocol when all is acknowledged, or by its timer (socket(7)). */
        sock->close_waiter = rpc;
        sock->linger_until_us = stack->now_us + (uint64_t)sock->options.linger_s * 1000000;
    }
    socket_ops(sock)->close(sock, stack);
    if (!lingers)
        rpc_finish(rpc);
}

/* No descriptor and no call names the socket any more. */
static int socket_close(struct file *file)
{
    struct socket *sock = socket_of(file);
    struct stack *home = socket_stack(sock);
    uint64_t others = home ? sock->stacks & ~(UINT64_C(1) << home->id) : 0;

    lend_detach(sock);
    send_queue_unreserve(&sock->tx);
    ready_unwatch_all(sock);
    socket_membership_end(sock);
    if (home == NULL) {
        ports_release(&sock->binding);
        list_remove(&sock->blocked_watch.link);
        return 0;
    }
    for (unsigned i = 0; i < group.count + 1u; i++) {
        struct close_call call = { .sock = sock, .stack = i < group.count ? group.stacks[i] : home };

        if (i < group.count && !(others & (UINT64_C(1) << i)))
            continue;
        rpc_init(&call.rpc, close_run);
        stack_call(call.stack, &call.rpc);
    }
    /* Not before: who is given the port must find no PCB of ours there. */
    ports_release(&sock->binding);
    if (socket_ops(sock)->closed)
        socket_ops(sock)->closed(sock);
    return 0;
}

/*
 * Memory of sockets goes back to this list and never to the allocator: fd_use() may look at a file
 * that was closed a moment ago (fd/fd_table.h).
 */
static struct {
    struct lock lock;
    struct socket *first;
} spare;

static void socket_release(struct file *file)
{
    struct socket *sock = socket_of(file);

    INVARIANT(sock->tcp == NULL && list_is_empty(&sock->watches));
    free(sock->udp);
    free(sock->members);
    free(atomic_load(&sock->peers));
    free(sock->cork);
    error_queue_close(sock);
    free(sock->accepts);
    free(atomic_load(&sock->async));
    lock_take(&spare.lock);
    sock->next_spare = spare.first;
    spare.first = sock;
    lock_give(&spare.lock);
}

static struct socket *socket_memory(void)
{
    struct socket *sock;

    lock_take(&spare.lock);
    sock = spare.first;
    if (sock)
        spare.first = sock->next_spare;
    lock_give(&spare.lock);
    return sock ? sock : aligned_alloc(CACHE_LINE, sizeof(*sock));
}

struct socket *socket_new(int family, int type, int protocol, const struct socket_ops *ops)
{
    struct socket *sock = socket_memory();

    if (sock == NULL)
        return NULL;
    /* All but the counts, which a stale fd_use() may be reading: file_init() sets them last. */
    memset((uint8_t *)sock + sizeof(sock->file), 0, sizeof(*sock) - sizeof(sock->file));
    file_init(&sock->file, FILE_SOCKET, socket_close, socket_release);
    sock->family = (uint8_t)family;
    sock->type = (uint8_t)type;
    sock->protocol = (uint8_t)protocol;
    atomic_init(&sock->ops, ops);
    socket_options_init(&sock->options, type);
    recv_queue_init(&sock->rx, sock->options.receive_buffer_bytes);
    send_queue_init(&sock->tx, sock->options.send_buffer_bytes);
    list_init(&sock->stack_link);
    list_init(&sock->ready_link);
    list_init(&sock->linger.link);
    list_init(&sock->starved_link);
    list_init(&sock->watches);
    list_init(&sock->blocked_watch.link);
    return sock;
}

int socket_create(struct socket **out, int domain, int type, int protocol)
{
    const struct socket_ops *ops;

    if (domain != AF_INET && domain != AF_INET6)
        return -EAFNOSUPPORT;
    if (protocol < 0 || protocol >= PROTOCOLS)
        return -EINVAL;
    if (type == SOCK_STREAM) {
        if (protocol != 0 && protocol != IPPROTO_TCP)
            return -EPROTONOSUPPORT;
        protocol = IPPROTO_TCP;
        ops = &tcp_ops;
    } else if (type == SOCK_DGRAM) {
        if (protocol != 0 && protocol != IPPROTO_UDP)
            return -EPROTONOSUPPORT;
        protocol = IPPROTO_UDP;
        ops = &udp_ops;
    } else {
        return type >= 0 && type <= SOCK_PACKET ? -ESOCKTNOSUPPORT : -EINVAL;
    }
    *out = socket_new(domain, type, protocol, ops);
    if (*out == NULL)
        return -ENOMEM;
    (*out)->local.family = (*out)->peer.family = (uint8_t)domain;
    return 0;
}

/* Does the address belong to this host? 0 or -errno. */
static int judge_address(struct socket *sock, const struct endpoint *local)
{
    if (local->family != sock->family && sock->options.v6_only)
        return -EINVAL;
    if (!(endpoint_is_multicast(local) && sock->type == SOCK_DGRAM) &&
        address_stacks(local) == 0 && !sock->options.free_bind)
        return -EADDRNOTAVAIL;
    return 0;
}

static int bind_port(struct socket *sock, const struct endpoint *local, bool may_wait)
{
    struct binding *b = &sock->binding;
    int result = judge_address(sock, local);

    /* The kernel's two families look in different order. */
    if (socket_has_port(sock) && (sock->family == AF_INET6 || result == 0))
        return -EINVAL;
    if (result < 0)
        return result;
    *b = (struct binding){ .local = *local,
                           .protocol = sock->protocol,
                           .fixed_address = !endpoint_is_any(local) || local->family != sock->family,
                           .fixed_port = local->port != 0,
                           .dual = local->family == AF_INET6 && !sock->options.v6_only,
                           .drawn_elsewhere = b->drawn_elsewhere,
                           .reuse_addr = sock->options.reuse_addr,
                           .reuse_port = sock->options.reuse_port,
                           .device = sock->options.device };
    list_init(&b->link);
    if (may_wait) { /* IP_BIND_ADDRESS_NO_PORT: the call that needs a port takes one */
        sock->local = *local;
        if (local->family == AF_INET6 && !endpoint_is_any(local))
            sock->options.v6_only = true;
        return 0;
    }
    result = ports_bind(b);
    if (result < 0) { /* the address of a connection that is over is shown no longer (inet_reset_saddr()) */
        sock->local = (struct endpoint){ .family = sock->local.family, .port = sock->local.port };
        return result;
    }
    sock->local = b->local;
    if (local->family == AF_INET6 && !endpoint_is_any(local))
        sock->options.v6_only = true; /* as __inet6_bind(): it can only be */
    return 0;
}

int socket_bind(struct socket *sock, const struct endpoint *local)
{
    return bind_port(sock, local, local->port == 0 && sock->options.bind_no_port);
}

int socket_autobind(struct socket *sock)
{
    struct endpoint local = sock->local;

    local.port = 0; /* one that is gone may still be shown */
    return bind_port(sock, &local, false);
}

void socket_mark_dirty(struct socket *sock, bool soon)
{
    struct stack *stack = socket_stack(sock);

    /* seq_cst: pairs with socket_drain(), which clears the flag before it looks at the queues. */
    if (!atomic_exchange(&sock->dirty, true)) {
        file_hold(&sock->file);
        mpsc_push(&stack->dirty, &sock->dirty_node);
    }
    if (soon)
        stack->driver->kick(stack);
}

void socket_drain(struct mpsc_node *dirty)
{
    while (dirty) {
        struct socket *sock = container_of(dirty, struct socket, dirty_node);
        uint32_t told;

        dirty = dirty->next;
        atomic_store(&sock->dirty, false);
        told = atomic_exchange_explicit(&sock->told, 0, memory_order_acquire);
        if (told)
            ready_raise(sock, socket_stack(sock), told);
        socket_ops(sock)->drain(sock);
        if (UNLIKELY(atomic_load_explicit(&sock->tx.starved, memory_order_relaxed)))
            ready_starved(sock);
        file_put(&sock->file);
    }
}

void socket_settle(struct socket *sock, struct stack *stack)
{
    if (socket_stack(sock) == NULL)
        atomic_store_explicit(&sock->stack, stack, memory_order_release);
}

void socket_attach(struct socket *sock, struct stack *stack)
{
    if (list_is_linked(&sock->stack_link))
        return;
    file_hold(&sock->file);
    list_push_front(&stack->sockets, &sock->stack_link); /* the next that gets a row */
    table_enter(sock, stack);
}

void socket_detach(struct socket *sock)
{
    if (!list_is_linked(&sock->stack_link))
        return;
    list_remove(&sock->stack_link);
    table_leave(sock, socket_stack(sock));
    list_remove(&sock->ready_link);
    list_remove(&sock->starved_link);
    file_put(&sock->file);
}

struct options_call {
    struct rpc rpc;
    struct socket *sock;
};

static void options_run(struct rpc *rpc)
{
    struct options_call *call = container_of(rpc, struct options_call, rpc);

    socket_ops(call->sock)->options_changed(call->sock);
    rpc_finish(rpc);
}

void socket_options_apply(struct socket *sock)
{
    struct options_call call = { .sock = sock };
    struct stack *stack = socket_stack(sock);

    if (stack == NULL)
        return;
    rpc_init(&call.rpc, options_run);
    stack_call(stack, &call.rpc);
}

int socket_getsockname(struct socket *sock, struct sockaddr *addr, socklen_t *len)
{
    struct endpoint local;

    if (len == NULL || ((int)*len > 0 && addr == NULL))
        return -EFAULT;
    if ((int)*len < 0)
        return -EINVAL;
    lock_take(&sock->lock);
    local = sock->local;
    lock_give(&sock->lock);
    endpoint_to_sockaddr(&local, sock->family, addr, len);
    return 0;
}

int socket_getpeername(struct socket *sock, struct sockaddr *addr, socklen_t *len)
{
    struct endpoint peer;
    enum socket_state state = socket_state(sock);

    if (state != SOCKET_CONNECTED || sock->peer.port == 0) /* UDP may connect to port 0 */
        return -ENOTCONN;
    if (len == NULL || ((int)*len > 0 && addr == NULL))
        return -EFAULT;
    if ((int)*len < 0)
        return -EINVAL;
    lock_take(&sock->lock);
    peer = sock->peer;
    lock_give(&sock->lock);
    endpoint_to_sockaddr(&peer, sock->family, addr, len);
    return 0;
}
