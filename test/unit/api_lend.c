/* SPDX-License-Identifier: Apache-2.0 */
/* Lending, returning, reserving, committing: order, completeness, back-pressure, errors, balance. */
#define RUN_NOFORK
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lend_pair.h"
#include "main.h"
#include "on_wire.h"
#include "pronghorn/zerocopy.h"

#define STREAM_BYTES 3000000u
#define HOLD 300

static uint8_t byte_at(uint64_t at)
{
    return (uint8_t)(at * 2654435761u >> 13);
}

static void fill(uint8_t *to, uint64_t at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = byte_at(at + i);
}

static void check_bytes(const uint8_t *data, uint64_t at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (data[i] != byte_at(at + i))
            ck_abort_msg("byte %llu is wrong", (unsigned long long)(at + i));
}

/* A piece in place; sometimes another writer comes between, whose bytes then go first. */
static size_t send_reserved(int fd, uint64_t at, size_t bytes, unsigned *seed)
{
    size_t most = (size_t)ph_send_reserve_max(fd), before = rand_r(seed) % 8 == 0 ? bytes / 3 : 0;
    uint8_t early[4096];
    void *room;

    if (bytes > most)
        bytes = most;
    if (before > bytes)
        before = bytes;
    ck_assert_int_eq(ph_send_reserve(fd, &room, bytes, 0), 0);
    fill(room, at + before, bytes - before);
    if (before > 0) {
        fill(early, at, before);
        ck_assert_int_eq(ph_send(fd, early, before, 0), (ssize_t)before);
    }
    ck_assert_int_eq(ph_send_commit(fd, bytes - before, rand_r(seed) % 4 ? 0 : MSG_MORE, NULL, 0),
                     (ssize_t)(bytes - before));
    return bytes;
}

static void *source(void *argument)
{
    static uint8_t buffer[65536];
    int fd = *(int *)argument;
    unsigned seed = 7;

    for (uint64_t at = 0; at < STREAM_BYTES;) {
        size_t bytes = 1 + rand_r(&seed) % (rand_r(&seed) % 8 ? 300 : sizeof(buffer) - 1);

        if (bytes > STREAM_BYTES - at)
            bytes = STREAM_BYTES - at;
        if (rand_r(&seed) % 2) {
            bytes = send_reserved(fd, at, bytes, &seed);
        } else {
            fill(buffer, at, bytes);
            bytes = (size_t)ph_send(fd, buffer, bytes, 0);
        }
        at += bytes;
    }
    ck_assert_int_eq(ph_shutdown(fd, SHUT_WR), 0);
    return NULL;
}

/* Keeps some for a while, checks them again, returns them in any order. */
static struct held {
    struct ph_segment segment;
    uint64_t at;
} held[HOLD];
static size_t held_count;

static void let_go(unsigned *seed, size_t keep)
{
    while (held_count > keep) {
        size_t i = (size_t)rand_r(seed) % held_count;

        check_bytes(held[i].segment.data, held[i].at, held[i].segment.bytes);
        ck_assert_int_eq(ph_return(&held[i].segment, 1), 0);
        held[i] = held[--held_count];
    }
}

