/* SPDX-License-Identifier: Apache-2.0 */
/* TCP: options that say how long something waits, and for what (tcp(7)). */
#include <linux/sockios.h>

#include "harness.h"

const char group_name[] = "tcp_waits";

static const int families[] = { AF_INET, AF_INET6 };

/* The first connection of a listener that waits for data, from `fd`. */
static int deferred(int family, int seconds, int *listening)
{
    int fd;

    *listening = listener(family, 8);
    nonblocking(*listening);
    set_int(*listening, IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds);
    fd = sys.socket(family, SOCK_STREAM, 0);
    struct address a = address_at(*listening, family);
    SAY(sys.connect(fd, ADDR(a)));
    settle();
    SAY_EVENTS(fd);
    SAY_EVENTS(*listening);
    SAY(sys.accept4(*listening, NULL, NULL, 0));
    return fd;
}

static void deferred_until_data(void)
{
    for (int i = 0; i < 2; i++) {
        int listening, fd = deferred(families[i], 20, &listening), got;

        SAY(sys.send(fd, "first", 5, 0));
        await(listening, POLLIN);
        SAY_EVENTS(listening);
        got = SAY_FD(sys.accept4(listening, NULL, NULL, SOCK_NONBLOCK));
        SAY_EVENTS(got);
        SAY_NAMES(got);
        SAY_RECV(got, 10, 0);
        SAY(sys.send(got, "answer", 6, 0));
        await(fd, POLLIN);
        SAY_RECV(fd, 10, 0);
    }
}

static void deferred_in_epoll(void)
{
    int ep = sys.epoll_create1(0), listening, fd = deferred(AF_INET, 20, &listening);
    struct epoll_event item = { .events = EPOLLIN | EPOLLET, .data.u64 = 1 };

    SAY(sys.epoll_ctl(ep, EPOLL_CTL_ADD, listening, &item));
    SAY_EPOLL(ep, 0);
    sys.send(fd, "x", 1, 0);
    SAY_EPOLL(ep, 5000);
    SAY_EPOLL(ep, 0);
}

static void deferred_until_the_end(void)
{
    int listening, fd = deferred(AF_INET, 20, &listening), got;

    SAY(sys.shutdown(fd, SHUT_WR));
    await(listening, POLLIN);
    got = SAY_FD(sys.accept4(listening, NULL, NULL, SOCK_NONBLOCK));
    SAY_EVENTS(got);
    SAY_RECV(got, 10, 0);
}

static void deferred_until_the_time_is_over(void)
{
    uint64_t start = now_ms();
    int listening, fd = deferred(AF_INET, 1, &listening), got;

    await(listening, POLLIN);
    NOTE("waited", "%d", now_ms() - start >= 900);
    got = SAY_FD(sys.accept4(listening, NULL, NULL, SOCK_NONBLOCK));
    SAY_RECV(got, 10, 0);
    SAY(sys.send(fd, "late", 4, 0));
    await(got, POLLIN);
    SAY_RECV(got, 10, 0);
}

static void deferred_and_reset(void)
{
    int listening, fd = deferred(AF_INET, 20, &listening), next;
    struct address a = address_at(listening, AF_INET);

    reset(fd);
    settle();
    SAY_EVENTS(listening);
    next = sys.socket(AF_INET, SOCK_STREAM, 0);
    SAY(sys.connect(next, ADDR(a)));
    sys.send(next, "next", 4, 0);
    await(listening, POLLIN);
    next = SAY_FD(sys.accept4(listening, NULL, NULL, SOCK_NONBLOCK));
    SAY_RECV(next, 10, 0);
    SAY(sys.accept4(listening, NULL, NULL, 0));
}

static void deferred_and_not_listened_to(void)
{
    int listening, fd = deferred(AF_INET, 20, &listening);

    SAY(sys.close(listening));
    settle();
    SAY_EVENTS(fd);
    SAY(sys.send(fd, "x", 1, 0));
    await(fd, POLLERR);
    SAY_EVENTS(fd);
    SAY_OPTION(fd, SOL_SOCKET, SO_ERROR);
}

