/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main() of each C test program: one file, one program, one suite, TAP on stdout. A test file
 * defines `static Suite *suite(void)` and includes this. Check runs each test in a child process, so
 * that a crash is one failed test; a program whose state cannot be forked (DPDK is started in it)
 * defines RUN_NOFORK before the include. Check's own variables work (CK_RUN_CASE=..., CK_FORK=no).
 */
#ifndef TEST_UNIT_MAIN_H
#define TEST_UNIT_MAIN_H

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A program that takes longer hangs. */
#define RUN_SECONDS 300

static Suite *suite(void);

/*
 * Check notes each assertion that held in one file, and jumps out of those that did not: both are for
 * one thread only. In others what holds leaves no note, and what does not ends the program.
 */
static pthread_t main_thread;

static inline int is_main_thread(void)
{
    return pthread_equal(pthread_self(), main_thread);
}

static void __attribute__((noreturn, unused)) fail_in_thread(const char *file, int line, const char *what)
{
    printf("not ok - %s:%d: %s (in a thread of the test)\n", file, line, what);
    fflush(stdout);
    abort();
}

#define _mark_point(file, line) (is_main_thread() ? (_mark_point)(file, line) : (void)0)
#define _ck_assert_failed(file, line, what, ...) \
    (is_main_thread() ? (_ck_assert_failed)(file, line, what, __VA_ARGS__) \
                      : fail_in_thread(file, line, what))

int main(void)
{
    SRunner *runner = srunner_create(suite());
    int failed;

    main_thread = pthread_self();
#ifdef RUN_NOFORK
    srunner_set_fork_status(runner, CK_NOFORK);
    alarm(RUN_SECONDS); /* Check's own limit needs the fork */
#endif
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
