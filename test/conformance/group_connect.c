/* SPDX-License-Identifier: Apache-2.0 */
/* connect(2) in its states. */
#include "harness.h"

const char group_name[] = "connect";
const bool group_own_ports = true;

static int closed_port(int family)
{
    int fd = bound(family, SOCK_STREAM, HOST), port = port_of(fd);

    sys.close(fd);
    return port;
}

static void blocking(int family)
{
    int listening = listener(family, 4), fd = sys.socket(family, SOCK_STREAM, 0);
    struct address a = address_at(listening, family);

    SAY_EVENTS(fd);
    SAY(sys.connect(fd, ADDR(a)));
    SAY_EVENTS(fd);
    SAY(sys.connect(fd, ADDR(a)));
    a = address_of(family, HOST, closed_port(family));
    SAY(sys.connect(fd, ADDR(a)));
    SAY_OPTION(fd, SOL_SOCKET, SO_ERROR);
    SAY(sys.bind(fd, ADDR(a)));
}
static void blocking_4(void) { blocking(AF_INET); }
static void blocking_6(void) { blocking(AF_INET6); }
static void blocking_mapped(void)
{
    int listening = listener(AF_INET, 4), fd = sys.socket(AF_INET6, SOCK_STREAM, 0);
    struct address a = address_of(AF_INET6, MAPPED_HOST, port_of(listening));

    SAY(sys.connect(fd, ADDR(a)));
    SAY_NAMES(fd);
}

static void only_v6_to_mapped(void)
{
    int listening = listener(AF_INET, 4), fd = sys.socket(AF_INET6, SOCK_STREAM, 0);
    struct address a = address_of(AF_INET6, MAPPED_HOST, port_of(listening));

    set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    SAY(sys.connect(fd, ADDR(a)));
}

static void not_waiting(void)
{
    int listening = listener(AF_INET, 4), fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct address a = address_at(listening, AF_INET);

    SAY(sys.connect(fd, ADDR(a)));
    await(fd, POLLOUT);
    SAY_EVENTS(fd);
    SAY_OPTION(fd, SOL_SOCKET, SO_ERROR);
    SAY(sys.connect(fd, ADDR(a)));
    SAY(sys.connect(fd, ADDR(a)));
    SAY_NAMES(fd);
}

static void not_waiting_refused(void)
{
    int fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct address a = address_of(AF_INET, HOST, closed_port(AF_INET));

    SAY(sys.connect(fd, ADDR(a)));
    await(fd, POLLOUT);
    settle();
    SAY_EVENTS(fd);
    SAY_OPTION(fd, SOL_SOCKET, SO_ERROR);
    SAY_EVENTS(fd);
    SAY_OPTION(fd, SOL_SOCKET, SO_ERROR);
    SAY_RECV(fd, 1, 0);
    SAY(sys.send(fd, "x", 1, 0));
    SAY(sys.connect(fd, ADDR(a)));
    SAY_NAMES(fd);
    SAY(sys.connect(fd, ADDR(a)));
    await(fd, POLLOUT);
    settle();
    SAY(sys.connect(fd, ADDR(a)));
}

static void refused_reported_by(int how)
{
    int fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct address a = address_of(AF_INET, HOST, closed_port(AF_INET));

    sys.connect(fd, ADDR(a));
    await(fd, POLLOUT);
    settle();
    if (how == 0)
        SAY_RECV(fd, 1, 0);
    else if (how == 1)
        SAY(sys.send(fd, "x", 1, 0));
    else
        SAY(sys.connect(fd, ADDR(a)));
    SAY_RECV(fd, 1, 0);
    SAY(sys.send(fd, "x", 1, 0));
    SAY_EVENTS(fd);
}
static void refused_by_recv(void) { refused_reported_by(0); }
static void refused_by_send(void) { refused_reported_by(1); }
static void refused_by_connect(void) { refused_reported_by(2); }

static void refused_and_again(void)
{
    int fd = sys.socket(AF_INET, SOCK_STREAM, 0), port = closed_port(AF_INET), listening;
    struct address a = address_of(AF_INET, HOST, port);

    SAY(sys.connect(fd, ADDR(a)));
    SAY_NAMES(fd);
    SAY_OPTION(fd, SOL_SOCKET, SO_ERROR);
    SAY_EVENTS(fd);
    listening = listener(AF_INET, 4);
    a = address_at(listening, AF_INET);
    SAY(sys.connect(fd, ADDR(a)));
    SAY(sys.send(fd, "x", 1, 0));
    SAY_NAMES(fd);
}

