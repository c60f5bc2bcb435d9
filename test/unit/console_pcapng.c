/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of a capture file, byte by byte where the format says so. That tshark reads them: test/programs. */
#include "console/pcapng.h"

#include <string.h>

#include "main.h"

static struct output out;

static uint32_t word(size_t at)
{
    uint32_t value;

    memcpy(&value, out.bytes + out.start + at, sizeof(value));
    return value;
}

/* The one block in the output: both lengths agree with what is there. */
static void check_block(uint32_t type)
{
    size_t length = output_waiting(&out);

    ck_assert_uint_eq(length % 4, 0);
    ck_assert_uint_eq(word(0), type);
    ck_assert_uint_eq(word(4), length);
    ck_assert_uint_eq(word(length - 4), length);
}

static void next(void)
{
    output_free(&out);
}

START_TEST(each_block_is_whole)
{
    ck_assert(pcapng_section(&out, "test"));
    check_block(0x0a0d0d0a);
    ck_assert_uint_eq(word(8), 0x1a2b3c4d);
    next();
    /* Names of each length modulo four. */
    for (size_t i = 0; i < 9; i++) {
        char name[16] = "abcdefghijkl";

        name[i] = '\0';
        ck_assert(pcapng_interface(&out, name, "", 128, name));
        check_block(1);
        ck_assert_uint_eq(word(8), 1);
        ck_assert_uint_eq(word(12), 128);
        next();
    }
    ck_assert(pcapng_statistics(&out, 3, 5, 7, 9));
    check_block(5);
    next();
    ck_assert(pcapng_journal(&out, "MESSAGE=five\n"));
    check_block(9);
    ck_assert_mem_eq(out.bytes + 8, "MESSAGE=five\n\0\0\0", 16);
    next();
}
END_TEST

START_TEST(packets_of_all_lengths)
{
    uint8_t bytes[70];

    memset(bytes, 0xab, sizeof(bytes));
    for (uint32_t length = 0; length <= sizeof(bytes); length++) {
        ck_assert(pcapng_packet(&out, 2, UINT64_C(0x123456789abcdef0), 1, 1500, bytes, length));
        check_block(6);
        ck_assert_uint_eq(word(8), 2);
        ck_assert_uint_eq(word(12), 0x12345678);
        ck_assert_uint_eq(word(16), 0x9abcdef0);
        ck_assert_uint_eq(word(20), length);
        ck_assert_uint_eq(word(24), 1500);
        ck_assert_mem_eq(out.bytes + 28, bytes, length);
        for (uint32_t i = length; i % 4 != 0; i++)
            ck_assert_int_eq(out.bytes[28 + i], 0); /* padding shows nobody's memory */
        next();
    }
}
END_TEST

START_TEST(long_texts_are_cut)
{
    char text[5000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    ck_assert(pcapng_interface(&out, text, text, 128, text));
    check_block(1);
    ck_assert_uint_lt(output_waiting(&out), 2048 + 64 + 128 + 100);
    next();
    ck_assert(pcapng_section(&out, text));
    check_block(0x0a0d0d0a);
    next();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pcapng");
    TCase *c = tcase_create("blocks");

    tcase_add_test(c, each_block_is_whole);
    tcase_add_test(c, packets_of_all_lengths);
    tcase_add_test(c, long_texts_are_cut);
    suite_add_tcase(s, c);
    return s;
}
