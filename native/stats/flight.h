/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flight recorder: the last packets (their beginnings) and TCP events of each stack, in shared
 * memory, /dev/shm/pronghorn.<pid>.flight, where they can be read of a process that hangs, and after it
 * was killed:
 *
 *     header | one ring for each stack: its head, then slots of equal size
 *
 * One writer for each ring, the driver of its stack. Record n lies in slot n % slots and is written
 * before `head` becomes n + 1. A reader takes head, copies the slots, takes head again: of its copy
 * the records up to the first head are whole but for those that the second one says were, or are
 * being, written over. Times are those of the turn, by the monotonic clock.
 *
 * The file goes at exit; those of killed processes stay as shared_file.h says.
 *
 * Trace points (trace.h) have a second file of the same form, with smaller slots.
 */
#ifndef STATS_FLIGHT_H
#define STATS_FLIGHT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define FLIGHT_MAGIC "PRNGFLIT"
#define FLIGHT_VERSION 1

/* Little-endian, as all in the file. Never shrinks or changes order within a version. */
struct flight_header {
    char magic[8];
    uint32_t version;
    uint32_t header_bytes;
    uint64_t total_bytes;
    uint32_t pid;
    uint32_t stacks;
    uint64_t start_ticks; /* as in the statistics segment */
    uint64_t start_ms;
    char name[32];
    char product[64];
    uint64_t ring_offset; /* of the first ring */
    uint64_t ring_bytes;  /* from one ring to the next */
    uint32_t ring_head_bytes;
    uint32_t slots;
    uint32_t slot_bytes;
    uint32_t snap_bytes;
    _Atomic uint64_t wall_ns; /* what to add to a record's time to get the time since 1970 */
};

struct flight_ring {
    _Atomic uint64_t head; /* records written, ever */
    uint64_t now_ns;       /* of the turn */
    uint32_t mask, slot_bytes;
    uint8_t *slot;
    bool packets; /* or events only */
};

enum flight_kind { FLIGHT_PACKET = 1, FLIGHT_TCP = 2, FLIGHT_TRACE = 3 };

/* A slot begins with it. */
struct flight_record {
    uint64_t time_ns;
    uint8_t kind;   /* enum flight_kind */
    uint8_t detail; /* of a packet: 1 in, 2 out; of an event enum flight_event; of a note enum trace_point */
    uint16_t port;
    uint32_t length;   /* of the packet on the wire */
    uint32_t captured; /* bytes that follow */
    uint32_t reserved;
};

/* What happens to a connection. The order is the file's: new ones at the end. */
#define FLIGHT_EVENTS(EVENT) \
    EVENT(state, "state") \
    EVENT(tcp_retransmits, "retransmit") \
    EVENT(tcp_rto, "rto") \
    EVENT(tcp_fast_retransmits, "fast-retransmit") \
    EVENT(tcp_resets_in, "reset-in") \
    EVENT(tcp_resets_out, "reset-out") \
    EVENT(tcp_zero_window_in, "zero-window-in") \
    EVENT(tcp_zero_window_out, "zero-window-out") \
    EVENT(tcp_timeouts, "timeout") \
    EVENT(tcp_persist_probes, "persist-probe") \
    EVENT(tcp_keepalive_probes, "keepalive-probe")

enum flight_event {
#define FLIGHT_EVENT_NUMBER(name, text) FLIGHT_EVENT_##name,
    FLIGHT_EVENTS(FLIGHT_EVENT_NUMBER)
#undef FLIGHT_EVENT_NUMBER
    FLIGHT_EVENT_COUNT
};

/* Follows the record of an event. States are lwIP's, which are those of RFC 9293 in its order. */
struct flight_tcp {
    uint8_t family; /* 4 or 6 */
    uint8_t state, state_before;
    uint8_t retransmits; /* of the oldest segment, in a row */
    uint16_t local_port, peer_port;
    uint8_t local_address[16], peer_address[16];
    uint32_t send_next, send_acked, receive_next; /* sequence numbers */
    uint32_t cwnd, ssthresh, send_window, receive_window;
    uint32_t rtt_us, rto_us;
};

/* Slots are whole cache lines; the smallest holds any event. */
#define FLIGHT_SNAP_MIN 104
#define FLIGHT_SLOT_MIN (2 * CACHE_LINE)
_Static_assert(sizeof(struct flight_record) + FLIGHT_SNAP_MIN == FLIGHT_SLOT_MIN, "two cache lines");
/* Its three words are also written as such. */
_Static_assert(offsetof(struct flight_record, kind) == 8 && offsetof(struct flight_record, detail) == 9 &&
               offsetof(struct flight_record, port) == 10 && offsetof(struct flight_record, length) == 12 &&
               offsetof(struct flight_record, captured) == 16, "no holes");
_Static_assert(sizeof(struct flight_tcp) <= FLIGHT_SNAP_MIN, "an event fits");

/* The files: .flight, .trace. */
enum flight_file { FLIGHT_FILE_RECORDER, FLIGHT_FILE_TRACE, FLIGHT_FILES };

struct flight_settings {
    enum flight_file file;
    unsigned stacks;
    uint32_t ring_bytes, snap_bytes;
};

/* Once for each file, after segment_create(). 0, or -errno: there will be none. Sweeps what killed processes left. */
int flight_create(const struct flight_settings *settings);

/* NULL: there are none. Valid until flight_remove(). */
struct flight_ring *flight_ring_of(enum flight_file file, unsigned stack);
const struct flight_header *flight_header_of(enum flight_file file);

static inline struct flight_ring *flight_ring(unsigned stack)
{
    return flight_ring_of(FLIGHT_FILE_RECORDER, stack);
}

static inline const struct flight_header *flight_header(void)
{
    return flight_header_of(FLIGHT_FILE_RECORDER);
}

/* Sets the clock of the wall anew; any thread, now and then. */
void flight_set_wall(void);

/* Both files, after the stacks have stopped. Idempotent. In a forked child: leaves them to the parent. */
void flight_remove(void);

const char *flight_event_name(unsigned event);

/* The slot for the next record; its first 24 bytes are set but for `length` and `captured`. */
static inline struct flight_record *flight_begin(struct flight_ring *ring, enum flight_kind kind, uint8_t detail)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint8_t *slot = ring->slot + (head & ring->mask) * ring->slot_bytes;
    struct flight_record *record = (struct flight_record *)slot;

    *record = (struct flight_record){ .time_ns = ring->now_ns, .kind = kind, .detail = detail };
    return record;
}

static inline void flight_end(struct flight_ring *ring)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed) + 1;
    const uint8_t *next = ring->slot + (head & ring->mask) * ring->slot_bytes;

    atomic_store_explicit(&ring->head, head, memory_order_release);
    __builtin_prefetch(next, 1);
    __builtin_prefetch(next + CACHE_LINE, 1);
}

#endif
