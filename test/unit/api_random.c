/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The riskiest joint, between application and stack: two threads do random things to many sockets at
 * once (any thread sends to, receives from, watches and closes any of them), over a wire within this
 * process. Each byte that arrives is checked against its stream; an end of a stream must come exactly
 * where the peer put it, unless one side broke the connection off.
 *
 * Rounds: first a wild phase of random calls; then a quiet phase in which every connection must
 * finish on events alone: an event that is missing shows as a connection that stays. At the end of
 * all, every packet and chunk must be home.
 *
 * PRONGHORN_TEST_SEED and PRONGHORN_TEST_STEPS repeat or lengthen a run. Threads are not
 * deterministic: a seed makes a failure likely again, not certain.
 */
#define RUN_NOFORK
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "main.h"
#include "on_wire.h"
#include "pronghorn.h"
#include "random_stream.h"
#include "stack/group.h"

#define CLIENTS 48
#define ENDS (3 * CLIENTS) /* server ends of broken connections live longer than their clients */
#define LISTENERS 4
#define DATAGRAM_SOCKETS 6
#define THREADS 2
#define ROUNDS 3
#define CONNECTIONS (1u << 16)
#define BUFFER 65536
#define STALL_S 20
#define UNKNOWN UINT64_MAX

enum end_state { END_FREE, END_OPEN };

/* What both ends of a connection know of each other; by the number that the client's hello carries. */
struct connection {
    _Atomic uint64_t final[2]; /* bytes of the stream from client, from server; UNKNOWN: not yet */
    _Atomic bool broken;       /* one side broke it off: errors are in order from now on */
};

struct end {
    _Atomic int state;
    pthread_mutex_t rx, tx; /* one reader and one writer at a time; both to open and close */
    int fd;
    bool is_server;
    uint64_t id; /* of the connection; UNKNOWN: a server's end before the hello */
    uint64_t sent, received, goal;
    uint8_t hello[8];
    bool tx_over, rx_over;
    /* ---- quiet phase ---- */
    bool watched, edge;
};

static struct connection connections[CONNECTIONS];
static struct end ends[ENDS];
static int listeners[LISTENERS], datagram_fds[DATAGRAM_SOCKETS];
static pthread_mutex_t datagram_locks[DATAGRAM_SOCKETS];
static int shared_epoll;
static _Atomic uint64_t next_id, progress, spurious;
static _Atomic uint64_t counted[4]; /* connections finished in order, broken, bytes, datagrams */
static _Atomic bool failed;
static char failure[512];
static uint64_t seed, steps;

static const char *const addresses[LISTENERS] = { "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2" };

static void blame(const char *format, ...)
{
    va_list arguments;

    if (atomic_exchange(&failed, true))
        return;
    va_start(arguments, format);
    vsnprintf(failure, sizeof(failure), format, arguments);
    va_end(arguments);
}

#define EXPECT(condition, ...) ((condition) ? (void)0 : blame(__VA_ARGS__))

static socklen_t name_of(struct sockaddr_storage *name, const char *ip, int port)
{
    struct sockaddr_in *v4 = (void *)name;
    struct sockaddr_in6 *v6 = (void *)name;

    memset(name, 0, sizeof(*name));
    if (strchr(ip, ':')) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        inet_pton(AF_INET6, ip, &v6->sin6_addr);
        return sizeof(*v6);
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    inet_pton(AF_INET, ip, &v4->sin_addr);
    return sizeof(*v4);
}

static struct connection *connection_of(const struct end *e)
{
    return e->id == UNKNOWN ? NULL : &connections[e->id % CONNECTIONS];
}

static uint64_t seed_of(const struct end *e, bool from_server)
{
    return mix64(seed + 2 * e->id + from_server);
}

/* ---- one end: all under its locks ---- */

static void end_break(struct end *e)
{
    if (connection_of(e))
        atomic_store(&connection_of(e)->broken, true);
}

