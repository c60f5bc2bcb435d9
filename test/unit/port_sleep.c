/* SPDX-License-Identifier: Apache-2.0 */
/* A port between two processes with nothing to do: asleep, and woken by what the peer sends. */
#include <poll.h>

#include "port/interrupt.h"

#define RUN_NOFORK
#include "main.h"
#include "port_peer.h"

/* Nothing comes: asleep. The peer sends something back: awake. */
static void sleep_check(struct port *port)
{
    struct port_queue *queue = port_queue(port, 0);
    struct rte_mbuf *packets[PORT_BURST];
    struct pollfd pollfd = {port_queue_fd(queue), POLLIN, 0};
    unsigned got = 0;

    ck_assert_int_ge(pollfd.fd, 0);
    for (int round = 0; round < 20; round++) {
        int spurious = 0;

        /* A wake for what was taken already is allowed, but not again and again. */
        do {
            ck_assert_int_eq(port_queue_arm(queue), 0);
            ck_assert(port_queue_wakes(queue));
            ck_assert_uint_eq(port_rx(queue, packets, PORT_BURST), 0);
            if (poll(&pollfd, 1, round ? 0 : 100) == 0)
                break;
            port_queue_disarm(queue);
        } while (++spurious < 3);
        ck_assert_int_lt(spurious, 3);
        port_tx_put(queue, packet_of(200, (uint8_t)round));
        port_flush(queue);
        ck_assert_msg(poll(&pollfd, 1, 5000) == 1, "%s slept on in round %d", port->name, round);
        port_queue_disarm(queue);
        for (int i = 0; i < 1000 && (got = port_rx(queue, packets, PORT_BURST)) == 0; i++)
            usleep(1000);
        ck_assert_uint_eq(got, 1);
        ck_assert_uint_eq(*rte_pktmbuf_mtod(packets[0], uint8_t *), round);
        rte_pktmbuf_free(packets[0]);
    }
}

static void sleep_between(const char *ours, const char *theirs, const char *socket)
{
    struct pair pair;
    struct port *port = pair_open(&pair, ours, theirs, 1, socket);

    echo_check(port, 10);
    sleep_check(port);
    /* A new peer has another event. */
    peer_kill(pair.peer);
    link_wait(port, false);
    ck_assert_int_eq(port_queue_arm(port_queue(port, 0)), 0);
    ck_assert(!port_queue_wakes(port_queue(port, 0)));
    port_queue_disarm(port_queue(port, 0));
    pair_again(&pair, port);
    echo_check(port, 10); /* after which no probe is under way any more */
    sleep_check(port);
    peer_kill(pair.peer);
    port_close(port);
    ck_assert_packets_home();
}

START_TEST(vhost_sleeps)
{
    sleep_between("vhost,path=%s", "virtio_user,path=%s", "s1");
}
END_TEST

START_TEST(virtio_user_sleeps)
{
    sleep_between("virtio_user,path=%s,role=server", "vhost,path=%s,role=client", "s2");
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("port_sleep");
    TCase *tcase = tcase_create("vhost");

    peer_or_tests();
    tcase_set_timeout(tcase, 90);
    tcase_add_checked_fixture(tcase, port_setup, NULL);
    tcase_add_test(tcase, vhost_sleeps);
    tcase_add_test(tcase, virtio_user_sleeps);
    suite_add_tcase(suite, tcase);
    return suite;
}
