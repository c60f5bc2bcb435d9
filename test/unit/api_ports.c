/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Port numbers that nobody asked for by number: bind() to port 0 and connect() without bind() give none
 * that another socket has taken, or that a connection in TIME_WAIT would refuse. Two stacks on either
 * side of a wire, and so few numbers that a careless choice meets a taken one.
 */
#define RUN_NOFORK
#include <errno.h>
#include <string.h>

#include "main.h"
#include "on_wire.h"
#include "pronghorn.h"

/* Of "tcp.local_ports", half of which are the client's stack's. */
#define NUMBERS "40000-40039"
#define NUMBERS_OF_STACK 20
#define CLOSED 14
#define LEFT (NUMBERS_OF_STACK - CLOSED)

static int listener(int port)
{
    int fd = bound(SOCK_STREAM, "10.0.0.1", port);

    ck_assert_int_eq(ph_listen(fd, 64), 0);
    return fd;
}

static void connect_to(int fd, int port)
{
    struct sockaddr_in a = address("10.0.0.1", port);

    ck_assert_msg(ph_connect(fd, (void *)&a, sizeof(a)) == 0, "connect: %s", strerror(errno));
}

/* The client's side closes first, and keeps its port in TIME_WAIT. */
static void close_both(int client, int server)
{
    int accepted = ph_accept(server, NULL, NULL);
    char byte;

    ck_assert_int_ge(accepted, 0);
    ck_assert_int_eq(ph_close(client), 0);
    ck_assert_int_eq(ph_recv(accepted, &byte, 1, 0), 0);
    ck_assert_int_eq(ph_close(accepted), 0);
}

START_TEST(every_number_once)
{
    int server = listener(4000), other = listener(4001), early[LEFT / 2], late[LEFT - LEFT / 2], fd;
    struct sockaddr_in a = address("10.0.0.1", 4000);

    for (int i = 0; i < CLOSED; i++) {
        fd = bound(SOCK_STREAM, "10.0.0.2", 0);
        connect_to(fd, 4000);
        close_both(fd, server);
    }
    /* Bound before, connected after the others: those may not take the numbers away. */
    for (int i = 0; i < LEFT / 2; i++)
        early[i] = bound(SOCK_STREAM, "10.0.0.2", 0);
    for (int i = 0; i < LEFT - LEFT / 2; i++) {
        late[i] = ph_socket(AF_INET, SOCK_STREAM, 0);
        connect_to(late[i], 4000);
    }
    for (int i = 0; i < LEFT / 2; i++)
        connect_to(early[i], 4000);
    fd = ph_socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(ph_connect(fd, (void *)&a, sizeof(a)), -1);
    ck_assert_int_eq(errno, EADDRNOTAVAIL);
    ck_assert_int_eq(ph_close(fd), 0);

    /* Each is taken, towards that peer: another one can still be reached. */
    fd = bound(SOCK_STREAM, "10.0.0.2", 0);
    connect_to(fd, 4001);
    ck_assert_int_eq(ph_close(fd), 0);
    for (int i = 0; i < LEFT / 2; i++)
        ck_assert_int_eq(ph_close(early[i]), 0);
    for (int i = 0; i < LEFT - LEFT / 2; i++)
        ck_assert_int_eq(ph_close(late[i]), 0);
    ck_assert_int_eq(ph_close(server), 0);
    ck_assert_int_eq(ph_close(other), 0);
}
END_TEST

static void start(void)
{
    start_with({ "tcp.local_ports", NUMBERS }, STACK_EACH);
}

static Suite *suite(void)
{
    Suite *s = suite_create("ports");
    TCase *c = tcase_create("ports");

    tcase_add_unchecked_fixture(c, start, ph_stop);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, every_number_once);
    suite_add_tcase(s, c);
    return s;
}
