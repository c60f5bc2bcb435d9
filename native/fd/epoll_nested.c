/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An epoll inside another, or in poll(): it is readable while it has something to tell (epoll(7)).
 *
 * The outer one asks it each time; the inner's own list tells. Who sleeps on the outer one also arms the
 * inner's bell, as its `sleeper`; the kernel epoll that it sleeps on has the inner's in it. Locks are taken
 * from the outside to the inside; that there is no circle is seen to under `nesting`.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/kernel_calls.h"
#include "fd/epoll_state.h"

#define DEPTH_MAX 5 /* as the kernel's EP_MAX_NESTS + 1 */
#define SHARED_US 1000

static struct lock nesting; /* `outers` of all, and who is in whom */

static bool is_kernel_side_ready(struct epoll *ep)
{
    struct pollfd look = { .fd = ep->kernel_fd, .events = POLLIN };

    return ep->kernel_fd >= 0 && kernel.poll(&look, 1, 0) == 1;
}

/* Under lock: does one of our sockets in it have something to tell? Items that have not leave the list. */
static bool is_any_ready(struct epoll *ep)
{
    struct list *node;

    epoll_take_arrived(ep);
    while ((node = list_first(&ep->ready)) != NULL) {
        struct epoll_item *item = container_of(node, struct epoll_item, ready_link);
        uint32_t wanted = item->event.events;

        if ((wanted & ~EPOLL_FLAGS) && (socket_ops(socket_of(item->target))->events(socket_of(item->target)) & wanted))
            return true;
        list_remove(node);
    }
    return false;
}

static uint32_t changes_of(struct epoll *ep);

/* An edge that was told already is not told again, to whoever asks. */
static bool is_told(const struct epoll_item *item, uint32_t changes)
{
    return (item->event.events & EPOLLET) && item->told && item->told_changes == changes;
}

