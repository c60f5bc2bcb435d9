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
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "calls.h"
#include "end_connection.h"
#include "random_stream.h"

static const char *const names[WHATS] = { "echo", "sink", "source", "deaf", "slow", "reset", "unread",
                                          "abort", "compute", "hold" };

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

static void wait_once(int timeout_ms, int listener, int datagram)
{
    struct epoll_event events[64];
    int next = connection_wake_paused();
    int count = CALL(epoll_wait)(ep, events, 64, next < timeout_ms ? next : timeout_ms);

    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == 1) {
            int fd = CALL(accept4)(listener, NULL, NULL, SOCK_NONBLOCK);

            if (fd >= 0)
                connection_accept(fd);
        } else if (events[i].data.u64 == 2) {
            struct sockaddr_storage from;
            socklen_t length = sizeof(from);
            ssize_t got = CALL(recvfrom)(datagram, piece, sizeof(piece), MSG_DONTWAIT, (void *)&from,
                                         &length);

            if (got >= 0)
                CALL(sendto)(datagram, piece, (size_t)got, 0, (void *)&from, length);
        } else {
            connection_turn(events[i].data.ptr, events[i].events);
        }
    }
}

#define DRAIN_WAITS 250 /* at least, until connections that stay open are told as such */

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
    /* What the clients did last may still be on its way. */
    for (int i = 0; i < DRAIN_WAITS && totals.open > 0; i++)
        wait_once(20, listener, datagram);
    printf("{\"ok\":%u,\"open\":%u}\n", totals.ok, totals.open);
    return 0;
}

static void dial(const struct sockaddr_storage *name, socklen_t length, const struct request *request)
{
    int fd = CALL(socket)(name->ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd < 0)
        die("socket");
    if (CALL(connect)(fd, (const void *)name, length) < 0 && errno != EINPROGRESS) {
        totals.last_error = errno;
        totals.bad++;
        CALL(close)(fd);
        return;
    }
    connection_dial(fd, request);
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
    while (!stopping && totals.ok + totals.bad < total) {
        while (started < total && totals.open < at_once &&
               started - totals.ok - totals.bad < at_once) {
            dial(&name, length, &request);
            started++;
        }
        wait_once(1000, -1, -1);
    }
    printf("{\"ok\":%u,\"failed\":%u,\"error\":\"%s\",\"ms\":%lu}\n", totals.ok,
           total - totals.ok, totals.last_error ? strerrorname_np(totals.last_error) : "",
           (unsigned long)(now_ms() - start));
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
