/* SPDX-License-Identifier: Apache-2.0 */
/* TCP: sending and receiving in every state, flags, shutdown, close, reset. */
#include <linux/sockios.h>

#include "harness.h"

const char group_name[] = "tcp";

static void unconnected(void)
{
    int fd = sys.socket(AF_INET, SOCK_STREAM, 0), named = bound(AF_INET, SOCK_STREAM, HOST), n = -1;

    SAY_RECV(fd, 1, 0);
    SAY_RECV(fd, 0, 0);
    SAY_RECV(fd, 1, MSG_DONTWAIT);
    SAY_RECV(fd, 1, MSG_PEEK);
    SAY_RECV(fd, 1, MSG_OOB);
    SAY(sys.send(fd, "x", 1, 0));
    SAY(sys.send(fd, "x", 1, MSG_NOSIGNAL));
    SAY(sys.send(fd, "x", 0, MSG_NOSIGNAL));
    SAY(sys.shutdown(fd, SHUT_RD));
    SAY(sys.shutdown(fd, SHUT_WR));
    SAY(sys.shutdown(fd, 3));
    SAY(sys.shutdown(fd, -1));
    SAY_EVENTS(fd);
    SAY_EVENTS(named);
    SAY_RECV(named, 1, 0);
    SAY(sys.send(named, "x", 1, 0));
    SAY(sys.ioctl(fd, FIONREAD, &n));
    NOTE("FIONREAD", "%d", n);
    SAY(sys.ioctl(fd, SIOCOUTQ, &n));
    NOTE("SIOCOUTQ", "%d", n);
}

static void plain_data(void)
{
    struct pair p = tcp_pair(AF_INET);
    int n = -1;

    SAY_EVENTS(p.server);
    SAY(sys.send(p.client, "hello", 5, 0));
    await(p.server, POLLIN);
    SAY_EVENTS(p.server);
    SAY(sys.ioctl(p.server, FIONREAD, &n));
    NOTE("FIONREAD", "%d", n);
    SAY_RECV(p.server, 2, MSG_PEEK);
    SAY_RECV(p.server, 10, MSG_PEEK);
    SAY_RECV(p.server, 0, 0);
    SAY_RECV(p.server, 2, 0);
    SAY_RECV(p.server, 10, 0);
    SAY_RECV(p.server, 10, MSG_DONTWAIT);
    SAY_RECV(p.server, 0, MSG_DONTWAIT);
    SAY(sys.send(p.client, "x", 0, 0));
    settle();
    SAY_EVENTS(p.server);
    settle();
    SAY(sys.ioctl(p.client, SIOCOUTQ, &n));
    NOTE("SIOCOUTQ", "%d", n);
    SAY(sys.write(p.server, "back", 4));
    await(p.client, POLLIN);
    SAY(sys.recv(p.client, NULL, 0, 0));
    SAY_RECV(p.client, 3, MSG_TRUNC);
    SAY_RECV(p.client, 3, 0);
    SAY(sys.sendto(p.client, "to", 2, 0, NULL, 5));
    SAY_RECV(p.client, 3, MSG_DONTWAIT | MSG_ERRQUEUE);
}

static void names_of_receives(void)
{
    struct pair p = tcp_pair(AF_INET);
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    char buffer[8], control[64];
    struct iovec iov = { buffer, sizeof(buffer) };
    struct msghdr msg = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov,
                          .msg_iovlen = 1, .msg_control = control,
                          .msg_controllen = sizeof(control), .msg_flags = -1 };
    struct address a = address_at(p.listening, AF_INET);

    SAY(sys.sendto(p.client, "abcdef", 6, 0, ADDR(a)));
    await(p.server, POLLIN);
    memset(&from, 0x55, sizeof(from));
    SAY(sys.recvfrom(p.server, buffer, 2, 0, (void *)&from, &len));
    NOTE("from", "%u %d", len, ((char *)&from)[0] == 0x55);
    SAY(sys.recvmsg(p.server, &msg, 0));
    NOTE("msg", "name %u control %zu flags %#x", msg.msg_namelen, msg.msg_controllen, msg.msg_flags);
}

