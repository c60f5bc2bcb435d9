/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One end of the integration tests, server or client, on the kernel's calls (end.kernel) or ours
 * (end.pronghorn). One thread, one epoll, any number of connections, each of which begins with a
 * request of 16 bytes that says what is to be done. What is sent is a stream of which each byte is
 * known, so that each side checks what it receives.
 *
 *     end serve ADDRESS PORT                      says "ready"; TCP, and UDP echo on the same port
 *     end client ADDRESS PORT WHAT COUNT BYTES [AT_ONCE [MS]]
 *         says {"ok":..., "failed":..., "error":..., "ms":...} when all connections are through
 *     end datagrams ADDRESS PORT SIZE...          each there and back
 *
 * WHAT, as the client sees it:
 *     echo      sends BYTES, half-closes, receives the same, then the end
 *     sink      sends BYTES, half-closes, receives the count that arrived intact
 *     source    half-closes at once, receives BYTES, then the end
 *     deaf      as sink, but the server does not read for MS
 *     slow      as source, but the client does not read for MS
 *     reset     the server resets at once: ECONNRESET is what is expected
 *     unread    sends BYTES; the server closes without reading them: again ECONNRESET
 *     abort     the client resets after BYTES; the server must survive it
 *     compute   as echo, but the server computes for MS first, in no call of ours
 *     hold      sends BYTES, then stays silent for MS, then as echo
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "calls.h"
#include "random_stream.h"

#define PIECE 65536
#define REQUEST_BYTES 16
#define SEED 0x5eed

enum what { ECHO, SINK, SOURCE, DEAF, SLOW, RESET, UNREAD, ABORT, COMPUTE, HOLD, WHATS };
static const char *const names[WHATS] = { "echo", "sink", "source", "deaf", "slow", "reset", "unread",
                                          "abort", "compute", "hold" };

struct request {
    uint32_t what, ms;
    uint64_t bytes;
};

struct connection {
    int fd;
    bool is_server;
    struct request request;
    size_t request_bytes; /* received or sent so far */
    uint64_t received, sent, to_send, to_receive, echoed;
    uint64_t paused_until;
    bool bad, receive_over, send_over;
    struct connection *next; /* paused ones */
    /* echo: what waits to go back */
    uint8_t *held;
    size_t held_bytes;
    uint64_t answer[2];
};

static uint8_t piece[PIECE];
static int ep;
static struct connection *paused;
static unsigned ok, bad, open_now;
static int last_error;

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void die(const char *what)
{
    fprintf(stderr, "end: %s: %s\n", what, strerror(errno));
    exit(2);
}

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

static void watch(struct connection *c, int op, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = c };

    if (CALL(epoll_ctl)(ep, op, c->fd, &event) < 0)
        die("epoll_ctl");
}

static bool expects_reset(const struct connection *c)
{
    return c->request.what == RESET || c->request.what == UNREAD;
}

static void finish(struct connection *c, int error)
{
    bool good = expects_reset(c) ? error == ECONNRESET || error == EPIPE
                                 : error == 0 && !c->bad;

    if (c->is_server)
        good = true;
    ok += good;
    bad += !good;
    if (!good)
        last_error = error ? error : EBADMSG;
    open_now--;
    for (struct connection **at = &paused; *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }
    CALL(close)(c->fd);
    free(c->held);
    free(c);
}

static void pause_it(struct connection *c, uint32_t ms)
{
    c->paused_until = now_ms() + ms;
    c->next = paused;
    paused = c;
    watch(c, EPOLL_CTL_MOD, 0);
}

