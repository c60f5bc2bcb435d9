/* SPDX-License-Identifier: Apache-2.0 */
/* The exported calls of pronghorn/zerocopy.h. */
#include "pronghorn/zerocopy.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "api/life.h"
#include "fd/fd_table.h"
#include "platform/arena.h"
#include "socket/lend.h"

/* The public struct and the socket layer's are one and the same. */
#define SAME(member)                                                                        \
    _Static_assert(offsetof(struct ph_segment, member) == offsetof(struct lend_segment, member) && \
                       sizeof(((struct ph_segment *)0)->member) ==                          \
                           sizeof(((struct lend_segment *)0)->member),                      \
                   "struct ph_segment is struct lend_segment")
SAME(data);
SAME(bytes);
SAME(flags);
SAME(time_ns);
SAME(loan);
_Static_assert(sizeof(struct ph_segment) == sizeof(struct lend_segment), "and no more");
_Static_assert(PH_SEGMENTS_MIN == LEND_SEGMENTS_MIN && PH_SEGMENT_MORE == LEND_MORE &&
                   PH_LEND_ARENA == LEND_ARENA && PH_LEND_QUIET == LEND_QUIET,
               "the same constants");

/* The socket of `fd` with one user more, or NULL and errno. */
static struct socket *use(int fd)
{
    struct file *file = fd_use(fd);

    if (LIKELY(file != NULL && file->kind == FILE_SOCKET))
        return socket_of(file);
    errno = file ? ENOTSOCK : fd < 0 || fd >= FD_VIRTUAL_FIRST ? EBADF : EOPNOTSUPP;
    if (file)
        file_unuse(file);
    return NULL;
}

static ssize_t done(struct socket *sock, ssize_t result)
{
    file_unuse(&sock->file);
    if (LIKELY(result >= 0))
        return result;
    errno = (int)-result;
    return -1;
}

ssize_t ph_recv_lend(int fd, struct ph_segment *segments, size_t max, int flags)
{
    struct socket *sock = use(fd);

    return sock ? done(sock, lend_receive(sock, (struct lend_segment *)segments, max, flags,
                                          __builtin_return_address(0)))
                : -1;
}

int ph_return(const struct ph_segment *segments, size_t count)
{
    int result = lend_return((const struct lend_segment *)segments, count);

    if (LIKELY(result == 0))
        return 0;
    errno = -result;
    return -1;
}

int ph_segment_names(const struct ph_segment *segment, struct sockaddr *from, socklen_t *from_len,
                     struct sockaddr *to, socklen_t *to_len)
{
    struct endpoint source, target;
    int family, result;

    if (segment == NULL || (from && from_len == NULL) || (to && to_len == NULL)) {
        errno = EFAULT;
        return -1;
    }
    result = lend_names((const struct lend_segment *)segment, &source, &target, &family);
    if (result < 0) {
        errno = -result;
        return -1;
    }
    if (from)
        endpoint_to_sockaddr(&source, family, from, from_len);
    if (to)
        endpoint_to_sockaddr(&target, family, to, to_len);
    return 0;
}

int ph_send_reserve(int fd, void **data, size_t bytes, int flags)
{
    struct socket *sock = use(fd);

    return sock ? (int)done(sock, reserve_room(sock, data, bytes, flags)) : -1;
}

ssize_t ph_send_reserve_max(int fd)
{
    struct socket *sock = use(fd);

    return sock ? done(sock, (ssize_t)reserve_max(sock)) : -1;
}

ssize_t ph_send_commit(int fd, size_t bytes, int flags, const struct sockaddr *to, socklen_t to_len)
{
    struct socket *sock = use(fd);
    ssize_t result;

    if (sock == NULL)
        return -1;
    result = reserve_commit(sock, bytes, flags, to, to_len);
    /* As send(2). */
    if (UNLIKELY(result == -EPIPE) && sock->type == SOCK_STREAM && !(flags & MSG_NOSIGNAL))
        pthread_kill(pthread_self(), SIGPIPE);
    return done(sock, result);
}

int ph_send_warm(int fd, const void *data, size_t bytes, const struct sockaddr *to, socklen_t to_len)
{
    struct socket *sock = use(fd);

    return sock ? (int)done(sock, reserve_warm(sock, data, bytes, to, to_len)) : -1;
}

int ph_arena(void **base, size_t *bytes)
{
    if (arena_bounds.bytes == 0) {
        errno = ESRCH;
        return -1;
    }
    arena_bounds.exported = true;
    *base = (void *)arena_bounds.base;
    *bytes = arena_bounds.bytes;
    return 0;
}
