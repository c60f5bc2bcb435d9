/* SPDX-License-Identifier: Apache-2.0 */
/* The exported calls that move bytes: send(2) and recv(2) with all their relatives. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "api/both.h"
#include "api/rights.h"
#include "api/serve.h"
#include "base/clock.h"
#include "pronghorn.h"

/* What the kernel refuses of buffers, as far as it can be seen from here: 0 or -errno. */
static int check_buffers(const struct msghdr *msg)
{
    if (UNLIKELY(msg == NULL))
        return -EFAULT;
    if (UNLIKELY(msg->msg_iovlen > IOV_MAX))
        return -EMSGSIZE;
    if (UNLIKELY(msg->msg_iovlen > 0 && msg->msg_iov == NULL))
        return -EFAULT;
    for (size_t i = 0; i < msg->msg_iovlen; i++) {
        if (UNLIKELY((ssize_t)msg->msg_iov[i].iov_len < 0))
            return -EINVAL;
        if (UNLIKELY(msg->msg_iov[i].iov_base == NULL && msg->msg_iov[i].iov_len > 0))
            return -EFAULT;
    }
    return 0;
}

/* Its handler runs within, and may use our calls: nothing is held here. */
static void raise_pipe(void)
{
    unsigned inside = inside_pause();

    pthread_kill(pthread_self(), SIGPIPE);
    inside_resume(inside);
}

static ssize_t send_ours(struct socket *sock, int fd, const struct msghdr *msg, int flags)
{
    ssize_t result = check_buffers(msg);

    if (UNLIKELY(result < 0))
        return result;
    if (UNLIKELY(sock->file.kernel_side))
        return both_send(sock, fd, msg, flags);
    result = socket_ops(sock)->send(sock, msg, flags);
    /* send(2): writing to a stream whose other end is gone raises the signal as well. */
    if (UNLIKELY(result == -EPIPE) && sock->type == SOCK_STREAM && !(flags & MSG_NOSIGNAL))
        raise_pipe();
    return result;
}

static ssize_t send_part(struct socket *sock, int fd, const void *buf, size_t len, int flags,
                         const struct sockaddr *to, socklen_t to_len)
{
    struct iovec iov = { .iov_base = (void *)(uintptr_t)buf, .iov_len = len };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
                          .msg_name = (void *)(uintptr_t)to, .msg_namelen = to ? to_len : 0 };

    return send_ours(sock, fd, &msg, flags);
}

/* readv(2) and writev(2) of nothing look at nothing, and send no empty datagram. */
static bool is_nothing(const struct iovec *iov, int count)
{
    size_t bytes = 0;

    for (int i = 0; iov && i < count; i++)
        bytes |= iov[i].iov_len;
    return bytes == 0 && (iov || count == 0);
}

static ssize_t send_parts(struct socket *sock, int fd, const struct iovec *iov, int count, int flags)
{
    struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count };

    if (count < 0 || count > IOV_MAX)
        return -EINVAL;
    return is_nothing(iov, count) ? 0 : send_ours(sock, fd, &msg, flags);
}

ssize_t ph_send(int fd, const void *buf, size_t len, int flags)
{
    SERVE(fd, kernel.send(fd, buf, len, flags), send_part(sock, fd, buf, len, flags, NULL, 0));
}

ssize_t ph_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
                  socklen_t to_len)
{
    SERVE_TO(fd, to, to_len, kernel.sendto(fd, buf, len, flags, to, to_len),
          send_part(sock, fd, buf, len, flags, to, to_len));
}

/* Through a UNIX socket descriptors may travel. */
static ssize_t send_kernel(int fd, const struct msghdr *msg, int flags)
{
    int result = msg && msg->msg_controllen ? rights_check(msg) : 0;

    if (result < 0) {
        errno = -result;
        return -1;
    }
    return kernel.sendmsg(fd, msg, flags);
}

ssize_t ph_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    SERVE_TO(fd, msg ? msg->msg_name : NULL, msg ? msg->msg_namelen : 0,
             send_kernel(fd, msg, flags), send_ours(sock, fd, msg, flags));
}

static int send_many(struct socket *sock, int fd, struct mmsghdr *msgs, unsigned int count, int flags)
{
    unsigned int most = count < IOV_MAX ? count : IOV_MAX, i;
    ssize_t sent = 0;

    for (i = 0; i < most; i++) {
        bool more = i + 1 < most && sock->type == SOCK_DGRAM && !sock->file.kernel_side;

        sent = send_ours(sock, fd, &msgs[i].msg_hdr, more ? flags | MSG_BATCH : flags);
        if (sent < 0)
            break;
        msgs[i].msg_len = (unsigned int)sent;
    }
    if (i > 0 && sent < 0 && sock->type == SOCK_DGRAM && !sock->file.kernel_side)
        socket_mark_dirty(sock, true); /* those before it wait for the one that failed */
    return i > 0 || sent >= 0 ? (int)i : (int)sent;
}

int ph_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int count, int flags)
{
    SERVE_TO(fd, msgs && count ? msgs->msg_hdr.msg_name : NULL,
             msgs && count ? msgs->msg_hdr.msg_namelen : 0,
             kernel.sendmmsg(fd, msgs, count, flags), send_many(sock, fd, msgs, count, flags));
}

