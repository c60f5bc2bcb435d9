/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/wait.h"

#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "socket/ready.h"
#include "socket/thread.h"
#include "stack/group.h"
#include "stack/sleep.h"

#define UNDECIDED_US 10000
uint64_t socket_deadline(uint64_t timeout_us)
{
    return timeout_us == 0 ? UINT64_MAX : clock_now_ns() + timeout_us * 1000;
}

/* Every stack: the other end may be one of ours, too. */
static int turn_all(void)
{
    int work = 0;

    for (unsigned i = 0; i < group.count; i++)
        work += group.stacks[i]->driver->turn(group.stacks[i]);
    return work;
}

bool socket_poll(struct socket *sock)
{
    return socket_stack(sock) && turn_all() > 0;
}

/*
 * Watching for a blocked call. A socket has one watch of its own for that, put on its list by the
 * first blocked call and left there: the next ones only name the thread to wake, without a word to
 * the stack. Several threads blocked in one socket at once are rare; those after the first bring a
 * watch for the time of their call.
 */
struct blocked {
    struct watch watch;
    struct waiter *waiter;
    bool by_own_watch;
};

static void wake(struct watch *watch, uint32_t events)
{
    (void)events;
    waiter_signal(container_of(watch, struct blocked, watch)->waiter);
}

/* Raised by an instruction of the thread itself: such a handler never ends a sleep. */
static bool is_fault(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL ||
           number == SIGTRAP || number == SIGSYS;
}

/*
 * Which handler ended a sleep is not known. When all that are installed say SA_RESTART, it was one
 * of those, and the call goes on, as signal(7) has it for calls without a time limit.
 */
static bool signals_restart(void)
{
    for (int number = 1; number <= SIGRTMAX; number++) {
        struct sigaction action;

        if (!is_fault(number) && sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL &&
            action.sa_handler != SIG_IGN && !(action.sa_flags & SA_RESTART))
            return false;
    }
    return true;
}

static void wake_blocked(struct watch *watch, uint32_t events)
{
    struct waiter *waiter;

    (void)events;
    /* What became ready was stored before; the blocked thread names itself first and looks second. */
    atomic_thread_fence(memory_order_seq_cst);
    waiter = atomic_load(&container_of(watch, struct socket, blocked_watch)->blocked);
    /* It may have left meanwhile. Waiters are never freed, and one wake too many does no harm. */
    if (waiter)
        waiter_signal(waiter);
}

static void block(struct socket *sock, struct blocked *b)
{
    struct waiter *nobody = NULL;

    waiter_take(b->waiter);
    b->by_own_watch = atomic_compare_exchange_strong(&sock->blocked, &nobody, b->waiter);
    if (!b->by_own_watch) {
        b->watch = (struct watch){ .notify = wake };
        list_init(&b->watch.link);
        ready_watch(sock, &b->watch);
    } else if (UNLIKELY(!atomic_load_explicit(&sock->blocked_watched, memory_order_relaxed))) {
        sock->blocked_watch.notify = wake_blocked;
        ready_watch(sock, &sock->blocked_watch);
        atomic_store_explicit(&sock->blocked_watched, true, memory_order_relaxed);
    }
}

static void unblock(struct socket *sock, struct blocked *b)
{
    if (b->by_own_watch)
        atomic_store(&sock->blocked, NULL);
    else
        ready_unwatch(sock, &b->watch);
}

static bool holds(struct socket *sock, uint32_t events, uint64_t bytes)
{
    uint32_t now;

    if (recv_queue_bytes(&sock->rx) > bytes)
        return true;
    now = socket_ops(sock)->events(sock);
    /* EPOLLERR is also a message in the error queue, which ends nobody's wait and stays until it is read. */
    return (now & (events | EPOLLHUP)) != 0 ||
           ((now & EPOLLERR) && atomic_load_explicit(&sock->error, memory_order_relaxed) != 0);
}

/* No stack yet (a UDP socket without a name): another thread may see to that. */
static int wait_undecided(struct waiter *waiter, uint64_t deadline_ns)
{
    uint64_t until_us = clock_now_us() + UNDECIDED_US;
    int result = 0;

    doorbell_arm(&waiter->bell);
    if (deadline_ns / 1000 + 1 < until_us)
        until_us = deadline_ns / 1000 + 1;
    if (!waiter_is_signalled(waiter))
        result = sleep_on(waiter->bell.fd, -1, until_us);
    doorbell_disarm(&waiter->bell);
    waiter_take(waiter);
    return result;
}

int socket_wait_bytes(struct socket *sock, uint32_t events, uint64_t bytes, uint64_t deadline_ns)
{
    struct stack *stack = socket_stack(sock);
    struct blocked blocked;
    int result = 0;

    if (holds(sock, events, bytes))
        return 0;
    blocked.waiter = thread_waiter();
    if (blocked.waiter == NULL)
        return -ENOBUFS;
    if (stack && stack->wait_spin_ns > 0) {
        /* Cheaper than a watch when the answer is on its way; inline stacks are turned meanwhile. */
        uint64_t until = clock_now_ns() + stack->wait_spin_ns;

        do {
            for (int i = 0; i < 16; i++) {
                turn_all();
                if (holds(sock, events, bytes))
                    return 0;
                cpu_relax();
            }
        } while (clock_now_ns() < until && until < deadline_ns);
    }
    block(sock, &blocked);
    while (!holds(sock, events, bytes)) {
        if (deadline_ns != UINT64_MAX && clock_now_ns() >= deadline_ns) {
            result = -EAGAIN;
            break;
        }
        if (stack == NULL)
            stack = socket_stack(sock);
        result = stack ? stack->driver->wait(stack, blocked.waiter, deadline_ns)
                       : wait_undecided(blocked.waiter, deadline_ns);
        if (UNLIKELY(result == -EINTR) && deadline_ns == UINT64_MAX && signals_restart())
            result = 0;
        if (result < 0)
            break;
    }
    unblock(sock, &blocked);
    if (result == -EINTR && holds(sock, events, bytes))
        result = 0;
    return result;
}

int socket_wait(struct socket *sock, uint32_t events, uint64_t deadline_ns)
{
    return socket_wait_bytes(sock, events, UINT64_MAX, deadline_ns);
}

int socket_look_again(struct socket *sock, struct patience *patience, uint32_t events, uint64_t bytes,
                      uint64_t timeout_us)
{
    if (!patience->polled && socket_stack(sock)) {
        patience->polled = true;
        if (socket_poll(sock))
            return 0;
    }
    if (!patience->block)
        return -EAGAIN;
    if (patience->deadline_ns == 0)
        patience->deadline_ns = socket_deadline(timeout_us);
    return socket_wait_bytes(sock, events, bytes, patience->deadline_ns);
}
