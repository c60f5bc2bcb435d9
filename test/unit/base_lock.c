/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lock.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "main.h"

#define THREADS 4
#define STRESS_NS 300000000u

static struct lock lock;
static uint64_t counted; /* under the lock */

START_TEST(one_holder)
{
    ck_assert(lock_try(&lock));
    ck_assert(!lock_try(&lock));
    lock_give(&lock);
    lock_take(&lock);
    ck_assert(!lock_try(&lock));
    lock_give(&lock);
    ck_assert_uint_eq(lock.word, 0);
}
END_TEST

static void *wait_for_it(void *cpu_ns)
{
    struct timespec used;

    lock_take(&lock);
    lock_give(&lock);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    *(uint64_t *)cpu_ns = (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
    return NULL;
}

START_TEST(waiters_sleep)
{
    pthread_t threads[2];
    uint64_t cpu_ns[2];

    lock_take(&lock);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_for_it, &cpu_ns[i]), 0);
    usleep(100000);
    lock_give(&lock);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL); /* each is woken, also the one that slept second */
        ck_assert_uint_lt(cpu_ns[i], 50000000);
    }
}
END_TEST

static void *count(void *done)
{
    uint64_t until = clock_now_ns() + STRESS_NS, mine = 0;
    unsigned seed = (unsigned)(uintptr_t)done;

    while (clock_now_ns() < until) {
        lock_take(&lock);
        uint64_t before = counted;
        for (unsigned i = rand_r(&seed) % 50; i > 0; i--)
            cpu_relax();
        counted = before + 1;
        lock_give(&lock);
        mine++;
        if (rand_r(&seed) % 256 == 0)
            usleep(20);
    }
    *(uint64_t *)done = mine;
    return NULL;
}

START_TEST(nobody_counts_at_once)
{
    pthread_t threads[THREADS];
    uint64_t done[THREADS], sum = 0;

    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count, &done[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += done[i];
    }
    ck_assert_uint_eq(counted, sum);
    ck_assert_uint_gt(sum, 1000);
    ck_assert_uint_eq(lock.word, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("base_lock");
    TCase *tests = tcase_create("lock");

    tcase_set_timeout(tests, 20);
    tcase_add_test(tests, one_holder);
    tcase_add_test(tests, waiters_sleep);
    tcase_add_test(tests, nobody_counts_at_once);
    suite_add_tcase(suite, tests);
    return suite;
}
