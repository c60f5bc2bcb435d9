/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captured packets on their way from a stack to whoever writes them out: a ring of bytes, one
 * writer, one reader, records of one header and the packet's first bytes. When it is full, packets
 * are not captured and counted; or, as a flight recorder, the oldest are forgotten.
 */
#ifndef PORT_CAPTURE_RING_H
#define PORT_CAPTURE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct rte_mbuf;

enum capture_direction { CAPTURE_IN = 1, CAPTURE_OUT = 2 };

struct capture_record {
    uint32_t bytes;     /* of the whole record; a multiple of 8 */
    uint32_t captured;  /* bytes that follow; CAPTURE_SKIP: nothing, go on at the ring's beginning */
    uint32_t length;    /* of the packet on the wire */
    uint32_t direction; /* enum capture_direction */
    uint64_t time_ns;   /* since 1970 */
};
#define CAPTURE_SKIP UINT32_MAX

/* True: the packet is wanted. `bytes` is its beginning. */
typedef bool capture_filter(const void *program, const uint8_t *bytes, uint32_t length, uint32_t captured);

struct capture_ring {
    /* ---- constant ---- */
    uint32_t size; /* a power of two */
    uint32_t snap_bytes;
    uint32_t directions; /* enum capture_direction, or both */
    bool overwrite;      /* a flight recorder: read it only when its writer is stopped */
    capture_filter *filter; /* NULL: all */
    const void *program;
    uint8_t *data;
    /* ---- the stack ---- */
    _Alignas(CACHE_LINE) _Atomic uint64_t head;
    _Atomic uint64_t seen, missed;
    uint64_t oldest; /* overwrite: where the oldest record begins */
    /* ---- the reader ---- */
    _Alignas(CACHE_LINE) _Atomic uint64_t tail;
};

struct capture_settings {
    uint32_t ring_bytes, snap_bytes, directions;
    bool overwrite;
    capture_filter *filter;
    const void *program;
};

struct capture_ring *capture_ring_create(const struct capture_settings *settings);
void capture_ring_destroy(struct capture_ring *ring);

uint64_t capture_time_ns(void);
/* In a copy of the packet: a checksum that was left to a device is not in it; an analyser would call it wrong. */
void capture_complete_checksum(uint8_t *bytes, uint32_t captured, const struct rte_mbuf *packet,
                               enum capture_direction direction);
void capture_packet(struct capture_ring *ring, const struct rte_mbuf *packet, enum capture_direction direction,
                    uint64_t time_ns);

/* The reader: the next record, or NULL; its bytes follow it. It is there until capture_ring_next(). */
const struct capture_record *capture_ring_peek(struct capture_ring *ring);
void capture_ring_next(struct capture_ring *ring, const struct capture_record *record);

#endif