static void set_linger_zero(int fd)
{
    struct linger linger = { 1, 0 };

    CALL(setsockopt)(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* The server knows what is wanted. False: the connection is gone, or is paused. */
static bool begin(struct connection *c)
{
    uint64_t until;

    switch (c->request.what) {
    case SOURCE:
    case SLOW:
        c->to_send = c->request.bytes;
        return true;
    case DEAF:
        pause_it(c, c->request.ms);
        return false;
    case RESET:
        set_linger_zero(c->fd);
        finish(c, 0);
        return false;
    case UNREAD:
        usleep(50000); /* until there is something unread */
        finish(c, 0);
        return false;
    case COMPUTE:
        for (until = now_ms() + c->request.ms; now_ms() < until;)
            ;
        return true;
    default:
        return true;
    }
}

static bool is_echo(const struct connection *c)
{
    return c->request.what == ECHO || c->request.what == COMPUTE || c->request.what == HOLD ||
           c->request.what == ABORT;
}

/* Checks or keeps what came. */
static void take(struct connection *c, size_t bytes)
{
    if (c->is_server && is_echo(c)) {
        memcpy(c->held + c->held_bytes, piece, bytes);
        c->held_bytes += bytes;
    } else if (!c->is_server && (c->request.what == SINK || c->request.what == DEAF)) {
        if (c->received + bytes <= sizeof(c->answer))
            memcpy((uint8_t *)c->answer + c->received, piece, bytes);
        else
            c->bad = true;
    } else if (stream_check(SEED, c->received, piece, bytes) != bytes) {
        c->bad = true;
    }
    c->received += bytes;
}

/* Receives once. -1: gone. */
static int receive(struct connection *c)
{
    ssize_t got;

    if (c->is_server && c->request_bytes < REQUEST_BYTES) {
        got = CALL(recv)(c->fd, (uint8_t *)&c->request + c->request_bytes,
                         REQUEST_BYTES - c->request_bytes, 0);
        if (got > 0) {
            c->request_bytes += (size_t)got;
            if (c->request_bytes < REQUEST_BYTES)
                return 0;
            c->held = is_echo(c) ? malloc(PIECE) : NULL;
            return begin(c) ? 0 : -1;
        }
    } else {
        size_t room = c->is_server && is_echo(c) ? PIECE - c->held_bytes : PIECE;

        if (room == 0 || c->receive_over)
            return 0;
        got = CALL(recv)(c->fd, piece, room, 0);
        if (got > 0)
            take(c, (size_t)got);
    }
    if (got < 0 && errno != EAGAIN) {
        finish(c, errno);
        return -1;
    }
    if (got == 0) {
        c->receive_over = true;
        if (c->is_server && c->request_bytes < REQUEST_BYTES) {
            finish(c, 0);
            return -1;
        }
        if (c->is_server && (c->request.what == SINK || c->request.what == DEAF)) {
            c->answer[0] = c->received;
            c->answer[1] = c->bad;
            c->to_send = sizeof(c->answer);
        }
    }
    return 0;
}

static ssize_t send_once(struct connection *c)
{
    size_t bytes;

    if (!c->is_server && c->request_bytes < REQUEST_BYTES) {
        ssize_t sent = CALL(send)(c->fd, (uint8_t *)&c->request + c->request_bytes,
                                  REQUEST_BYTES - c->request_bytes, MSG_NOSIGNAL);

        if (sent > 0)
            c->request_bytes += (size_t)sent;
        return sent;
    }
    if (c->is_server && is_echo(c)) {
        ssize_t sent = c->held_bytes ? CALL(send)(c->fd, c->held, c->held_bytes, MSG_NOSIGNAL) : 0;

        if (sent > 0) {
            memmove(c->held, c->held + sent, c->held_bytes - (size_t)sent);
            c->held_bytes -= (size_t)sent;
        }
        return sent;
    }
    bytes = c->to_send - c->sent > PIECE ? PIECE : c->to_send - c->sent;
    if (bytes == 0)
        return 0;
    if (c->is_server && (c->request.what == SINK || c->request.what == DEAF))
        memcpy(piece, (uint8_t *)c->answer + c->sent, bytes);
    else
        stream_fill(SEED, c->sent, piece, bytes);
    {
        ssize_t sent = CALL(send)(c->fd, piece, bytes, MSG_NOSIGNAL);

        if (sent > 0)
            c->sent += (uint64_t)sent;
        return sent;
    }
}

static bool all_sent(const struct connection *c)
{
    if (!c->is_server)
        return c->request_bytes == REQUEST_BYTES && c->sent == c->to_send;
    if (c->request_bytes < REQUEST_BYTES)
        return false;
    if (is_echo(c))
        return c->receive_over && c->held_bytes == 0;
    if (c->request.what == SINK || c->request.what == DEAF)
        return c->receive_over && c->sent == c->to_send;
    return c->sent == c->to_send;
}

/* The client has sent all: what next? False: gone or paused. */
static bool sent_all(struct connection *c)
{
    if (!c->is_server && c->request.what == ABORT) {
        set_linger_zero(c->fd);
        finish(c, 0);
        return false;
    }
    if (!c->is_server && expects_reset(c))
        return true; /* waits for the reset */
    if (!c->is_server && c->request.what == HOLD && c->paused_until == 0) {
        pause_it(c, c->request.ms);
        return false;
    }
    c->send_over = true;
    if (CALL(shutdown)(c->fd, SHUT_WR) < 0) {
        finish(c, errno);
        return false;
    }
    if (!c->is_server && c->request.what == SLOW && c->paused_until == 0) {
        pause_it(c, c->request.ms);
        return false;
    }
    return true;
}

static void judge(struct connection *c)
{
    if (c->is_server) {
        finish(c, 0);
        return;
    }
    if (c->request.what == SINK || c->request.what == DEAF)
        c->bad |= c->received != sizeof(c->answer) || c->answer[0] != c->request.bytes || c->answer[1];
    else
        c->bad |= c->received != c->to_receive;
    finish(c, 0);
}

static void turn(struct connection *c, uint32_t events)
{
    uint32_t wanted;

    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && receive(c) < 0)
        return;
    if (!c->send_over) {
        if (send_once(c) < 0 && errno != EAGAIN && errno != ENOTCONN) {
            finish(c, errno);
            return;
        }
        if (all_sent(c) && !sent_all(c))
            return;
    }
    if (c->send_over && c->receive_over) {
        judge(c);
        return;
    }
    if (c->receive_over && !c->is_server && expects_reset(c)) {
        finish(c, EPROTO); /* an end in order is not what was expected */
        return;
    }
    wanted = c->receive_over || (c->is_server && is_echo(c) && c->held_bytes == PIECE) ? 0 : EPOLLIN;
    if (!c->send_over && (c->is_server ? c->held_bytes > 0 || c->sent < c->to_send : !all_sent(c)))
        wanted |= EPOLLOUT;
    watch(c, EPOLL_CTL_MOD, wanted);
}

/* Wakes those whose pause is over; how long to wait for the next, in ms. */
static int wake_paused(void)
{
    uint64_t now = now_ms(), next = now + 1000;

    for (struct connection **at = &paused; *at;) {
        struct connection *c = *at;

        if (c->paused_until <= now) {
            *at = c->next;
            watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            continue;
        }
        if (c->paused_until < next)
            next = c->paused_until;
        at = &c->next;
    }
    return (int)(next - now);
}

static struct connection *adopt(int fd, bool is_server)
{
    struct connection *c = calloc(1, sizeof(*c));

    c->fd = fd;
    c->is_server = is_server;
    open_now++;
    watch(c, EPOLL_CTL_ADD, is_server ? EPOLLIN : EPOLLIN | EPOLLOUT);
    return c;
}

static void wait_once(int timeout_ms, int listener, int datagram)
{
    struct epoll_event events[64];
    int next = wake_paused();
    int count = CALL(epoll_wait)(ep, events, 64, next < timeout_ms ? next : timeout_ms);

    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == 1) {
            int fd = CALL(accept4)(listener, NULL, NULL, SOCK_NONBLOCK);

            if (fd >= 0)
                adopt(fd, true);
        } else if (events[i].data.u64 == 2) {
            struct sockaddr_storage from;
            socklen_t length = sizeof(from);
            ssize_t got = CALL(recvfrom)(datagram, piece, sizeof(piece), MSG_DONTWAIT, (void *)&from,
                                         &length);

            if (got >= 0)
                CALL(sendto)(datagram, piece, (size_t)got, 0, (void *)&from, length);
        } else {
            turn(events[i].data.ptr, events[i].events);
        }
    }
}

