/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "main.h"

static int pipe_fds[2];
static char seen[8192];

static void set_up(void)
{
    ck_assert_int_eq(pipe(pipe_fds), 0);
    ck_assert_int_ge(dup2(pipe_fds[1], STDERR_FILENO), 0);
}

/* What was written to stderr since the last call. */
static const char *said(void)
{
    ssize_t length;

    ck_assert_int_eq(write(pipe_fds[1], "", 1), 1); /* so that the read does not wait */
    length = read(pipe_fds[0], seen, sizeof(seen));
    ck_assert_int_gt(length, 0);
    return seen;
}

START_TEST(levels)
{
    log_error("a %d", 1);
    log_warn("b");
    log_info("c");
    log_debug("d");
    ck_assert_str_eq(said(), "pronghorn: error: a 1\npronghorn: warning: b\npronghorn: info: c\n");
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("b");
    log_error("a");
    ck_assert_str_eq(said(), "pronghorn: error: a\n");
    log_set_level(LOG_LEVEL_DEBUG);
    ck_assert(log_is_on(LOG_LEVEL_DEBUG));
    log_debug("d");
    ck_assert_str_eq(said(), "pronghorn: debug: d\n");
}
END_TEST

static int evaluated(int *count) { return ++*count; }

START_TEST(debug_arguments_cost_nothing_when_off)
{
    int count = 0;

    log_debug("%d", evaluated(&count));
    ck_assert_int_eq(count, 0);
}
END_TEST

START_TEST(long_lines_are_cut)
{
    char text[3000];
    size_t length;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_error("%s", text);
    length = strlen(said());
    ck_assert_uint_eq(length, 1024);
    ck_assert_str_eq(seen + length - 5, "x...\n");
    /* One that fits exactly is not marked as cut. */
    text[1024 - 1 - strlen("pronghorn: error: ")] = '\0';
    log_error("%s", text);
    ck_assert_uint_eq(strlen(said()), 1024);
    ck_assert_str_eq(seen + 1024 - 3, "xx\n");
}
END_TEST

START_TEST(errno_is_kept)
{
    close(STDERR_FILENO);
    errno = ENOTTY;
    log_error("nobody listens");
    ck_assert_int_eq(errno, ENOTTY);
}
END_TEST

START_TEST(limited)
{
    static struct log_limit limit;
    uint32_t held_back = 99;

    ck_assert(log_limit_pass(&limit, 50, &held_back));
    ck_assert_uint_eq(held_back, 0);
    ck_assert(!log_limit_pass(&limit, 50, &held_back));
    ck_assert(!log_limit_pass(&limit, 50, &held_back));
    usleep(60000);
    ck_assert(log_limit_pass(&limit, 50, &held_back));
    ck_assert_uint_eq(held_back, 2);

    for (int i = 0; i < 3; i++) {
        log_warn_limited(60, "often %d", i);
        if (i == 1)
            usleep(70000);
    }
    ck_assert_str_eq(said(), "pronghorn: warning: often 0\n"
                             "pronghorn: warning: often 2 (and 1 more like this)\n");
}
END_TEST

START_TEST(broken_invariant_aborts) { invariant_failed("1 == 2", "file.c", 3); }
END_TEST

START_TEST(clock_is_sane)
{
    uint64_t ns = clock_now_ns(), tsc = clock_tsc(), hz = clock_tsc_hz();

    usleep(20000);
    ns = clock_now_ns() - ns;
    tsc = clock_tsc() - tsc;
    ck_assert_uint_ge(ns, 20000000);
    /* Within 5 %: between the two readings of a pair the thread may be put off its core. */
    double ratio = (double)tsc / (double)hz * 1e9 / (double)ns;
    ck_assert_msg(ratio > 0.95 && ratio < 1.05, "%g", ratio);
    ck_assert_uint_eq(clock_tsc_hz(), hz);
    ck_assert_uint_eq(clock_us_to_tsc(1000000), hz / 1000 * 1000);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("base_log");
    TCase *tests = tcase_create("log");

    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, levels);
    tcase_add_test(tests, debug_arguments_cost_nothing_when_off);
    tcase_add_test(tests, long_lines_are_cut);
    tcase_add_test(tests, errno_is_kept);
    tcase_add_test(tests, limited);
    tcase_add_test_raise_signal(tests, broken_invariant_aborts, SIGABRT);
    tcase_add_test(tests, clock_is_sane);
    suite_add_tcase(suite, tests);
    return suite;
}
