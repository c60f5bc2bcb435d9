/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process with many sockets, for those who look at it from outside: --connections of them, both
 * ends in this process, over --ports server ports. The ends say something to each other, so that
 * their rows are filled. It stays until it is asked to end.
 */
#include <stdlib.h>

#include "bench.h"

static void join_ends(const struct bench_options *o, const int *listener)
{
    static const char text[] = "hello";

    for (unsigned i = 0; i < o->connections && !bench_stopped; i++) {
        int near = bench_connect(o, (uint16_t)(o->port + i % o->ports));
        int far = net_accept(listener[i % o->ports], 0);

        if (far < 0)
            bench_die("accept: %s (%u connections are open)", strerror(errno), i);
        if (net_send(near, text, sizeof(text)) < 0)
            bench_die("send: %s", strerror(errno));
    }
}

int main(int argc, char **argv)
{
    static struct histogram histogram;
    struct bench_options o;
    uint64_t start;
    int *listener;

    bench_begin(argc, argv, &o);
    listener = calloc(o.ports, sizeof(*listener));
    if (listener == NULL)
        bench_die("out of memory");
    bench_start_stack();
    for (unsigned i = 0; i < o.ports; i++)
        listener[i] = bench_listen(&o, (uint16_t)(o.port + i), false);
    start = bench_now_ns();
    join_ends(&o, listener);
    start = bench_now_ns() - start;
    bench_ready();
    while (!bench_stopped)
        usleep(10000);
    histogram_reset(&histogram);
    histogram_record(&histogram, start);
    bench_report("sockets", o.connections, 0, start, &histogram, "");
    net_stop();
    return 0;
}
