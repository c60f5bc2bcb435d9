/* SPDX-License-Identifier: Apache-2.0 */
/* Round trips: the client sends --size bytes, the server sends them back, one at a time. */
#include <stdlib.h>

#include "bench.h"

static struct histogram histogram;

static void serve(const struct bench_options *o, char *buf)
{
    int listener = bench_listen(o, o->port, o->wait != BENCH_BLOCK);
    struct bench_io io;
    uint64_t ops = 0, start;
    int fd;

    bench_ready();
    fd = bench_accept(o, listener);
    start = bench_now_ns();
    histogram_reset(&histogram);
    if (fd >= 0) {
        bench_io_open(&io, fd, o->wait);
        while (bench_recv_all(&io, buf, o->size) && bench_send_all(&io, buf, o->size))
            ops++;
        net_close(fd);
    }
    net_close(listener);
    bench_report("rr.server", ops, ops * o->size, bench_now_ns() - start, &histogram, "");
}

static void drive(const struct bench_options *o, char *buf)
{
    struct bench_io io;
    uint64_t now, before, end, start, ops = 0;

    bench_io_open(&io, bench_connect(o, o->port), o->wait);
    histogram_reset(&histogram);
    before = start = bench_now_ns();
    end = start + bench_ns(o->warmup_seconds);
    for (bool warm = false;;) {
        if (!bench_send_all(&io, buf, o->size) || !bench_recv_all(&io, buf, o->size))
            bench_die("the server closed the connection after %llu round trips",
                      (unsigned long long)ops);
        now = bench_now_ns();
        histogram_record(&histogram, now - before);
        ops++;
        before = now;
        if (warm && (now >= end || ops == o->count))
            break;
        if (!warm && now >= end) {
            warm = true;
            histogram_reset(&histogram);
            ops = 0;
            start = before = bench_now_ns();
            end = start + bench_ns(o->seconds);
        }
    }
    net_close(io.fd);
    bench_report("rr", ops, ops * o->size, now - start, &histogram, "");
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
