/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Round trips: the client sends --size bytes, the server sends them back, one at a time.
 *
 * With --slots N, N such pairs share the same cores in turn, --slot-ms each, so that whatever happens to
 * the machine happens to all of them: then differences of a per cent show. Pair --slot K works in the
 * slots (of CLOCK_MONOTONIC, from 0 on) whose number has the remainder K. The client keeps to them; in a
 * slot's last message it tells the server until when to sleep. Of each slot the median is reported.
 */
#include <stdlib.h>

#include "bench.h"

static struct histogram histogram;

/* At the end of a slot, for the last message to be through; and its beginning, while caches fill. */
#define SLOT_GUARD_NS 300000
#define SLOT_SETTLE_SHARE 10

static void sleep_until(uint64_t at_ns)
{
    struct timespec at = {(time_t)(at_ns / 1000000000u), (long)(at_ns % 1000000000u)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR && !bench_stopped)
        ;
}

/* A message begins with the time until when the server sleeps after it; mostly 0. */
static uint64_t wake_of(const struct bench_options *o, const char *buf)
{
    uint64_t wake_ns = 0;

    if (o->size >= sizeof(wake_ns))
        memcpy(&wake_ns, buf, sizeof(wake_ns));
    return wake_ns;
}

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
        while (bench_recv_all(&io, buf, o->size) && bench_send_all(&io, buf, o->size)) {
            ops++;
            if (wake_of(o, buf) != 0)
                sleep_until(wake_of(o, buf));
        }
        net_close(fd);
    }
    net_close(listener);
    bench_report("rr.server", ops, ops * o->size, bench_now_ns() - start, &histogram, "");
}

static void round_trip(struct bench_io *io, char *buf, const struct bench_options *o, uint64_t ops)
{
    if (!bench_send_all(io, buf, o->size) || !bench_recv_all(io, buf, o->size))
        bench_die("the server closed the connection after %llu round trips", (unsigned long long)ops);
}

static void drive_in_slots(const struct bench_options *o, struct bench_io *io, char *buf)
{
    static struct histogram slot;
    const uint64_t slot_ns = bench_ns(o->slot_ms / 1e3), cycle_ns = slot_ns * o->slots;
    uint64_t start = bench_now_ns(), round = start / cycle_ns, ops = 0, now = start;
    size_t bytes;
    char *text;
    FILE *out = open_memstream(&text, &bytes);

    if (!out || o->size < sizeof(uint64_t) || slot_ns <= 2 * SLOT_GUARD_NS)
        bench_die("slots are of 1 ms and more, and messages in them of %zu bytes", sizeof(uint64_t));
    histogram_reset(&histogram);
    fputs(",\"slots\":[", out);
    while (now - start < bench_ns(o->seconds)) {
        uint64_t begin = ++round * cycle_ns + o->slot * slot_ns, wake = begin + cycle_ns, none = 0;
        uint64_t settled = begin + slot_ns / SLOT_SETTLE_SHARE, end = begin + slot_ns - SLOT_GUARD_NS, before;

        sleep_until(begin);
        histogram_reset(&slot);
        for (now = bench_now_ns(); now < end;) {
            before = now;
            round_trip(io, buf, o, ops++);
            now = bench_now_ns();
            if (before >= settled) {
                histogram_record(&slot, now - before);
                histogram_record(&histogram, now - before);
            }
        }
        memcpy(buf, &wake, sizeof(wake));
        round_trip(io, buf, o, ops++);
        memcpy(buf, &none, sizeof(none));
        if (slot.count > 0)
            fprintf(out, "%s[%llu,%.1f]", ftell(out) > 10 ? "," : "", (unsigned long long)round,
                    histogram_quantile(&slot, 0.5));
    }
    fputs("]", out);
    fclose(out);
    bench_report("rr", ops, ops * o->size, now - start, &histogram, text);
    free(text);
}

static void drive(const struct bench_options *o, char *buf)
{
    struct bench_io io;
    uint64_t now, before, end, start, ops = 0;

    bench_io_open(&io, bench_connect(o, o->port), o->wait);
    if (o->slots > 0) {
        drive_in_slots(o, &io, buf);
        net_close(io.fd);
        return;
    }
    histogram_reset(&histogram);
    before = start = bench_now_ns();
    end = start + bench_ns(o->warmup_seconds);
    for (bool warm = false;;) {
        round_trip(&io, buf, o, ops);
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
