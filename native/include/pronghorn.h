/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pronghorn.h - POSIX sockets on a userspace TCP/IP stack.
 *
 * Every ph_<name>() below behaves as the POSIX (or Linux) function <name>() does: same arguments,
 * same results, -1 and errno on failure. What differs from the kernel is listed in
 * docs/differences.md. Every call takes any file descriptor: one of ours is served here, all others
 * are passed on to the kernel, so that poll, select and epoll mix both.
 *
 * Threads: every call may be made from any thread. The library starts with ph_init(), or by itself
 * (from pronghorn.json and PRONGHORN_* variables) at the first ph_socket().
 *
 *     pkg-config --cflags --libs pronghorn
 */
#ifndef PRONGHORN_H
#define PRONGHORN_H

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PH_API __attribute__((visibility("default")))

/* ---- life of the process-wide runtime -------------------------------------------------------- */

/* One setting by its documented name (docs/configuration.md), as text: {"stack.cores", "2"}. */
struct ph_setting {
    const char *key;
    const char *value;
};

/*
 * Starts the stacks. Settings are taken, weakest first, from the defaults, the configuration file,
 * PRONGHORN_* variables and the `count` entries of `settings` (copied; may be NULL when count is 0).
 * 0, or -1 with errno (EINVAL: a setting is wrong, ENODEV: a port cannot be opened, ENOMEM, EPERM,
 * EALREADY: it runs). ph_error() then names the culprit and the remedy.
 */
PH_API int ph_init(const struct ph_setting *settings, size_t count);

/*
 * Ends all connections in order, stops the threads, gives everything back. Idempotent; also runs at
 * exit. After it every descriptor of ours answers EBADF. The runtime cannot be started twice in one
 * process (DPDK's EAL cannot): ph_init() then fails with EALREADY.
 */
PH_API void ph_stop(void);

/* Why the last ph_init() failed: one or more lines naming culprit, value and remedy. Never NULL. */
PH_API const char *ph_error(void);

/*
 * The text of a setting in effect, by its documented name: its length without the final zero (as
 * snprintf, which may be more than fits), or -1 with errno (ENOENT: no such setting, ESRCH: the
 * runtime was never started).
 */
PH_API int ph_setting(const char *key, char *text, size_t size);

/* "0.1.0 (DPDK 22.11.11, lwIP 2.1.3)". Static storage. */
PH_API const char *ph_version(void);

/*
 * One turn of every inline stack that no other thread is driving right now (stack.drive = inline).
 * Returns the amount of work done (packets, calls, timers); 0 means idle. With dedicated stacks it
 * does nothing. Never blocks, never fails.
 */
PH_API int ph_turn(void);

/* 1 if `fd` is one of ours, else 0. */
PH_API int ph_owns(int fd);

/*
 * Where a socket of ours is served; -1 where there is no answer: no stack is chosen yet, or it listens on
 * all of them; the stack is not pinned; no port has the socket's address alone.
 */
struct ph_place {
    int stack; /* its number */
    int core;  /* that the stack is pinned to */
    int port;  /* DPDK's number of the port that has the local address */
    int queue; /* the pair of queues of that port which the stack drives */
};
/* 0, or -1 with errno (EBADF, ENOTSOCK; EOPNOTSUPP: the kernel's). */
PH_API int ph_place(int fd, struct ph_place *place);

struct mmsghdr; /* <sys/socket.h> defines it only with _GNU_SOURCE */

/* ---- sockets: socket(7), tcp(7), udp(7), ip(7), ipv6(7) -------------------------------------- */

PH_API int ph_socket(int domain, int type, int protocol);
PH_API int ph_bind(int fd, const struct sockaddr *addr, socklen_t len);
PH_API int ph_listen(int fd, int backlog);
PH_API int ph_accept(int fd, struct sockaddr *addr, socklen_t *len);
PH_API int ph_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
PH_API int ph_connect(int fd, const struct sockaddr *addr, socklen_t len);
PH_API int ph_shutdown(int fd, int how);
PH_API int ph_close(int fd);
PH_API int ph_getsockname(int fd, struct sockaddr *addr, socklen_t *len);
PH_API int ph_getpeername(int fd, struct sockaddr *addr, socklen_t *len);
PH_API int ph_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
PH_API int ph_setsockopt(int fd, int level, int name, const void *value, socklen_t len);

