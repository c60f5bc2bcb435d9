/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for an epoll: what holds now, and sleeping until something may. */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kernel_calls.h"
#include "fd/epoll_marker.h"
#include "fd/epoll_state.h"
#include "stack/group.h"
#include "stack/sleep.h"

void epoll_take_arrived(struct epoll *ep)
{
    struct mpsc_node *node = mpsc_take(&ep->arrived);

    while (node) {
        struct epoll_item *item = container_of(node, struct epoll_item, arrived_node);

        node = node->next;
        /* Before the socket is asked, so that a change after the answer is put forward again. */
        atomic_store(&item->arrived, false);
        if (!item->dead && !list_is_linked(&item->ready_link))
            list_push_back(&ep->ready, &item->ready_link);
        epoll_item_put(item);
    }
}

static int collect_ours(struct epoll *ep, struct epoll_event *events, int max)
{
    struct list again;
    int count = 0;

    list_init(&again);
    while (count < max && !list_is_empty(&ep->ready)) {
        struct list *node = list_pop_front(&ep->ready);
        struct epoll_item *item = container_of(node, struct epoll_item, ready_link);
        struct socket *sock = socket_of(item->target);
        uint32_t wanted = item->event.events, holds;

        if ((wanted & ~EPOLL_FLAGS) == 0) /* one-shot, and it was shot */
            continue;
        holds = socket_ops(sock)->events(sock) & wanted;
        if (holds == 0)
            continue;
        events[count].events = holds;
        events[count].data = item->event.data;
        count++;
        if (wanted & EPOLLONESHOT)
            item->event.events = wanted & EPOLL_FLAGS;
        else if (!(wanted & EPOLLET))
            list_push_back(&again, node);
    }
    /* Behind the others: with a small `max` each gets its turn. */
    list_move_all(&ep->ready, &again);
    return count;
}

static int turn_stacks(void)
{
    int work = 0;

    for (unsigned i = 0; i < group.count; i++)
        work += group.stacks[i]->driver->turn(group.stacks[i]);
    return work;
}

static int collect_now(struct epoll *ep, struct epoll_event *events, int max)
{
    int count, from_kernel = 0;

    turn_stacks();
    lock_take(&ep->lock);
    epoll_take_arrived(ep);
    count = collect_ours(ep, events, max);
    if (UNLIKELY(!list_is_empty(&ep->nested)))
        count += epoll_collect_nested(ep, events + count, max - count);
    lock_give(&ep->lock);
    if (ep->kernel_fd >= 0 && count < max) {
        from_kernel = kernel.epoll_wait(ep->kernel_fd, events + count, max - count, 0);
        if (from_kernel < 0)
            from_kernel = 0;
        if (ep->adopted)
            from_kernel = epoll_without_marker(events + count, from_kernel, ep->kernel_fd,
                                               atomic_load(&ep->file.fd));
    }
    return count + from_kernel;
}

void epoll_disarm(struct epoll *ep)
{
    if (!ep->prepared)
        return;
    ep->prepared = false;
    epoll_disarm_nested(ep);
    for (unsigned i = 0; i < group.count; i++)
        group.stacks[i]->driver->disarm(group.stacks[i], &ep->waiter);
    doorbell_disarm(&ep->waiter.bell);
    lock_give(&ep->sleeper);
}

/* What lies ready was reported to another thread, level-triggered, and its bell is not ours. */
static bool has_ready(struct epoll *ep)
{
    bool any;

    lock_take(&ep->lock);
    any = !list_is_empty(&ep->ready);
    lock_give(&ep->lock);
    return any;
}

/*
 * True: everything that can wake is armed, nothing is pending, sleep until `*until_us`. `*shared`: another
 * thread has armed it and disarms it; this one looks again soon.
 */
