/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the statistics segment says about traffic of known size: two stacks in this process, joined
 * by a wire, stack 0 with 10.0.0.1 and stack 1 with 10.0.0.2.
 */
#define RUN_NOFORK
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "main.h"
#include "on_wire.h"
#include "pronghorn.h"
#include "stats/segment.h"

#define ROWS 64

/* Of both stacks. */
#define SUM(field) (segment_stack(0)->field + segment_stack(1)->field)

/* What is counted shows within a tick, or a caretaker's round. */
#define EVENTUALLY(condition) \
    do { \
        for (int tries_ = 0; tries_ < 400 && !(condition); tries_++) { \
            ph_turn(); \
            usleep(5000); \
        } \
        ck_assert_msg(condition, "%s", #condition); \
    } while (0)

static int listener(int port, int backlog)
{
    struct sockaddr_in a = address("10.0.0.1", port);
    int fd = ph_socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(ph_bind(fd, (void *)&a, sizeof(a)), 0);
    ck_assert_int_eq(ph_listen(fd, backlog), 0);
    return fd;
}

static int dial(int port, int flags)
{
    struct sockaddr_in a = address("10.0.0.1", port);
    int fd = ph_socket(AF_INET, SOCK_STREAM | flags, 0);

    if (ph_connect(fd, (void *)&a, sizeof(a)) < 0)
        ck_assert_int_eq(errno, flags ? EINPROGRESS : ECONNREFUSED);
    return fd;
}

/* The row of a descriptor, copied between two equal sequence numbers; all zero: it has none. */
static struct stats_socket row_of(int fd)
{
    static const struct stats_socket none;

    for (unsigned i = 0; i < ROWS; i++) {
        const struct stats_socket *row = segment_socket(i);
        struct stats_socket copy;
        uint32_t before;

        do {
            before = atomic_load(&row->sequence);
            memcpy(&copy, row, sizeof(copy));
        } while ((before & 1) || atomic_load(&row->sequence) != before);
        if (copy.id != 0 && copy.fd == fd)
            return copy;
    }
    return none;
}

static void check_address(const uint8_t *bytes, const char *ip)
{
    struct in_addr expected;

    inet_pton(AF_INET, ip, &expected);
    ck_assert_mem_eq(bytes, &expected, 4);
}

START_TEST(datagrams_are_counted_one_by_one)
{
    struct sockaddr_in a = address("10.0.0.1", 5301), any = address("10.0.0.2", 5302);
    int server = ph_socket(AF_INET, SOCK_DGRAM, 0), client = ph_socket(AF_INET, SOCK_DGRAM, 0);
    uint64_t in = SUM(udp_in), out = SUM(udp_out), udp = SUM(sockets_udp);
    char text[200] = "";
    struct stats_socket row;

    ck_assert_int_eq(ph_bind(server, (void *)&a, sizeof(a)), 0);
    ck_assert_int_eq(ph_bind(client, (void *)&any, sizeof(any)), 0);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(ph_sendto(client, text, sizeof(text), 0, (void *)&a, sizeof(a)), sizeof(text));
        ck_assert_int_eq(ph_recv(server, text, sizeof(text), 0), sizeof(text));
    }
    EVENTUALLY(row_of(server).rx_packets == 100 && row_of(client).tx_packets == 100);
    ck_assert_uint_eq(SUM(udp_in) - in, 100);
    ck_assert_uint_eq(SUM(udp_out) - out, 100);
    ck_assert_uint_eq(SUM(sockets_udp) - udp, 2);
    row = row_of(server);
    ck_assert_uint_eq(row.rx_bytes, 100 * sizeof(text));
    ck_assert_uint_eq(row.type, SOCK_DGRAM);
    ck_assert_uint_eq(row.family, AF_INET);
    ck_assert_uint_eq(row.stack, 0);
    ck_assert_uint_eq(row.local_port, 5301);
    ck_assert_uint_eq(row.recv_queue, 0);
    ck_assert_uint_eq(row.owner, (uint32_t)gettid());
    ck_assert_uint_gt(row.created_ms, 1000000000000);
    check_address(row.local_address, "10.0.0.1");
    ck_assert_uint_eq(row_of(client).tx_bytes, 100 * sizeof(text));
    ph_close(server);
    ph_close(client);
    EVENTUALLY(row_of(server).id == 0 && row_of(client).id == 0);
    ck_assert_uint_eq(SUM(sockets_udp), udp);
}
END_TEST

