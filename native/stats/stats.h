/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers that a stack keeps of itself and of its sockets; the rows of counters.def. They lie
 * in shared memory (segment.h), where the tools read them while the process runs.
 *
 * Threads: struct stats_stack has one writer, whoever drives the stack at the time; so counting is
 * a load, an add and a store, no locked instruction. A struct stats_socket has one writer too, the
 * driver of the socket's stack. Readers take what they find: each number is whole, several numbers
 * may be of slightly different moments. A socket's row has a sequence counter, because its parts
 * mean nothing apart (whose port number is it?).
 */
#ifndef STATS_STATS_H
#define STATS_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/compiler.h"
#include "stats/histogram.h"

struct stats_stack {
#define COUNTER(name, unit, help) uint64_t name;
#define GAUGE(name, unit, help) uint64_t name;
#define HISTOGRAM(name, unit, help) struct histogram name;
#include "stats/counters.def"
} CACHE_ALIGNED;

#define STATS_SOCKET_u8(name) uint8_t name
#define STATS_SOCKET_u16(name) uint16_t name
#define STATS_SOCKET_u32(name) uint32_t name
#define STATS_SOCKET_u64(name) uint64_t name
#define STATS_SOCKET_i32(name) int32_t name
#define STATS_SOCKET_bytes16(name) uint8_t name[16]

struct stats_socket {
    _Atomic uint32_t sequence; /* odd: being written */
#define SOCKET(name, type, kind, unit, help) STATS_SOCKET_##type(name);
#include "stats/counters.def"
} CACHE_ALIGNED;

/*
 * A socket that is measured by itself. Who it is: its row when it was chosen, and when it ended. The
 * histograms have one writer each: rx_wait_ns whoever reads (one at a time), tx_wait_ns the stack, the
 * others who runs the socket's callbacks.
 */
struct stats_chosen {
    struct stats_socket socket; /* id 0: the set is free */
#define CHOSEN(name, unit, help) struct histogram name;
#include "stats/counters.def"
} CACHE_ALIGNED;

/* Only by the stack's driver. */
#define STAT_ADD(stats, name, n) \
    __atomic_store_n(&(stats)->name, (stats)->name + (uint64_t)(n), __ATOMIC_RELAXED)
#define STAT_INC(stats, name) STAT_ADD(stats, name, 1)
#define STAT_SET(stats, name, value) \
    __atomic_store_n(&(stats)->name, (uint64_t)(value), __ATOMIC_RELAXED)

/*
 * Around each change of a socket's row. The fences keep the row's stores between the two stores of
 * the sequence; a reader that sees an odd number, or two different ones before and after its copy,
 * copies again.
 */
static inline void stats_socket_begin(struct stats_socket *row)
{
    uint32_t sequence = atomic_load_explicit(&row->sequence, memory_order_relaxed);

    INVARIANT((sequence & 1) == 0);
    atomic_store_explicit(&row->sequence, sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

static inline void stats_socket_end(struct stats_socket *row)
{
    uint32_t sequence = atomic_load_explicit(&row->sequence, memory_order_relaxed);

    INVARIANT((sequence & 1) == 1);
    atomic_store_explicit(&row->sequence, sequence + 1, memory_order_release);
}

#endif
