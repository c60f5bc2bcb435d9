/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lwIP on an af_packet port against the kernel over a veth pair: ping, UDP and TCP echo over IPv4 and
 * IPv6, fragments both ways, checksums both ways, frames that do not fit.
 */
#include "kernel_echo.h"

#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>

#define RUN_NOFORK
#include "lwip/warm.h"
#include "main.h"

static bool allowed;
static struct peer *peer; /* on a1, 10.1.0.2 and fd00:1::2 */

static void setup(void)
{
    if (peer != NULL || !allowed)
        return;
    veth_make(1, 1500);
    peer = peer_start("af_packet,iface=a1,address=10.1.0.2/24,address=fd00:1::2/64", 2048, 96);
    echo_listen(peer);
    peer_run(peer);
}

#define SKIP_UNLESS_ALLOWED() \
    if (!allowed)             \
    return

START_TEST(ping)
{
    SKIP_UNLESS_ALLOWED();
    ck_assert_int_eq(command("ping -c 3 -i 0.2 -w 5 10.1.0.2"), 0);
    ck_assert_int_eq(command("ping -c 3 -i 0.2 -w 5 fd00:1::2"), 0);
}
END_TEST

/* Larger than the MTU: fragments come in, are put together, and go out again. */
START_TEST(ping_in_fragments)
{
    SKIP_UNLESS_ALLOWED();
    ck_assert_int_eq(command("ping -c 3 -i 0.2 -w 5 -s 8000 10.1.0.2"), 0);
    ck_assert_int_eq(command("ping -c 3 -i 0.2 -w 5 -s 8000 fd00:1::2"), 0);
}
END_TEST

START_TEST(udp)
{
    static const size_t sizes[] = {0, 1, 2, 17, 63, 64, 65, 255, 256, 257, 512, 1000, 1451, 1452, 1471, 1472};

    SKIP_UNLESS_ALLOWED();
    for (int v6 = 0; v6 < 2; v6++)
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
            udp_round_trip(1, v6, sizes[i]);
}
END_TEST

/* With no packet left it ends where the last one would be taken, just in front of the device, and is counted. */
START_TEST(warming_goes_all_the_way)
{
    struct rte_mbuf *all = NULL, *one;
    uint8_t data[100] = {0}, address[16];

    SKIP_UNLESS_ALLOWED();
    for (int v6 = 0; v6 < 2; v6++) {
        struct warm_peer to = {.address = address, .ip6 = v6, .port = 9};
        uint64_t before;

        udp_round_trip(1, v6, 64); /* the neighbour is known */
        inet_pton(v6 ? AF_INET6 : AF_INET, v6 ? "fd00:1::1" : "10.1.0.1", address);
        peer_enter(peer);
        while ((one = rte_pktmbuf_alloc(peer->packets)) != NULL) {
            one->next = all;
            all = one;
        }
        before = peer->stats.drop_tx_no_memory;
        warm_udp(udp_listener, data, sizeof(data), &to);
        ck_assert_uint_eq(peer->stats.drop_tx_no_memory, before + 1);
        for (; all != NULL; all = one) {
            one = all->next;
            all->next = NULL;
            rte_pktmbuf_free(all);
        }
        peer_leave(peer);
    }
}
END_TEST

START_TEST(udp_in_fragments)
{
    static const size_t sizes[] = {1473, 1500, 2959, 2961, 5000, 9001, 20000, 65507};

    SKIP_UNLESS_ALLOWED();
    for (int v6 = 0; v6 < 2; v6++)
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
            udp_round_trip(1, v6, v6 && sizes[i] == 65507 ? 65000 : sizes[i]);
}
END_TEST

START_TEST(tcp)
{
    SKIP_UNLESS_ALLOWED();
    for (int v6 = 0; v6 < 2; v6++) {
        tcp_round_trip(1, v6, 1, 1);
        tcp_round_trip(1, v6, 1000, 7);
        tcp_round_trip(1, v6, 100001, 1461);
        tcp_round_trip(1, v6, 4 << 20, 65536);
    }
    /* All but what came in runs too short for it, which depends on the kernel's pace. */
    ck_assert_uint_gt(peer->stats.tx_referenced_bytes, 6u << 20);
    ck_assert_uint_eq(peer->stats.drop_rx_checksum_tcp, 0);
    ck_assert_uint_eq(peer->stats.drop_rx_malformed, 0);
}
END_TEST

/* The kernel leaves the checksum to a card that is not there: counted, not taken in. */
START_TEST(partial_checksums_are_counted)
{
    uint64_t before;
    int fd;

    SKIP_UNLESS_ALLOWED();
    before = peer->stats.drop_rx_checksum_udp;
    if (command("ethtool -K b1 tx on") != 0)
        return;
    fd = kernel_connect(SOCK_DGRAM, 1, false);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(send(fd, "hello", 5, 0), 5);
    usleep(100000);
    ck_assert_int_eq(command("ethtool -K b1 tx off"), 0);
    ck_assert_uint_eq(peer->stats.drop_rx_checksum_udp, before + 10);
    close(fd);
    udp_round_trip(1, false, 100);
}
END_TEST

