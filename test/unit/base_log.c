/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_out.h"
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

/* One place in the code. */
static void often(int i) { log_warn("often %d", i); }

START_TEST(each_place_is_limited)
{
    for (int i = 0; i < 15; i++)
        often(i);
    ck_assert_ptr_nonnull(strstr(said(), "often 9\n"));
    ck_assert_ptr_null(strstr(seen, "often 10"));
    log_warn("another place");
    ck_assert_str_eq(said(), "pronghorn: warning: another place\n");
    log_flush();
    ck_assert_str_eq(said(), "pronghorn: warning: 5 more like \"often %d\" were held back\n");

    for (int i = 0; i < 3; i++) {
        log_warn_limited(60, "seldom %d", i);
        if (i == 1)
            usleep(70000);
    }
    ck_assert_str_eq(said(), "pronghorn: warning: seldom 0\n"
                             "pronghorn: warning: seldom 2 (and 1 more like this)\n");
}
END_TEST

START_TEST(as_json)
{
    unsigned long long sequence;
    unsigned year, pid;
    char rest[100];

    log_set_format(LOG_FORMAT_JSON);
    log_warn("port af_packet va: \"x\"\n");
    ck_assert_int_eq(sscanf(said(), "{\"sequence\":%llu,\"time\":\"%u-%*u-%*uT%*u:%*u:%*u.%*uZ\",\"level\":\"warning\","
                                    "\"message\":\"port af_packet va: \\\"x\\\"\\u000a\",\"pid\":%u,%99s",
                            &sequence, &year, &pid, rest), 4);
    ck_assert_uint_ge(year, 2024);
    ck_assert_uint_eq(pid, (unsigned)getpid());
    ck_assert_ptr_nonnull(strstr(seen, ",\"port\":\"af_packet va\"}\n"));
    log_info("stack 3: is well");
    ck_assert_ptr_nonnull(strstr(said(), ",\"stack\":3}\n"));
}
END_TEST

