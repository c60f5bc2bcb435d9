/* SPDX-License-Identifier: Apache-2.0 */
/* epoll(7), poll(2) and select(2). */
#include "harness.h"

const char group_name[] = "epoll";

static int control(int ep, int op, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = { .events = events, .data.u64 = data };

    return sys.epoll_ctl(ep, op, fd, &event);
}
#define ADD EPOLL_CTL_ADD
#define MOD EPOLL_CTL_MOD
#define DEL EPOLL_CTL_DEL

/* A descriptor whose number nobody gets while the scenario lasts. */
static int far_number(void)
{
    int fd = sys.socket(AF_INET, SOCK_STREAM, 0), far = sys.fcntl(fd, F_DUPFD, 700);

    sys.close(fd);
    return far;
}

static void arguments(void)
{
    struct pair p = tcp_pair(AF_INET);
    int ep = sys.epoll_create1(0), closed = far_number(), pipes[2];
    struct epoll_event one;
    int file = open("/proc/self/exe", O_RDONLY);

    if (pipe(pipes) < 0)
        return;
    sys.close(closed);
    SAY_FD(sys.epoll_create1(123));
    SAY(control(ep, ADD, p.client, EPOLLIN, 1));
    SAY(control(ep, ADD, p.client, EPOLLIN, 1));
    SAY(control(ep, MOD, p.server, EPOLLIN, 1));
    SAY(control(ep, DEL, p.server, EPOLLIN, 1));
    SAY(control(ep, ADD, closed, EPOLLIN, 1));
    SAY(control(ep, MOD, closed, EPOLLIN, 1));
    SAY(control(ep, DEL, closed, EPOLLIN, 1));
    SAY(control(ep, 77, p.client, EPOLLIN, 1));
    SAY(control(ep, 77, p.server, EPOLLIN, 1));
    SAY(sys.epoll_ctl(ep, ADD, p.server, NULL));
    SAY(sys.epoll_ctl(ep, MOD, p.client, NULL));
    SAY(control(ep, ADD, ep, EPOLLIN, 1));
    SAY(control(p.client, ADD, p.server, EPOLLIN, 1));
    SAY(control(closed, ADD, p.server, EPOLLIN, 1));
    SAY(control(-1, ADD, p.server, EPOLLIN, 1));
    SAY(control(ep, ADD, -1, EPOLLIN, 1));
    SAY(control(ep, ADD, file, EPOLLIN, 1));
    SAY(control(ep, ADD, pipes[0], EPOLLIN, 1));
    SAY(control(ep, ADD, pipes[0], EPOLLIN, 1));
    SAY(control(ep, DEL, pipes[0], EPOLLIN, 1));
    SAY(control(ep, DEL, pipes[0], EPOLLIN, 1));
    SAY(sys.epoll_wait(ep, &one, 0, 0));
    SAY(sys.epoll_wait(ep, &one, -1, 0));
    SAY(sys.epoll_wait(p.client, &one, 1, 0));
    SAY(sys.epoll_wait(closed, &one, 1, 0));
    SAY(sys.epoll_wait(ep, &one, 1, 0));
    SAY(control(ep, MOD, p.client, EPOLLIN | EPOLLEXCLUSIVE, 1));
    SAY(control(ep, ADD, p.server, EPOLLIN | EPOLLEXCLUSIVE, 1));
    SAY(control(ep, MOD, p.server, EPOLLIN, 1));
    SAY(control(ep, DEL, p.server, 0, 1));
    SAY(control(ep, ADD, p.server, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 1));
    SAY(control(ep, ADD, p.server, EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP, 1));
    SAY(sys.epoll_ctl(ep, DEL, p.client, NULL));
    SAY(sys.recv(ep, &one, 1, 0));
    SAY(sys.getsockopt(ep, SOL_SOCKET, SO_TYPE, &one, NULL));
    SAY(sys.read(ep, &one, 1));
    SAY(sys.write(ep, &one, 1));
    close(pipes[0]);
    close(pipes[1]);
    close(file);
}