static int raw_open(int n)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET};
    char name[16];
    int fd = socket(AF_PACKET, SOCK_RAW, 0); /* protocol 0: receives nothing */

    snprintf(name, sizeof(name), "b%d", n);
    to.sll_ifindex = (int)if_nametoindex(name);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static uint16_t sum(const void *data, size_t bytes, uint32_t from)
{
    const uint8_t *at = data;

    for (; bytes > 1; bytes -= 2, at += 2)
        from += (uint32_t)at[0] << 8 | at[1];
    if (bytes)
        from += (uint32_t)at[0] << 8;
    while (from >> 16)
        from = (from & 0xffff) + (from >> 16);
    return (uint16_t)from;
}

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* A UDP datagram for the echo port in one IPv4 frame, right in every point. */
static size_t frame_make(struct peer *to, uint8_t *frame, size_t data_bytes)
{
    uint8_t *ip = frame + 14, *udp = ip + 20;
    static const uint8_t addresses[] = {10, 1, 0, 1, 10, 1, 0, 2};
    size_t udp_bytes = 8 + data_bytes;

    memset(frame, 0, 42);
    memcpy(frame, to->port->mac, 6);
    memcpy(frame + 6, "\2\0\0\0\0\1", 6);
    put16(frame + 12, 0x0800);
    ip[0] = 0x45;
    put16(ip + 2, (uint16_t)(20 + udp_bytes));
    ip[8] = 64;
    ip[9] = 17;
    memcpy(ip + 12, addresses, 8);
    put16(ip + 10, (uint16_t)~sum(ip, 20, 0));
    put16(udp, 9999);
    put16(udp + 2, ECHO_PORT);
    put16(udp + 4, (uint16_t)udp_bytes);
    pattern_fill(udp + 8, data_bytes, 1);
    put16(udp + 6, (uint16_t)~sum(udp, udp_bytes, sum(addresses, 8, (uint32_t)(17 + udp_bytes))));
    return 14 + 20 + udp_bytes;
}

/* What is wrong is dropped and counted where it belongs; what is right arrives. */
START_TEST(each_wrong_frame_is_counted)
{
    uint8_t frame[2000];
    size_t bytes;
    struct stats_stack *now, before;
    int fd;

    SKIP_UNLESS_ALLOWED();
    fd = raw_open(1);
    now = &peer->stats;
    usleep(50000);
    before = *now;

    bytes = frame_make(peer, frame, 101); /* right */
    ck_assert_int_eq(send(fd, frame, bytes, 0), (ssize_t)bytes);
    frame[50] ^= 1; /* a bit of the data */
    ck_assert_int_eq(send(fd, frame, bytes, 0), (ssize_t)bytes);
    bytes = frame_make(peer, frame, 101);
    frame[22] ^= 1; /* the TTL */
    ck_assert_int_eq(send(fd, frame, bytes, 0), (ssize_t)bytes);
    bytes = frame_make(peer, frame, 101); /* cut off */
    ck_assert_int_eq(send(fd, frame, bytes - 50, 0), (ssize_t)bytes - 50);
    frame[14] = 0x44; /* a header of 16 bytes */
    ck_assert_int_eq(send(fd, frame, bytes, 0), (ssize_t)bytes);
    frame_make(peer, frame, 101);
    frame[14] = 0x4f; /* a header of 60 bytes in a frame of 42 */
    ck_assert_int_eq(send(fd, frame, 42, 0), 42);
    bytes = frame_make(peer, frame, 101); /* for somebody else */
    frame[5] ^= 1;
    ck_assert_int_eq(send(fd, frame, bytes, 0), (ssize_t)bytes);
    bytes = frame_make(peer, frame, 101); /* not summed: allowed */
    put16(frame + 40, 0);
    ck_assert_int_eq(send(fd, frame, bytes, 0), (ssize_t)bytes);
    memset(frame + 14, 0xff, 50); /* of no known kind */
    put16(frame + 12, 0x88b5);
    ck_assert_int_eq(send(fd, frame, 64, 0), 64);
    for (int i = 0; i < 100; i++) { /* noise */
        for (size_t j = 14; j < sizeof(frame); j++)
            frame[j] = (uint8_t)rand();
        memcpy(frame, peer->port->mac, 6);
        put16(frame + 12, i & 1 ? 0x0800 : 0x86dd);
        frame[14] = i & 1 ? 0x45 : 0x60;
        ck_assert_int_gt(send(fd, frame, 60 + (size_t)rand() % 1400, 0), 0);
    }
    usleep(200000);
    ck_assert_uint_eq(now->drop_rx_checksum_udp - before.drop_rx_checksum_udp, 1);
    ck_assert_uint_ge(now->drop_rx_checksum_ip - before.drop_rx_checksum_ip, 1);
    ck_assert_uint_ge(now->drop_rx_malformed - before.drop_rx_malformed, 3);
    ck_assert_uint_ge(now->drop_rx_not_ours - before.drop_rx_not_ours, 1);
    close(fd);
    udp_round_trip(1, false, 100);
}
END_TEST

