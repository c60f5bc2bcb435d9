/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam between a benchmark and the stack it runs on: each program is written once with the
 * net_*() names and built twice, with BENCH_PRONGHORN on ph_*() and without it on the kernel's
 * calls. Nothing else may differ between the two builds.
 */
#ifndef BENCH_SEAM_H
#define BENCH_SEAM_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef BENCH_PRONGHORN
#include <pronghorn.h>
#define NET_SIDE "pronghorn"
#define NET_CALL(name) ph_##name
#else
#define NET_SIDE "kernel"
#define NET_CALL(name) name
#endif

/* Starts the stack (settings come from PRONGHORN_* variables). 0, or -1: *why says why. */
static inline int net_start(const char **why)
{
#ifdef BENCH_PRONGHORN
    int rc = ph_init(NULL, 0);
    *why = rc ? ph_error() : "";
    return rc;
#else
    *why = "";
    return 0;
#endif
}

static inline void net_stop(void)
{
#ifdef BENCH_PRONGHORN
    ph_stop();
#endif
}

static inline int net_socket(int domain, int type)
{
    return NET_CALL(socket)(domain, type, 0);
}

static inline int net_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    return NET_CALL(bind)(fd, addr, len);
}

static inline int net_listen(int fd, int backlog)
{
    return NET_CALL(listen)(fd, backlog);
}

static inline int net_accept(int fd, int flags)
{
    return NET_CALL(accept4)(fd, NULL, NULL, flags);
}

static inline int net_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    return NET_CALL(connect)(fd, addr, len);
}

static inline int net_shutdown_write(int fd)
{
    return NET_CALL(shutdown)(fd, SHUT_WR);
}

static inline int net_close(int fd)
{
    return NET_CALL(close)(fd);
}

static inline int net_set_option(int fd, int level, int name, const void *value, socklen_t len)
{
    return NET_CALL(setsockopt)(fd, level, name, value, len);
}

static inline int net_get_option(int fd, int level, int name, void *value, socklen_t *len)
{
    return NET_CALL(getsockopt)(fd, level, name, value, len);
}

static inline int net_set_nonblocking(int fd)
{
    int flags = NET_CALL(fcntl)(fd, F_GETFL);
    return flags < 0 ? -1 : NET_CALL(fcntl)(fd, F_SETFL, flags | O_NONBLOCK);
}

static inline ssize_t net_send(int fd, const void *buf, size_t len)
{
    return NET_CALL(send)(fd, buf, len, MSG_NOSIGNAL);
}

static inline ssize_t net_recv(int fd, void *buf, size_t len)
{
    return NET_CALL(recv)(fd, buf, len, 0);
}

static inline int net_epoll_create(void)
{
    return NET_CALL(epoll_create1)(EPOLL_CLOEXEC);
}

static inline int net_epoll_add(int epfd, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    return NET_CALL(epoll_ctl)(epfd, EPOLL_CTL_ADD, fd, &event);
}

static inline int net_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms)
{
    return NET_CALL(epoll_wait)(epfd, events, max, timeout_ms);
}

static inline int net_would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

#endif
