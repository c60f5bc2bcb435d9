/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several threads on one stack, and one thread for several stacks: who sleeps is woken for what comes, whoever turned
 * the stack meanwhile. How long that takes is not measured: what counts is who woke whom.
 */
#define RUN_NOFORK
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kernel_peer.h"
#include "main.h"
#include "on_wire.h"
#include "stats/segment.h"

#define ROUNDS 10
#define TRIPS 200
#define LOADED_ROUNDS 20 /* a machine under load lets a timer come between, but not each time */
#define KERNEL_PORT 80
#define UDP_PORT 9
#define LOADED_S 60 /* of a machine that is busy with other things */
/* Stacks: two on the ends of a wire, two with a port towards the kernel, 10.1.0.2 and 10.2.0.2. */
#define ON_WIRE 0
#define IDLE_PORT 2
#define BUSY_PORT 3

static bool allowed;

static int wait_in_recv(int fd)
{
    return fd;
}

static int wait_in_poll(int fd)
{
    struct pollfd wanted = { .fd = fd, .events = POLLIN };

    ck_assert_int_eq(ph_poll(&wanted, 1, -1), 1);
    return fd;
}

static int wait_in_epoll(int fd)
{
    struct epoll_event event = { .events = EPOLLIN };
    int epoll = ph_epoll_create1(0);

    ck_assert_int_eq(ph_epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
    ck_assert_int_eq(ph_epoll_wait(epoll, &event, 1, -1), 1);
    ph_close(epoll);
    return fd;
}

static int (*const ways[])(int fd) = { wait_in_recv, wait_in_poll, wait_in_epoll };
#define WAYS ARRAY_SIZE(ways)

struct sleeper {
    pthread_t thread;
    int fd, way;
    long switches; /* how often it slept */
};

static void *receive(void *argument)
{
    struct sleeper *self = argument;
    struct rusage before, after;
    ssize_t got;
    char byte;

    getrusage(RUSAGE_THREAD, &before);
    got = ph_recv(ways[self->way](self->fd), &byte, 1, 0);
    getrusage(RUSAGE_THREAD, &after);
    self->switches = after.ru_nvcsw - before.ru_nvcsw;
    return (void *)(intptr_t)(got == 1 ? byte : -1);
}

static void lie_down(struct sleeper *sleeper, unsigned stack)
{
    ck_assert_int_eq(pthread_create(&sleeper->thread, NULL, receive, sleeper), 0);
    for (int i = 0; i < LOADED_S * 1000 && !segment_stack(stack)->sleeping; i++)
        usleep(1000);
    ck_assert(segment_stack(stack)->sleeping);
    usleep(30000); /* no timer of what was before comes between */
}

static void must_wake(struct sleeper *sleeper)
{
    void *got;

    pthread_join(sleeper->thread, &got);
    ck_assert_int_eq((intptr_t)got, 'y');
}

static void put(int fd, const char *what, struct sockaddr_in to)
{
    ck_assert_int_eq(ph_sendto(fd, what, 1, 0, (void *)&to, sizeof(to)), 1);
}

/* A thread of the stack's own wakes for timers all the time. */
static bool callers_drive(void)
{
    return strcmp(TEST_DRIVE, "inline") == 0;
}

/* Timers of lwIP's would wake it within a second; with them the statistics' own comes due. */
START_TEST(who_sleeps_is_woken_after_anothers_turn)
{
    struct sleeper sleeper = { .fd = bound(SOCK_DGRAM, "10.0.0.1", 9), .way = _i };
    int other = bound(SOCK_DGRAM, "10.0.0.1", 10), peer = bound(SOCK_DGRAM, "10.0.0.2", 9);
    bool at_once = false;

    for (int i = 0; i < LOADED_ROUNDS && !at_once; i++) {
        uint64_t timers;

        lie_down(&sleeper, ON_WIRE);
        timers = segment_stack(ON_WIRE)->timers;
        put(other, "x", address("10.0.0.1", 10)); /* to itself: no other stack sees it */
        put(peer, "y", address("10.0.0.1", 9));
        must_wake(&sleeper);
        at_once = segment_stack(ON_WIRE)->timers == timers;
    }
    ck_assert(at_once || !callers_drive());
    ph_close(sleeper.fd);
    ph_close(other);
    ph_close(peer);
}
END_TEST

/* It knows the timers of the moment when it lay down; another thread's turn may have started one since. */
START_TEST(who_sleeps_looks_for_timers_after_anothers_turn)
{
    struct sleeper sleeper = { .fd = bound(SOCK_DGRAM, "10.0.0.1", 9), .way = _i };
    int other = bound(SOCK_DGRAM, "10.0.0.1", 10), peer = bound(SOCK_DGRAM, "10.0.0.2", 9);
    bool at_once = false;

    for (int i = 0; i < LOADED_ROUNDS && !at_once; i++) {
        uint64_t timers, sleeps;

        lie_down(&sleeper, ON_WIRE);
        timers = segment_stack(ON_WIRE)->timers;
        sleeps = segment_stack(ON_WIRE)->sleeps;
        put(other, "x", address("10.0.0.1", 10)); /* to itself: no other stack sees it */
        for (int wait = 0; wait < LOADED_S * 1000 && segment_stack(ON_WIRE)->sleeps == sleeps; wait++)
            usleep(1000);
        at_once = segment_stack(ON_WIRE)->timers == timers;
        put(peer, "y", address("10.0.0.1", 9));
        must_wake(&sleeper);
    }
    ck_assert(at_once || !callers_drive());
    ph_close(sleeper.fd);
    ph_close(other);
    ph_close(peer);
}
END_TEST

static struct sockaddr_in of_port(int n, int port)
{
    char ip[32];

    snprintf(ip, sizeof(ip), "10.%d.0.2", n);
    return address(ip, port);
}

/* The kernel's end of the wires, for as long as ours sleeps. */
static void *speak_to_all(void *argument)
{
    struct sockaddr_in to = of_port(2, KERNEL_PORT), last = of_port(1, UDP_PORT);
    struct timeval patience = { .tv_sec = LOADED_S };
    int fd, failed = 0;

    (void)argument;
    for (int i = 0; i < ROUNDS && !failed; i++) {
        fd = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        failed = connect(fd, (void *)&to, sizeof(to)) == 0 ? 0 : errno;
        close(fd);
    }
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    sendto(fd, "y", 1, 0, (void *)&last, sizeof(last));
    close(fd);
    return (void *)(intptr_t)failed;
}

/* The one thread waits for the first port, and the second's peers are answered all the same. */
START_TEST(one_thread_answers_on_all_its_stacks)
{
    struct sockaddr_in at = of_port(1, UDP_PORT), listen_at = of_port(2, KERNEL_PORT);
    int listener = ph_socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    struct sleeper self = { .fd = ph_socket(AF_INET, SOCK_DGRAM, 0), .way = _i };
    uint64_t before = segment_stack(BUSY_PORT)->turns_caretaker, after;
    pthread_t kernel;
    void *failed;

    if (!allowed)
        return;
    ck_assert_int_eq(ph_setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
    ck_assert_msg(ph_bind(listener, (void *)&listen_at, sizeof(listen_at)) == 0, "bind: %s", strerror(errno));
    ck_assert_int_eq(ph_listen(listener, ROUNDS), 0);
    ck_assert_int_eq(ph_bind(self.fd, (void *)&at, sizeof(at)), 0);
    ck_assert_int_eq(pthread_create(&kernel, NULL, speak_to_all, NULL), 0);
    ck_assert_int_eq((intptr_t)receive(&self), 'y');
    after = segment_stack(BUSY_PORT)->turns_caretaker;
    pthread_join(kernel, &failed);
    ck_assert_msg(failed == NULL, "connect: %s", strerror((int)(intptr_t)failed));
    ck_assert_uint_lt(after - before, ROUNDS / 2);
    ph_close(listener);
    ph_close(self.fd);
}
END_TEST

/* Round trips with the kernel. */
static void *echo_often(void *argument)
{
    int fd = ph_socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = address("10.2.0.1", *(int *)argument);

    for (intptr_t i = 0; i < TRIPS; i++) {
        char byte = 'x';

        if (ph_sendto(fd, &byte, 1, 0, (void *)&to, sizeof(to)) != 1 || ph_recv(fd, &byte, 1, 0) != 1) {
            ph_close(fd);
            return (void *)(i + 1);
        }
        usleep(1000); /* so that whoever is woken by it for nothing gets to run */
    }
    ph_close(fd);
    return NULL;
}

static void *echo_in_kernel(void *argument)
{
    struct sockaddr_in from;
    socklen_t length = sizeof(from);
    char byte;

    while (recvfrom(*(int *)argument, &byte, 1, 0, (void *)&from, &length) == 1 && byte != 'y')
        sendto(*(int *)argument, &byte, 1, 0, (void *)&from, length);
    return NULL;
}

/* Of threads with a stack each, none is woken for the other's. */
START_TEST(each_thread_wakes_for_its_own_stack)
{
    struct sockaddr_in at = of_port(1, UDP_PORT + 1), kernel_at = address("10.2.0.1", UDP_PORT);
    struct sleeper idle = { .fd = ph_socket(AF_INET, SOCK_DGRAM, 0) };
    int kernel_fd = socket(AF_INET, SOCK_DGRAM, 0), end_fd = socket(AF_INET, SOCK_DGRAM, 0), port = UDP_PORT;
    pthread_t kernel, busy;
    void *failed;

    if (!allowed)
        return;
    ck_assert_int_eq(bind(kernel_fd, (void *)&kernel_at, sizeof(kernel_at)), 0);
    ck_assert_int_eq(ph_bind(idle.fd, (void *)&at, sizeof(at)), 0);
    ck_assert_int_eq(pthread_create(&kernel, NULL, echo_in_kernel, &kernel_fd), 0);
    lie_down(&idle, IDLE_PORT);
    ck_assert_int_eq(pthread_create(&busy, NULL, echo_often, &port), 0);
    pthread_join(busy, &failed);
    ck_assert_msg(failed == NULL, "round trip %d failed", (int)(intptr_t)failed);
    sendto(end_fd, "y", 1, 0, (void *)&at, sizeof(at));
    must_wake(&idle);
    sendto(end_fd, "y", 1, 0, (void *)&kernel_at, sizeof(kernel_at));
    pthread_join(kernel, NULL);
    fprintf(stderr, "# %s: the idle thread slept %ld times\n", TEST_DRIVE, idle.switches);
    ck_assert_int_lt(idle.switches, TRIPS / 2);
    ph_close(idle.fd);
    close(kernel_fd);
    close(end_fd);
}
END_TEST

#define WIRE "wire,address=10.0.0.1/24,stacks=0;wire,address=10.0.0.2/24,stacks=1"
#define TO_KERNEL \
    ";af_packet,iface=a1,address=10.1.0.2/24,stacks=2;af_packet,iface=a2,address=10.2.0.2/24,stacks=3"

static void start(void)
{
    allowed = namespace_enter();
    if (allowed) {
        command("ip link set lo up");
        veth_make(1, 1500);
        veth_make(2, 1500);
    }
    start_with({ "stack.count", "4" }, { "stack.caretaker_ms", "1000" }, { "port", allowed ? WIRE TO_KERNEL : WIRE });
}

static Suite *suite(void)
{
    Suite *s = suite_create("attend");
    TCase *c = tcase_create("attend");

    tcase_set_timeout(c, 2 * LOADED_S);
    tcase_add_unchecked_fixture(c, start, ph_stop);
    tcase_add_loop_test(c, who_sleeps_is_woken_after_anothers_turn, 0, (int)WAYS);
    tcase_add_loop_test(c, who_sleeps_looks_for_timers_after_anothers_turn, 0, (int)WAYS);
    tcase_add_loop_test(c, one_thread_answers_on_all_its_stacks, 0, (int)WAYS);
    tcase_add_test(c, each_thread_wakes_for_its_own_stack);
    suite_add_tcase(s, c);
    return s;
}
