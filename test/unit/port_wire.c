/* SPDX-License-Identifier: Apache-2.0 */
/* The wire and the null port: packets through, full means counted, wake-ups, all packets home. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "port/burst.h"
#include "port/interrupt.h"

#define RUN_NOFORK
#include "main.h"
#include "port_setup.h"

START_TEST(null_takes_all_gives_none)
{
    struct port *port = port_must("null", 2);
    struct rte_mbuf *got[PORT_BURST];

    ck_assert_uint_eq(port->queues, 2);
    ck_assert_str_eq(port->driver, "net_null");
    for (unsigned q = 0; q < 2; q++) {
        struct port_queue *queue = port_queue(port, q);

        for (int i = 0; i < 100; i++)
            port_tx_put(queue, packet_of(100, 1));
        ck_assert_uint_eq(port_flush(queue), 0);
        ck_assert_uint_eq(queue->stats->tx_packets, 100 * (q + 1));
        ck_assert_uint_eq(queue->stats->tx_bytes, 10000 * (q + 1));
        ck_assert_uint_eq(port_rx(queue, got, PORT_BURST), 0);
        ck_assert_int_eq(port_queue_fd(queue), -1);
        ck_assert(port_queue_wakes(queue));
    }
    port_close(port);
    ck_assert_packets_home();
}
END_TEST

START_TEST(wire_carries_both_ways)
{
    struct port *a = port_must("wire,id=1", 2), *b;
    struct rte_mbuf *got[PORT_BURST];

    ck_assert(!port_link_is_up(a));
    b = port_must("wire,id=1", 2);
    ck_assert(port_link_is_up(a));
    ck_assert(port_link_is_up(b));
    for (unsigned q = 0; q < 2; q++) {
        port_tx_put(port_queue(a, q), packet_of(60 + q, (uint8_t)q));
        port_flush(port_queue(a, q));
        port_tx_put(port_queue(b, q), packet_of(70 + q, (uint8_t)(q + 10)));
        port_flush(port_queue(b, q));
    }
    for (unsigned q = 0; q < 2; q++) {
        ck_assert_uint_eq(port_rx(port_queue(b, q), got, PORT_BURST), 1);
        ck_assert_uint_eq(got[0]->pkt_len, 60 + q);
        ck_assert_uint_eq(*rte_pktmbuf_mtod(got[0], uint8_t *), q);
        rte_pktmbuf_free(got[0]);
        ck_assert_uint_eq(port_rx(port_queue(a, q), got, PORT_BURST), 1);
        ck_assert_uint_eq(got[0]->pkt_len, 70 + q);
        rte_pktmbuf_free(got[0]);
    }
    ck_assert_uint_eq(port_rx(port_queue(a, 0), got, PORT_BURST), 0);
    port_close(a);
    ck_assert(!port_link_is_up(b));
    port_close(b);
    ck_assert_packets_home();
}
END_TEST

START_TEST(full_wire_is_counted)
{
    struct port *a = port_must("wire,id=2,rx_slots=64", 1), *b = port_must("wire,id=2,rx_slots=64", 1);
    struct port_queue *queue = port_queue(a, 0);

    for (int i = 0; i < 200; i++)
        port_tx_put(queue, packet_of(60, 0));
    port_flush(queue);
    /* 64 in the ring, 64 pending, the rest dropped. */
    ck_assert_uint_eq(queue->stats->tx_packets, 64);
    ck_assert_uint_eq(queue->pending, PORT_PENDING);
    ck_assert_uint_eq(queue->stats->drop_tx_ring_full, 200 - 64 - PORT_PENDING);
    ck_assert_uint_gt(queue->stats->tx_refused, 0);
    port_close(a);
    port_close(b);
    ck_assert_packets_home();
}
END_TEST

START_TEST(wire_wakes_the_other_end)
{
    struct port *a = port_must("wire", 1), *b;
    struct doorbell bells[2];
    struct rte_mbuf *got[PORT_BURST];
    struct pollfd poll_for = {.events = POLLIN};

    doorbell_open(&bells[0]);
    doorbell_open(&bells[1]);
    port_queue_doorbell(port_queue(a, 0), &bells[0]); /* before the other end exists */
    b = port_must("wire", 1);
    port_queue_doorbell(port_queue(b, 0), &bells[1]);
    for (int end = 0; end < 2; end++) {
        struct port_queue *from = port_queue(end ? a : b, 0), *to = port_queue(end ? b : a, 0);

        ck_assert(port_queue_wakes(to));
        doorbell_arm(&bells[end]);
        port_queue_arm(to);
        poll_for.fd = bells[end].fd;
        ck_assert_int_eq(poll(&poll_for, 1, 0), 0);
        port_tx_put(from, packet_of(60, 0));
        port_flush(from);
        ck_assert_int_eq(poll(&poll_for, 1, 0), 1);
        port_queue_disarm(to);
        doorbell_disarm(&bells[end]);
        ck_assert_uint_eq(port_rx(to, got, PORT_BURST), 1);
        rte_pktmbuf_free(got[0]);
    }
    port_close(b);
    port_tx_put(port_queue(a, 0), packet_of(60, 0));
    port_flush(port_queue(a, 0));
    port_close(a);
    doorbell_close(&bells[0]);
    doorbell_close(&bells[1]);
    ck_assert_packets_home();
}
END_TEST

START_TEST(third_end_is_refused)
{
    struct port *a = port_must("wire,id=3", 1), *b = port_must("wire,id=3", 1), *c;
    char err[1024];

    ck_assert_int_eq(port_try("wire,id=3", 1, &c, err, sizeof(err)), -EBUSY);
    ck_assert_msg(strstr(err, "id="), "%s", err);
    port_close(b);
    ck_assert_int_eq(port_try("wire,id=3", 2, &c, err, sizeof(err)), -EINVAL);
    b = port_must("wire,id=3", 1);
    port_close(a);
    port_close(b);
    ck_assert_packets_home();
}
END_TEST

/* Opened and closed again and again: nothing is left behind. */
START_TEST(many_times)
{
    for (int i = 0; i < 20; i++) {
        struct port *a = port_must("wire,id=9", 1), *b = port_must("wire,id=9", 1);
        struct port *null = port_must("null", 1);

        port_tx_put(port_queue(a, 0), packet_of(60, 0));
        port_tx_put(port_queue(b, 0), packet_of(60, 0));
        port_flush(port_queue(a, 0));
        port_close(a);
        port_close(null);
        port_close(b);
    }
    ck_assert_packets_home();
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("port_wire");
    TCase *tcase = tcase_create("wire");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, port_setup, NULL);
    tcase_add_test(tcase, null_takes_all_gives_none);
    tcase_add_test(tcase, wire_carries_both_ways);
    tcase_add_test(tcase, full_wire_is_counted);
    tcase_add_test(tcase, wire_wakes_the_other_end);
    tcase_add_test(tcase, third_end_is_refused);
    tcase_add_test(tcase, many_times);
    suite_add_tcase(suite, tcase);
    return suite;
}
