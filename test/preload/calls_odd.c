/* SPDX-License-Identifier: Apache-2.0 */
/* Calls from places and by ways that a shim easily misses. */
#include "calls.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>

/* ---- waits by number ---- */

static volatile sig_atomic_t signals_seen;

static void on_signal(int number)
{
    (void)number;
    signals_seen++;
}

void raw_waits(void)
{
    int pair[2], ep = epoll_create1(0);
    struct timespec long_time = { .tv_sec = 5 };
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = 7 }, got;
    struct pollfd look;
    fd_set in;
    uint64_t none = 0, blocked = UINT64_C(1) << (SIGUSR1 - 1);
    struct {
        const uint64_t *mask;
        size_t size;
    } with = { &none, sizeof(none) };

    connection(pair, NULL);
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, pair[1], &event) == 0);
    say(pair[0], "x");
    look = (struct pollfd){ .fd = pair[1], .events = POLLIN };
    CHECK(syscall(SYS_ppoll, &look, 1, &long_time, NULL, 8) == 1 && look.revents == POLLIN);
    CHECK(syscall(SYS_epoll_pwait, ep, &got, 1, 5000, NULL, 8) == 1 && got.data.u64 == 7);
#ifdef SYS_epoll_pwait2
    CHECK(syscall(SYS_epoll_pwait2, ep, &got, 1, &long_time, NULL, 8) == 1 && got.data.u64 == 7);
#endif
    FD_ZERO(&in);
    FD_SET(pair[1], &in);
    CHECK(syscall(SYS_pselect6, pair[1] + 1, &in, NULL, NULL, &long_time, NULL) == 1 && FD_ISSET(pair[1], &in));
#ifdef SYS_select
    CHECK(syscall(SYS_select, pair[1] + 1, &in, NULL, NULL, &(struct timeval){ .tv_sec = 5 }) == 1);
#endif
    /* Masks: the signal is let in by the wait alone. */
    hear(pair[1], "x");
    signal(SIGUSR1, on_signal);
    CHECK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &blocked, NULL, 8) == 0);
    raise(SIGUSR1);
    CHECK(signals_seen == 0);
    CHECK(syscall(SYS_ppoll, &look, 1, &long_time, &none, 8) == -1 && errno == EINTR && signals_seen == 1);
    raise(SIGUSR1);
    CHECK(syscall(SYS_epoll_pwait, ep, &got, 1, 5000, &none, 8) == -1 && errno == EINTR && signals_seen == 2);
    raise(SIGUSR1);
    FD_SET(pair[1], &in);
    CHECK(syscall(SYS_pselect6, pair[1] + 1, &in, NULL, NULL, &long_time, &with) == -1 && errno == EINTR);
    CHECK(signals_seen == 3);
}

/* ---- handlers that use the very socket ---- */

#define ALARMS 400

static int busy_fd, other_pair[2];
static volatile sig_atomic_t alarms, handler_sent, handler_kept;

static void on_alarm(int number)
{
    int error = errno;
    ssize_t n = send(busy_fd, "h", 1, MSG_DONTWAIT | MSG_NOSIGNAL);

    (void)number;
    if (n == 1)
        handler_sent++;
    else if (errno != EAGAIN)
        handler_kept = errno;
    n = write(other_pair[0], "o", 1);
    if (n < 0 && errno != EAGAIN)
        handler_kept = errno;
    if (++alarms == ALARMS / 2 && close(other_pair[1]) < 0)
        handler_kept = errno;
    errno = error;
}

static void *reads_all(void *argument)
{
    int fd = *(int *)argument;
    static char buffer[65536];
    uintptr_t sum = 0;
    ssize_t n;
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while ((n = read(fd, buffer, sizeof(buffer))) > 0)
        sum += (uintptr_t)n;
    return (void *)sum;
}

void handlers(void)
{
    struct itimerval often = { { 0, 300 }, { 0, 300 } }, never = { 0 };
    static char data[5000];
    int pair[2];
    pthread_t reader;
    uintptr_t sent = 0;
    void *read_sum;

    signal(SIGPIPE, SIG_IGN);
    connection(pair, NULL);
    connection(other_pair, NULL);
    busy_fd = pair[0];
    CHECK(pthread_create(&reader, NULL, reads_all, &pair[1]) == 0);
    signal(SIGALRM, on_alarm);
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    while (alarms < ALARMS) {
        ssize_t n = send(pair[0], data, sizeof(data), 0);

        CHECK(n > 0 || errno == EINTR);
        sent += n > 0 ? (uintptr_t)n : 0;
    }
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(shutdown(pair[0], SHUT_WR) == 0);
    CHECK(pthread_join(reader, &read_sum) == 0);
    CHECK((uintptr_t)read_sum == sent + (uintptr_t)handler_sent);
    CHECK(handler_kept == 0 || handler_kept == EPIPE || handler_kept == ECONNRESET);
}

/* ---- closing everything ---- */