static void flags_of_receives(void)
{
    struct pair p = tcp_pair(AF_INET);
    struct timeval limit = { .tv_usec = 60000 };

    sys.send(p.client, "abcdef", 6, 0);
    await(p.server, POLLIN);
    SAY_RECV(p.server, 6, MSG_WAITALL);
    sys.send(p.client, "abc", 3, 0);
    await(p.server, POLLIN);
    SAY_RECV(p.server, 6, MSG_WAITALL | MSG_DONTWAIT);
    sys.setsockopt(p.server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    SAY_RECV(p.server, 6, 0);
    sys.send(p.client, "xyz", 3, 0);
    SAY_RECV(p.server, 6, MSG_WAITALL);
    sys.send(p.client, "123", 3, 0);
    await(p.server, POLLIN);
    SAY_RECV(p.server, 6, MSG_WAITALL | MSG_PEEK);
    sys.shutdown(p.client, SHUT_WR);
    SAY_RECV(p.server, 6, MSG_WAITALL);
    SAY_RECV(p.server, 6, MSG_WAITALL);
    SAY_RECV(p.server, 6, MSG_OOB);
}

static void more(void)
{
    struct pair p = tcp_pair(AF_INET);

    SAY(sys.send(p.client, "one", 3, MSG_MORE));
    SAY(sys.send(p.client, "two", 3, 0));
    await(p.server, POLLIN);
    settle();
    SAY_RECV(p.server, 10, 0);
    SAY(sys.send(p.client, "three", 5, MSG_MORE));
    settle();
    settle();
    SAY_RECV(p.server, 10, MSG_DONTWAIT);
    SAY(sys.shutdown(p.client, SHUT_WR));
    await(p.server, POLLIN);
    SAY_RECV(p.server, 10, 0);
}

static void corked(void)
{
    struct pair p = tcp_pair(AF_INET);

    SAY(set_int(p.client, IPPROTO_TCP, TCP_CORK, 1));
    SAY(sys.send(p.client, "one", 3, 0));
    settle();
    settle();
    SAY_RECV(p.server, 10, MSG_DONTWAIT);
    SAY(set_int(p.client, IPPROTO_TCP, TCP_CORK, 0));
    await(p.server, POLLIN);
    SAY_RECV(p.server, 10, 0);
}

static void vectors(void)
{
    struct pair p = tcp_pair(AF_INET);
    static struct iovec many[1100];
    static char bytes[1100];
    char a[3], b[4], c[8];
    struct iovec in[4] = { { a, 3 }, { NULL, 0 }, { b, 4 }, { c, 8 } };
    struct iovec out[3] = { { "he", 2 }, { NULL, 0 }, { "llo world", 9 } };
    struct msghdr msg = { .msg_iov = many, .msg_iovlen = 1025 };

    SAY(sys.writev(p.client, out, 3));
    await(p.server, POLLIN);
    SAY(sys.readv(p.server, in, 4));
    NOTE("parts", "%.3s|%.4s|%.4s", a, b, c);
    SAY(sys.writev(p.client, out, 0));
    SAY(sys.writev(p.client, out, -1));
    SAY(sys.readv(p.server, in, -1));
    SAY(sys.readv(p.server, in, 0));
    for (int i = 0; i < 1100; i++)
        many[i] = (struct iovec){ bytes + i, 1 };
    memset(bytes, 'm', sizeof(bytes));
    SAY(sys.writev(p.client, many, 1025));
    SAY(sys.readv(p.server, many, 1025));
    SAY(sys.sendmsg(p.client, &msg, 0));
    SAY(sys.recvmsg(p.server, &msg, 0));
    SAY(sys.writev(p.client, many, 1024));
    await(p.server, POLLIN);
    settle();
    SAY(sys.readv(p.server, many, 1024));
    msg.msg_iovlen = 0;
    SAY(sys.sendmsg(p.client, &msg, 0));
    nonblocking(p.server);
    SAY(sys.recvmsg(p.server, &msg, 0));
    out[0].iov_len = (size_t)-1;
    SAY(sys.writev(p.client, out, 3));
    msg.msg_iov = out;
    msg.msg_iovlen = 3;
    SAY(sys.sendmsg(p.client, &msg, 0));
    SAY_RECV(p.server, 10, 0);
}

static void many_messages(void)
{
    struct pair p = tcp_pair(AF_INET);
    char a[4], b[4];
    struct iovec in[2] = { { a, 4 }, { b, 4 } };
    struct iovec out[2] = { { "one", 3 }, { "two", 3 } };
    struct mmsghdr sent[2] = { { .msg_hdr = { .msg_iov = &out[0], .msg_iovlen = 1 } },
                               { .msg_hdr = { .msg_iov = &out[1], .msg_iovlen = 1 } } };
    struct mmsghdr got[2] = { { .msg_hdr = { .msg_iov = &in[0], .msg_iovlen = 1 } },
                              { .msg_hdr = { .msg_iov = &in[1], .msg_iovlen = 1 } } };

    SAY(sys.sendmmsg(p.client, sent, 2, 0));
    NOTE("sent", "%u %u", sent[0].msg_len, sent[1].msg_len);
    settle();
    SAY(sys.recvmmsg(p.server, got, 2, MSG_DONTWAIT, NULL));
    NOTE("got", "%u %u", got[0].msg_len, got[1].msg_len);
    SAY(sys.recvmmsg(p.server, got, 2, MSG_DONTWAIT, NULL));
    SAY(sys.recvmmsg(p.server, got, 0, MSG_DONTWAIT, NULL));
    SAY(sys.sendmmsg(p.client, sent, 0, 0));
}

static void after_shutdown(int how)
{
    struct pair p = tcp_pair(AF_INET);
    int n = -1;

    sys.send(p.server, "left", 4, 0);
    await(p.client, POLLIN);
    SAY(sys.shutdown(p.client, how));
    settle();
    SAY_EVENTS(p.client);
    SAY_EVENTS(p.server);
    SAY_RECV(p.client, 10, MSG_DONTWAIT);
    SAY_RECV(p.client, 10, MSG_DONTWAIT);
    SAY(sys.send(p.client, "a", 1, 0));
    SAY(sys.send(p.client, "a", 1, MSG_NOSIGNAL));
    SAY(sys.send(p.client, "a", 0, 0));
    settle();
    SAY_RECV(p.server, 10, MSG_DONTWAIT);
    SAY_RECV(p.server, 0, MSG_DONTWAIT);
    SAY(sys.send(p.server, "late", 4, 0));
    settle();
    SAY_EVENTS(p.client);
    SAY(sys.ioctl(p.client, FIONREAD, &n));
    NOTE("FIONREAD", "%d", n);
    SAY_RECV(p.client, 10, MSG_DONTWAIT);
    SAY_RECV(p.client, 10, MSG_DONTWAIT);
    SAY(sys.shutdown(p.client, how));
    SAY(sys.shutdown(p.client, SHUT_RDWR));
    settle();
    SAY_EVENTS(p.client);
    SAY(sys.shutdown(p.server, SHUT_RDWR));
    settle();
    SAY_EVENTS(p.client);
    SAY_EVENTS(p.server);
    SAY(sys.shutdown(p.client, SHUT_WR));
    SAY(sys.shutdown(p.server, SHUT_WR));
    SAY_OPTION(p.client, SOL_SOCKET, SO_ERROR);
    SAY_OPTION(p.server, SOL_SOCKET, SO_ERROR);
}
static void shutdown_read(void) { after_shutdown(SHUT_RD); }
static void shutdown_write(void) { after_shutdown(SHUT_WR); }
static void shutdown_both(void) { after_shutdown(SHUT_RDWR); }

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

const struct scenario scenarios[] = {
    SCENARIO(unconnected), SCENARIO(plain_data), SCENARIO(names_of_receives),
    SCENARIO(flags_of_receives), SCENARIO(more), SCENARIO(corked), SCENARIO(vectors),
    SCENARIO(many_messages), SCENARIO(shutdown_read), SCENARIO(shutdown_write),
    SCENARIO(shutdown_both), SCENARIO(peer_closed), SCENARIO(peer_closed_then_sends),
    SCENARIO(reset_by_recv), SCENARIO(reset_by_send), SCENARIO(reset_by_send_nosignal),
    SCENARIO(reset_by_so_error), SCENARIO(reset_by_empty_read), SCENARIO(reset_by_shutdown),
    SCENARIO(reset_by_peek), SCENARIO(reset_while_blocked), SCENARIO(close_with_unread),
    SCENARIO(data_after_close), SCENARIO(linger), SCENARIO(full),
    SCENARIO(peer_gone_while_sending), SCENARIO(receive_timeout), SCENARIO(interrupted),
    SCENARIO(interrupted_restarts), SCENARIO(shutdown_wakes), SCENARIO(accept_queue),
    SCENARIO(accept_queue_full), SCENARIO(bad_pointers), { 0 },
};
