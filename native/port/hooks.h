/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What looks at, or tampers with, a queue's packets on an operator's order: captures and faults.
 * A queue without any has hooks == NULL, and its data path pays one predictable branch.
 *
 * Order, as seen from the wire: faults stand next to the wire, captures between them and the stack.
 * So a capture shows what the stack gets, and what it sends before it may get lost.
 *
 * Threads: everything here runs in the context of the stack that owns the queue.
 */
#ifndef PORT_HOOKS_H
#define PORT_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#define PORT_TAPS_MAX 4

struct capture_ring;
struct faults;
struct flight_ring;
struct port_queue;
struct rte_mbuf;

struct port_hooks {
    struct capture_ring *tap[PORT_TAPS_MAX];
    struct faults *faults; /* the first set */
    bool flush_always; /* the queue's own, while ours is in its place */
    bool kept;         /* the device's last burst was not empty, whatever came out of it */
};

/* 0, -ENOMEM, or -EBUSY: as many captures as there can be. */
int port_tap_add(struct port_queue *queue, struct capture_ring *ring);
void port_tap_remove(struct port_queue *queue, struct capture_ring *ring);

/* Replaces the queue's set of that number, which is the caller's again (NULL: there was none); NULL ends it. */
struct faults *port_faults_set(struct port_queue *queue, unsigned number, struct faults *faults);
/* Those that the queue has: faults_numbers(). */
uint64_t port_faults_numbers(const struct port_queue *queue);

/* The flight recorder that gets the queue's packets; NULL: none. */
void port_flight_set(struct port_queue *queue, struct flight_ring *ring);

/* For burst.h. */
uint16_t port_hooks_rx(struct port_queue *queue, struct rte_mbuf **packets, uint16_t got, uint16_t room);
void port_hooks_tx(struct port_queue *queue, struct rte_mbuf *packet);
void port_hooks_flush(struct port_queue *queue);

/* When the next held packet is due (clock_now_us), UINT64_MAX: none is held. */
uint64_t port_hooks_due_us(const struct port_queue *queue);

#endif
