/* SPDX-License-Identifier: Apache-2.0 */
/* Several stacks behind one port: which of them a packet comes to. The queues' own part is made up. */
#include <string.h>

#include "lwip/netif_port_state.h"
#include "lwip/netif_steer.h"

#define RUN_NOFORK
#include "main.h"
#include "port_setup.h"

#define STACKS 3

static struct netif_port ports[STACKS];
static struct stats_stack stats;
static struct doorbell bells[STACKS];
static uint8_t owner_of_port[65536];

static void join(void)
{
    struct netif_steer_member members[STACKS];

    port_setup();
    memset(ports, 0, sizeof(ports));
    memset(owner_of_port, 0, sizeof(owner_of_port));
    for (unsigned i = 0; i < STACKS; i++) {
        ports[i].stats = &stats;
        ports[i].packets = port_packets;
        doorbell_open(&bells[i]);
        members[i] = (struct netif_steer_member){.port = &ports[i], .bell = &bells[i], .stack = i};
    }
    ck_assert_int_eq(netif_steer_join(members, STACKS, owner_of_port, true), 0);
}

static void leave(void)
{
    for (unsigned i = 0; i < STACKS; i++) {
        netif_steer_leave(&ports[i]);
        doorbell_close(&bells[i]);
    }
    ck_assert_packets_home();
}

/* Where a packet that arrives at `stack` is served. */
static unsigned served(unsigned stack, struct rte_mbuf *packet)
{
    if (!netif_steer_out(ports[stack].steer, packet)) {
        rte_pktmbuf_free(packet);
        return stack;
    }
    for (unsigned i = 0; i < STACKS; i++) {
        struct rte_mbuf *got = netif_steer_in(ports[i].steer);

        if (got == NULL)
            continue;
        ck_assert_ptr_eq(got, packet);
        rte_pktmbuf_free(got);
        return i;
    }
    ck_abort_msg("the packet is nowhere");
    return 0;
}

static struct rte_mbuf *ip4_packet(uint8_t protocol, uint16_t id, uint16_t fragment, uint16_t from, uint16_t to)
{
    struct rte_mbuf *packet = packet_of(100, 0);
    uint8_t *eth = rte_pktmbuf_mtod(packet, uint8_t *), *ip = eth + 14;

    memcpy(eth + 12, (uint8_t[]){8, 0}, 2);
    ip[0] = 0x45;
    memcpy(ip + 4, (uint8_t[]){(uint8_t)(id >> 8), (uint8_t)id}, 2);
    memcpy(ip + 6, (uint8_t[]){(uint8_t)(fragment >> 8), (uint8_t)fragment}, 2);
    ip[9] = protocol;
    memcpy(ip + 12, (uint8_t[]){10, 0, 0, 2, 10, 0, 0, 1}, 8);
    memcpy(ip + 20, (uint8_t[]){(uint8_t)(from >> 8), (uint8_t)from, (uint8_t)(to >> 8), (uint8_t)to}, 4);
    return packet;
}

static struct rte_mbuf *ip6_fragment(uint32_t id, uint16_t offset_and_more)
{
    struct rte_mbuf *packet = packet_of(120, 0);
    uint8_t *eth = rte_pktmbuf_mtod(packet, uint8_t *), *ip = eth + 14;

    memcpy(eth + 12, (uint8_t[]){0x86, 0xdd}, 2);
    ip[0] = 0x60;
    ip[6] = 44;
    memset(ip + 8, 0x20, 32);
    ip[40] = 17;
    ip[42] = (uint8_t)(offset_and_more >> 8);
    ip[43] = (uint8_t)offset_and_more;
    memcpy(ip + 44, &id, sizeof(id));
    return packet;
}

