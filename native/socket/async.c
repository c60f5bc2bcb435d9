/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/async.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/inside.h"
#include "base/kernel_calls.h"
#include "socket/ready.h"

#define BAND_URGENT (1u << 31) /* beside EPOLL*: in `due` */

struct async {
    struct socket *sock;
    struct watch watch;
    _Atomic int fd;
    _Atomic int signal; /* F_SETSIG; 0: SIGIO, which says no more */
    _Atomic uint64_t owner; /* F_OWNER_* and the number, which is 0 while there is none */
    _Atomic bool on;        /* set under sock->lock */
    _Atomic uint32_t due;   /* put off by one thread: EPOLL* and BAND_URGENT */
    struct async *next_due; /* that thread's */
};

static __thread struct async *due_here;

/* ---- raising ----------------------------------------------------------------------------------- */

static uint64_t owner_word(int type, int id)
{
    return (uint64_t)(uint32_t)type << 32 | (uint32_t)id;
}

static bool queue(int type, int id, int signal, siginfo_t *info)
{
    return (type == F_OWNER_TID ? syscall(SYS_rt_tgsigqueueinfo, getpid(), id, signal, info)
                                : syscall(SYS_rt_sigqueueinfo, id, signal, info)) == 0;
}

/* A signal that the kernel would send itself, with what it would say if the program asked for that. */
static void send_signal(const struct async *a, int signal, siginfo_t *info)
{
    uint64_t owner = atomic_load(&a->owner);
    int type = (int)(owner >> 32), id = (int)(uint32_t)owner;

    if (id == 0)
        return;
    if (info && type != F_OWNER_PGRP) {
        if (queue(type, id, signal, info))
            return;
        info->si_code = SI_SIGIO; /* the kernel lets a thread speak in its name to none but itself */
        if (queue(type, id, signal, info))
            return;
    }
    if (type == F_OWNER_TID)
        syscall(SYS_tgkill, getpid(), id, signal);
    else
        kill(type == F_OWNER_PGRP ? -id : id, signal);
}

static void raise_io(const struct async *a, uint32_t events)
{
    int signal = atomic_load(&a->signal);
    siginfo_t info = { .si_fd = atomic_load(&a->fd), .si_band = (long)events };

    if (signal == 0) {
        send_signal(a, SIGIO, NULL);
        return;
    }
    info.si_signo = signal;
    info.si_code = events & EPOLLPRI   ? POLL_PRI
                   : events & EPOLLERR ? POLL_ERR
                   : events & EPOLLHUP ? POLL_HUP
                   : events & EPOLLIN  ? POLL_IN
                                       : POLL_OUT;
    send_signal(a, signal, &info);
}

