/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A veth pair in a network namespace of this process alone: one end is a port with an lwIP instance
 * on it, the other has addresses of the kernel. Works as root and, where user namespaces are allowed,
 * as anybody. Everything vanishes with the process.
 */
#ifndef TEST_UNIT_KERNEL_PEER_H
#define TEST_UNIT_KERNEL_PEER_H

#include "lwip/netif_port_state.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/config.h"
#include "lwip/instance.h"
#include "lwip/netif_port.h"
#include "lwip/packet.h"
#include "platform/core.h"
#include "platform/eal.h"
#include "port/interrupt.h"

struct peer {
    struct instance *instance;
    struct port *port;
    struct netif_port *np;
    struct rte_mempool *packets;
    struct chunk_pool *chunks;
    struct chunk_cache cache;
    struct stats_stack stats;
    unsigned lcore;
    pthread_t thread;
    pthread_mutex_t lock; /* held during a turn */
    _Atomic bool stop;
    unsigned long outside;
    unsigned previous_lcore;
};

static inline bool file_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return good;
}

/* A namespace of our own; false where that is forbidden: the tests are then skipped. */
static inline bool namespace_enter(void)
{
    char map[64];
    unsigned uid = getuid(), gid = getgid();

    if (unshare(CLONE_NEWNET) == 0)
        return true;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return false;
    file_write("/proc/self/setgroups", "deny");
    snprintf(map, sizeof(map), "0 %u 1", uid);
    file_write("/proc/self/uid_map", map);
    snprintf(map, sizeof(map), "0 %u 1", gid);
    return file_write("/proc/self/gid_map", map);
}

static inline int command(const char *format, ...) PRINTF_LIKE(1, 2);
static inline int command(const char *format, ...)
{
    char text[512];
    va_list values;
    int status;

    va_start(values, format);
    vsnprintf(text, sizeof(text) - 16, format, values);
    va_end(values);
    strcat(text, " >/dev/null 2>&1");
    status = system(text);
    return status;
}

/* veth a<n>-b<n>; the kernel has 10.<n>.0.1/24 and fd00:<n>::1/64 on b<n>. */
static inline void veth_make(int n, unsigned mtu)
{
    ck_assert_int_eq(command("ip link add a%d mtu %u type veth peer name b%d mtu %u", n, mtu, n, mtu), 0);
    command("sysctl -qw net.ipv6.conf.a%d.disable_ipv6=1", n);
    command("ethtool -K b%d tx off tso off gso off", n);
    ck_assert_int_eq(command("ip addr add 10.%d.0.1/24 dev b%d", n, n), 0);
    ck_assert_int_eq(command("ip addr add fd00:%d::1/64 dev b%d nodad", n, n), 0);
    ck_assert_int_eq(command("ip link set b%d up", n), 0);
    ck_assert_int_eq(command("ip link set a%d up", n), 0);
}

static inline void peer_enter(struct peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    peer->previous_lcore = core_enter(peer->lcore);
    peer->outside = instance_enter(peer->instance);
}

static inline void peer_leave(struct peer *peer)
{
    instance_leave(peer->outside);
    core_leave(peer->previous_lcore);
    pthread_mutex_unlock(&peer->lock);
}

static void *peer_turns(void *argument)
{
    struct peer *peer = argument;

    while (!peer->stop) {
        unsigned work;

        peer_enter(peer);
        instance_clock(peer->instance, clock_now_us());
        work = netif_port_input(peer->np);
        instance_timers(peer->instance, clock_now_us());
        netif_port_flush(peer->np);
        peer_leave(peer);
        if (work == 0)
            usleep(200);
    }
    return NULL;
}

static inline struct peer *peer_start(const char *line, unsigned packets, uint32_t memory_mib)
{
    struct eal_settings eal = {.name = "test", .hugepages = EAL_HUGEPAGES_OFF, .memory_mib = memory_mib};
    struct instance_settings settings = {.now_us = clock_now_us()};
    struct netif_port_settings add = {0};
    struct port_config *config = calloc(1, sizeof(*config));
    struct peer *peer = aligned_alloc(64, align_up(sizeof(*peer), 64));
    struct value_problem problem;
    char err[1024] = "", name[32];
    static int number;

    memset(peer, 0, sizeof(*peer));
    pthread_mutex_init(&peer->lock, NULL);
    ck_assert(port_line_parse(line, config, &problem));
    if (!eal_is_running())
        ck_assert_msg(eal_start(&eal, err, sizeof(err)) == 0, "%s", err);
    ck_assert_int_eq(core_claim(&peer->lcore), 0);
    snprintf(name, sizeof(name), "packets%d", number++);
    peer->packets = packet_pool_create(name, packets, port_packet_bytes(config), SOCKET_ID_ANY);
    ck_assert_ptr_nonnull(peer->packets);
    peer->chunks = chunk_pool_create(512, SOCKET_ID_ANY, peer->lcore);
    ck_assert_ptr_nonnull(peer->chunks);
    ck_assert(getrandom(settings.secret, sizeof(settings.secret), 0) == sizeof(settings.secret));
    ck_assert_int_eq(instance_create(&peer->instance, &settings), 0);
    ck_assert_msg(port_open(config, 1, &peer->packets, err, sizeof(err), &peer->port) == 0, "%s", err);
    add = (struct netif_port_settings){peer->port, 0, config, peer->packets, peer->chunks, &peer->stats, 0};
    peer_enter(peer);
    ck_assert_msg(netif_port_add(&peer->np, &add, err, sizeof(err)) == 0, "%s", err);
    peer_leave(peer);
    free(config);
    return peer;
}

static inline void peer_run(struct peer *peer)
{
    pthread_create(&peer->thread, NULL, peer_turns, peer);
}

/* Everything back, and nothing missing. */
static inline void peer_stop(struct peer *peer)
{
    peer->stop = true;
    pthread_join(peer->thread, NULL);
    peer_enter(peer);
    netif_port_remove(peer->np);
    ck_assert_uint_eq(instance_destroy(peer->instance), 0);
    core_leave(peer->previous_lcore);
    instance_leave(peer->outside);
    pthread_mutex_unlock(&peer->lock);
    port_close(peer->port);
    chunk_cache_flush(peer->chunks, &peer->cache);
    ck_assert_uint_eq(rte_mempool_avail_count(peer->packets), peer->packets->size);
    ck_assert_uint_eq(chunk_pool_free_count(peer->chunks), peer->chunks->count);
    chunk_pool_destroy(peer->chunks);
    packet_pool_destroy(peer->packets);
    core_release(peer->lcore);
    free(peer);
}

#endif
