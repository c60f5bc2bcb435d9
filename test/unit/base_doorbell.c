/* SPDX-License-Identifier: Apache-2.0 */
/* The doorbell wakes whoever sleeps, always, and leaves no noise behind. */
#include "base/doorbell.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mpsc.h"
#include "main.h"

#define STRESS_NS 400000000u

static struct doorbell bell;

static void set_up(void) { ck_assert_int_eq(doorbell_open(&bell), 0); }
static void tear_down(void) { doorbell_close(&bell); }

static bool is_readable(void)
{
    struct pollfd pollfd = {.fd = bell.fd, .events = POLLIN};

    return poll(&pollfd, 1, 0) == 1;
}

START_TEST(quiet_unless_armed)
{
    ck_assert_int_eq(fcntl(bell.fd, F_GETFD), FD_CLOEXEC);
    doorbell_ring(&bell);
    ck_assert(!is_readable());
    doorbell_arm(&bell);
    ck_assert(!is_readable());
    doorbell_ring(&bell);
    doorbell_ring(&bell);
    ck_assert(is_readable());
    doorbell_disarm(&bell);
    ck_assert(!is_readable());
    doorbell_ring(&bell);
    ck_assert(!is_readable());
}
END_TEST

START_TEST(disarm_without_ring)
{
    for (int i = 0; i < 3; i++) {
        doorbell_arm(&bell);
        doorbell_disarm(&bell);
        doorbell_disarm(&bell);
    }
    ck_assert_uint_eq(bell.owed, 0);
    ck_assert(!is_readable());
}
END_TEST

/* As an event loop does that arms before each sleep and finds out later that it was rung. */
START_TEST(armed_repeatedly)
{
    doorbell_arm(&bell);
    doorbell_ring(&bell);
    doorbell_arm(&bell);
    ck_assert(is_readable());
    doorbell_ring(&bell);
    doorbell_arm(&bell);
    doorbell_disarm(&bell);
    ck_assert(!is_readable());
    ck_assert_uint_eq(bell.owed, 0);
}
END_TEST

/* A producer that claimed the word but writes only after the sleeper has disarmed. */
START_TEST(late_write_is_drained_later)
{
    const uint64_t one = 1;

    doorbell_arm(&bell);
    ck_assert_uint_eq(atomic_exchange(&bell.armed, 0), 1); /* the claim */
    doorbell_disarm(&bell);
    ck_assert_uint_eq(bell.owed, 1);
    ck_assert_int_eq(write(bell.fd, &one, sizeof(one)), sizeof(one)); /* the late write */
    doorbell_arm(&bell);
    ck_assert(is_readable()); /* one early wake-up... */
    doorbell_disarm(&bell);
    ck_assert(!is_readable()); /* ...and then silence */
    ck_assert_uint_eq(bell.owed, 0);
}
END_TEST

struct message {
    struct mpsc_node node;
};

static struct mpsc queue;
static struct message messages[3];
static _Atomic uint32_t busy[3]; /* the message is in the queue */
static _Atomic bool stop;
static _Atomic uint64_t sent;

static void *produce(void *argument)
{
    uintptr_t me = (uintptr_t)argument;
    unsigned seed = (unsigned)me + 1;

    while (!atomic_load(&stop)) {
        if (atomic_exchange(&busy[me], 1) == 0) {
            bool first = mpsc_push(&queue, &messages[me].node);
            atomic_fetch_add(&sent, 1);
            if (first)
                doorbell_ring(&bell);
        }
        /* Pauses of all lengths, so that pushes meet each moment of the sleeper. */
        for (unsigned i = rand_r(&seed) % 500; i > 0; i--)
            cpu_relax();
        if (rand_r(&seed) % 64 == 0)
            usleep(50);
    }
    return NULL;
}

/* With a lost wake-up the poll below would run into its time-out while a message waits. */
START_TEST(no_wake_up_is_lost)
{
    pthread_t threads[3];
    uint64_t until = clock_now_ns() + STRESS_NS, got = 0, sleeps = 0;

    mpsc_init(&queue);
    for (uintptr_t i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, produce, (void *)i), 0);
    while (clock_now_ns() < until) {
        struct pollfd pollfd = {.fd = bell.fd, .events = POLLIN};
        struct mpsc_node *node = mpsc_take(&queue);

        for (; node; got++) {
            size_t index = (size_t)(container_of(node, struct message, node) - messages);
            node = node->next;
            atomic_store(&busy[index], 0);
        }
        doorbell_arm(&bell);
        if (mpsc_is_empty(&queue)) {
            sleeps++;
            bool rang = poll(&pollfd, 1, 5000) == 1;
            ck_assert_msg(rang, "slept for 5 s, queue %s", mpsc_is_empty(&queue) ? "empty" : "not empty");
        }
        doorbell_disarm(&bell);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (struct mpsc_node *node = mpsc_take(&queue); node; node = node->next)
        got++;
    ck_assert_uint_eq(got, atomic_load(&sent));
    ck_assert_uint_gt(sleeps, 10);
    doorbell_arm(&bell);
    doorbell_disarm(&bell); /* now that all late writes have come */
    ck_assert_uint_eq(bell.owed, 0);
    ck_assert(!is_readable());
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("base_doorbell");
    TCase *tests = tcase_create("doorbell");

    tcase_set_timeout(tests, 20);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, quiet_unless_armed);
    tcase_add_test(tests, disarm_without_ring);
    tcase_add_test(tests, armed_repeatedly);
    tcase_add_test(tests, late_write_is_drained_later);
    tcase_add_test(tests, no_wake_up_is_lost);
    suite_add_tcase(suite, tests);
    return suite;
}
