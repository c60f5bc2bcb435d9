/* SPDX-License-Identifier: Apache-2.0 */
/* connect(2) in its states, and who may bind what (socket(7)). */
#include "harness.h"

const char group_name[] = "connect";
const bool group_own_ports = true; /* who may bind what: nobody else may be there */

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

/* Every way in which two sockets may meet on one port. */
static void matrix(int type, bool reuse_port)
{
    static const struct {
        int family;
        enum place place;
    } kinds[] = { { AF_INET, HOST }, { AF_INET, ANY }, { AF_INET, OTHER }, { AF_INET6, ANY },
                  { AF_INET6, MAPPED_HOST }, { AF_INET6, HOST } };
    static const char *const places[] = { "host", "other", "any", "foreign", "mapped", "" };
    static const char *const reuse_names[] = { "none", "addr", "port", "both" };

    for (size_t i = 0; i < 6; i++) {
        for (size_t j = 0; j < 6; j++) {
            for (int reuse = 0; reuse < 16; reuse++) {
                char label[128];
                bool shared = (reuse & 10) == 10; /* SO_REUSEPORT on both */

                if (shared != reuse_port)
                    continue;
                for (int listens = 0; listens < (type == SOCK_STREAM ? 2 : 1); listens++) {
                    for (int v6only = 0; v6only < 2; v6only++) {
                        struct address a = address_of(kinds[i].family, kinds[i].place, 0), b;
                        int one = sys.socket(kinds[i].family, type, 0), result, error;
                        int two = sys.socket(kinds[j].family, type, 0), listened = 9;

                        set_int(one, SOL_SOCKET, SO_REUSEADDR, reuse & 1);
                        set_int(one, SOL_SOCKET, SO_REUSEPORT, reuse >> 1 & 1);
                        set_int(two, SOL_SOCKET, SO_REUSEADDR, reuse >> 2 & 1);
                        set_int(two, SOL_SOCKET, SO_REUSEPORT, reuse >> 3 & 1);
                        if (v6only) {
                            set_int(one, IPPROTO_IPV6, IPV6_V6ONLY, 1);
                            set_int(two, IPPROTO_IPV6, IPV6_V6ONLY, 1);
                        }
                        if (sys.bind(one, ADDR(a)) < 0)
                            goto next;
                        if (listens)
                            sys.listen(one, 2);
                        b = address_of(kinds[j].family, kinds[j].place, port_of(one));
                        result = sys.bind(two, ADDR(b));
                        error = result < 0 ? errno : 0;
                        if (result == 0 && type == SOCK_STREAM)
                            listened = sys.listen(two, 2) < 0 ? errno : 0;
                        snprintf(label, sizeof(label), "%d %s%s + %d %s%s, reuse %s + %s%s",
                                 kinds[i].family == AF_INET ? 4 : 6, places[kinds[i].place],
                                 listens ? " listens" : "", kinds[j].family == AF_INET ? 4 : 6,
                                 places[kinds[j].place], v6only ? " v6only" : "",
                                 reuse_names[reuse & 3], reuse_names[reuse >> 2], "");
                        NOTE(label, "%s %s", error ? error_name(error) : "bound",
                             listened == 9 ? "" : listened ? error_name(listened) : "listens");
                    next:
                        sys.close(one);
                        sys.close(two);
                    }
                }
            }
        }
    }
}
static void bind_matrix_tcp(void) { matrix(SOCK_STREAM, false); }
static void bind_matrix_tcp_shared(void) { matrix(SOCK_STREAM, true); }
static void bind_matrix_udp(void) { matrix(SOCK_DGRAM, false); }
static void bind_matrix_udp_shared(void) { matrix(SOCK_DGRAM, true); }

static void port_of_a_connection(void)
{
    struct pair p = tcp_pair(AF_INET);
    int fd = sys.socket(AF_INET, SOCK_STREAM, 0), other = sys.socket(AF_INET, SOCK_STREAM, 0);
    struct address a = address_at(p.listening, AF_INET);

    sys.close(p.listening);
    settle();
    /* The accepted connection keeps the port. */
    SAY(sys.bind(fd, ADDR(a)));
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    SAY(sys.bind(fd, ADDR(a)));
    set_int(p.server, SOL_SOCKET, SO_REUSEADDR, 1);
    SAY(sys.bind(fd, ADDR(a)));
    sys.close(p.server);
    await(p.client, POLLIN);
    sys.close(p.client);
    settle();
    SAY(sys.bind(other, ADDR(a)));
}

static void restart_of_a_server(void)
{
    int listening = sys.socket(AF_INET, SOCK_STREAM, 0), got, fd, again;
    struct address a = address_of(AF_INET, HOST, 0);

    set_int(listening, SOL_SOCKET, SO_REUSEADDR, 1);
    sys.bind(listening, ADDR(a));
    sys.listen(listening, 4);
    a = address_at(listening, AF_INET);
    fd = connected_to(listening, AF_INET);
    got = sys.accept4(listening, NULL, NULL, 0);
    sys.close(got);
    sys.close(listening);
    await(fd, POLLIN);
    again = sys.socket(AF_INET, SOCK_STREAM, 0);
    set_int(again, SOL_SOCKET, SO_REUSEADDR, 1);
    SAY(sys.bind(again, ADDR(a)));
    SAY(sys.listen(again, 4));
    sys.close(fd);
    settle();
    fd = SAY_FD(connected_to(again, AF_INET));
    SAY_EVENTS(fd);
}

