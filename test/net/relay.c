/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bad wire: carries frames between two interfaces and loses, delays, doubles and disorders some of
 * them, or cuts large TCP segments into fragments of so many bytes. (The kernel's netem does most of it, where
 * the kernel has it.) Ends by SIGTERM, and says what it did.
 *
 *     relay IFACE_A IFACE_B LOSS_PERMILLE DUPLICATE_PERMILLE REORDER_PERMILLE DELAY_US SEED [CUT_BYTES]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "random_stream.h"
#include "relay_cut.h"

#define FRAME CUT_FRAME
#define HELD 4096
#define REORDER_US 2000

struct held {
    uint64_t at_us;
    int to;
    size_t bytes;
    uint8_t frame[FRAME];
};

static struct held *queue[HELD]; /* no order: few, and looked at in full */
static struct dice dice;
static unsigned long carried, lost, doubled, disordered;
static volatile sig_atomic_t stopping;

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int open_interface(const char *name)
{
    struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
                                   .sll_ifindex = (int)if_nametoindex(name) };
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL)), bytes = 8 << 20, on = 1;

    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
    if (fd < 0 || bind(fd, (void *)&address, sizeof(address)) < 0) {
        fprintf(stderr, "relay: %s: %s\n", name, strerror(errno));
        exit(2);
    }
    return fd;
}

static void hold(int to, const uint8_t *frame, size_t bytes, uint64_t at_us)
{
    for (int i = 0; i < HELD; i++) {
        if (queue[i] == NULL) {
            queue[i] = malloc(sizeof(**queue));
            queue[i]->at_us = at_us;
            queue[i]->to = to;
            queue[i]->bytes = bytes;
            memcpy(queue[i]->frame, frame, bytes);
            return;
        }
    }
    lost++;
}

/* Sends what is due, oldest first; the time of the next. */
static uint64_t let_go(uint64_t now)
{
    for (;;) {
        int first = -1;

        for (int i = 0; i < HELD; i++) {
            if (queue[i] && (first < 0 || queue[i]->at_us < queue[first]->at_us))
                first = i;
        }
        if (first < 0)
            return UINT64_MAX;
        if (queue[first]->at_us > now)
            return queue[first]->at_us;
        (void)!write(queue[first]->to, queue[first]->frame, queue[first]->bytes);
        free(queue[first]);
        queue[first] = NULL;
    }
}

struct way {
    int to;
    uint64_t at_us; /* 0: at once */
};

static void carry(void *context, const uint8_t *frame, size_t bytes)
{
    const struct way *way = context;

    if (way->at_us == 0)
        (void)!write(way->to, frame, bytes);
    else
        hold(way->to, frame, bytes, way->at_us);
}

static void stop(int number)
{
    stopping = 1;
}

int main(int count, char **arguments)
{
    struct pollfd fds[2];
    uint32_t loss, duplicate, reorder, delay_us;
    size_t most = FRAME;

    if (count != 8 && count != 9) {
        fprintf(stderr, "usage: relay A B LOSS DUPLICATE REORDER DELAY_US SEED [CUT_BYTES]\n");
        return 2;
    }
    signal(SIGTERM, stop);
    for (int i = 0; i < 2; i++)
        fds[i] = (struct pollfd){ .fd = open_interface(arguments[1 + i]), .events = POLLIN };
    loss = (uint32_t)atoi(arguments[3]);
    duplicate = (uint32_t)atoi(arguments[4]);
    reorder = (uint32_t)atoi(arguments[5]);
    delay_us = (uint32_t)atoi(arguments[6]);
    dice.state = strtoull(arguments[7], NULL, 0);
    if (count == 9)
        most = (size_t)atoi(arguments[8]);
    printf("ready\n");
    fflush(stdout);
    while (!stopping) {
        uint64_t now = now_us(), next = let_go(now);
        struct timespec wait = { 0, 200000000 };

        if (next != UINT64_MAX && next - now < 200000)
            wait.tv_nsec = (long)(next - now) * 1000;
        ppoll(fds, 2, &wait, NULL);
        for (int i = 0; i < 2; i++) {
            uint8_t frame[FRAME];
            ssize_t bytes;

            for (int n = 0; n < 64 && (bytes = read(fds[i].fd, frame, FRAME)) > 0; n++) {
                int copies = dice_roll(&dice, 1000) < duplicate ? 2 : 1;
                struct way way = { .to = fds[!i].fd };

                carried++;
                if (dice_roll(&dice, 1000) < loss) {
                    lost++;
                    continue;
                }
                doubled += copies == 2;
                while (copies-- > 0) {
                    uint64_t later = dice_roll(&dice, 1000) < reorder ? REORDER_US : 0;

                    disordered += later != 0;
                    way.at_us = delay_us + later ? now_us() + delay_us + later : 0;
                    relay_cut(frame, (size_t)bytes, most, carry, &way);
                }
            }
        }
    }
    printf("{\"carried\":%lu,\"lost\":%lu,\"doubled\":%lu,\"disordered\":%lu}\n", carried, lost, doubled,
           disordered);
    return 0;
}