static volatile sig_atomic_t stopping;

static void stop(int number)
{
    stopping = 1;
}

static void add_special(int fd, uint64_t mark)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = mark };

    if (CALL(epoll_ctl)(ep, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

static int serve(const char *ip, int port)
{
    struct sockaddr_storage name;
    socklen_t length = name_of(&name, ip, port);
    int one = 1;
    int listener = CALL(socket)(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int datagram = CALL(socket)(name.ss_family, SOCK_DGRAM, 0);

    CALL(setsockopt)(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (listener < 0 || CALL(bind)(listener, (void *)&name, length) < 0 || CALL(listen)(listener, 4096) < 0)
        die("listen");
    if (datagram < 0 || CALL(bind)(datagram, (void *)&name, length) < 0)
        die("bind");
    add_special(listener, 1);
    add_special(datagram, 2);
    printf("ready\n");
    while (!stopping)
        wait_once(200, listener, datagram);
    printf("{\"ok\":%u,\"open\":%u}\n", ok, open_now);
    return 0;
}

static void dial(const struct sockaddr_storage *name, socklen_t length, const struct request *request)
{
    int fd = CALL(socket)(name->ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct connection *c;

    if (fd < 0)
        die("socket");
    c = NULL;
    if (CALL(connect)(fd, (const void *)name, length) < 0 && errno != EINPROGRESS) {
        last_error = errno;
        bad++;
        CALL(close)(fd);
        return;
    }
    c = adopt(fd, false);
    c->request = *request;
    switch (request->what) {
    case SOURCE:
    case SLOW:
        c->to_receive = request->bytes;
        break;
    default:
        c->to_send = c->to_receive = request->bytes;
    }
}

static int client(const char *ip, int port, int count, char **arguments)
{
    struct sockaddr_storage name;
    socklen_t length = name_of(&name, ip, port);
    unsigned total = (unsigned)atoi(arguments[1]), started = 0;
    unsigned at_once = count > 3 ? (unsigned)atoi(arguments[3]) : 1;
    struct request request = { .what = WHATS, .ms = count > 4 ? (uint32_t)atoi(arguments[4]) : 1000,
                               .bytes = strtoull(arguments[2], NULL, 0) };
    uint64_t start = now_ms();

    for (uint32_t i = 0; i < WHATS; i++) {
        if (strcmp(names[i], arguments[0]) == 0)
            request.what = i;
    }
    while (!stopping && ok + bad < total) {
        while (started < total && open_now < at_once && started - ok - bad < at_once) {
            dial(&name, length, &request);
            started++;
        }
        wait_once(1000, -1, -1);
    }
    printf("{\"ok\":%u,\"failed\":%u,\"error\":\"%s\",\"ms\":%lu}\n", ok, total - ok,
           last_error ? strerrorname_np(last_error) : "", (unsigned long)(now_ms() - start));
    return 0;
}

static int datagrams(const char *ip, int port, int count, char **sizes)
{
    struct sockaddr_storage name;
    socklen_t length = name_of(&name, ip, port);
    int fd = CALL(socket)(name.ss_family, SOCK_DGRAM, 0), lost = 0, altered = 0;
    struct timeval time = { 2, 0 };
    static uint8_t back[PIECE + 1];

    if (CALL(connect)(fd, (void *)&name, length) < 0)
        die("connect");
    CALL(setsockopt)(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
    for (int i = 0; i < count; i++) {
        size_t bytes = strtoul(sizes[i], NULL, 0);
        ssize_t got;

        stream_fill(SEED + (uint64_t)i, 0, piece, bytes);
        if (CALL(send)(fd, piece, bytes, 0) != (ssize_t)bytes)
            die("send");
        got = CALL(recv)(fd, back, sizeof(back), 0);
        if (got < 0)
            lost++;
        else if ((size_t)got != bytes || memcmp(piece, back, bytes) != 0)
            altered++;
    }
    CALL(close)(fd);
    printf("{\"ok\":%d,\"lost\":%d,\"altered\":%d}\n", count - lost - altered, lost, altered);
    return 0;
}

int main(int count, char **arguments)
{
    int result = 2;

    setlinebuf(stdout);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, stop);
    if (count < 4) {
        fprintf(stderr, "usage: end serve|client|datagrams ADDRESS PORT ...\n");
        return 2;
    }
#ifdef TEST_PRONGHORN
    if (ph_init(NULL, 0) < 0) {
        fprintf(stderr, "%s\n", ph_error());
        return 3;
    }
#endif
    ep = CALL(epoll_create1)(0);
    if (strcmp(arguments[1], "serve") == 0)
        result = serve(arguments[2], atoi(arguments[3]));
    else if (strcmp(arguments[1], "client") == 0 && count > 6)
        result = client(arguments[2], atoi(arguments[3]), count - 4, arguments + 4);
    else if (strcmp(arguments[1], "datagrams") == 0)
        result = datagrams(arguments[2], atoi(arguments[3]), count - 4, arguments + 4);
#ifdef TEST_PRONGHORN
    ph_stop();
#endif
    return result;
}
