/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bad network on purpose, for rehearsals: delay, loss, duplication, reordering, corruption, a
 * limited rate; on one queue, either way, from a seed, so that a rehearsal can be repeated.
 *
 * A queue may have several sets of them, each for packets of its own: a list in the order of their
 * numbers. A packet is treated by the first set that it concerns, and by no other.
 * Runs in the context of the stack that owns the queue; the counts may be read by any thread.
 */
#ifndef PORT_FAULTS_H
#define PORT_FAULTS_H

#include <stdint.h>

#include "port/capture_ring.h"

struct port_queue;
struct rte_mbuf;

#define FAULTS_HELD_MAX 1024
#define FAULTS_SETS_MAX 8

/* What a set has done, on the queues of one stack, which is the one writer. */
struct faults_counts {
    uint64_t packets; /* that it concerned */
    uint64_t lost;
    uint64_t overrun; /* lost, too: the line's queue was full, or as many waited as can */
    uint64_t duplicated, reordered, corrupted;
    uint64_t held; /* that wait now */
};

struct faults_settings {
    unsigned number;     /* 1 and on: its place among the others */
    uint32_t directions; /* enum capture_direction, or both */
    uint32_t delay_us, jitter_us;
    uint32_t loss_ppm, duplicate_ppm, reorder_ppm, corrupt_ppm; /* of a million */
    uint64_t rate_bits;                                         /* per second; 0: unlimited */
    uint64_t seed;
    capture_filter *filter; /* NULL: all packets */
    const void *program;
    struct faults_counts *counts; /* lives longer than the faults; NULL: nobody asks */
};

struct faults;

struct faults *faults_create(const struct faults_settings *settings);
/* Sends what is held back to the device, frees what was on its way to the stack. */
void faults_destroy(struct faults *faults, struct port_queue *queue);

/* Takes the set of that number out of the list, for the caller (NULL: none), and puts `with` there if not NULL. */
struct faults *faults_replace(struct faults **first, unsigned number, struct faults *with);
/* The numbers of all sets, as bits: 1 is number 1, 2 number 2, 4 number 3. */
uint64_t faults_numbers(const struct faults *first);

/* From here on all sets of a queue, by the first one. */
uint16_t faults_rx(struct faults *first, struct port_queue *queue, struct rte_mbuf **packets, uint16_t got,
                   uint16_t room);
void faults_tx(struct faults *first, struct port_queue *queue, struct rte_mbuf *packet);
void faults_flush(struct faults *first, struct port_queue *queue);
/* When it has something for the stack, or for the device (which has room); UINT64_MAX: nothing is held. */
uint64_t faults_due_us(const struct faults *first, const struct port_queue *queue);

#endif
