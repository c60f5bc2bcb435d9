/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports between two processes (memif, vhost-user): frames both ways on every queue, and a peer that is
 * killed, also in the midst of a burst, and comes back.
 */
#include <pthread.h>

#include "platform/plugins/driver_calls.h"

#define RUN_NOFORK
#include "main.h"
#include "port_peer.h"

/* Both ways up, frames, the peer killed in the midst of them, back again, frames. */
static void killed_and_back(const char *ours, const char *theirs, unsigned queues, const char *socket)
{
    struct pair pair;
    struct port *port = pair_open(&pair, ours, theirs, queues, socket);

    echo_check(port, 1000);
    for (int round = 0; round < 2; round++) {
        /* Frames under way when it dies. */
        for (int i = 0; i < 16; i++)
            port_tx_put(port_queue(port, 0), packet_of(PROBE_BYTES, 0));
        port_flush(port_queue(port, 0));
        peer_kill(pair.peer);
        link_wait(port, false);
        pair_again(&pair, port);
        echo_check(port, 1000);
    }
    peer_kill(pair.peer);
    link_wait(port, false);
    port_close(port);
    ck_assert_packets_home();
}

START_TEST(memif_client_killed)
{
    killed_and_back("memif,path=%s,role=server", "memif,path=%s,role=client", 1, "m1");
}
END_TEST

START_TEST(memif_queues)
{
    killed_and_back("memif,path=%s,role=server", "memif,path=%s,role=client", 3, "m2");
}
END_TEST

/* It is the client that stays: it must find whoever serves at the path next. */
START_TEST(memif_server_killed)
{
    killed_and_back("memif,path=%s,role=client", "memif,path=%s,role=server", _i ? 3 : 1, _i ? "m4" : "m3");
}
END_TEST

START_TEST(vhost_guest_killed)
{
    killed_and_back("vhost,path=%s", "virtio_user,path=%s", 1, "v1");
}
END_TEST

START_TEST(vhost_queues)
{
    killed_and_back("vhost,path=%s", "virtio_user,path=%s", 2, "v2");
}
END_TEST

START_TEST(virtio_user_host_killed)
{
    killed_and_back("virtio_user,path=%s,role=server", "vhost,path=%s,role=client", 1, "v3");
}
END_TEST

/* ---- a peer that goes while we are in a burst ---------------------------------------------------- */

static struct {
    struct port *port;
    bool stop, slow;
    uint64_t frames;
} poller;

/* As a stack that never sleeps: sends back what comes, and sends as much as fits. */
static void *poller_main(void *argument)
{
    struct port_queue *queue = port_queue(poller.port, 0);
    struct rte_mbuf *packets[PORT_BURST];

    while (!__atomic_load_n(&poller.stop, __ATOMIC_RELAXED)) {
        unsigned count = port_rx(queue, packets, PORT_BURST);

        rte_pktmbuf_free_bulk(packets, count);
        __atomic_add_fetch(&poller.frames, count, __ATOMIC_RELAXED);
        while (queue->pending < PORT_PENDING) {
            struct rte_mbuf *packet = rte_pktmbuf_alloc(port_packets);

            if (packet == NULL)
                break;
            memset(rte_pktmbuf_append(packet, 1500), 0, 1500);
            port_tx_put(queue, packet);
        }
        port_flush(queue);
    }
    return argument;
}

static pthread_t poller_start(struct port *port)
{
    pthread_t thread;

    poller.stop = false;
    poller.port = port;
    pthread_create(&thread, NULL, poller_main, NULL);
    return thread;
}

