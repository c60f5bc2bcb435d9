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
    tcase_add_test(tcase, what_lwip_must_check);
    suite_add_tcase(suite, tcase);
    return suite;
}
