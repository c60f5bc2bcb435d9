/* SPDX-License-Identifier: Apache-2.0 */
#include "pace.h"

#include <arpa/inet.h>
#include <sched.h>

#include "../worlds.h"
#include "loop/loop.h"
#include "pronghorn.h"
#include "stack/group.h"

/* An exchange has at most three packets, and each may wake the next. */
#define ROUNDS 6
#define ACKNOWLEDGED_US 60000 /* the kernel delays by 40 ms */

static int ping = -1;

uint64_t pace_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/*
 * Loopback's packets wait in a queue of the processor that sent them, first come, first served. So with
 * one processor alone a datagram to oneself arrives after all that was sent before it.
 */
bool pace_begin(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    socklen_t len = sizeof(to);
    cpu_set_t one;

    if (world.ours)
        return true;
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    ping = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return sched_setaffinity(0, sizeof(one), &one) == 0 && ping >= 0 &&
           bind(ping, (void *)&to, sizeof(to)) == 0 && getsockname(ping, (void *)&to, &len) == 0 &&
           connect(ping, (void *)&to, sizeof(to)) == 0;
}

static void settle_kernel(void)
{
    char byte = 0;

    for (int i = 0; i < ROUNDS; i++) {
        if (send(ping, &byte, 1, 0) != 1 || recv(ping, &byte, 1, 0) != 1)
            abort();
    }
}

static void nothing(struct rpc *rpc)
{
    rpc_finish(rpc);
}

/* A call that a stack has run proves that the turn before is over. */
static uint64_t turn_all(void)
{
    uint64_t packets = 0;

    for (unsigned i = 0; i < group.count; i++) {
        struct rpc call;

        rpc_init(&call, nothing);
        stack_call(group.stacks[i], &call);
        packets += group.stacks[i]->stats->rx_packets;
    }
    return packets;
}

static void settle_ours(void)
{
    uint64_t before = 0;

    for (int quiet = 0; quiet < ROUNDS; quiet++) {
        uint64_t packets = turn_all();

        if (packets != before)
            quiet = 0;
        before = packets;
    }
}

void pace_settle(void)
{
    if (world.ours)
        settle_ours();
    else
        settle_kernel();
}

void pace_until(bool (*is_so)(int fd), int fd)
{
    uint64_t until = pace_now_us() + ACKNOWLEDGED_US;

    for (;;) {
        pace_settle();
        if (is_so(fd) || pace_now_us() >= until)
            return;
        usleep(1000);
    }
}
