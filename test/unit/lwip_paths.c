/* SPDX-License-Identifier: Apache-2.0 */
/* Path MTUs that routers told of: what is believed, for how long, and what gives way. */
#include "main.h"

#include <stdbool.h>

#include "lwip/paths.h"

#define LINK 1500
#define SECOND UINT64_C(1000000)

static const uint8_t v4[4] = { 10, 1, 0, 9 };
static const uint8_t v6[16] = { 0xfd, 1, [15] = 9 };

START_TEST(test_believed_for_ten_minutes)
{
    struct paths *paths = paths_create();

    ck_assert_uint_eq(paths_find(paths, v4, 4, 1, NULL), 0);
    ck_assert(paths_learn(paths, v4, 4, 1400, LINK, SECOND));
    ck_assert_uint_eq(paths_find(paths, v4, 4, 600 * SECOND, NULL), 1400);
    ck_assert_uint_eq(paths_find(paths, v4, 4, 601 * SECOND, NULL), 0);
    /* The same told again makes it last; more than is known is no news. */
    ck_assert(paths_learn(paths, v4, 4, 1300, LINK, 700 * SECOND));
    ck_assert(paths_learn(paths, v4, 4, 1300, LINK, 1000 * SECOND));
    ck_assert(!paths_learn(paths, v4, 4, 1400, LINK, 1000 * SECOND));
    ck_assert_uint_eq(paths_find(paths, v4, 4, 1500 * SECOND, NULL), 1300);
    /* Nobody else's: the other family has the same first bytes. */
    ck_assert_uint_eq(paths_find(paths, v6, 16, 1500 * SECOND, NULL), 0);
    paths_destroy(paths);
}
END_TEST

START_TEST(test_least)
{
    struct paths *paths = paths_create();
    bool fixed;

    ck_assert(!paths_learn(paths, v4, 4, LINK + 1, LINK, 1));
    ck_assert(!paths_learn(paths, v6, 16, 1279, LINK, 1));
    ck_assert(!paths_learn(paths, v6, 16, 0, LINK, 1));
    ck_assert(!paths_learn(paths, v6, 16, LINK, LINK, 1));
    ck_assert(paths_learn(paths, v6, 16, 1280, LINK, 1));
    ck_assert_uint_eq(paths_find(paths, v6, 16, 1, &fixed), 1280);
    ck_assert(!fixed);
    /* RFC 1191 6: routers of old say 0. As Linux: 552, cut on the way, until it is over. */
    ck_assert(paths_learn(paths, v4, 4, 0, LINK, 1));
    ck_assert_uint_eq(paths_find(paths, v4, 4, 1, &fixed), 552);
    ck_assert(fixed);
    ck_assert(!paths_learn(paths, v4, 4, 400, LINK, 1));
    ck_assert(!paths_learn(paths, v4, 4, 552, LINK, 1));
    paths_destroy(paths);
}
END_TEST

START_TEST(test_oldest_gives_way)
{
    struct paths *paths = paths_create();
    unsigned kept = 0;

    for (unsigned i = 0; i < 10000; i++)
        ck_assert(paths_learn(paths, &i, 4, 1400, LINK, i));
    for (unsigned i = 0; i < 10000; i++)
        kept += paths_find(paths, &i, 4, 10000, NULL) == 1400;
    ck_assert_uint_gt(kept, 128);
    ck_assert_uint_le(kept, 256);
    ck_assert_uint_eq(paths_find(paths, &(unsigned){ 9999 }, 4, 10000, NULL), 1400);
    paths_destroy(paths);
}
END_TEST

START_TEST(test_without_a_table)
{
    ck_assert(!paths_learn(NULL, v4, 4, 1400, LINK, 1));
    ck_assert_uint_eq(paths_find(NULL, v4, 4, 1, NULL), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("lwip_paths");
    TCase *tcase = tcase_create("paths");

    tcase_add_test(tcase, test_believed_for_ten_minutes);
    tcase_add_test(tcase, test_least);
    tcase_add_test(tcase, test_oldest_gives_way);
    tcase_add_test(tcase, test_without_a_table);
    suite_add_tcase(suite, tcase);
    return suite;
}