/* ---- TCP_NOTSENT_LOWAT ---- */

#define MARK 32768
#define ROUGHLY 131072 /* a call may write a packet more than the mark */

static int not_sent(int fd)
{
    int bytes = -1;

    sys.ioctl(fd, SIOCOUTQNSD, &bytes);
    return bytes;
}

/* A connection whose peer reads nothing, full up to the mark. */
static struct pair marked(void)
{
    struct pair p = tcp_pair(AF_INET);
    size_t sent;

    set_int(p.server, SOL_SOCKET, SO_RCVBUF, 20000);
    set_int(p.client, SOL_SOCKET, SO_SNDBUF, 400000);
    nonblocking(p.client);
    SAY(set_int(p.client, IPPROTO_TCP, TCP_NOTSENT_LOWAT, MARK));
    sent = fill(p.client);
    settle();
    NOTE("filled", "%d", sent >= MARK && sent < 380000);
    return p;
}

static void not_sent_bytes(void)
{
    struct pair p = marked();
    int bytes = not_sent(p.client);
    static char data[400000];
    size_t got = 0;
    ssize_t n;

    NOTE("about the mark", "%d", bytes >= MARK / 2 && bytes < MARK + ROUGHLY);
    SAY_EVENTS(p.client);
    SAY(sys.send(p.client, "x", 1, 0));
    nonblocking(p.server);
    while (!(sys.poll(&(struct pollfd){ .fd = p.client, .events = POLLOUT }, 1, 0) == 1)) {
        n = sys.recv(p.server, data, 4096, 0);
        got += n > 0 ? (size_t)n : 0;
        if (n <= 0)
            await(p.server, POLLIN);
    }
    bytes = not_sent(p.client);
    NOTE("below half the mark", "%d", bytes * 2 < MARK);
    SAY(sys.send(p.client, "x", 1, 0));
    SAY(sys.ioctl(p.client, SIOCOUTQNSD, &bytes));
    SAY(sys.ioctl(p.listening, SIOCOUTQNSD, &bytes));
}

static void not_sent_in_epoll(void)
{
    struct pair p = marked();
    int ep = sys.epoll_create1(0);
    struct epoll_event item = { .events = EPOLLOUT | EPOLLET, .data.u64 = 1 };
    static char data[400000];

    SAY(sys.epoll_ctl(ep, EPOLL_CTL_ADD, p.client, &item));
    SAY_EPOLL(ep, 0);
    nonblocking(p.server);
    for (int i = 0; i < 1000 && not_sent(p.client) > 0; i++) {
        if (sys.recv(p.server, data, sizeof(data), 0) <= 0)
            await(p.server, POLLIN);
    }
    SAY_EPOLL(ep, 5000);
}