static void level(void)
{
    struct pair p = tcp_pair(AF_INET);
    int ep = sys.epoll_create1(0);

    control(ep, ADD, p.server, EPOLLIN | EPOLLRDHUP, 1);
    SAY_EPOLL(ep, 0);
    sys.send(p.client, "abc", 3, 0);
    SAY_EPOLL(ep, 3000);
    SAY_EPOLL(ep, 0);
    SAY_RECV(p.server, 1, 0);
    SAY_EPOLL(ep, 0);
    SAY_RECV(p.server, 10, 0);
    SAY_EPOLL(ep, 0);
    SAY(control(ep, MOD, p.server, EPOLLOUT, 2));
    SAY_EPOLL(ep, 0);
    SAY(control(ep, MOD, p.server, EPOLLIN | EPOLLOUT | EPOLLRDHUP, 3));
    SAY_EPOLL(ep, 0);
    sys.shutdown(p.client, SHUT_WR);
    await(p.server, POLLRDHUP);
    SAY_EPOLL(ep, 0);
    sys.shutdown(p.server, SHUT_WR);
    settle();
    SAY_EPOLL(ep, 0);
    SAY(control(ep, MOD, p.server, 0, 4));
    SAY_EPOLL(ep, 0);
    SAY(control(ep, DEL, p.server, 0, 0));
    SAY_EPOLL(ep, 0);
}

static void edge(void)
{
    struct pair p = tcp_pair(AF_INET);
    int ep = sys.epoll_create1(0);

    control(ep, ADD, p.server, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1);
    SAY_EPOLL(ep, 0);
    SAY_EPOLL(ep, 0);
    sys.send(p.client, "abc", 3, 0);
    SAY_EPOLL(ep, 3000);
    SAY_EPOLL(ep, 0);
    SAY_RECV(p.server, 1, 0);
    SAY_EPOLL(ep, 0);
    sys.send(p.client, "d", 1, 0);
    settle();
    SAY_EPOLL(ep, 1000);
    SAY_EPOLL(ep, 0);
    SAY_RECV(p.server, 10, 0);
    SAY_EPOLL(ep, 0);
    sys.send(p.server, "answer", 6, 0);
    settle();
    SAY_EPOLL(ep, 0);
    SAY(control(ep, MOD, p.server, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 2));
    SAY_EPOLL(ep, 0);
    SAY_EPOLL(ep, 0);
    sys.shutdown(p.client, SHUT_WR);
    SAY_EPOLL(ep, 3000);
    SAY_EPOLL(ep, 0);
    sys.shutdown(p.server, SHUT_WR);
    settle();
    SAY_EPOLL(ep, 1000);
    settle();
    SAY_EPOLL(ep, 0);
}

static void edge_out(void)
{
    struct pair p = tcp_pair(AF_INET);
    int ep = sys.epoll_create1(0);
    static char data[65536];

    fill(p.client);
    control(ep, ADD, p.client, EPOLLOUT | EPOLLET, 1);
    SAY_EPOLL(ep, 0);
    nonblocking(p.server);
    while (sys.recv(p.server, data, sizeof(data), 0) > 0)
        settle();
    SAY_EPOLL(ep, 3000);
    SAY_EPOLL(ep, 0);
}

static void edge_listener(void)
{
    int listening = listener(AF_INET, 8), ep = sys.epoll_create1(0), got;

    control(ep, ADD, listening, EPOLLIN | EPOLLET, 1);
    SAY_EPOLL(ep, 0);
    connected_to(listening, AF_INET);
    connected_to(listening, AF_INET);
    settle();
    SAY_EPOLL(ep, 3000);
    SAY_EPOLL(ep, 0);
    got = SAY_FD(sys.accept4(listening, NULL, NULL, 0));
    (void)got;
    SAY_EPOLL(ep, 0);
    connected_to(listening, AF_INET);
    settle();
    SAY_EPOLL(ep, 3000);
}

