/* SPDX-License-Identifier: Apache-2.0 */
/* TCP: the peer's close, resets, lingering, time-outs, interruptions, the accept queue. */
#include <linux/sockios.h>

#include "harness.h"

const char group_name[] = "tcp_ends";

static void peer_closed(void)
{
    struct pair p = tcp_pair(AF_INET);

    sys.send(p.client, "bye", 3, 0);
    SAY(sys.close(p.client));
    await(p.server, POLLRDHUP);
    SAY_EVENTS(p.server);
    SAY_RECV(p.server, 10, 0);
    SAY_RECV(p.server, 10, 0);
    SAY_EVENTS(p.server);
    SAY_NAMES(p.server);
    SAY(sys.send(p.server, "x", 1, 0)); /* answered by a reset */
    settle();
    SAY_EVENTS(p.server);
    SAY_OPTION(p.server, SOL_SOCKET, SO_ERROR);
    SAY_EVENTS(p.server);
    SAY(sys.send(p.server, "x", 1, 0));
    SAY(sys.send(p.server, "x", 1, MSG_NOSIGNAL));
    SAY_RECV(p.server, 10, 0);
    SAY(sys.shutdown(p.server, SHUT_WR));
    SAY_NAMES(p.server);
}

static void peer_closed_then_sends(void)
{
    struct pair p = tcp_pair(AF_INET);

    sys.close(p.client);
    await(p.server, POLLRDHUP);
    SAY(sys.send(p.server, "x", 1, 0));
    settle();
    SAY(sys.send(p.server, "x", 1, 0));
    SAY(sys.send(p.server, "x", 1, 0));
    SAY_RECV(p.server, 1, 0);
    SAY_EVENTS(p.server);
}

static void reset_seen_by(int how)
{
    struct pair p = tcp_pair(AF_INET);
    char byte;

    sys.send(p.client, "data", 4, 0);
    await(p.server, POLLIN);
    reset(p.client);
    await(p.server, POLLERR);
    SAY_EVENTS(p.server);
    switch (how) {
    case 0: SAY_RECV(p.server, 10, 0); break;
    case 1: SAY(sys.send(p.server, "x", 1, 0)); break;
    case 2: SAY(sys.send(p.server, "x", 1, MSG_NOSIGNAL)); break;
    case 3: SAY_OPTION(p.server, SOL_SOCKET, SO_ERROR); break;
    case 4: SAY(sys.read(p.server, &byte, 0)); break;
    case 5: SAY(sys.shutdown(p.server, SHUT_RD)); break;
    case 6: SAY_RECV(p.server, 10, MSG_PEEK | MSG_DONTWAIT); break;
    }
    SAY_EVENTS(p.server);
    SAY_RECV(p.server, 10, 0);
    SAY_RECV(p.server, 10, 0);
    SAY(sys.send(p.server, "x", 1, 0));
    SAY(sys.send(p.server, "x", 1, MSG_NOSIGNAL));
    SAY_OPTION(p.server, SOL_SOCKET, SO_ERROR);
    SAY(sys.shutdown(p.server, SHUT_WR));
    SAY_EVENTS(p.server);
}
static void reset_by_recv(void) { reset_seen_by(0); }
static void reset_by_send(void) { reset_seen_by(1); }
static void reset_by_send_nosignal(void) { reset_seen_by(2); }
static void reset_by_so_error(void) { reset_seen_by(3); }
static void reset_by_empty_read(void) { reset_seen_by(4); }
static void reset_by_shutdown(void) { reset_seen_by(5); }
static void reset_by_peek(void) { reset_seen_by(6); }

static void reset_while_blocked_run(void *argument)
{
    reset(*(int *)argument);
}

static void reset_while_blocked(void)
{
    struct pair p = tcp_pair(AF_INET);

    later(40, reset_while_blocked_run, &p.client);
    SAY_RECV(p.server, 10, 0);
    join();
    SAY_RECV(p.server, 10, 0);
}

