/* SPDX-License-Identifier: Apache-2.0 */
/* TCP's urgent data: MSG_OOB, SO_OOBINLINE, SIOCATMARK, and the mark that reading stops at. */
#include "urgent.h"

const char group_name[] = "urgent";

static void each_family(void (*run)(struct pair))
{
    section("IPv4");
    run(tcp_pair(AF_INET));
    section("IPv6");
    run(tcp_pair(AF_INET6));
    section(NULL);
}

static void out_of_line_of(struct pair p)
{
    SAY_STATE(p.server);
    SAY_RECV(p.server, 4, MSG_OOB);
    give(&p, "abc", "dU", "efg");
    SAY_STATE(p.server);
    SAY_RECV(p.server, 2, 0);
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, MSG_PEEK);
    SAY_RECV(p.server, 9, 0);
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, MSG_OOB | MSG_PEEK);
    SAY_RECV(p.server, 9, MSG_OOB);
    SAY_RECV(p.server, 9, MSG_OOB);
    SAY_STATE(p.server);
    SAY_RECV(p.server, 2, MSG_PEEK);
    SAY_RECV(p.server, 2, 0);
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, 0);
    SAY_RECV(p.server, 9, MSG_OOB);
    SAY_RECV(p.server, 9, MSG_DONTWAIT);
}

static void out_of_line(void)
{
    each_family(out_of_line_of);
}

static void in_line_of(struct pair p)
{
    set_int(p.server, SOL_SOCKET, SO_OOBINLINE, 1);
    SAY_OPTION(p.server, SOL_SOCKET, SO_OOBINLINE);
    give(&p, "abc", "dU", "efg");
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, MSG_OOB);
    SAY_RECV(p.server, 9, 0);
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, MSG_PEEK);
    SAY_RECV(p.server, 1, 0);
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, 0);
    SAY_STATE(p.server);
}

static void in_line(void)
{
    each_family(in_line_of);
}

static void back_from_the_server_of(struct pair p)
{
    SAY(sys.send(p.server, "rX", 2, MSG_OOB));
    settle();
    SAY_STATE(p.client);
    SAY_RECV(p.client, 1, MSG_OOB);
    SAY_RECV(p.client, 9, 0);
    SAY_STATE(p.client);
    SAY_RECV(p.client, 9, MSG_DONTWAIT);
    SAY_STATE(p.client);
}

static void back_from_the_server(void)
{
    each_family(back_from_the_server_of);
}

/* Only the urgent byte is there. */
static void alone(void)
{
    struct pair p = tcp_pair(AF_INET);
    char none;

    give(&p, "", "U", "");
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, MSG_DONTWAIT | MSG_PEEK);
    SAY_STATE(p.server);
    SAY(sys.recv(p.server, &none, 0, MSG_DONTWAIT));
    SAY_STATE(p.server);
    SAY(sys.recv(p.server, &none, 0, MSG_OOB));
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, MSG_DONTWAIT);
    SAY_STATE(p.server);
    give(&p, "", "V", "w");
    SAY_STATE(p.server);
    SAY_RECV(p.server, 1, MSG_OOB | MSG_TRUNC);
    SAY_RECV(p.server, 9, MSG_DONTWAIT);
    SAY_STATE(p.server);
}

static void flags_of_messages(void)
{
    struct pair p = tcp_pair(AF_INET);
    char byte = '-';
    struct iovec iov[2] = { { &byte, 0 }, { &byte, 1 } };
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2, .msg_flags = -1 };

    give(&p, "", "abcU", "");
    SAY(sys.recvmsg(p.server, &msg, MSG_OOB));
    NOTE("message", "%c flags %#x control %zu", byte, msg.msg_flags, msg.msg_controllen);
    give(&p, "", "V", "");
    msg.msg_iovlen = 1;
    SAY(sys.recvmsg(p.server, &msg, MSG_OOB));
    NOTE("message", "%c flags %#x", byte, msg.msg_flags);
    SAY(sys.recvmsg(p.server, &msg, MSG_OOB));
    SAY_RECV(p.server, 1, MSG_OOB | MSG_ERRQUEUE);
}

