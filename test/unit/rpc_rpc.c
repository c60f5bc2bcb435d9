/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/rpc.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/doorbell.h"
#include "main.h"

#define STRESS_NS 400000000u
#define CALLERS 3

static struct rpc_inbox inbox;
static char order[64];

struct note {
    struct rpc rpc;
    char letter;
};

static void note_run(struct rpc *rpc)
{
    struct note *note = container_of(rpc, struct note, rpc);

    strncat(order, &note->letter, 1);
    rpc_finish(rpc);
}

START_TEST(order_and_budget)
{
    struct note notes[5];

    rpc_inbox_init(&inbox);
    ck_assert(rpc_inbox_is_empty(&inbox));
    ck_assert_uint_eq(rpc_poll(&inbox, 10), 0);
    for (int i = 0; i < 4; i++) {
        notes[i].letter = (char)('a' + i);
        rpc_init(&notes[i].rpc, note_run);
        ck_assert(rpc_post(&inbox, &notes[i].rpc) == (i == 0));
        ck_assert(!rpc_is_done(&notes[i].rpc));
    }
    ck_assert_uint_eq(rpc_poll(&inbox, 0), 0);
    ck_assert_uint_eq(rpc_poll(&inbox, 2), 2);
    ck_assert_str_eq(order, "ab");
    ck_assert(rpc_is_done(&notes[1].rpc) && !rpc_is_done(&notes[2].rpc));
    ck_assert(!rpc_inbox_is_empty(&inbox)); /* the rest counts */
    notes[4].letter = 'e';
    rpc_init(&notes[4].rpc, note_run);
    ck_assert(rpc_post(&inbox, &notes[4].rpc));
    ck_assert_uint_eq(rpc_poll(&inbox, 10), 3);
    ck_assert_str_eq(order, "abcde");
    ck_assert(rpc_inbox_is_empty(&inbox));
    rpc_wait(&notes[4].rpc); /* done already: returns at once */

    rpc_init(&notes[0].rpc, note_run); /* again */
    ck_assert(rpc_post(&inbox, &notes[0].rpc));
    ck_assert_uint_eq(rpc_poll(&inbox, 1), 1);
    ck_assert_str_eq(order, "abcdea");
}
END_TEST

static struct rpc *kept;

static void keep_run(struct rpc *rpc) { kept = rpc; }

static void *finish_late(void *unused)
{
    usleep(100000); /* long after the caller has gone to sleep */
    rpc_finish(kept);
    return unused;
}

/* A call that its run() does not finish: the caller sleeps until somebody does. */
START_TEST(finished_later)
{
    pthread_t finisher;
    struct rpc rpc;
    uint64_t start = clock_now_ns();
    struct timespec before, after;

    rpc_inbox_init(&inbox);
    rpc_init(&rpc, keep_run);
    rpc_post(&inbox, &rpc);
    ck_assert_uint_eq(rpc_poll(&inbox, 10), 1);
    ck_assert(!rpc_is_done(&rpc));
    ck_assert_int_eq(pthread_create(&finisher, NULL, finish_late, NULL), 0);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    rpc_wait(&rpc);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    ck_assert(rpc_is_done(&rpc));
    ck_assert_uint_ge(clock_now_ns() - start, 90000000);
    /* It slept, it did not spin. */
    ck_assert_int_lt((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec,
                     20000000);
    pthread_join(finisher, NULL);
}
END_TEST

static struct doorbell bell;
static _Atomic bool stop;

struct add {
    struct rpc rpc;
    uint64_t a, b, sum;
};

static void add_run(struct rpc *rpc)
{
    struct add *add = container_of(rpc, struct add, rpc);

    add->sum = add->a + add->b;
    rpc_finish(rpc);
}

static void *call(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument + 1;
    uint64_t calls = 0;

    while (!atomic_load(&stop)) {
        /* A new struct on the stack for each call: a late touch of an old one would show. */
        struct add add = {.a = calls, .b = (uintptr_t)argument, .sum = 0};

        rpc_init(&add.rpc, add_run);
        if (rpc_post(&inbox, &add.rpc))
            doorbell_ring(&bell);
        rpc_wait(&add.rpc);
        ck_assert_uint_eq(add.sum, calls + (uintptr_t)argument);
        calls++;
        for (unsigned i = rand_r(&seed) % 300; i > 0; i--)
            cpu_relax();
        if (rand_r(&seed) % 64 == 0)
            usleep(50);
    }
    return (void *)(uintptr_t)calls;
}

/* Callers of all speeds, a stack that sleeps whenever its inbox is empty, small budgets. */
START_TEST(many_callers)
{
    pthread_t threads[CALLERS];
    uint64_t until = clock_now_ns() + STRESS_NS, ran = 0, calls = 0;
    unsigned finished = 0;

    rpc_inbox_init(&inbox);
    ck_assert_int_eq(doorbell_open(&bell), 0);
    for (uintptr_t i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call, (void *)i), 0);
    while (finished < CALLERS) {
        struct pollfd pollfd = {.fd = bell.fd, .events = POLLIN};
        unsigned now = rpc_poll(&inbox, 2);

        ran += now;
        if (now == 0) {
            doorbell_arm(&bell);
            /* The time-out is for the end, when nobody calls any more. */
            if (rpc_inbox_is_empty(&inbox))
                ck_assert(poll(&pollfd, 1, atomic_load(&stop) ? 1 : 5000) == 1 || atomic_load(&stop));
            doorbell_disarm(&bell);
        }
        if (clock_now_ns() > until)
            atomic_store(&stop, true);
        void *result;
        while (atomic_load(&stop) && finished < CALLERS &&
               pthread_tryjoin_np(threads[finished], &result) == 0) {
            calls += (uintptr_t)result;
            finished++;
        }
    }
    doorbell_close(&bell);
    ck_assert_uint_eq(ran, calls);
    ck_assert_uint_gt(calls, 100);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("rpc_rpc");
    TCase *tests = tcase_create("rpc");

    tcase_set_timeout(tests, 20);
    tcase_add_test(tests, order_and_budget);
    tcase_add_test(tests, finished_later);
    tcase_add_test(tests, many_callers);
    suite_add_tcase(suite, tests);
    return suite;
}