/*
 * MSG_BATCH, sendmmsg(2)'s own flag, on a datagram: others follow at once. Driven inline it leaves with the
 * first one without, with ph_turn() or a wait, and at the latest when the caretaker turns the stack.
 */
PH_API ssize_t ph_send(int fd, const void *buf, size_t len, int flags);
PH_API ssize_t ph_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
                         socklen_t to_len);
PH_API ssize_t ph_sendmsg(int fd, const struct msghdr *msg, int flags);
PH_API int ph_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int count, int flags);
PH_API ssize_t ph_recv(int fd, void *buf, size_t len, int flags);
PH_API ssize_t ph_recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *from,
                           socklen_t *from_len);
PH_API ssize_t ph_recvmsg(int fd, struct msghdr *msg, int flags);
PH_API int ph_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int count, int flags,
                       struct timespec *timeout);
PH_API ssize_t ph_sendfile(int to, int from, off_t *offset, size_t len);
PH_API ssize_t ph_splice(int from, off_t *from_at, int to, off_t *to_at, size_t len, unsigned int flags);
PH_API ssize_t ph_read(int fd, void *buf, size_t len);
PH_API ssize_t ph_write(int fd, const void *buf, size_t len);
PH_API ssize_t ph_readv(int fd, const struct iovec *iov, int count);
PH_API ssize_t ph_writev(int fd, const struct iovec *iov, int count);
PH_API int ph_fcntl(int fd, int cmd, ...);
PH_API int ph_ioctl(int fd, unsigned long request, ...);
PH_API int ph_sockatmark(int fd);
PH_API int ph_dup(int fd);
PH_API int ph_dup2(int fd, int as);
PH_API int ph_dup3(int fd, int as, int flags);
PH_API int ph_close_range(unsigned int first, unsigned int last, int flags);
PH_API ssize_t ph_preadv2(int fd, const struct iovec *iov, int count, off_t at, int flags);
PH_API ssize_t ph_pwritev2(int fd, const struct iovec *iov, int count, off_t at, int flags);
PH_API void ph_closefrom(int first);
/* stdio over one of ours; fclose() closes it. */
PH_API FILE *ph_fdopen(int fd, const char *mode);

/* ---- waiting: poll(2), select(2), epoll(7) over our descriptors and the kernel's together ------ */

PH_API int ph_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
PH_API int ph_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                    const sigset_t *mask);
PH_API int ph_select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout);
PH_API int ph_pselect(int count, fd_set *in, fd_set *out, fd_set *except,
                      const struct timespec *timeout, const sigset_t *mask);
PH_API int ph_epoll_create1(int flags);
PH_API int ph_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
PH_API int ph_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms);
PH_API int ph_epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout_ms,
                          const sigset_t *mask);
PH_API int ph_epoll_pwait2(int epfd, struct epoll_event *events, int max,
                           const struct timespec *timeout, const sigset_t *mask);

/*
 * For event loops that sleep in a wait of their own (libuv, GLib): the kernel descriptor that
 * becomes readable when `epfd` has something to do. Owned by `epfd`; level-triggered; watch it for
 * POLLIN only. It is armed by ph_epoll_prepare(): 0 means armed, nothing is pending, sleep now, for
 * at most *timeout_us (UINT64_MAX: no bound; a port without an interrupt needs a short one);
 * 1 means call ph_epoll_wait() with timeout 0 first. ph_epoll_wait() disarms.
 */
PH_API int ph_epoll_fd(int epfd);
PH_API int ph_epoll_prepare(int epfd, uint64_t *timeout_us);

/*
 * For event loops whose callbacks `pronghorn latency` is to show: how long received data waits for the
 * callback of its socket, and how long that runs. Only sockets that an operator has chosen are measured;
 * while ph_latency_chosen() is 0 there are none. What ph_callback_begin() returns (0: not measured) is
 * given to ph_callback_end() after the callback.
 */
PH_API unsigned ph_latency_chosen(void);
PH_API uint64_t ph_callback_begin(int fd);
PH_API void ph_callback_end(int fd, uint64_t begun);

#ifdef __cplusplus
}
#endif
#endif
