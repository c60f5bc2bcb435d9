/* SPDX-License-Identifier: Apache-2.0 */
/* Two instances in one thread, joined by a netif that is a function call: handshake, data, close. */
#include "main.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/instance.h"
#include "lwip/ip.h"
#include "lwip/memory.h"
#include "lwip/netif.h"
#include "lwip/tcp.h"
#include "lwip/udp.h"

#define FRAMES 256

struct end {
    struct instance *instance;
    struct netif netif;
    struct end *peer;
    struct {
        uint16_t bytes;
        uint8_t data[1600];
    } frames[FRAMES]; /* on their way to this end */
    unsigned head, tail;
    struct tcp_pcb *pcb;
    uint8_t received[8192];
    size_t received_bytes;
    size_t acked_bytes;
    bool connected, closed;
};

static struct end ends[2];
static size_t pages_held;
static uint64_t now_us;

static void *page_alloc(void *context, size_t bytes)
{
    pages_held += bytes;
    return aligned_alloc(INSTANCE_PAGE_BYTES, bytes);
}

static void page_free(void *context, void *pages, size_t bytes)
{
    pages_held -= bytes;
    free(pages);
}

static err_t link_output(struct netif *netif, struct pbuf *packet)
{
    struct end *end = netif->state, *peer = end->peer;

    ck_assert_uint_lt(peer->head - peer->tail, FRAMES);
    ck_assert_uint_le(packet->tot_len, 1600);
    peer->frames[peer->head % FRAMES].bytes = packet->tot_len;
    pbuf_copy_partial(packet, peer->frames[peer->head++ % FRAMES].data, packet->tot_len, 0);
    return ERR_OK;
}

static err_t netif_start(struct netif *netif)
{
    struct end *end = netif->state;

    netif->name[0] = 't';
    netif->name[1] = '0';
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = link_output;
    netif->mtu = 1500;
    netif->hwaddr_len = 6;
    netif->hwaddr[0] = 2;
    netif->hwaddr[5] = (u8_t)(end - ends + 1);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP |
                   NETIF_FLAG_MLD6 | NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

static void end_open(struct end *end, struct end *peer)
{
    struct instance_settings settings = {page_alloc, page_free, NULL, 0, {1, 2, 3}, now_us, NULL, {0}};
    ip4_addr_t address, mask, none;
    ip6_addr_t address6;
    unsigned long outside;
    s8_t index;

    memset(end, 0, sizeof(*end));
    end->peer = peer;
    ck_assert_int_eq(instance_create(&end->instance, &settings), 0);
    outside = instance_enter(end->instance);
    IP4_ADDR(&address, 10, 0, 0, (u8_t)(end - ends + 1));
    IP4_ADDR(&mask, 255, 255, 255, 0);
    ip4_addr_set_any(&none);
    ck_assert_ptr_nonnull(netif_add(&end->netif, &address, &mask, &none, end, netif_start,
                                    netif_input));
    netif_set_default(&end->netif);
    netif_set_up(&end->netif);
    IP6_ADDR(&address6, PP_HTONL(0xfd000000), 0, 0, PP_HTONL((u32_t)(end - ends + 1)));
    ck_assert_int_eq(netif_add_ip6_address(&end->netif, &address6, &index), ERR_OK);
    netif_ip6_addr_set_state(&end->netif, index, IP6_ADDR_PREFERRED);
    instance_leave(outside);
}

/* Delivers frames both ways and lets time pass until nothing moves for `quiet_ms`. */
static void run(unsigned quiet_ms)
{
    uint64_t quiet_since = now_us;

    while (now_us - quiet_since < quiet_ms * 1000ULL) {
        bool moved = false;

        for (int i = 0; i < 2; i++) {
            struct end *end = &ends[i];
            unsigned long outside = instance_enter(end->instance);

            instance_clock(end->instance, now_us);
            for (; end->tail != end->head; end->tail++) {
                struct pbuf *packet = pbuf_alloc(PBUF_RAW, end->frames[end->tail % FRAMES].bytes,
                                                 PBUF_RAM);

                pbuf_take(packet, end->frames[end->tail % FRAMES].data, packet->tot_len);
                ck_assert_int_eq(end->netif.input(packet, &end->netif), ERR_OK);
                moved = true;
            }
            instance_timers(end->instance, now_us);
            instance_leave(outside);
        }
        if (moved)
            quiet_since = now_us;
        now_us += 1000;
    }
}

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *packet, err_t error)
{
    struct end *end = arg;

    if (!packet) {
        end->closed = true;
        return ERR_OK;
    }
    ck_assert_uint_le(end->received_bytes + packet->tot_len, sizeof(end->received));
    pbuf_copy_partial(packet, end->received + end->received_bytes, packet->tot_len, 0);
    end->received_bytes += packet->tot_len;
    tcp_recved(pcb, packet->tot_len);
    pbuf_free(packet);
    return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t bytes)
{
    ((struct end *)arg)->acked_bytes += bytes;
    return ERR_OK;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
    struct end *end = arg;

    end->pcb = pcb;
    tcp_arg(pcb, end);
    tcp_recv(pcb, on_recv);
    tcp_sent(pcb, on_sent);
    return ERR_OK;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
    ((struct end *)arg)->connected = true;
    return ERR_OK;
}

