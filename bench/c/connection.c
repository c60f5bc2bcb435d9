/* SPDX-License-Identifier: Apache-2.0 */
/* Listening, connecting and moving bytes, in each of the three ways to wait. */
#include <arpa/inet.h>

#include "bench.h"

static struct sockaddr_in parse_address(const struct bench_options *o, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

    if (inet_pton(AF_INET, o->address, &in.sin_addr) != 1)
        bench_die("\"%s\" is no IPv4 address (--address)", o->address);
    return in;
}

int bench_listen(const struct bench_options *o, uint16_t port, bool nonblocking)
{
    struct sockaddr_in in = parse_address(o, port);
    int fd = net_socket(AF_INET, SOCK_STREAM | (nonblocking ? SOCK_NONBLOCK : 0));
    int one = 1;

    if (fd < 0)
        bench_die("socket: %s", strerror(errno));
    if (net_set_option(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
        bench_die("SO_REUSEADDR: %s", strerror(errno));
    if (net_bind(fd, (struct sockaddr *)&in, sizeof(in)))
        bench_die("bind to %s:%u: %s", o->address, port, strerror(errno));
    if (net_listen(fd, 1024))
        bench_die("listen on %s:%u: %s", o->address, port, strerror(errno));
    return fd;
}

void bench_set_nodelay(int fd)
{
    int one = 1;

    if (net_set_option(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
        bench_die("TCP_NODELAY: %s", strerror(errno));
}

int bench_connect(const struct bench_options *o, uint16_t port)
{
    struct sockaddr_in in = parse_address(o, port);
    uint64_t give_up = bench_now_ns() + bench_ns(10);

    for (;;) {
        int fd = net_socket(AF_INET, SOCK_STREAM);

        if (fd < 0)
            bench_die("socket: %s", strerror(errno));
        if (!net_connect(fd, (struct sockaddr *)&in, sizeof(in))) {
            bench_set_nodelay(fd);
            return fd;
        }
        /* A wire between two processes comes up a moment after both ends did. */
        if ((errno != ECONNREFUSED && errno != EHOSTUNREACH && errno != ENETUNREACH &&
             errno != ETIMEDOUT && errno != ENETDOWN) ||
            bench_now_ns() > give_up || bench_stopped)
            bench_die("connect to %s:%u: %s", o->address, port, strerror(errno));
        net_close(fd);
        usleep(20000);
    }
}

int bench_accept(const struct bench_options *o, int listener)
{
    int epfd = -1;
    int fd = -1;

    if (o->wait == BENCH_EPOLL) {
        epfd = net_epoll_create();
        if (epfd < 0 || net_epoll_add(epfd, listener, EPOLLIN))
            bench_die("epoll on the listener: %s", strerror(errno));
    }
    while (!bench_stopped) {
        struct epoll_event event;

        if (epfd >= 0)
            net_epoll_wait(epfd, &event, 1, 1000);
        fd = net_accept(listener, o->wait == BENCH_BLOCK ? 0 : SOCK_NONBLOCK);
        if (fd >= 0)
            break;
        if (!net_would_block() && errno != EINTR && errno != ECONNABORTED)
            bench_die("accept: %s", strerror(errno));
        bench_relax();
    }
    if (epfd >= 0)
        net_close(epfd);
    if (fd >= 0)
        bench_set_nodelay(fd);
    return fd;
}

void bench_io_open(struct bench_io *io, int fd, enum bench_wait wait)
{
    *io = (struct bench_io){.fd = fd, .epfd = -1, .wait = wait};
    if (wait != BENCH_BLOCK && net_set_nonblocking(fd))
        bench_die("O_NONBLOCK: %s", strerror(errno));
    if (wait == BENCH_EPOLL) {
        io->epfd = net_epoll_create();
        if (io->epfd < 0 || net_epoll_add(io->epfd, fd, EPOLLIN))
            bench_die("epoll: %s", strerror(errno));
    }
}

/* After EAGAIN. For writing there is nothing to sleep on here: a full send buffer is rare in epoll
 * mode (one small message in flight), so it spins. */
static void pause_for(struct bench_io *io, bool reading)
{
    struct epoll_event event;

    if (io->wait == BENCH_EPOLL && reading)
        net_epoll_wait(io->epfd, &event, 1, 1000);
    else
        bench_relax();
}

static bool is_end(void)
{
    return errno == ECONNRESET || errno == EPIPE;
}

bool bench_send_all(struct bench_io *io, const void *buf, size_t len)
{
    const char *at = buf;

    while (len) {
        ssize_t n = net_send(io->fd, at, len);
        if (n > 0) {
            at += n;
            len -= (size_t)n;
            continue;
        }
        if (n < 0 && is_end())
            return false;
        if (n < 0 && !net_would_block() && errno != EINTR)
            bench_die("send: %s", strerror(errno));
        if (bench_stopped)
            return false;
        pause_for(io, false);
    }
    return true;
}

size_t bench_recv_some(struct bench_io *io, void *buf, size_t len)
{
    /* epoll mode asks epoll first, as a server with many connections does. */
    if (io->wait == BENCH_EPOLL)
        pause_for(io, true);
    for (;;) {
        ssize_t n = net_recv(io->fd, buf, len);
        if (n > 0)
            return (size_t)n;
        if (n == 0 || is_end() || bench_stopped)
            return 0;
        if (!net_would_block() && errno != EINTR)
            bench_die("recv: %s", strerror(errno));
        pause_for(io, true);
    }
}

bool bench_recv_all(struct bench_io *io, void *buf, size_t len)
{
    char *at = buf;

    while (len) {
        size_t n = bench_recv_some(io, at, len);
        if (!n)
            return false;
        at += n;
        len -= n;
    }
    return true;
}
