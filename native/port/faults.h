/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bad network on purpose, for rehearsals: delay, loss, duplication, reordering, corruption, a
 * limited rate; on one queue, either way, from a seed, so that a rehearsal can be repeated.
 * Runs in the context of the stack that owns the queue.
 */
#ifndef PORT_FAULTS_H
#define PORT_FAULTS_H

#include <stdint.h>

#include "port/capture_ring.h"

struct port_queue;
struct rte_mbuf;

#define FAULTS_HELD_MAX 1024

struct faults_settings {
    uint32_t directions; /* enum capture_direction, or both */
    uint32_t delay_us, jitter_us;
    uint32_t loss_ppm, duplicate_ppm, reorder_ppm, corrupt_ppm; /* of a million */
    uint64_t rate_bits;                                         /* per second; 0: unlimited */
    uint64_t seed;
    capture_filter *filter; /* NULL: all packets */
    const void *program;
};

struct faults;

struct faults *faults_create(const struct faults_settings *settings);
/* Sends what is held back to the device, frees what was on its way to the stack. */
void faults_destroy(struct faults *faults, struct port_queue *queue);

uint16_t faults_rx(struct faults *faults, struct port_queue *queue, struct rte_mbuf **packets, uint16_t got,
                   uint16_t room);
void faults_tx(struct faults *faults, struct port_queue *queue, struct rte_mbuf *packet);
void faults_flush(struct faults *faults, struct port_queue *queue);
/* When it has something for the stack, or for the device (which has room); UINT64_MAX: nothing is held. */
uint64_t faults_due_us(const struct faults *faults, const struct port_queue *queue);

#endif
