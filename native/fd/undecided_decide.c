/* SPDX-License-Identifier: Apache-2.0 */
/* Deciding whose a socket is, and making it so; all but the exported under u->lock. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/kernel_calls.h"
#include "base/log.h"
#include "fd/epoll_fd.h"
#include "fd/explain.h"
#include "fd/fd_table.h"
#include "fd/undecided_state.h"
#include "socket/async.h"

static int (*start_stacks)(void);
static void (*let_peers_in)(void);
static const char *without_reason; /* constant texts */
/* The stacks run; and there may be others that waited for it. */
static atomic_bool started, failed, others_due;

void undecided_set_start(int (*start)(void), void (*begin)(void))
{
    start_stacks = start;
    let_peers_in = begin;
}

void undecided_set_reason(const char *why)
{
    without_reason = why;
}

void undecided_nothing_runs(void)
{
    atomic_store(&started, false);
    atomic_store(&failed, false);
    atomic_store(&others_due, false);
}

static void be_the_kernels(struct undecided *u, int fd, const char *reason)
{
    explain_note(fd, ROUTE_KERNEL, false, u->type, &u->towards, reason);
    u->decided = true;
    log_debug("socket %d: the kernel's (%s)", fd, reason);
    fd_replace(&u->file, NULL);
}

static void apply_options(struct undecided *u, struct socket *sock)
{
    for (struct remembered *o = u->options; o; o = o->next) {
        int result = socket_option_set(sock, o->level, o->name, o->value, o->len);

        if (result < 0)
            log_debug("option %d of level %d is not ours: %s", o->name, o->level, strerror(-result));
    }
}

/* A socket of ours with all that was set so far. */
static int make_ours(struct undecided *u, int fd, struct socket **out)
{
    struct socket *sock;
    int flags = kernel.fcntl(fd, F_GETFL), result;

    result = start_stacks();
    /* Or they do not: then the kernel serves the others as well. */
    if (result < 0 ? !atomic_exchange(&failed, true) : !atomic_exchange(&started, true))
        atomic_store(&others_due, true);
    if (result == 0)
        result = socket_create(&sock, u->domain, u->type, u->protocol);
    if (result < 0)
        return result;
    sock->file.kernel_side = u->answer.verdict == ROUTE_BOTH && u->bound;
    file_set_nonblock(&sock->file, flags & O_NONBLOCK);
    async_take_over(sock, fd);
    apply_options(u, sock);
    sock->binding.drawn_elsewhere = u->any_port;
    if (u->bound)
        result = socket_ops(sock)->bind(sock, &u->local);
    if (result == 0 && u->listening)
        result = socket_ops(sock)->listen(sock, u->backlog);
    if (result < 0) {
        file_unuse(&sock->file);
        return result;
    }
    *out = sock;
    return 0;
}

