/* SPDX-License-Identifier: Apache-2.0 */
/* What is in an epoll: registering and removing (epoll_ctl), and what a stack does with an item. */
#include <errno.h>
#include <stdlib.h>

#include "base/kernel_calls.h"
#include "fd/epoll_state.h"

#define ALWAYS (EPOLLERR | EPOLLHUP)

void epoll_item_put(struct epoll_item *item)
{
    if (atomic_fetch_sub(&item->refs, 1) == 1) {
        file_put(item->target);
        file_put(&item->epoll->file);
        free(item);
    }
}

void epoll_item_unwatch(struct epoll_item *item)
{
    if (item->target->kind == FILE_EPOLL)
        epoll_unnest(item);
    else
        ready_unwatch(socket_of(item->target), &item->watch);
}

/* ---- the stack's side ---- */

static void on_ready(struct watch *watch, uint32_t events)
{
    struct epoll_item *item = container_of(watch, struct epoll_item, watch);

    if (!(events & item->event.events))
        return;
    atomic_fetch_add_explicit(&item->epoll->changes, 1, memory_order_relaxed);
    if (!atomic_exchange(&item->arrived, true)) {
        atomic_fetch_add(&item->refs, 1);
        mpsc_push(&item->epoll->arrived, &item->arrived_node);
    }
    waiter_signal(&item->epoll->waiter);
}

/* Chosen before it is told: the thread may be back before this one goes on. */
static bool on_offer(struct watch *watch, uint32_t events)
{
    struct epoll_item *item = container_of(watch, struct epoll_item, watch);
    struct epoll *ep = item->epoll;
    int awaited = EPOLL_AWAITED, telling = EPOLL_TELLING;
    bool chosen = (events & item->event.events) &&
                  atomic_compare_exchange_strong(&ep->awaited, &awaited, EPOLL_TELLING);

    on_ready(watch, events);
    if (chosen)
        atomic_compare_exchange_strong(&ep->awaited, &telling, EPOLL_NOBODY);
    return chosen;
}

/* ---- the items ---- */

static struct list *bucket_of(struct epoll *ep, int fd)
{
    return &ep->buckets[((uint32_t)fd * 2654435761u >> 7) & (ep->buckets_count - 1)];
}

static struct epoll_item *find(struct epoll *ep, int fd, const struct file *target)
{
    struct list *bucket = bucket_of(ep, fd);
    struct epoll_item *item;

    LIST_EACH(item, bucket, hash_link) {
        if (item->fd == fd && item->target == target)
            return item;
    }
    return NULL;
}

static void grow(struct epoll *ep)
{
    uint32_t count = ep->buckets_count * 2, old_count = ep->buckets_count;
    struct list *old = ep->buckets, *buckets = malloc(count * sizeof(*buckets));

    if (buckets == NULL)
        return; /* slower, not wrong */
    for (uint32_t i = 0; i < count; i++)
        list_init(&buckets[i]);
    ep->buckets = buckets;
    ep->buckets_count = count;
    for (uint32_t i = 0; i < old_count; i++) {
        struct list *node;

        while ((node = list_pop_front(&old[i])) != NULL)
            list_push_back(bucket_of(ep, container_of(node, struct epoll_item, hash_link)->fd), node);
    }
    free(old);
}

void epoll_item_unlink(struct epoll *ep, struct epoll_item *item)
{
    item->dead = true;
    list_remove(&item->hash_link);
    list_remove(&item->ready_link);
    list_remove(&item->nested_link);
    ep->items_count--;
}

/* The socket is being closed: epoll(7), "Will closing a file descriptor cause it to be removed". */
static void on_gone(struct watch *watch)
{
    struct epoll_item *item = container_of(watch, struct epoll_item, watch);
    struct epoll *ep = item->epoll;
    bool mine;

    lock_take(&ep->lock);
    mine = !item->dead;
    if (mine)
        epoll_item_unlink(ep, item);
    lock_give(&ep->lock);
    if (mine)
        epoll_item_put(item); /* the epoll's */
    epoll_item_put(item);     /* the watch's */
}

