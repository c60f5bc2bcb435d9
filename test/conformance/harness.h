/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conformance: the kernel is the oracle. A scenario is written once, against the calls in `sys`, and
 * run with the kernel's sockets over loopback and with ours over the embedded wire. What it says on
 * the way (SAY and friends) is its trace; the traces must be equal, line by line, except for lines
 * that docs/differences.md lists.
 *
 * What differs by nature is made equal in the trace: an address of the host is "host", ports and
 * descriptors are not shown as numbers.
 */
#ifndef TEST_CONFORMANCE_HARNESS_H
#define TEST_CONFORMANCE_HARNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The calls under test. close, socket, accept4, fcntl and epoll_create1 keep a list of what is open. */
struct calls {
    int (*socket)(int, int, int);
    int (*bind)(int, const struct sockaddr *, socklen_t);
    int (*listen)(int, int);
    int (*accept4)(int, struct sockaddr *, socklen_t *, int);
    int (*connect)(int, const struct sockaddr *, socklen_t);
    int (*shutdown)(int, int);
    int (*close)(int);
    int (*getsockname)(int, struct sockaddr *, socklen_t *);
    int (*getpeername)(int, struct sockaddr *, socklen_t *);
    int (*getsockopt)(int, int, int, void *, socklen_t *);
    int (*setsockopt)(int, int, int, const void *, socklen_t);
    ssize_t (*send)(int, const void *, size_t, int);
    ssize_t (*sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    ssize_t (*sendmsg)(int, const struct msghdr *, int);
    int (*sendmmsg)(int, struct mmsghdr *, unsigned int, int);
    ssize_t (*recv)(int, void *, size_t, int);
    ssize_t (*recvfrom)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
    ssize_t (*recvmsg)(int, struct msghdr *, int);
    int (*recvmmsg)(int, struct mmsghdr *, unsigned int, int, struct timespec *);
    ssize_t (*read)(int, void *, size_t);
    ssize_t (*write)(int, const void *, size_t);
    ssize_t (*readv)(int, const struct iovec *, int);
    ssize_t (*writev)(int, const struct iovec *, int);
    int (*fcntl)(int, int, ...);
    int (*dup2)(int, int);
    int (*dup3)(int, int, int);
    int (*close_range)(unsigned int, unsigned int, int);
    ssize_t (*sendfile)(int, int, off_t *, size_t);
    ssize_t (*splice)(int, off_t *, int, off_t *, size_t, unsigned int);
    int (*ioctl)(int, unsigned long, ...);
    int (*poll)(struct pollfd *, nfds_t, int);
    int (*ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
    int (*select)(int, fd_set *, fd_set *, fd_set *, struct timeval *);
    int (*epoll_create1)(int);
    int (*epoll_ctl)(int, int, int, struct epoll_event *);
    int (*epoll_wait)(int, struct epoll_event *, int, int);
    int (*epoll_pwait)(int, struct epoll_event *, int, int, const sigset_t *);
    int (*epoll_pwait2)(int, struct epoll_event *, int, const struct timespec *, const sigset_t *);
};
extern struct calls sys;

/* Which sockets serve the scenario at hand. */
extern struct world {
    const char *name;
    bool ours, virtual_numbers, is_inline;
} world;

struct scenario {
    const char *name;
    void (*run)(void);
};
#define SCENARIO(function) { #function, function }
/* The last row is {0}. The main() of every program is the harness's. */
extern const char group_name[];
extern const struct scenario scenarios[];

/*
 * A group may define it: the kernel's world gets a network of its own, made by these commands of the
 * shell. Where that is not permitted the group is skipped.
 */
extern const char group_network[] __attribute__((weak));

/*
 * With it: our worlds stand in such a network, too, on this port; group_start() makes ready what else there
 * is, in each world's process (false: it could not).
 */
extern const char group_port[] __attribute__((weak));
bool group_start(void) __attribute__((weak));

/*
 * Or this one: the kernel's world gets a loopback of its own, so that the ports of other processes are no
 * hindrance. Where that is not permitted it has the machine's.
 */
extern const bool group_own_ports __attribute__((weak));

/* ---- what goes into the trace (trace.c) ------------------------------------------------------ */

/* The call's text, and its result or errno, and SIGPIPE if that came. Gives the result. */
#define SAY(call)                               \
    ({                                          \
        long long result_ = (long long)(call);  \
        trace_result(#call, result_, errno);    \
    })
/* As SAY, for what gives a descriptor: its number is not part of the trace. */
#define SAY_FD(call)                            \
    ({                                          \
        long long result_ = (long long)(call);  \
        (int)trace_fd(#call, result_, errno);   \
    })
/* A line of the scenario's own: a label, and a value printed as with printf(). */
#define NOTE(label, ...) trace_note(label, __VA_ARGS__)
/* Which of all events hold now, by poll() with a zero timeout. */
#define SAY_EVENTS(fd) trace_events("events of " #fd, fd)
/* What getsockname() and getpeername() say. */
#define SAY_NAMES(fd) trace_names("names of " #fd, fd)
/* An integer option. */
#define SAY_OPTION(fd, level, name) trace_option(#fd " " #name, fd, level, name)
/* epoll_wait() for up to `ms`; the items by their data.u64, sorted. */
#define SAY_EPOLL(ep, ms) trace_epoll("epoll_wait(" #ep ", " #ms ")", ep, ms)
/* recv(): the result, and the bytes that came. */
#define SAY_RECV(fd, bytes, flags) trace_recv("recv(" #fd ", " #bytes ", " #flags ")", fd, bytes, flags)

/* Lines said until the next section get its name in front of them: "section: ...". NULL: none. */
void section(const char *name);

long long trace_result(const char *call, long long result, int error);
long long trace_fd(const char *call, long long result, int error);
void trace_note(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));
void trace_events(const char *label, int fd);
void trace_names(const char *label, int fd);
void trace_option(const char *label, int fd, int level, int name);
void trace_epoll(const char *label, int ep, int timeout_ms);
void trace_recv(const char *label, int fd, size_t bytes, int flags);
/* "IN OUT HUP", of POLL* or EPOLL* bits. A static buffer per call site is enough: one thread says. */
const char *event_names(uint32_t events);
/* "host:p1" of an address; ports are named in the order of their appearance. */
const char *address_name(const void *address);
const char *error_name(int error);

/* ---- what scenarios are made of (help.c) ----------------------------------------------------- */

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_storage storage;
    };
    socklen_t len;
};
#define ADDR(address) &(address).any, (address).len

enum place { HOST, OTHER, ANY, FOREIGN, MAPPED_HOST, MAPPED_ANY };
struct address address_of(int family, enum place place, int port);
/* The port that the socket has. */
int port_of(int fd);
/* Where the socket's port answers: the host's address with it. */
struct address address_at(int fd, int family);

/* What was sent so far has arrived at the other end, and the answer here. */
void settle(void);
/* Waits until one of `events` holds, some seconds at most. */
bool await(int fd, int events);

/* Silent makers: a failure ends the scenario with a line that says so. */
int bound(int family, int type, enum place place);
int listener(int family, int backlog);
int connected_to(int listening, int family);
struct pair {
    int client, server, listening;
};
/* A connection: `client` called connect(), `server` came from accept(). */
struct pair tcp_pair(int family);
struct pair udp_pair(int family); /* two sockets connected to each other */
void nonblocking(int fd);
int set_int(int fd, int level, int name, int value);
/* Closes so that the peer gets a RST. */
void reset(int fd);
/* Fills the connection until no more can be sent without waiting. */
size_t fill(int fd);

/* Runs `run` in a thread in `ms` milliseconds; join() waits for the last one. */
void later(int ms, void (*run)(void *), void *argument);
void join(void);
uint64_t now_ms(void);

#endif
