/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which queue a card's hash chooses, against the values of Microsoft's "Verifying the RSS Hash
 * Calculation"; and local ports that are chosen by it.
 */
#include "kernel_peer.h"

#include <arpa/inet.h>

#include "lwip/netif_steer.h"
#include "lwip/tcp.h"

#define RUN_NOFORK
#include "main.h"
#include "port_setup.h"

#define QUEUES 4
#define OURS 2

static const struct {
    const char *from, *to;
    uint16_t from_port, to_port;
    uint32_t hash;
} known[] = {
    {"66.9.149.187", "161.142.100.80", 2794, 1766, 0x51ccc178},
    {"199.92.111.2", "65.69.140.83", 14230, 4739, 0xc626b0ea},
    {"24.19.198.95", "12.22.207.184", 12898, 38024, 0x5c2b394a},
    {"38.27.205.30", "209.142.163.6", 48228, 2217, 0xafc7327f},
    {"153.39.163.191", "202.188.127.2", 44251, 1303, 0x10e828a2},
    {"3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x40207d3d},
    {"3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0xdde51bbf},
    {"3ffe:1900:4545:3:200:f8ff:fe21:67cf", "fe80::200:f8ff:fe21:67cf", 44251, 38024, 0x02d1feef},
};

START_TEST(known_values)
{
    struct port *port = port_must("null", QUEUES);

    ck_assert_uint_ne(port->offloads & PORT_RX_RSS, 0);
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        bool ip6 = strchr(known[i].from, ':') != NULL;
        uint8_t from[16], to[16];

        ck_assert_int_eq(inet_pton(ip6 ? AF_INET6 : AF_INET, known[i].from, from), 1);
        ck_assert_int_eq(inet_pton(ip6 ? AF_INET6 : AF_INET, known[i].to, to), 1);
        /* A table of a power of two, queue after queue. */
        ck_assert_int_eq(port_rss_queue(port, ip6, from, to, known[i].from_port, known[i].to_port),
                         (int)(known[i].hash % QUEUES));
    }
    port_close(port);
    port = port_must("null", 1); /* nothing to choose */
    ck_assert_int_eq(port_rss_queue(port, false, "aaaa", "bbbb", 1, 2), -1);
    port_close(port);
    ck_assert_packets_home();
}
END_TEST

static struct netif_port others[QUEUES];
static struct stats_stack stats;
static uint8_t owner_of_port[65536];
static struct doorbell bells[QUEUES];

/* How many of `count` connections to many destinations get a local port whose answers come to us. */
static unsigned at_home(struct netif_port *np, bool ip6, unsigned count, unsigned *distinct)
{
    static bool used[65536];
    unsigned home = 0;

    memset(used, 0, sizeof(used));
    *distinct = 0;
    for (unsigned i = 0; i < count; i++) {
        struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
        char text[64];
        ip_addr_t to;

        snprintf(text, sizeof(text), ip6 ? "fd00::%x" : "10.0.0.%u", 2 + i % 200);
        ipaddr_aton(text, &to);
        ck_assert_int_eq(tcp_connect(pcb, &to, (u16_t)(80 + i % 3), NULL), ERR_OK);
        home += port_rss_queue(np->port, ip6, &pcb->remote_ip.u_addr, &pcb->local_ip.u_addr, pcb->remote_port,
                               pcb->local_port) == OURS;
        *distinct += !used[pcb->local_port];
        used[pcb->local_port] = true;
        tcp_abort(pcb);
    }
    return home;
}

START_TEST(ports_lead_home)
{
    struct port *port = port_must("null", QUEUES);
    struct instance_settings settings = {.now_us = clock_now_us(), .secret = "a secret of ours"};
    struct netif_steer_member members[QUEUES];
    struct port_config *config = port_line("null,address=10.0.0.1/24,address=fd00::1/64");
    struct netif_port_settings add = {port, OURS, config, port_packets, NULL, &stats, 0};
    struct instance *instance;
    struct netif_port *np;
    unsigned long outside;
    unsigned distinct;
    char err[1024];

    ck_assert_int_eq(instance_create(&instance, &settings), 0);
    outside = instance_enter(instance);
    ck_assert_msg(netif_port_add(&np, &add, err, sizeof(err)) == 0, "%s", err);
    for (unsigned i = 0; i < QUEUES; i++) {
        doorbell_open(&bells[i]);
        others[i].stats = &stats;
        members[i] = (struct netif_steer_member){.port = i == OURS ? np : &others[i], .bell = &bells[i], .stack = i};
    }
    ck_assert_uint_lt(at_home(np, false, 400, &distinct), 200); /* by chance: 100 */
    ck_assert_int_eq(netif_steer_join(members, QUEUES, owner_of_port, false), 0);
    for (int ip6 = 0; ip6 < 2; ip6++) {
        ck_assert_uint_eq(at_home(np, ip6, 400, &distinct), 400);
        ck_assert_uint_gt(distinct, 380); /* RFC 6056: as random as before */
    }
    for (unsigned i = 0; i < QUEUES; i++) {
        if (i != OURS)
            netif_steer_leave(&others[i]);
        doorbell_close(&bells[i]);
    }
    netif_port_remove(np);
    ck_assert_uint_eq(instance_destroy(instance), 0);
    instance_leave(outside);
    port_close(port);
    ck_assert_packets_home();
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("port_rss");
    TCase *tcase = tcase_create("rss");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, port_setup, NULL);
    tcase_add_test(tcase, known_values);
    tcase_add_test(tcase, ports_lead_home);
    suite_add_tcase(suite, tcase);
    return suite;
}
