/* SPDX-License-Identifier: Apache-2.0 */
/* An epoll's life: made, closed, its memory kept. */
#include "fd/epoll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/kernel_calls.h"
#include "fd/epoll_state.h"
#include "stack/group.h"

/* Memory of epolls is kept for fd_use(); see fd_table.h. */
static struct lock free_lock;
static struct epoll *free_list;

int epoll_watch_kernel(int epoll_fd, int fd)
{
    struct epoll_event event = { .events = EPOLLIN };

    return kernel.epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int epoll_close(struct file *file)
{
    struct epoll *ep = epoll_of(file);

    epoll_disarm(ep);
    epoll_leave_outers(ep);
    for (uint32_t i = 0; i < ep->buckets_count; i++) {
        for (;;) {
            struct epoll_item *item = NULL;
            struct list *node;

            lock_take(&ep->lock);
            node = list_first(&ep->buckets[i]);
            if (node) {
                item = container_of(node, struct epoll_item, hash_link);
                epoll_item_unlink(ep, item);
            }
            lock_give(&ep->lock);
            if (item == NULL)
                break;
            /* A socket that is being closed takes its watches off itself (on_gone). */
            if (file_use(item->target)) {
                epoll_item_unwatch(item);
                file_unuse(item->target);
                epoll_item_put(item);
            }
            epoll_item_put(item);
        }
    }
    lock_take(&ep->lock);
    epoll_take_arrived(ep);
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
    struct epoll *ep = epoll_of(file);

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
    list_init(&ep->nested);
    list_init(&ep->outers);
    ep->armed_count = 0;
    mpsc_init(&ep->arrived);
    atomic_store(&ep->waiter.signalled, 0);
    ep->waiter.bell.fd = -1;
    result = ep->buckets ? doorbell_open(&ep->waiter.bell) : -ENOMEM;
    ep->sleep_fd = result == 0 ? kernel.epoll_create1(EPOLL_CLOEXEC) : -1;
    if (result == 0 && ep->sleep_fd < 0)
        result = -errno;
    if (result == 0)
        result = epoll_watch_kernel(ep->sleep_fd, ep->waiter.bell.fd);
    if (result == 0 && kernel_fd >= 0)
        result = epoll_watch_kernel(ep->sleep_fd, kernel_fd);
    for (unsigned i = 0; i < group.count && result == 0; i++) {
        if (group.stacks[i]->driver->caller_drives)
            result = epoll_watch_kernel(ep->sleep_fd, group.stacks[i]->sleep_fd);
    }
    file_init(&ep->file, FILE_EPOLL, epoll_close, epoll_release);
    if (result < 0) {
        if (ep->sleep_fd >= 0)
            kernel.close(ep->sleep_fd);
        doorbell_close(&ep->waiter.bell);
        free(ep->buckets);
        epoll_release(&ep->file);
        return result;
    }
    *out = &ep->file;
    return 0;
}
