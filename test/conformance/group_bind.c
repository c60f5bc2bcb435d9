/* SPDX-License-Identifier: Apache-2.0 */
/* Who may have which port: bind(2) and listen(2) beside other sockets (socket(7)), and what a connection holds. */
#include "harness.h"

const char group_name[] = "bind";
const bool group_own_ports = true; /* nobody else may be there */

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

/* Whoever has the port of `fd` at its address, at the other one of this host, at all: may another be bound there? */
static void say_beside(int fd, bool reuse)
{
    struct address at = { .len = sizeof(at.in) }, host = address_of(AF_INET, HOST, 0);
    enum place places[] = { HOST, OTHER, ANY };

    sys.getsockname(fd, &at.any, &at.len);
    if (at.in.sin_addr.s_addr != host.in.sin_addr.s_addr) { /* the place that it has goes first */
        places[0] = OTHER;
        places[1] = HOST;
    }
    for (int i = 0; i < 3; i++) {
        struct address a = address_of(AF_INET, places[i], port_of(fd));
        int other = sys.socket(AF_INET, SOCK_STREAM, 0);

        set_int(other, SOL_SOCKET, SO_REUSEADDR, reuse);
        SAY(sys.bind(other, ADDR(a)));
        SAY(sys.listen(other, 1));
        sys.close(other);
    }
}

/* connect() chose it: it is this connection's, at its address, until that has gone. */
static void port_of_a_client(void)
{
    int listening = listener(AF_INET, 4), fd = connected_to(listening, AF_INET);
    struct sockaddr unspec = { .sa_family = AF_UNSPEC };
    struct linger linger = { .l_onoff = 1 };

    say_beside(fd, false);
    say_beside(fd, true);
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    say_beside(fd, false);
    say_beside(fd, true);
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 0);
    sys.shutdown(fd, SHUT_WR);
    settle();
    say_beside(fd, true);
    SAY(sys.connect(fd, &unspec, sizeof(unspec)));
    fd = connected_to(listening, AF_INET);
    sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    say_beside(fd, true);
}

/* Bound to a wildcard it has one address as long as it has a peer. */
static void port_of_a_bound_client(void)
{
    int listening = listener(AF_INET, 4), fd = bound(AF_INET, SOCK_STREAM, ANY), port = port_of(fd);
    struct address a = address_at(listening, AF_INET), mine = address_of(AF_INET, ANY, port);
    struct sockaddr unspec = { .sa_family = AF_UNSPEC };

    say_beside(fd, false);
    SAY(sys.connect(fd, ADDR(a)));
    say_beside(fd, false);
    SAY(sys.connect(fd, &unspec, sizeof(unspec)));
    fd = sys.socket(AF_INET, SOCK_STREAM, 0);
    SAY(sys.bind(fd, ADDR(mine))); /* the first one's number was drawn, so it is free again */
    SAY(sys.connect(fd, ADDR(a)));
    SAY(sys.connect(fd, &unspec, sizeof(unspec)));
    say_beside(fd, false);
}

static void accepted_and_listens_again(bool reuse)
{
    struct pair p = { .listening = bound(AF_INET, SOCK_STREAM, HOST) };
    struct address a = address_at(p.listening, AF_INET);

    sys.close(p.listening);
    p.listening = sys.socket(AF_INET, SOCK_STREAM, 0);
    set_int(p.listening, SOL_SOCKET, SO_REUSEADDR, reuse);
    SAY(sys.bind(p.listening, ADDR(a)));
    SAY(sys.listen(p.listening, 4));
    p.client = connected_to(p.listening, AF_INET);
    p.server = SAY_FD(sys.accept4(p.listening, NULL, NULL, 0));
    SAY(sys.shutdown(p.listening, SHUT_RD));
    SAY(sys.listen(p.listening, 4));
    SAY_OPTION(p.listening, SOL_SOCKET, SO_ACCEPTCONN);
    sys.close(p.server); /* the first to close: TIME_WAIT is here */
    await(p.client, POLLIN);
    sys.close(p.client);
    settle();
    SAY(sys.listen(p.listening, 4));
    say_beside(p.listening, true);
    sys.close(p.listening);
    settle();
    p.listening = sys.socket(AF_INET, SOCK_STREAM, 0);
    SAY(sys.bind(p.listening, ADDR(a)));
    set_int(p.listening, SOL_SOCKET, SO_REUSEADDR, 1);
    SAY(sys.bind(p.listening, ADDR(a)));
    SAY(sys.listen(p.listening, 4));
}
static void listens_beside_what_it_accepted(void) { accepted_and_listens_again(false); }
static void listens_beside_what_it_shares(void) { accepted_and_listens_again(true); }

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