static void one_shot(void)
{
    struct pair p = tcp_pair(AF_INET);
    int ep = sys.epoll_create1(0);

    control(ep, ADD, p.server, EPOLLIN | EPOLLONESHOT, 1);
    sys.send(p.client, "abc", 3, 0);
    SAY_EPOLL(ep, 3000);
    SAY_EPOLL(ep, 0);
    sys.send(p.client, "abc", 3, 0);
    settle();
    SAY_EPOLL(ep, 0);
    SAY(control(ep, MOD, p.server, EPOLLIN | EPOLLONESHOT, 2));
    SAY_EPOLL(ep, 0);
    reset(p.client);
    SAY_EPOLL(ep, 0);
    SAY(control(ep, MOD, p.server, EPOLLONESHOT, 3));
    SAY_EPOLL(ep, 0);
    SAY_EPOLL(ep, 0);
}

static void states(void)
{
    int ep = sys.epoll_create1(0), fresh = sys.socket(AF_INET, SOCK_STREAM, 0);
    int udp = sys.socket(AF_INET, SOCK_DGRAM, 0), listening = listener(AF_INET, 2);
    struct pair p = tcp_pair(AF_INET);
    const uint32_t all = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLRDNORM | EPOLLWRNORM |
                         EPOLLRDBAND | EPOLLWRBAND;

    control(ep, ADD, fresh, all, 1);
    control(ep, ADD, udp, all, 2);
    control(ep, ADD, listening, all, 3);
    control(ep, ADD, p.client, all, 4);
    SAY_EPOLL(ep, 0);
    reset(p.server);
    SAY_EPOLL(ep, 0);
    SAY_OPTION(p.client, SOL_SOCKET, SO_ERROR);
    SAY_EPOLL(ep, 0);
    sys.listen(fresh, 3);
    SAY_EPOLL(ep, 0);
}

static void connect_is_told(void)
{
    int listening = listener(AF_INET, 2), ep = sys.epoll_create1(0), closed, refused;
    int fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct address a = address_at(listening, AF_INET);

    control(ep, ADD, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1);
    SAY_EPOLL(ep, 0);
    SAY(sys.connect(fd, ADDR(a)));
    settle();
    SAY_EPOLL(ep, 3000);
    SAY_EPOLL(ep, 0);
    closed = bound(AF_INET, SOCK_STREAM, HOST);
    a = address_at(closed, AF_INET);
    sys.close(closed);
    refused = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SAY(sys.connect(refused, ADDR(a)));
    control(ep, ADD, refused, EPOLLIN | EPOLLOUT | EPOLLRDHUP, 2);
    settle();
    SAY_EPOLL(ep, 3000);
    SAY_OPTION(refused, SOL_SOCKET, SO_ERROR);
    SAY_EPOLL(ep, 0);
}

static void closing_removes(void)
{
    struct pair p = tcp_pair(AF_INET);
    int ep = sys.epoll_create1(0), copy;

    control(ep, ADD, p.server, EPOLLOUT, 1);
    control(ep, ADD, p.client, EPOLLOUT, 2);
    SAY_EPOLL(ep, 0);
    copy = sys.fcntl(p.client, F_DUPFD, 0);
    sys.close(p.server);
    settle();
    SAY_EPOLL(ep, 0);
    sys.close(p.client); /* the duplicate keeps it */
    SAY_EPOLL(ep, 0);
    sys.close(copy);
    SAY_EPOLL(ep, 0);
}

static void several_epolls(void)
{
    struct pair p = tcp_pair(AF_INET);
    int one = sys.epoll_create1(0), two = sys.epoll_create1(EPOLL_CLOEXEC);

    control(one, ADD, p.server, EPOLLIN, 1);
    control(two, ADD, p.server, EPOLLIN | EPOLLET, 2);
    sys.send(p.client, "x", 1, 0);
    SAY_EPOLL(one, 3000);
    SAY_EPOLL(two, 3000);
    SAY_EPOLL(one, 0);
    SAY_EPOLL(two, 0);
    sys.close(one);
    sys.send(p.client, "x", 1, 0);
    SAY_EPOLL(two, 3000);
}