static void close_with_unread(void)
{
    struct pair p = tcp_pair(AF_INET);

    sys.send(p.client, "unread", 6, 0);
    await(p.server, POLLIN);
    SAY(sys.close(p.server));
    await(p.client, POLLIN);
    settle();
    SAY_EVENTS(p.client);
    SAY_RECV(p.client, 10, 0);
    SAY_RECV(p.client, 10, 0);
    SAY(sys.send(p.client, "x", 1, 0));
}

static void data_after_close(void)
{
    struct pair p = tcp_pair(AF_INET);

    sys.close(p.server);
    await(p.client, POLLRDHUP);
    sys.send(p.client, "late", 4, 0);
    settle();
    SAY_EVENTS(p.client);
    SAY_RECV(p.client, 10, 0);
    SAY_RECV(p.client, 10, 0);
}

static void linger(void)
{
    struct pair p = tcp_pair(AF_INET), q = tcp_pair(AF_INET);
    struct linger seconds = { .l_onoff = 1, .l_linger = 2 };
    uint64_t start = now_ms();

    sys.setsockopt(p.client, SOL_SOCKET, SO_LINGER, &seconds, sizeof(seconds));
    sys.send(p.client, "data", 4, 0);
    SAY(sys.close(p.client));
    NOTE("took long", "%d", now_ms() - start > 1500);
    await(p.server, POLLRDHUP);
    SAY_RECV(p.server, 10, 0);
    SAY_RECV(p.server, 10, 0);

    /* The peer does not read, its window closes: the time runs out. */
    seconds.l_linger = 1;
    sys.setsockopt(q.client, SOL_SOCKET, SO_LINGER, &seconds, sizeof(seconds));
    fill(q.client);
    start = now_ms();
    SAY(sys.close(q.client));
    NOTE("waited", "%d", now_ms() - start >= 900 && now_ms() - start < 3000);
}

