/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Internet checksum's sum (RFC 1071), not inverted, in memory order. 64-bit words into two 128-bit
 * accumulators: the ones' complement sum does not mind the word size, and the carries collect in the
 * upper halves, so that the two chains run side by side at about 8 bytes a cycle.
 */
#include <stdint.h>
#include <string.h>

uint16_t checksum_sum(const void *data, int bytes);

static inline uint64_t word_at(const uint8_t *data)
{
    uint64_t word;

    memcpy(&word, data, sizeof(word));
    return word;
}

uint16_t checksum_sum(const void *data, int bytes)
{
    const uint8_t *at = data;
    unsigned __int128 even = 0, odd = 0, whole;
    uint64_t sum, last = 0;

    for (; bytes >= 32; bytes -= 32, at += 32) {
        even += word_at(at);
        odd += word_at(at + 8);
        even += word_at(at + 16);
        odd += word_at(at + 24);
    }
    for (; bytes >= 8; bytes -= 8, at += 8)
        even += word_at(at);
    /* little and big endian: the missing bytes are zeros behind the data */
    memcpy(&last, at, (size_t)bytes);
    odd += last;
    whole = even + odd;
    /* fold 128 to 16 bits, end-around carry each time */
    whole = (uint64_t)whole + (whole >> 64);
    sum = (uint64_t)whole + (uint64_t)(whole >> 64);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}
