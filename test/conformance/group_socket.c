/* SPDX-License-Identifier: Apache-2.0 */
/* socket(2), bind(2), listen(2), accept(2), names, fcntl: arguments and states. */
#include "harness.h"

const char group_name[] = "socket";

static void socket_arguments(void)
{
    SAY_FD(sys.socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
    SAY_FD(sys.socket(AF_INET, SOCK_STREAM, 0));
    SAY_FD(sys.socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP));
    SAY_FD(sys.socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
    SAY_FD(sys.socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
    SAY_FD(sys.socket(AF_INET6, SOCK_STREAM, IPPROTO_UDP));
    SAY_FD(sys.socket(AF_INET, SOCK_STREAM, 9999));
    SAY_FD(sys.socket(AF_INET, SOCK_STREAM, -1));
    SAY_FD(sys.socket(AF_INET, SOCK_STREAM, 255));
    SAY_FD(sys.socket(AF_INET, 0, 0));
    SAY_FD(sys.socket(AF_INET, SOCK_RDM, 0));
    SAY_FD(sys.socket(AF_INET, 11, 0));
    SAY_FD(sys.socket(AF_INET, 15, 0));
    SAY_FD(sys.socket(AF_INET, SOCK_STREAM | 0x100000, 0));
    SAY_FD(sys.socket(-1, SOCK_STREAM, 0));
    SAY_FD(sys.socket(9999, SOCK_STREAM, 0));
    SAY_FD(sys.socket(AF_UNSPEC, SOCK_STREAM, 0));
}

static void bad_descriptors(void)
{
    struct address a = address_of(AF_INET, HOST, 0);
    int closed = sys.socket(AF_INET, SOCK_STREAM, 0);
    char byte = 0;

    sys.close(closed);
    SAY(sys.bind(closed, ADDR(a)));
    SAY(sys.listen(closed, 1));
    SAY(sys.connect(closed, ADDR(a)));
    SAY(sys.accept4(closed, NULL, NULL, 0));
    SAY(sys.send(closed, &byte, 1, 0));
    SAY(sys.recv(closed, &byte, 1, 0));
    SAY(sys.read(closed, &byte, 1));
    SAY(sys.write(closed, &byte, 1));
    SAY(sys.shutdown(closed, SHUT_RD));
    SAY(sys.close(closed));
    SAY(sys.fcntl(closed, F_GETFL));
    SAY(sys.bind(-1, ADDR(a)));
    SAY(sys.close(-1));
    SAY_NAMES(closed);
    SAY_OPTION(closed, SOL_SOCKET, SO_TYPE);
}

static void bind_states(int family, int type)
{
    struct address a = address_of(family, HOST, 0), foreign = address_of(family, FOREIGN, 0);
    int fd = sys.socket(family, type, 0);

    SAY_NAMES(fd);
    SAY(sys.bind(fd, ADDR(foreign)));
    SAY(sys.bind(fd, &a.any, 1));
    SAY(sys.bind(fd, &a.any, sizeof(sa_family_t)));
    SAY(sys.bind(fd, &a.any, a.len - 1));
    SAY(sys.bind(fd, &a.any, 0));
    a.any.sa_family = AF_UNIX;
    SAY(sys.bind(fd, ADDR(a)));
    a.any.sa_family = AF_UNSPEC;
    SAY(sys.bind(fd, ADDR(a)));
    a.any.sa_family = family == AF_INET ? AF_INET6 : AF_INET;
    SAY(sys.bind(fd, ADDR(a)));
    a = address_of(family, HOST, 0);
    SAY(sys.bind(fd, &a.any, sizeof(a.storage)));
    SAY_NAMES(fd);
    SAY(sys.bind(fd, ADDR(a)));
    a = address_of(family, HOST, port_of(fd));
    SAY(sys.bind(fd, ADDR(a)));
    a = address_of(family, OTHER, 0);
    SAY(sys.bind(fd, ADDR(a)));
    SAY_NAMES(fd);
}

static void bind_tcp4(void) { bind_states(AF_INET, SOCK_STREAM); }
static void bind_tcp6(void) { bind_states(AF_INET6, SOCK_STREAM); }
static void bind_udp4(void) { bind_states(AF_INET, SOCK_DGRAM); }
static void bind_udp6(void) { bind_states(AF_INET6, SOCK_DGRAM); }

static void bind_any_unspec(void)
{
    struct address a = address_of(AF_INET, ANY, 0);
    int fd = sys.socket(AF_INET, SOCK_STREAM, 0);

    /* The one case that the kernel lets pass, for old programs. */
    a.any.sa_family = AF_UNSPEC;
    SAY(sys.bind(fd, ADDR(a)));
    SAY_NAMES(fd);
}

static void bind_mapped(void)
{
    struct address mapped = address_of(AF_INET6, MAPPED_HOST, 0);
    struct address any = address_of(AF_INET6, MAPPED_ANY, 0);
    int fd = sys.socket(AF_INET6, SOCK_STREAM, 0), only = sys.socket(AF_INET6, SOCK_STREAM, 0);
    int wild = sys.socket(AF_INET6, SOCK_DGRAM, 0);

    SAY(sys.bind(fd, ADDR(mapped)));
    SAY_NAMES(fd);
    set_int(only, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    SAY(sys.bind(only, ADDR(mapped)));
    SAY(sys.bind(wild, ADDR(any)));
    SAY_NAMES(wild);
}

static void listen_states(void)
{
    struct pair p = tcp_pair(AF_INET);
    int fd = sys.socket(AF_INET, SOCK_STREAM, 0), udp = sys.socket(AF_INET, SOCK_DGRAM, 0);
    struct address a = address_of(AF_INET, HOST, 0);

    SAY(sys.listen(udp, 1));
    SAY(sys.listen(fd, -5));
    SAY_NAMES(fd);
    SAY_OPTION(fd, SOL_SOCKET, SO_ACCEPTCONN);
    SAY(sys.listen(fd, 10));
    SAY(sys.listen(fd, 1000000));
    SAY(sys.bind(fd, ADDR(a)));
    SAY(sys.listen(p.client, 1));
    SAY(sys.listen(p.server, 1));
    a = address_at(p.listening, AF_INET);
    SAY(sys.connect(p.listening, ADDR(a)));
    SAY_NAMES(p.listening);
    SAY_OPTION(p.client, SOL_SOCKET, SO_ACCEPTCONN);
}

static void listener_calls(void)
{
    int fd = listener(AF_INET, 4), number = -1;
    char byte = 0;

    SAY_RECV(fd, 1, 0);
    SAY_RECV(fd, 0, 0);
    SAY_RECV(fd, 1, MSG_DONTWAIT);
    SAY_RECV(fd, 1, MSG_PEEK);
    SAY(sys.send(fd, &byte, 1, 0));
    SAY(sys.send(fd, &byte, 1, MSG_NOSIGNAL));
    SAY(sys.send(fd, &byte, 0, 0));
    SAY(sys.read(fd, &byte, 1));
    SAY(sys.write(fd, &byte, 1));
    SAY(sys.ioctl(fd, FIONREAD, &number));
    SAY(sys.ioctl(fd, TIOCOUTQ, &number));
    SAY_EVENTS(fd);
    SAY_OPTION(fd, SOL_SOCKET, SO_ERROR);
    SAY(sys.shutdown(fd, 7));
}

static void listener_shutdown(void)
{
    int fd = listener(AF_INET, 4), other = listener(AF_INET, 4);

    SAY(sys.shutdown(other, SHUT_WR));
    SAY_EVENTS(other);
    SAY_OPTION(other, SOL_SOCKET, SO_ACCEPTCONN);
    SAY(sys.shutdown(fd, SHUT_RD));
    SAY_EVENTS(fd);
    SAY_OPTION(fd, SOL_SOCKET, SO_ACCEPTCONN);
    SAY(sys.accept4(fd, NULL, NULL, SOCK_NONBLOCK));
    SAY_NAMES(fd);
    SAY(sys.listen(fd, 4));
    SAY_OPTION(fd, SOL_SOCKET, SO_ACCEPTCONN);
    SAY_EVENTS(fd);
}

static void accept_arguments(void)
{
    struct pair p = tcp_pair(AF_INET);
    int udp = sys.socket(AF_INET, SOCK_DGRAM, 0), fd = sys.socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in6 name;
    socklen_t len = sizeof(name);
    int got;

    SAY(sys.accept4(fd, NULL, NULL, 0));
    SAY(sys.accept4(udp, NULL, NULL, 0));
    SAY(sys.accept4(p.client, NULL, NULL, 0));
    SAY(sys.accept4(p.listening, NULL, NULL, 0x7));
    nonblocking(p.listening);
    SAY(sys.accept4(p.listening, NULL, NULL, 0));

    connected_to(p.listening, AF_INET);
    await(p.listening, POLLIN);
    memset(&name, 0x55, sizeof(name));
    len = 6;
    got = SAY_FD(sys.accept4(p.listening, (void *)&name, &len, SOCK_NONBLOCK | SOCK_CLOEXEC));
    NOTE("short buffer", "%u, family %d, untouched %d", len, name.sin6_family,
         ((unsigned char *)&name)[6] == 0x55);
    NOTE("accepted flags", "%d", (sys.fcntl(got, F_GETFL) & O_NONBLOCK) != 0);

    connected_to(p.listening, AF_INET);
    await(p.listening, POLLIN);
    len = (socklen_t)-1;
    SAY(sys.accept4(p.listening, (void *)&name, &len, 0));
    connected_to(p.listening, AF_INET);
    await(p.listening, POLLIN);
    len = 100;
    got = SAY_FD(sys.accept4(p.listening, (void *)&name, &len, 0));
    NOTE("name", "%s (%u)", address_name(&name), len);
    NOTE("inherits no O_NONBLOCK", "%d", (sys.fcntl(got, F_GETFL) & O_NONBLOCK) != 0);
    SAY_EVENTS(p.listening);
}

static void name_lengths(void)
{
    struct pair p = tcp_pair(AF_INET6);
    unsigned char name[64];
    socklen_t len;

    memset(name, 0x55, sizeof(name));
    len = 2;
    SAY(sys.getsockname(p.client, (void *)name, &len));
    NOTE("two bytes", "%u %d", len, name[2] == 0x55);
    len = 0;
    SAY(sys.getpeername(p.client, (void *)name, &len));
    NOTE("none", "%u", len);
    len = (socklen_t)-1;
    SAY(sys.getpeername(p.client, (void *)name, &len));
    SAY(sys.getsockname(p.client, (void *)name, &len));
}

static void names_through_life(int family, enum place place)
{
    int listening = bound(family, SOCK_STREAM, ANY), fd = sys.socket(family, SOCK_STREAM, 0), got;
    struct sockaddr_storage from = { 0 };
    socklen_t len = sizeof(from);
    struct address a;

    SAY_NAMES(fd);
    SAY_NAMES(listening);
    sys.listen(listening, 4);
    SAY_NAMES(listening);
    a = address_of(family, place, port_of(listening));
    SAY(sys.connect(fd, ADDR(a)));
    got = sys.accept4(listening, (void *)&from, &len, 0);
    NOTE("from", "%s (%u)", address_name(&from), len);
    SAY_NAMES(fd);
    SAY_NAMES(got);
    SAY(sys.shutdown(fd, SHUT_WR));
    settle();
    SAY_NAMES(fd);
    SAY_NAMES(got);
    sys.close(got);
    settle();
    SAY_NAMES(fd);
    sys.close(fd);
}

static void names_tcp4(void) { names_through_life(AF_INET, HOST); }
static void names_tcp6(void) { names_through_life(AF_INET6, HOST); }
static void names_mapped(void) { names_through_life(AF_INET6, MAPPED_HOST); }

static void names_after_reset(void)
{
    struct pair p = tcp_pair(AF_INET);

    reset(p.client);
    SAY_NAMES(p.server);
    SAY_RECV(p.server, 1, 0);
    SAY_NAMES(p.server);
    SAY_RECV(p.server, 1, 0);
}

static void fcntl_calls(void)
{
    struct pair p = tcp_pair(AF_INET);
    int fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), copy, on = 1;
    char byte = 0;

    NOTE("flags", "%#x", sys.fcntl(fd, F_GETFL));
    NOTE("flags", "%#x", sys.fcntl(p.client, F_GETFL));
    SAY(sys.fcntl(fd, F_SETFL, 0));
    NOTE("flags", "%#x", sys.fcntl(fd, F_GETFL));
    SAY(sys.fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND));
    NOTE("flags", "%#x", sys.fcntl(fd, F_GETFL));
    SAY(sys.ioctl(fd, FIONBIO, &on));
    on = 0;
    SAY(sys.ioctl(fd, FIONBIO, &on));
    NOTE("nonblock", "%d", (sys.fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    copy = SAY_FD(sys.fcntl(p.client, F_DUPFD, 0));
    SAY(sys.fcntl(copy, F_SETFL, O_NONBLOCK));
    NOTE("shared", "%d", (sys.fcntl(p.client, F_GETFL) & O_NONBLOCK) != 0);
    SAY(sys.close(p.client));
    SAY(sys.send(copy, "abc", 3, 0));
    await(p.server, POLLIN);
    SAY_RECV(p.server, 10, 0);
    SAY_EVENTS(p.server);
    SAY(sys.close(copy));
    await(p.server, POLLIN);
    SAY_EVENTS(p.server);
    SAY(sys.read(p.server, &byte, 1));
    SAY(sys.fcntl(p.server, 9999));
    SAY(sys.fcntl(p.server, F_DUPFD, -1));
    SAY(sys.ioctl(p.server, 0xdead));
    SAY(sys.ioctl(p.server, FIONREAD, NULL));
}

static void dup_least_number(void)
{
    int fd = sys.socket(AF_INET, SOCK_DGRAM, 0), copy;

    if (world.virtual_numbers) { /* numbers of the kernel's are asked for */
        NOTE("at least", "1 1");
        return;
    }
    copy = sys.fcntl(fd, F_DUPFD_CLOEXEC, 500);
    NOTE("at least", "%d %d", copy >= 500, sys.fcntl(copy, F_GETFD));
}

const struct scenario scenarios[] = {
    SCENARIO(socket_arguments), SCENARIO(bad_descriptors), SCENARIO(bind_tcp4),
    SCENARIO(bind_tcp6),        SCENARIO(bind_udp4),       SCENARIO(bind_udp6),
    SCENARIO(bind_any_unspec),  SCENARIO(bind_mapped),     SCENARIO(listen_states),
    SCENARIO(listener_calls),   SCENARIO(listener_shutdown), SCENARIO(accept_arguments),
    SCENARIO(name_lengths),     SCENARIO(names_tcp4),      SCENARIO(names_tcp6),
    SCENARIO(names_mapped),     SCENARIO(names_after_reset), SCENARIO(fcntl_calls),
    SCENARIO(dup_least_number), { 0 },
};
