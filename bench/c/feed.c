/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A feed: the server pushes messages of --size bytes (8 of them a sequence number, 8 the time it was
 * made, CLOCK_MONOTONIC in ns) as fast as its one reader takes them, for as long as the reader is
 * connected. Messages are written one by one into room that is reserved, and committed when it is full
 * or there is nothing more to wait for: as a feed handler batches under load. On the kernel: one
 * buffer and one send() for as many messages.
 */
#include <stdlib.h>

#include "bench.h"
#ifdef BENCH_PRONGHORN
#include <pronghorn/zerocopy.h>
#endif

struct message {
    uint64_t sequence, time_ns;
};

#define ROOM_BYTES 3840u

static size_t fill(uint8_t *room, size_t bytes, size_t size, uint64_t *sequence)
{
    uint64_t now = bench_now_ns(); /* once for what goes out together */
    size_t at = 0;

    for (; at + size <= bytes; at += size) {
        struct message m = {(*sequence)++, now};

        memcpy(room + at, &m, sizeof(m));
    }
    return at;
}

/* 1: sent, 0: no room now, -1: the reader is gone. */
static int push(int fd, size_t size, uint64_t *sequence)
{
#ifdef BENCH_PRONGHORN
    void *room;
    size_t bytes;

    if (ph_send_reserve(fd, &room, ROOM_BYTES, MSG_DONTWAIT) != 0)
        return net_would_block() ? 0 : -1;
    bytes = fill(room, ROOM_BYTES, size, sequence);
    return ph_send_commit(fd, bytes, MSG_NOSIGNAL, NULL, 0) < 0 ? -1 : 1;
#else
    static uint8_t room[ROOM_BYTES];
    static size_t bytes, sent;
    ssize_t n;

    if (sent == bytes) {
        bytes = fill(room, ROOM_BYTES, size, sequence);
        sent = 0;
    }
    n = net_send(fd, room + sent, bytes - sent);
    if (n > 0)
        sent += (size_t)n;
    return n > 0 ? 1 : net_would_block() ? 0 : -1;
#endif
}

int main(int argc, char **argv)
{
    static struct histogram histogram;
    struct bench_options o;
    uint64_t sequence = 0, start;
    int listener, fd;

    bench_begin(argc, argv, &o);
    if (!o.is_server || o.size < sizeof(struct message) || o.size > ROOM_BYTES)
        bench_die("feed is a server; --size is at least 16 and at most %u", ROOM_BYTES);
    bench_start_stack();
    listener = bench_listen(&o, o.port, true);
    bench_ready();
    histogram_reset(&histogram);
    start = bench_now_ns();
    while (!bench_stopped && (fd = bench_accept(&o, listener)) >= 0) {
        int result;

        net_set_nonblocking(fd);
        start = bench_now_ns();
        sequence = 0;
        while (!bench_stopped && (result = push(fd, o.size, &sequence)) >= 0)
            if (result == 0)
                bench_relax();
        net_close(fd);
        break;
    }
    bench_report("feed.server", sequence, sequence * o.size, bench_now_ns() - start, &histogram, "");
    net_close(listener);
    net_stop();
    return 0;
}
