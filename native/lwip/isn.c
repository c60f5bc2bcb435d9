/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Initial sequence numbers, RFC 6528: a clock of 4 us steps plus a keyed hash of the addresses and
 * ports. The clock keeps numbers of one address pair from overlapping with the previous connection's,
 * the hash keeps others from guessing them.
 */
#include "lwip/hooks.h"
#include "lwip/instance.h"
#include "lwip/siphash.h"

u32_t isn_next(const ip_addr_t *local, u16_t local_port, const ip_addr_t *peer, u16_t peer_port)
{
    uint64_t words[5];
    struct tuple tuple = {local, peer, local_port, peer_port};

    tuple_words(&tuple, words);
    return (u32_t)siphash(words, 5) + (u32_t)(instance_now_us() >> 2);
}
