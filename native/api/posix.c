/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exported calls. Each finds the file of the descriptor, or passes the call on to the kernel;
 * and here, and only here, -errno becomes errno.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/sockios.h>

#include "api/both.h"
#include "api/life.h"
#include "api/rights.h"
#include "base/clock.h"
#include "base/kernel_calls.h"
#include "fd/epoll.h"
#include "fd/fd_table.h"
#include "fd/poll.h"
#include "fd/undecided.h"
#include "pronghorn.h"
#include "socket/socket.h"

#define RESULT(expression)                 \
    ({                                     \
        __typeof__(expression) r_ = (expression); \
        if (UNLIKELY(r_ < 0)) {            \
            errno = (int)-r_;              \
            r_ = -1;                       \
        }                                  \
        r_;                                \
    })

/* No errno: a socket that a shim made and that nobody has decided about. */
#define UNDECIDED (-1)

/* The socket of `fd` with one user more; NULL with *error 0 (the kernel's), ENOTSOCK or UNDECIDED. */
static struct socket *use(int fd, int *error)
{
    struct file *file = fd_use(fd);

    *error = 0;
    if (UNLIKELY(file == NULL)) {
        if (fd >= FD_VIRTUAL_FIRST)
            *error = EBADF;
        return NULL;
    }
    if (UNLIKELY(file->kind != FILE_SOCKET)) {
        *error = file->kind == FILE_UNDECIDED ? UNDECIDED : ENOTSOCK;
        file_unuse(file);
        return NULL;
    }
    return socket_of(file);
}

/* Whose it is, is decided now by `addr`, or by its being waited on. 0 or -errno. */
static int decide(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct file *file = fd_use(fd);
    int result = 0;

    if (file && file->kind == FILE_UNDECIDED)
        result = addr ? undecided_connect(file, fd, addr, len) : undecided_serve(file, fd);
    if (file)
        file_unuse(file);
    return result;
}

/* Undecided, and `call` with `file` is to be made instead of what follows. */
#define SERVE_UNDECIDED(fd, call)                                 \
    do {                                                          \
        struct file *file = fd_use(fd);                           \
        if (file && file->kind == FILE_UNDECIDED) {               \
            int result_ = (call);                                 \
            file_unuse(file);                                     \
            if (result_ != -EAGAIN) /* decided in between */      \
                return RESULT(result_);                           \
        } else if (file) {                                        \
            file_unuse(file);                                     \
        }                                                         \
    } while (0)

/* Ours: `call` is made with `sock`; else the kernel's function with the same arguments. */
#define SERVE(fd, kernel_call, call) SERVE_OR(ENOTSOCK, 0, fd, kernel_call, call)
/* The same, but first it is decided whose it is, by an address or by its being used. */
#define SERVE_TO(fd, addr, len, kernel_call, call) \
    SERVE_OR(ENOTSOCK, decide(fd, addr, len), fd, kernel_call, call)
#define SERVE_USED(fd, kernel_call, call) SERVE_TO(fd, NULL, 0, kernel_call, call)
/* read(2) and its like: an epoll of ours has no data. */
#define SERVE_IO(fd, kernel_call, call) SERVE_OR(EINVAL, decide(fd, NULL, 0), fd, kernel_call, call)
#define SERVE_OR(no_socket, decision, fd, kernel_call, call) \
    do {                                       \
        int error_;                            \
        struct socket *sock = use(fd, &error_); \
        __typeof__(kernel_call) result_;       \
        if (UNLIKELY(error_ == UNDECIDED)) {   \
            error_ = (decision);               \
            if (error_ < 0)                    \
                return RESULT(error_);         \
            sock = use(fd, &error_);           \
        }                                      \
        if (UNLIKELY(sock == NULL)) {          \
            if (error_ == 0 || error_ == UNDECIDED) \
                return kernel_call;            \
            errno = error_ == ENOTSOCK ? (no_socket) : error_; \
            return -1;                         \
        }                                      \
        result_ = (call);                      \
        file_unuse(&sock->file);               \
        return RESULT(result_);                \
    } while (0)

static int install(struct socket *sock, int type_flags)
{
    int fd;

    file_set_nonblock(&sock->file, (type_flags & SOCK_NONBLOCK) != 0);
    fd = fd_install(&sock->file, (type_flags & SOCK_CLOEXEC) != 0);
    if (fd < 0)
        file_unuse(&sock->file);
    return fd;
}

int ph_socket(int domain, int type, int protocol)
{
    struct socket *sock;
    int result;

    if (domain != AF_INET && domain != AF_INET6)
        return kernel.socket(domain, type, protocol);
    result = life_ensure();
    if (result == 0)
        result = socket_create(&sock, domain, type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), protocol);
    if (result == 0)
        result = install(sock, type);
    return RESULT(result);
}

