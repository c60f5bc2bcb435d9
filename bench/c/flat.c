/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many connections, random access: does a packet's cost stay flat as connections grow? The client
 * grows to 100, 1,000, 10,000 ... --connections and at each step keeps --window requests of --size
 * bytes in flight, each on a connection chosen at random; the server echoes. With both ends
 * spinning, elapsed time per request over its two packets is the cost of a packet at the slower
 * end. Connections spread over --ports server ports, for a client address has only 64 Ki ports.
 *
 * Memory: what the process grew by, and what the kernel's slab caches grew by, from no connection
 * to the step's number, taken while all are idle.
 */
#include <stdlib.h>

#include "bench.h"

#define EVENTS 64
#define MAX_SIZE 4096

static struct histogram histogram;
static char buf[MAX_SIZE];

static void add_to_epoll(int epfd, int fd)
{
    if (net_epoll_add(epfd, fd, EPOLLIN))
        bench_die("epoll_ctl: %s", strerror(errno));
}

static void accept_all(int epfd, int listener, uint64_t *open)
{
    int fd;

    while ((fd = net_accept(listener, SOCK_NONBLOCK)) >= 0) {
        bench_set_nodelay(fd);
        add_to_epoll(epfd, fd);
        ++*open;
    }
    if (!net_would_block() && errno != ECONNABORTED)
        bench_die("accept: %s (%llu connections are open)", strerror(errno),
                  (unsigned long long)*open);
}

static void serve(const struct bench_options *o)
{
    int epfd = net_epoll_create(), timeout_ms = o->wait == BENCH_SPIN ? 0 : 1000;
    int first = 0, last = 0;
    struct epoll_event events[EVENTS];
    uint64_t open = 0, ops = 0, start = bench_now_ns();

    if (epfd < 0)
        bench_die("epoll_create1: %s", strerror(errno));
    for (unsigned i = 0; i < o->ports; i++) {
        int fd = bench_listen(o, (uint16_t)(o->port + i), true);
        if (!i)
            first = fd;
        else if (fd != last + 1)
            bench_die("listeners did not get numbers in a row");
        last = fd;
        add_to_epoll(epfd, fd);
    }
    histogram_reset(&histogram);
    bench_ready();
    while (!bench_stopped) {
        int n = net_epoll_wait(epfd, events, EVENTS, timeout_ms);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd >= first && fd <= last) {
                accept_all(epfd, fd, &open);
                continue;
            }
            ssize_t got = net_recv(fd, buf, sizeof(buf));
            if (got > 0) {
                if (net_send(fd, buf, (size_t)got) != got)
                    bench_die("send: %s", strerror(errno));
                ops++;
            } else if (got == 0 || !net_would_block()) {
                net_close(fd);
                open--;
            }
        }
        if (n <= 0)
            bench_relax();
    }
    bench_report("flat.server", ops, ops * o->size, bench_now_ns() - start, &histogram, "");
}

struct client {
    const struct bench_options *o;
    int epfd;
    unsigned open;
    unsigned in_flight;
    uint64_t random;
    int *fd;           /* by connection */
    unsigned *of_fd;   /* connection by descriptor, less base_fd */
    int base_fd;
    uint64_t *sent_ns; /* by connection; 0: idle */
    size_t *missing;   /* bytes of the echo still to come */
};

static uint64_t next_random(struct client *c)
{
    /* xorshift64: good enough to defeat caches and prefetchers. */
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return c->random;
}

static void grow(struct client *c, unsigned wanted)
{
    while (c->open < wanted && !bench_stopped) {
        unsigned i = c->open;
        int fd = bench_connect(c->o, (uint16_t)(c->o->port + i % c->o->ports));

        if (!i)
            c->base_fd = fd;
        if (fd < c->base_fd || (unsigned)(fd - c->base_fd) >= 2 * c->o->connections)
            bench_die("descriptor %d is far from the first, %d", fd, c->base_fd);
        if (net_set_nonblocking(fd))
            bench_die("O_NONBLOCK: %s", strerror(errno));
        add_to_epoll(c->epfd, fd);
        c->fd[i] = fd;
        c->of_fd[fd - c->base_fd] = i;
        c->open++;
    }
}

static void fill_window(struct client *c, uint64_t now)
{
    unsigned window = c->o->window < c->open / 2 ? c->o->window : c->open / 2;

    while (c->in_flight < window) {
        unsigned i = (unsigned)(next_random(c) % c->open);
        if (c->sent_ns[i])
            continue;
        if (net_send(c->fd[i], buf, c->o->size) != (ssize_t)c->o->size)
            bench_die("send: %s", strerror(errno));
        c->sent_ns[i] = now;
        c->missing[i] = c->o->size;
        c->in_flight++;
    }
}

