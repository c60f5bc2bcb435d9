/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRONGHORN_LWIP_CHECKSUM_H
#define PRONGHORN_LWIP_CHECKSUM_H

#include <stdint.h>

/* The Internet checksum's sum (RFC 1071), folded, not inverted, in memory order. */
uint16_t checksum_sum(const void *data, int bytes);

#endif
