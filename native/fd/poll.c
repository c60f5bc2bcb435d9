/* SPDX-License-Identifier: Apache-2.0 */
#include "fd/poll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/kernel_calls.h"
#include "fd/epoll.h"
#include "fd/fd_table.h"
#include "fd/undecided.h"
#include "socket/ready.h"
#include "socket/thread.h"
#include "stack/group.h"
#include "stack/sleep.h"

#define SPIN_US 20
#define SHARED_US 1000 /* an epoll that another thread sleeps on is looked at so often */

struct entry {
    struct watch watch; /* only sockets of ours */
    struct file *file;  /* NULL: the kernel's */
    bool kernel_side;   /* of both sides: in kernel_fds as well */
    bool armed;         /* an epoll of ours that is slept on */
    struct waiter *waiter;
};

struct poll {
    struct pollfd *fds;
    nfds_t count;
    struct entry *entries;
    struct pollfd *kernel_fds; /* the kernel's of `fds`, then our own two */
    nfds_t kernel_count;
    struct waiter *waiter;
};

static void wake(struct watch *watch, uint32_t events)
{
    (void)events;
    waiter_signal(container_of(watch, struct entry, watch)->waiter);
}

static int look_at_ours(struct poll *p)
{
    int ready = 0;

    for (nfds_t i = 0; i < p->count; i++) {
        struct file *file = p->entries[i].file;

        p->fds[i].revents = 0;
        if (file == NULL)
            continue;
        if (file->kind == FILE_SOCKET) {
            struct socket *sock = socket_of(file);
            uint32_t wanted = (uint32_t)(uint16_t)p->fds[i].events | POLLERR | POLLHUP;

            /* POLL* and EPOLL* have the same values. */
            p->fds[i].revents = (short)(socket_ops(sock)->events(sock) & wanted);
        } else {
            p->fds[i].revents = (short)(epoll_events(file) & (uint16_t)p->fds[i].events);
        }
        ready += p->fds[i].revents != 0;
    }
    return ready;
}

/* Takes the answers of the last kernel.ppoll() over. */
static int look_at_kernels(struct poll *p)
{
    nfds_t k = 0;
    int ready = 0;

    for (nfds_t i = 0; i < p->count; i++) {
        short before = p->fds[i].revents;

        if (p->entries[i].file && !p->entries[i].kernel_side)
            continue;
        p->fds[i].revents = (short)((p->entries[i].file ? before : 0) | p->kernel_fds[k++].revents);
        ready += p->fds[i].revents != 0 && !(p->entries[i].file && before);
    }
    return ready;
}

static int look(struct poll *p)
{
    int ready;

    for (unsigned i = 0; i < group.count; i++)
        group.stacks[i]->driver->turn(group.stacks[i]);
    ready = look_at_ours(p);
    if (p->kernel_count > 0) {
        static const struct timespec now;

        if (kernel.ppoll(p->kernel_fds, p->kernel_count, &now, NULL) < 0)
            return -errno;
        ready += look_at_kernels(p);
    }
    return ready;
}

/* Epolls of ours among them. True: one became ready meanwhile. */
static bool arm_epolls(struct poll *p, struct pollfd *extra, unsigned *extras, uint64_t *until_us)
{
    bool ready = false;

    for (nfds_t i = 0; i < p->count; i++) {
        struct entry *e = &p->entries[i];

        if (e->file == NULL || e->file->kind != FILE_EPOLL)
            continue;
        e->armed = epoll_arm_inner(e->file, until_us);
        if (e->armed)
            extra[(*extras)++] = (struct pollfd){ .fd = epoll_kernel_fd(e->file), .events = POLLIN };
        else
            *until_us = min_u64(*until_us, clock_now_us() + SHARED_US);
        ready |= (epoll_events(e->file) & (uint16_t)p->fds[i].events) != 0;
    }
    return ready;
}

static void disarm_epolls(struct poll *p)
{
    for (nfds_t i = 0; i < p->count; i++) {
        if (p->entries[i].armed)
            epoll_disarm_inner(p->entries[i].file);
        p->entries[i].armed = false;
    }
}

/* Sleeps until anything may have changed. 0 or -errno. */
static int sleep_once(struct poll *p, uint64_t deadline_ns, const sigset_t *mask)
{
    struct pollfd *extra = p->kernel_fds + p->kernel_count;
    uint64_t until_us = deadline_ns == UINT64_MAX ? UINT64_MAX : deadline_ns / 1000;
    unsigned armed = 0, extras = 0;
    bool news;
    int result = 0;

    doorbell_arm(&p->waiter->bell);
    extra[extras++] = (struct pollfd){ .fd = p->waiter->bell.fd, .events = POLLIN };
    for (; armed < group.count; armed++) {
        uint64_t until;

        if (!group.stacks[armed]->driver->arm(group.stacks[armed], p->waiter, &until))
            break;
        if (until < until_us)
            until_us = until;
        if (group.stacks[armed]->driver->caller_drives)
            extra[extras++] = (struct pollfd){ .fd = group.stacks[armed]->sleep_fd, .events = POLLIN };
    }
    news = arm_epolls(p, extra, &extras, &until_us);
    if (armed == group.count && !waiter_is_signalled(p->waiter) && !news) {
        uint64_t now = clock_now_us(), left = until_us > now ? until_us - now : 0;
        struct timespec timeout = { .tv_sec = (time_t)(left / 1000000),
                                    .tv_nsec = (long)(left % 1000000) * 1000 };

        if (sleep_in_ppoll(p->kernel_fds, p->kernel_count + extras, until_us == UINT64_MAX ? NULL : &timeout,
                           mask) < 0)
            result = -errno;
    }
    disarm_epolls(p);
    while (armed-- > 0)
        group.stacks[armed]->driver->disarm(group.stacks[armed], p->waiter);
    doorbell_disarm(&p->waiter->bell);
    waiter_take(p->waiter);
    return result;
}