/* Takes what has arrived; returns the number of finished requests. */
static unsigned collect(struct client *c)
{
    struct epoll_event events[EVENTS];
    int n = net_epoll_wait(c->epfd, events, EVENTS, c->o->wait == BENCH_SPIN ? 0 : 1000);
    uint64_t now = bench_now_ns();
    unsigned done = 0;

    for (int e = 0; e < n; e++) {
        int fd = events[e].data.fd;
        unsigned i = c->of_fd[fd - c->base_fd];
        ssize_t got = net_recv(fd, buf, c->o->size);

        if (got < 0 && net_would_block())
            continue;
        if (got <= 0 || (size_t)got > c->missing[i])
            bench_die("connection %u: %s", i, got < 0 ? strerror(errno) : got ? "too many bytes came back"
                                                                        : "the server closed it");
        c->missing[i] -= (size_t)got;
        if (c->missing[i])
            continue;
        histogram_record(&histogram, now - c->sent_ns[i]);
        c->sent_ns[i] = 0;
        c->in_flight--;
        done++;
    }
    return done;
}

static uint64_t run(struct client *c, double seconds)
{
    uint64_t now = bench_now_ns(), end = now + bench_ns(seconds), ops = 0;

    while (now < end && !bench_stopped) {
        fill_window(c, now);
        ops += collect(c);
        now = bench_now_ns();
    }
    return ops;
}

static void drain(struct client *c)
{
    while (c->in_flight && !bench_stopped)
        collect(c);
}

static void drive(const struct bench_options *o)
{
    struct client c = {.o = o, .random = 88172645463325252ull, .epfd = net_epoll_create()};
    uint64_t memory, slab;
    unsigned steps[32], count = 0;

    c.fd = calloc(o->connections, sizeof(*c.fd));
    c.of_fd = calloc(2u * o->connections, sizeof(*c.of_fd));
    c.sent_ns = calloc(o->connections, sizeof(*c.sent_ns));
    c.missing = calloc(o->connections, sizeof(*c.missing));
    if (c.epfd < 0 || !c.fd || !c.of_fd || !c.sent_ns || !c.missing)
        bench_die("no memory for %u connections", o->connections);
    /* Touched now, so that they do not count as the connections' memory. */
    memset(c.fd, 0xff, o->connections * sizeof(*c.fd));
    memset(c.of_fd, 0xff, 2u * o->connections * sizeof(*c.of_fd));
    memset(c.sent_ns, 0xff, o->connections * sizeof(*c.sent_ns));
    memset(c.missing, 0xff, o->connections * sizeof(*c.missing));
    memset(c.sent_ns, 0, o->connections * sizeof(*c.sent_ns));

    grow(&c, 2); /* everything that is made once is made now */
    run(&c, 0.01);
    drain(&c);
    memory = bench_memory_bytes();
    slab = bench_slab_bytes();

    for (unsigned n = 100; n < o->connections; n *= 10)
        steps[count++] = n;
    steps[count++] = o->connections;
    for (unsigned s = 0; s < count && !bench_stopped; s++) {
        uint64_t start, ops, elapsed, process, caches;
        char extra[256];

        start = bench_now_ns();
        grow(&c, steps[s]);
        elapsed = bench_now_ns() - start;
        process = bench_memory_bytes();
        caches = bench_slab_bytes();
        snprintf(extra, sizeof(extra),
                 ",\"connections\":%u,\"grow_seconds\":%.3f,\"process_growth_bytes\":%lld,"
                 "\"slab_growth_bytes\":%lld",
                 steps[s], (double)elapsed / 1e9, (long long)(process - memory),
                 (long long)(caches - slab));
        run(&c, o->warmup_seconds);
        histogram_reset(&histogram);
        start = bench_now_ns();
        ops = run(&c, o->seconds);
        elapsed = bench_now_ns() - start;
        bench_report("flat", ops, ops * o->size, elapsed, &histogram, extra);
        drain(&c);
    }
    for (unsigned i = 0; i < c.open; i++) {
        static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
        net_set_option(c.fd[i], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        net_close(c.fd[i]);
    }
}

int main(int argc, char **argv)
{
    struct bench_options o;

    bench_begin(argc, argv, &o);
    if (o.size > MAX_SIZE)
        bench_die("--size: at most %d here", MAX_SIZE);
    if (o.connections < 4)
        bench_die("--connections: at least 4");
    bench_start_stack();
    if (o.is_server)
        serve(&o);
    else
        drive(&o);
    net_stop();
    return 0;
}