START_TEST(a_full_buffer_drops_and_says_so)
{
    struct sockaddr_in a = address("10.0.0.1", 5303);
    int server = ph_socket(AF_INET, SOCK_DGRAM, 0), client = ph_socket(AF_INET, SOCK_DGRAM, 0);
    uint64_t dropped = SUM(drop_rx_socket_full), in = SUM(udp_in);
    unsigned got = 0;
    char text[1000] = "";
    int bytes = 8192;

    ck_assert_int_eq(ph_setsockopt(server, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
    ck_assert_int_eq(ph_bind(server, (void *)&a, sizeof(a)), 0);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(ph_sendto(client, text, sizeof(text), 0, (void *)&a, sizeof(a)), sizeof(text));
    EVENTUALLY(SUM(drop_rx_socket_full) - dropped + SUM(udp_in) - in == 50);
    EVENTUALLY(row_of(server).drops == SUM(drop_rx_socket_full) - dropped);
    ck_assert_uint_gt(row_of(server).drops, 0);
    ck_assert_uint_gt(row_of(server).recv_queue, 0);
    while (ph_recv(server, text, sizeof(text), MSG_DONTWAIT) > 0)
        got++;
    ck_assert_uint_eq(got, SUM(udp_in) - in);
    ph_close(server);
    ph_close(client);
}
END_TEST

START_TEST(connections_show_their_bytes_names_and_ends)
{
    static char data[1 << 20];
    int server = listener(7, 4), client, accepted;
    uint64_t connects = SUM(tcp_connects), accepts = SUM(tcp_accepts), closes = SUM(tcp_closes);
    uint64_t segments_in = SUM(tcp_segments_in), segments_out = SUM(tcp_segments_out);
    uint64_t sockets, waiting = SUM(sockets_time_wait);
    struct stats_socket row;
    size_t sent = 0, got = 0;

    client = dial(7, 0);
    accepted = ph_accept(server, NULL, NULL);
    ck_assert_int_ge(accepted, 0);
    EVENTUALLY(row_of(server).state == TCP_LISTEN && row_of(client).state == TCP_ESTABLISHED &&
               row_of(accepted).state == TCP_ESTABLISHED);
    ck_assert_uint_eq(SUM(tcp_connects) - connects, 1);
    ck_assert_uint_eq(SUM(tcp_accepts) - accepts, 1);
    ck_assert_uint_eq(row_of(server).send_queue, 4); /* the backlog */
    sockets = SUM(sockets_tcp);
    ck_assert_uint_ge(sockets, 3);

    while (got < sizeof(data)) {
        ssize_t n = ph_send(client, data + sent, sizeof(data) - sent, MSG_DONTWAIT);

        sent += n > 0 ? (size_t)n : 0;
        n = ph_recv(accepted, data, sizeof(data), MSG_DONTWAIT);
        got += n > 0 ? (size_t)n : 0;
    }
    EVENTUALLY(row_of(client).tx_bytes == sizeof(data) && row_of(client).send_queue == 0 &&
               row_of(accepted).rx_bytes == sizeof(data));
    row = row_of(accepted);
    ck_assert_uint_eq(row.rx_bytes, sizeof(data));
    ck_assert_uint_eq(row.stack, 0);
    ck_assert_uint_eq(row.local_port, 7);
    check_address(row.local_address, "10.0.0.1");
    check_address(row.peer_address, "10.0.0.2");
    ck_assert_uint_eq(row.peer_port, row_of(client).local_port);
    row = row_of(client);
    ck_assert_uint_eq(row.stack, 1);
    ck_assert_uint_eq(row.peer_port, 7);
    check_address(row.local_address, "10.0.0.2");
    check_address(row.peer_address, "10.0.0.1");
    ck_assert_uint_gt(row.rtt_us, 0);
    ck_assert_uint_gt(row.cwnd_bytes, row.mss_bytes);
    ck_assert_uint_ge(row.mss_bytes, 1400);
    ck_assert_uint_gt(row.send_window_bytes, 0);
    /* What one stack sends the other receives. */
    EVENTUALLY(SUM(tcp_segments_out) - segments_out == SUM(tcp_segments_in) - segments_in);
    ck_assert_uint_ge(SUM(tcp_segments_out) - segments_out, sizeof(data) / 1460);

    ph_close(client);
    EVENTUALLY(row_of(accepted).state == TCP_CLOSE_WAIT);
    ph_close(accepted);
    ph_close(server);
    EVENTUALLY(SUM(tcp_closes) - closes == 2 && SUM(sockets_time_wait) - waiting == 1);
    ck_assert_uint_eq(sockets - SUM(sockets_tcp), 3);
}
END_TEST

START_TEST(a_refused_connection_is_one_of_each)
{
    uint64_t failures = SUM(tcp_connect_failures), datagrams = SUM(drop_rx_no_socket);
    uint64_t segments = SUM(drop_rx_no_connection);
    uint64_t resets_in = SUM(tcp_resets_in), resets_out = SUM(tcp_resets_out);

    ph_close(dial(9, 0));
    EVENTUALLY(SUM(tcp_resets_in) > resets_in && SUM(tcp_resets_out) > resets_out);
    ck_assert_uint_eq(SUM(tcp_connect_failures) - failures, 1);
    ck_assert_uint_eq(SUM(tcp_resets_in) - resets_in, 1);
    ck_assert_uint_eq(SUM(tcp_resets_out) - resets_out, 1);
    ck_assert_uint_eq(SUM(drop_rx_no_connection) - segments, 1);
    ck_assert_uint_eq(SUM(drop_rx_no_socket) - datagrams, 0);
}
END_TEST

START_TEST(a_listener_counts_whom_it_had_no_place_for)
{
    uint64_t full = SUM(drop_rx_listen_full);
    int server = listener(11, 1), client[4];

    for (unsigned i = 0; i < ARRAY_SIZE(client); i++)
        client[i] = dial(11, SOCK_NONBLOCK);
    EVENTUALLY(SUM(drop_rx_listen_full) > full);
    EVENTUALLY(row_of(server).drops == SUM(drop_rx_listen_full) - full);
    ck_assert_uint_eq(row_of(server).recv_queue, 2); /* one more than the backlog, as in the kernel */
    for (unsigned i = 0; i < ARRAY_SIZE(client); i++)
        ph_close(client[i]);
    ph_close(server);
}
END_TEST

START_TEST(a_closed_window_is_seen_from_both_sides)
{
    static char data[1 << 16];
    uint64_t in = SUM(tcp_zero_window_in), out = SUM(tcp_zero_window_out);
    int server = listener(13, 4), client = dial(13, 0), accepted = ph_accept(server, NULL, NULL);
    int bytes = 16384;

    ck_assert_int_eq(ph_setsockopt(accepted, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
    EVENTUALLY(ph_send(client, data, sizeof(data), MSG_DONTWAIT) < 0 && SUM(tcp_zero_window_in) > in);
    ck_assert_uint_gt(SUM(tcp_zero_window_out), out);
    EVENTUALLY(SUM(tcp_persist_probes) > 0);
    EVENTUALLY(row_of(client).zero_windows > 0 && row_of(accepted).zero_windows > 0);
    ck_assert_uint_gt(row_of(accepted).recv_queue, 0);
    ph_close(client);
    ph_close(accepted);
    ph_close(server);
}
END_TEST

START_TEST(what_nagle_holds_and_what_waits_for_the_delayed_ack)
{
    uint64_t holds = SUM(tcp_nagle_holds), late = SUM(tcp_delayed_acks);
    int server = listener(17, 4), client = dial(17, 0), accepted = ph_accept(server, NULL, NULL);
    uint32_t sent;
    int off = 0;

    ck_assert_int_eq(ph_setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &off, sizeof(off)), 0);
    /* The second is held, if it is written before the first is acknowledged. */
    for (int tries = 0; tries < 400 && SUM(tcp_nagle_holds) == holds; tries++) {
        sent = row_of(client).tx_packets;
        ck_assert_int_eq(ph_send(client, "a", 1, 0), 1);
        EVENTUALLY(row_of(client).tx_packets > sent);
        ck_assert_int_eq(ph_send(client, "b", 1, 0), 1);
        EVENTUALLY(row_of(client).send_queue == 0);
    }
    EVENTUALLY(row_of(client).nagle_holds == SUM(tcp_nagle_holds) - holds);
    ck_assert_uint_gt(row_of(client).nagle_holds, 0);
    EVENTUALLY(row_of(accepted).delayed_acks == SUM(tcp_delayed_acks) - late);
    ck_assert_uint_gt(row_of(accepted).delayed_acks, 0);
    ck_assert_uint_eq(row_of(accepted).nagle_holds + row_of(client).delayed_acks, 0);
    ph_close(client);
    ph_close(accepted);
    ph_close(server);
}
END_TEST

START_TEST(what_goes_nowhere_has_its_reason)
{
    struct sockaddr_in unroutable = address("192.0.2.1", 5000), absent = address("10.0.0.77", 5000);
    uint64_t no_route = SUM(drop_tx_no_route), no_neighbor = SUM(drop_tx_no_neighbor);
    int fd = ph_socket(AF_INET, SOCK_DGRAM, 0);

    ph_sendto(fd, "x", 1, 0, (void *)&unroutable, sizeof(unroutable)); /* ENETUNREACH, or dropped */
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ph_sendto(fd, "x", 1, 0, (void *)&absent, sizeof(absent)), 1);
    for (int i = 0; i < 10 && SUM(drop_tx_no_neighbor) - no_neighbor < 3; i++)
        EVENTUALLY(usleep(500000) == 0);
    ck_assert_uint_eq(SUM(drop_tx_no_neighbor) - no_neighbor, 3);
    ck_assert_uint_le(SUM(drop_tx_no_route) - no_route, 1);
    ph_close(fd);
}
END_TEST

/* Inline, a stack sleeps only in a call that waits on it. */
static void wait_for_nothing(unsigned stack)
{
    struct timeval limit = { .tv_usec = 2000 };
    struct sockaddr_in here = { .sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(0x0a000001 + stack) };
    int fd = ph_socket(AF_INET, SOCK_DGRAM, 0);
    char byte;

    ck_assert_int_eq(ph_bind(fd, (void *)&here, sizeof(here)), 0);
    ck_assert_int_eq(ph_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    ck_assert_int_eq(ph_recv(fd, &byte, 1, 0), -1);
    ph_close(fd);
}

START_TEST(the_turn_is_watched_too)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct stats_stack *stats = segment_stack(i);
        uint64_t woken;

        wait_for_nothing(i);
        EVENTUALLY(stats->sleeping || stats->sleeps > 0);
        woken = stats->wakeups_device + stats->wakeups_doorbell + stats->wakeups_timer;
        ck_assert_uint_le(woken, stats->sleeps);
        ck_assert_uint_ge(woken + 2, stats->sleeps);
        ck_assert_uint_gt(stats->sleep_us, 0);
        ck_assert_uint_gt(stats->rpc_calls, 0);
        ck_assert_uint_gt(stats->timers, 0);
        EVENTUALLY(histogram_count(&stats->rx_burst_packets) == stats->rx_bursts &&
                   stats->rx_burst_packets.sum == stats->rx_packets);
        ck_assert_uint_gt(stats->rx_burst_packets.max, 0);
        ck_assert_uint_gt(histogram_count(&stats->turn_ns), 0);
        ck_assert_uint_gt(stats->packets_free, 0);
        ck_assert_uint_gt(stats->chunks_free, 0);
        ck_assert_uint_gt(stats->memory_used_bytes, 0);
        ck_assert_uint_gt(stats->icmp_out + stats->icmp_in, 0); /* neighbour discovery */
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("api_stats");
    TCase *t = tcase_create("wire");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, start_on_wire, ph_stop);
    tcase_add_test(t, datagrams_are_counted_one_by_one);
    tcase_add_test(t, a_full_buffer_drops_and_says_so);
    tcase_add_test(t, connections_show_their_bytes_names_and_ends);
    tcase_add_test(t, a_refused_connection_is_one_of_each);
    tcase_add_test(t, a_listener_counts_whom_it_had_no_place_for);
    tcase_add_test(t, a_closed_window_is_seen_from_both_sides);
    tcase_add_test(t, what_nagle_holds_and_what_waits_for_the_delayed_ack);
    tcase_add_test(t, what_goes_nowhere_has_its_reason);
    tcase_add_test(t, the_turn_is_watched_too);
    suite_add_tcase(s, t);
    return s;
}
