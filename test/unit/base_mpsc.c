/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mpsc.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "main.h"

#define PRODUCERS 3
#define EACH 50000u

struct item {
    struct mpsc_node node;
    unsigned producer, number;
};

static struct mpsc queue;
static struct item *items[PRODUCERS];
static _Atomic unsigned firsts;

START_TEST(order_and_first)
{
    struct mpsc_node a, b, c;

    mpsc_init(&queue);
    ck_assert(mpsc_is_empty(&queue));
    ck_assert_ptr_null(mpsc_take(&queue));
    ck_assert(mpsc_push(&queue, &a));
    ck_assert(!mpsc_push(&queue, &b));
    ck_assert(!mpsc_push(&queue, &c));
    ck_assert(!mpsc_is_empty(&queue));
    ck_assert_ptr_eq(mpsc_take(&queue), &a);
    ck_assert_ptr_eq(a.next, &b);
    ck_assert_ptr_eq(b.next, &c);
    ck_assert_ptr_null(c.next);
    ck_assert(mpsc_is_empty(&queue));
    ck_assert(mpsc_push(&queue, &b)); /* the first again, and a node can be used again */
    ck_assert_ptr_eq(mpsc_take(&queue), &b);
    ck_assert_ptr_null(b.next);
}
END_TEST

static void *produce(void *argument)
{
    unsigned producer = (unsigned)(uintptr_t)argument;

    for (unsigned i = 0; i < EACH; i++) {
        items[producer][i].producer = producer;
        items[producer][i].number = i;
        if (mpsc_push(&queue, &items[producer][i].node))
            atomic_fetch_add(&firsts, 1);
    }
    return NULL;
}

/* Nothing is lost, each producer's order is kept, and each batch was announced exactly once. */
START_TEST(many_producers)
{
    pthread_t threads[PRODUCERS];
    unsigned next[PRODUCERS] = {0}, batches = 0, taken = 0;

    mpsc_init(&queue);
    for (uintptr_t i = 0; i < PRODUCERS; i++) {
        items[i] = calloc(EACH, sizeof(*items[i]));
        ck_assert_ptr_nonnull(items[i]);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, produce, (void *)i), 0);
    }
    while (taken < PRODUCERS * EACH) {
        struct mpsc_node *node = mpsc_take(&queue);

        if (node)
            batches++;
        else
            cpu_relax();
        while (node) {
            struct item *item = container_of(node, struct item, node);
            node = node->next;
            ck_assert_uint_eq(item->number, next[item->producer]);
            next[item->producer]++;
            taken++;
        }
    }
    for (int i = 0; i < PRODUCERS; i++) {
        pthread_join(threads[i], NULL);
        free(items[i]);
    }
    ck_assert(mpsc_is_empty(&queue));
    ck_assert_uint_eq(atomic_load(&firsts), batches);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("base_mpsc");
    TCase *tests = tcase_create("mpsc");

    tcase_add_test(tests, order_and_first);
    tcase_add_test(tests, many_producers);
    suite_add_tcase(suite, tests);
    return suite;
}
