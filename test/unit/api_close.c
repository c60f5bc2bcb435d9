/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds once close() has returned, and at the moment when it does: two stacks on either side of
 * a wire, so that each socket has ends on more than one. Thousands of rounds: each looks for a race
 * of the caller with the stacks' threads.
 */
#define RUN_NOFORK
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "main.h"
#include "on_wire.h"
#include "pronghorn.h"

/* Inline, the other side's stacks are turned by the caretaker alone, once in 10 ms. */
#define ROUNDS (TEST_DRIVE[0] == 'i' ? 80 : 2000)

static int port_of(int fd)
{
    struct sockaddr_in a;
    socklen_t len = sizeof(a);

    ck_assert_int_eq(ph_getsockname(fd, (void *)&a, &len), 0);
    return ntohs(a.sin_port);
}

START_TEST(a_closed_listener_refuses)
{
    for (int i = 0; i < ROUNDS; i++) {
        int server = bound(SOCK_STREAM, i & 1 ? "10.0.0.1" : "0.0.0.0", i & 2 ? 0 : 4000), client;
        struct sockaddr_in a = address("10.0.0.1", port_of(server));

        ck_assert_msg(ph_listen(server, 4) == 0, "listen: %s", strerror(errno));
        ck_assert_int_eq(ph_close(server), 0);
        client = ph_socket(AF_INET, SOCK_STREAM, 0);
        ck_assert_msg(ph_connect(client, (void *)&a, sizeof(a)) == -1, "connected in round %d", i);
        ck_assert_msg(errno == ECONNREFUSED, "%s in round %d", strerror(errno), i);
        ck_assert_int_eq(ph_close(client), 0);
    }
}
END_TEST

START_TEST(a_port_that_refuses_tells_who_does_not_wait)
{
    struct sockaddr_in a = address("10.0.0.1", 4001);

    for (int i = 0; i < ROUNDS; i++) {
        int client = ph_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), error = 0;
        struct pollfd p = { .fd = client, .events = POLLOUT };
        socklen_t len = sizeof(error);

        ck_assert_int_eq(ph_connect(client, (void *)&a, sizeof(a)), -1);
        ck_assert_int_eq(errno, EINPROGRESS);
        ck_assert_int_eq(ph_poll(&p, 1, 10000), 1);
        if (i & 1) {
            ck_assert_int_eq(ph_getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &len), 0);
            ck_assert_int_eq(error, ECONNREFUSED);
        } else {
            ck_assert_int_eq(ph_connect(client, (void *)&a, sizeof(a)), -1);
            ck_assert_msg(errno == ECONNREFUSED, "%s in round %d", strerror(errno), i);
        }
        ck_assert_int_eq(ph_close(client), 0);
    }
}
END_TEST

static _Atomic bool stop_rivals;

/* Wants the port as well. Once bind() has said yes, listen() may not say no. The first errno that
 * should not be, or NULL (Check's assertions are for one thread). */
static void *rival(void *argument)
{
    int wrong = 0;
    const int *port = argument;
    struct sockaddr_in a = address("10.0.0.1", *port);

    while (!atomic_load(&stop_rivals)) {
        int fd = ph_socket(AF_INET, SOCK_STREAM, 0);

        if (ph_bind(fd, (void *)&a, sizeof(a)) == 0)
            wrong = ph_listen(fd, 4) == 0 || wrong ? wrong : errno;
        else if (errno != EADDRINUSE)
            wrong = errno;
        ph_close(fd);
    }
    return (void *)(intptr_t)wrong;
}

START_TEST(a_port_is_free_when_it_can_be_listened_on)
{
    static int port = 4002;
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, rival, &port), 0);
    sleep(1);
    atomic_store(&stop_rivals, true);
    for (int i = 0; i < 2; i++) {
        void *wrong = NULL;

        pthread_join(threads[i], &wrong);
        ck_assert_msg(wrong == NULL, "errno %d", (int)(intptr_t)wrong);
    }
}
END_TEST

START_TEST(a_port_can_be_bound_after_close)
{
    for (int i = 0; i < ROUNDS; i++) {
        int type = i & 1 ? SOCK_DGRAM : SOCK_STREAM, fd = bound(type, i & 2 ? "10.0.0.1" : "0.0.0.0", 4003);

        if (type == SOCK_STREAM)
            ck_assert_msg(ph_listen(fd, 4) == 0, "listen: %s", strerror(errno));
        ck_assert_int_eq(ph_close(fd), 0);
    }
}
END_TEST

