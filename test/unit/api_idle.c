/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An idle process sleeps: how often its threads wake in two seconds of silence, counted by the kernel
 * (voluntary context switches of the whole process) and by the stacks themselves. No time is measured:
 * on a machine of any load the number of wakes has the same bound.
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/resource.h>

#include "base/compiler.h"
#include "main.h"
#include "pronghorn.h"
#include "stats/segment.h"

#define SECONDS 2
/* Timers of lwIP and others that may come due meanwhile: neighbours, groups, link, the console's. */
#define TIMERS_PER_SECOND 15
/* What looks in now and then: the caretaker of inline stacks, stack.caretaker_ms. */
#define CARETAKER_MS 20
#define CARETAKER_PER_SECOND (strcmp(TEST_DRIVE, "inline") == 0 ? 1000 / CARETAKER_MS : 0)

static void start(const char *port)
{
    char caretaker[16];
    const struct ph_setting settings[] = {
        { "memory.hugepages", "off" }, { "stack.drive", TEST_DRIVE },  { "fd.numbers", TEST_NUMBERS },
        { "port", port },              { "stack.caretaker_ms", caretaker },
    };

    snprintf(caretaker, sizeof(caretaker), "%d", CARETAKER_MS);
    ck_assert_msg(ph_init(settings, ARRAY_SIZE(settings)) == 0, "%s", ph_error());
}

struct wakes {
    uint64_t process, turns, sleeps;
};

static struct wakes wakes_now(unsigned stacks)
{
    struct wakes now = { 0 };
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    now.process = (uint64_t)used.ru_nvcsw;
    for (unsigned i = 0; i < stacks; i++) {
        now.turns += segment_stack(i)->turns;
        now.sleeps += segment_stack(i)->sleeps;
    }
    return now;
}

/* At most so many wakes a second for each stack; a dedicated one makes two turns for each. */
static void check_idle(unsigned stacks, unsigned per_second)
{
    struct wakes before, after;
    unsigned bound = (per_second * stacks + CARETAKER_PER_SECOND) * SECONDS;

    usleep(1500000); /* links come up, neighbours are looked for, the last naps grow */
    before = wakes_now(stacks);
    usleep(SECONDS * 1000000);
    after = wakes_now(stacks);
    fprintf(stderr, "# %s: in %d s %lu wakes of the process, %lu turns, %lu sleeps\n", TEST_DRIVE, SECONDS,
           after.process - before.process, after.turns - before.turns, after.sleeps - before.sleeps);
    ck_assert_uint_le(after.process - before.process, bound);
    ck_assert_uint_le(after.sleeps - before.sleeps, bound);
    ck_assert_uint_le(after.turns - before.turns, 2 * bound);
}

START_TEST(a_wire)
{
    start("");
    check_idle(2, TIMERS_PER_SECOND);
    ph_stop();
}
END_TEST

/* Nothing can come, and nothing can wake it: only the link's return is to be noticed. */
START_TEST(a_port_whose_peer_is_not_there)
{
    char line[128], path[64];

    snprintf(path, sizeof(path), "/tmp/api_idle.%d", getpid());
    snprintf(line, sizeof(line), "%s,path=%s,address=10.0.0.1/24", _i ? "memif,role=server" : "vhost", path);
    start(line);
    check_idle(1, 1000 / 50 + TIMERS_PER_SECOND);
    ph_stop();
    unlink(path);
}
END_TEST

/* A listener and a socket that waits in epoll are no reason to wake. */
START_TEST(sockets_that_wait)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(80) };
    int fd, udp;

    start("");
    fd = ph_socket(AF_INET, SOCK_STREAM, 0);
    udp = ph_socket(AF_INET, SOCK_DGRAM, 0);
    ck_assert_int_eq(ph_bind(fd, (void *)&a, sizeof(a)), 0);
    ck_assert_int_eq(ph_listen(fd, 10), 0);
    ck_assert_int_eq(ph_bind(udp, (void *)&a, sizeof(a)), 0);
    check_idle(2, TIMERS_PER_SECOND);
    ph_close(fd);
    ph_close(udp);
    ph_stop();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("api_idle");
    TCase *t = tcase_create("idle");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_wire);
    tcase_add_loop_test(t, a_port_whose_peer_is_not_there, 0, 2);
    tcase_add_test(t, sockets_that_wait);
    suite_add_tcase(s, t);
    return s;
}