static int bind_ours(struct socket *sock, const struct sockaddr *addr, socklen_t len)
{
    struct endpoint local;
    int result = endpoint_from_sockaddr(&local, sock->family, addr, len);

    /* As the kernel, for programs from before POSIX: AF_UNSPEC with 0.0.0.0 passes for AF_INET. */
    if (result == -EAFNOSUPPORT && sock->family == AF_INET && addr->sa_family == AF_UNSPEC) {
        struct sockaddr_in in;

        memcpy(&in, addr, sizeof(in));
        in.sin_family = AF_INET;
        if (in.sin_addr.s_addr == INADDR_ANY)
            result = endpoint_from_sockaddr(&local, AF_INET, (void *)&in, sizeof(in));
    }
    return result < 0 ? result : socket_ops(sock)->bind(sock, &local);
}

int ph_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    SERVE_UNDECIDED(fd, undecided_bind(file, fd, addr, len));
    SERVE(fd, kernel.bind(fd, addr, len), bind_ours(sock, addr, len));
}

int ph_listen(int fd, int backlog)
{
    SERVE_UNDECIDED(fd, undecided_listen(file, fd, backlog));
    SERVE(fd, kernel.listen(fd, backlog), socket_ops(sock)->listen(sock, backlog));
}

static int accept_own(struct socket *sock, struct sockaddr *addr, socklen_t *len, int flags)
{
    struct socket *accepted;
    int result, fd;

    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    fd = fd_reserve((flags & SOCK_CLOEXEC) != 0);
    if (fd < 0)
        return fd;
    result = socket_ops(sock)->accept(sock, &accepted);
    if (result < 0) {
        fd_unreserve(fd);
        return result;
    }
    /* As in the kernel, the connection is lost when its name cannot be given. */
    if (addr && len && (int)*len < 0) {
        fd_unreserve(fd);
        file_unuse(&accepted->file);
        return -EINVAL;
    }
    if (addr)
        endpoint_to_sockaddr(&accepted->peer, accepted->family, addr, len);
    file_set_nonblock(&accepted->file, (flags & SOCK_NONBLOCK) != 0);
    fd_fill(fd, &accepted->file);
    return fd;
}

static int accept_ours(struct socket *sock, int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    return sock->file.kernel_side ? both_accept(sock, fd, addr, len, flags, accept_own)
                                  : accept_own(sock, addr, len, flags);
}

int ph_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    SERVE_USED(fd, kernel.accept4(fd, addr, len, flags), accept_ours(sock, fd, addr, len, flags));
}

int ph_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    return ph_accept4(fd, addr, len, 0);
}

static int connect_ours(struct socket *sock, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct endpoint peer;
    int result;

    if (UNLIKELY(sock->file.kernel_side) && sock->type == SOCK_DGRAM) {
        result = both_connect(sock, fd, addr, len);
        if (result != 0)
            return result < 0 ? result : 0;
    }
    if (len < (socklen_t)sizeof(sa_family_t))
        return -EINVAL;
    if (addr == NULL)
        return -EFAULT;
    if (addr->sa_family == AF_UNSPEC)
        return socket_ops(sock)->connect(sock, NULL, true);
    result = endpoint_from_sockaddr(&peer, sock->family, addr, len);
    if (result < 0 && sock->type == SOCK_STREAM && socket_state(sock) == SOCKET_CONNECTED)
        return -EISCONN; /* said before the address is looked at */
    return result < 0 ? result : socket_ops(sock)->connect(sock, &peer, false);
}

int ph_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    SERVE_TO(fd, addr, len, kernel.connect(fd, addr, len), connect_ours(sock, fd, addr, len));
}

static int shutdown_ours(struct socket *sock, int fd, int how)
{
    if (sock->file.kernel_side)
        kernel.shutdown(fd, how);
    return socket_ops(sock)->shutdown(sock, how);
}

int ph_shutdown(int fd, int how)
{
    SERVE(fd, kernel.shutdown(fd, how), shutdown_ours(sock, fd, how));
}

int ph_close(int fd)
{
    int result = fd_close(fd);

    if (result == -EBADF && fd < FD_VIRTUAL_FIRST)
        return kernel.close(fd);
    return RESULT(result);
}

int ph_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    SERVE_UNDECIDED(fd, undecided_getsockname(file, fd, addr, len));
    SERVE(fd, kernel.getsockname(fd, addr, len), socket_getsockname(sock, addr, len));
}

int ph_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    SERVE(fd, kernel.getpeername(fd, addr, len), socket_getpeername(sock, addr, len));
}

int ph_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    SERVE(fd, kernel.getsockopt(fd, level, name, value, len),
          socket_option_get(sock, level, name, value, len));
}