/* An error is in order only when somebody broke the connection off. */
static void end_error(struct end *e, const char *call, int error)
{
    bool expected = e->id == UNKNOWN || atomic_load(&connection_of(e)->broken);

    EXPECT(expected && (error == ECONNRESET || error == EPIPE || error == ENOTCONN),
           "%s of %s %ld at %lu sent, %lu received: %s", call, e->is_server ? "server" : "client",
           (long)e->id, e->sent, e->received, strerror(error));
    end_break(e);
    e->rx_over = true;
    __atomic_store_n(&e->tx_over, true, __ATOMIC_RELAXED);
}

static void end_shutdown(struct end *e)
{
    if (e->tx_over || e->id == UNKNOWN || (!e->is_server && e->sent < 8))
        return;
    atomic_store(&connection_of(e)->final[e->is_server], e->sent);
    e->tx_over = true;
    if (ph_shutdown(e->fd, SHUT_WR) < 0 && errno != EINPROGRESS)
        end_error(e, "shutdown", errno);
}

/* Under both locks. */
static void end_close(struct end *e)
{
    if (!e->tx_over && e->id != UNKNOWN && e->rx_over)
        atomic_store(&connection_of(e)->final[e->is_server], e->sent);
    if (!e->rx_over || (e->id != UNKNOWN && !e->is_server && e->sent < 8))
        end_break(e);
    atomic_fetch_add(&counted[e->id != UNKNOWN && atomic_load(&connection_of(e)->broken)], 1);
    EXPECT(ph_close(e->fd) == 0, "close: %s", strerror(errno));
    atomic_store(&e->state, END_FREE);
}