uint32_t epoll_events(struct file *file)
{
    struct epoll *ep = epoll_of(file);
    struct epoll_item *item;
    bool ready;

    lock_take(&ep->lock);
    ready = is_any_ready(ep);
    LIST_EACH(item, &ep->nested, nested_link) {
        if (ready)
            break;
        ready = (item->event.events & (EPOLLIN | EPOLLRDNORM)) && !is_told(item, changes_of(epoll_of(item->target))) &&
                epoll_events(item->target);
    }
    lock_give(&ep->lock);
    return ready || is_kernel_side_ready(ep) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* Of what is in it, however deep. */
static uint32_t changes_of(struct epoll *ep)
{
    uint32_t sum = atomic_load(&ep->changes);
    struct epoll_item *item;

    lock_take(&ep->lock);
    LIST_EACH(item, &ep->nested, nested_link)
        sum += changes_of(epoll_of(item->target));
    lock_give(&ep->lock);
    return sum;
}

int epoll_collect_nested(struct epoll *ep, struct epoll_event *events, int max)
{
    struct epoll_item *item;
    int count = 0;

    LIST_EACH(item, &ep->nested, nested_link) {
        struct epoll *inner = epoll_of(item->target);
        uint32_t wanted = item->event.events, changes = changes_of(inner), holds;

        if (count == max)
            break;
        if ((wanted & ~EPOLL_FLAGS) == 0)
            continue;
        waiter_take(&inner->waiter); /* what it says is looked at now */
        holds = epoll_events(item->target) & wanted;
        if (holds == 0 || is_told(item, changes)) {
            item->told = item->told && holds;
            continue;
        }
        item->told = true;
        item->told_changes = changes;
        events[count].events = holds;
        events[count++].data = item->event.data;
        if (wanted & EPOLLONESHOT)
            item->event.events = wanted & EPOLL_FLAGS;
    }
    return count;
}

/* ---- sleeping ---- */

bool epoll_arm_inner(struct file *file, uint64_t *until_us)
{
    struct epoll *ep = epoll_of(file);

    if (!lock_try(&ep->sleeper))
        return false;
    doorbell_arm(&ep->waiter.bell);
    epoll_arm_nested(ep, until_us);
    return true;
}

void epoll_disarm_inner(struct file *file)
{
    struct epoll *ep = epoll_of(file);

    epoll_disarm_nested(ep);
    doorbell_disarm(&ep->waiter.bell);
    lock_give(&ep->sleeper);
}

/* As sleeper of `ep`: its inner ones too; what another thread sleeps on, or is too much, is polled. */
void epoll_arm_nested(struct epoll *ep, uint64_t *until_us)
{
    struct epoll_item *item;

    ep->armed_count = 0;
    if (LIKELY(list_is_empty(&ep->nested)))
        return;
    lock_take(&ep->lock);
    LIST_EACH(item, &ep->nested, nested_link) {
        if (!item->polled && ep->armed_count < EPOLL_ARMED_MAX && epoll_arm_inner(item->target, until_us)) {
            file_hold(item->target);
            ep->armed[ep->armed_count++] = item->target;
        } else {
            *until_us = min_u64(*until_us, clock_now_us() + SHARED_US);
        }
    }
    lock_give(&ep->lock);
}

bool epoll_has_inner_news(const struct epoll *ep)
{
    for (unsigned i = 0; i < ep->armed_count; i++) {
        const struct epoll *inner = epoll_of(ep->armed[i]);

        if (waiter_is_signalled(&inner->waiter) || epoll_has_inner_news(inner))
            return true;
    }
    return false;
}

void epoll_disarm_nested(struct epoll *ep)
{
    while (ep->armed_count > 0) {
        struct file *inner = ep->armed[--ep->armed_count];

        epoll_disarm_inner(inner);
        file_put(inner);
    }
}

/* ---- who is in whom ---- */

/* Under `nesting`: how many levels there are below, and whether `wanted` is among them. */
static int depth_below(struct epoll *ep, const struct epoll *wanted, bool *found)
{
    struct epoll_item *item;
    int depth = 0;

    *found |= ep == wanted;
    if (*found)
        return 0;
    LIST_EACH(item, &ep->nested, nested_link) {
        int below = 1 + depth_below(epoll_of(item->target), wanted, found);

        depth = below > depth ? below : depth;
    }
    return depth;
}

static int depth_above(struct epoll *ep)
{
    struct epoll_item *item;
    int depth = 0;

    LIST_EACH(item, &ep->outers, watch.link) {
        int above = 1 + depth_above(item->epoll);

        depth = above > depth ? above : depth;
    }
    return depth;
}

int epoll_nest(struct epoll_item *item)
{
    struct epoll *outer = item->epoll, *inner = epoll_of(item->target);
    bool circle = false;
    bool allowed;
    int result = 0;

    lock_take(&nesting);
    allowed = depth_below(inner, outer, &circle) + 1 + depth_above(outer) < DEPTH_MAX && !circle;
    if (!allowed)
        result = -ELOOP;
    if (result == 0)
        result = epoll_watch_kernel(outer->sleep_fd, inner->sleep_fd);
    if (result == -EEXIST) /* it is in there already, by another number of the same */
        result = 0;
    item->polled = result == -ELOOP && allowed; /* what the kernel's are in counts there, too */
    if (item->polled)
        result = 0;
    if (result == 0) {
        list_push_back(&outer->nested, &item->nested_link);
        list_push_back(&inner->outers, &item->watch.link);
    }
    lock_give(&nesting);
    return result;
}

void epoll_unnest(struct epoll_item *item)
{
    struct epoll *inner = epoll_of(item->target);
    struct epoll_item *other;
    bool stays = false;

    lock_take(&nesting);
    list_remove(&item->watch.link);
    LIST_EACH(other, &inner->outers, watch.link)
        stays |= other->epoll == item->epoll;
    if (!stays)
        kernel.epoll_ctl(item->epoll->sleep_fd, EPOLL_CTL_DEL, inner->sleep_fd, NULL);
    lock_give(&nesting);
}

void epoll_leave_outers(struct epoll *inner)
{
    for (;;) {
        struct list *node;

        lock_take(&nesting);
        node = list_pop_front(&inner->outers);
        lock_give(&nesting);
        if (node == NULL)
            return;
        container_of(node, struct watch, link)->gone(container_of(node, struct watch, link));
    }
}
