/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process pays for having a stack at all: time to start it, memory once a listener stands,
 * and the share of a core it uses while nothing happens. Server and client are two of the same,
 * neighbours on a wire.
 */
#include <sys/resource.h>

#include "bench.h"

static double cpu_seconds(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
    static struct histogram histogram;
    struct bench_options o;
    uint64_t start, started, before_bytes, bytes, idle_start;
    double cpu;
    char extra[256];
    int listener;

    bench_begin(argc, argv, &o);
    o.address = "0.0.0.0";
    before_bytes = bench_memory_bytes();
    start = bench_now_ns();
    bench_start_stack();
    started = bench_now_ns();
    listener = bench_listen(&o, o.port, true);
    bench_ready();

    usleep((useconds_t)(o.warmup_seconds * 1e6)); /* links come up, first timers run */
    bytes = bench_memory_bytes();
    cpu = cpu_seconds();
    idle_start = bench_now_ns();
    while (!bench_stopped && bench_now_ns() - idle_start < bench_ns(o.seconds))
        usleep(100000);
    cpu = cpu_seconds() - cpu;
    idle_start = bench_now_ns() - idle_start;
    while (o.is_server && !bench_stopped) /* the client is to have its neighbour as long as it measures */
        usleep(10000);
    net_close(listener);

    histogram_reset(&histogram);
    histogram_record(&histogram, started - start);
    snprintf(extra, sizeof(extra),
             ",\"start_ms\":%.3f,\"memory_bytes\":%llu,\"memory_before_bytes\":%llu,"
             "\"idle_cpu_percent\":%.4f",
             (double)(started - start) / 1e6, (unsigned long long)bytes,
             (unsigned long long)before_bytes, 100 * cpu / ((double)idle_start / 1e9));
    bench_report("life", 1, 0, idle_start, &histogram, extra);
    net_stop();
    return 0;
}