/* Under tx. Returns the bytes that were taken. */
static ssize_t end_send(struct end *e, struct dice *d, uint8_t *buffer, size_t bytes)
{
    struct iovec iov[3];
    struct msghdr message = { .msg_iov = iov, .msg_iovlen = 3 };
    size_t cut;
    ssize_t sent;

    if (e->tx_over || e->id == UNKNOWN)
        return 0;
    if (e->sent + bytes > e->goal)
        bytes = e->goal - e->sent;
    stream_fill(seed_of(e, e->is_server), e->sent, buffer, bytes);
    for (size_t i = 0; !e->is_server && i < bytes && e->sent + i < 8; i++)
        buffer[i] = (uint8_t)(e->id >> (8 * (e->sent + i)));
    cut = bytes ? dice_roll(d, (uint32_t)bytes) : 0;
    iov[0] = (struct iovec){ buffer, cut };
    iov[1] = (struct iovec){ NULL, 0 };
    iov[2] = (struct iovec){ buffer + cut, bytes - cut };
    switch (dice_roll(d, 4)) {
    case 0:
        sent = ph_write(e->fd, buffer, bytes);
        break;
    case 1:
        sent = ph_writev(e->fd, iov, 3);
        break;
    case 2:
        sent = ph_sendmsg(e->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        break;
    default:
        sent = ph_send(e->fd, buffer, bytes, MSG_NOSIGNAL | (dice_roll(d, 4) ? 0 : MSG_MORE));
    }
    if (sent < 0) {
        if (errno != EAGAIN && errno != ENOTCONN)
            end_error(e, "send", errno);
        return 0;
    }
    EXPECT((size_t)sent <= bytes, "sent %zd of %zu", sent, bytes);
    e->sent += (uint64_t)sent;
    atomic_fetch_add_explicit(&progress, (uint64_t)sent, memory_order_relaxed);
    return sent;
}

static void end_hello(struct end *e, const uint8_t *from, size_t bytes)
{
    uint64_t id = 0;

    memcpy(e->hello + e->received, from, bytes);
    if (e->received + bytes < 8)
        return;
    for (int i = 0; i < 8; i++)
        id |= (uint64_t)e->hello[i] << (8 * i);
    EXPECT(id < atomic_load(&next_id), "a hello from nowhere: %lx", id);
    __atomic_store_n(&e->id, id, __ATOMIC_RELEASE);
}

static void end_finished(struct end *e)
{
    struct connection *c = connection_of(e);
    uint64_t final = c ? atomic_load(&c->final[!e->is_server]) : UNKNOWN;

    e->rx_over = true;
    if (c == NULL) /* closed before its hello: nobody waits for an answer */
        __atomic_store_n(&e->tx_over, true, __ATOMIC_RELAXED);
    if (c && !atomic_load(&c->broken))
        EXPECT(final == e->received, "%s %lu ended at %lu of %ld", e->is_server ? "server" : "client",
               e->id, e->received, (long)final);
}

/* Under rx. Returns the bytes received; -1: nothing there now. */
static ssize_t end_recv(struct end *e, struct dice *d, uint8_t *buffer, size_t bytes)
{
    bool peeking = dice_roll(d, 16) == 0;
    bool hello = e->is_server && e->received < 8;
    struct iovec iov[2];
    struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };
    size_t cut, good;
    ssize_t got;

    if (e->rx_over)
        return 0;
    if (hello && bytes > 8 - e->received)
        bytes = 8 - e->received;
    if (bytes == 0)
        bytes = 1;
    cut = dice_roll(d, (uint32_t)bytes);
    iov[0] = (struct iovec){ buffer, cut };
    iov[1] = (struct iovec){ buffer + cut, bytes - cut };
    memset(buffer, 0, bytes);
    if (peeking)
        got = ph_recv(e->fd, buffer, bytes, MSG_PEEK | MSG_DONTWAIT);
    else if (dice_roll(d, 3) == 0)
        got = ph_readv(e->fd, iov, 2);
    else if (dice_roll(d, 2))
        got = ph_recvmsg(e->fd, &message, 0);
    else
        got = ph_recv(e->fd, buffer, bytes, dice_roll(d, 8) ? 0 : MSG_WAITALL);
    if (got < 0) {
        if (errno != EAGAIN && errno != ENOTCONN)
            end_error(e, "recv", errno);
        return -1;
    }
    EXPECT((size_t)got <= bytes, "received %zd of %zu", got, bytes);
    if (got == 0 && !peeking)
        end_finished(e);
    if (got == 0)
        return 0;
    if (!hello) {
        good = stream_check(seed_of(e, !e->is_server), e->received, buffer, (size_t)got);
        EXPECT(good == (size_t)got, "%s %lu: wrong byte at %lu of a piece [%lu,+%zd)%s",
               e->is_server ? "server" : "client", e->id, e->received + good, e->received, got,
               peeking ? " (peeked)" : "");
    }
    if (peeking)
        return got;
    if (hello)
        end_hello(e, buffer, (size_t)got);
    e->received += (uint64_t)got;
    atomic_fetch_add_explicit(&counted[2], (uint64_t)got, memory_order_relaxed);
    atomic_fetch_add_explicit(&progress, (uint64_t)got, memory_order_relaxed);
    return got;
}

/* ---- making ends ---- */

/* A free end, with both locks held, or NULL. */
static struct end *end_reserve(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        struct end *e = &ends[i];

        if (atomic_load(&e->state) != END_FREE || pthread_mutex_trylock(&e->rx) != 0)
            continue;
        if (pthread_mutex_trylock(&e->tx) == 0) {
            if (atomic_load(&e->state) == END_FREE)
                return e;
            pthread_mutex_unlock(&e->tx);
        }
        pthread_mutex_unlock(&e->rx);
    }
    return NULL;
}

static void end_start(struct end *e, struct dice *d, int fd, uint64_t id, bool is_server)
{
    e->fd = fd;
    e->id = id;
    e->is_server = is_server;
    e->sent = e->received = 0;
    e->goal = (is_server ? 0 : 8) + dice_length(d, dice_roll(d, 8) ? 30000 : 2000000);
    e->tx_over = e->rx_over = e->watched = false;
    atomic_store(&e->state, END_OPEN);
}