static void full(void)
{
    struct pair p = tcp_pair(AF_INET);
    struct timeval limit = { .tv_usec = 50000 };
    static char data[65536];
    uint64_t start;
    size_t sent, got = 0;
    ssize_t n;

    set_int(p.client, SOL_SOCKET, SO_SNDBUF, 100000); /* buffers that do not grow meanwhile */
    set_int(p.server, SOL_SOCKET, SO_RCVBUF, 100000);
    sent = fill(p.client);
    SAY_EVENTS(p.client);
    SAY(sys.send(p.client, "x", 1, MSG_DONTWAIT));
    sys.setsockopt(p.client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    start = now_ms();
    SAY(sys.send(p.client, data, sizeof(data), 0));
    NOTE("waited", "%d", now_ms() - start >= 45);
    SAY(sys.shutdown(p.client, SHUT_WR));
    SAY_EVENTS(p.client);
    while ((n = sys.recv(p.server, data, sizeof(data), 0)) > 0)
        got += (size_t)n;
    NOTE("all came", "%d", got == sent);
    SAY_EVENTS(p.server);
}

static void peer_gone_while_sending_run(void *argument)
{
    reset(*(int *)argument);
}

static void peer_gone_while_sending(void)
{
    struct pair p = tcp_pair(AF_INET);
    static char data[65536];

    fill(p.client);
    later(40, peer_gone_while_sending_run, &p.server);
    SAY(sys.send(p.client, data, sizeof(data), 0));
    join();
    SAY(sys.send(p.client, data, sizeof(data), 0));
}

static void receive_timeout(void)
{
    struct pair p = tcp_pair(AF_INET);
    struct timeval limit = { .tv_usec = 50000 };
    uint64_t start = now_ms(), took;

    sys.setsockopt(p.server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    SAY_RECV(p.server, 1, 0);
    took = now_ms() - start;
    NOTE("waited", "%d", took >= 45 && took < 1000);
    sys.setsockopt(p.listening, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    SAY(sys.accept4(p.listening, NULL, NULL, 0));
    connected_to(p.listening, AF_INET);
    SAY_FD(sys.accept4(p.listening, NULL, NULL, 0));
}

static void on_alarm(int number)
{
    (void)number;
}

static void send_signal(void *thread)
{
    pthread_kill(*(pthread_t *)thread, SIGUSR1);
}

static void interrupted(void)
{
    struct sigaction action = { .sa_handler = on_alarm };
    struct pair p = tcp_pair(AF_INET);
    struct timeval limit = { .tv_sec = 3 };
    pthread_t self = pthread_self();
    uint64_t start = now_ms();

    sigaction(SIGUSR1, &action, NULL);
    later(40, send_signal, &self);
    SAY_RECV(p.server, 1, 0);
    later(40, send_signal, &self);
    SAY(sys.accept4(p.listening, NULL, NULL, 0));
    sys.setsockopt(p.server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, NULL);
    later(40, send_signal, &self);
    SAY_RECV(p.server, 1, 0); /* signal(7): with a timeout set, EINTR in spite of SA_RESTART */
    NOTE("quick", "%d", now_ms() - start < 2500);
    join();
}

static void send_one(void *fd)
{
    sys.send(*(int *)fd, "z", 1, 0);
}

static void interrupted_restarts(void)
{
    struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
    struct pair p = tcp_pair(AF_INET);
    struct timespec nap = { .tv_nsec = 40000000 };
    pthread_t self = pthread_self();

    (void)nap;
    sigaction(SIGUSR1, &action, NULL);
    later(30, send_signal, &self);
    /* Restarted by the kernel; the byte comes later, from a timer's thread. */
    struct sigevent event = { .sigev_notify = SIGEV_THREAD };
    struct itimerspec when = { .it_value = { .tv_nsec = 150000000 } };
    timer_t timer;

    event.sigev_notify_function = (void (*)(union sigval))(void *)send_one;
    event.sigev_value.sival_ptr = &p.client;
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &when, NULL);
    SAY_RECV(p.server, 1, 0);
    join();
    timer_delete(timer);
}

static void shut_while_blocked_run(void *fd)
{
    sys.shutdown(*(int *)fd, SHUT_RDWR);
}

static void shutdown_wakes(void)
{
    struct pair p = tcp_pair(AF_INET);

    later(40, shut_while_blocked_run, &p.server);
    SAY_RECV(p.server, 1, 0);
    later(40, shut_while_blocked_run, &p.listening);
    SAY(sys.accept4(p.listening, NULL, NULL, 0));
    join();
}

static void accept_queue(void)
{
    int listening = listener(AF_INET, 4), fds[3], got;
    struct linger none = { .l_onoff = 1 };

    for (int i = 0; i < 3; i++)
        fds[i] = connected_to(listening, AF_INET);
    SAY_EVENTS(listening);
    sys.send(fds[0], "first", 5, 0);
    /* Closed and reset before anybody accepts. */
    sys.close(fds[0]);
    sys.setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    sys.close(fds[1]);
    settle();
    SAY_EVENTS(listening);
    got = SAY_FD(sys.accept4(listening, NULL, NULL, 0));
    SAY_EVENTS(got);
    SAY_RECV(got, 10, 0);
    SAY_RECV(got, 10, 0);
    got = SAY_FD(sys.accept4(listening, NULL, NULL, 0));
    SAY_EVENTS(got);
    SAY_NAMES(got);
    SAY_RECV(got, 10, 0);
    SAY_EVENTS(listening);
    sys.close(listening); /* resets what waits */
    await(fds[2], POLLIN);
    settle();
    SAY_EVENTS(fds[2]);
    SAY_RECV(fds[2], 1, 0);
}

static void accept_queue_full(void)
{
    int listening = listener(AF_INET, 1), fds[6], up = 0;
    struct address a = address_at(listening, AF_INET);

    for (int i = 0; i < 6; i++) {
        fds[i] = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        sys.connect(fds[i], ADDR(a));
        settle();
    }
    nonblocking(listening);
    while (sys.accept4(listening, NULL, NULL, 0) >= 0) {
        up++;
        settle();
    }
    NOTE("connected at once", "%d", up);
}

static void bad_pointers(void)
{
    struct pair p = tcp_pair(AF_INET);
    socklen_t len = sizeof(int);

    SAY(sys.bind(p.client, NULL, 16));
    SAY(sys.connect(p.client, NULL, 16));
    SAY(sys.getsockname(p.client, NULL, &len));
    SAY(sys.getsockopt(p.client, SOL_SOCKET, SO_TYPE, NULL, &len));
    SAY(sys.setsockopt(p.client, SOL_SOCKET, SO_REUSEADDR, NULL, 4));
    SAY(sys.send(p.client, NULL, 1, 0));
    SAY(sys.sendmsg(p.client, NULL, 0));
    SAY(sys.recvmsg(p.client, NULL, 0));
    sys.send(p.server, "x", 1, 0);
    await(p.client, POLLIN);
    SAY(sys.recv(p.client, NULL, 1, 0));
    SAY(sys.writev(p.client, NULL, 1));
}

/* What was shut before listen() is shut in what accept() gives. */
static void shut_before_it_listens(int how)
{
    int listening = bound(AF_INET, SOCK_STREAM, HOST), fd, got;

    SAY(sys.shutdown(listening, how));
    SAY(sys.listen(listening, 4));
    fd = connected_to(listening, AF_INET);
    await(listening, POLLIN);
    settle();
    SAY_EVENTS(fd);
    got = SAY_FD(sys.accept4(listening, NULL, NULL, SOCK_NONBLOCK));
    SAY_EVENTS(got);
    SAY(sys.send(got, "x", 1, MSG_NOSIGNAL));
    SAY_RECV(got, 1, 0);
    await(fd, POLLIN);
    SAY_RECV(fd, 2, MSG_DONTWAIT);

    SAY(sys.shutdown(listening, SHUT_RD)); /* as new */
    SAY_EVENTS(listening);
    SAY(sys.send(listening, "x", 1, MSG_NOSIGNAL));
    SAY_RECV(listening, 1, MSG_DONTWAIT);
}
static void write_shut_before_it_listens(void) { shut_before_it_listens(SHUT_WR); }
static void read_shut_before_it_listens(void) { shut_before_it_listens(SHUT_RD); }

/* The client's FIN waits behind data when the server's comes: the last that it gets is an acknowledgement. */
static void both_close_at_once(void)
{
    struct pair p = tcp_pair(AF_INET);
    static char bytes[65536];

    fill(p.client);
    SAY(sys.shutdown(p.client, SHUT_WR));
    SAY(sys.shutdown(p.server, SHUT_WR));
    await(p.client, POLLRDHUP);
    SAY_EVENTS(p.client);
    SAY_NAMES(p.client);
    while (sys.recv(p.server, bytes, sizeof(bytes), 0) > 0)
        continue;
    settle();
    SAY_EVENTS(p.server);
    SAY_EVENTS(p.client);
    SAY_NAMES(p.client);
    SAY(sys.shutdown(p.client, SHUT_RD));
    SAY_RECV(p.client, 1, 0);
    SAY(sys.send(p.client, "x", 1, MSG_NOSIGNAL));
}

const struct scenario scenarios[] = {
    SCENARIO(peer_closed), SCENARIO(peer_closed_then_sends), SCENARIO(reset_by_recv),
    SCENARIO(reset_by_send), SCENARIO(reset_by_send_nosignal), SCENARIO(reset_by_so_error),
    SCENARIO(reset_by_empty_read), SCENARIO(reset_by_shutdown), SCENARIO(reset_by_peek),
    SCENARIO(reset_while_blocked), SCENARIO(close_with_unread), SCENARIO(data_after_close),
    SCENARIO(linger), SCENARIO(full), SCENARIO(peer_gone_while_sending),
    SCENARIO(receive_timeout), SCENARIO(interrupted), SCENARIO(interrupted_restarts),
    SCENARIO(shutdown_wakes), SCENARIO(accept_queue), SCENARIO(accept_queue_full),
    SCENARIO(bad_pointers), SCENARIO(write_shut_before_it_listens),
    SCENARIO(read_shut_before_it_listens), SCENARIO(both_close_at_once), { 0 },
};