static void arguments(int family)
{
    int fd = sys.socket(family, SOCK_STREAM, 0), listening = listener(family, 4);
    struct address a = address_at(listening, family);

    SAY(sys.connect(fd, &a.any, 0));
    SAY(sys.connect(fd, &a.any, 1));
    SAY(sys.connect(fd, &a.any, 2));
    SAY(sys.connect(fd, &a.any, 15));
    SAY(sys.connect(fd, &a.any, 8));
    a.any.sa_family = AF_UNIX;
    SAY(sys.connect(fd, ADDR(a)));
    a.any.sa_family = family == AF_INET ? AF_INET6 : AF_INET;
    SAY(sys.connect(fd, &a.any, sizeof(a.in6)));
    a.any.sa_family = AF_UNSPEC;
    SAY(sys.connect(fd, ADDR(a)));
    SAY(sys.connect(fd, &a.any, 2));
    SAY(sys.connect(fd, &a.any, 1));
    a = address_of(family, HOST, 0);
    SAY(sys.connect(fd, ADDR(a)));
    SAY_EVENTS(fd);
    SAY_NAMES(fd);
}
static void arguments_4(void) { arguments(AF_INET); }
static void arguments_6(void) { arguments(AF_INET6); }

static void disconnect(void)
{
    struct pair p = tcp_pair(AF_INET);
    struct sockaddr unspec = { .sa_family = AF_UNSPEC };
    struct address a = address_at(p.listening, AF_INET);

    SAY(sys.connect(p.client, &unspec, sizeof(unspec)));
    SAY_NAMES(p.client);
    SAY_EVENTS(p.client);
    await(p.server, POLLIN);
    SAY_EVENTS(p.server);
    SAY_RECV(p.server, 1, 0);
    SAY(sys.connect(p.client, ADDR(a)));
    SAY_NAMES(p.client);
    SAY(sys.connect(p.listening, &unspec, sizeof(unspec)));
    SAY_OPTION(p.listening, SOL_SOCKET, SO_ACCEPTCONN);
}

/* What the last connection of a socket comes to is told once it is given up: by its state. */
static void disconnect_after(int how, bool peer_first, bool peer_last)
{
    struct pair p = tcp_pair(AF_INET);
    struct sockaddr unspec = { .sa_family = AF_UNSPEC };

    if (peer_first) {
        sys.close(p.server);
        await(p.client, POLLIN);
        settle();
    }
    if (how >= 0)
        SAY(sys.shutdown(p.client, how));
    settle();
    if (peer_last) {
        sys.close(p.server);
        await(p.client, POLLIN);
        settle();
    }
    SAY(sys.connect(p.client, &unspec, sizeof(unspec)));
    settle();
    SAY_EVENTS(p.client);
    SAY(sys.send(p.client, "x", 1, MSG_NOSIGNAL));
    SAY(sys.send(p.client, "x", 1, MSG_NOSIGNAL));
    SAY_RECV(p.client, 1, MSG_DONTWAIT);
    SAY_NAMES(p.client);
    if (!peer_first && !peer_last)
        SAY_RECV(p.server, 1, MSG_DONTWAIT);
    reset(p.client);
}

static void disconnect_in_each_state(void)
{
    static const char *const names[] = { "as it is", "read", "write", "both" };
    char text[64];

    for (int how = -1; how < 3; how++) {
        for (int peer = 0; peer < 3; peer++) {
            snprintf(text, sizeof(text), "shut %s, peer closes %s", names[how + 1],
                     peer == 0 ? "never" : peer == 1 ? "first" : "last");
            section(text);
            disconnect_after(how, peer == 1, peer == 2);
        }
    }
}

static void to_any(int family)
{
    int listening = bound(family, SOCK_STREAM, ANY), fd = sys.socket(family, SOCK_STREAM, 0);
    struct address a = address_of(family, ANY, port_of(listening));

    sys.listen(listening, 3);
    SAY(sys.connect(fd, ADDR(a)));
    SAY_NAMES(fd);
}
static void to_any_4(void) { to_any(AF_INET); }
static void to_any_6(void) { to_any(AF_INET6); }

