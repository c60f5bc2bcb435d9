/* SPDX-License-Identifier: Apache-2.0 */
/* ARP's table and the IPv6 neighbour cache under neighbours who never answer, or come back with another address. */
#include <stdlib.h>
#include <string.h>

#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/inet_chksum.h"
#include "lwip/instance.h"
#include "lwip/ip.h"
#include "lwip/nd6.h"
#include "lwip/netif.h"
#include "lwip/prot/etharp.h"
#include "lwip/prot/icmp6.h"
#include "lwip/prot/ip6.h"
#include "lwip/prot/nd6.h"

#include "main.h"

#define SOLICITATION_BYTES (SIZEOF_ETH_HDR + IP6_HLEN + sizeof(struct ns_header) + 8)
#define ARP_BYTES (SIZEOF_ETH_HDR + SIZEOF_ETHARP_HDR)

static struct instance *instance;
static struct netif netif;
static unsigned long outside;
static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1};

static void *page_alloc(void *context, size_t bytes)
{
    return aligned_alloc(INSTANCE_PAGE_BYTES, bytes);
}

static void page_free(void *context, void *pages, size_t bytes)
{
    free(pages);
}

/* Nobody is there. */
static err_t link_output(struct netif *unused, struct pbuf *packet)
{
    return ERR_OK;
}