/* All fragments of a datagram to one stack, whatever queue each came on; datagrams to all of them. */
START_TEST(fragments_meet)
{
    unsigned count[STACKS] = {0};

    for (unsigned id = 0; id < 300; id++) {
        unsigned at = served(0, ip4_packet(17, (uint16_t)id, 0x2000, 1000, 2000));

        for (unsigned stack = 0; stack < STACKS; stack++) {
            ck_assert_uint_eq(served(stack, ip4_packet(17, (uint16_t)id, 0x2000, 1000, 2000)), at);
            ck_assert_uint_eq(served(stack, ip4_packet(17, (uint16_t)id, 0x20b9, 7, 8)), at);
            ck_assert_uint_eq(served(stack, ip4_packet(17, (uint16_t)id, 0x0172, 9, 9)), at);
        }
        count[at]++;
        at = served(1, ip6_fragment(id, 1));
        for (unsigned stack = 0; stack < STACKS; stack++)
            ck_assert_uint_eq(served(stack, ip6_fragment(id, 0x5a8)), at);
        count[at]++;
    }
    for (unsigned stack = 0; stack < STACKS; stack++)
        ck_assert_uint_gt(count[stack], 100);
}
END_TEST

START_TEST(whole_datagrams_stay)
{
    for (unsigned stack = 0; stack < STACKS; stack++) {
        ck_assert_uint_eq(served(stack, ip4_packet(17, 5, 0, 1000, 2000)), stack);
        ck_assert_uint_eq(served(stack, ip4_packet(17, 5, 0x4000, 1000, 2000)), stack); /* don't fragment */
    }
}
END_TEST

START_TEST(tcp_goes_to_its_owner)
{
    owner_of_port[40000] = 2 + 1;
    for (unsigned stack = 0; stack < STACKS; stack++) {
        ck_assert_uint_eq(served(stack, ip4_packet(6, 5, 0, 80, 40000)), 2);
        ck_assert_uint_eq(served(stack, ip4_packet(6, 5, 0, 1234, 80)), served(0, ip4_packet(6, 6, 0, 1234, 80)));
    }
}
END_TEST

/* A router's error (RFC 792) about a segment from us to 10.0.0.2; `fragment`: of what it quotes. */
static struct rte_mbuf *ip4_error(uint8_t type, uint8_t protocol, uint16_t fragment, uint16_t local, uint16_t peer)
{
    struct rte_mbuf *packet = ip4_packet(1, 9, 0, 0, 0), *quoted = ip4_packet(protocol, 7, fragment, local, peer);
    uint8_t *icmp = rte_pktmbuf_mtod(packet, uint8_t *) + 14 + 20, *ip = icmp + 8;

    icmp[-8] = 192; /* the router's address, which says nothing */
    icmp[0] = type;
    memcpy(ip, rte_pktmbuf_mtod(quoted, uint8_t *) + 14, 28);
    memcpy(ip + 12, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
    rte_pktmbuf_free(quoted);
    return packet;
}

static struct rte_mbuf *ip6_tcp(uint8_t *ip, uint8_t from, uint8_t to, uint16_t from_port, uint16_t to_port)
{
    struct rte_mbuf *packet = ip ? NULL : packet_of(120, 0);

    if (packet) {
        memcpy(rte_pktmbuf_mtod(packet, uint8_t *) + 12, (uint8_t[]){0x86, 0xdd}, 2);
        ip = rte_pktmbuf_mtod(packet, uint8_t *) + 14;
    }
    ip[0] = 0x60;
    ip[6] = 6;
    memset(ip + 8, from, 16);
    memset(ip + 24, to, 16);
    memcpy(ip + 40, (uint8_t[]){(uint8_t)(from_port >> 8), (uint8_t)from_port}, 2);
    memcpy(ip + 42, (uint8_t[]){(uint8_t)(to_port >> 8), (uint8_t)to_port}, 2);
    return packet;
}

static struct rte_mbuf *ip6_error(uint8_t type, uint16_t local, uint16_t peer)
{
    struct rte_mbuf *packet = packet_of(150, 0);
    uint8_t *eth = rte_pktmbuf_mtod(packet, uint8_t *), *ip = eth + 14;