static int be_ours(struct undecided *u, int fd)
{
    struct socket *sock;
    int result = make_ours(u, fd, &sock);

    if (result < 0)
        return result;
    u->decided = true;
    explain_note(fd, sock->file.kernel_side ? ROUTE_BOTH : ROUTE_OURS, false, u->type, &u->towards,
                 u->answer.reason);
    log_debug("socket %d: %s (%s)", fd, sock->file.kernel_side ? "both" : "ours", u->answer.reason);
    /* The kernel's half never blocks: calls take from whichever half has something. */
    if (!sock->file.kernel_side && u->type == SOCK_DGRAM)
        kernel.shutdown(fd, SHUT_RD); /* whoever has it after exec never waits there */
    if (sock->file.kernel_side)
        kernel.fcntl(fd, F_SETFL, kernel.fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (fd_replace(&u->file, &sock->file) == 0)
        file_unuse(&sock->file); /* closed meanwhile */
    for (struct watched *w = u->watched; w; w = w->next)
        epoll_move(w->epfd, w->fd, &w->event);
    return 0;
}

/* The stacks, or this socket on them, could not be had. */
static int without_us(struct undecided *u, int fd, int result)
{
    if (route_refuses())
        return result;
    if (u->listening && u->answer.verdict == ROUTE_OURS)
        kernel.listen(fd, u->backlog);
    be_the_kernels(u, fd, without_reason ? without_reason : "our stacks could not start");
    return 0;
}

static int become(struct undecided *u, int fd)
{
    int result;

    if (u->answer.verdict == ROUTE_KERNEL) {
        be_the_kernels(u, fd, u->answer.reason);
        return 0;
    }
    result = be_ours(u, fd);
    return result == -ENODEV || result == -EBADF ? without_us(u, fd, result) : result;
}

/* What shares an address (SO_REUSEPORT) with `local` and is waited on in this process. */
static bool is_attended(struct file *file, int type, const struct endpoint *local)
{
    const struct endpoint *own = NULL;

    if (file->kind == FILE_SOCKET) {
        struct socket *sock = socket_of(file);

        if (sock->type == type && (type == SOCK_DGRAM || socket_state(sock) == SOCKET_LISTENING))
            own = &sock->binding.local;
    } else if (file->kind == FILE_UNDECIDED) {
        struct undecided *u = undecided_of(file);

        lock_take(&u->lock);
        if (u->type == type && u->bound && u->watched)
            own = &u->local;
        lock_give(&u->lock);
    }
    return own && own->port == local->port && endpoint_same_address(own, local);
}

/*
 * Prefork with SO_REUSEPORT: every worker has the sockets of all, and waits on one. Were the others ours, too,
 * connections would go to them and nobody would take them. Who comes to use one later gets it then.
 */
static bool is_left_to_others(struct file *file)
{
    struct undecided *u = undecided_of(file);
    struct endpoint local;
    bool left = false;

    if (!undecided_take(u))
        return false;
    local = u->local;
    left = u->bound && u->watched == NULL;
    lock_give(&u->lock);
    if (!left)
        return false;
    left = false;
    for (int fd = fd_next(0); fd >= 0 && !left; fd = fd_next(fd + 1)) {
        struct file *other = fd_use(fd);

        left = other && other != file && is_attended(other, u->type, &local);
        if (other)
            file_unuse(other);
    }
    return left;
}

/*
 * Without u->lock: with the stacks, everything else that is bound to be ours is, too, before this
 * process calls itself.
 */
static void serve_others(void)
{
    if (!atomic_load(&others_due) || !atomic_exchange(&others_due, false))
        return;
    for (int looks = 1; looks >= 0; looks--) { /* all are looked at before the first is ours */
        for (int fd = fd_next(0); fd >= 0; fd = fd_next(fd + 1)) {
            struct file *file = fd_use(fd);

            if (file && file->kind == FILE_UNDECIDED && looks)
                undecided_of(file)->is_left = is_left_to_others(file);
            else if (file && file->kind == FILE_UNDECIDED && !undecided_of(file)->is_left)
                undecided_serve(file, fd);
            if (file)
                file_unuse(file);
        }
    }
    let_peers_in();
}

/* The kernel's socket takes the address or, when only we have it, at least a port number. */
static int bind_kernels(struct undecided *u, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct sockaddr_storage name;
    socklen_t name_len = sizeof(name);
    struct endpoint e;

    if (kernel.bind(fd, addr, len) < 0) {
        struct endpoint any = { .family = u->local.family };

        if (u->answer.verdict == ROUTE_BOTH || endpoint_is_any(&u->local) || errno == EACCES)
            return -errno;
        if (u->local.port != 0)
            return 0;
        endpoint_to_sockaddr(&any, u->domain, (struct sockaddr *)&name, &name_len);
        if (kernel.bind(fd, (struct sockaddr *)&name, name_len) < 0)
            return -errno;
        name_len = sizeof(name);
    }
    if (kernel.getsockname(fd, (struct sockaddr *)&name, &name_len) < 0)
        return -errno;
    if (endpoint_from_sockaddr(&e, u->domain, (struct sockaddr *)&name, name_len) == 0)
        u->local.port = e.port;
    return 0;
}

/* Ours or both: with the first call that uses it, or now, if the stacks run anyhow. */
static int wait_for_use(struct undecided *u, int fd)
{
    bool is_client = u->type == SOCK_STREAM ? !u->listening
                                            : u->any_port && u->answer.verdict == ROUTE_BOTH;

    if (atomic_load(&started) && !is_client)
        return become(u, fd);
    explain_note(fd, u->answer.verdict, true, u->type, &u->towards, u->answer.reason);
    return 0;
}

int undecided_bind(struct file *file, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct undecided *u = undecided_of(file);
    struct endpoint e;
    int result = 0;

    if (endpoint_from_sockaddr(&e, u->domain, addr, len) < 0)
        return kernel.bind(fd, addr, len) < 0 ? -errno : 0; /* which says what is wrong with it */
    if (!undecided_take(u))
        return -EAGAIN;
    if (u->bound) {
        result = -EINVAL;
    } else {
        route_decide(&u->answer, u->type, ROUTE_USE_LISTEN, &e, u->on_port);
        u->local = u->towards = e;
        u->any_port = e.port == 0;
        if (u->answer.verdict == ROUTE_KERNEL) {
            result = kernel.bind(fd, addr, len) < 0 ? -errno : 0;
            if (result == 0)
                be_the_kernels(u, fd, u->answer.reason);
        } else {
            result = bind_kernels(u, fd, addr, len);
            u->bound = result == 0;
            u->towards.port = u->local.port;
            if (u->bound)
                result = wait_for_use(u, fd);
        }
    }
    lock_give(&u->lock);
    return result;
}

int undecided_listen(struct file *file, int fd, int backlog)
{
    struct undecided *u = undecided_of(file);
    int result = 0;

    if (u->type != SOCK_STREAM)
        return -EOPNOTSUPP;
    if (!undecided_take(u))
        return -EAGAIN;
    if (!u->bound) {
        u->local = u->towards = (struct endpoint){ .family = u->domain };
        route_decide(&u->answer, u->type, ROUTE_USE_LISTEN, &u->local, u->on_port);
    }
    if (u->answer.verdict != ROUTE_OURS && kernel.listen(fd, backlog) < 0)
        result = -errno;
    if (result == 0) {
        u->listening = true;
        u->backlog = backlog;
        if (u->answer.verdict == ROUTE_KERNEL) {
            be_the_kernels(u, fd, u->answer.reason);
        } else if (!u->bound) { /* ours listens on the number that the kernel chose */
            struct sockaddr_storage name;
            socklen_t len = sizeof(name);

            if (u->answer.verdict == ROUTE_OURS)
                kernel.listen(fd, backlog);
            if (kernel.getsockname(fd, (struct sockaddr *)&name, &len) == 0)
                endpoint_from_sockaddr(&u->local, u->domain, (struct sockaddr *)&name, len);
            u->bound = u->any_port = true;
            u->towards = u->local;
        }
        if (!u->decided)
            result = wait_for_use(u, fd);
    }
    lock_give(&u->lock);
    return result;
}

int undecided_connect(struct file *file, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct undecided *u = undecided_of(file);
    struct route_answer towards;
    struct endpoint e;
    int result;

    if (addr == NULL || endpoint_from_sockaddr(&e, u->domain, addr, len) < 0)
        return 0; /* the kernel says what is wrong with it */
    if (!undecided_take(u))
        return 0;
    route_decide(&towards, u->type, ROUTE_USE_CONNECT, &e, u->on_port);
    u->towards = e;
    if (!u->bound || endpoint_is_any(&u->local)) {
        /* A datagram server on all addresses hears from both sides; a client is where it sends to. */
        if (u->type == SOCK_STREAM || !u->bound || u->any_port || u->answer.verdict != ROUTE_BOTH)
            u->answer = towards;
    }
    result = become(u, fd);
    lock_give(&u->lock);
    serve_others();
    return result;
}

int undecided_serve(struct file *file, int fd)
{
    struct undecided *u = undecided_of(file);
    int result = 0;

    if (!undecided_take(u))
        return 0;
    if (u->listening || (u->bound && u->type == SOCK_DGRAM))
        result = become(u, fd);
    lock_give(&u->lock);
    serve_others();
    return result;
}

void undecided_leave(struct file *file, int fd, const char *reason)
{
    struct undecided *u = undecided_of(file);

    if (!undecided_take(u))
        return;
    be_the_kernels(u, fd, reason);
    lock_give(&u->lock);
}

void fd_serve(int fd)
{
    struct file *file = fd_use(fd);

    if (file == NULL)
        return;
    if (file->kind == FILE_UNDECIDED)
        undecided_serve(file, fd);
    file_unuse(file);
}

bool undecided_one_waits(void)
{
    bool waits = false;

    for (int fd = fd_next(0); fd >= 0 && !waits; fd = fd_next(fd + 1)) {
        struct file *file = fd_use(fd);

        if (file && file->kind == FILE_UNDECIDED && undecided_take(undecided_of(file))) {
            struct undecided *u = undecided_of(file);

            waits = u->listening || (u->bound && u->type == SOCK_DGRAM);
            lock_give(&u->lock);
        }
        if (file)
            file_unuse(file);
    }
    return waits;
}
