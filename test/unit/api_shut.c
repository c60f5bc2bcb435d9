/* SPDX-License-Identifier: Apache-2.0 */
/* One thread sends, another shuts the connection down: what send() took before shutdown() arrives, all of it. */
#define RUN_NOFORK
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "main.h"
#include "on_wire.h"
#include "pronghorn/zerocopy.h"

/* Inline, the other side's stack is turned by the caretaker alone, once in 10 ms. */
#define ROUNDS (TEST_DRIVE[0] == 'i' ? 100 : 3000)
#define PORT 4000

struct sender {
    int fd;
    bool in_place;
    size_t taken;
};

static ssize_t give_one(const struct sender *s)
{
    void *room;

    if (!s->in_place)
        return ph_send(s->fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (ph_send_reserve(s->fd, &room, 1, MSG_DONTWAIT) < 0)
        return -1;
    *(char *)room = 'x';
    return ph_send_commit(s->fd, 1, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
}

static void *send_until_refused(void *argument)
{
    struct sender *s = argument;
    ssize_t n;

    while ((n = give_one(s)) == 1 || errno == EAGAIN)
        s->taken += n == 1;
    ck_assert_int_eq(errno, EPIPE);
    return NULL;
}

static size_t read_to_the_end(int fd)
{
    char data[4096];
    size_t got = 0;
    ssize_t n;

    while ((n = ph_recv(fd, data, sizeof(data), 0)) > 0)
        got += (size_t)n;
    ck_assert_msg(n == 0, "after %zu bytes: %s", got, strerror(errno));
    return got;
}

START_TEST(what_was_taken_arrives)
{
    int server = bound(SOCK_STREAM, "10.0.0.1", PORT);
    struct sockaddr_in to = address("10.0.0.1", PORT);

    ck_assert_int_eq(ph_listen(server, 4), 0);
    for (int i = 0; i < ROUNDS; i++) {
        struct sender s = { .fd = bound(SOCK_STREAM, "10.0.0.2", 0), .in_place = i % 2 };
        pthread_t thread;
        int accepted;
        size_t got;

        ck_assert_msg(ph_connect(s.fd, (void *)&to, sizeof(to)) == 0, "connect: %s", strerror(errno));
        accepted = ph_accept(server, NULL, NULL);
        ck_assert_int_ge(accepted, 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, send_until_refused, &s), 0);
        for (volatile int wait = rand() % 20000; wait > 0; wait--)
            ;
        ck_assert_int_eq(ph_shutdown(s.fd, SHUT_WR), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        got = read_to_the_end(accepted);
        ck_assert_msg(got == s.taken, "round %d: %zu of %zu bytes", i, got, s.taken);
        ck_assert_int_eq(ph_close(s.fd), 0);
        ck_assert_int_eq(ph_close(accepted), 0);
    }
    ck_assert_int_eq(ph_close(server), 0);
}
END_TEST

static void start(void)
{
    start_with({ "tcp.time_wait_ms", "20" }, STACK_EACH);
}

static Suite *suite(void)
{
    Suite *s = suite_create("shut");
    TCase *c = tcase_create("shut");

    tcase_add_unchecked_fixture(c, start, ph_stop);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, what_was_taken_arrives);
    suite_add_tcase(s, c);
    return s;
}