static void poller_stop(pthread_t thread)
{
    __atomic_store_n(&poller.stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    port_close(poller.port);
    ck_assert_packets_home();
}

/* Frames flow both ways for a while, and then the peer is gone. */
static void flow_and_kill(pid_t peer, int round)
{
    uint64_t end = clock_now_us() + 20000000, before = __atomic_load_n(&poller.frames, __ATOMIC_RELAXED);

    while (__atomic_load_n(&poller.frames, __ATOMIC_RELAXED) < before + 2000) {
        ck_assert_msg(clock_now_us() < end, "no frames come in round %d", round);
        usleep(1000);
    }
    usleep((unsigned)round * 137);
    peer_kill(peer);
}

START_TEST(memif_client_killed_in_bursts)
{
    char ours[256], theirs[256];
    pthread_t thread;

    line_print(ours, "memif,path=%s,role=server", "ks");
    line_print(theirs, "memif,path=%s,role=client", "ks");
    thread = poller_start(port_must(ours, 1));
    for (int round = 0; round < 12; round++)
        flow_and_kill(peer_spawn(theirs, 1), round);
    poller_stop(thread);
}
END_TEST

START_TEST(memif_server_killed_in_bursts)
{
    char ours[256], theirs[256];

    line_print(ours, "memif,path=%s,role=client", "kc");
    line_print(theirs, "memif,path=%s,role=server", "kc");
    for (int round = 0; round < 4; round++) {
        pid_t peer = peer_spawn(theirs, 1);
        pthread_t thread = poller_start(port_must(ours, 1)); /* waits for its server */

        flow_and_kill(peer, round);
        poller_stop(thread);
    }
}
END_TEST

static const char *const clients[] = {"memif,path=%s,role=client,wait_s=0", "virtio_user,path=%s,wait_s=0"};

START_TEST(a_client_without_a_server)
{
    char line[256], err[1024];
    struct port *port;

    line_print(line, clients[_i], "nobody");
    ck_assert_int_eq(port_try(line, 1, &port, err, sizeof(err)), -ECONNREFUSED);
    ck_assert_msg(strstr(err, "nobody serves") && strstr(err, "wait_s"), "%s", err);
}
END_TEST

/* The peer opens its end while there is nothing to connect to. */
START_TEST(virtio_user_before_its_server)
{
    char ours[256], theirs[256];
    struct port *port;
    pid_t peer;

    line_print(ours, "vhost,path=%s", "v4");
    line_print(theirs, "virtio_user,path=%s", "v4");
    peer = peer_spawn(theirs, 1);
    usleep(700000);
    port = port_must(ours, 1);
    link_wait(port, true);
    echo_check(port, 100);
    peer_kill(peer);
    port_close(port);
    ck_assert_packets_home();
}
END_TEST

START_TEST(virtio_user_without_a_peer)
{
    char line[256], err[1024];
    uint64_t start = clock_now_us();
    struct port *port;

    line_print(line, "virtio_user,path=%s,role=server,wait_s=1", "nobody");
    ck_assert_int_eq(port_try(line, 1, &port, err, sizeof(err)), -ETIMEDOUT);
    ck_assert_msg(strstr(err, "nobody connected") && strstr(err, "wait_s"), "%s", err);
    ck_assert_uint_ge(clock_now_us() - start, 900000);
    ck_assert_packets_home();
}
END_TEST

static void *slow_burst(void *argument)
{
    struct port_queue *queue = argument;

    port_burst_mark(queue);
    __atomic_store_n(&poller.slow, true, __ATOMIC_RELEASE);
    usleep(50000);
    __atomic_store_n(&poller.slow, false, __ATOMIC_RELEASE);
    port_burst_mark(queue);
    return NULL;
}

/* What the driver calls before it takes its rings away returns when the burst has ended, not before. */
START_TEST(memif_waits_for_bursts)
{
    char line[256];
    pthread_t thread;
    struct port *port;

    line_print(line, "memif,path=%s,role=server", "w1");
    port = port_must(line, 2);
    ck_assert_ptr_nonnull(driver_calls_quiesce);
    driver_calls_quiesce(); /* nobody is in one */
    pthread_create(&thread, NULL, slow_burst, port_queue(port, 1));
    while (!__atomic_load_n(&poller.slow, __ATOMIC_ACQUIRE))
        usleep(100);
    driver_calls_quiesce();
    ck_assert(!__atomic_load_n(&poller.slow, __ATOMIC_ACQUIRE));
    pthread_join(thread, NULL);
    port_close(port);
    driver_calls_quiesce(); /* a closed port is not looked at */
}
END_TEST

/* role=auto of memif: the first is the server, the second the client; a left-behind file is no server. */
START_TEST(memif_roles_by_themselves)
{
    char line[256];
    struct port *port;
    pid_t peer;

    line_print(line, "memif,path=%s", "auto");
    peer = peer_spawn(line, 1);
    usleep(1000000);
    peer_kill(peer); /* leaves its socket */
    port = port_must(line, 1);
    peer = peer_spawn(line, 1);
    link_wait(port, true);
    echo_check(port, 100);
    peer_kill(peer);
    port_close(port);
    ck_assert_packets_home();
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("port_peers");
    TCase *tcase = tcase_create("memif");

    peer_or_tests();
    tcase_set_timeout(tcase, 90);
    tcase_add_checked_fixture(tcase, port_setup, NULL);
    tcase_add_test(tcase, memif_client_killed);
    tcase_add_test(tcase, memif_queues);
    tcase_add_loop_test(tcase, memif_server_killed, 0, 2);
    tcase_add_test(tcase, memif_roles_by_themselves);
    tcase_add_test(tcase, memif_waits_for_bursts);
    tcase_add_test(tcase, memif_client_killed_in_bursts);
    tcase_add_test(tcase, memif_server_killed_in_bursts);
    tcase_add_loop_test(tcase, a_client_without_a_server, 0, ARRAY_SIZE(clients));
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("vhost");
    tcase_set_timeout(tcase, 90);
    tcase_add_checked_fixture(tcase, port_setup, NULL);
    tcase_add_test(tcase, vhost_guest_killed);
    tcase_add_test(tcase, vhost_queues);
    tcase_add_test(tcase, virtio_user_host_killed);
    tcase_add_test(tcase, virtio_user_before_its_server);
    tcase_add_test(tcase, virtio_user_without_a_peer);
    suite_add_tcase(suite, tcase);
    return suite;
}
