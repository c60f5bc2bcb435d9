/* SPDX-License-Identifier: Apache-2.0 */
#include "fd/epoll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/kernel_calls.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/mpsc.h"
#include "fd/epoll_marker.h"
#include "socket/ready.h"
#include "socket/socket.h"
#include "stack/group.h"
#include "stack/sleep.h"

#define ALWAYS (EPOLLERR | EPOLLHUP)
#define FLAGS (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP)

struct epoll {
    struct file file;
    struct lock lock; /* all below but `arrived` and `waiter` */
    struct list *buckets;
    uint32_t buckets_count, items_count;
    struct list ready; /* items to look at, oldest first */
    int kernel_fd;     /* epoll of the user's kernel descriptors, or -1 */
    uint32_t kernel_count;
    int sleep_fd; /* epoll of kernel_fd, the waiter's bell, and the inline stacks' sleep_fds */
    bool prepared; /* stacks and bell are armed */
    bool adopted;  /* kernel_fd is the program's, and may have a marker in it */
    struct lock sleeper; /* one thread sleeps with everything armed */

    struct mpsc arrived; /* items that a stack put forward */
    struct waiter waiter;
    struct epoll *next_free;
};

struct item {
    struct watch watch;
    struct epoll *epoll;
    struct file *target; /* holds a reference, is no user of it */
    int fd;
    struct epoll_event event;
    bool dead; /* removed; freed by the last reference */
    struct list hash_link, ready_link;
    struct mpsc_node arrived_node;
    _Atomic bool arrived;
    _Atomic uint32_t refs; /* the epoll, the watch, `arrived` */
};

/* Memory of epolls is kept for fd_use(); see fd_table.h. */
static struct lock free_lock;
static struct epoll *free_list;

static void item_put(struct item *item)
{
    if (atomic_fetch_sub(&item->refs, 1) == 1) {
        file_put(item->target);
        file_put(&item->epoll->file);
        free(item);
    }
}

/* ---- the stack's side ---- */

static void on_ready(struct watch *watch, uint32_t events)
{
    struct item *item = container_of(watch, struct item, watch);

    if (!(events & item->event.events))
        return;
    if (!atomic_exchange(&item->arrived, true)) {
        atomic_fetch_add(&item->refs, 1);
        mpsc_push(&item->epoll->arrived, &item->arrived_node);
    }
    waiter_signal(&item->epoll->waiter);
}

/* ---- the items ---- */

static struct list *bucket_of(struct epoll *ep, int fd)
{
    return &ep->buckets[((uint32_t)fd * 2654435761u >> 7) & (ep->buckets_count - 1)];
}

static struct item *find(struct epoll *ep, int fd, const struct file *target)
{
    struct list *bucket = bucket_of(ep, fd);
    struct item *item;

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
            list_push_back(bucket_of(ep, container_of(node, struct item, hash_link)->fd), node);
    }
    free(old);
}

/* Under lock: out of the epoll's structures. The watch is the caller's to remove. */
static void unlink_item(struct epoll *ep, struct item *item)
{
    item->dead = true;
    list_remove(&item->hash_link);
    list_remove(&item->ready_link);
    ep->items_count--;
}

/* The socket is being closed: epoll(7), "Will closing a file descriptor cause it to be removed". */
static void on_gone(struct watch *watch)
{
    struct item *item = container_of(watch, struct item, watch);
    struct epoll *ep = item->epoll;
    bool mine;

    lock_take(&ep->lock);
    mine = !item->dead;
    if (mine)
        unlink_item(ep, item);
    lock_give(&ep->lock);
    if (mine)
        item_put(item); /* the epoll's */
    item_put(item);     /* the watch's */
}

static int add(struct epoll *ep, int fd, struct file *target, const struct epoll_event *event)
{
    struct item *item;

    if ((event->events & EPOLLEXCLUSIVE) &&
        (event->events & ~(EPOLLIN | EPOLLOUT | ALWAYS | EPOLLET | EPOLLWAKEUP | EPOLLEXCLUSIVE)))
        return -EINVAL;
    if (find(ep, fd, target))
        return -EEXIST;
    if (target->kind != FILE_SOCKET)
        return -EINVAL; /* one of our epolls inside another: not offered */
    item = calloc(1, sizeof(*item));
    if (item == NULL)
        return -ENOMEM;
    item->watch.notify = on_ready;
    item->watch.gone = on_gone;
    list_init(&item->watch.link);
    list_init(&item->ready_link);
    item->epoll = ep;
    item->target = target;
    item->fd = fd;
    item->event = *event;
    item->event.events |= ALWAYS;
    atomic_init(&item->refs, 2);
    file_hold(target);
    file_hold(&ep->file);
    if (ep->items_count >= ep->buckets_count * 2)
        grow(ep);
    list_push_back(bucket_of(ep, fd), &item->hash_link);
    ep->items_count++;
    /* What holds already is reported, edge-triggered or not: look at it once. */
    list_push_back(&ep->ready, &item->ready_link);
    ready_watch(socket_of(target), &item->watch);
    waiter_signal(&ep->waiter);
    return 0;
}