static bool arm(struct epoll *ep, uint64_t *until_us, bool *shared)
{
    unsigned armed = 0;

    *until_us = UINT64_MAX;
    *shared = !lock_try(&ep->sleeper);
    if (*shared) {
        *until_us = clock_now_us() + 1000;
        return true;
    }
    doorbell_arm(&ep->waiter.bell);
    for (; armed < group.count; armed++) {
        uint64_t until;

        if (!group.stacks[armed]->driver->arm(group.stacks[armed], &ep->waiter, &until))
            break;
        if (until < *until_us)
            *until_us = until;
    }
    epoll_arm_nested(ep, until_us);
    if (armed == group.count && !waiter_is_signalled(&ep->waiter) && mpsc_is_empty(&ep->arrived) &&
        !has_ready(ep) && !epoll_has_inner_news(ep)) {
        ep->prepared = true;
        return true;
    }
    epoll_disarm_nested(ep);
    while (armed-- > 0)
        group.stacks[armed]->driver->disarm(group.stacks[armed], &ep->waiter);
    doorbell_disarm(&ep->waiter.bell);
    lock_give(&ep->sleeper);
    return false;
}

/*
 * Nothing came, or only a signal. If something was told to this thread alone at the last moment, nobody else
 * knows of it.
 */
static int leave(struct epoll *ep, struct epoll_event *events, int max, int result)
{
    int awaited = EPOLL_AWAITED, count = 0;

    if (!atomic_compare_exchange_strong(&ep->awaited, &awaited, EPOLL_NOBODY)) {
        while (atomic_load(&ep->awaited) == EPOLL_TELLING)
            usleep(20);
        count = collect_now(ep, events, max);
    } else if (result < 0) { /* a signal: what is there goes first */
        count = collect_now(ep, events, max);
    }
    return count > 0 ? count : result;
}

/* What epoll_prepare() armed; never what a thread that sleeps here has. */
static void end_prepared(struct epoll *ep)
{
    if (!ep->prepared_outside)
        return;
    ep->prepared_outside = false;
    epoll_disarm(ep);
}

int epoll_collect(struct file *file, struct epoll_event *events, int max, uint64_t deadline_ns,
                  const sigset_t *mask)
{
    struct epoll *ep = epoll_of(file);
    uint64_t idle_since = 0, spin_us = group.count ? group.stacks[0]->spin_us : 0;

    if (max <= 0)
        return -EINVAL;
    end_prepared(ep);
    for (;;) {
        uint64_t until_us, now_us;
        int count, slept = 0;
        bool shared;

        waiter_take(&ep->waiter);
        if (deadline_ns != 0)
            atomic_store_explicit(&ep->awaited, EPOLL_AWAITED, memory_order_relaxed);
        count = collect_now(ep, events, max);
        if (count > 0)
            atomic_store_explicit(&ep->awaited, EPOLL_NOBODY, memory_order_relaxed);
        if (count > 0 || deadline_ns == 0)
            return count;
        now_us = clock_now_us();
        if (deadline_ns != UINT64_MAX && now_us >= deadline_ns / 1000)
            return leave(ep, events, max, 0);
        if (idle_since == 0)
            idle_since = now_us;
        if (now_us - idle_since < spin_us) {
            cpu_relax();
            continue;
        }
        if (arm(ep, &until_us, &shared)) {
            uint64_t deadline_us = deadline_ns == UINT64_MAX ? UINT64_MAX : deadline_ns / 1000;

            slept = sleep_masked(ep->sleep_fd, until_us < deadline_us ? until_us : deadline_us,
                                 mask);
            if (!shared)
                epoll_disarm(ep);
        }
        if (slept < 0)
            return leave(ep, events, max, slept);
    }
}

int epoll_kernel_fd(struct file *file)
{
    return epoll_of(file)->sleep_fd;
}

int epoll_prepare(struct file *file, uint64_t *timeout_us)
{
    struct epoll *ep = epoll_of(file);
    uint64_t until_us, now_us;
    bool ready, shared;

    end_prepared(ep);
    lock_take(&ep->lock);
    epoll_take_arrived(ep);
    ready = !list_is_empty(&ep->ready);
    lock_give(&ep->lock);
    if (ready || waiter_take(&ep->waiter) || !arm(ep, &until_us, &shared))
        return 1;
    ep->prepared_outside = !shared;
    now_us = clock_now_us();
    *timeout_us = until_us == UINT64_MAX ? UINT64_MAX : until_us > now_us ? until_us - now_us : 0;
    return 0;
}
