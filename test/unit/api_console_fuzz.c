/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who misuses the console, seeded, half a second at most: random bytes and random requests, lines
 * without an end, requests that come byte by byte, answers that nobody reads, connections in crowds
 * that say nothing. It answers with one line of JSON or hangs up, and goes on (the sanitize build watches).
 */
#define RUN_NOFORK
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "main.h"
#include "on_wire.h"
#include "pronghorn.h"

#define FUZZ_NS 500000000u
#define CROWD 24 /* more than are served at once */
/* Only bounds a hang. */
#define PATIENCE_S 60

static unsigned seed;
static struct sockaddr_un name = { .sun_family = AF_UNIX };

static unsigned below(unsigned limit) { return (unsigned)rand_r(&seed) % limit; }

static int visit(void)
{
    struct timeval limit = { .tv_sec = PATIENCE_S };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
    ck_assert_int_eq(connect(fd, (void *)&name, sizeof(name)), 0);
    return fd;
}

/* (It may have hung up.) */
static void say(int fd, const char *bytes, size_t count, bool slowly)
{
    size_t piece = slowly ? 1 + below(3) : count;

    for (size_t at = 0; at < count; at += piece)
        if (send(fd, bytes + at, piece < count - at ? piece : count - at, MSG_NOSIGNAL) < 0)
            return;
}

static size_t random_request(char *text, size_t room)
{
    static const char *const words[] = {
        "ping", "nic", "routes", "neighbors", "set", "inject", "capture", "log", "key", "value", "filter", "stack",
        "port", "loss_ppm", "delay_us", "rate_bits", "seed", "off", "follow", "snap_bytes", "ring_kib", "recorder",
        "trigger", "log.level", "stack.spin_us", "warning", "tcp port 1 and not (udp", "=", "=1", "=-1", "\t", "\t",
        "\t", "=18446744073709551616", "=999999999999", "\"", "\\", "{", "%s%n", "\xff\xfe", "",
    };
    size_t length = 0;

    for (unsigned n = below(16); n > 0; n--)
        length += (size_t)snprintf(text + length, room - length, "%s", words[below(ARRAY_SIZE(words))]);
    text[length++] = '\n';
    return length;
}

static size_t random_bytes(char *text, size_t room)
{
    size_t length = below(4) == 0 ? room : below(200);

    for (size_t i = 0; i < length; i++)
        text[i] = (char)below(256);
    return length;
}

/* What comes until it hangs up, or the first line: JSON, or nothing. */
static void hear(int fd)
{
    char first;
    ssize_t got = recv(fd, &first, 1, 0);

    ck_assert_msg(got >= 0 || errno == ECONNRESET, "no answer: %s", strerror(errno));
    if (got == 1)
        ck_assert_int_eq(first, '{');
}

START_TEST(goes_on)
{
    const char *given = getenv("PRONGHORN_TEST_SEED");
    uint64_t end_ns = clock_now_ns() + FUZZ_NS;
    char text[10000];
    unsigned rounds = 0;
    int fd;

    seed = given ? (unsigned)atoi(given) : 20260101;
    for (; clock_now_ns() < end_ns; rounds++) {
        size_t length = below(3) ? random_request(text, sizeof(text)) : random_bytes(text, sizeof(text));

        fd = visit();
        say(fd, text, length, below(8) == 0);
        if (below(4) == 0) {
            shutdown(fd, SHUT_WR);
            hear(fd);
        } else if (length > 0 && memchr(text, '\n', length) != NULL && below(2)) {
            hear(fd);
        }
        close(fd);
    }
    ck_assert_uint_gt(rounds, 0);
}
END_TEST

START_TEST(a_crowd_that_says_nothing)
{
    int crowd[CROWD], fd;
    char first = 0;

    for (unsigned i = 0; i < CROWD; i++)
        crowd[i] = visit();
    for (unsigned i = 0; i < CROWD; i++)
        close(crowd[i]);
    do { /* (One that still finds the crowd there is sent away.) */
        fd = visit();
        say(fd, "ping\n", 5, false);
    } while (recv(fd, &first, 1, 0) != 1 && close(fd) == 0);
    ck_assert_int_eq(first, '{');
    close(fd);
}
END_TEST

START_TEST(an_answer_that_nobody_reads)
{
    int deaf = visit(), fd = visit();
    char first = 0;

    say(deaf, "log\tfollow=1\n", 13, false);
    say(fd, "ping\n", 5, false);
    ck_assert_int_eq(recv(fd, &first, 1, 0), 1);
    ck_assert_int_eq(first, '{');
    close(fd);
    close(deaf);
}
END_TEST

START_TEST(for_its_user_alone)
{
    struct stat about;

    ck_assert_int_eq(stat(name.sun_path, &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0600);
    ck_assert_uint_eq(about.st_uid, geteuid());
}
END_TEST

static void start(void)
{
    start_with({ "log.level", "error" }, STACK_EACH);
    snprintf(name.sun_path, sizeof(name.sun_path), "/dev/shm/pronghorn.%d.console", (int)getpid());
}

static Suite *suite(void)
{
    Suite *s = suite_create("console_fuzz");
    TCase *c = tcase_create("console_fuzz");

    tcase_add_unchecked_fixture(c, start, ph_stop);
    tcase_set_timeout(c, 300);
    tcase_add_test(c, for_its_user_alone);
    tcase_add_test(c, goes_on);
    tcase_add_test(c, a_crowd_that_says_nothing);
    tcase_add_test(c, an_answer_that_nobody_reads);
    suite_add_tcase(s, c);
    return s;
}