static int control_ours(struct epoll *ep, int op, int fd, struct file *target,
                        const struct epoll_event *event)
{
    struct item *item = NULL;
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
            if (!list_is_linked(&item->ready_link))
                list_push_back(&ep->ready, &item->ready_link);
            waiter_signal(&ep->waiter);
        }
        item = NULL;
    } else {
        unlink_item(ep, item);
    }
    lock_give(&ep->lock);
    if (result == 0 && item) {
        ready_unwatch(socket_of(target), &item->watch);
        item_put(item);
        item_put(item);
    }
    return result;
}

static int watch_kernel_fd(int epoll_fd, int fd)
{
    struct epoll_event event = { .events = EPOLLIN };

    return kernel.epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int control_kernel(struct epoll *ep, int op, int fd, const struct epoll_event *event)
{
    struct epoll_event copy;
    int result;

    lock_take(&ep->lock);
    if (ep->kernel_fd < 0) {
        ep->kernel_fd = kernel.epoll_create1(EPOLL_CLOEXEC);
        if (ep->kernel_fd < 0 || watch_kernel_fd(ep->sleep_fd, ep->kernel_fd) < 0) {
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
    struct epoll *ep = container_of(file, struct epoll, file);

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

/* ---- collecting ---- */

/* Under lock: what stacks put forward goes to the end of the ready list. */
static void take_arrived(struct epoll *ep)
{
    struct mpsc_node *node = mpsc_take(&ep->arrived);

    while (node) {
        struct item *item = container_of(node, struct item, arrived_node);

        node = node->next;
        /* Before the socket is asked, so that a change after the answer is put forward again. */
        atomic_store(&item->arrived, false);
        if (!item->dead && !list_is_linked(&item->ready_link))
            list_push_back(&ep->ready, &item->ready_link);
        item_put(item);
    }
}

static int collect_ours(struct epoll *ep, struct epoll_event *events, int max)
{
    struct list again;
    int count = 0;

    list_init(&again);
    while (count < max && !list_is_empty(&ep->ready)) {
        struct list *node = list_pop_front(&ep->ready);
        struct item *item = container_of(node, struct item, ready_link);
        struct socket *sock = socket_of(item->target);
        uint32_t wanted = item->event.events, holds;

        if ((wanted & ~FLAGS) == 0) /* one-shot, and it was shot */
            continue;
        holds = socket_ops(sock)->events(sock) & wanted;
        if (holds == 0)
            continue;
        events[count].events = holds;
        events[count].data = item->event.data;
        count++;
        if (wanted & EPOLLONESHOT)
            item->event.events = wanted & FLAGS;
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
    take_arrived(ep);
    count = collect_ours(ep, events, max);
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

static void disarm(struct epoll *ep)
{
    if (!ep->prepared)
        return;
    ep->prepared = false;
    for (unsigned i = 0; i < group.count; i++)
        group.stacks[i]->driver->disarm(group.stacks[i]);
    doorbell_disarm(&ep->waiter.bell);
    lock_give(&ep->sleeper);
}

/* True: everything that can wake is armed, nothing is pending, sleep until `*until_us`. */
static bool arm(struct epoll *ep, uint64_t *until_us)
{
    unsigned armed = 0;

    *until_us = UINT64_MAX;
    if (!lock_try(&ep->sleeper)) {
        /* Another thread waits on this epoll with the bell armed; share what it finds. */
        *until_us = clock_now_us() + 1000;
        return true;
    }
    doorbell_arm(&ep->waiter.bell);
    for (; armed < group.count; armed++) {
        uint64_t until;

        if (!group.stacks[armed]->driver->arm(group.stacks[armed], &until))
            break;
        if (until < *until_us)
            *until_us = until;
    }
    if (armed == group.count && !waiter_is_signalled(&ep->waiter) && mpsc_is_empty(&ep->arrived)) {
        ep->prepared = true;
        return true;
    }
    while (armed-- > 0)
        group.stacks[armed]->driver->disarm(group.stacks[armed]);
    doorbell_disarm(&ep->waiter.bell);
    lock_give(&ep->sleeper);
    return false;
}

int epoll_collect(struct file *file, struct epoll_event *events, int max, uint64_t deadline_ns,
                  const sigset_t *mask)
{
    struct epoll *ep = container_of(file, struct epoll, file);
    uint64_t idle_since = 0, spin_us = group.count ? group.stacks[0]->spin_us : 0;

    if (max <= 0)
        return -EINVAL;
    disarm(ep);
    for (;;) {
        uint64_t until_us, now_us;
        int count, slept = 0;

        waiter_take(&ep->waiter);
        count = collect_now(ep, events, max);
        if (count > 0 || deadline_ns == 0)
            return count;
        now_us = clock_now_us();
        if (deadline_ns != UINT64_MAX && now_us >= deadline_ns / 1000)
            return 0;
        if (idle_since == 0)
            idle_since = now_us;
        if (now_us - idle_since < spin_us) {
            cpu_relax();
            continue;
        }
        if (arm(ep, &until_us)) {
            uint64_t deadline_us = deadline_ns == UINT64_MAX ? UINT64_MAX : deadline_ns / 1000;

            slept = sleep_masked(ep->sleep_fd, until_us < deadline_us ? until_us : deadline_us,
                                 mask);
            disarm(ep);
        }
        if (slept < 0)
            return (count = collect_now(ep, events, max)) > 0 ? count : slept;
    }
}

int epoll_kernel_fd(struct file *file)
{
    return container_of(file, struct epoll, file)->sleep_fd;
}

int epoll_prepare(struct file *file, uint64_t *timeout_us)
{
    struct epoll *ep = container_of(file, struct epoll, file);
    uint64_t until_us, now_us;
    bool ready;

    disarm(ep);
    lock_take(&ep->lock);
    take_arrived(ep);
    ready = !list_is_empty(&ep->ready);
    lock_give(&ep->lock);
    if (ready || waiter_take(&ep->waiter) || !arm(ep, &until_us))
        return 1;
    now_us = clock_now_us();
    *timeout_us = until_us == UINT64_MAX ? UINT64_MAX : until_us > now_us ? until_us - now_us : 0;
    return 0;
}

/* ---- life ---- */

static int epoll_close(struct file *file)
{
    struct epoll *ep = container_of(file, struct epoll, file);

    disarm(ep);
    for (uint32_t i = 0; i < ep->buckets_count; i++) {
        for (;;) {
            struct item *item = NULL;
            struct list *node;

            lock_take(&ep->lock);
            node = list_first(&ep->buckets[i]);
            if (node) {
                item = container_of(node, struct item, hash_link);
                unlink_item(ep, item);
            }
            lock_give(&ep->lock);
            if (item == NULL)
                break;
            /* A socket that is being closed takes its watches off itself (on_gone). */
            if (file_use(item->target)) {
                ready_unwatch(socket_of(item->target), &item->watch);
                file_unuse(item->target);
                item_put(item);
            }
            item_put(item);
        }
    }
    lock_take(&ep->lock);
    take_arrived(ep);
    lock_give(&ep->lock);
    if (ep->kernel_fd >= 0)
        kernel.close(ep->kernel_fd);
    kernel.close(ep->sleep_fd);
    doorbell_close(&ep->waiter.bell);
    free(ep->buckets);
    ep->buckets = NULL;
    return 0;
}

static void epoll_release(struct file *file)
{
    struct epoll *ep = container_of(file, struct epoll, file);

    lock_take(&free_lock);
    ep->next_free = free_list;
    free_list = ep;
    lock_give(&free_lock);
}

static struct epoll *epoll_memory(void)
{
    struct epoll *ep;

    lock_take(&free_lock);
    ep = free_list;
    if (ep)
        free_list = ep->next_free;
    lock_give(&free_lock);
    if (ep == NULL && (ep = aligned_alloc(CACHE_LINE, sizeof(*ep))) != NULL)
        memset(ep, 0, sizeof(*ep));
    return ep;
}

int epoll_create_file(int kernel_fd, struct file **out)
{
    struct epoll *ep = epoll_memory();
    int result;

    if (ep == NULL)
        return -ENOMEM;
    ep->lock = ep->sleeper = (struct lock){ 0 };
    ep->prepared = false;
    ep->kernel_fd = kernel_fd;
    ep->adopted = kernel_fd >= 0;
    ep->items_count = ep->kernel_count = 0;
    ep->buckets_count = 64;
    ep->buckets = malloc(ep->buckets_count * sizeof(*ep->buckets));
    for (uint32_t i = 0; ep->buckets && i < ep->buckets_count; i++)
        list_init(&ep->buckets[i]);
    list_init(&ep->ready);
    mpsc_init(&ep->arrived);
    atomic_store(&ep->waiter.signalled, 0);
    result = ep->buckets ? doorbell_open(&ep->waiter.bell) : -ENOMEM;
    ep->sleep_fd = result == 0 ? kernel.epoll_create1(EPOLL_CLOEXEC) : -1;
    if (result == 0 && ep->sleep_fd < 0)
        result = -errno;
    if (result == 0)
        result = watch_kernel_fd(ep->sleep_fd, ep->waiter.bell.fd);
    if (result == 0 && kernel_fd >= 0)
        result = watch_kernel_fd(ep->sleep_fd, kernel_fd);
    for (unsigned i = 0; i < group.count && result == 0; i++) {
        if (group.stacks[i]->driver->caller_drives)
            result = watch_kernel_fd(ep->sleep_fd, group.stacks[i]->sleep_fd);
    }
    file_init(&ep->file, FILE_EPOLL, epoll_close, epoll_release);
    if (result < 0) {
        if (ep->sleep_fd >= 0)
            kernel.close(ep->sleep_fd);
        free(ep->buckets);
        epoll_release(&ep->file);
        return result;
    }
    *out = &ep->file;
    return 0;
}
