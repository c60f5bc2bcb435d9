/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-way stream: the client writes --size bytes again and again for --seconds, ends the stream,
 * and the server answers with the number of bytes that arrived. The clock stops at that answer, so
 * bytes that only sit in a buffer do not count.
 *
 * The histogram holds the time per block (1 MiB, or 4096 writes when these are smaller): a single
 * write costs nothing while the buffer has room and much when it has none.
 */
#include <stdlib.h>

#include "bench.h"

#define READ_BYTES (64u << 10)

static struct histogram histogram;

static void sink(const struct bench_options *o)
{
    int listener = bench_listen(o, o->port, o->wait != BENCH_BLOCK);
    char *buf = malloc(READ_BYTES);
    struct bench_io io;
    uint64_t bytes = 0, reads = 0, start;
    int fd;

    if (!buf)
        bench_die("no memory");
    bench_ready();
    fd = bench_accept(o, listener);
    histogram_reset(&histogram);
    start = bench_now_ns();
    if (fd >= 0) {
        size_t n;
        bench_io_open(&io, fd, o->wait);
        while ((n = bench_recv_some(&io, buf, READ_BYTES))) {
            bytes += n;
            reads++;
        }
        bench_send_all(&io, &bytes, sizeof(bytes));
        net_shutdown_write(fd);
        net_close(fd);
    }
    bench_report("stream.server", reads, bytes, bench_now_ns() - start, &histogram, "");
    net_close(listener);
    free(buf);
}

static uint64_t block_writes(const struct bench_options *o)
{
    uint64_t writes = (1u << 20) / o->size;

    return writes > 4096 ? 4096 : writes ? writes : 1;
}

static void source(const struct bench_options *o)
{
    struct bench_io io;
    char *buf = calloc(1, o->size), extra[64];
    uint64_t start, end, now, before, block = block_writes(o);
    uint64_t sent = 0, skipped = 0, arrived = 0, writes = 0;
    bool warm = false;

    if (!buf)
        bench_die("no memory for %zu bytes (--size)", o->size);
    bench_io_open(&io, bench_connect(o, o->port), o->wait);
    histogram_reset(&histogram);
    before = start = bench_now_ns();
    end = start + bench_ns(o->warmup_seconds);
    for (;;) {
        for (uint64_t i = 0; i < block; i++)
            if (!bench_send_all(&io, buf, o->size))
                bench_die("the server closed the stream after %llu bytes", (unsigned long long)sent);
        sent += block * o->size;
        writes += block;
        now = bench_now_ns();
        histogram_record(&histogram, now - before);
        before = now;
        if (warm && (now >= end || (o->count && writes >= o->count)))
            break;
        if (!warm && now >= end) {
            /* What is still in the buffers now is counted; as much is in them at the end. */
            warm = true;
            skipped = sent;
            writes = 0;
            histogram_reset(&histogram);
            start = before = now;
            end = start + bench_ns(o->seconds);
        }
    }
    if (net_shutdown_write(io.fd))
        bench_die("shutdown: %s", strerror(errno));
    if (!bench_recv_all(&io, &arrived, sizeof(arrived)))
        bench_die("the server closed without its answer");
    now = bench_now_ns();
    if (arrived != sent)
        bench_die("sent %llu bytes but %llu arrived", (unsigned long long)sent,
                  (unsigned long long)arrived);
    net_close(io.fd);
    snprintf(extra, sizeof(extra), ",\"block_writes\":%llu", (unsigned long long)block);
    bench_report("stream", writes, sent - skipped, now - start, &histogram, extra);
    free(buf);
}

int main(int argc, char **argv)
{
    struct bench_options o;

    bench_begin(argc, argv, &o);
    bench_start_stack();
    if (o.is_server)
        sink(&o);
    else
        source(&o);
    net_stop();
    return 0;
}
