/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process with a statistics segment, for test/lib/stats.test.ts: without DPDK, traffic or time.
 *     segment-writer SOCKETS     numbers that the test knows, then waits
 *     segment-writer busy        counts and rewrites row 0 until it is killed
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stats/segment.h"

static void fill(unsigned count)
{
    struct stats_stack *stack = segment_stack(1);

    STAT_ADD(stack, rx_packets, 1234567);
    STAT_ADD(stack, rx_bytes, UINT64_C(0x123456789abc));
    STAT_SET(stack, chunks_free, 99);
    for (uint64_t i = 1; i <= 1000; i++)
        histogram_add(&stack->turn_ns, i * 1000);

    for (unsigned i = 0; i < count; i++) {
        struct stats_socket *row = segment_socket(i);

        if (!row)
            exit(2);
        if (i % 2 == 1 && count < 10)
            continue; /* a free row between */
        stats_socket_begin(row);
        row->id = i + 1;
        row->family = i % 4 == 0 ? AF_INET : AF_INET6;
        row->type = 1;
        row->state = i == 0 ? 10 : 1;
        row->stack = 1;
        row->fd = i == 2 ? -1 : (int32_t)i + 3;
        row->local_port = 443;
        row->peer_port = (uint16_t)i;
        inet_pton(row->family, i % 4 == 0 ? "10.1.2.3" : "2001:db8::7:0:0:1", row->local_address);
        inet_pton(row->family, i % 4 == 0 ? "192.0.2.255" : "::1", row->peer_address);
        row->rtt_us = 4000000000u;
        row->tx_bytes = UINT64_C(1) << 40;
        stats_socket_end(row);
    }
}

static void work(void)
{
    struct stats_stack *stack = segment_stack(0);
    struct stats_socket *row = segment_socket(0);

    for (uint32_t n = 1;; n++) {
        STAT_INC(stack, turns);
        stats_socket_begin(row);
        row->id = n;
        row->family = AF_INET;
        row->rtt_us = n;
        row->rx_packets = n;
        row->tx_packets = n;
        stats_socket_end(row);
        /* Rows are written some thousand times a second, not all the time. */
        for (int i = 0; i < 1000; i++)
            cpu_relax();
    }
}

int main(int argc, char **argv)
{
    const struct segment_settings settings = {.name = "writer\x1b[31m", .product = "0.0.0 (test)",
                                              .stacks = 2, .sockets_max = 200000, .shared = true};
    char err[256];

    if (argc < 2 || segment_create(&settings, err, sizeof(err)) < 0)
        return 1;
    if (strcmp(argv[1], "busy") != 0)
        fill((unsigned)atoi(argv[1]));
    puts("ready");
    fflush(stdout);
    if (strcmp(argv[1], "busy") == 0)
        work();
    getchar(); /* until the test closes the pipe */
    segment_remove();
    return 0;
}
