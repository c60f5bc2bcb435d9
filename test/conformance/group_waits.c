/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting: epolls in epolls, signals and their masks, what closes meanwhile, large sets, short times. */
#include "harness.h"

#include <sys/resource.h>

const char group_name[] = "waits";

#define ADD EPOLL_CTL_ADD
#define MOD EPOLL_CTL_MOD
#define DEL EPOLL_CTL_DEL

static int control(int ep, int op, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = { .events = events, .data.u64 = data };

    return sys.epoll_ctl(ep, op, fd, &event);
}

static void send_later(void *fd)
{
    sys.send(*(int *)fd, "x", 1, 0);
}

static void close_later(void *fd)
{
    sys.close(*(int *)fd);
}

/* ---- epolls in epolls ---- */

static void nested_wakes(void)
{
    struct pair p = tcp_pair(AF_INET);
    int inner = sys.epoll_create1(0), middle = sys.epoll_create1(0), outer = sys.epoll_create1(0);
    struct pollfd look = { .fd = middle, .events = POLLIN };

    control(inner, ADD, p.server, EPOLLIN, 1);
    SAY(control(middle, ADD, inner, EPOLLIN, 2));
    SAY(control(outer, ADD, middle, EPOLLIN | EPOLLET, 3));
    later(30, send_later, &p.client);
    SAY_EPOLL(outer, 4000);
    join();
    SAY_EPOLL(outer, 0); /* told once */
    SAY_EPOLL(middle, 0);
    SAY_EPOLL(middle, 0);
    SAY_RECV(p.server, 10, 0);
    SAY_EPOLL(middle, 0);
    SAY(sys.poll(&look, 1, 20));
    later(30, send_later, &p.client);
    SAY(sys.poll(&look, 1, 4000));
    join();
    SAY_EPOLL(outer, 1000);
    SAY(control(outer, MOD, middle, EPOLLIN | EPOLLONESHOT, 4));
    SAY_EPOLL(outer, 0);
    SAY_EPOLL(outer, 0);
    SAY(control(outer, DEL, middle, 0, 0));
    SAY(control(outer, DEL, middle, 0, 0));
    SAY(control(outer, ADD, middle, EPOLLIN | EPOLLEXCLUSIVE, 4));
    SAY(control(outer, ADD, middle, EPOLLOUT, 5));
    SAY(control(outer, ADD, middle, EPOLLIN, 5));
    SAY_EPOLL(outer, 0);
    sys.close(middle);
    SAY_EPOLL(outer, 0);
    SAY_EPOLL(inner, 0);
}

static void nested_in_circles(void)
{
    int ep[8];

    for (int i = 0; i < 8; i++)
        ep[i] = sys.epoll_create1(0);
    SAY(control(ep[0], ADD, ep[1], EPOLLIN, 1));
    SAY(control(ep[1], ADD, ep[0], EPOLLIN, 1));
    SAY(control(ep[1], ADD, ep[2], EPOLLIN, 1));
    SAY(control(ep[2], ADD, ep[0], EPOLLIN, 1));
    SAY(control(ep[0], ADD, ep[1], EPOLLIN, 1));
    for (int i = 2; i < 7; i++)
        SAY(control(ep[i], ADD, ep[i + 1], EPOLLIN, 1));
}

static void nested_with_the_kernels(void)
{
    struct pair p = tcp_pair(AF_INET);
    int inner = sys.epoll_create1(0), outer = sys.epoll_create1(0), event = eventfd(0, EFD_NONBLOCK);
    uint64_t number = 1;

    control(inner, ADD, event, EPOLLIN, 1);
    control(inner, ADD, p.server, EPOLLIN, 2);
    control(outer, ADD, inner, EPOLLIN, 3);
    SAY_EPOLL(outer, 0);
    SAY(write(event, &number, sizeof(number)));
    SAY_EPOLL(outer, 2000);
    SAY(read(event, &number, sizeof(number)));
    SAY_EPOLL(outer, 0);
    later(30, send_later, &p.client);
    SAY_EPOLL(outer, 4000);
    join();
    close(event);
}

/* ---- closed by another thread while this one waits ---- */

static void closed_while_waiting(void)
{
    struct pair p = tcp_pair(AF_INET), q = tcp_pair(AF_INET);
    int ep = sys.epoll_create1(0), copy;
    struct pollfd look = { .fd = p.server, .events = POLLIN };

    control(ep, ADD, p.server, EPOLLIN, 1);
    later(30, close_later, &p.server);
    SAY_EPOLL(ep, 120); /* nobody is told */
    join();
    SAY_EPOLL(ep, 0);
    look.fd = q.server;
    copy = sys.fcntl(q.server, F_DUPFD, 0);
    later(30, close_later, &q.server);
    SAY(sys.poll(&look, 1, 120)); /* the wait goes on with the file */
    join();
    SAY(sys.poll(&look, 1, 0));
    NOTE("revents", "%s", event_names((uint16_t)look.revents));
    sys.send(q.client, "x", 1, 0);
    await(copy, POLLIN);
    SAY_EVENTS(copy);
}

static int to_close;
static pthread_t waiting;

static void close_and_send(void *other)
{
    sys.close(to_close);
    usleep(20000);
    sys.send(*(int *)other, "late", 4, 0);
}

static void closed_while_receiving(void)
{
    struct pair p = tcp_pair(AF_INET);

    to_close = p.server;
    later(30, close_and_send, &p.client);
    SAY_RECV(p.server, 10, 0); /* the call has the file as long as it lasts */
    join();
    SAY_RECV(p.server, 10, MSG_DONTWAIT);
}

static void on_signal(int number)
{
    (void)number;
}

static void signal_later(void *unused)
{
    (void)unused;
    pthread_kill(waiting, SIGUSR2);
}

