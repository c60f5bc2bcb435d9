/* SPDX-License-Identifier: Apache-2.0 */
#include "port/hooks.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "port/burst.h"
#include "port/capture_ring.h"
#include "port/faults.h"

static struct port_hooks *hooks_of(struct port_queue *queue)
{
    if (queue->hooks == NULL) {
        queue->hooks = calloc(1, sizeof(*queue->hooks));
        if (queue->hooks == NULL)
            return NULL;
        /* Packets that faults hold back leave with a flush, also when nothing else is to be sent. */
        queue->hooks->flush_always = queue->flush_always;
        queue->flush_always = true;
    }
    return queue->hooks;
}

static void hooks_trim(struct port_queue *queue)
{
    struct port_hooks *hooks = queue->hooks;

    if (hooks == NULL || hooks->faults != NULL)
        return;
    for (int i = 0; i < PORT_TAPS_MAX; i++)
        if (hooks->tap[i] != NULL)
            return;
    queue->flush_always = hooks->flush_always;
    queue->hooks = NULL;
    free(hooks);
}

int port_tap_add(struct port_queue *queue, struct capture_ring *ring)
{
    struct port_hooks *hooks = hooks_of(queue);

    if (hooks == NULL)
        return -ENOMEM;
    for (int i = 0; i < PORT_TAPS_MAX; i++) {
        if (hooks->tap[i] == NULL) {
            hooks->tap[i] = ring;
            return 0;
        }
    }
    return -EBUSY;
}

void port_tap_remove(struct port_queue *queue, struct capture_ring *ring)
{
    for (int i = 0; queue->hooks != NULL && i < PORT_TAPS_MAX; i++)
        if (queue->hooks->tap[i] == ring)
            queue->hooks->tap[i] = NULL;
    hooks_trim(queue);
}

struct faults *port_faults_set(struct port_queue *queue, unsigned number, struct faults *faults)
{
    struct port_hooks *hooks = faults != NULL ? hooks_of(queue) : queue->hooks;
    struct faults *old;

    if (hooks == NULL)
        return faults; /* no memory for it, or nothing to end */
    old = faults_replace(&hooks->faults, number, faults);
    hooks_trim(queue);
    return old;
}

uint64_t port_faults_numbers(const struct port_queue *queue)
{
    return queue->hooks != NULL ? faults_numbers(queue->hooks->faults) : 0;
}

void port_flight_set(struct port_queue *queue, struct flight_ring *ring)
{
    queue->flight = ring;
}

static void tap_all(const struct port_hooks *hooks, struct rte_mbuf *const *packets, uint16_t count,
                    enum capture_direction direction)
{
    uint64_t now_ns = 0;

    for (int i = 0; i < PORT_TAPS_MAX; i++) {
        if (hooks->tap[i] == NULL)
            continue;
        if (now_ns == 0)
            now_ns = capture_time_ns();
        for (uint16_t p = 0; p < count; p++)
            capture_packet(hooks->tap[i], packets[p], direction, now_ns);
    }
}

uint16_t port_hooks_rx(struct port_queue *queue, struct rte_mbuf **packets, uint16_t got, uint16_t room)
{
    struct port_hooks *hooks = queue->hooks;

    hooks->kept = got > 0;
    if (hooks->faults != NULL)
        got = faults_rx(hooks->faults, queue, packets, got, room);
    if (got > 0)
        tap_all(hooks, packets, got, CAPTURE_IN);
    return got;
}

void port_hooks_tx(struct port_queue *queue, struct rte_mbuf *packet)
{
    struct port_hooks *hooks = queue->hooks;

    tap_all(hooks, &packet, 1, CAPTURE_OUT);
    if (hooks->faults != NULL)
        faults_tx(hooks->faults, queue, packet);
    else
        port_tx_now(queue, packet);
}

void port_hooks_flush(struct port_queue *queue)
{
    if (queue->hooks->faults != NULL)
        faults_flush(queue->hooks->faults, queue);
}

uint64_t port_hooks_due_us(const struct port_queue *queue)
{
    const struct faults *faults = queue->hooks != NULL ? queue->hooks->faults : NULL;

    return faults != NULL ? faults_due_us(faults, queue) : UINT64_MAX;
}