START_TEST(the_calendar)
{
    static const struct {
        uint64_t seconds;
        const char *time;
    } known[] = {
        { 0, "1970-01-01T00:00:00" },          { 951782400, "2000-02-29T00:00:00" },
        { 1709251199, "2024-02-29T23:59:59" }, { 1735689599, "2024-12-31T23:59:59" },
        { 4107542400, "2100-03-01T00:00:00" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        struct log_entry entry = { .time_ns = known[i].seconds * 1000000000 + 1999, .stack = -1 };
        struct json_out json;
        char expected[60];

        json_out_init(&json, seen, sizeof(seen));
        log_entry_json(&json, &entry);
        snprintf(expected, sizeof(expected), "\"time\":\"%s.000001Z\"", known[i].time);
        ck_assert_msg(strstr(seen, expected) != NULL, "%s: %s", expected, seen);
    }
}
END_TEST

START_TEST(into_a_file)
{
    char path[] = "/tmp/pronghorn-log-XXXXXX", text[200] = "";
    int fd = mkstemp(path);

    log_set_file(path);
    log_warn("a");
    ck_assert_int_eq(unlink(path), 0); /* as who rotates it does */
    log_warn("b");
    ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
    ck_assert_str_eq(text, "pronghorn: warning: a\n");
    close(fd);
    fd = open(path, O_RDONLY);
    ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
    ck_assert_str_eq(text, "pronghorn: warning: b\n");
    unlink(path);
    log_set_file("/no/such/folder");
    log_warn("c");
    ck_assert_str_eq(said(), "pronghorn: warning: log.file: /no/such/folder cannot be opened: No such file or "
                             "directory; messages go to stderr until it can\npronghorn: warning: c\n");
}
END_TEST

static __thread int turn_of = -1;
static int here(void) { return turn_of; }

static void fill_pipe(void)
{
    fcntl(pipe_fds[1], F_SETFL, O_NONBLOCK);
    while (write(pipe_fds[1], ".", 1) == 1)
        ;
    fcntl(pipe_fds[1], F_SETFL, 0);
}

/* All that comes until `text` did. */
static const char *read_until(const char *text)
{
    static char all[1 << 18];
    size_t length = 0;

    while (length == 0 || strstr(all, text) == NULL) {
        ssize_t got = read(pipe_fds[0], all + length, sizeof(all) - 1 - length);

        ck_assert_int_gt(got, 0);
        all[length += (size_t)got] = '\0';
    }
    return all;
}

/* Would the stack's thread wait for the reader, this would never end. */
START_TEST(a_stack_never_waits)
{
    const char *text;
    unsigned lost, told;

    ck_assert_int_eq(log_start(here), 0);
    fill_pipe();
    turn_of = 7;
    for (int i = 0; i < 200; i++)
        log_line(NULL, LOG_LEVEL_WARN, "line %d", i);
    turn_of = -1;
    text = strstr(read_until(" are lost: "), "pronghorn: ");
    for (told = 0; sscanf(text, "pronghorn: warning: line %u\n", &lost) == 1; text = strchr(text, '\n') + 1)
        ck_assert_uint_eq(lost, told++);
    ck_assert_int_eq(sscanf(text, "pronghorn: warning: %u messages of stacks are lost", &lost), 1);
    ck_assert_uint_ge(told, 60);
    ck_assert_uint_eq(told + lost, 200);
    log_stop();
}
END_TEST

START_TEST(a_stack_is_named_and_heard_to_the_end)
{
    ck_assert_int_eq(log_start(here), 0);
    log_set_format(LOG_FORMAT_JSON);
    turn_of = 7;
    log_warn("from a turn");
    turn_of = -1;
    log_stop();
    ck_assert_ptr_nonnull(strstr(said(), "\"message\":\"from a turn\""));
    ck_assert_ptr_nonnull(strstr(seen, "\"stack\":7}"));
    turn_of = 7; /* nobody is there to write for it */
    log_warn("late");
    ck_assert_ptr_nonnull(strstr(said(), "late"));
}
END_TEST

/* Nobody comes back to the place: the writer tells it when the time is over. */
START_TEST(what_is_held_back_is_told_by_itself)
{
    ck_assert_int_eq(log_start(here), 0);
    for (int i = 0; i < 3; i++)
        log_warn_limited(1000, "seldom %d", i);
    ck_assert_str_eq(read_until("held back\n"), "pronghorn: warning: seldom 0\n"
                                                "pronghorn: warning: 2 more like \"seldom %d\" were held back\n");
    log_stop();
}
END_TEST

/* It has no writer, and its parent's messages are its parent's. */
START_TEST(a_forked_child_writes_for_itself)
{
    const char *text;
    int status;
    pid_t child;

    ck_assert_int_eq(log_start(here), 0);
    fill_pipe();
    turn_of = 7;
    log_warn("the parent's");
    child = fork();
    if (child == 0) {
        log_warn("the child's");
        _exit(0);
    }
    turn_of = -1;
    text = read_until("the child's\n");
    if (strstr(text, "the parent's\n") == NULL)
        text = read_until("the parent's\n");
    ck_assert_ptr_null(strstr(strstr(text, "the parent's\n") + 1, "the parent's\n"));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    log_stop();
}
END_TEST

/* In a stack's turn too, and after all that was said before. */
START_TEST(what_ends_the_process_is_written_first)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        ck_assert_int_eq(log_start(here), 0);
        turn_of = 7;
        log_warn("before");
        invariant_failed("1 == 2", "file.c", 3);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WTERMSIG(status), SIGABRT);
    ck_assert_ptr_nonnull(strstr(said(), "before\n"));
    ck_assert_ptr_nonnull(strstr(seen, "invariant broken: 1 == 2 (file.c:3)"));
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
    tcase_add_test(tests, each_place_is_limited);
    tcase_add_test(tests, as_json);
    tcase_add_test(tests, the_calendar);
    tcase_add_test(tests, into_a_file);
    tcase_add_test(tests, a_stack_never_waits);
    tcase_add_test(tests, a_stack_is_named_and_heard_to_the_end);
    tcase_add_test(tests, what_is_held_back_is_told_by_itself);
    tcase_add_test(tests, a_forked_child_writes_for_itself);
    tcase_add_test(tests, what_ends_the_process_is_written_first);
    tcase_add_test_raise_signal(tests, broken_invariant_aborts, SIGABRT);
    tcase_add_test(tests, clock_is_sane);
    suite_add_tcase(suite, tests);
    return suite;
}