static void handle(int flags)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

    sigaction(SIGUSR2, &action, NULL);
    waiting = pthread_self();
}

/* signal(7): with SA_RESTART calls without a time limit go on, waits for events never. */
static void signals(void)
{
    struct pair p = tcp_pair(AF_INET);
    struct timeval limit = { .tv_sec = 3 }, three = { .tv_sec = 3 };
    int listening = listener(AF_INET, 2), ep = sys.epoll_create1(0), max = world.virtual_numbers ? 0 : p.server + 1;
    fd_set in;

    control(ep, ADD, p.server, EPOLLIN, 1);
    handle(0);
    later(30, signal_later, NULL);
    SAY_RECV(p.server, 1, 0);
    join();
    later(30, signal_later, NULL);
    SAY(sys.accept4(listening, NULL, NULL, 0));
    join();
    handle(SA_RESTART);
    later(30, signal_later, NULL);
    SAY_EPOLL(ep, 3000);
    join();
    FD_ZERO(&in);
    if (max)
        FD_SET(p.server, &in);
    later(30, signal_later, NULL);
    SAY(sys.select(max, max ? &in : NULL, NULL, NULL, &three));
    join();
    sys.setsockopt(p.server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    later(30, signal_later, NULL);
    SAY_RECV(p.server, 1, 0); /* a time limit: never restarted */
    join();
}

/* A signal that is pending when the mask lets it in ends the wait, though something is ready or not. */
static void masks(void)
{
    struct pair p = tcp_pair(AF_INET);
    struct pollfd look = { .fd = p.server, .events = POLLIN };
    int ep = sys.epoll_create1(0);
    struct epoll_event got;
    sigset_t none, usr2;

    handle(0);
    sigemptyset(&none);
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &usr2, NULL);
    control(ep, ADD, p.server, EPOLLIN, 1);
    pthread_kill(pthread_self(), SIGUSR2);
    SAY(sys.epoll_pwait(ep, &got, 1, 50, &usr2)); /* not let in */
    SAY(sys.epoll_pwait(ep, &got, 1, -1, &none));
    SAY(sys.epoll_pwait(ep, &got, 1, 20, &none)); /* gone */
    pthread_kill(pthread_self(), SIGUSR2);
    SAY(sys.ppoll(&look, 1, NULL, &none));
    sys.send(p.client, "x", 1, 0);
    await(p.server, POLLIN);
    SAY(sys.epoll_pwait(ep, &got, 1, -1, &none));
    SAY(sys.ppoll(&look, 1, NULL, &none));
    pthread_sigmask(SIG_UNBLOCK, &usr2, NULL);
}

/* ---- sets and times ---- */

/* select(2): the kernel takes sets of any size; only libc's macros do not. */
static void large_sets(void)
{
    static long in[4096 / (8 * sizeof(long))];
    struct pair p = tcp_pair(AF_INET);
    struct timeval limit = { .tv_sec = 3 };
    struct rlimit files = { 8192, 8192 };
    int high, bits = 8 * (int)sizeof(long), count;

    if (world.virtual_numbers) { /* beyond any set by nature */
        NOTE("select", "%d %d", 1, 1);
        NOTE("again", "%d", 0);
        return;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < 8192 ? files.rlim_max : 8192;
    setrlimit(RLIMIT_NOFILE, &files);
    high = sys.fcntl(p.server, F_DUPFD, 3000);
    sys.send(p.client, "x", 1, 0);
    in[high / bits] |= 1L << high % bits;
    count = sys.select(high + 1, (fd_set *)in, NULL, NULL, &limit);
    NOTE("select", "%d %d", count, (int)(in[high / bits] >> high % bits & 1));
    sys.recv(p.server, in, 1, 0);
    memset(in, 0, sizeof(in));
    in[high / bits] |= 1L << high % bits;
    limit = (struct timeval){ .tv_usec = 1000 };
    NOTE("again", "%d", sys.select(high + 1, (fd_set *)in, NULL, NULL, &limit));
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* The quickest of several: never before its time, and not a millisecond late. */
static void short_times(void)
{
    struct pair p = tcp_pair(AF_INET);
    struct pollfd look = { .fd = p.server, .events = POLLIN };
    int ep = sys.epoll_create1(0);
    uint64_t quickest[2] = { UINT64_MAX, UINT64_MAX };
    struct timespec limit = { .tv_nsec = 300000 };
    struct epoll_event got;

    control(ep, ADD, p.server, EPOLLIN, 1);
    for (int i = 0; i < 40; i++) {
        uint64_t start = now_us(), took;

        sys.ppoll(&look, 1, &limit, NULL);
        took = now_us() - start;
        quickest[0] = took < quickest[0] ? took : quickest[0];
        start = now_us();
        sys.epoll_pwait2(ep, &got, 1, &limit, NULL);
        took = now_us() - start;
        quickest[1] = took < quickest[1] ? took : quickest[1];
    }
    NOTE("ppoll", "%d", quickest[0] >= 299 && quickest[0] < 900);
    NOTE("epoll_pwait2", "%d", quickest[1] >= 299 && quickest[1] < 900);
    limit.tv_nsec = 1000000000;
    SAY(sys.epoll_pwait2(ep, &got, 1, &limit, NULL));
    limit.tv_nsec = 0;
    SAY(sys.epoll_pwait2(ep, &got, 1, &limit, NULL));
}

const struct scenario scenarios[] = {
    SCENARIO(nested_wakes), SCENARIO(nested_in_circles), SCENARIO(nested_with_the_kernels),
    SCENARIO(closed_while_waiting), SCENARIO(closed_while_receiving), SCENARIO(signals),
    SCENARIO(masks), SCENARIO(large_sets), SCENARIO(short_times), { 0 },
};
