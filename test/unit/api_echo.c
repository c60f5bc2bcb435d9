/* SPDX-License-Identifier: Apache-2.0 */
/* The exported calls end to end: two stacks in this process, joined by a wire. */
#define RUN_NOFORK
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main.h"
#include "on_wire.h"
#include "pronghorn.h"

static int listener(int port)
{
    struct sockaddr_in a = address("10.0.0.1", port);
    int fd = ph_socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ph_bind(fd, (void *)&a, sizeof(a)), 0);
    ck_assert_int_eq(ph_listen(fd, 16), 0);
    return fd;
}

static int dial(int port)
{
    struct sockaddr_in a = address("10.0.0.1", port);
    int fd = ph_socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_msg(ph_connect(fd, (void *)&a, sizeof(a)) == 0, "connect: %s", strerror(errno));
    return fd;
}

static void *echo(void *argument)
{
    int fd = ph_accept(*(int *)argument, NULL, NULL);
    static char buffer[65536];
    ssize_t got;

    ck_assert_int_ge(fd, 0);
    while ((got = ph_recv(fd, buffer, sizeof(buffer), 0)) > 0) {
        for (ssize_t sent = 0, part; sent < got; sent += part) {
            part = ph_send(fd, buffer + sent, (size_t)(got - sent), 0);
            ck_assert_int_gt(part, 0);
        }
    }
    ck_assert_int_eq(got, 0);
    ck_assert_int_eq(ph_close(fd), 0);
    return NULL;
}

START_TEST(tcp_echo_returns_every_byte)
{
    static unsigned char out[3000000], in[3000000];
    int server = listener(7), fd;
    pthread_t thread;
    size_t sent = 0, got = 0;

    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (unsigned char)(i * 2654435761u >> 11);
    ck_assert_int_eq(pthread_create(&thread, NULL, echo, &server), 0);
    fd = dial(7);
    ph_fcntl(fd, F_SETFL, O_NONBLOCK);
    while (got < sizeof(in)) {
        struct pollfd p = { .fd = fd, .events = (short)(POLLIN | (sent < sizeof(out) ? POLLOUT : 0)) };
        ssize_t n;

        ck_assert_int_gt(ph_poll(&p, 1, 10000), 0);
        if (sent < sizeof(out) && (n = ph_send(fd, out + sent, sizeof(out) - sent, 0)) > 0)
            sent += (size_t)n;
        if ((n = ph_recv(fd, in + got, sizeof(in) - got, 0)) > 0)
            got += (size_t)n;
    }
    ck_assert_mem_eq(in, out, sizeof(out));
    ck_assert_int_eq(ph_shutdown(fd, SHUT_WR), 0);
    pthread_join(thread, NULL);
    ph_fcntl(fd, F_SETFL, 0);
    ck_assert_int_eq(ph_recv(fd, in, 1, 0), 0);
    ck_assert_int_eq(ph_close(fd), 0);
    ck_assert_int_eq(ph_close(server), 0);
}
END_TEST

START_TEST(connecting_to_a_closed_port_is_refused)
{
    struct sockaddr_in a = address("10.0.0.1", 9);
    int fd = ph_socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(ph_connect(fd, (void *)&a, sizeof(a)), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    ck_assert_int_eq(ph_close(fd), 0);
}
END_TEST

START_TEST(datagrams_keep_their_boundaries_and_names)
{
    struct sockaddr_in a = address("10.0.0.1", 53), from;
    socklen_t len = sizeof(from);
    int server = ph_socket(AF_INET, SOCK_DGRAM, 0), client = ph_socket(AF_INET, SOCK_DGRAM, 0);
    static char out[20000], in[65536];

    ck_assert_int_eq(ph_bind(server, (void *)&a, sizeof(a)), 0);
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (char)(i * 31);
    for (size_t bytes = 0; bytes <= sizeof(out); bytes = bytes * 2 + 1) {
        ck_assert_int_eq(ph_sendto(client, out, bytes, 0, (void *)&a, sizeof(a)), (ssize_t)bytes);
        ck_assert_int_eq(ph_recvfrom(server, in, sizeof(in), 0, (void *)&from, &len), (ssize_t)bytes);
        ck_assert_mem_eq(in, out, bytes);
        ck_assert_uint_eq(from.sin_addr.s_addr, inet_addr("10.0.0.2"));
        ck_assert_int_eq(ph_sendto(server, in, bytes, 0, (void *)&from, len), (ssize_t)bytes);
        ck_assert_int_eq(ph_recv(client, in, sizeof(in), 0), (ssize_t)bytes);
    }
    ck_assert_int_eq(ph_close(server), 0);
    ck_assert_int_eq(ph_close(client), 0);
}
END_TEST

START_TEST(epoll_tells_of_connections_and_data)
{
    int server = listener(80), ep = ph_epoll_create1(0), fd = dial(80), peer;
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = 42 }, got[4];
    char byte = 'x';

    ck_assert_int_eq(ph_epoll_ctl(ep, EPOLL_CTL_ADD, server, &event), 0);
    ck_assert_int_eq(ph_epoll_ctl(ep, EPOLL_CTL_ADD, server, &event), -1);
    ck_assert_int_eq(errno, EEXIST);
    ck_assert_int_eq(ph_epoll_wait(ep, got, 4, 5000), 1);
    ck_assert_uint_eq(got[0].data.u64, 42);
    peer = ph_accept(server, NULL, NULL);
    event = (struct epoll_event){ .events = EPOLLIN | EPOLLET | EPOLLRDHUP, .data.u64 = 7 };
    ck_assert_int_eq(ph_epoll_ctl(ep, EPOLL_CTL_ADD, peer, &event), 0);
    ck_assert_int_eq(ph_epoll_wait(ep, got, 4, 20), 0);
    ck_assert_int_eq(ph_send(fd, &byte, 1, 0), 1);
    ck_assert_int_eq(ph_epoll_wait(ep, got, 4, 5000), 1);
    ck_assert_uint_eq(got[0].events, EPOLLIN);
    ck_assert_int_eq(ph_epoll_wait(ep, got, 4, 20), 0); /* edge: told once */
    ck_assert_int_eq(ph_close(fd), 0);
    ck_assert_int_eq(ph_epoll_wait(ep, got, 4, 5000), 1);
    ck_assert_uint_eq(got[0].events, EPOLLIN | EPOLLRDHUP);
    ck_assert_int_eq(ph_recv(peer, &byte, 1, 0), 1);
    ck_assert_int_eq(ph_recv(peer, &byte, 1, 0), 0);
    ck_assert_int_eq(ph_close(peer), 0);
    ck_assert_int_eq(ph_close(server), 0);
    ck_assert_int_eq(ph_close(ep), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("exported calls over a wire");
    TCase *c = tcase_create("echo");

    tcase_add_unchecked_fixture(c, start_on_wire, ph_stop);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, connecting_to_a_closed_port_is_refused);
    tcase_add_test(c, tcp_echo_returns_every_byte);
    tcase_add_test(c, datagrams_keep_their_boundaries_and_names);
    tcase_add_test(c, epoll_tells_of_connections_and_data);
    suite_add_tcase(s, c);
    return s;
}
