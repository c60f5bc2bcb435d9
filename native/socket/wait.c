/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/wait.h"

#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "socket/ready.h"
#include "socket/thread.h"

#define SPIN_NS 20000 /* a wake-up through the kernel costs about as much as this */

uint64_t socket_deadline(uint64_t timeout_us)
{
    return timeout_us == 0 ? UINT64_MAX : clock_now_ns() + timeout_us * 1000;
}

bool socket_poll(struct socket *sock)
{
    struct stack *stack = socket_stack(sock);

    return stack && stack->driver->turn(stack) > 0;
}

struct blocked {
    struct watch watch;
    struct waiter *waiter;
};

static void wake(struct watch *watch, uint32_t events)
{
    (void)events;
    waiter_signal(container_of(watch, struct blocked, watch)->waiter);
}

/*
 * Which handler ended a sleep is not known. When all that are installed say SA_RESTART, it was one
 * of those, and the call goes on, as signal(7) has it for calls without a time limit.
 */
static bool signals_restart(void)
{
    for (int number = 1; number <= SIGRTMAX; number++) {
        struct sigaction action;

        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL &&
            action.sa_handler != SIG_IGN && !(action.sa_flags & SA_RESTART))
            return false;
    }
    return true;
}

static bool holds(struct socket *sock, uint32_t events)
{
    return (socket_ops(sock)->events(sock) & (events | EPOLLERR | EPOLLHUP)) != 0;
}

int socket_wait(struct socket *sock, uint32_t events, uint64_t deadline_ns)
{
    struct stack *stack = socket_stack(sock);
    struct blocked blocked = { .watch.notify = wake };
    int result = 0;

    if (holds(sock, events))
        return 0;
    blocked.waiter = thread_waiter();
    if (blocked.waiter == NULL)
        return -ENOBUFS;
    if (stack) {
        /* Cheaper than a watch when the answer is on its way; inline stacks are turned meanwhile. */
        uint64_t until = clock_now_ns() + SPIN_NS;

        do {
            for (int i = 0; i < 16; i++) {
                stack->driver->turn(stack);
                if (holds(sock, events))
                    return 0;
                cpu_relax();
            }
        } while (clock_now_ns() < until && until < deadline_ns);
    }
    list_init(&blocked.watch.link);
    waiter_take(blocked.waiter);
    ready_watch(sock, &blocked.watch);
    while (!holds(sock, events)) {
        if (deadline_ns != UINT64_MAX && clock_now_ns() >= deadline_ns) {
            result = -EAGAIN;
            break;
        }
        /* A socket without a stack never becomes ready by itself (connect in another thread). */
        if (stack == NULL) {
            stack = socket_stack(sock);
            if (stack == NULL) {
                result = -ENOTCONN;
                break;
            }
        }
        result = stack->driver->wait(stack, blocked.waiter, deadline_ns);
        if (UNLIKELY(result == -EINTR) && deadline_ns == UINT64_MAX && signals_restart())
            result = 0;
        if (result < 0)
            break;
    }
    ready_unwatch(sock, &blocked.watch);
    if (result == -EINTR && holds(sock, events))
        result = 0;
    return result;
}
