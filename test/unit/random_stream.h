/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the randomised tests: a generator for decisions, and streams of which each byte is known from
 * its position, so that any thread can check any piece of one without having seen what came before.
 */
#ifndef TEST_UNIT_RANDOM_STREAM_H
#define TEST_UNIT_RANDOM_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* splitmix64's finisher: every bit of the result depends on every bit of the argument. */
static inline uint64_t mix64(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

struct dice {
    uint64_t state;
};

static inline uint64_t dice_next(struct dice *d)
{
    return mix64(d->state += 0x9e3779b97f4a7c15ull);
}

/* 0 .. below-1 */
static inline uint32_t dice_roll(struct dice *d, uint32_t below)
{
    return (uint32_t)(dice_next(d) >> 33) % below;
}

/* 0 .. most, small numbers as likely as large ones: lengths. */
static inline uint32_t dice_length(struct dice *d, uint32_t most)
{
    uint32_t bits = 1 + dice_roll(d, 31 - (uint32_t)__builtin_clz(most | 1) + 1);
    uint32_t length = dice_roll(d, (1u << bits));

    return length > most ? most : length;
}

static inline uint8_t stream_byte(uint64_t seed, uint64_t position)
{
    return (uint8_t)(mix64(seed ^ (position >> 3)) >> (position % 8 * 8));
}

/* Whole words at once where they lie aligned in the stream: gigabytes are made this way. */
static inline void stream_fill(uint64_t seed, uint64_t position, uint8_t *to, size_t bytes)
{
    size_t i = 0;

    while (i < bytes) {
        if ((position + i) % 8 == 0 && bytes - i >= 8) {
            uint64_t word = mix64(seed ^ ((position + i) >> 3));

            memcpy(to + i, &word, 8);
            i += 8;
        } else {
            to[i] = stream_byte(seed, position + i);
            i++;
        }
    }
}

/* Index of the first wrong byte, or `bytes`. */
static inline size_t stream_check(uint64_t seed, uint64_t position, const uint8_t *from, size_t bytes)
{
    size_t i = 0;

    while (i < bytes) {
        if ((position + i) % 8 == 0 && bytes - i >= 8) {
            uint64_t word = mix64(seed ^ ((position + i) >> 3));

            if (memcmp(from + i, &word, 8) == 0) {
                i += 8;
                continue;
            }
        }
        if (from[i] != stream_byte(seed, position + i))
            return i;
        i++;
    }
    return bytes;
}

#endif
