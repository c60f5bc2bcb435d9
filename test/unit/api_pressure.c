/* SPDX-License-Identifier: Apache-2.0 */
/* Slow readers: what lies unread in sockets does not take the packets that others need. */
#define RUN_NOFORK
#include <stdlib.h>
#include <string.h>

#include "main.h"
#include "on_wire.h"
#include "pronghorn.h"

#define SOCKETS 40
#define EACH 300 /* together three times the pool of packets */

/* What is sent before link and neighbour are known may be lost. */
static void wait_for_the_way(int sender, int arrived)
{
    struct sockaddr_in a = address("10.0.0.1", 999);
    struct timeval second = { .tv_sec = 1 };
    char byte = 0;
    int got = 0;

    ck_assert_int_eq(ph_setsockopt(arrived, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)), 0);
    for (int tries = 0; tries < 20 && got != 1; tries++) {
        ph_sendto(sender, &byte, 1, 0, (void *)&a, sizeof(a));
        got = (int)ph_recv(arrived, &byte, 1, 0);
    }
    ck_assert_int_eq(got, 1);
    second = (struct timeval){ .tv_usec = 100000 }; /* and those that came late */
    ck_assert_int_eq(ph_setsockopt(arrived, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)), 0);
    while (ph_recv(arrived, &byte, 1, 0) == 1)
        ;
    second = (struct timeval){ .tv_sec = 10 };
    ck_assert_int_eq(ph_setsockopt(arrived, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)), 0);
}

START_TEST(unread_datagrams_leave_packets_for_others)
{
    int readers[SOCKETS], sender = ph_socket(AF_INET, SOCK_DGRAM, 0), server, client, peer;
    int arrived = ph_socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a;
    char byte = 'x', got[64];

    a = address("10.0.0.1", 999);
    ck_assert_int_eq(ph_bind(arrived, (void *)&a, sizeof(a)), 0);
    for (int i = 0; i < SOCKETS; i++) {
        a = address("10.0.0.1", 1000 + i);
        readers[i] = ph_socket(AF_INET, SOCK_DGRAM, 0);
        ck_assert_int_eq(ph_bind(readers[i], (void *)&a, sizeof(a)), 0);
    }
    wait_for_the_way(sender, arrived);
    for (int n = 0; n < EACH; n++) {
        for (int i = 0; i < SOCKETS; i++) {
            a = address("10.0.0.1", 1000 + i);
            memset(got, n + i, sizeof(got));
            ck_assert_int_eq(ph_sendto(sender, got, sizeof(got), 0, (void *)&a, sizeof(a)), 64);
        }
        /* Nothing is sent faster than it arrives: the slots of the wire are never the limit. */
        a = address("10.0.0.1", 999);
        ck_assert_int_eq(ph_sendto(sender, got, 1, 0, (void *)&a, sizeof(a)), 1);
        ck_assert_int_eq(ph_recv(arrived, got, sizeof(got), 0), 1); /* bounded by SO_RCVTIMEO */
    }
    a = address("10.0.0.1", 80);
    server = ph_socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(ph_bind(server, (void *)&a, sizeof(a)), 0);
    ck_assert_int_eq(ph_listen(server, 1), 0);
    client = ph_socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(ph_connect(client, (void *)&a, sizeof(a)), 0);
    peer = ph_accept(server, NULL, NULL);
    ck_assert_int_eq(ph_send(client, &byte, 1, 0), 1);
    ck_assert_int_eq(ph_recv(peer, got, sizeof(got), 0), 1);
    for (int n = 0; n < EACH; n++) {
        for (int i = 0; i < SOCKETS; i++) {
            ck_assert_int_eq(ph_recv(readers[i], got, sizeof(got), MSG_DONTWAIT), 64);
            ck_assert_int_eq(got[0], (char)(n + i));
            ck_assert_int_eq(got[63], (char)(n + i));
        }
    }
    for (int i = 0; i < SOCKETS; i++)
        ck_assert_int_eq(ph_close(readers[i]), 0);
    ck_assert_int_eq(ph_close(sender), 0);
    ck_assert_int_eq(ph_close(arrived), 0);
    ck_assert_int_eq(ph_close(client), 0);
    ck_assert_int_eq(ph_close(peer), 0);
    ck_assert_int_eq(ph_close(server), 0);
}
END_TEST

static void start(void)
{
    start_with({ "memory.packets", "4096" });
}

static Suite *suite(void)
{
    Suite *s = suite_create("slow readers");
    TCase *c = tcase_create("pressure");

    tcase_add_unchecked_fixture(c, start, ph_stop);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, unread_datagrams_leave_packets_for_others);
    suite_add_tcase(s, c);
    return s;
}