/* A second one takes the place of the first, which is read as any other unless reading stopped at it. */
static void one_after_another(void)
{
    struct pair p = tcp_pair(AF_INET);

    section("not reached");
    give(&p, "ab", "U", "cd");
    give(&p, "", "V", "ef");
    SAY_STATE(p.server);
    SAY_RECV(p.server, 1, MSG_OOB);
    SAY_RECV(p.server, 9, 0);
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, 0);
    SAY_STATE(p.server);

    section("stopped at");
    give(&p, "ab", "W", "cd");
    SAY_RECV(p.server, 9, 0);
    SAY_STATE(p.server);
    give(&p, "", "X", "ef");
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, MSG_PEEK);
    SAY_RECV(p.server, 9, 0);
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, 0);

    section("taken before");
    give(&p, "", "Y", "");
    SAY_RECV(p.server, 1, MSG_OOB);
    give(&p, "", "Z", "g");
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, MSG_DONTWAIT);
    SAY_RECV(p.server, 1, MSG_OOB);
    SAY_RECV(p.server, 9, MSG_DONTWAIT);
    SAY_STATE(p.server);

    section("side by side, in line");
    set_int(p.server, SOL_SOCKET, SO_OOBINLINE, 1);
    give(&p, "h", "A", "");
    SAY_RECV(p.server, 9, 0);
    give(&p, "", "B", "i");
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, 0);
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, 0);
}

static void changed_on_the_way(void)
{
    struct pair p = tcp_pair(AF_INET);

    give(&p, "a", "U", "b");
    set_int(p.server, SOL_SOCKET, SO_OOBINLINE, 1);
    SAY_STATE(p.server);
    SAY_RECV(p.server, 1, MSG_OOB);
    SAY_RECV(p.server, 9, 0);
    SAY_STATE(p.server);
    set_int(p.server, SOL_SOCKET, SO_OOBINLINE, 0);
    SAY_STATE(p.server);
    SAY_RECV(p.server, 1, MSG_OOB);
    SAY_RECV(p.server, 9, 0);
    SAY_STATE(p.server);
}

static void wait_for_all(void)
{
    struct pair p = tcp_pair(AF_INET);

    give(&p, "abc", "U", "def");
    SAY_RECV(p.server, 6, MSG_WAITALL);
    SAY_RECV(p.server, 3, MSG_WAITALL);
    SAY_STATE(p.server);
    give(&p, "gh", "U", "i");
    SAY_RECV(p.server, 2, MSG_WAITALL | MSG_TRUNC);
    SAY_STATE(p.server);
    SAY_RECV(p.server, 0, 0);
    SAY_RECV(p.server, 1, MSG_TRUNC);
    SAY_STATE(p.server);
}

static void at_the_end(void)
{
    struct pair p = tcp_pair(AF_INET);

    section("after the FIN");
    give(&p, "a", "U", "");
    sys.shutdown(p.client, SHUT_WR);
    settle();
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, 0);
    SAY_STATE(p.server);
    SAY_RECV(p.server, 1, MSG_OOB);
    SAY_RECV(p.server, 9, 0);
    SAY_RECV(p.server, 1, MSG_OOB);
    SAY_STATE(p.server);

    section("after a reset");
    p = tcp_pair(AF_INET);
    give(&p, "a", "U", "");
    reset(p.client);
    settle();
    SAY_EVENTS(p.server);
    SAY_RECV(p.server, 1, MSG_OOB);
    SAY_RECV(p.server, 9, 0);

    section("unread");
    p = tcp_pair(AF_INET);
    give(&p, "", "U", "");
    SAY_RECV(p.server, 1, MSG_OOB);
    SAY(sys.close(p.server));
    settle();
    SAY_EVENTS(p.client);
    SAY_RECV(p.client, 1, 0);

    section("after shutdown");
    p = tcp_pair(AF_INET);
    SAY(sys.shutdown(p.client, SHUT_WR));
    SAY(sys.send(p.client, "U", 1, MSG_OOB | MSG_NOSIGNAL));
    settle();
    SAY(sys.shutdown(p.client, SHUT_RD));
    SAY(sys.send(p.server, "aV", 2, MSG_OOB | MSG_NOSIGNAL));
    settle();
    SAY_RECV(p.client, 1, MSG_OOB);
}

static void without_a_connection(void)
{
    int fd = sys.socket(AF_INET, SOCK_STREAM, 0), l = listener(AF_INET, 1);

    SAY_RECV(fd, 1, MSG_OOB);
    SAY(sys.send(fd, "U", 1, MSG_OOB | MSG_NOSIGNAL));
    SAY_STATE(fd);
    SAY_RECV(l, 1, MSG_OOB);
    SAY(sys.send(l, "U", 1, MSG_OOB | MSG_NOSIGNAL));
    SAY_EVENTS(l);
}