static err_t netif_start(struct netif *it)
{
    it->name[0] = 't';
    it->name[1] = '0';
    it->output = etharp_output;
    it->output_ip6 = ethip6_output;
    it->linkoutput = link_output;
    it->mtu = 1500;
    it->hwaddr_len = 6;
    memcpy(it->hwaddr, own_mac, 6);
    it->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

static ip4_addr_t host4(unsigned number)
{
    ip4_addr_t address;

    IP4_ADDR(&address, 10, 0, (u8_t)(number >> 8), (u8_t)number);
    return address;
}

static ip6_addr_t host6(unsigned number)
{
    ip6_addr_t address;

    IP6_ADDR(&address, PP_HTONL(0xfd000000), 0, 0, lwip_htonl(number));
    ip6_addr_assign_zone(&address, IP6_UNICAST, &netif);
    return address;
}

static void instance_open(void)
{
    struct instance_settings settings = {page_alloc, page_free, NULL, 0, {1, 2, 3}, 0, NULL, {0}};
    ip4_addr_t address = host4(1), mask, none;
    ip6_addr_t address6;
    s8_t index;

    ck_assert_int_eq(instance_create(&instance, &settings), 0);
    outside = instance_enter(instance);
    IP4_ADDR(&mask, 255, 255, 0, 0);
    ip4_addr_set_any(&none);
    ck_assert_ptr_nonnull(netif_add(&netif, &address, &mask, &none, NULL, netif_start, netif_input));
    netif_set_default(&netif);
    netif_set_up(&netif);
    address6 = host6(1);
    ck_assert_int_eq(netif_add_ip6_address(&netif, &address6, &index), ERR_OK);
    netif_ip6_addr_set_state(&netif, index, IP6_ADDR_PREFERRED);
}

/* Fails if a packet that waited was not given back. */
static void instance_shut(void)
{
    netif_remove(&netif);
    instance_leave(outside);
    instance_destroy(instance);
}

static void mac_of(unsigned number, uint8_t *mac)
{
    memcpy(mac, (uint8_t[]){2, 0, 0, 1, (uint8_t)(number >> 8), (uint8_t)number}, 6);
}

static void arrive(const uint8_t *frame, size_t bytes)
{
    struct pbuf *packet = pbuf_alloc(PBUF_RAW, (u16_t)bytes, PBUF_RAM);

    pbuf_take(packet, frame, (u16_t)bytes);
    ck_assert_int_eq(netif.input(packet, &netif), ERR_OK);
}

/* A request of `number` for our address. */
static void arp_request(unsigned number)
{
    uint8_t frame[ARP_BYTES] = {[12] = 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1};
    ip4_addr_t from = host4(number), to = host4(1);

    memset(frame, 0xff, 6);
    mac_of(number, frame + 6);
    mac_of(number, frame + 22);
    memcpy(frame + 28, &from, 4);
    memcpy(frame + 38, &to, 4);
    arrive(frame, sizeof(frame));
}

/* A neighbour solicitation of `number` for our address, from the link-layer address of `mac`. */
static void solicitation(unsigned number, unsigned mac)
{
    uint8_t frame[SOLICITATION_BYTES] = {[12] = 0x86, 0xdd, 0x60};
    uint8_t *ip = frame + SIZEOF_ETH_HDR, *icmp = ip + IP6_HLEN;
    uint16_t bytes = SOLICITATION_BYTES - SIZEOF_ETH_HDR - IP6_HLEN, sum;
    ip6_addr_t from = host6(number), to = host6(1);
    struct pbuf *body;

    memcpy(frame, own_mac, 6);
    mac_of(mac, frame + 6);
    ip[5] = (uint8_t)bytes;
    ip[6] = IP6_NEXTH_ICMP6;
    ip[7] = 255;
    memcpy(ip + 8, from.addr, 16);
    memcpy(ip + 24, to.addr, 16);
    icmp[0] = ICMP6_TYPE_NS;
    memcpy(icmp + 8, to.addr, 16);
    icmp[24] = ND6_OPTION_TYPE_SOURCE_LLADDR;
    icmp[25] = 1;
    mac_of(mac, icmp + 26);
    body = pbuf_alloc(PBUF_RAW, bytes, PBUF_RAM);
    pbuf_take(body, icmp, bytes);
    sum = ip6_chksum_pseudo(body, IP6_NEXTH_ICMP6, bytes, &from, &to);
    pbuf_free(body);
    memcpy(icmp + 2, &sum, 2);
    arrive(frame, sizeof(frame));
}

static struct pbuf *datagram(void)
{
    struct pbuf *packet = pbuf_alloc(PBUF_LINK, 64, PBUF_RAM);

    memset(packet->payload, 0, 64);
    return packet;
}

START_TEST(arp_keeps_those_who_answered)
{
    for (unsigned i = 0; i < ARP_TABLE_SIZE / 2; i++)
        arp_request(10 + i);
    for (unsigned i = 0; i < 3 * ARP_TABLE_SIZE; i++) {
        struct pbuf *packet = datagram();
        ip4_addr_t to = host4(1000 + i);

        etharp_query(&netif, &to, packet);
        pbuf_free(packet);
    }
    for (unsigned i = 0; i < ARP_TABLE_SIZE / 2; i++) {
        ip4_addr_t address = host4(10 + i);
        const ip4_addr_t *found;
        struct eth_addr *mac;
        uint8_t expected[6];

        ck_assert_msg(etharp_find_addr(&netif, &address, &mac, &found) >= 0, "neighbour %u is forgotten", i);
        mac_of(10 + i, expected);
        ck_assert_mem_eq(mac->addr, expected, 6);
    }
}
END_TEST

START_TEST(arp_still_recycles_those_who_answered)
{
    ip4_addr_t newest = host4(10 + 2 * ARP_TABLE_SIZE - 1);
    const ip4_addr_t *found;
    struct eth_addr *mac;

    for (unsigned i = 0; i < 2 * ARP_TABLE_SIZE; i++)
        arp_request(10 + i);
    ck_assert_int_ge(etharp_find_addr(&netif, &newest, &mac, &found), 0);
}
END_TEST

static const uint8_t *lladdr_of(unsigned number)
{
    ip6_addr_t address = host6(number);
    struct pbuf *packet = datagram();
    const uint8_t *mac = NULL;

    ck_assert_int_eq(nd6_get_next_hop_addr_or_queue(&netif, packet, &address, &mac), ERR_OK);
    pbuf_free(packet);
    return mac;
}

START_TEST(nd6_keeps_those_who_answered)
{
    for (unsigned i = 0; i < LWIP_ND6_NUM_NEIGHBORS / 2; i++)
        solicitation(10 + i, 10 + i);
    for (unsigned i = 0; i < 3 * LWIP_ND6_NUM_NEIGHBORS; i++)
        ck_assert_ptr_null(lladdr_of(1000 + i));
    for (unsigned i = 0; i < LWIP_ND6_NUM_NEIGHBORS / 2; i++) {
        const uint8_t *mac = lladdr_of(10 + i);
        uint8_t expected[6];

        mac_of(10 + i, expected);
        ck_assert_msg(mac != NULL, "neighbour %u is forgotten", i);
        ck_assert_mem_eq(mac, expected, 6);
    }
}
END_TEST

START_TEST(nd6_takes_the_solicitors_new_address)
{
    uint8_t expected[6];

    solicitation(10, 10);
    mac_of(10, expected);
    ck_assert_mem_eq(lladdr_of(10), expected, 6);
    solicitation(10, 99);
    mac_of(99, expected);
    ck_assert_mem_eq(lladdr_of(10), expected, 6);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("lwip_neighbors");
    TCase *t = tcase_create("tables");

    tcase_add_checked_fixture(t, instance_open, instance_shut);
    tcase_add_test(t, arp_keeps_those_who_answered);
    tcase_add_test(t, arp_still_recycles_those_who_answered);
    tcase_add_test(t, nd6_keeps_those_who_answered);
    tcase_add_test(t, nd6_takes_the_solicitors_new_address);
    suite_add_tcase(s, t);
    return s;
}