/* Its own SYN comes back to it: a simultaneous open (RFC 9293 3.5) with itself. */
static void to_itself(int family, bool waits)
{
    int fd = bound(family, SOCK_STREAM, HOST);
    struct address a = address_at(fd, family);
    struct timeval limit = { .tv_sec = 5 };

    sys.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (!waits)
        nonblocking(fd);
    SAY(sys.connect(fd, ADDR(a)));
    await(fd, POLLOUT);
    SAY_NAMES(fd);
    SAY(sys.send(fd, "echo", 4, 0));
    await(fd, POLLIN);
    SAY_EVENTS(fd);
    SAY_RECV(fd, 8, MSG_DONTWAIT);
    settle();
    SAY_EVENTS(fd);
    SAY(sys.send(fd, "last", 4, 0));
    SAY(sys.shutdown(fd, SHUT_WR));
    await(fd, POLLHUP);
    SAY_EVENTS(fd);
    SAY_RECV(fd, 8, MSG_DONTWAIT);
    SAY_RECV(fd, 8, MSG_DONTWAIT);
    SAY(sys.close(fd));
}
static void to_itself_4(void) { to_itself(AF_INET, true); }
static void to_itself_6(void) { to_itself(AF_INET6, true); }
static void to_itself_not_waiting(void) { to_itself(AF_INET, false); }

/* What it sends itself is more than a segment, and as much as its buffers take. */
static void to_itself_much(void)
{
    static char out[60000], in[60000];
    int fd = bound(AF_INET, SOCK_STREAM, HOST);
    struct address a = address_at(fd, AF_INET);
    struct timeval limit = { .tv_sec = 5 };

    sys.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    sys.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    SAY(sys.connect(fd, ADDR(a)));
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (char)(i * 31 >> 3);
    for (int round = 0; round < 3; round++) {
        SAY(sys.send(fd, out, sizeof(out), 0));
        SAY(sys.recv(fd, in, sizeof(in), MSG_WAITALL));
        NOTE("the same", "%d", memcmp(in, out, sizeof(in)) == 0);
    }
    reset(fd);
}

static void from_bound_to_same_address(void)
{
    int listening = listener(AF_INET, 4), fd = bound(AF_INET, SOCK_STREAM, HOST), got;
    struct address a = address_at(listening, AF_INET);
    struct timeval limit = { .tv_sec = 3 };

    sys.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    SAY(sys.connect(fd, ADDR(a)));
    nonblocking(listening);
    await(listening, POLLIN);
    got = SAY_FD(sys.accept4(listening, NULL, NULL, 0));
    SAY(sys.send(fd, "x", 1, 0));
    await(got, POLLIN);
    SAY_RECV(got, 1, MSG_DONTWAIT);
}

static void same_port_two_peers(void)
{
    int one = listener(AF_INET, 4), two = listener(AF_INET, 4);
    int fd = bound(AF_INET, SOCK_STREAM, ANY), again = sys.socket(AF_INET, SOCK_STREAM, 0);
    struct address a = address_at(one, AF_INET), mine = address_of(AF_INET, ANY, port_of(fd));

    SAY(sys.bind(again, ADDR(mine)));
    SAY(sys.connect(fd, ADDR(a)));
    set_int(again, SOL_SOCKET, SO_REUSEADDR, 1);
    SAY(sys.bind(again, ADDR(mine)));
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    SAY(sys.bind(again, ADDR(mine)));
    a = address_at(two, AF_INET);
    SAY(sys.connect(again, ADDR(a)));
}

const struct scenario scenarios[] = {
    SCENARIO(blocking_4), SCENARIO(blocking_6), SCENARIO(blocking_mapped),
    SCENARIO(only_v6_to_mapped), SCENARIO(not_waiting), SCENARIO(not_waiting_refused),
    SCENARIO(refused_by_recv), SCENARIO(refused_by_send), SCENARIO(refused_by_connect),
    SCENARIO(refused_and_again), SCENARIO(arguments_4), SCENARIO(arguments_6),
    SCENARIO(disconnect), SCENARIO(disconnect_in_each_state), SCENARIO(to_any_4), SCENARIO(to_any_6),
    SCENARIO(to_itself_4), SCENARIO(to_itself_6), SCENARIO(to_itself_not_waiting), SCENARIO(to_itself_much),
    SCENARIO(from_bound_to_same_address), SCENARIO(same_port_two_peers), { 0 },
};
