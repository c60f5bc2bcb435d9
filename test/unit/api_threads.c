/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that come and go: what each keeps at hand goes home with it. */
#define RUN_NOFORK
#include <pthread.h>
#include <string.h>

#include "main.h"
#include "on_wire.h"
#include "pronghorn.h"

/* Each thread takes a bundle of 32 chunks: of 256, the eighth would find none if none came home. */
#define THREADS 100

static void *send_one(void *argument)
{
    struct sockaddr_in a = address("10.0.0.1", 9);
    int fd = ph_socket(AF_INET, SOCK_DGRAM, 0);
    ssize_t sent = ph_sendto(fd, "x", 1, MSG_DONTWAIT, (void *)&a, sizeof(a));

    (void)argument;
    ph_close(fd);
    return (void *)(intptr_t)sent;
}

START_TEST(chunks_at_hand_go_home_with_their_thread)
{
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        void *sent;

        ck_assert_int_eq(pthread_create(&thread, NULL, send_one, NULL), 0);
        ck_assert_int_eq(pthread_join(thread, &sent), 0);
        ck_assert_msg((intptr_t)sent == 1, "thread %d could not send", i);
    }
}
END_TEST

static void start(void)
{
    start_with({ "memory.chunks", "256" });
}

static Suite *suite(void)
{
    Suite *s = suite_create("threads");
    TCase *c = tcase_create("coming and going");

    tcase_add_unchecked_fixture(c, start, ph_stop);
    tcase_add_test(c, chunks_at_hand_go_home_with_their_thread);
    suite_add_tcase(s, c);
    return s;
}