/* readv(2) with flags: a socket has no place to read at. */
static int flags_of(off_t at, int flags)
{
    return at != -1 ? -ESPIPE : flags & RWF_APPEND ? -EINVAL : flags & RWF_NOWAIT ? MSG_DONTWAIT : 0;
}

static ssize_t send_at(struct socket *sock, int fd, const struct iovec *iov, int count, off_t at, int flags)
{
    int how = flags_of(at, flags);

    return how < 0 ? how : send_parts(sock, fd, iov, count, how);
}

ssize_t ph_pwritev2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
    SERVE_IO(fd, kernel.pwritev2(fd, iov, count, at, flags), send_at(sock, fd, iov, count, at, flags));
}

ssize_t ph_write(int fd, const void *buf, size_t len)
{
    SERVE_IO(fd, kernel.write(fd, buf, len), send_part(sock, fd, buf, len, 0, NULL, 0));
}

ssize_t ph_writev(int fd, const struct iovec *iov, int count)
{
    SERVE_IO(fd, kernel.writev(fd, iov, count), send_parts(sock, fd, iov, count, 0));
}

static ssize_t recv_ours(struct socket *sock, int fd, struct msghdr *msg, int flags)
{
    int result = check_buffers(msg);

    if (UNLIKELY(result < 0))
        return result;
    return UNLIKELY(sock->file.kernel_side) ? both_recv(sock, fd, msg, flags)
                                            : socket_ops(sock)->recv(sock, msg, flags);
}

static ssize_t recv_part(struct socket *sock, int fd, void *buf, size_t len, int flags,
                         struct sockaddr *from, socklen_t *from_len)
{
    struct iovec iov = { .iov_base = buf, .iov_len = len };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
                          .msg_name = from, .msg_namelen = from && from_len ? *from_len : 0 };
    ssize_t result = recv_ours(sock, fd, &msg, flags);

    if (result >= 0 && from && from_len)
        *from_len = msg.msg_namelen;
    return result;
}

static ssize_t recv_parts(struct socket *sock, int fd, const struct iovec *iov, int count, int flags)
{
    struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count };

    if (count < 0 || count > IOV_MAX)
        return -EINVAL;
    return is_nothing(iov, count) ? 0 : recv_ours(sock, fd, &msg, flags);
}

ssize_t ph_recv(int fd, void *buf, size_t len, int flags)
{
    SERVE_USED(fd, kernel.recv(fd, buf, len, flags), recv_part(sock, fd, buf, len, flags, NULL, NULL));
}

ssize_t ph_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *from,
                    socklen_t *from_len)
{
    SERVE_USED(fd, kernel.recvfrom(fd, buf, len, flags, from, from_len),
          recv_part(sock, fd, buf, len, flags, from, from_len));
}

ssize_t ph_recvmsg(int fd, struct msghdr *msg, int flags)
{
    SERVE_USED(fd, kernel.recvmsg(fd, msg, flags), recv_ours(sock, fd, msg, flags));
}

static int recv_many(struct socket *sock, int fd, struct mmsghdr *msgs, unsigned int count, int flags,
                     const struct timespec *timeout)
{
    uint64_t deadline = timeout ? clock_now_ns() + (uint64_t)timeout->tv_sec * 1000000000u +
                                      (uint64_t)timeout->tv_nsec
                                : UINT64_MAX;
    /* Before all data, and even if nothing is asked for. */
    int error = flags & MSG_ERRQUEUE ? 0 : socket_take_error(sock);
    unsigned int i;

    if (error)
        return -error;
    for (i = 0; i < count; i++) {
        ssize_t got = recv_ours(sock, fd, &msgs[i].msg_hdr, flags & ~MSG_WAITFORONE);

        if (got < 0 && i == 0)
            return (int)got;
        if (got < 0) {
            if (got != -EAGAIN)
                atomic_store(&sock->error, (int)-got); /* for the next call */
            return (int)i;
        }
        msgs[i].msg_len = (unsigned int)got;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
        if ((deadline != UINT64_MAX && clock_now_ns() >= deadline) || (msgs[i].msg_hdr.msg_flags & MSG_OOB))
            return (int)i + 1; /* the urgent byte comes alone */
    }
    return (int)i;
}

int ph_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int count, int flags,
                struct timespec *timeout)
{
    SERVE_USED(fd, kernel.recvmmsg(fd, msgs, count, flags, timeout),
          recv_many(sock, fd, msgs, count, flags, timeout));
}

ssize_t ph_read(int fd, void *buf, size_t len)
{
    /* read(2) of nothing looks at nothing. */
    SERVE_IO(fd, kernel.read(fd, buf, len), len ? recv_part(sock, fd, buf, len, 0, NULL, NULL) : 0);
}

ssize_t ph_readv(int fd, const struct iovec *iov, int count)
{
    SERVE_IO(fd, kernel.readv(fd, iov, count), recv_parts(sock, fd, iov, count, 0));
}

static ssize_t recv_at(struct socket *sock, int fd, const struct iovec *iov, int count, off_t at, int flags)
{
    int how = flags_of(at, flags);

    return how < 0 ? how : recv_parts(sock, fd, iov, count, how);
}

ssize_t ph_preadv2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
    SERVE_IO(fd, kernel.preadv2(fd, iov, count, at, flags), recv_at(sock, fd, iov, count, at, flags));
}
