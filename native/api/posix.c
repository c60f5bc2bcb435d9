/* SPDX-License-Identifier: Apache-2.0 */
/* The exported calls that make, name, join and end sockets, and set their options. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/sockios.h>

#include "api/both.h"
#include "api/life.h"
#include "api/serve.h"
#include "pronghorn.h"
#include "socket/async.h"
#include "socket/urgent.h"
#include "socket/wait.h"

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

/* Told before a descriptor is reserved, which takes calls of the kernel: servers accept until EAGAIN. */
static bool nobody_waits(struct socket *sock)
{
    const struct socket_ops *ops = socket_ops(sock);

    if (!file_nonblock(&sock->file) || socket_state(sock) != SOCKET_LISTENING || ops->events(sock) != 0)
        return false;
    return !socket_poll(sock) || (socket_state(sock) == SOCKET_LISTENING && ops->events(sock) == 0);
}

static int accept_own(struct socket *sock, struct sockaddr *addr, socklen_t *len, int flags)
{
    struct socket *accepted;
    int result, fd;

    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    if (nobody_waits(sock))
        return -EAGAIN;
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
    int result = -EBADF;

    if (fd_is_ours(fd)) {
        if (UNLIKELY(!inside_enter()))
            return serve_put_off_close(fd) ? 0 : RESULT(-EINTR);
        result = fd_close(fd);
        serve_leave();
    }
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

/* ---- fcntl, ioctl ---- */

/* Of a socket of both sides, the kernel's. */
static void set_kernel_async(int fd, bool on)
{
    int flags = kernel.fcntl(fd, F_GETFL);

    kernel.fcntl(fd, F_SETFL, on ? flags | O_ASYNC : flags & ~O_ASYNC);
}

static int fcntl_ours(struct file *file, int fd, int cmd, long argument)
{
    struct socket *sock = file->kind == FILE_SOCKET ? socket_of(file) : NULL;

    switch (cmd) {
    case F_GETFL:
        return O_RDWR | file->append | (file_user_nonblock(file) ? O_NONBLOCK : 0) |
               (sock && async_is_on(sock) ? O_ASYNC : 0);
    case F_SETFL:
        file->append = (int)argument & O_APPEND;
        file_set_nonblock(file, (argument & O_NONBLOCK) != 0);
        if (sock && file->kernel_side)
            set_kernel_async(fd, (argument & O_ASYNC) != 0);
        return sock ? async_enable(sock, fd, (argument & O_ASYNC) != 0) : 0;
    case F_GETFD:
    case F_SETFD:
        if (fd >= FD_VIRTUAL_FIRST) /* exec never sees such a number: always closed */
            return cmd == F_GETFD ? FD_CLOEXEC : 0;
        return kernel.fcntl(fd, cmd, argument) < 0 ? -errno : cmd == F_GETFD ? kernel.fcntl(fd, cmd) : 0;
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: return fd_dup(fd, (int)argument, cmd == F_DUPFD_CLOEXEC);
    default:
        if (sock == NULL)
            return -EINVAL;
        if (file->kernel_side)
            kernel.fcntl(fd, cmd, argument);
        return async_fcntl(sock, cmd, argument);
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
    if (cmd == F_GETOWN && file->kind == FILE_SOCKET) { /* of a group it is negative, and no error */
        result = async_owner(socket_of(file));
        file_unuse(file);
        return result;
    }
    result = fcntl_ours(file, fd, cmd, argument);
    file_unuse(file);
    return RESULT(result);
}

static int ioctl_ours(struct socket *sock, int fd, unsigned long request, void *argument)
{
    int *number = argument;

    /* An unknown request may come without an argument: it is judged first. */
    if (request != FIONBIO && request != FIONREAD && request != SIOCOUTQ && request != FIOASYNC &&
        request != FIOSETOWN && request != SIOCSPGRP && request != FIOGETOWN && request != SIOCGPGRP &&
        ((request != SIOCATMARK && request != SIOCOUTQNSD) || sock->type != SOCK_STREAM))
        return -ENOTTY;
    if (argument == NULL)
        return -EFAULT;
    switch (request) {
    case FIONBIO: file_set_nonblock(&sock->file, *number != 0); return 0;
    case FIOASYNC:
        if (sock->file.kernel_side)
            set_kernel_async(fd, *number != 0);
        return async_enable(sock, fd, *number != 0);
    case FIOSETOWN:
    case SIOCSPGRP: return fcntl_ours(&sock->file, fd, F_SETOWN, *number);
    case FIOGETOWN:
    case SIOCGPGRP: *number = async_owner(sock); return 0;
    case FIONREAD: *number = socket_readable_bytes(sock); return *number < 0 ? -EINVAL : 0;
    case SIOCATMARK: *number = urgent_at_mark(&sock->rx); return 0;
    case SIOCOUTQ:
    case SIOCOUTQNSD:
        if (socket_state(sock) == SOCKET_LISTENING)
            return -EINVAL;
        *number = request == SIOCOUTQ ? socket_unsent_bytes(sock) : socket_not_sent_bytes(sock);
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
    SERVE(fd, kernel.ioctl(fd, request, argument), ioctl_ours(sock, fd, request, argument));
}

/* libc's makes its system call without asking anybody. */
int ph_sockatmark(int fd)
{
    int mark;

    return ph_ioctl(fd, SIOCATMARK, &mark) < 0 ? -1 : mark;
}

int ph_owns(int fd)
{
    return fd_is_ours(fd);
}
