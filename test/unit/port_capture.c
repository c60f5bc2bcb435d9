/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring between a stack and who writes a capture out: what goes in comes out, in order, whole, or is
 * counted as missed; as a recorder the newest stay. Packets are made by hand: no device, no pool.
 */
#include "port/capture_ring.h"

#include <string.h>

#include <rte_mbuf.h>

#include "main.h"

#define RING_BYTES 4096u

static uint8_t bytes[2048];
static struct rte_mbuf packet;

/* A packet whose bytes say which one it is. */
static const struct rte_mbuf *packet_of(uint32_t number, uint16_t length)
{
    memset(bytes, (int)(number & 0xff), sizeof(bytes));
    memcpy(bytes, &number, sizeof(number));
    memset(&packet, 0, sizeof(packet));
    packet.buf_addr = bytes;
    packet.nb_segs = 1;
    packet.data_len = length;
    packet.pkt_len = length;
    return &packet;
}

static struct capture_ring *ring_of(bool overwrite, uint32_t snap_bytes)
{
    struct capture_settings settings = { .ring_bytes = RING_BYTES, .snap_bytes = snap_bytes,
                                         .directions = CAPTURE_IN | CAPTURE_OUT, .overwrite = overwrite };
    struct capture_ring *ring = capture_ring_create(&settings);

    ck_assert_ptr_nonnull(ring);
    return ring;
}

static uint32_t take(struct capture_ring *ring, uint32_t length)
{
    const struct capture_record *record = capture_ring_peek(ring);
    uint32_t number;

    ck_assert_ptr_nonnull(record);
    ck_assert_uint_eq(record->length, length);
    ck_assert_uint_eq(record->captured, length < ring->snap_bytes ? length : ring->snap_bytes);
    memcpy(&number, record + 1, sizeof(number));
    for (uint32_t i = sizeof(number); i < record->captured; i++)
        ck_assert_uint_eq(((const uint8_t *)(record + 1))[i], number & 0xff);
    ck_assert_uint_eq(record->time_ns, number + 1000);
    capture_ring_next(ring, record);
    return number;
}

/* Lengths that fall differently on the ring's end each time around. */
START_TEST(what_goes_in_comes_out)
{
    struct capture_ring *ring = ring_of(false, 600);

    for (uint32_t n = 0; n < 2000; n++) {
        uint16_t length = (uint16_t)(14 + (n * 37) % 900);

        capture_packet(ring, packet_of(n, length), n % 2 ? CAPTURE_IN : CAPTURE_OUT, n + 1000);
        ck_assert_uint_eq(take(ring, length), n);
        ck_assert_ptr_null(capture_ring_peek(ring));
    }
    ck_assert_uint_eq(ring->seen, 2000);
    ck_assert_uint_eq(ring->missed, 0);
    capture_ring_destroy(ring);
}
END_TEST

START_TEST(a_full_ring_refuses_and_counts)
{
    struct capture_ring *ring = ring_of(false, 65535);
    uint32_t there = 0;

    for (uint32_t n = 0; n < 100; n++)
        capture_packet(ring, packet_of(n, 100), CAPTURE_IN, n + 1000);
    ck_assert_uint_eq(ring->seen, 100);
    ck_assert_uint_gt(ring->missed, 0);
    while (capture_ring_peek(ring) != NULL)
        ck_assert_uint_eq(take(ring, 100), there++); /* the first ones, without a gap */
    ck_assert_uint_eq(there, 100 - ring->missed);
    capture_packet(ring, packet_of(7, 100), CAPTURE_IN, 1007);
    ck_assert_uint_eq(take(ring, 100), 7);
    capture_ring_destroy(ring);
}
END_TEST

START_TEST(a_recorder_keeps_the_newest)
{
    for (uint32_t count = 1; count < 400; count += 7) {
        struct capture_ring *ring = ring_of(true, 300);
        uint32_t first = 0, there = 0;

        for (uint32_t n = 0; n < count; n++)
            capture_packet(ring, packet_of(n, (uint16_t)(60 + n % 50)), CAPTURE_IN, n + 1000);
        for (const struct capture_record *record; (record = capture_ring_peek(ring)) != NULL; there++) {
            uint32_t number;

            memcpy(&number, record + 1, sizeof(number));
            if (there == 0)
                first = number;
            ck_assert_uint_eq(take(ring, 60 + number % 50), first + there);
        }
        ck_assert_uint_eq(first + there, count);
        ck_assert_uint_eq(ring->missed, 0);
        ck_assert(there == count || there > RING_BYTES / 160); /* it is used, not just emptied */
        capture_ring_destroy(ring);
    }
}
END_TEST

static bool only_long(const void *program, const uint8_t *beginning, uint32_t length, uint32_t captured)
{
    return length > 500;
}

