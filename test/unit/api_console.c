/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console when a stack hangs: it says which, within a bound, goes on with what needs no stack, and
 * nothing of what was asked in vain is left when the stack turns again.
 */
#define RUN_NOFORK
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "main.h"
#include "on_wire.h"
#include "port/burst.h"
#include "pronghorn.h"
#include "stack/group.h"

/* Only bounds a hang. */
#define PATIENCE_S 60

static sem_t hangs, go_on;

static void hang_run(struct rpc *rpc)
{
    sem_post(&hangs);
    sem_wait(&go_on);
    rpc_finish(rpc);
}

static void *hang(void *argument)
{
    struct rpc rpc;

    rpc_init(&rpc, hang_run);
    stack_call(group.stacks[1], &rpc);
    return NULL;
}

static int console(const char *request)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    struct timeval limit = { .tv_sec = PATIENCE_S };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(name.sun_path, sizeof(name.sun_path), "/dev/shm/pronghorn.%d.console", (int)getpid());
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    ck_assert_int_eq(connect(fd, (void *)&name, sizeof(name)), 0);
    ck_assert_int_eq(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
    return fd;
}

/* The answer to a request that ends the conversation. */
static const char *ask(const char *request)
{
    static char answer[65536];
    size_t got = 0;
    ssize_t more;
    int fd = console(request);

    while ((more = recv(fd, answer + got, sizeof(answer) - 1 - got, 0)) > 0)
        got += (size_t)more;
    ck_assert_msg(more == 0, "no answer to %s", request);
    answer[got] = '\0';
    close(fd);
    return answer;
}

static void assert_says(const char *request, const char *expected)
{
    const char *answer = ask(request);

    ck_assert_msg(strstr(answer, expected) != NULL, "%s: %s", request, answer);
}

static bool has_hooks(void)
{
    for (unsigned i = 0; i < group.count; i++)
        if (netif_port_queue(group.stacks[i]->ports[0])->hooks != NULL)
            return true;
    return false;
}

START_TEST(a_stack_that_hangs)
{
    static const char *const of_stacks[] = { "routes\n", "neighbors\n", "set\tkey=stack.spin_us\tvalue=7\n",
                                             "inject\tloss_ppm=1000\n", "inject\toff=1\n", "capture\n" };
    pthread_t thread;

    ck_assert_int_eq(sem_init(&hangs, 0, 0), 0);
    ck_assert_int_eq(sem_init(&go_on, 0, 0), 0);
    assert_says("inject\tdelay_us=1000\n", "\"queues\":2");
    ck_assert_int_eq(pthread_create(&thread, NULL, hang, NULL), 0);
    sem_wait(&hangs);
    for (size_t i = 0; i < ARRAY_SIZE(of_stacks); i++)
        assert_says(of_stacks[i], "stack 1 does not answer");
    assert_says("ping\n", "\"pid\"");
    assert_says("nic\n", "net_ring");
    assert_says("set\tkey=log.level\tvalue=warning\n", "done");

    sem_post(&go_on);
    pthread_join(thread, NULL);
    assert_says("routes\n", "10.0.0.0/24");
    assert_says("neighbors\n", "\"neighbors\"");
    ck_assert(!has_hooks());
    ck_assert_uint_eq(group.stacks[1]->spin_us, 7);
    assert_says("inject\tloss_ppm=1000\n", "\"queues\":2");
    assert_says("inject\toff=1\n", "done");
    ck_assert(!has_hooks());
}
END_TEST

static void start(void)
{
    start_with({ "log.level", "warning" }, STACK_EACH);
}

static Suite *suite(void)
{
    Suite *s = suite_create("console");
    TCase *c = tcase_create("console");

    tcase_add_unchecked_fixture(c, start, ph_stop);
    tcase_set_timeout(c, 300);
    tcase_add_test(c, a_stack_that_hangs);
    suite_add_tcase(s, c);
    return s;
}
