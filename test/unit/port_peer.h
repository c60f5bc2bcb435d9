/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A port's other end as a process of its own: this program again, started with PEER_LINE in its
 * environment, which sends back every frame. For the tests of ports between two processes.
 */
#ifndef TEST_UNIT_PORT_PEER_H
#define TEST_UNIT_PORT_PEER_H

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "port/burst.h"
#include "port_setup.h"

static char folder[] = "/tmp/port_peers.XXXXXX"; /* for sockets */

/* A wire and who is at its other end. */
struct pair {
    pid_t peer;
    unsigned queues;
    char peer_line[256];
};

static inline _Noreturn void peer_main(const char *line, unsigned queues)
{
    struct rte_mbuf *packets[PORT_BURST];
    struct port *port;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    port_setup();
    port = port_must(line, queues);
    for (;;) {
        unsigned work = 0;

        for (unsigned q = 0; q < queues; q++) {
            struct port_queue *queue = port_queue(port, q);
            unsigned count = port_rx(queue, packets, PORT_BURST);

            for (unsigned i = 0; i < count; i++)
                port_tx_put(queue, packets[i]);
            port_flush(queue);
            work += count + queue->pending;
        }
        if (work == 0)
            usleep(100);
    }
}

static inline pid_t peer_spawn(const char *line, unsigned queues)
{
    pid_t pid = fork();

    if (pid == 0) {
        char number[16];

        snprintf(number, sizeof(number), "%u", queues);
        setenv("PEER_LINE", line, 1);
        setenv("PEER_QUEUES", number, 1);
        execl("/proc/self/exe", "peer", NULL);
        _exit(127);
    }
    return pid;
}

static inline void peer_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static inline void link_wait(struct port *port, bool up)
{
    uint64_t end = clock_now_us() + 10000000;
    struct rte_mbuf *packets[PORT_BURST];

    while (port_link_is_up(port) != up) {
        ck_assert_msg(clock_now_us() < end, "port %s: link is not %s after 10 s", port->name, up ? "up" : "down");
        /* Whoever owns the port goes on polling meanwhile. */
        for (unsigned q = 0; q < port->queues; q++) {
            unsigned count = port_rx(port_queue(port, q), packets, PORT_BURST);

            rte_pktmbuf_free_bulk(packets, count);
            port_flush(port_queue(port, q));
        }
        usleep(1000);
    }
}

/* Frames that a wire may lose while it goes down or comes up, or bring late. No other has this length. */
#define PROBE_BYTES 58

/* Sends probes until the peer serves every queue: its link may be up before it takes frames. */
static inline void path_wait(struct port *port)
{
    struct rte_mbuf *packets[PORT_BURST];
    uint64_t end = clock_now_us() + 30000000;

    for (unsigned q = 0; q < port->queues; q++) {
        unsigned count = 0;

        while (count == 0) {
            ck_assert_msg(clock_now_us() < end, "port %s queue %u: nothing comes back", port->name, q);
            port_tx_put(port_queue(port, q), packet_of(PROBE_BYTES, 0));
            port_flush(port_queue(port, q));
            usleep(10000);
            count = port_rx(port_queue(port, q), packets, PORT_BURST);
            rte_pktmbuf_free_bulk(packets, count);
        }
    }
}

/* `count` frames of many lengths on each queue, each must come back once, unchanged. */
static inline void echo_check(struct port *port, unsigned count)
{
    struct rte_mbuf *packets[PORT_BURST];

    path_wait(port);
    for (unsigned q = 0; q < port->queues; q++) {
        struct port_queue *queue = port_queue(port, q);
        unsigned sent = 0, back = 0;
        uint64_t end = clock_now_us() + 10000000;

        while (back < count) {
            unsigned got;

            ck_assert_msg(clock_now_us() < end, "port %s queue %u: %u of %u came back", port->name, q, back, count);
            if (sent < count && sent - back < 16)
                port_tx_put(queue, packet_of(60 + (sent * 97) % 1455, (uint8_t)sent)), sent++;
            port_flush(queue);
            got = port_rx(queue, packets, PORT_BURST);
            for (unsigned i = 0; i < got; i++) {
                if (packets[i]->pkt_len == PROBE_BYTES) {
                    rte_pktmbuf_free(packets[i]);
                    continue;
                }
                ck_assert_uint_eq(packets[i]->pkt_len, 60 + (back * 97) % 1455);
                ck_assert_uint_eq(rte_pktmbuf_mtod(packets[i], uint8_t *)[packets[i]->data_len - 1], (uint8_t)back);
                rte_pktmbuf_free(packets[i]);
                back++;
            }
            if (got == 0)
                usleep(50);
        }
    }
}

static inline void line_print(char *out, const char *format, const char *socket)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/%s", folder, socket);
    snprintf(out, 256, format, path);
}

/*
 * Both ends of a wire, ours as returned, the peer as a process of its own. Each line has the socket's path
 * in it; opening a virtio_user or a client waits for its peer, all others are there first.
 */
static inline struct port *pair_open(struct pair *pair, const char *ours, const char *theirs, unsigned queues,
                                     const char *socket)
{
    struct port *port;
    char line[256];

    line_print(line, ours, socket);
    line_print(pair->peer_line, theirs, socket);
    pair->queues = queues;
    if (strncmp(ours, "virtio_user", 11) == 0 || strstr(ours, "role=client") != NULL) {
        pair->peer = peer_spawn(pair->peer_line, queues);
        port = port_must(line, queues);
    } else {
        port = port_must(line, queues);
        pair->peer = peer_spawn(pair->peer_line, queues);
    }
    link_wait(port, true);
    return port;
}

/* The peer comes back after it was killed. */
static inline void pair_again(struct pair *pair, struct port *port)
{
    pair->peer = peer_spawn(pair->peer_line, pair->queues);
    link_wait(port, true);
}

static inline void folder_remove(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    if (system(command) != 0)
        perror(command);
}

/* First of all in suite(): is this the peer? */
static inline void peer_or_tests(void)
{
    if (getenv("PEER_LINE") != NULL)
        peer_main(getenv("PEER_LINE"), (unsigned)atoi(getenv("PEER_QUEUES")));
    must(mkdtemp(folder) != NULL, folder, strerror(errno));
    atexit(folder_remove);
}

#endif