static void end_release(struct end *e)
{
    pthread_mutex_unlock(&e->tx);
    pthread_mutex_unlock(&e->rx);
}

static void some_options(struct dice *d, int fd)
{
    int size = 2048 << dice_roll(d, 8), on = (int)dice_roll(d, 2);
    struct timeval time = { 0, 1000 };

    if (dice_roll(d, 4) == 0)
        ph_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    if (dice_roll(d, 4) == 0)
        ph_setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (dice_roll(d, 4) == 0)
        ph_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    /* Some block, but not for ever. */
    if (dice_roll(d, 8) == 0) {
        ph_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
        ph_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
    } else {
        ph_fcntl(fd, F_SETFL, O_NONBLOCK);
    }
}

static void dial(struct dice *d)
{
    struct end *e = end_reserve(0, CLIENTS);
    struct sockaddr_storage name;
    unsigned to = dice_roll(d, LISTENERS);
    struct connection *c;
    uint64_t id;
    int fd;

    if (e == NULL)
        return;
    fd = ph_socket(to < 2 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
    EXPECT(fd >= 0, "socket: %s", strerror(errno));
    id = atomic_fetch_add(&next_id, 1);
    c = &connections[id % CONNECTIONS];
    atomic_store(&c->final[0], UNKNOWN);
    atomic_store(&c->final[1], UNKNOWN);
    atomic_store(&c->broken, false);
    some_options(d, fd);
    if (ph_connect(fd, (void *)&name, name_of(&name, addresses[to], 7000)) < 0)
        EXPECT(errno == EINPROGRESS || errno == EAGAIN, "connect: %s", strerror(errno));
    end_start(e, d, fd, id, false);
    end_release(e);
}

static bool pick_up(struct dice *d, int listener)
{
    struct end *e = end_reserve(CLIENTS, ENDS);
    int fd;

    if (e == NULL)
        return false;
    fd = ph_accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd >= 0) {
        some_options(d, fd);
        ph_fcntl(fd, F_SETFL, O_NONBLOCK);
        end_start(e, d, fd, UNKNOWN, true);
        atomic_fetch_add(&progress, 1);
    } else {
        EXPECT(errno == EAGAIN, "accept: %s", strerror(errno));
    }
    end_release(e);
    return fd >= 0;
}

#include "api_random_datagrams.h"
#include "api_random_phases.h"

static void alarmed(int number)
{
    static const char text[] = "not ok - a call hangs\n";

    (void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
    abort();
}

static uint64_t number_from(const char *name, uint64_t fallback)
{
    return getenv(name) ? strtoull(getenv(name), NULL, 0) : fallback;
}

static void start(void)
{
    /* Small pools: empty ones are part of the game. */
    start_with({ "port", "" }, { "memory.chunks", "512" }, { "memory.packets", "4096" },
               { "tcp.time_wait_ms", "20" }, { "udp.receive_buffer_bytes", "100000" });
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, alarmed);
    seed = number_from("PRONGHORN_TEST_SEED", 1);
    steps = number_from("PRONGHORN_TEST_STEPS", 12000);
    alarm(60 + (unsigned)(steps / 300));
    for (int i = 0; i < ENDS; i++) {
        pthread_mutex_init(&ends[i].rx, NULL);
        pthread_mutex_init(&ends[i].tx, NULL);
    }
}

static Suite *suite(void)
{
    Suite *s = suite_create("random calls from two threads");
    TCase *c = tcase_create("random");

    tcase_add_unchecked_fixture(c, start, ph_stop);
    tcase_set_timeout(c, 0);
    tcase_add_test(c, every_byte_arrives_and_every_buffer_comes_home);
    suite_add_tcase(s, c);
    return s;
}
