/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that no honest peer sends: real ones of a running conversation with bytes changed, cut, doubled
 * and mixed, ICMP, fragments and neighbour discovery made of random parts, all with checksums that are
 * not looked at. Nothing is expected but that it goes on, and that all memory comes back; the build with
 * sanitizers finds what is touched on the way.
 */
#include "main.h"

#include <string.h>

#include "sim.h"
#include "lwip/memory.h"

#define KEPT 64
#define ROUNDS 20000
#define FRAME_MAX 1514

struct kept {
    struct {
        uint16_t bytes;
        uint8_t data[FRAME_MAX];
    } frames[KEPT];
    unsigned count;
};

static struct sim sim;
static struct kept kept[SIM_ENDS];

static bool keep(struct sim_link *link, const uint8_t *frame, size_t bytes)
{
    struct kept *to = link->filter_context;
    unsigned slot = to->count < KEPT ? to->count : sim_random(&sim) % KEPT;

    if (bytes <= FRAME_MAX) {
        memcpy(to->frames[slot].data, frame, bytes);
        to->frames[slot].bytes = (uint16_t)bytes;
        to->count++;
    }
    return false;
}

static uint32_t up_to(uint32_t limit)
{
    return limit ? sim_random(&sim) % limit : 0;
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* The addresses of a kept frame with other contents behind them. */
static size_t make_ip4(uint8_t *frame, size_t bytes)
{
    static const uint8_t protocols[] = {1, 2, 6, 17, 0, 255};
    size_t payload = up_to(1400);

    for (size_t i = 34; i < 34 + payload; i++)
        frame[i] = (uint8_t)sim_random(&sim);
    frame[14] = 0x45;
    put16(frame + 16, (uint32_t)(20 + payload));
    put16(frame + 18, up_to(4));
    put16(frame + 20, up_to(2) ? up_to(0x10000) : up_to(64) | (up_to(2) ? 0x2000 : 0));
    frame[23] = protocols[up_to(sizeof(protocols))];
    frame[34] = (uint8_t)up_to(20); /* an ICMP type that means something */
    return 34 + payload;
}

static size_t make_ip6(uint8_t *frame, size_t bytes)
{
    static const uint8_t nexts[] = {0, 6, 17, 43, 44, 58, 60, 59};
    static const uint8_t types[] = {1, 2, 3, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137};
    size_t payload = 8 + up_to(1300), at = 54;
    uint8_t *next = frame + 20;

    for (size_t i = 54; i < 54 + payload; i++)
        frame[i] = (uint8_t)up_to(up_to(3) ? 256 : 8);
    put16(frame + 18, (uint32_t)payload);
    frame[21] = 255;
    for (int headers = (int)up_to(4); headers >= 0 && at + 48 < 54 + payload; headers--) {
        *next = nexts[up_to(sizeof(nexts))];
        next = frame + at;
        if (*next == 58)
            break;
        frame[at + 1] = (uint8_t)up_to(4);
        at += up_to(2) ? 8 : 8 + frame[at + 1] * 8U;
    }
    if (frame[20] == 58) {
        frame[54] = types[up_to(sizeof(types))];
        frame[55] = 0;
        if (payload >= 24 && up_to(2))
            memcpy(frame + 62, frame + 38, 16); /* our own address as the target */
        if (payload >= 26)
            frame[79] = (uint8_t)up_to(4); /* the length of the first option */
    }
    if (frame[20] == 44) {
        put16(frame + 56, up_to(2) ? up_to(0x10000) : up_to(64) * 8 | up_to(2));
        put16(frame + 58, 0);
        put16(frame + 60, up_to(4));
    }
    return 54 + payload;
}

static size_t change(uint8_t *frame, size_t bytes)
{
    size_t header = sim_tcp_header(frame, bytes);

    switch (up_to(8)) {
    case 0: /* shorter than it says */
        return 14 + up_to((uint32_t)bytes - 13);
    case 1: /* TCP flags */
        if (header)
            frame[header + 13] = (uint8_t)sim_random(&sim);
        break;
    case 2: /* sequence numbers nearby */
        if (header) {
            frame[header + 6] ^= (uint8_t)up_to(4);
            frame[header + 7] ^= (uint8_t)up_to(256);
        }
        break;
    case 3: /* acknowledgements nearby */
        if (header) {
            frame[header + 10] ^= (uint8_t)up_to(4);
            frame[header + 11] ^= (uint8_t)up_to(256);
        }
        break;
    case 4: /* options */
        if (header && bytes >= header + 32) {
            frame[header + 12] = (uint8_t)(0x50 + up_to(11) * 16);
            for (size_t i = header + 20; i < header + 32; i++)
                frame[i] = (uint8_t)up_to(12);
        }
        break;
    case 5: /* window */
        if (header)
            put16(frame + header + 14, up_to(3));
        break;
    default: /* any bytes */
        for (uint32_t i = up_to(6); i; i--)
            frame[14 + up_to((uint32_t)bytes - 14)] = (uint8_t)sim_random(&sim);
    }
    return bytes;
}

static void inject(int which)
{
    struct sim_end *end = &sim.end[which];
    struct kept *from = &kept[which];
    unsigned have = from->count < KEPT ? from->count : KEPT;
    static uint8_t frame[FRAME_MAX + 2000];
    unsigned long outside;
    struct pbuf *packet;
    size_t bytes;
    unsigned slot;

    if (!have)
        return;
    slot = up_to(have);
    bytes = from->frames[slot].bytes;
    memcpy(frame, from->frames[slot].data, bytes);
    if (up_to(3) == 0)
        bytes = frame[12] == 0x86 ? make_ip6(frame, bytes) : frame[12] == 0x08 && !frame[13]
                                                              ? make_ip4(frame, bytes)
                                                              : bytes;
    else
        bytes = change(frame, bytes);
    outside = instance_enter(end->instance);
    /* in one piece or in two */
    if (bytes > 80 && up_to(4) == 0) {
        size_t first = 54 + up_to((uint32_t)bytes - 60);
        struct pbuf *rest = pbuf_alloc(PBUF_RAW, (u16_t)(bytes - first), PBUF_RAM);

        packet = pbuf_alloc(PBUF_RAW, (u16_t)first, PBUF_RAM);
        pbuf_cat(packet, rest);
    } else {
        packet = pbuf_alloc(PBUF_RAW, (u16_t)bytes, PBUF_RAM);
    }
    pbuf_take(packet, frame, (u16_t)bytes);
    instance_clock(end->instance, sim.now_us);
    if (end->netif.input(packet, &end->netif) != ERR_OK)
        pbuf_free(packet);
    end->timer_us = sim.now_us;
    instance_leave(outside);
}

static void fuzz(uint64_t seed, bool ipv6)
{
    struct sim_plan plan = {
        .up_bytes = UINT64_MAX / 2,
        .down_bytes = UINT64_MAX / 2,
        .client_close = SIM_CLOSE_NEVER,
        .server_close = SIM_CLOSE_NEVER,
        .write_bytes = 700,
        .send_limit = 20000,
        .receive_limit = 20000,
        .unchecked = true,
    };
    struct sim_flow *flow = NULL;

    memset(&sim, 0, sizeof(sim));
    memset(kept, 0, sizeof(kept));
    sim.ipv6 = ipv6;
    sim_both(&sim, delay_us, 200);
    sim_both(&sim, rate_bps, 20000000);
    sim_both(&sim, queue_bytes, 30000);
    sim_open(&sim, seed);
    for (int i = 0; i < SIM_ENDS; i++) {
        unsigned long outside = instance_enter(sim.end[i].instance);

        NETIF_SET_CHECKSUM_CTRL(&sim.end[i].netif, 0xff & ~NETIF_CHECKSUM_CHECK_IP &
                                                       ~NETIF_CHECKSUM_CHECK_UDP &
                                                       ~NETIF_CHECKSUM_CHECK_TCP &
                                                       ~NETIF_CHECKSUM_CHECK_ICMP &
                                                       ~NETIF_CHECKSUM_CHECK_ICMP6);
        sim.link[i].filter = keep;
        sim.link[i].filter_context = &kept[i];
        instance_leave(outside);
    }
    for (int round = 0; round < ROUNDS; round++) {
        if (!flow || flow->app[SIM_CLIENT].gone || flow->app[SIM_SERVER].gone) {
            flow = sim_connect(&sim, &plan);
            sim_run(&sim, 3 * SIM_MS);
        }
        inject((int)up_to(2));
        if (up_to(4) == 0)
            sim_run(&sim, up_to(400));
        if (up_to(2000) == 0)
            sim_run(&sim, up_to(70) * SIM_SECOND);
    }
    sim_close(&sim);
}

START_TEST(over_ipv4)
{
    fuzz((uint64_t)_i + 1, false);
}
END_TEST

START_TEST(over_ipv6)
{
    fuzz((uint64_t)_i + 1, true);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("tcp_fuzz");
    TCase *tcase = tcase_create("fuzz");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, over_ipv4, 0, 4);
    tcase_add_loop_test(tcase, over_ipv6, 0, 4);
    suite_add_tcase(suite, tcase);
    return suite;
}
