/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire: two ports of one process, joined by rings. Two port lines with device wire and the same
 * id are its ends. Queue n of one end is joined with queue n of the other. While only one end is
 * open, its link is down and what it sends is lost.
 */
#include <errno.h>
#include <stdio.h>

#include <rte_eth_ring.h>
#include <rte_ring.h>

#include "platform/arena.h"
#include "port/device.h"

#define WIRES_MAX 16
#define WIRE_QUEUES_MAX 16

struct wire {
    bool used;
    uint32_t id;
    unsigned queues;
    struct device *end[2];
    struct rte_ring *ring[2][WIRE_QUEUES_MAX]; /* [end that reads][queue] */
};

static struct wire wires[WIRES_MAX]; /* ports are opened and closed by one thread */

static void wire_free(struct wire *wire)
{
    struct rte_mbuf *packet;

    for (unsigned end = 0; end < 2; end++) {
        for (unsigned queue = 0; queue < wire->queues; queue++) {
            struct rte_ring *ring = wire->ring[end][queue];

            while (ring != NULL && rte_ring_dequeue(ring, (void **)&packet) == 0)
                rte_pktmbuf_free(packet);
            rte_ring_free(ring);
            wire->ring[end][queue] = NULL;
        }
    }
    wire->used = false;
}

static struct wire *wire_create(uint32_t id, unsigned queues, uint32_t slots)
{
    struct wire *wire = NULL;
    char name[RTE_RING_NAMESIZE];

    for (unsigned i = 0; i < WIRES_MAX && wire == NULL; i++)
        if (!wires[i].used)
            wire = &wires[i];
    if (wire == NULL)
        return NULL;
    *wire = (struct wire){.used = true, .id = id, .queues = queues};
    for (unsigned end = 0; end < 2; end++) {
        for (unsigned queue = 0; queue < queues; queue++) {
            snprintf(name, sizeof(name), "wire%u_%u_%u", id, end, queue);
            wire->ring[end][queue] = rte_ring_create(name, slots, SOCKET_ID_ANY,
                                                     RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
            if (wire->ring[end][queue] == NULL) {
                wire_free(wire);
                return NULL;
            }
        }
    }
    return wire;
}

int wire_open(struct device *device, const struct port_config *config, unsigned queues, char *err,
              size_t err_size)
{
    struct wire *wire = NULL;
    unsigned end;
    int id;

    for (unsigned i = 0; i < WIRES_MAX; i++)
        if (wires[i].used && wires[i].id == config->id)
            wire = &wires[i];
    if (wire == NULL)
        wire = wire_create(config->id, queues, config->rx_slots);
    if (wire == NULL)
        return device_problem(device, -ENOMEM, err, err_size,
                              "no memory for its rings. Raise memory.limit_mib");
    if (wire->end[0] != NULL && wire->end[1] != NULL)
        return device_problem(device, -EBUSY, err, err_size,
                              "a wire has two ends, both are taken. Give the next pair another id=");
    if (wire->queues != queues)
        return device_problem(device, -EINVAL, err, err_size,
                              "it has %u queues, its other end has %u. Set queues= alike", queues,
                              wire->queues);
    end = wire->end[0] == NULL ? 0 : 1;
    snprintf(device->dpdk_name, sizeof(device->dpdk_name), "wire%u_%u", config->id, end);
    id = rte_eth_from_rings(device->dpdk_name, wire->ring[end], queues, wire->ring[1 - end], queues,
                            rte_socket_id() == (unsigned)SOCKET_ID_ANY ? 0 : rte_socket_id());
    if (id < 0) {
        if (wire->end[1 - end] == NULL)
            wire_free(wire);
        return device_problem(device, -ENOMEM, err, err_size, "DPDK makes no ring device");
    }
    wire->end[end] = device;
    device->wire = wire;
    device->wire_end = end;
    device->port.id = (uint16_t)id;
    return 0;
}

/* After the device is closed. The rings live until the other end is closed too. */
void wire_close(struct device *device)
{
    struct wire *wire = device->wire;
    struct device *peer;

    if (wire == NULL)
        return;
    peer = wire->end[1 - device->wire_end];
    wire->end[device->wire_end] = NULL;
    device->wire = NULL;
    if (peer == NULL) {
        wire_free(wire);
        return;
    }
    for (unsigned queue = 0; queue < peer->port.queues; queue++)
        __atomic_store_n(&peer->queue[queue].peer_doorbell, NULL, __ATOMIC_RELAXED);
}

bool wire_is_up(const struct device *device)
{
    const struct device *peer = device->wire->end[1 - device->wire_end];

    return peer != NULL && peer->started;
}

/* The peer may have given its doorbell before this end was there. */
void wire_join(struct device *device)
{
    struct device *peer = device->wire->end[1 - device->wire_end];

    for (unsigned queue = 0; peer != NULL && queue < device->port.queues; queue++)
        __atomic_store_n(&device->queue[queue].peer_doorbell, peer->queue[queue].doorbell, __ATOMIC_RELEASE);
}

void wire_set_doorbell(struct device *device, unsigned queue, struct doorbell *bell)
{
    struct wire *wire = device->wire;
    struct device *peer = wire->end[1 - device->wire_end];

    device->queue[queue].doorbell = bell;
    if (peer != NULL)
        __atomic_store_n(&peer->queue[queue].peer_doorbell, bell, __ATOMIC_RELEASE);
}
