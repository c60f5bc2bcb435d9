/* SPDX-License-Identifier: Apache-2.0 */
/* The pieces of memory that a received packet chain consists of, for those who copy or lend them. */
#ifndef LWIP_PIECES_H
#define LWIP_PIECES_H

#include <stdint.h>

#include "lwip/pbuf.h"

static inline const uint8_t *piece_data(const struct pbuf *piece) { return piece->payload; }
static inline uint32_t piece_bytes(const struct pbuf *piece) { return piece->len; }
static inline struct pbuf *piece_next(const struct pbuf *piece) { return piece->next; }
/* Of the chain that begins with this piece. */
static inline uint32_t pieces_bytes(const struct pbuf *piece) { return piece->tot_len; }

#endif