START_TEST(direction_filter_and_size)
{
    struct capture_settings settings = { .ring_bytes = RING_BYTES, .snap_bytes = 65535, .directions = CAPTURE_OUT,
                                         .filter = only_long };
    struct capture_ring *ring = capture_ring_create(&settings);

    capture_packet(ring, packet_of(1, 600), CAPTURE_IN, 1001);
    capture_packet(ring, packet_of(2, 400), CAPTURE_OUT, 1002);
    ck_assert_ptr_null(capture_ring_peek(ring));
    ck_assert_uint_eq(ring->seen, 0);
    capture_packet(ring, packet_of(3, 600), CAPTURE_OUT, 1003);
    ck_assert_uint_eq(take(ring, 600), 3);
    /* More than half a ring never fits, empty as it is. */
    capture_packet(ring, packet_of(4, RING_BYTES / 2), CAPTURE_OUT, 1004);
    ck_assert_ptr_null(capture_ring_peek(ring));
    ck_assert_uint_eq(ring->missed, 1);
    capture_ring_destroy(ring);
}
END_TEST

static uint16_t swapped_sum(const uint8_t *at, uint32_t length, uint32_t sum)
{
    for (uint32_t i = 0; i + 1 < length; i += 2)
        sum += (uint32_t)at[i] << 8 | at[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* Of 64 bytes behind an IPv4 header, with the pseudo-header; 0xffff: it holds. */
static uint16_t sum_of(const uint8_t *frame, uint8_t protocol)
{
    return swapped_sum(frame + 34, 64, swapped_sum(frame + 26, 8, protocol + 64));
}

/*
 * A card would fill in the checksum, or it was left out because the packet came over memory: what is
 * captured has it, and the packet itself is left alone.
 */
START_TEST(checksums_that_a_card_will_add)
{
    static const uint8_t header[] = { 8, 0, 0x45, 0, 0, 84, 0, 0, 0, 0, 64 };
    static const struct { uint64_t flags; enum capture_direction direction; uint8_t protocol, at; } kinds[] = {
        { RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM, CAPTURE_OUT, 6, 50 },
        { RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_CKSUM, CAPTURE_OUT, 17, 40 },
        { RTE_MBUF_F_RX_L4_CKSUM_NONE, CAPTURE_IN, 6, 50 },
        { RTE_MBUF_F_RX_L4_CKSUM_NONE, CAPTURE_IN, 17, 40 },
        { RTE_MBUF_F_RX_L4_CKSUM_NONE | RTE_MBUF_F_RX_LRO, CAPTURE_IN, 6, 50 },
    };

    for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        bool was_zero = false;

        for (uint32_t n = 0; n < 70000; n += n < 100 ? 1 : 7) {
            struct capture_ring *ring = ring_of(false, 65535);
            const struct capture_record *record;
            uint8_t frame[98];
            uint16_t pseudo;

            packet_of(0, sizeof(frame));
            for (uint32_t i = 0; i < sizeof(frame); i++)
                bytes[i] = (uint8_t)(i * 31);
            memcpy(bytes + 12, header, sizeof(header));
            bytes[23] = kinds[k].protocol;
            memcpy(bytes + 60, &n, sizeof(n)); /* some come to 0 */
            pseudo = swapped_sum(bytes + 26, 8, kinds[k].protocol + (kinds[k].flags & RTE_MBUF_F_RX_LRO ? 0 : 64));
            bytes[kinds[k].at] = (uint8_t)(pseudo >> 8);
            bytes[kinds[k].at + 1] = (uint8_t)pseudo;
            packet.l2_len = kinds[k].direction == CAPTURE_OUT ? 14 : 0;
            packet.l3_len = kinds[k].direction == CAPTURE_OUT ? 20 : 0;
            packet.ol_flags = kinds[k].flags;
            memcpy(frame, bytes, sizeof(frame));
            capture_packet(ring, &packet, kinds[k].direction, 1);
            record = capture_ring_peek(ring);
            ck_assert_ptr_nonnull(record);
            ck_assert_mem_eq(bytes, frame, sizeof(frame));
            memcpy(frame, record + 1, sizeof(frame));
            ck_assert_uint_eq(sum_of(frame, kinds[k].protocol), 0xffff);
            if (kinds[k].protocol == 17)
                ck_assert(frame[kinds[k].at] != 0 || frame[kinds[k].at + 1] != 0);
            was_zero |= frame[kinds[k].at] == 0xff && frame[kinds[k].at + 1] == 0xff;
            capture_ring_destroy(ring);
        }
        ck_assert(kinds[k].protocol != 17 || was_zero);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("capture");
    TCase *c = tcase_create("ring");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, what_goes_in_comes_out);
    tcase_add_test(c, a_full_ring_refuses_and_counts);
    tcase_add_test(c, a_recorder_keeps_the_newest);
    tcase_add_test(c, direction_filter_and_size);
    tcase_add_test(c, checksums_that_a_card_will_add);
    suite_add_tcase(s, c);
    return s;
}
