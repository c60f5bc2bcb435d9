/* SPDX-License-Identifier: Apache-2.0 */
/* See siphash.h; and the pseudo-random numbers that lwIP asks for (LWIP_RAND). */
#include "lwip/siphash.h"

#include <string.h>

#include "lwip/instance_var.h"

struct siphash {
    uint64_t key[2];
    uint64_t drawn;
};

static INSTANCE_VAR struct siphash template_siphash;

static inline uint64_t rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static inline void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

uint64_t siphash(const uint64_t *words, size_t count)
{
    const uint64_t *key = INSTANCE(siphash).key;
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL,
                     key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL};

    for (size_t i = 0; i < count; i++)
        sip_word(v, words[i]);
    sip_word(v, (uint64_t)(count * 8) << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void siphash_start(const uint8_t secret[16])
{
    memcpy(INSTANCE(siphash).key, secret, sizeof(INSTANCE(siphash).key));
}

uint32_t random_u32(void)
{
    /* a counter under a keyed hash: unpredictable, and repeatable for a test's fixed secret */
    uint64_t word = ++INSTANCE(siphash).drawn;

    return (uint32_t)siphash(&word, 1);
}
