/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile packets: the test holds the other end of the stack's wire and puts frames on it by hand:
 * good ones of every protocol, mutated, cut, and with options that lie. Nothing may crash (the suite
 * also runs with sanitizers), and afterwards the stack must answer as if nothing had happened.
 * TEST_SEED in the environment repeats a run.
 */
#define RUN_NOFORK
#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lwip/packet.h"
#include "main.h"
#include "on_wire.h"
#include "port/burst.h"
#include "port/port.h"
#include "port_setup.h"
#include "pronghorn.h"
#include "stack/group.h"

#define FRAMES 60000
#define LISTEN_PORT 80
#define UDP_PORT 53

static struct port *wire;
static uint64_t random_state;
static const uint8_t our_mac[6] = { 2, 0, 0, 0, 0, 9 };
static const uint8_t our_ip6[16] = { 0xfd, [15] = 9 }, peer_ip6[16] = { 0xfd, [15] = 1 };
static uint8_t peer_mac[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
/* of the connection that is kept up as far as the mutations let it */
static uint32_t seq = 1000, ack;
static uint16_t source_port = 20000;
static uint64_t sent; /* frames that the wire took */
static unsigned accepted, received; /* so that the test knows that it gets past the gates */

static uint32_t rnd(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

struct frame {
    uint8_t bytes[1600];
    uint32_t length, l3, l4; /* offsets of the headers; 0: none */
};

static void put(struct frame *f, const void *from, uint32_t bytes)
{
    memcpy(f->bytes + f->length, from, bytes);
    f->length += bytes;
}

static void put16(struct frame *f, uint32_t value)
{
    uint16_t be = htons((uint16_t)value);

    put(f, &be, 2);
}

static void put32(struct frame *f, uint32_t value)
{
    uint32_t be = htonl(value);

    put(f, &be, 4);
}

static void put_random(struct frame *f, uint32_t bytes)
{
    while (bytes-- > 0 && f->length < sizeof(f->bytes))
        f->bytes[f->length++] = (uint8_t)rnd(256);
}

static void ethernet(struct frame *f, uint16_t type)
{
    f->length = f->l3 = f->l4 = 0;
    put(f, peer_mac, 6);
    put(f, our_mac, 6);
    put16(f, type);
    f->l3 = f->length;
}

static void ip4(struct frame *f, uint8_t protocol, uint32_t payload)
{
    uint32_t options = rnd(8) == 0 ? rnd(11) * 4 : 0;

    ethernet(f, 0x0800);
    f->bytes[f->length++] = (uint8_t)(0x45 + options / 4);
    f->bytes[f->length++] = 0;
    put16(f, 20 + options + payload);
    put16(f, rnd(4));
    put16(f, rnd(10) == 0 ? rnd(65536) : 0x4000); /* fragments now and then */
    f->bytes[f->length++] = 64;
    f->bytes[f->length++] = protocol;
    put16(f, 0);
    put32(f, 0x0a000009);
    put32(f, 0x0a000001);
    put_random(f, options);
    f->l4 = f->length;
}

static void ip6(struct frame *f, uint8_t next, uint32_t payload)
{
    uint32_t extension = rnd(6) == 0 ? 8 : 0;
    static const uint8_t kinds[] = { 0, 43, 44, 60, 135 };

    ethernet(f, 0x86dd);
    put32(f, 0x60000000);
    put16(f, extension + payload);
    f->bytes[f->length++] = extension ? kinds[rnd(sizeof(kinds))] : next;
    f->bytes[f->length++] = 255; /* what neighbour discovery demands */
    put(f, our_ip6, 16);
    put(f, peer_ip6, 16);
    if (extension) {
        f->bytes[f->length++] = next;
        put_random(f, 7);
    }
    f->l4 = f->length;
}

static void ip(struct frame *f, uint8_t protocol, uint32_t payload)
{
    if (rnd(3) == 0)
        ip6(f, protocol, payload);
    else
        ip4(f, protocol, payload);
}

static void tcp(struct frame *f)
{
    uint32_t options = rnd(11) * 4, payload = rnd(4) ? 0 : rnd(1000);
    static const uint8_t flags[] = { 0x02, 0x10, 0x18, 0x11, 0x04, 0x14, 0x12, 0x29, 0x00, 0xff };

    ip(f, 6, 20 + options + payload);
    put16(f, source_port);
    put16(f, rnd(10) ? LISTEN_PORT : rnd(65536));
    put32(f, rnd(4) ? seq : seq + rnd(100000) - 50000);
    put32(f, rnd(8) ? ack : rnd(UINT32_MAX));
    f->bytes[f->length++] = (uint8_t)((5 + options / 4) << 4);
    f->bytes[f->length++] = flags[rnd(rnd(3) ? 4 : sizeof(flags))];
    put16(f, rnd(5) ? 0xffff : rnd(3));
    put32(f, 0);
    /* Options with plausible kinds and lengths that need not be true: MSS, scale, SACK, timestamps. */
    for (uint32_t i = 0; i < options; i++) {
        static const uint8_t plausible[] = { 0, 1, 2, 4, 3, 3, 4, 2, 5, 10, 8, 10, 255 };

        f->bytes[f->length++] = rnd(3) ? plausible[rnd(sizeof(plausible))] : (uint8_t)rnd(256);
    }
    put_random(f, payload);
}

static void transmit(const struct frame *f);
static void checksums(struct frame *f);

/* A faultless segment without options: keeps the connection going between the others. */
static void tcp_clean(uint8_t flags)
{
    struct frame f;

    ethernet(&f, 0x0800);
    put32(&f, 0x45000028);
    put32(&f, 0);
    put32(&f, 0x40060000);
    put32(&f, 0x0a000009);
    put32(&f, 0x0a000001);
    f.l4 = f.length;
    put16(&f, source_port);
    put16(&f, LISTEN_PORT);
    put32(&f, seq);
    put32(&f, ack);
    put32(&f, 0x50000000u | (uint32_t)flags << 16 | 0xffff);
    put32(&f, 0);
    checksums(&f);
    transmit(&f);
}

static void udp(struct frame *f)
{
    uint32_t payload = rnd(1200);

    ip(f, 17, 8 + payload);
    put16(f, rnd(65536));
    put16(f, rnd(10) ? UDP_PORT : rnd(65536));
    put16(f, rnd(10) ? 8 + payload : rnd(2000));
    put16(f, 0);
    put_random(f, payload);
}

static void icmp(struct frame *f)
{
    uint32_t payload = rnd(600);

    ip4(f, rnd(3) ? 1 : 2, 8 + payload); /* ICMP or IGMP */
    f->bytes[f->length++] = rnd(2) ? 8 : (uint8_t)rnd(20);
    put_random(f, 7 + payload);
}

static void icmp6(struct frame *f)
{
    uint32_t payload = 20 + rnd(200);

    ip6(f, 58, 4 + payload);
    f->bytes[f->length++] = rnd(4) ? (uint8_t)(128 + rnd(16)) : (uint8_t)rnd(256);
    f->bytes[f->length++] = 0;
    put16(f, 0);
    put32(f, rnd(UINT32_MAX));
    put(f, peer_ip6, 16);
    put_random(f, payload - 20);
    /* A neighbour discovery option: type, length in units of 8 bytes, also 0 and far too long. */
    if (f->length - f->l4 >= 26) {
        f->bytes[f->l4 + 24] = (uint8_t)(1 + rnd(5));
        f->bytes[f->l4 + 25] = (uint8_t)rnd(6);
    }
}

static void arp(struct frame *f)
{
    ethernet(f, 0x0806);
    put16(f, 1);
    put16(f, 0x0800);
    f->bytes[f->length++] = 6;
    f->bytes[f->length++] = 4;
    put16(f, 1 + rnd(2));
    put(f, our_mac, 6);
    put32(f, 0x0a000009);
    put_random(f, 6);
    put32(f, 0x0a000001);
}

static uint32_t sum(const uint8_t *bytes, uint32_t length, uint32_t start)
{
    for (uint32_t i = 0; i + 1 < length; i += 2)
        start += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    if (length & 1)
        start += (uint32_t)bytes[length - 1] << 8;
    while (start >> 16)
        start = (start & 0xffff) + (start >> 16);
    return start;
}

/* Right checksums get a mutated packet past the first gate. */
static void checksums(struct frame *f)
{
    uint8_t protocol;
    uint32_t at, total, length = f->length - f->l4;

    if (f->l4 == 0 || f->l4 >= f->length)
        return;
    if (f->bytes[f->l3] >> 4 == 4) {
        f->bytes[f->l3 + 10] = f->bytes[f->l3 + 11] = 0;
        total = ~sum(f->bytes + f->l3, (f->bytes[f->l3] & 15u) * 4, 0);
        f->bytes[f->l3 + 10] = (uint8_t)(total >> 8);
        f->bytes[f->l3 + 11] = (uint8_t)total;
        protocol = f->bytes[f->l3 + 9];
        total = sum(f->bytes + f->l3 + 12, 8, protocol + length);
    } else {
        protocol = f->bytes[f->l3 + 6];
        total = sum(f->bytes + f->l3 + 8, 32, protocol + length);
    }
    at = protocol == 6 ? 16 : protocol == 17 ? 6 : 2;
    if (protocol == 1 || protocol == 2)
        total = 0;
    if (at + 2 > length)
        return;
    f->bytes[f->l4 + at] = f->bytes[f->l4 + at + 1] = 0;
    total = ~sum(f->bytes + f->l4, length, total);
    f->bytes[f->l4 + at] = (uint8_t)(total >> 8);
    f->bytes[f->l4 + at + 1] = (uint8_t)total;
}

static void mutate(struct frame *f)
{
    for (uint32_t n = rnd(4); n > 0; n--)
        f->bytes[(rnd(2) ? f->l3 : 0) + rnd(f->length - f->l3)] = (uint8_t)rnd(256);
    if (rnd(10) == 0)
        f->length -= rnd(f->length);
    if (f->length < 14)
        f->length = 14;
}

static void transmit(const struct frame *f)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(port_packets);

    if (packet == NULL)
        return; /* all in the stack's hands: it works on them */
    memcpy(rte_pktmbuf_append(packet, (uint16_t)f->length), f->bytes, f->length);
    port_tx_put(port_queue(wire, 0), packet);
    port_flush(port_queue(wire, 0));
    sent++;
}

#define LOOK(counter) __atomic_load_n(&group.stacks[0]->stats->counter, __ATOMIC_RELAXED)

/* Until the stack has seen all frames and its answers are out: it may have a thread of its own. */
static void until_seen(void)
{
    time_t deadline = time(NULL) + 60;
    uint64_t turns;

    while (LOOK(rx_packets) < sent) {
        ck_assert_msg(time(NULL) < deadline, "the stack does not take packets any more");
        if (ph_turn() == 0)
            sched_yield();
    }
    turns = LOOK(turns);
    while (ph_turn() > 0 || (LOOK(turns) == turns && !LOOK(sleeping) && time(NULL) < deadline))
        sched_yield();
}

/* Takes what the stack sends; learns its MAC address, and follows the connection. */
static void listen_in(void)
{
    struct rte_mbuf *packets[PORT_BURST];
    unsigned count = port_rx(port_queue(wire, 0), packets, PORT_BURST);

    for (unsigned i = 0; i < count; i++) {
        const uint8_t *b = rte_pktmbuf_mtod(packets[i], const uint8_t *);

        memcpy(peer_mac, b + 6, 6);
        if (b[12] == 8 && b[13] == 6 && b[21] == 1) { /* it asks who we are */
            struct frame f;

            arp(&f);
            f.bytes[21] = 2;
            transmit(&f);
        }
        if (packets[i]->data_len >= 54 && b[12] == 8 && b[13] == 0 && b[23] == 6) {
            bool syn = (b[47] & 0x02) != 0 && b[37] == (uint8_t)source_port;

            if (syn)
                seq++;
            ack = ((uint32_t)b[38] << 24 | (uint32_t)b[39] << 16 | (uint32_t)b[40] << 8 | b[41]) + 1;
            if (syn)
                tcp_clean(0x10);
            if (b[47] & 0x04) { /* RST: another connection */
                source_port = (uint16_t)(20000 + rnd(30000));
                seq = rnd(UINT32_MAX);
            }
        }
        rte_pktmbuf_free(packets[i]);
    }
}

static void drive(int listener, int datagrams)
{
    static char buffer[65536];
    int fd;

    until_seen();
    while ((fd = ph_accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        accepted++;
        ph_send(fd, buffer, rnd(3000), MSG_DONTWAIT | MSG_NOSIGNAL);
        ph_recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
        if (rnd(4))
            ph_close(fd);
        else
            ph_shutdown(fd, (int)rnd(3)), ph_close(fd);
    }
    while (ph_recv(datagrams, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0)
        received++;
}

static void answers_an_echo_request(void)
{
    static const uint8_t request[] = { 8, 0, 0, 0, 0x12, 0x34, 0, 1, 'p', 'i', 'n', 'g' };
    struct frame f;

    for (int tries = 0; tries < 100; tries++) {
        struct rte_mbuf *packets[PORT_BURST];
        bool answered = false;
        unsigned count;

        /* Our address first: the fuzz may have told the stack another. */
        arp(&f);
        f.bytes[21] = 2;
        transmit(&f);
        ethernet(&f, 0x0800);
        put32(&f, 0x45000020);
        put32(&f, 0);
        put32(&f, 0x40010000);
        put32(&f, 0x0a000009);
        put32(&f, 0x0a000001);
        f.l4 = f.length;
        put(&f, request, sizeof(request));
        checksums(&f);
        transmit(&f);
        for (int turn = 0; turn < 20; turn++) {
            while (ph_turn() > 0)
                ;
            count = port_rx(port_queue(wire, 0), packets, PORT_BURST);
            for (unsigned i = 0; i < count; i++) {
                const uint8_t *b = rte_pktmbuf_mtod(packets[i], const uint8_t *);

                answered |= packets[i]->data_len >= 46 && b[12] == 8 && b[13] == 0 && b[23] == 1 &&
                            b[34] == 0 && memcmp(b + 38, request + 4, 8) == 0;
                rte_pktmbuf_free(packets[i]);
            }
            if (answered)
                return;
        }
        usleep(10000);
    }
    ck_abort_msg("the stack does not answer any more");
}

START_TEST(hostile_packets_do_no_harm)
{
    void (*const make[])(struct frame *) = { tcp, tcp, tcp, udp, icmp, icmp6, arp };
    struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(LISTEN_PORT) };
    const char *seed = getenv("TEST_SEED");
    int listener = ph_socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int datagrams = ph_socket(AF_INET6, SOCK_DGRAM, 0);

    random_state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
    printf("# TEST_SEED=%llu\n", (unsigned long long)random_state);
    fflush(stdout);
    ck_assert_int_eq(ph_bind(listener, (void *)&a, sizeof(a)), 0);
    ck_assert_int_eq(ph_listen(listener, 4096), 0);
    a.sin6_port = htons(UDP_PORT);
    ck_assert_int_eq(ph_bind(datagrams, (void *)&a, sizeof(a)), 0);
    answers_an_echo_request(); /* it has seen that its link is up */
    for (int i = 0; i < FRAMES; i++) {
        struct frame f;

        if (rnd(50) == 0) {
            source_port = (uint16_t)(20000 + rnd(30000));
            seq = rnd(UINT32_MAX);
            tcp_clean(0x02);
        }
        make[rnd(sizeof(make) / sizeof(make[0]))](&f);
        if (rnd(3))
            mutate(&f);
        if (rnd(10))
            checksums(&f);
        transmit(&f);
        if (i % 4 == 0) {
            drive(listener, datagrams);
            listen_in();
        }
    }
    printf("# %u connections accepted, %u datagrams received\n", accepted, received);
    ck_assert_uint_gt(accepted, 100);
    ck_assert_uint_gt(received, 1000);
    answers_an_echo_request();
    ck_assert_int_eq(ph_close(listener), 0);
    ck_assert_int_eq(ph_close(datagrams), 0);
}
END_TEST

static void start(void)
{
    /* The other end's packets need memory, too. */
    start_with({ "log.level", "error" }, { "memory.limit_mib", "128" }, { "tcp.time_wait_ms", "100" },
               { "port", "wire,id=9,address=10.0.0.1/24,address=fd00::1/64" });
    port_packets = packet_pool_create("fuzz", 4095, 2048, SOCKET_ID_ANY);
    ck_assert_ptr_nonnull(port_packets);
    wire = port_must("wire,id=9", 1);
}

static void stop(void)
{
    port_close(wire);
    ph_stop();
}

static Suite *suite(void)
{
    Suite *s = suite_create("hostile packets");
    TCase *c = tcase_create("fuzz");

    tcase_add_unchecked_fixture(c, start, stop);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, hostile_packets_do_no_harm);
    suite_add_tcase(s, c);
    return s;
}