int ph_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    SERVE_UNDECIDED(fd, undecided_setsockopt(file, fd, level, name, value, len));
    SERVE(fd, kernel.setsockopt(fd, level, name, value, len),
          UNLIKELY(sock->file.kernel_side) ? both_setsockopt(sock, fd, level, name, value, len)
                                           : socket_option_set(sock, level, name, value, len));
}

/* ---- data ---- */

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
        pthread_kill(pthread_self(), SIGPIPE);
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
    unsigned int i;

    for (i = 0; i < count && i < IOV_MAX; i++) {
        ssize_t sent = send_ours(sock, fd, &msgs[i].msg_hdr, flags);

        if (sent < 0)
            return i > 0 ? (int)i : (int)sent;
        msgs[i].msg_len = (unsigned int)sent;
    }
    return (int)i;
}

int ph_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int count, int flags)
{
    SERVE_TO(fd, msgs && count ? msgs->msg_hdr.msg_name : NULL,
             msgs && count ? msgs->msg_hdr.msg_namelen : 0,
             kernel.sendmmsg(fd, msgs, count, flags), send_many(sock, fd, msgs, count, flags));
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

static ssize_t recv_parts(struct socket *sock, int fd, const struct iovec *iov, int count)
{
    struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count };

    if (count < 0 || count > IOV_MAX)
        return -EINVAL;
    return is_nothing(iov, count) ? 0 : recv_ours(sock, fd, &msg, 0);
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
    unsigned int i;

    for (i = 0; i < count; i++) {
        ssize_t got = recv_ours(sock, fd, &msgs[i].msg_hdr, flags & ~MSG_WAITFORONE);

        if (got < 0)
            return i > 0 ? (int)i : (int)got;
        msgs[i].msg_len = (unsigned int)got;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
        if (deadline != UINT64_MAX && clock_now_ns() >= deadline)
            return (int)i + 1;
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
    SERVE_IO(fd, kernel.readv(fd, iov, count), recv_parts(sock, fd, iov, count));
}

/* ---- fcntl, ioctl ---- */

static int fcntl_ours(struct file *file, int fd, int cmd, long argument)
{
    switch (cmd) {
    case F_GETFL: return O_RDWR | file->append | (file_user_nonblock(file) ? O_NONBLOCK : 0);
    case F_SETFL:
        file->append = (int)argument & O_APPEND;
        file_set_nonblock(file, (argument & O_NONBLOCK) != 0);
        return 0;
    case F_GETFD:
    case F_SETFD:
        if (fd >= FD_VIRTUAL_FIRST) /* exec never sees such a number: always closed */
            return cmd == F_GETFD ? FD_CLOEXEC : 0;
        return kernel.fcntl(fd, cmd, argument) < 0 ? -errno : cmd == F_GETFD ? kernel.fcntl(fd, cmd) : 0;
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: return fd_dup(fd, (int)argument, cmd == F_DUPFD_CLOEXEC);
    default: return -EINVAL;
    }
}

int ph_fcntl(int fd, int cmd, ...)
{
    struct file *file = fd_use(fd);
    va_list list;
    long argument;
    int result;

    va_start(list, cmd);
    argument = va_arg(list, long);
    va_end(list);
    if (file == NULL)
        return fd >= FD_VIRTUAL_FIRST ? RESULT(-EBADF) : kernel.fcntl(fd, cmd, argument);
    if (file->kind == FILE_UNDECIDED && cmd != F_DUPFD && cmd != F_DUPFD_CLOEXEC) {
        file_unuse(file);
        return kernel.fcntl(fd, cmd, argument);
    }
    result = fcntl_ours(file, fd, cmd, argument);
    file_unuse(file);
    return RESULT(result);
}

static int ioctl_ours(struct socket *sock, unsigned long request, void *argument)
{
    int *number = argument;

    /* An unknown request may come without an argument: it is judged first. */
    if (request != FIONBIO && request != FIONREAD && request != SIOCOUTQ)
        return -ENOTTY;
    if (argument == NULL)
        return -EFAULT;
    switch (request) {
    case FIONBIO: file_set_nonblock(&sock->file, *number != 0); return 0;
    case FIONREAD: *number = socket_readable_bytes(sock); return *number < 0 ? -EINVAL : 0;
    case SIOCOUTQ:
        if (socket_state(sock) == SOCKET_LISTENING)
            return -EINVAL;
        *number = (int)send_queue_bytes(&sock->tx);
        return 0;
    }
    return -ENOTTY;
}

int ph_ioctl(int fd, unsigned long request, ...)
{
    va_list list;
    void *argument;

    va_start(list, request);
    argument = va_arg(list, void *);
    va_end(list);
    SERVE(fd, kernel.ioctl(fd, request, argument), ioctl_ours(sock, request, argument));
}

int ph_owns(int fd)
{
    return fd_is_ours(fd);
}