START_TEST(a_stream_is_lent_in_order_and_whole)
{
    struct ph_segment segments[PH_SEGMENTS_MIN];
    uint8_t buffer[5000];
    unsigned seed = 3;
    int client, server;
    pthread_t thread;
    uint64_t at = 0, last_ns = 0;

    pair(70, &client, &server);
    ck_assert_int_eq(pthread_create(&thread, NULL, source, &client), 0);
    for (;;) {
        ssize_t count;

        if (rand_r(&seed) % 4 == 0) { /* the two ways of reading mix */
            count = ph_recv(server, buffer, 1 + rand_r(&seed) % sizeof(buffer), MSG_DONTWAIT);
            if (count > 0) {
                check_bytes(buffer, at, (size_t)count);
                at += (uint64_t)count;
            }
            continue;
        }
        count = ph_recv_lend(server, segments, PH_SEGMENTS_MIN, rand_r(&seed) % 3 ? 0 : PH_LEND_ARENA);
        ck_assert_msg(count >= 0, "lend: %s", strerror(errno));
        if (count == 0)
            break;
        for (ssize_t i = 0; i < count; i++) {
            check_bytes(segments[i].data, at, segments[i].bytes);
            ck_assert_uint_ge(segments[i].time_ns, last_ns);
            ck_assert_uint_eq(segments[i].flags, 0);
            last_ns = segments[i].time_ns;
            if (held_count == HOLD)
                let_go(&seed, HOLD / 2);
            held[held_count++] = (struct held){ segments[i], at };
            at += segments[i].bytes;
        }
        let_go(&seed, (size_t)rand_r(&seed) % 100);
    }
    ck_assert_uint_eq(at, STREAM_BYTES);
    let_go(&seed, 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(ph_close(client), 0);
    ck_assert_int_eq(ph_close(server), 0);
}
END_TEST

static int target_at(int port)
{
    struct timeval limit = { .tv_sec = 20 };
    int fd = bound(SOCK_DGRAM, "10.0.0.1", port);

    ck_assert_int_eq(ph_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    return fd;
}

static size_t datagram_check(const struct ph_segment *segments, ssize_t count, uint64_t at)
{
    size_t bytes = 0;
    ssize_t i;

    for (i = 0; i < count; i++) {
        check_bytes(segments[i].data, at + bytes, segments[i].bytes);
        bytes += segments[i].bytes;
        ck_assert_uint_eq(segments[i].flags, i < count - 1 ? PH_SEGMENT_MORE : 0);
    }
    return bytes;
}

START_TEST(datagrams_are_lent_whole_with_their_names)
{
    int server = target_at(53), client = ph_socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = address("10.0.0.1", 53), from, target;
    static uint8_t out[60000];
    struct ph_segment segments[PH_SEGMENTS_MIN];

    for (size_t bytes = 0; bytes <= sizeof(out); bytes = bytes * 2 + 1) {
        socklen_t from_len = sizeof(from), target_len = sizeof(target);
        ssize_t count;

        fill(out, bytes, bytes);
        if (bytes > 0 && bytes <= (size_t)ph_send_reserve_max(client)) {
            void *room;

            ck_assert_int_eq(ph_send_reserve(client, &room, (size_t)ph_send_reserve_max(client), 0), 0);
            memcpy(room, out, bytes);
            ck_assert_int_eq(ph_send_commit(client, bytes, 0, (void *)&to, sizeof(to)), (ssize_t)bytes);
        } else {
            ck_assert_int_eq(ph_sendto(client, out, bytes, 0, (void *)&to, sizeof(to)), (ssize_t)bytes);
        }
        count = ph_recv_lend(server, segments, PH_SEGMENTS_MIN, bytes % 2 ? PH_LEND_ARENA : 0);
        ck_assert_msg(count > 0, "lend of %zu bytes: %s", bytes, strerror(errno));
        ck_assert_uint_eq(datagram_check(segments, count, bytes), bytes);
        ck_assert_int_eq(ph_segment_names(segments, (void *)&from, &from_len, (void *)&target, &target_len), 0);
        ck_assert_uint_eq(from.sin_addr.s_addr, inet_addr("10.0.0.2"));
        ck_assert_uint_eq(target.sin_addr.s_addr, inet_addr("10.0.0.1"));
        ck_assert_int_eq(ph_return(segments, (size_t)count), 0);
        ck_assert_int_eq(ph_segment_names(segments, (void *)&from, &from_len, NULL, NULL), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
    ck_assert_int_eq(ph_close(server), 0);
    ck_assert_int_eq(ph_close(client), 0);
}
END_TEST

START_TEST(who_does_not_return_closes_the_window)
{
    static struct ph_segment lent[20000];
    static char buffer[16384];
    int client, server, size = 65536;
    size_t sent = 0, got = 0, count = 0;
    ssize_t n;

    pair(71, &client, &server);
    ck_assert_int_eq(ph_setsockopt(server, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    ck_assert_int_eq(ph_setsockopt(client, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    ph_fcntl(client, F_SETFL, O_NONBLOCK);
    for (int quiet = 0; quiet < 200;) {
        struct pollfd p = { .fd = client, .events = POLLOUT };
        bool moved = false;

        while ((n = ph_send(client, buffer, sizeof(buffer), 0)) > 0) {
            sent += (size_t)n;
            moved = true;
        }
        while ((n = ph_recv_lend(server, lent + count, PH_SEGMENTS_MIN, MSG_DONTWAIT)) > 0) {
            for (ssize_t i = 0; i < n; i++)
                got += lent[count + (size_t)i].bytes;
            count += (size_t)n;
            moved = true;
        }
        ck_assert_uint_lt(sent, 2000000); /* else nothing holds the sender back */
        quiet = moved ? 0 : quiet + 1;
        ph_poll(&p, 1, 1);
    }
    ck_assert_uint_ge(got, 65536 / 2);
    ck_assert_uint_lt(got, sent);
    ck_assert_int_eq(ph_return(lent, count), 0);
    while (got < sent) {
        n = ph_recv_lend(server, lent, PH_SEGMENTS_MIN, 0);
        ck_assert_int_gt(n, 0);
        for (ssize_t i = 0; i < n; i++)
            got += lent[i].bytes;
        ck_assert_int_eq(ph_return(lent, (size_t)n), 0);
    }
    ck_assert_int_eq(ph_close(client), 0);
    ck_assert_int_eq(ph_close(server), 0);
}
END_TEST

START_TEST(who_does_not_return_datagrams_misses_the_next)
{
    int server = target_at(54), client = ph_socket(AF_INET, SOCK_DGRAM, 0), size = 16384;
    static struct ph_segment lent[4096];
    struct sockaddr_in to = address("10.0.0.1", 54);
    size_t count = 0;
    char buffer[1000] = "";
    ssize_t n;

    ck_assert_int_eq(ph_setsockopt(server, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(ph_sendto(client, buffer, sizeof(buffer), 0, (void *)&to, sizeof(to)), 1000);
        n = ph_recv_lend(server, lent + count, PH_SEGMENTS_MIN, i < 10 ? 0 : MSG_DONTWAIT);
        if (n > 0)
            count += (size_t)n;
        if (n < 0)
            usleep(200);
    }
    ck_assert_uint_ge(count, 10);
    ck_assert_uint_lt(count, 40); /* twice 16384, as SO_RCVBUF counts */
    ck_assert_int_eq(ph_return(lent, count), 0);
    do {
        ck_assert_int_eq(ph_sendto(client, buffer, 1, 0, (void *)&to, sizeof(to)), 1);
        n = ph_recv_lend(server, lent, PH_SEGMENTS_MIN, 0);
        ck_assert_int_gt(n, 0);
        ck_assert_int_eq(ph_return(lent, (size_t)n), 0);
    } while (lent[n - 1].bytes != 1);
    ck_assert_int_eq(ph_close(server), 0);
    ck_assert_int_eq(ph_close(client), 0);
}
END_TEST

#define REFUSED(call, error)              \
    do {                                  \
        ck_assert_int_eq((call), -1);     \
        ck_assert_int_eq(errno, (error)); \
    } while (0)

START_TEST(mistakes_are_errors)
{
    struct ph_segment segments[PH_SEGMENTS_MIN] = { { .loan = 0 } };
    struct sockaddr_in a = address("10.0.0.1", 72);
    int client, server, pipes[2], listener = ph_socket(AF_INET, SOCK_STREAM, 0);
    int datagrams = ph_socket(AF_INET, SOCK_DGRAM, 0);
    void *room;

    ck_assert_int_eq(pipe(pipes), 0);
    ck_assert_int_eq(ph_bind(listener, (void *)&a, sizeof(a)), 0);
    ck_assert_int_eq(ph_listen(listener, 1), 0);
    pair(73, &client, &server);
    REFUSED(ph_recv_lend(-1, segments, PH_SEGMENTS_MIN, 0), EBADF);
    REFUSED(ph_recv_lend(pipes[0], segments, PH_SEGMENTS_MIN, 0), EOPNOTSUPP);
    REFUSED(ph_recv_lend(listener, segments, PH_SEGMENTS_MIN, 0), EOPNOTSUPP);
    REFUSED(ph_recv_lend(server, segments, PH_SEGMENTS_MIN - 1, 0), EINVAL);
    REFUSED(ph_recv_lend(server, segments, PH_SEGMENTS_MIN, MSG_PEEK), EINVAL);
    REFUSED(ph_recv_lend(server, NULL, PH_SEGMENTS_MIN, 0), EFAULT);
    REFUSED(ph_recv_lend(server, segments, PH_SEGMENTS_MIN, MSG_DONTWAIT), EAGAIN);
    REFUSED(ph_return(segments, 1), EINVAL);
    segments[0].loan = UINT64_MAX;
    REFUSED(ph_return(segments, 1), EINVAL);
    ck_assert_int_eq(ph_send(client, "x", 1, 0), 1);
    ck_assert_int_eq(ph_recv_lend(server, segments, PH_SEGMENTS_MIN, 0), 1);
    ck_assert_int_eq(ph_return(segments, 1), 0);
    REFUSED(ph_return(segments, 1), EINVAL);

    REFUSED(ph_send_commit(client, 1, 0, NULL, 0), EINVAL);
    REFUSED(ph_send_reserve(client, &room, 0, 0), EINVAL);
    REFUSED(ph_send_reserve(client, &room, 100000, 0), EMSGSIZE);
    REFUSED(ph_send_reserve(listener, &room, 1, 0), EOPNOTSUPP);
    REFUSED(ph_send_reserve(client, NULL, 1, 0), EFAULT);
    ck_assert_int_eq(ph_send_reserve(client, &room, 8, 0), 0);
    REFUSED(ph_send_commit(client, 9, 0, NULL, 0), EINVAL);
    ck_assert_int_eq(ph_send_commit(client, 0, 0, NULL, 0), 0);
    REFUSED(ph_send_commit(client, 1, 0, NULL, 0), EINVAL);
    ck_assert_int_eq(ph_send_reserve(datagrams, &room, 8, 0), 0);
    REFUSED(ph_send_commit(datagrams, 8, 0, NULL, 0), EDESTADDRREQ);
    ck_assert_int_eq(ph_send_reserve(client, &room, 8, 0), 0);
    ck_assert_int_eq(ph_shutdown(client, SHUT_WR), 0);
    REFUSED(ph_send_commit(client, 8, MSG_NOSIGNAL, NULL, 0), EPIPE);
    ck_assert_int_eq(ph_recv_lend(server, segments, PH_SEGMENTS_MIN, 0), 0);
    ck_assert_int_eq(ph_close(client), 0);
    ck_assert_int_eq(ph_close(server), 0);
    ck_assert_int_eq(ph_close(listener), 0);
    ck_assert_int_eq(ph_close(datagrams), 0);
    close(pipes[0]);
    close(pipes[1]);
}
END_TEST

START_TEST(loans_outlive_their_descriptor)
{
    struct ph_segment segments[PH_SEGMENTS_MIN];
    int client, server, again;
    uint8_t out[100];

    for (int round = 0; round < 100; round++) {
        pair(74, &client, &server);
        fill(out, (uint64_t)round, sizeof(out));
        ck_assert_int_eq(ph_send(client, out, sizeof(out), 0), 100);
        ck_assert_int_eq(ph_recv_lend(server, segments, PH_SEGMENTS_MIN, 0), 1);
        ck_assert_int_eq(ph_close(server), 0);
        ck_assert_int_eq(ph_close(client), 0);
        again = target_at(75); /* may get the number of one that was closed, and its memory */
        check_bytes(segments[0].data, (uint64_t)round, 100);
        ck_assert_int_eq(ph_return(segments, 1), 0);
        REFUSED(ph_return(segments, 1), EINVAL);
        ck_assert_int_eq(ph_close(again), 0);
    }
}
END_TEST

START_TEST(warming_sends_nothing)
{
    int client, server, datagrams = ph_socket(AF_INET, SOCK_DGRAM, 0), target = target_at(55);
    struct sockaddr_in to = address("10.0.0.1", 55);
    struct ph_segment segments[PH_SEGMENTS_MIN];
    static char message[1000];
    void *room;

    pair(77, &client, &server);
    for (int i = 0; i < 300; i++) {
        /* As it is between real sends, some of them in flight. */
        ck_assert_int_eq(ph_send_warm(client, message, 1 + (size_t)i * 3, NULL, 0), 0);
        ck_assert_int_eq(ph_send_warm(datagrams, message, 1 + (size_t)i * 3, (void *)&to, sizeof(to)), 0);
        ck_assert_int_eq(ph_send_reserve(client, &room, 100, 0), 0);
        ck_assert_int_eq(ph_send_warm(client, room, 100, NULL, 0), 0);
        REFUSED(ph_send_commit(client, 100, 0, NULL, 0), EINVAL);
        if (i % 3)
            continue;
        message[0] = (char)i;
        ck_assert_int_eq(ph_send(client, message, 1, 0), 1);
        ck_assert_int_eq(ph_sendto(datagrams, message, 1, 0, (void *)&to, sizeof(to)), 1);
    }
    for (int i = 0; i < 300; i += 3) {
        char got[2];

        ck_assert_int_eq(ph_recv(server, got, 1, 0), 1);
        ck_assert_int_eq(got[0], (char)i);
        ck_assert_int_eq(ph_recv(target, got, 2, 0), 1);
        ck_assert_int_eq(got[0], (char)i);
    }
    REFUSED(ph_recv_lend(server, segments, PH_SEGMENTS_MIN, MSG_DONTWAIT), EAGAIN);
    REFUSED(ph_recv_lend(target, segments, PH_SEGMENTS_MIN, MSG_DONTWAIT), EAGAIN);
    REFUSED(ph_send_warm(datagrams, message, 1, NULL, 0), EDESTADDRREQ);
    REFUSED(ph_send_warm(client, message, 5000, NULL, 0), EMSGSIZE);
    ck_assert_int_eq(ph_close(client), 0);
    ck_assert_int_eq(ph_close(server), 0);
    ck_assert_int_eq(ph_close(datagrams), 0);
    ck_assert_int_eq(ph_close(target), 0);
}
END_TEST

static struct ph_segment forgotten[PH_SEGMENTS_MIN];
static ssize_t forgotten_count;

START_TEST(what_is_forgotten_comes_home_at_the_end)
{
    int client, server;
    void *room, *base;
    size_t bytes;

    pair(76, &client, &server);
    ck_assert_int_eq(ph_send(client, "forgotten", 9, 0), 9);
    forgotten_count = ph_recv_lend(server, forgotten, PH_SEGMENTS_MIN, PH_LEND_ARENA);
    ck_assert_int_gt(forgotten_count, 0);
    ck_assert_int_eq(ph_arena(&base, &bytes), 0);
    ck_assert_uint_lt((uintptr_t)forgotten[0].data - (uintptr_t)base, bytes);
    ck_assert_int_eq(ph_send_reserve(server, &room, 100, 0), 0);
    ck_assert_uint_lt((uintptr_t)room - (uintptr_t)base, bytes);
}
END_TEST

/* A debug build checks here that all pools are full again. */
static void stop(void)
{
    ph_stop();
    ck_assert_int_eq(ph_return(forgotten, (size_t)forgotten_count), -1);
    ck_assert_int_eq(forgotten[0].data[0], 'f'); /* it was exported, so it is still there */
}

static Suite *suite(void)
{
    Suite *s = suite_create("zero copy");
    TCase *c = tcase_create("lend");

    tcase_add_unchecked_fixture(c, start_on_wire, stop);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_stream_is_lent_in_order_and_whole);
    tcase_add_test(c, datagrams_are_lent_whole_with_their_names);
    tcase_add_test(c, who_does_not_return_closes_the_window);
    tcase_add_test(c, who_does_not_return_datagrams_misses_the_next);
    tcase_add_test(c, mistakes_are_errors);
    tcase_add_test(c, loans_outlive_their_descriptor);
    tcase_add_test(c, warming_sends_nothing);
    tcase_add_test(c, what_is_forgotten_comes_home_at_the_end);
    suite_add_tcase(s, c);
    return s;
}