static void mixed(void)
{
    struct pair p = tcp_pair(AF_INET);
    int ep = sys.epoll_create1(0), event = eventfd(0, EFD_NONBLOCK), pipes[2];
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec when = { .it_value.tv_nsec = 20000000 };
    uint64_t number = 1;
    uint64_t start = now_ms();

    if (pipe(pipes) < 0)
        return;
    SAY(control(ep, ADD, event, EPOLLIN, 1));
    SAY(control(ep, ADD, pipes[0], EPOLLIN | EPOLLET, 2));
    SAY(control(ep, ADD, timer, EPOLLIN, 3));
    SAY(control(ep, ADD, p.server, EPOLLIN, 4));
    SAY_EPOLL(ep, 30);
    NOTE("waited", "%d", now_ms() - start >= 28);
    timerfd_settime(timer, 0, &when, NULL);
    SAY_EPOLL(ep, 3000);
    number = (uint64_t)read(timer, &number, sizeof(number));
    if (write(event, (uint64_t[]){ 1 }, 8) != 8 || write(pipes[1], "x", 1) != 1)
        return;
    sys.send(p.client, "x", 1, 0);
    await(p.server, POLLIN);
    SAY_EPOLL(ep, 3000);
    SAY_EPOLL(ep, 3000);
    close(pipes[1]);
    SAY_EPOLL(ep, 3000);
    SAY(control(ep, DEL, event, 0, 0));
    SAY_EPOLL(ep, 0);
    close(event);
    close(timer);
    close(pipes[0]);
}

static void nested(void)
{
    struct pair p = tcp_pair(AF_INET);
    int inner = sys.epoll_create1(0), outer = sys.epoll_create1(0);
    struct pollfd look = { .fd = inner, .events = POLLIN | POLLOUT };

    control(inner, ADD, p.server, EPOLLIN, 1);
    SAY(control(inner, ADD, inner, EPOLLIN, 3));
    SAY(control(outer, ADD, inner, EPOLLIN, 2));
    SAY_EPOLL(outer, 0);
    SAY(sys.poll(&look, 1, 0));
    sys.send(p.client, "x", 1, 0);
    SAY(sys.poll(&look, 1, 3000));
    NOTE("revents", "%s", event_names((uint16_t)look.revents));
    SAY_EPOLL(outer, 3000);
    SAY_EPOLL(inner, 3000);
    SAY_RECV(p.server, 10, 0);
    SAY_EPOLL(inner, 0);
    SAY_EPOLL(outer, 0);
    SAY(sys.poll(&look, 1, 0));
}

static void send_later(void *fd)
{
    sys.send(*(int *)fd, "x", 1, 0);
}

static void wakes(void)
{
    struct pair p = tcp_pair(AF_INET);
    int ep = sys.epoll_create1(0);
    struct pollfd look = { .fd = p.server, .events = POLLIN };

    control(ep, ADD, p.server, EPOLLIN, 1);
    later(30, send_later, &p.client);
    SAY_EPOLL(ep, 4000);
    join();
    SAY_RECV(p.server, 10, 0);
    later(30, send_later, &p.client);
    SAY(sys.poll(&look, 1, 4000));
    join();
    SAY_RECV(p.server, 10, 0);
    SAY(sys.poll(&look, 1, 0));
}

static int late_ep, late_fd;
static void add_later(void *unused)
{
    (void)unused;
    control(late_ep, ADD, late_fd, EPOLLOUT, 9);
}

static void added_while_waiting(void)
{
    struct pair p = tcp_pair(AF_INET);

    late_ep = sys.epoll_create1(0);
    late_fd = p.client;
    later(30, add_later, NULL);
    SAY_EPOLL(late_ep, 4000);
    join();
}

static void on_signal(int number)
{
    (void)number;
}

static void signal_later(void *thread)
{
    pthread_kill(*(pthread_t *)thread, SIGUSR2);
}