    memcpy(eth + 12, (uint8_t[]){0x86, 0xdd}, 2);
    ip[0] = 0x60;
    ip[6] = 58;
    memset(ip + 8, 0x77, 32);
    ip[40] = type;
    ip6_tcp(ip + 48, 0x20, 0x30, local, peer);
    return packet;
}

/* To the stack of the connection, whichever queue the router's packet came on. */
START_TEST(errors_go_to_the_stack_they_quote)
{
    unsigned moved = 0;

    owner_of_port[40000] = 2 + 1;
    for (unsigned stack = 0; stack < STACKS; stack++) {
        ck_assert_uint_eq(served(stack, ip4_error(3, 6, 0, 40000, 80)), 2);
        ck_assert_uint_eq(served(stack, ip4_error(11, 6, 0x2000, 40000, 80)), 2); /* the first fragment */
        ck_assert_uint_eq(served(stack, ip6_error(1, 40000, 80)), 2);
        ck_assert_uint_eq(served(stack, ip6_error(2, 40000, 80)), 2);
        for (uint16_t peer = 1; peer <= 30; peer++) { /* accepted: as the connection's own packets */
            unsigned at = served(0, ip4_packet(6, 5, 0, peer, 80));

            ck_assert_uint_eq(served(stack, ip4_error(3, 6, 0, 80, peer)), at);
            moved += at != stack;
            at = served(0, ip6_tcp(NULL, 0x30, 0x20, peer, 80));
            ck_assert_uint_eq(served(stack, ip6_error(4, 80, peer)), at);
        }
        ck_assert_uint_eq(served(stack, ip4_error(0, 6, 0, 40000, 80)), stack);      /* an answer to a ping */
        ck_assert_uint_eq(served(stack, ip4_error(3, 17, 0, 40000, 80)), stack);     /* UDP is everywhere */
        ck_assert_uint_eq(served(stack, ip4_error(3, 6, 0x00b9, 40000, 80)), stack); /* no ports in it */
        ck_assert_uint_eq(served(stack, ip6_error(129, 40000, 80)), stack);
    }
    ck_assert_uint_gt(moved, 30);
}
END_TEST

/* However short the quote: it stays, and nothing behind the packet is read. */
START_TEST(errors_cut_short_stay)
{
    owner_of_port[40000] = 2 + 1;
    for (uint16_t bytes = 14 + 20; bytes < 14 + 20 + 8 + 20 + 4; bytes++) {
        struct rte_mbuf *packet = ip4_error(3, 6, 0, 40000, 80);

        rte_pktmbuf_trim(packet, (uint16_t)(packet->data_len - bytes));
        ck_assert_uint_eq(served(0, packet), 0);
    }
    for (uint16_t bytes = 14 + 40; bytes < 14 + 40 + 8 + 40 + 4; bytes++) {
        struct rte_mbuf *packet = ip6_error(1, 40000, 80);

        rte_pktmbuf_trim(packet, (uint16_t)(packet->data_len - bytes));
        ck_assert_uint_eq(served(0, packet), 0);
    }
}
END_TEST

START_TEST(what_lwip_must_check)
{
    struct rte_mbuf *packets[] = {ip4_packet(17, 5, 0, 1, 2), ip4_packet(17, 5, 0x2000, 1, 2),
                                  ip4_packet(17, 5, 3, 1, 2), ip6_fragment(1, 1)};
    bool fragment[] = {false, true, true, true};

    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(netif_steer_is_fragment(packets[i]), fragment[i]);
        rte_pktmbuf_free(packets[i]);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("lwip_steer");
    TCase *tcase = tcase_create("steer");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, join, leave);
    tcase_add_test(tcase, fragments_meet);
    tcase_add_test(tcase, whole_datagrams_stay);
    tcase_add_test(tcase, tcp_goes_to_its_owner);
    tcase_add_test(tcase, errors_go_to_the_stack_they_quote);
    tcase_add_test(tcase, errors_cut_short_stay);
    tcase_add_test(tcase, what_lwip_must_check);
    suite_add_tcase(suite, tcase);
    return suite;
}