START_TEST(what_was_sent_before_close_arrives)
{
    int server = bound(SOCK_DGRAM, "10.0.0.1", 4004);
    struct sockaddr_in a = address("10.0.0.1", 4004);
    struct timeval limit = { .tv_sec = 10 };
    char in[2000], out[2000] = { 0 };

    ck_assert_int_eq(ph_setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    for (int i = 0; i < ROUNDS; i++) {
        int client = ph_socket(AF_INET, SOCK_DGRAM, 0);
        ssize_t bytes = i & 1 ? 1200 : 64;

        out[0] = (char)i;
        if (i % 16 == 0)
            usleep(200); /* asleep, a stack meets both calls at once */
        ck_assert_int_eq(ph_sendto(client, out, (size_t)bytes, 0, (void *)&a, sizeof(a)), bytes);
        ck_assert_int_eq(ph_close(client), 0);
        ck_assert_msg(ph_recv(server, in, sizeof(in), 0) == bytes, "round %d: %s", i, strerror(errno));
        ck_assert_int_eq(in[0], (char)i);
    }
    ck_assert_int_eq(ph_close(server), 0);
}
END_TEST

START_TEST(a_closed_datagram_socket_is_unreachable)
{
    struct timeval limit = { .tv_sec = 10 };
    char byte = 0;

    for (int i = 0; i < ROUNDS / 4; i++) {
        int server = bound(SOCK_DGRAM, i & 1 ? "10.0.0.1" : "0.0.0.0", 4005);
        int client = ph_socket(AF_INET, SOCK_DGRAM, 0);
        struct sockaddr_in a = address("10.0.0.1", 4005);

        ck_assert_int_eq(ph_connect(client, (void *)&a, sizeof(a)), 0);
        ck_assert_int_eq(ph_setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
        ck_assert_int_eq(ph_close(server), 0);
        ck_assert_int_eq(ph_send(client, &byte, 1, 0), 1);
        ck_assert_int_eq(ph_recv(client, &byte, 1, 0), -1);
        ck_assert_msg(errno == ECONNREFUSED, "%s in round %d", strerror(errno), i);
        ck_assert_int_eq(ph_close(client), 0);
    }
}
END_TEST

/* What is sent before the link is seen and the neighbour is known may be lost. */
static void wait_for_the_way(void)
{
    struct sockaddr_in a = address("10.0.0.1", 4000);
    int fd = ph_socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(ph_connect(fd, (void *)&a, sizeof(a)), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    ck_assert_int_eq(ph_close(fd), 0);
}

static void start(void)
{
    start_with(TWO_STACKS_EACH);
    wait_for_the_way();
}

static int descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* With room for none of the descriptors that it needs, for one, and so on. */
START_TEST(an_epoll_that_cannot_be_made_leaves_nothing)
{
    struct rlimit as_was, limit;
    int before = descriptors(), lowest = dup(0), failed = 0, ep;

    ck_assert_int_ge(lowest, 0);
    close(lowest);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &as_was), 0);
    limit = as_was;
    for (int room = 0; room < 8; room++) {
        limit.rlim_cur = (rlim_t)(lowest + room);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        ep = ph_epoll_create1(0);
        if (ep >= 0) {
            ck_assert_int_eq(ph_close(ep), 0);
            break;
        }
        ck_assert_int_eq(errno, EMFILE);
        failed++;
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &as_was), 0);
    ck_assert_int_ge(failed, 2);
    ck_assert_int_eq(descriptors(), before);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("closing");
    TCase *c = tcase_create("close");

    tcase_add_unchecked_fixture(c, start, ph_stop);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_closed_listener_refuses);
    tcase_add_test(c, a_port_that_refuses_tells_who_does_not_wait);
    tcase_add_test(c, a_port_is_free_when_it_can_be_listened_on);
    tcase_add_test(c, a_port_can_be_bound_after_close);
    tcase_add_test(c, what_was_sent_before_close_arrives);
    tcase_add_test(c, a_closed_datagram_socket_is_unreachable);
    tcase_add_test(c, an_epoll_that_cannot_be_made_leaves_nothing);
    suite_add_tcase(s, c);
    return s;
}
