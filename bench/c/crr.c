/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connect, one echo of --size bytes, close; one connection after the other. The client closes with
 * RST (linger 0), so that neither side is left with TIME_WAIT and ports never run out.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "bench.h"

static struct histogram histogram;

/* One accepted connection: echo, then wait for its end. */
static bool serve_one(const struct bench_options *o, int fd, char *buf)
{
    struct bench_io io;
    bool echoed;

    bench_io_open(&io, fd, o->wait);
    echoed = bench_recv_all(&io, buf, o->size) && bench_send_all(&io, buf, o->size);
    if (echoed)
        bench_recv_some(&io, buf, o->size);
    if (io.epfd >= 0)
        net_close(io.epfd);
    net_close(fd);
    return echoed;
}

static void serve(const struct bench_options *o, char *buf)
{
    int listener = bench_listen(o, o->port, o->wait != BENCH_BLOCK);
    uint64_t ops = 0, start = bench_now_ns();

    histogram_reset(&histogram);
    bench_ready();
    while (!bench_stopped) {
        int fd = bench_accept(o, listener);
        if (fd >= 0 && serve_one(o, fd, buf))
            ops++;
    }
    net_close(listener);
    bench_report("crr.server", ops, ops * o->size, bench_now_ns() - start, &histogram, "");
}

/* A connection that is spun on until it stands: send() answers EAGAIN until then. */
static int open_spinning(const struct sockaddr_in *to)
{
    int fd = net_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);

    if (fd < 0)
        bench_die("socket: %s", strerror(errno));
    if (net_connect(fd, (const struct sockaddr *)to, sizeof(*to)) && errno != EINPROGRESS)
        bench_die("connect: %s", strerror(errno));
    return fd;
}

static void run_one(const struct bench_options *o, const struct sockaddr_in *to, char *buf)
{
    static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int fd = o->wait == BENCH_SPIN ? open_spinning(to) : bench_connect(o, o->port);
    struct bench_io io = {.fd = fd, .epfd = -1, .wait = o->wait};

    if (o->wait != BENCH_SPIN)
        bench_io_open(&io, fd, o->wait);
    if (!bench_send_all(&io, buf, o->size) || !bench_recv_all(&io, buf, o->size))
        bench_die("the server closed a connection before its echo: %s", strerror(errno));
    if (net_set_option(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
        bench_die("SO_LINGER: %s", strerror(errno));
    if (io.epfd >= 0)
        net_close(io.epfd);
    if (net_close(fd))
        bench_die("close: %s", strerror(errno));
}

static void drive(const struct bench_options *o, char *buf)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(o->port)};
    uint64_t start, end, now, before, ops = 0;
    bool warm = false;

    if (inet_pton(AF_INET, o->address, &to.sin_addr) != 1)
        bench_die("\"%s\" is no IPv4 address (--address)", o->address);
    /* The first one waits until the wire is up and the neighbour known. */
    run_one(&(struct bench_options){.address = o->address, .port = o->port, .size = o->size,
                                    .wait = BENCH_BLOCK}, &to, buf);
    histogram_reset(&histogram);
    before = start = bench_now_ns();
    end = start + bench_ns(o->warmup_seconds);
    for (;;) {
        run_one(o, &to, buf);
        now = bench_now_ns();
        histogram_record(&histogram, now - before);
        before = now;
        ops++;
        if (bench_stopped || (warm && (now >= end || ops == o->count)))
            break;
        if (!warm && now >= end) {
            warm = true;
            ops = 0;
            histogram_reset(&histogram);
            start = before = now;
            end = start + bench_ns(o->seconds);
        }
    }
    bench_report("crr", ops, ops * o->size, now - start, &histogram, "");
}

int main(int argc, char **argv)
{
    struct bench_options o;
    char *buf;

    bench_begin(argc, argv, &o);
    buf = calloc(1, o.size);
    if (!buf)
        bench_die("no memory for %zu bytes (--size)", o.size);
    bench_start_stack();
    if (o.is_server)
        serve(&o, buf);
    else
        drive(&o, buf);
    net_stop();
    free(buf);
    return 0;
}
