/* SPDX-License-Identifier: Apache-2.0 */
/* What chance decides: the numbers that the generator's calls get. */
#ifndef TEST_CONFORMANCE_ORACLE_DRAW_H
#define TEST_CONFORMANCE_ORACLE_DRAW_H

#include <stdbool.h>
#include <stdint.h>

void draw_begin(uint64_t seed);
uint32_t below(uint32_t n);
bool chance(uint32_t percent);

int some_size(bool datagram);
int some_pieces(void); /* 0: no vector */
int send_flags(bool datagram);
int recv_flags(void);
uint32_t epoll_bits(void);

#endif
