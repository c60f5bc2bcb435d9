/* SPDX-License-Identifier: Apache-2.0 */
/* MSG_MORE against the stack's own time: what it holds back is held from the moment it can be seen. */
#define RUN_NOFORK
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "main.h"
#include "on_wire.h"
#include "pronghorn/zerocopy.h"

#define ROUNDS 5000
#define HELD_NS 100000000 /* half of what it is held: a thread that the machine put aside proves nothing */

/* Answers each pair of bytes with the number of those that came first. */
static void *answer(void *argument)
{
    int fd = *(int *)argument;
    char bytes[16], first;
    ssize_t n;

    while ((n = ph_recv(fd, bytes, sizeof(bytes), 0)) > 0) {
        first = (char)n;
        if (n == 1 && ph_recv(fd, bytes, 1, 0) != 1)
            break;
        if (ph_send(fd, &first, 1, 0) != 1)
            break;
    }
    return NULL;
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void by_send(int fd, char byte, int flags)
{
    ck_assert_int_eq(ph_send(fd, &byte, 1, flags), 1);
}

static void by_commit(int fd, char byte, int flags)
{
    void *room;

    ck_assert_int_eq(ph_send_reserve(fd, &room, 1, 0), 0);
    memcpy(room, &byte, 1);
    ck_assert_int_eq(ph_send_commit(fd, 1, flags, NULL, 0), 1);
}

static void pairs(void (*put)(int fd, char byte, int flags))
{
    struct sockaddr_in a = address("10.0.0.1", 7001);
    int listening = ph_socket(AF_INET, SOCK_STREAM, 0), client = ph_socket(AF_INET, SOCK_STREAM, 0), server, on = 1;
    int early = 0;
    pthread_t thread;

    ph_setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    ck_assert_int_eq(ph_bind(listening, (void *)&a, sizeof(a)), 0);
    ck_assert_int_eq(ph_listen(listening, 1), 0);
    ck_assert_int_eq(ph_connect(client, (void *)&a, sizeof(a)), 0);
    server = ph_accept(listening, NULL, NULL);
    ck_assert_int_ge(server, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, answer, &server), 0);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t start = now_ns(), until;
        char first;

        put(client, 'a', MSG_MORE);
        for (until = now_ns() + (uint64_t)(i % 4) * 500; now_ns() < until;)
            ;
        put(client, 'b', 0);
        start = now_ns() - start;
        ck_assert_int_eq(ph_recv(client, &first, 1, 0), 1);
        early += first != 2 && start < HELD_NS;
    }
    ph_shutdown(client, SHUT_WR);
    pthread_join(thread, NULL);
    ph_close(client);
    ph_close(server);
    ph_close(listening);
    ck_assert_msg(early == 0, "%d of %d left too early", early, ROUNDS);
}

START_TEST(sent)
{
    pairs(by_send);
}
END_TEST

START_TEST(committed)
{
    pairs(by_commit);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("more");
    TCase *c = tcase_create("pairs");

    tcase_add_unchecked_fixture(c, start_on_wire, ph_stop);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, sent);
    tcase_add_test(c, committed);
    suite_add_tcase(s, c);
    return s;
}
