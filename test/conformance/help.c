/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <setjmp.h>

#include "pronghorn.h"
#include "worlds.h"

#define SETTLE_US 12000
#define AWAIT_MS 5000

sigjmp_buf scenario_over;

static __attribute__((noreturn)) void give_up(const char *what)
{
    NOTE("scenario given up", "%s: %s", what, error_name(errno));
    siglongjmp(scenario_over, 1);
}

uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

struct address address_of(int family, enum place place, int port)
{
    static const char *const v4[][2] = {
        [HOST] = { "127.0.0.1", "10.0.0.1" },   [OTHER] = { "127.0.0.2", "10.0.0.2" },
        [ANY] = { "0.0.0.0", "0.0.0.0" },       [FOREIGN] = { "192.0.2.77", "192.0.2.77" },
    };
    static const char *const v6[][2] = {
        [HOST] = { "::1", "fd00::1" },
        [OTHER] = { "::1", "fd00::2" },
        [ANY] = { "::", "::" },
        [FOREIGN] = { "2001:db8::77", "2001:db8::77" },
        [MAPPED_HOST] = { "::ffff:127.0.0.1", "::ffff:10.0.0.1" },
        [MAPPED_ANY] = { "::ffff:0.0.0.0", "::ffff:0.0.0.0" },
    };
    struct address a = { 0 };

    if (family == AF_INET) {
        a.in.sin_family = AF_INET;
        a.in.sin_port = htons((uint16_t)port);
        inet_pton(AF_INET, v4[place][world.ours], &a.in.sin_addr);
        a.len = sizeof(a.in);
    } else {
        a.in6.sin6_family = AF_INET6;
        a.in6.sin6_port = htons((uint16_t)port);
        inet_pton(AF_INET6, v6[place][world.ours], &a.in6.sin6_addr);
        a.len = sizeof(a.in6);
    }
    return a;
}

int port_of(int fd)
{
    struct sockaddr_in6 a = { 0 };
    socklen_t len = sizeof(a);

    /* The port lies at the same place in both families. */
    sys.getsockname(fd, (void *)&a, &len);
    return ntohs(a.sin6_port);
}

struct address address_at(int fd, int family)
{
    return address_of(family, HOST, port_of(fd));
}

void settle(void)
{
    struct timespec nap = { .tv_nsec = 300000 };
    uint64_t until;

    if (!world.ours) {
        nap.tv_nsec = 1000000;
        nanosleep(&nap, NULL);
        return;
    }
    until = now_ms() + SETTLE_US / 1000 * world_patience;
    do {
        ph_turn();
        nanosleep(&nap, NULL);
    } while (now_ms() < until);
}

bool await(int fd, int events)
{
    struct pollfd p = { .fd = fd, .events = (short)events };

    return sys.poll(&p, 1, AWAIT_MS) > 0 && (p.revents & (events | POLLHUP | POLLERR));
}

int bound(int family, int type, enum place place)
{
    struct address a = address_of(family, place, 0);
    int fd = sys.socket(family, type, 0);

    if (fd < 0)
        give_up("socket");
    if (sys.bind(fd, ADDR(a)) < 0)
        give_up("bind");
    return fd;
}

int listener(int family, int backlog)
{
    int fd = bound(family, SOCK_STREAM, HOST);

    if (sys.listen(fd, backlog) < 0)
        give_up("listen");
    return fd;
}

int connected_to(int listening, int family)
{
    struct address a = address_at(listening, family);
    int fd = sys.socket(family, SOCK_STREAM, 0);

    if (fd < 0)
        give_up("socket");
    if (sys.connect(fd, ADDR(a)) < 0)
        give_up("connect");
    return fd;
}

struct pair tcp_pair(int family)
{
    struct pair p;

    p.listening = listener(family, 8);
    p.client = connected_to(p.listening, family);
    p.server = sys.accept4(p.listening, NULL, NULL, 0);
    if (p.server < 0)
        give_up("accept");
    return p;
}

struct pair udp_pair(int family)
{
    struct pair p = { .listening = -1 };
    struct address a;

    p.server = bound(family, SOCK_DGRAM, HOST);
    p.client = bound(family, SOCK_DGRAM, OTHER);
    a = address_at(p.server, family);
    if (sys.connect(p.client, ADDR(a)) < 0)
        give_up("connect");
    a = address_of(family, OTHER, port_of(p.client));
    if (sys.connect(p.server, ADDR(a)) < 0)
        give_up("connect");
    return p;
}

void nonblocking(int fd)
{
    sys.fcntl(fd, F_SETFL, sys.fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int set_int(int fd, int level, int name, int value)
{
    return sys.setsockopt(fd, level, name, &value, sizeof(value));
}

void reset(int fd)
{
    struct linger linger = { .l_onoff = 1 };

    sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    sys.close(fd);
    settle();
}

size_t fill(int fd)
{
    static char data[65536];
    size_t sum = 0;
    int idle = 0;

    while (idle < 3) {
        ssize_t n = sys.send(fd, data, sizeof(data), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n > 0) {
            sum += (size_t)n;
            idle = 0;
        } else {
            idle++;
            settle();
        }
    }
    return sum;
}

/* ---- a second thread ---- */

static struct {
    pthread_t thread;
    bool runs;
    int ms;
    void (*run)(void *);
    void *argument;
} second;

static void *second_thread(void *unused)
{
    (void)unused;
    usleep((useconds_t)second.ms * 1000);
    second.run(second.argument);
    return NULL;
}

void later(int ms, void (*run)(void *), void *argument)
{
    join();
    second.ms = ms;
    second.run = run;
    second.argument = argument;
    second.runs = pthread_create(&second.thread, NULL, second_thread, NULL) == 0;
}

void join(void)
{
    if (second.runs)
        pthread_join(second.thread, NULL);
    second.runs = false;
}