static void datagrams_of(int family)
{
    struct pair p = udp_pair(family);
    int mark = -1, unnamed = sys.socket(family, SOCK_DGRAM, 0);

    SAY(sys.send(p.client, "U", 1, MSG_OOB));
    settle();
    SAY_RECV(p.server, 1, MSG_OOB | MSG_DONTWAIT);
    SAY(sys.ioctl(p.server, SIOCATMARK, &mark));
    SAY(sys.send(unnamed, "U", 1, MSG_OOB));
}

static void datagrams(void)
{
    struct pair p = udp_pair(AF_INET);
    struct address a = address_of(AF_INET6, MAPPED_HOST, port_of(p.server));

    section("IPv4");
    datagrams_of(AF_INET);
    section("IPv6");
    datagrams_of(AF_INET6);
    section("mapped");
    SAY(sys.sendto(sys.socket(AF_INET6, SOCK_DGRAM, 0), "U", 1, MSG_OOB, ADDR(a)));
}

/* What cork and Nagle's rule hold back goes out with it. */
static void not_held_back(void)
{
    struct pair p = tcp_pair(AF_INET);

    SAY(sys.send(p.client, "abc", 3, MSG_MORE));
    SAY(sys.send(p.client, "U", 1, MSG_OOB | MSG_MORE));
    settle();
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, 0);
    set_int(p.client, IPPROTO_TCP, TCP_CORK, 1);
    SAY(sys.send(p.client, "def", 3, 0));
    SAY(sys.send(p.client, "V", 1, MSG_OOB));
    settle();
    SAY_STATE(p.server);
    SAY_RECV(p.server, 9, 0);
}

/* It is known of before it arrives: the window is closed. */
static void ahead_of_the_data(void)
{
    struct pair p = tcp_pair(AF_INET);
    size_t queued = fill(p.client);
    char buffer[65536];
    size_t got = 0, marks = 0;

    (void)queued;
    settle();
    SAY_RECV(p.server, 1, MSG_OOB);
    /* A part is taken, so that the byte finds room here, but not at once there. */
    while (got < 200000) {
        ssize_t n = sys.recv(p.server, buffer, sizeof(buffer), 0);

        if (n <= 0)
            break;
        got += (size_t)n;
    }
    await(p.client, POLLOUT);
    SAY(sys.send(p.client, "U", 1, MSG_OOB));
    sys.shutdown(p.client, SHUT_WR);
    for (;;) {
        ssize_t n;
        int mark = 0;

        sys.ioctl(p.server, SIOCATMARK, &mark);
        if (mark)
            marks++;
        n = sys.recv(p.server, buffer, sizeof(buffer), 0);
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    NOTE("marks", "%zu", marks);
    NOTE("all but the urgent one", "%d", got == queued);
    SAY_RECV(p.server, 1, MSG_OOB);
}

/* A program that reads line by line, and forgets what lies before an interrupt (telnet's Synch). */
static void synch(void)
{
    struct pair p = tcp_pair(AF_INET);
    char buffer[4096], junk[3000];
    size_t dropped = 0;
    int mark = 0;

    memset(junk, 'j', sizeof(junk));
    for (int i = 0; i < 5; i++)
        sys.send(p.client, junk, sizeof(junk), 0);
    sys.send(p.client, "\377\362", 2, MSG_OOB);
    sys.send(p.client, "go on", 5, 0);
    await(p.server, POLLPRI);
    set_int(p.server, SOL_SOCKET, SO_OOBINLINE, 1);
    for (;;) {
        ssize_t n;

        SAY(sys.ioctl(p.server, SIOCATMARK, &mark));
        if (mark)
            break;
        do
            n = sys.recv(p.server, buffer, sizeof(buffer), MSG_DONTWAIT);
        while (n > 0 && (dropped += (size_t)n) < 5 * sizeof(junk) + 1);
    }
    NOTE("dropped", "%zu", dropped);
    settle();
    SAY_RECV(p.server, 9, 0);
}

const struct scenario scenarios[] = {
    SCENARIO(out_of_line),        SCENARIO(in_line),           SCENARIO(back_from_the_server),
    SCENARIO(alone),              SCENARIO(flags_of_messages), SCENARIO(one_after_another),
    SCENARIO(changed_on_the_way), SCENARIO(wait_for_all),      SCENARIO(at_the_end),
    SCENARIO(without_a_connection), SCENARIO(datagrams),       SCENARIO(not_held_back),
    SCENARIO(ahead_of_the_data),  SCENARIO(synch),             { 0 },
};