static void raise_now(const struct async *a, uint32_t what, bool on)
{
    if (what & BAND_URGENT)
        send_signal(a, SIGURG, NULL);
    if (!on)
        return;
    if (what & BAND_URGENT)
        raise_io(a, EPOLLPRI | EPOLLRDBAND);
    if (what & (EPOLLERR | EPOLLHUP))
        raise_io(a, what & EPOLLERR ? EPOLLERR : EPOLLHUP | EPOLLERR);
    else if (what & EPOLLIN)
        raise_io(a, EPOLLIN | EPOLLRDNORM);
    else if (what & EPOLLOUT)
        raise_io(a, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
}

/* inside_raise: what this thread put off. */
static void raise_due(void)
{
    while (due_here) {
        struct async *a = due_here;
        uint32_t what;

        due_here = a->next_due;
        what = atomic_exchange(&a->due, 0);
        raise_now(a, what, a->on);
        file_put(&a->sock->file);
    }
}

static void raise_or_put_off(struct async *a, uint32_t what)
{
    if (inside_calls == 0) {
        raise_now(a, what, a->on);
        return;
    }
    if (atomic_fetch_or(&a->due, what) != 0)
        return;
    file_hold(&a->sock->file);
    a->next_due = due_here;
    due_here = a;
    inside_due = true;
}

/* ---- what happens ------------------------------------------------------------------------------ */

/* Which of what changed holds: whoever raised it may have said more. */
static void on_events(struct watch *watch, uint32_t events)
{
    struct async *a = container_of(watch, struct async, watch);

    events &= socket_ops(a->sock)->events(a->sock) & (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP);
    /* As in the kernel: who waits in recv() needs no signal. */
    if (atomic_load(&a->sock->blocked) != NULL)
        events &= ~(uint32_t)EPOLLIN;
    if (events)
        raise_or_put_off(a, events);
}

void async_urgent(struct socket *sock)
{
    struct async *a = atomic_load_explicit(&sock->async, memory_order_acquire);

    if (a)
        raise_or_put_off(a, BAND_URGENT);
}

/* ---- what is set ------------------------------------------------------------------------------- */

static void gone(struct watch *watch)
{
    (void)watch; /* the record goes with the socket */
}

/* Under sock->lock: the socket's record, made at the first use. */
static struct async *record(struct socket *sock)
{
    struct async *a = atomic_load(&sock->async);

    if (a)
        return a;
    a = calloc(1, sizeof(*a));
    if (a == NULL)
        return NULL;
    a->sock = sock;
    a->watch = (struct watch){ .notify = on_events, .gone = gone };
    list_init(&a->watch.link);
    atomic_store(&a->owner, owner_word(F_OWNER_PID, 0));
    atomic_store(&inside_raise, raise_due);
    atomic_store_explicit(&sock->async, a, memory_order_release);
    return a;
}

/* The record, or NULL: no memory. */
static struct async *record_of(struct socket *sock)
{
    struct async *a;

    lock_take(&sock->lock);
    a = record(sock);
    lock_give(&sock->lock);
    return a;
}

static int set_owner(struct socket *sock, int type, int id)
{
    struct async *a;

    if (type < F_OWNER_TID || type > F_OWNER_PGRP)
        return -EINVAL;
    if (id < 0 || (id && (type == F_OWNER_TID    ? syscall(SYS_tgkill, getpid(), id, 0)
                          : type == F_OWNER_PGRP ? kill(-id, 0)
                                                 : kill(id, 0)) < 0 && errno == ESRCH))
        return -ESRCH;
    a = record_of(sock);
    if (a == NULL)
        return -ENOMEM;
    atomic_store(&a->owner, owner_word(type, id));
    return 0;
}

int async_owner(struct socket *sock)
{
    struct async *a = atomic_load(&sock->async);
    uint64_t owner = a ? atomic_load(&a->owner) : 0;
    int id = (int)(uint32_t)owner;

    return owner >> 32 == F_OWNER_PGRP ? -id : id;
}

static int get_owner(struct socket *sock, struct f_owner_ex *to)
{
    struct async *a = atomic_load(&sock->async);
    uint64_t owner = a ? atomic_load(&a->owner) : owner_word(F_OWNER_PID, 0);

    if (to == NULL)
        return -EFAULT;
    to->type = (int)(owner >> 32);
    to->pid = (int)(uint32_t)owner;
    return 0;
}

static int set_signal(struct socket *sock, long number)
{
    struct async *a;

    if (number < 0 || number > SIGRTMAX)
        return -EINVAL;
    a = record_of(sock);
    if (a == NULL)
        return -ENOMEM;
    atomic_store(&a->signal, (int)number);
    return 0;
}

int async_fcntl(struct socket *sock, int cmd, long argument)
{
    struct async *a = atomic_load(&sock->async);
    const struct f_owner_ex *owner = (const struct f_owner_ex *)argument;
    int id = (int)argument;

    switch (cmd) {
    case F_SETOWN:
        if (id == INT32_MIN)
            return -EINVAL;
        return id < 0 ? set_owner(sock, F_OWNER_PGRP, -id) : set_owner(sock, F_OWNER_PID, id);
    case F_SETOWN_EX: return owner ? set_owner(sock, owner->type, owner->pid) : -EFAULT;
    case F_GETOWN_EX: return get_owner(sock, (struct f_owner_ex *)argument);
    case F_SETSIG: return set_signal(sock, argument);
    case F_GETSIG: return a ? atomic_load(&a->signal) : 0;
    default: return -EINVAL;
    }
}

bool async_is_on(struct socket *sock)
{
    const struct async *a = atomic_load_explicit(&sock->async, memory_order_acquire);

    return a && a->on;
}

int async_enable(struct socket *sock, int fd, bool on)
{
    struct async *a;
    bool change;

    if (!on && atomic_load(&sock->async) == NULL)
        return 0;
    lock_take(&sock->lock);
    a = record(sock);
    change = a && a->on != on;
    if (a) {
        atomic_store(&a->fd, fd);
        a->on = on;
    }
    lock_give(&sock->lock);
    if (change && on)
        ready_watch(sock, &a->watch);
    else if (change)
        ready_unwatch(sock, &a->watch);
    return a ? 0 : -ENOMEM;
}

void async_take_over(struct socket *sock, int fd)
{
    struct f_owner_ex owner;
    int signal;

    if (kernel.fcntl(fd, F_GETOWN_EX, &owner) == 0 && owner.pid != 0)
        set_owner(sock, owner.type, owner.pid);
    signal = kernel.fcntl(fd, F_GETSIG);
    if (signal > 0)
        set_signal(sock, signal);
    if (kernel.fcntl(fd, F_GETFL) & O_ASYNC)
        async_enable(sock, fd, true);
}