/* The time is over: a number that was closed meanwhile stands for nothing any more (do_poll()). */
static int look_for_closed(struct poll *p)
{
    int closed = 0;

    for (nfds_t i = 0; i < p->count; i++) {
        if (p->entries[i].file && !fd_is_ours(p->fds[i].fd)) {
            p->fds[i].revents = POLLNVAL;
            closed++;
        }
    }
    return closed;
}

static int wait_for(struct poll *p, uint64_t deadline_ns, const sigset_t *mask)
{
    uint64_t start_us = clock_now_us();
    bool watching = false;
    int result;

    for (;;) {
        uint64_t now_us;

        result = look(p);
        if (result != 0 || deadline_ns == 0)
            break;
        now_us = clock_now_us();
        if (deadline_ns != UINT64_MAX && now_us >= deadline_ns / 1000) {
            result = look_for_closed(p);
            break;
        }
        if (now_us - start_us < SPIN_US) {
            cpu_relax();
            continue;
        }
        if (!watching) {
            watching = true;
            for (nfds_t i = 0; i < p->count; i++) {
                if (p->entries[i].file && p->entries[i].file->kind == FILE_SOCKET)
                    ready_watch(socket_of(p->entries[i].file), &p->entries[i].watch);
            }
            continue; /* something may have happened before the watches were there */
        }
        result = sleep_once(p, deadline_ns, mask);
        if (result < 0)
            break;
    }
    for (nfds_t i = 0; watching && i < p->count; i++) {
        if (p->entries[i].file && p->entries[i].file->kind == FILE_SOCKET)
            ready_unwatch(socket_of(p->entries[i].file), &p->entries[i].watch);
    }
    return result;
}

int poll_wait(struct pollfd *fds, nfds_t count, uint64_t deadline_ns, const sigset_t *mask)
{
    struct poll p = { .fds = fds, .count = count, .waiter = thread_waiter() };
    int result = -ENOMEM;

    p.entries = calloc(count ? count : 1, sizeof(*p.entries));
    p.kernel_fds = malloc((count * 2 + 1 + group.count) * sizeof(*p.kernel_fds));
    if (p.entries && p.kernel_fds && p.waiter) {
        for (nfds_t i = 0; i < count; i++) {
            p.entries[i].watch.notify = wake;
            p.entries[i].waiter = p.waiter;
            list_init(&p.entries[i].watch.link);
            fd_serve(fds[i].fd);
            p.entries[i].file = fd_use(fds[i].fd);
            if (p.entries[i].file && p.entries[i].file->kind == FILE_UNDECIDED) {
                file_unuse(p.entries[i].file);
                p.entries[i].file = NULL;
            }
            if (p.entries[i].file == NULL || p.entries[i].file->kernel_side) {
                p.entries[i].kernel_side = p.entries[i].file != NULL;
                p.kernel_fds[p.kernel_count++] = fds[i];
            }
        }
        result = wait_for(&p, deadline_ns, mask);
        for (nfds_t i = 0; i < count; i++) {
            if (p.entries[i].file)
                file_unuse(p.entries[i].file);
        }
    }
    free(p.entries);
    free(p.kernel_fds);
    return result;
}

int select_wait(int count, fd_set *in, fd_set *out, fd_set *except, uint64_t deadline_ns,
                const sigset_t *mask)
{
    struct pollfd *fds;
    nfds_t used = 0;
    int result, bits = 0;

    if (count < 0)
        return -EINVAL;
    fds = calloc((size_t)count + 1, sizeof(*fds));
    if (fds == NULL)
        return -ENOMEM;
    for (int fd = 0; fd < count; fd++) {
        short events = (short)((in && FD_ISSET(fd, in) ? POLLIN : 0) |
                               (out && FD_ISSET(fd, out) ? POLLOUT : 0) |
                               (except && FD_ISSET(fd, except) ? POLLPRI : 0));

        if (events)
            fds[used++] = (struct pollfd){ .fd = fd, .events = events };
    }
    result = poll_wait(fds, used, deadline_ns, mask);
    for (nfds_t i = 0; result >= 0 && i < used; i++) {
        if (fds[i].revents & POLLNVAL)
            result = -EBADF;
    }
    if (result >= 0) {
        /* What each set means: select(2), "Correspondence between select() and poll()". */
        for (nfds_t i = 0; i < used; i++) {
            int fd = fds[i].fd;
            short r = fds[i].revents;

            if (in && FD_ISSET(fd, in) && !(r & (POLLIN | POLLRDNORM | POLLHUP | POLLERR)))
                FD_CLR(fd, in);
            if (out && FD_ISSET(fd, out) && !(r & (POLLOUT | POLLWRNORM | POLLERR)))
                FD_CLR(fd, out);
            if (except && FD_ISSET(fd, except) && !(r & POLLPRI))
                FD_CLR(fd, except);
            bits += (in && FD_ISSET(fd, in)) + (out && FD_ISSET(fd, out)) +
                    (except && FD_ISSET(fd, except));
        }
        result = bits;
    }
    free(fds);
    return result;
}
