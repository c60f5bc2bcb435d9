/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"

#include "main.h"

struct item {
    int number;
    struct list node;
};

static struct list head;
static struct item items[4];

static void set_up(void)
{
    list_init(&head);
    for (int i = 0; i < 4; i++) {
        items[i].number = i;
        list_init(&items[i].node);
    }
}

/* The numbers in the list, in order, as one decimal number: 0, 1, 2 is 1012. */
static int order(struct list *list)
{
    struct item *item;
    int digits = 1, backwards = 1, scale = 10;

    LIST_EACH (item, list, node)
        digits = digits * 10 + item->number;
    for (struct list *node = list->prev; node != list; node = node->prev, scale *= 10)
        backwards += (container_of(node, struct item, node)->number + 9) * (scale / 10);
    ck_assert_int_eq(digits, backwards); /* both directions agree */
    return digits;
}

START_TEST(empty)
{
    ck_assert(list_is_empty(&head));
    ck_assert_ptr_null(list_first(&head));
    ck_assert_ptr_null(list_pop_front(&head));
    ck_assert_int_eq(order(&head), 1);
}
END_TEST

START_TEST(push_pop_remove)
{
    list_push_back(&head, &items[1].node);
    list_push_back(&head, &items[2].node);
    list_push_front(&head, &items[0].node);
    ck_assert_int_eq(order(&head), 1012);
    ck_assert(list_is_linked(&items[1].node));
    list_remove(&items[1].node);
    ck_assert(!list_is_linked(&items[1].node));
    list_remove(&items[1].node); /* not in a list: nothing happens */
    ck_assert_int_eq(order(&head), 102);
    ck_assert_ptr_eq(list_first(&head), &items[0].node);
    ck_assert_ptr_eq(list_pop_front(&head), &items[0].node);
    ck_assert_ptr_eq(list_pop_front(&head), &items[2].node);
    ck_assert(list_is_empty(&head));
}
END_TEST

START_TEST(walk_and_remove)
{
    struct item *item, *following;

    for (int i = 0; i < 4; i++)
        list_push_back(&head, &items[i].node);
    LIST_EACH_SAFE (item, following, &head, node)
        if (item->number % 2 == 0)
            list_remove(&item->node);
    ck_assert_int_eq(order(&head), 113);
    LIST_EACH_SAFE (item, following, &head, node)
        list_remove(&item->node);
    ck_assert(list_is_empty(&head));
}
END_TEST

START_TEST(move_all)
{
    struct list other;

    list_init(&other);
    list_move_all(&head, &other);
    ck_assert(list_is_empty(&head));
    list_push_back(&other, &items[0].node);
    list_push_back(&other, &items[1].node);
    list_move_all(&head, &other);
    ck_assert(list_is_empty(&other));
    ck_assert_int_eq(order(&head), 101);
    list_push_back(&other, &items[2].node);
    list_move_all(&head, &other);
    ck_assert_int_eq(order(&head), 1012);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("base_list");
    TCase *tests = tcase_create("list");

    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, empty);
    tcase_add_test(tests, push_pop_remove);
    tcase_add_test(tests, walk_and_remove);
    tcase_add_test(tests, move_all);
    suite_add_tcase(suite, tests);
    return suite;
}