static void drain_soon(void *fd)
{
    struct timeval limit = { .tv_usec = 300000 };
    static char data[65536];

    sys.setsockopt(*(int *)fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    while (sys.recv(*(int *)fd, data, sizeof(data), 0) > 0)
        continue;
}

static void not_sent_blocks(void)
{
    struct pair p = marked();
    struct timeval limit = { .tv_usec = 50000 };
    static char data[200000];

    SAY(sys.fcntl(p.client, F_SETFL, 0));
    sys.setsockopt(p.client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    SAY(sys.send(p.client, data, sizeof(data), 0));
    limit = (struct timeval){ .tv_sec = 20 };
    sys.setsockopt(p.client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    later(30, drain_soon, &p.server);
    SAY(sys.send(p.client, data, sizeof(data), 0));
    join();
}

static void not_sent_taken_back(void)
{
    struct pair p = marked();

    SAY_EVENTS(p.client);
    SAY(set_int(p.client, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0));
    SAY_EVENTS(p.client);
    SAY(sys.send(p.client, "x", 1, 0));
}

/* ---- TCP_LINGER2 ---- */

static struct pair closed(int linger2, bool shut_first)
{
    struct pair p = tcp_pair(AF_INET);

    if (linger2)
        SAY(set_int(p.client, IPPROTO_TCP, TCP_LINGER2, linger2));
    if (shut_first) {
        sys.shutdown(p.client, SHUT_WR);
        await(p.server, POLLRDHUP);
        settle();
        SAY_EVENTS(p.server);
    }
    SAY(sys.close(p.client));
    await(p.server, linger2 < 0 ? POLLERR : POLLRDHUP);
    SAY_EVENTS(p.server);
    return p;
}

/* The peer ends as well: is anybody there who takes it? */
static void ends(struct pair p)
{
    SAY(sys.shutdown(p.server, SHUT_WR));
    settle();
    SAY_OPTION(p.server, SOL_SOCKET, SO_ERROR);
    SAY_EVENTS(p.server);
}

static void fin_wait(void)
{
    struct pair usual = closed(0, false), brief = closed(1, false), brief_after = closed(1, true);
    struct timespec nap = { .tv_sec = 1, .tv_nsec = 600000000 };

    nanosleep(&nap, NULL);
    section("usual");
    ends(usual);
    section("brief");
    ends(brief);
    section("brief, after shutdown()");
    ends(brief_after);
}
static void fin_wait_none(void) { ends(closed(-1, false)); }
static void fin_wait_none_after_shutdown(void) { ends(closed(-1, true)); }

/* ---- TCP_QUICKACK ---- */

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Until a byte is acknowledged. */
static uint64_t ack_us(int fd, uint64_t start)
{
    int queued = 1;

    while (queued > 0 && now_us() - start < 5000000) {
        sys.poll(&(struct pollfd){ .fd = fd, .events = POLLPRI }, 1, 0);
        sys.ioctl(fd, SIOCOUTQ, &queued);
    }
    return now_us() - start;
}

#define TRIES 6
#define SOON_US 9000 /* an ACK is held back for 40 ms there and for 10 ms here, never for less */

/* The shortest time that the acknowledgement of a byte took, which the server reads before it sets the option. */
static uint64_t quickest_ack(bool at_once)
{
    struct pair p = tcp_pair(AF_INET);
    uint64_t best = UINT64_MAX, took;
    char byte;

    for (int i = 0; i < TRIES; i++) {
        uint64_t start;

        set_int(p.server, IPPROTO_TCP, TCP_QUICKACK, 0);
        start = now_us();
        sys.send(p.client, "x", 1, 0);
        sys.recv(p.server, &byte, 1, 0);
        if (at_once)
            set_int(p.server, IPPROTO_TCP, TCP_QUICKACK, 1);
        took = ack_us(p.client, start);
        best = took < best ? took : best;
    }
    return best;
}

static void quick_ack(void)
{
    NOTE("held back", "%d", quickest_ack(false) >= SOON_US);
    NOTE("at once", "%d", quickest_ack(true) < SOON_US);
}

/* A new connection acknowledges at once in any case there, here if it is asked to. */
static void quick_ack_beforehand(void)
{
    uint64_t best = UINT64_MAX, took, start;

    for (int i = 0; i < TRIES; i++) {
        struct pair p = tcp_pair(AF_INET);

        set_int(p.server, IPPROTO_TCP, TCP_QUICKACK, 1);
        start = now_us();
        sys.send(p.client, "x", 1, 0);
        took = ack_us(p.client, start);
        best = took < best ? took : best;
    }
    NOTE("at once", "%d", best < SOON_US);
}

const struct scenario scenarios[] = {
    SCENARIO(deferred_until_data), SCENARIO(deferred_in_epoll), SCENARIO(deferred_until_the_end),
    SCENARIO(deferred_until_the_time_is_over), SCENARIO(deferred_and_reset),
    SCENARIO(deferred_and_not_listened_to), SCENARIO(not_sent_bytes), SCENARIO(not_sent_in_epoll),
    SCENARIO(not_sent_blocks), SCENARIO(not_sent_taken_back), SCENARIO(fin_wait),
    SCENARIO(fin_wait_none), SCENARIO(fin_wait_none_after_shutdown), SCENARIO(quick_ack),
    SCENARIO(quick_ack_beforehand), { 0 },
};