/* IP_BIND_ADDRESS_NO_PORT: the address is taken, the port when one is needed. */
static void no_port(int family, int type)
{
    int listening = listener(family, 8), fd = sys.socket(family, type, 0), other;
    struct address here = address_of(family, HOST, 0), any = address_of(family, ANY, 0), to, none = { .len = 16 };
    char byte;

    to = address_at(listening, family);
    SAY(set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1));
    SAY(sys.bind(fd, ADDR(here)));
    SAY_NAMES(fd);
    SAY(sys.bind(fd, ADDR(any)));
    SAY_NAMES(fd);
    SAY(sys.bind(fd, ADDR(here)));
    SAY(sys.connect(fd, ADDR(to)));
    NOTE("port", "%s", port_of(fd) ? "one" : "none");
    SAY(sys.bind(fd, ADDR(here)));
    none.any.sa_family = AF_UNSPEC;
    SAY(sys.connect(fd, ADDR(none)));
    SAY(sys.connect(fd, ADDR(to)));
    section("with a number");
    other = sys.socket(family, type, 0);
    SAY(set_int(other, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1));
    here = address_of(family, HOST, port_of(fd));
    SAY(sys.bind(other, ADDR(here)));
    section("without a peer");
    other = sys.socket(family, type, 0);
    here = address_of(family, HOST, 0);
    SAY(set_int(other, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1));
    SAY(sys.bind(other, ADDR(here)));
    if (type == SOCK_STREAM)
        SAY(sys.listen(other, 1));
    else
        SAY(sys.sendto(other, "x", 1, 0, ADDR(to)));
    NOTE("port", "%s", port_of(other) ? "one" : "none");
    SAY(sys.bind(other, ADDR(here)));
    if (type == SOCK_DGRAM) {
        other = sys.socket(family, type, 0);
        SAY(set_int(other, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1));
        SAY(sys.bind(other, ADDR(here)));
        SAY(sys.recv(other, &byte, 1, MSG_DONTWAIT));
        SAY_EVENTS(other);
        SAY_NAMES(other);
    }
}
static void no_port_tcp_4(void) { no_port(AF_INET, SOCK_STREAM); }
static void no_port_tcp_6(void) { no_port(AF_INET6, SOCK_STREAM); }
static void no_port_udp_4(void) { no_port(AF_INET, SOCK_DGRAM); }
static void no_port_udp_6(void) { no_port(AF_INET6, SOCK_DGRAM); }

/* An accepted connection holds its port while it is up; one that was reset does not, closed or not. */
static void reset_gives_the_port_back(void)
{
    int listening = bound(AF_INET, SOCK_STREAM, HOST), fd, got, other = sys.socket(AF_INET, SOCK_STREAM, 0);
    struct address here;

    sys.listen(listening, 2);
    here = address_at(listening, AF_INET);
    fd = connected_to(listening, AF_INET);
    got = SAY_FD(sys.accept4(listening, NULL, NULL, 0));
    sys.close(listening);
    SAY(sys.bind(other, ADDR(here)));
    reset(fd);
    await(got, POLLHUP);
    SAY(sys.bind(other, ADDR(here)));
    SAY(sys.listen(other, 1));
    SAY_NAMES(got);
}

const struct scenario scenarios[] = {
    SCENARIO(bind_matrix_tcp), SCENARIO(bind_matrix_tcp_shared), SCENARIO(bind_matrix_udp),
    SCENARIO(bind_matrix_udp_shared), SCENARIO(port_of_a_connection), SCENARIO(port_of_a_client),
    SCENARIO(port_of_a_bound_client), SCENARIO(listens_beside_what_it_accepted),
    SCENARIO(listens_beside_what_it_shares), SCENARIO(restart_of_a_server), SCENARIO(listeners_share_4),
    SCENARIO(listeners_share_6), SCENARIO(listeners_beside_wildcards), SCENARIO(no_port_tcp_4),
    SCENARIO(no_port_tcp_6), SCENARIO(no_port_udp_4), SCENARIO(no_port_udp_6),
    SCENARIO(reset_gives_the_port_back), { 0 },
};