static void converse(const ip_addr_t *server)
{
    struct tcp_pcb *listener;
    unsigned long outside;
    static uint8_t message[6000];

    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (uint8_t)(i * 7);

    outside = instance_enter(ends[0].instance);
    listener = tcp_new_ip_type(IPADDR_TYPE_ANY);
    ck_assert_int_eq(tcp_bind(listener, IP_ANY_TYPE, 80), ERR_OK);
    listener = tcp_listen_with_backlog(listener, 5);
    ck_assert_ptr_nonnull(listener);
    tcp_arg(listener, &ends[0]);
    tcp_accept(listener, on_accept);
    instance_leave(outside);

    outside = instance_enter(ends[1].instance);
    ends[1].pcb = tcp_new_ip_type(IP_GET_TYPE(server));
    tcp_arg(ends[1].pcb, &ends[1]);
    tcp_recv(ends[1].pcb, on_recv);
    tcp_sent(ends[1].pcb, on_sent);
    ck_assert_int_eq(tcp_connect(ends[1].pcb, server, 80, on_connected), ERR_OK);
    instance_leave(outside);
    run(20);
    ck_assert(ends[1].connected);
    ck_assert_ptr_nonnull(ends[0].pcb);

    for (int i = 0; i < 2; i++) {
        outside = instance_enter(ends[i].instance);
        /* one by reference, the other copied */
        ck_assert_int_eq(tcp_write(ends[i].pcb, message, sizeof(message), i ? TCP_WRITE_FLAG_COPY : 0),
                         ERR_OK);
        ck_assert_int_eq(tcp_output(ends[i].pcb), ERR_OK);
        instance_leave(outside);
    }
    run(1000);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(ends[i].received_bytes, sizeof(message));
        ck_assert_mem_eq(ends[i].received, message, sizeof(message));
        ck_assert_uint_eq(ends[i].acked_bytes, sizeof(message));
    }
    for (int i = 1; i >= 0; i--) {
        outside = instance_enter(ends[i].instance);
        ck_assert_int_eq(tcp_close(ends[i].pcb), ERR_OK);
        instance_leave(outside);
        run(600);
        ck_assert(ends[!i].closed);
    }
    outside = instance_enter(ends[0].instance);
    tcp_close(listener);
    instance_leave(outside);
}

static void open_both(void)
{
    now_us = 1000000;
    end_open(&ends[0], &ends[1]);
    end_open(&ends[1], &ends[0]);
}

static void close_both(void)
{
    for (int i = 0; i < 2; i++)
        ck_assert_uint_eq(instance_destroy(ends[i].instance), 0);
    ck_assert_uint_eq(pages_held, 0);
    ck_assert_uint_eq(lwip_delta, INSTANCE_NONE);
}

