/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an exported call finds whose descriptor it got: ours, with one user more as long as the call
 * lasts, the kernel's, or nobody's yet, which is then decided. And here, and only here, -errno becomes
 * errno.
 */
#ifndef API_SERVE_H
#define API_SERVE_H

#include <errno.h>
#include <sys/socket.h>

#include "api/fork.h"
#include "base/inside.h"
#include "base/kernel_calls.h"
#include "fd/fd_table.h"
#include "fd/undecided.h"
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
#define SERVE_NOT_DECIDED (-1)

/* The socket of `fd` with one user more; NULL with *error 0 (the kernel's), ENOTSOCK or SERVE_NOT_DECIDED. */
static inline struct socket *serve_use(int fd, int *error)
{
    struct file *file = fd_use(fd);

    *error = 0;
    if (UNLIKELY(file == NULL)) {
        if (fd >= FD_VIRTUAL_FIRST)
            *error = EBADF;
        return NULL;
    }
    if (UNLIKELY(file->kind != FILE_SOCKET)) {
        *error = file->kind == FILE_UNDECIDED ? SERVE_NOT_DECIDED : ENOTSOCK;
        file_unuse(file);
        return NULL;
    }
    return socket_of(file);
}

/* close(2) in a signal handler whose thread is in a call of ours: when that is over. False: too many. */
bool serve_put_off_close(int fd);
void serve_do_put_off(void);

/* The end of what began with inside_enter(). */
static inline void serve_leave(void)
{
    inside_leave();
    if (UNLIKELY(inside_due))
        serve_do_put_off();
}

/* Whose it is, is decided now by `addr`, or by its being waited on. 0 or -errno. */
int serve_decide(int fd, const struct sockaddr *addr, socklen_t len);

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
    SERVE_OR(ENOTSOCK, serve_decide(fd, addr, len), fd, kernel_call, call)
#define SERVE_USED(fd, kernel_call, call) SERVE_TO(fd, NULL, 0, kernel_call, call)
/* read(2) and its like: an epoll of ours has no data. */
#define SERVE_IO(fd, kernel_call, call) SERVE_OR(EINVAL, serve_decide(fd, NULL, 0), fd, kernel_call, call)
#define SERVE_OR(no_socket, decision, fd, kernel_call, call) \
    do {                                                      \
        int error_;                                           \
        struct socket *sock = serve_use(fd, &error_);         \
        __typeof__(kernel_call) result_;                      \
        if (UNLIKELY(error_ == SERVE_NOT_DECIDED)) {          \
            error_ = (decision);                              \
            if (error_ < 0)                                   \
                return RESULT(error_);                        \
            sock = serve_use(fd, &error_);                    \
        }                                                     \
        if (UNLIKELY(sock == NULL)) {                         \
            if (error_ == 0 || error_ == SERVE_NOT_DECIDED) { \
                if (UNLIKELY(fork_lost_any))                  \
                    fork_warn(fd);                            \
                return kernel_call;                           \
            }                                                 \
            errno = error_ == ENOTSOCK ? (no_socket) : error_;\
            return -1;                                        \
        }                                                     \
        if (LIKELY(inside_enter())) {                         \
            result_ = (call);                                 \
            file_unuse(&sock->file);                          \
            serve_leave();                                    \
        } else { /* a signal handler's */                     \
            result_ = -EAGAIN;                                \
            file_unuse(&sock->file);                          \
        }                                                     \
        return RESULT(result_);                               \
    } while (0)

#endif
