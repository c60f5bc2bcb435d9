/* SPDX-License-Identifier: Apache-2.0 */
/* What an epoll is made of: for the three files that share it (epoll.c, epoll_items.c, epoll_wait.c). */
#ifndef FD_EPOLL_STATE_H
#define FD_EPOLL_STATE_H

#include "base/list.h"
#include "base/lock.h"
#include "base/mpsc.h"
#include "fd/epoll.h"
#include "socket/ready.h"
#include "socket/socket.h"
#include "stack/waiter.h"

/* Flags among the events of an item: they choose how it is told, not what. */
#define EPOLL_FLAGS (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP)

#define EPOLL_ARMED_MAX 16

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
    bool prepared_outside; /* by epoll_prepare(): who sleeps does so by itself */
    bool adopted;  /* kernel_fd is the program's, and may have a marker in it */
    struct lock sleeper; /* one thread sleeps with everything armed */

    struct list nested; /* items that are epolls themselves (epoll_nested.c) */
    struct list outers; /* items of other epolls that are this one; under a lock of their own */
    struct file *armed[EPOLL_ARMED_MAX]; /* of the sleeper: inner ones that it has armed */
    unsigned armed_count;
    _Atomic uint32_t changes; /* items put forward so far: edges for who has this one inside */

    struct mpsc arrived; /* items that a stack put forward */
    _Atomic int awaited; /* enum epoll_awaited: is there a thread for what is told exclusively? */
    struct waiter waiter;
    struct epoll *next_free;
};

/* TELLING: it was chosen, and the item is being put forward. */
enum epoll_awaited { EPOLL_NOBODY, EPOLL_AWAITED, EPOLL_TELLING };

struct epoll_item {
    struct watch watch;
    struct epoll *epoll;
    struct file *target; /* holds a reference, is no user of it */
    int fd;
    struct epoll_event event;
    bool dead; /* removed; freed by the last reference */
    struct list hash_link, ready_link;
    struct list nested_link;   /* target is an epoll; the watch's link is in its `outers` */
    bool polled;               /* too deep for the kernel's epolls that they sleep on */
    bool told;                 /* edge-triggered: reported, and still ready */
    uint32_t told_changes;     /* the inner one's when it was told last */
    struct mpsc_node arrived_node;
    _Atomic bool arrived;
    _Atomic uint32_t refs; /* the epoll, the watch, `arrived` */
};

static inline struct epoll *epoll_of(struct file *file)
{
    return container_of(file, struct epoll, file);
}

/* One reference less; the last frees it. */
void epoll_item_put(struct epoll_item *item);
/* Its target tells it no more. */
void epoll_item_unwatch(struct epoll_item *item);
/* Under lock: out of the epoll's structures. The watch is the caller's to remove. */
void epoll_item_unlink(struct epoll *ep, struct epoll_item *item);

/* Under lock: what stacks put forward goes to the end of the ready list. */
void epoll_take_arrived(struct epoll *ep);
/* Whoever sleeps with everything armed does so no more. */
void epoll_disarm(struct epoll *ep);

/* epoll_nested.c: an item whose target is an epoll. 0, -ELOOP or -errno. */
int epoll_nest(struct epoll_item *item);
void epoll_unnest(struct epoll_item *item);
/* Closed: it leaves all that it is in. */
void epoll_leave_outers(struct epoll *inner);
/* Under lock. */
int epoll_collect_nested(struct epoll *ep, struct epoll_event *events, int max);
/* As sleeper. */
void epoll_arm_nested(struct epoll *ep, uint64_t *until_us);
bool epoll_has_inner_news(const struct epoll *ep); /* since they were collected */
void epoll_disarm_nested(struct epoll *ep);

/* A sleep on `epoll_fd` ends when `fd` is readable. 0 or -errno. */
int epoll_watch_kernel(int epoll_fd, int fd);

#endif
