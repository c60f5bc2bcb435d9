/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sleeping on a queue. A driver that found nothing to do arms the queue, polls once more, and sleeps
 * on port_queue_fd() together with its doorbell; after waking it disarms.
 */
#ifndef PORT_INTERRUPT_H
#define PORT_INTERRUPT_H

struct doorbell;
struct port_queue;

/*
 * The descriptor that becomes readable when packets wait: watch it for EPOLLIN, level-triggered.
 * -1: the device has none (memif, null): sleep with a short timeout; wire: the doorbell is enough.
 * Owned by the port.
 */
int port_queue_fd(const struct port_queue *queue);

/*
 * The doorbell of the stack that drives this queue, once, before it first sleeps: rung by the other
 * end of a wire. It must outlive the port.
 */
void port_queue_doorbell(struct port_queue *queue, struct doorbell *bell);

/* Whether sleeping needs no timeout: the fd, or the peer's doorbell (wire), announces each packet. */
int port_queue_wakes(const struct port_queue *queue);

/* 0, or -EAGAIN: packets wait already, don't sleep. Poll once more after it in any case. */
int port_queue_arm(struct port_queue *queue);
void port_queue_disarm(struct port_queue *queue);

/*
 * Takes an error off the descriptor: a packet socket keeps ENETDOWN (packet(7)) from when its
 * interface went down, and would end every sleep. To be called now and then, also while all is well.
 */
void port_queue_settle(struct port_queue *queue);

#endif