START_TEST(tcp_over_ipv4)
{
    ip_addr_t server;

    IP_ADDR4(&server, 10, 0, 0, 1);
    converse(&server);
}
END_TEST

START_TEST(tcp_over_ipv6)
{
    ip_addr_t server;

    IP_ADDR6(&server, PP_HTONL(0xfd000000), 0, 0, PP_HTONL(1));
    converse(&server);
}
END_TEST

START_TEST(instances_are_apart)
{
    unsigned long outside;

    /* both may bind the same port, each sees only its own */
    for (int i = 0; i < 2; i++) {
        struct udp_pcb *first, *second;

        outside = instance_enter(ends[i].instance);
        first = udp_new();
        second = udp_new();
        ck_assert_int_eq(udp_bind(first, IP_ADDR_ANY, 53), ERR_OK);
        ck_assert_int_eq(udp_bind(second, IP_ADDR_ANY, 53), ERR_USE);
        udp_remove(second);
        instance_leave(outside);
    }
}
END_TEST

START_TEST(clock_is_the_callers)
{
    unsigned long outside = instance_enter(ends[0].instance);
    unsigned long inner;

    instance_clock(ends[0].instance, 5000000);
    ck_assert_uint_eq(instance_now_us(), 5000000);
    inner = instance_enter(ends[1].instance);
    ck_assert_uint_eq(instance_now_us(), 1000000);
    instance_leave(inner);
    ck_assert_uint_eq(instance_now_us(), 5000000);
    instance_leave(outside);
}
END_TEST

START_TEST(memory_is_counted)
{
    unsigned long outside = instance_enter(ends[0].instance);
    struct memory_usage before, after;
    void *pieces[3000];

    memory_usage(&before);
    for (size_t i = 0; i < 3000; i++) {
        pieces[i] = memory_alloc(i * 7 + 1);
        ck_assert_ptr_nonnull(pieces[i]);
        ck_assert_uint_eq((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], 0xee, i * 7 + 1);
    }
    memory_usage(&after);
    ck_assert_uint_eq(after.taken - before.taken, 3000);
    for (size_t i = 0; i < 3000; i++)
        memory_free(pieces[(i * 1103) % 3000]);
    memory_usage(&after);
    ck_assert_uint_eq(after.returned - before.returned, 3000);
    ck_assert_uint_eq(after.element_bytes, before.element_bytes);
    ck_assert_uint_le(after.block_bytes - before.block_bytes, 160 * INSTANCE_PAGE_BYTES);
    instance_leave(outside);
}
END_TEST

START_TEST(memory_has_a_limit)
{
    struct instance_settings settings = {.memory_limit_bytes = 10 * INSTANCE_PAGE_BYTES};
    struct instance *instance;
    unsigned long outside;
    struct memory_usage usage;
    void *pieces[64];
    int count = 0;

    ck_assert_int_eq(instance_create(&instance, &settings), 0);
    outside = instance_enter(instance);
    while (count < 64 && (pieces[count] = memory_alloc(16000)) != NULL)
        count++;
    ck_assert_int_le(count, 16);
    ck_assert_int_gt(count, 8);
    memory_usage(&usage);
    ck_assert_uint_eq(usage.refused, 1);
    while (count)
        memory_free(pieces[--count]);
    instance_leave(outside);
    ck_assert_uint_eq(instance_destroy(instance), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("lwip_instance");
    TCase *tcase = tcase_create("two instances");

    tcase_add_checked_fixture(tcase, open_both, close_both);
    tcase_add_test(tcase, tcp_over_ipv4);
    tcase_add_test(tcase, tcp_over_ipv6);
    tcase_add_test(tcase, instances_are_apart);
    tcase_add_test(tcase, clock_is_the_callers);
    tcase_add_test(tcase, memory_is_counted);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("one instance");
    tcase_add_test(tcase, memory_has_a_limit);
    suite_add_tcase(suite, tcase);
    return suite;
}