void closes_all(void)
{
    int pair[2], again[2];

    connection(pair, NULL);
    say(pair[0], "before");
    hear(pair[1], "before");
    CHECK(close_range(3, ~0u, 0) == 0);
    CHECK(write(pair[0], "x", 1) == -1 && errno == EBADF);
    connection(again, NULL);
    say(again[0], "after");
    hear(again[1], "after");
    closefrom(3);
    CHECK(read(again[0], &(char){ 0 }, 1) == -1 && errno == EBADF);
    connection(again, NULL);
    say(again[0], "and after");
    hear(again[1], "and after");
}

/* What writes inside libc, and reads and writes at a place that sockets do not have. */
void odd_writes(void)
{
    int pair[2], pipes[2];
    char a[4], b[8];
    struct iovec out[2] = { { "he", 2 }, { "llo", 3 } }, in[2] = { { a, 2 }, { b, 8 } };

    connection(pair, NULL);
    CHECK(dprintf(pair[0], "%s %d", "number", 7) == 8);
    hear(pair[1], "number 7");
    CHECK(pwritev2(pair[0], out, 2, -1, 0) == 5);
    hear(pair[1], "hello");
    CHECK(pwritev2(pair[0], out, 2, 0, 0) == -1 && errno == ESPIPE);
    CHECK(preadv2(pair[1], in, 2, 0, 0) == -1 && errno == ESPIPE);
    CHECK(preadv2(pair[1], in, 2, -1, RWF_NOWAIT) == -1 && errno == EAGAIN);
    CHECK(preadv(pair[1], in, 2, 0) == -1 && errno == ESPIPE);
    CHECK(pwrite(pair[1], "x", 1, 0) == -1 && errno == ESPIPE);
    CHECK(syscall(SYS_pwritev2, pair[0], out, 2L, -1L, -1L, 0L) == 5);
    CHECK(preadv2(pair[1], in, 2, -1, 0) == 5 && memcmp(a, "he", 2) == 0 && memcmp(b, "llo", 3) == 0);
    CHECK(pipe(pipes) == 0 && dprintf(pipes[1], "%05d", 42) == 5 && read(pipes[0], b, 8) == 5);
    CHECK(memcmp(b, "00042", 5) == 0);
    CHECK(dprintf(-1, "x") == -1 && errno == EBADF);
}

/* Sockets of other kinds, while stacks of ours run: whatever the rules claim, they are the kernel's. */
void other_kinds(void)
{
    static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };
    struct sockaddr_in to = loopback(9);
    int pair[2], fd;

    connection(pair, NULL);
    for (int i = 0; i < 2; i++) {
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        socklen_t len = sizeof(at);
        int l = socket(AF_UNIX, types[i], 0), accepted;

        /* Without a name the kernel draws an abstract one. */
        CHECK(l >= 0 && bind(l, (struct sockaddr *)&at, sizeof(at.sun_family)) == 0 && listen(l, 4) == 0);
        CHECK(getsockname(l, (struct sockaddr *)&at, &len) == 0 && at.sun_family == AF_UNIX);
        fd = socket(AF_UNIX, types[i], 0);
        CHECK(connect(fd, (struct sockaddr *)&at, len) == 0);
        accepted = accept(l, NULL, NULL);
        CHECK(accepted >= 0);
        say(fd, "unix");
        hear(accepted, "unix");
        CHECK(close(l) == 0 && close(fd) == 0 && close(accepted) == 0);
    }
    /* A raw socket whose protocol is UDP's is none of UDP's. */
    fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
    if (fd < 0) {
        CHECK(errno == EPERM);
        return;
    }
    CHECK(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
    CHECK(send(fd, "not a header", 12, 0) == 12);
    CHECK(close(fd) == 0);
}

static volatile sig_atomic_t told, told_fd;

static void on_news(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    told_fd = info->si_fd;
    told++;
}

/* Signals for a socket, asked for before it was decided whose it is. */
void owners(void)
{
    struct sigaction action = { .sa_sigaction = on_news, .sa_flags = SA_SIGINFO | SA_RESTART };
    struct sockaddr_in at;
    int l = listener(&at), fd = socket(AF_INET, SOCK_STREAM, 0), peer;

    CHECK(sigaction(SIGRTMIN, &action, NULL) == 0);
    CHECK(fcntl(fd, F_SETOWN, getpid()) == 0 && fcntl(fd, F_SETSIG, SIGRTMIN) == 0);
    CHECK(fcntl(fd, F_SETFL, O_ASYNC) == 0);
    CHECK(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    CHECK((peer = accept(l, NULL, NULL)) >= 0);
    CHECK(fcntl(fd, F_GETOWN) == getpid() && fcntl(fd, F_GETSIG) == SIGRTMIN);
    CHECK((fcntl(fd, F_GETFL) & O_ASYNC) && !(fcntl(peer, F_GETFL) & O_ASYNC));
    poll(NULL, 0, 30); /* that it is connected may have been told */
    told = told_fd = 0;
    say(peer, "news");
    for (int i = 0; i < 8000 && told == 0; i++)
        poll(NULL, 0, 1);
    CHECK(told > 0 && told_fd == fd);
    hear(fd, "news");
    CHECK(fcntl(fd, F_SETFL, 0) == 0); /* the group is not ours alone: nothing is to be sent to it */
    CHECK(fcntl(fd, F_SETOWN, -getpgrp()) == 0 && fcntl(fd, F_GETOWN) == -getpgrp());
}