static int add(struct epoll *ep, int fd, struct file *target, const struct epoll_event *event)
{
    struct epoll_item *item;

    if ((event->events & EPOLLEXCLUSIVE) && target->kind == FILE_EPOLL)
        return -EINVAL;
    if ((event->events & EPOLLEXCLUSIVE) &&
        (event->events & ~(EPOLLIN | EPOLLOUT | ALWAYS | EPOLLET | EPOLLWAKEUP | EPOLLEXCLUSIVE)))
        return -EINVAL;
    if (find(ep, fd, target))
        return -EEXIST;
    item = calloc(1, sizeof(*item));
    if (item == NULL)
        return -ENOMEM;
    item->watch.notify = on_ready;
    item->watch.offer = event->events & EPOLLEXCLUSIVE ? on_offer : NULL;
    item->watch.gone = on_gone;
    list_init(&item->watch.link);
    list_init(&item->ready_link);
    list_init(&item->hash_link);
    list_init(&item->nested_link);
    item->epoll = ep;
    item->target = target;
    item->fd = fd;
    item->event = *event;
    item->event.events |= ALWAYS;
    atomic_init(&item->refs, 2);
    file_hold(target);
    file_hold(&ep->file);
    if (target->kind == FILE_EPOLL) {
        int result = epoll_nest(item);

        if (result < 0) {
            atomic_store(&item->refs, 1);
            epoll_item_put(item);
            return result;
        }
    }
    if (ep->items_count >= ep->buckets_count * 2)
        grow(ep);
    list_push_back(bucket_of(ep, fd), &item->hash_link);
    ep->items_count++;
    /* What holds already is reported, edge-triggered or not: look at it once. */
    if (target->kind == FILE_SOCKET) {
        list_push_back(&ep->ready, &item->ready_link);
        ready_watch(socket_of(target), &item->watch);
    }
    atomic_fetch_add_explicit(&ep->changes, 1, memory_order_relaxed);
    waiter_signal(&ep->waiter);
    return 0;
}

static int control_ours(struct epoll *ep, int op, int fd, struct file *target,
                        const struct epoll_event *event)
{
    struct epoll_item *item = NULL;
    int result = 0;

    lock_take(&ep->lock);
    if (op == EPOLL_CTL_ADD) {
        result = add(ep, fd, target, event);
        lock_give(&ep->lock);
        return result;
    }
    item = find(ep, fd, target);
    if (item == NULL) {
        result = -ENOENT;
    } else if (op == EPOLL_CTL_MOD) {
        if (item->event.events & EPOLLEXCLUSIVE) {
            result = -EINVAL;
        } else {
            item->event = *event;
            item->event.events |= ALWAYS;
            item->told = false;
            if (!list_is_linked(&item->ready_link) && target->kind == FILE_SOCKET)
                list_push_back(&ep->ready, &item->ready_link);
            atomic_fetch_add_explicit(&ep->changes, 1, memory_order_relaxed);
            waiter_signal(&ep->waiter);
        }
        item = NULL;
    } else {
        epoll_item_unlink(ep, item);
    }
    lock_give(&ep->lock);
    if (result == 0 && item) {
        epoll_item_unwatch(item);
        epoll_item_put(item);
        epoll_item_put(item);
    }
    return result;
}

static int control_kernel(struct epoll *ep, int op, int fd, const struct epoll_event *event)
{
    struct epoll_event copy;
    int result;

    lock_take(&ep->lock);
    if (ep->kernel_fd < 0) {
        ep->kernel_fd = kernel.epoll_create1(EPOLL_CLOEXEC);
        if (ep->kernel_fd < 0 || epoll_watch_kernel(ep->sleep_fd, ep->kernel_fd) < 0) {
            lock_give(&ep->lock);
            return -errno;
        }
    }
    if (event)
        copy = *event;
    result = kernel.epoll_ctl(ep->kernel_fd, op, fd, event ? &copy : NULL) < 0 ? -errno : 0;
    if (result == 0 && op == EPOLL_CTL_ADD)
        ep->kernel_count++;
    else if (result == 0 && op == EPOLL_CTL_DEL)
        ep->kernel_count--;
    lock_give(&ep->lock);
    return result;
}

int epoll_control(struct file *file, int op, int fd, struct file *target,
                  const struct epoll_event *event)
{
    struct epoll *ep = epoll_of(file);

    if (op != EPOLL_CTL_ADD && op != EPOLL_CTL_MOD && op != EPOLL_CTL_DEL)
        return -EINVAL;
    if (event == NULL && op != EPOLL_CTL_DEL)
        return -EFAULT;
    if (target == file || (target && op == EPOLL_CTL_MOD && (event->events & EPOLLEXCLUSIVE)))
        return -EINVAL;
    if (target == NULL)
        return control_kernel(ep, op, fd, event);
    if (target->kernel_side) { /* a listener of both sides: an item on each */
        int result = control_kernel(ep, op, fd, event);

        if (result < 0)
            return result;
    }
    return control_ours(ep, op, fd, target, event);
}