/* A frame of 1500 < n < 1982 bytes fits the buffer, a larger one is cut off by the kernel. */
START_TEST(long_frames)
{
    static uint8_t frame[9100];
    uint64_t before;
    size_t bytes;
    int fd;

    SKIP_UNLESS_ALLOWED();
    command("ip link set b1 mtu 9000");
    command("ip link set a1 mtu 9000"); /* the port was opened with 1500 */
    fd = raw_open(1);
    before = peer->stats.drop_rx_malformed;
    for (size_t data = 1400; data < 8900; data += 500) {
        bytes = frame_make(peer, frame, data);
        ck_assert_int_eq(send(fd, frame, bytes, 0), (ssize_t)bytes);
    }
    usleep(100000);
    ck_assert_uint_eq(peer->stats.drop_rx_malformed - before, 13); /* 1400 and 1900 fit */
    command("ip link set b1 mtu 1500");
    command("ip link set a1 mtu 1500");
    close(fd);
    udp_round_trip(1, false, 100);
}
END_TEST

START_TEST(all_home)
{
    SKIP_UNLESS_ALLOWED();
    usleep(300000);
    peer_stop(peer);
    peer = NULL;
}
END_TEST

/* MTU 9000, checksums not looked at: what the kernel leaves to its card is taken in. */
START_TEST(jumbo_and_trusted)
{
    struct peer *jumbo;

    SKIP_UNLESS_ALLOWED();
    veth_make(2, 9000);
    command("ethtool -K b2 tx on tso off gso off");
    jumbo = peer_start("af_packet,iface=a2,address=10.2.0.2/24,address=fd00:2::2/64,mtu=9000,rx_checksum=off,"
                       "rx_slots=128", 1024, 96);
    ck_assert_uint_eq(jumbo->port->mtu, 9000);
    echo_listen(jumbo);
    peer_run(jumbo);
    for (int v6 = 0; v6 < 2; v6++) {
        udp_round_trip(2, v6, 8900);
        udp_round_trip(2, v6, 20000);
        tcp_round_trip(2, v6, 1 << 20, 65536);
    }
    ck_assert_uint_eq(jumbo->stats.drop_rx_checksum_udp, 0);
    usleep(300000);
    peer_stop(jumbo);
}
END_TEST

/* A device that makes checksums: the kernel behind it accepts what it gets, whole and in fragments. */
START_TEST(checksums_by_the_device)
{
    static const size_t sizes[] = {0, 1, 63, 64, 1451, 1452, 1472, 1473, 9001, 30000};
    struct peer *tap;
    sigset_t all;

    SKIP_UNLESS_ALLOWED();
    tap = peer_start("tap,iface=b3,address=10.3.0.2/24,address=fd00:3::2/64", 1024, 96);
    ck_assert_uint_ne(tap->port->offloads & PORT_TX_UDP_CSUM, 0);
    ck_assert_uint_ne(tap->port->offloads & PORT_TX_TCP_CSUM, 0);
    ck_assert_int_eq(command("ip addr add 10.3.0.1/24 dev b3 && ip addr add fd00:3::1/64 dev b3 nodad"), 0);
    echo_listen(tap);
    peer_run(tap);
    sigfillset(&all); /* the driver's signal for each frame would end our calls early */
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (int v6 = 0; v6 < 2; v6++) {
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
            udp_round_trip(3, v6, sizes[i]);
        tcp_round_trip(3, v6, 1 << 20, 65536);
    }
    usleep(300000);
    peer_stop(tap);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("lwip_kernel_peer");
    TCase *tcase = tcase_create("kernel");

    allowed = namespace_enter();
    if (!allowed)
        printf("# skipped: network namespaces are not allowed here\n");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, ping);
    tcase_add_test(tcase, ping_in_fragments);
    tcase_add_test(tcase, udp);
    tcase_add_test(tcase, warming_goes_all_the_way);
    tcase_add_test(tcase, udp_in_fragments);
    tcase_add_test(tcase, tcp);
    tcase_add_test(tcase, partial_checksums_are_counted);
    tcase_add_test(tcase, each_wrong_frame_is_counted);
    tcase_add_test(tcase, long_frames);
    tcase_add_test(tcase, all_home);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("other ports");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, jumbo_and_trusted);
    tcase_add_test(tcase, checksums_by_the_device);
    suite_add_tcase(suite, tcase);
    return suite;
}
