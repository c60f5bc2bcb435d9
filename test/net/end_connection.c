/* SPDX-License-Identifier: Apache-2.0 */
#include "end_connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"
#include "random_stream.h"

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

struct totals totals;
int ep;
uint8_t piece[PIECE];
static struct connection *paused;

uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void die(const char *what)
{
    fprintf(stderr, "end: %s: %s\n", what, strerror(errno));
    exit(2);
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
    totals.ok += good;
    totals.bad += !good;
    if (!good)
        totals.last_error = error ? error : EBADMSG;
    totals.open--;
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

void connection_turn(struct connection *c, uint32_t events)
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

int connection_wake_paused(void)
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
    totals.open++;
    watch(c, EPOLL_CTL_ADD, is_server ? EPOLLIN : EPOLLIN | EPOLLOUT);
    return c;
}

void connection_accept(int fd)
{
    adopt(fd, true);
}

void connection_dial(int fd, const struct request *request)
{
    struct connection *c = adopt(fd, false);

    c->request = *request;
    if (request->what == SOURCE || request->what == SLOW)
        c->to_receive = request->bytes;
    else
        c->to_send = c->to_receive = request->bytes;
}