/* A connection that ends with a reset: what stays in TIME_WAIT has a port that other scenarios may draw. */
static int passing(int listening, int family)
{
    struct linger linger = { .l_onoff = 1 };
    int fd = connected_to(listening, family);

    sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    return fd;
}

/* Listens on that address with SO_REUSEPORT; an IPv6 wildcard takes both families. */
static int sharing(int family, enum place place, int port)
{
    struct address a = address_of(family, place, port);
    int fd = sys.socket(family, SOCK_STREAM, 0);

    set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (sys.bind(fd, ADDR(a)) < 0 || sys.listen(fd, 100) < 0)
        NOTE("cannot share", "%s", error_name(errno));
    nonblocking(fd);
    return fd;
}

static int accept_all(int listening)
{
    int count = 0;

    while (sys.accept4(listening, NULL, NULL, 0) >= 0)
        count++;
    return count;
}

/* Which one a connection goes to is nobody's promise; that both have some is, 1 : 2^63. */
static void listeners_share(int family)
{
    int one = sharing(family, HOST, 0), two = sharing(family, HOST, port_of(one)), clients[64];
    int first, second, broken = 0;
    char text[8];

    for (int i = 0; i < 64; i++)
        clients[i] = passing(one, family);
    settle();
    first = accept_all(one);
    second = accept_all(two);
    NOTE("both have some", "%d, all %d", first > 0 && second > 0, first + second);

    /* One ends: what waits there is reset, what it accepted goes on, the next all go to the other. */
    for (int i = 0; i < 32; i++)
        clients[i] = passing(two, family);
    settle();
    SAY(sys.close(one));
    settle();
    for (int i = 0; i < 64; i++)
        broken += sys.recv(clients[i], text, sizeof(text), MSG_DONTWAIT) < 0 && errno == ECONNRESET;
    NOTE("some are reset", "%d, others wait: %d", broken > 0, accept_all(two) + broken);
    for (int i = 0; i < 16; i++)
        passing(two, family);
    settle();
    NOTE("all to the other", "%d", accept_all(two));

    /* A third takes over. */
    one = sharing(family, HOST, port_of(two));
    SAY(sys.close(two));
    passing(one, family);
    settle();
    NOTE("to the third", "%d", accept_all(one));
}
static void listeners_share_4(void) { listeners_share(AF_INET); }
static void listeners_share_6(void) { listeners_share(AF_INET6); }

/* The closest goes first: the address, then the wildcard of one family, then that of both. */
static void listeners_beside_wildcards(void)
{
    int dual = sharing(AF_INET6, ANY, 0), port = port_of(dual);
    int any = sharing(AF_INET, ANY, port), host = sharing(AF_INET, HOST, port);
    int again = sharing(AF_INET6, ANY, port);
    int all[] = { host, any, dual };
    static const char *const names[] = { "host", "any", "dual" };

    for (int n = 0; n < 3; n++) {
        for (int i = 0; i < 8; i++)
            passing(all[n], AF_INET);
        settle();
        for (int i = n; i < 3; i++)
            NOTE(names[i], "%d", accept_all(all[i]) + (all[i] == dual ? accept_all(again) : 0));
        sys.close(all[n]);
    }
    passing(again, AF_INET6);
    settle();
    NOTE("again", "%d", accept_all(again));
}

const struct scenario scenarios[] = {
    SCENARIO(blocking_4), SCENARIO(blocking_6), SCENARIO(blocking_mapped),
    SCENARIO(only_v6_to_mapped), SCENARIO(not_waiting), SCENARIO(not_waiting_refused),
    SCENARIO(refused_by_recv), SCENARIO(refused_by_send), SCENARIO(refused_by_connect),
    SCENARIO(refused_and_again), SCENARIO(arguments_4), SCENARIO(arguments_6),
    SCENARIO(disconnect), SCENARIO(to_any_4), SCENARIO(to_any_6),
    SCENARIO(to_itself_4), SCENARIO(to_itself_6), SCENARIO(to_itself_not_waiting), SCENARIO(to_itself_much),
    SCENARIO(from_bound_to_same_address), SCENARIO(same_port_two_peers),
    SCENARIO(bind_matrix_tcp), SCENARIO(bind_matrix_tcp_shared), SCENARIO(bind_matrix_udp),
    SCENARIO(bind_matrix_udp_shared), SCENARIO(port_of_a_connection),
    SCENARIO(restart_of_a_server), SCENARIO(listeners_share_4), SCENARIO(listeners_share_6),
    SCENARIO(listeners_beside_wildcards), { 0 },
};