static void interrupted(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    struct pair p = tcp_pair(AF_INET);
    struct pollfd look = { .fd = p.server, .events = POLLIN };
    int ep = sys.epoll_create1(0);
    pthread_t self = pthread_self();
    sigset_t mask;
    struct epoll_event got;

    sigaction(SIGUSR2, &action, NULL);
    control(ep, ADD, p.server, EPOLLIN, 1);
    later(30, signal_later, &self); /* signal(7): never restarted */
    SAY_EPOLL(ep, 4000);
    later(30, signal_later, &self);
    SAY(sys.poll(&look, 1, 4000));
    join();
    /* Blocked outside, let in only during the wait. */
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    pthread_kill(self, SIGUSR2);
    sigemptyset(&mask);
    SAY(sys.epoll_pwait(ep, &got, 1, 2000, &mask));
    pthread_kill(self, SIGUSR2);
    SAY(sys.ppoll(&look, 1, &(struct timespec){ .tv_sec = 2 }, &mask));
    sigaddset(&mask, SIGUSR2);
    pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
}

static void poll_sets(void)
{
    struct pair p = tcp_pair(AF_INET);
    int closed = far_number(), pipes[2];
    struct pollfd set[6];

    if (pipe(pipes) < 0)
        return;
    sys.close(closed);
    set[0] = (struct pollfd){ .fd = p.client, .events = POLLIN | POLLOUT };
    set[1] = (struct pollfd){ .fd = closed, .events = POLLIN, .revents = -1 };
    set[2] = (struct pollfd){ .fd = -1, .events = POLLIN, .revents = -1 };
    set[3] = (struct pollfd){ .fd = pipes[1], .events = POLLOUT };
    set[4] = (struct pollfd){ .fd = p.client, .events = POLLIN };
    set[5] = (struct pollfd){ .fd = p.server, .events = POLLRDNORM | POLLWRNORM | POLLWRBAND };
    SAY(sys.poll(set, 6, 0));
    for (int i = 0; i < 6; i++)
        NOTE("revents", "%s", event_names((uint16_t)set[i].revents));
    SAY(sys.poll(NULL, 0, 1));
    SAY(sys.poll(set, 1, -1));
    close(pipes[0]);
    close(pipes[1]);
}

static void selects(void)
{
    struct pair p = tcp_pair(AF_INET);
    fd_set in, out, except;
    struct timeval limit = { .tv_usec = 30000 };
    int max = (p.client > p.server ? p.client : p.server) + 1;

    if (world.virtual_numbers) /* beyond FD_SETSIZE by nature */
        p = (struct pair){ 0 };
    if (world.virtual_numbers)
        max = 0;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&except);
    if (max) {
        FD_SET(p.server, &in);
        FD_SET(p.client, &out);
        FD_SET(p.client, &except);
    }
    NOTE("select", "%d", max ? sys.select(max, &in, &out, &except, &limit) : 1);
    NOTE("sets", "%d", max ? FD_ISSET(p.server, &in) + 2 * FD_ISSET(p.client, &out) : 2);
    if (max) {
        sys.send(p.client, "x", 1, 0);
        FD_SET(p.server, &in);
        FD_ZERO(&out);
    }
    limit.tv_sec = 3;
    NOTE("select", "%d", max ? sys.select(max, &in, &out, NULL, &limit) : 1);
    NOTE("sets", "%d", max ? FD_ISSET(p.server, &in) : 1);
    if (max)
        sys.recv(p.server, &limit, 1, 0);
    limit = (struct timeval){ .tv_usec = 30000 };
    NOTE("select", "%d", max ? sys.select(max, &in, NULL, NULL, &limit) : 0);
    NOTE("left", "%ld %ld", limit.tv_sec, max ? limit.tv_usec : 0);
    if (max) {
        FD_ZERO(&in);
        sys.close(p.client);
        FD_SET(p.client, &in);
        FD_SET(p.server, &in);
    }
    NOTE("bad", "%d", max ? sys.select(max, &in, NULL, NULL, &limit) : -1);
}

const struct scenario scenarios[] = {
    SCENARIO(arguments), SCENARIO(level), SCENARIO(edge), SCENARIO(edge_out),
    SCENARIO(edge_listener), SCENARIO(one_shot), SCENARIO(states), SCENARIO(connect_is_told),
    SCENARIO(closing_removes), SCENARIO(several_epolls), SCENARIO(mixed), SCENARIO(nested),
    SCENARIO(wakes), SCENARIO(added_while_waiting), SCENARIO(interrupted), SCENARIO(poll_sets),
    SCENARIO(selects), { 0 },
};
