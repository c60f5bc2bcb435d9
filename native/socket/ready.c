/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/ready.h"

void ready_raise(struct socket *sock, struct stack *current, uint32_t events)
{
    struct stack *home = socket_stack(sock);

    if (current != home) {
        atomic_fetch_or_explicit(&sock->told, events, memory_order_release);
        socket_mark_dirty(sock, true);
        return;
    }
    sock->ready_events |= events;
    if (!list_is_linked(&sock->ready_link) && !list_is_empty(&sock->watches))
        list_push_back(&home->ready, &sock->ready_link);
    else if (list_is_empty(&sock->watches))
        sock->ready_events = 0;
}

void ready_starved(struct socket *sock)
{
    if (list_is_linked(&sock->stack_link) && !list_is_linked(&sock->starved_link))
        list_push_back(&socket_stack(sock)->starved, &sock->starved_link);
}

/* False: it has a stack, and the list is that one's. */
static bool poke_undecided(struct socket *sock, uint32_t events)
{
    struct watch *watch;
    bool mine;

    lock_take(&sock->lock);
    mine = socket_stack(sock) == NULL;
    if (mine) {
        LIST_EACH(watch, &sock->watches, link)
            watch->notify(watch, events);
    }
    lock_give(&sock->lock);
    return mine;
}

void ready_poke(struct socket *sock)
{
    ready_tell(sock, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
}

void ready_tell(struct socket *sock, uint32_t events)
{
    if (socket_stack(sock) == NULL && poke_undecided(sock, events))
        return;
    atomic_fetch_or_explicit(&sock->told, events, memory_order_release);
    socket_mark_dirty(sock, true);
}

static void feed_starved(struct stack *stack)
{
    struct list *node;

    while (chunk_pool_free_count(stack->chunks) >= CHUNK_BUNDLE &&
           (node = list_pop_front(&stack->starved)) != NULL) {
        struct socket *sock = container_of(node, struct socket, starved_link);

        atomic_store(&sock->tx.starved, false);
        ready_raise(sock, stack, EPOLLOUT);
    }
}

/* The end of a connection, or several things at once, concern all who look, however they do. */
static bool concerns_all(uint32_t events)
{
    return (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) || (events & (EPOLLIN | EPOLLOUT)) == (EPOLLIN | EPOLLOUT);
}

static void tell_watches(struct socket *sock, uint32_t events)
{
    uint32_t (*offers)(struct socket *) = concerns_all(events) ? NULL : socket_ops(sock)->offers;
    uint32_t left = UINT32_MAX;
    struct watch *watch;

    LIST_EACH(watch, &sock->watches, link) {
        if (LIKELY(watch->offer == NULL || offers == NULL)) {
            watch->notify(watch, events);
            continue;
        }
        if (left == UINT32_MAX)
            left = offers(sock);
        if (left > 0)
            left -= watch->offer(watch, events);
    }
}

/* Whoever raises says IN and OUT alone; the other two names of poll(2) go with them. */
static inline uint32_t in_full(uint32_t events)
{
    return events | (events & EPOLLIN ? EPOLLRDNORM : 0) | (events & EPOLLOUT ? EPOLLWRNORM : 0);
}

void ready_flush(struct stack *stack)
{
    struct list *node;

    if (UNLIKELY(!list_is_empty(&stack->starved)))
        feed_starved(stack);
    while ((node = list_pop_front(&stack->ready)) != NULL) {
        struct socket *sock = container_of(node, struct socket, ready_link);
        uint32_t events = in_full(sock->ready_events);

        sock->ready_events = 0;
        STAT_INC(stack->stats, ready_events);
        tell_watches(sock, events);
    }
}

struct watch_call {
    struct rpc rpc;
    struct socket *sock;
    struct watch *watch;
};

static void watch_run(struct rpc *rpc)
{
    struct watch_call *call = container_of(rpc, struct watch_call, rpc);

    list_push_back(&call->sock->watches, &call->watch->link);
    rpc_finish(rpc);
}

static void unwatch_run(struct rpc *rpc)
{
    struct watch_call *call = container_of(rpc, struct watch_call, rpc);

    list_remove(&call->watch->link);
    rpc_finish(rpc);
}

/* Before a stack is decided `lock` guards the list, also against that decision. */
static void change(struct socket *sock, struct watch *watch, void (*run)(struct rpc *))
{
    struct watch_call call = { .sock = sock, .watch = watch };
    struct stack *stack;

    rpc_init(&call.rpc, run);
    lock_take(&sock->lock);
    stack = socket_stack(sock);
    if (stack == NULL)
        run(&call.rpc);
    lock_give(&sock->lock);
    if (stack)
        stack_call(stack, &call.rpc);
}

void ready_watch(struct socket *sock, struct watch *watch)
{
    change(sock, watch, watch_run);
}

void ready_unwatch(struct socket *sock, struct watch *watch)
{
    change(sock, watch, unwatch_run);
}

struct unwatch_all_call {
    struct rpc rpc;
    struct socket *sock;
    struct list taken;
};

static void unwatch_all_run(struct rpc *rpc)
{
    struct unwatch_all_call *call = container_of(rpc, struct unwatch_all_call, rpc);

    list_move_all(&call->taken, &call->sock->watches);
    rpc_finish(rpc);
}

void ready_unwatch_all(struct socket *sock)
{
    struct unwatch_all_call call = { .sock = sock };
    struct stack *stack = socket_stack(sock);
    struct list *node;

    /* Nobody can add one: there are no users left. The socket's own watch goes with close. */
    if (sock->watches.next == sock->watches.prev &&
        (list_is_empty(&sock->watches) || sock->watches.next == &sock->blocked_watch.link))
        return;
    list_init(&call.taken);
    rpc_init(&call.rpc, unwatch_all_run);
    if (stack)
        stack_call(stack, &call.rpc);
    else
        unwatch_all_run(&call.rpc);
    while ((node = list_pop_front(&call.taken)) != NULL) {
        struct watch *watch = container_of(node, struct watch, link);

        if (watch != &sock->blocked_watch)
            watch->gone(watch);
    }
}
