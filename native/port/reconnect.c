/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's server comes back (VDEV_CONNECTS_ONCE). The driver connects when it is started, and never
 * again: we let it, as soon as somebody listens at the path.
 *
 * The driver has no lock for its connection: it takes a lost one down on DPDK's interrupt thread, and so
 * the next one begins there too, by an alarm. Not where the driver tells that it has let go of the last
 * one, inside of DPDK's lock of all interrupts: the stack sets it, which looks at its link anyhow.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_alarm.h>
#include <rte_common.h>
#include <rte_ethdev.h>

#include "base/clock.h"
#include "platform/plugins/driver_calls.h"
#include "port/device.h"

#define TRY_AGAIN_US 100000
#define HANDSHAKE_MAX_S 5u
#define HANDSHAKE_LOOK_US 1000

static struct device *clients[CONFIG_PORTS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread struct device *connecting; /* whose driver this thread lets connect */

static void connected(int fd)
{
    if (connecting != NULL)
        __atomic_store_n(&connecting->control_fd, fd, __ATOMIC_RELEASE);
}

/* The driver is done with a descriptor: if it was a client's connection, that is over. */
static void closing(int fd)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        int mine = fd;

        if (clients[i] != NULL)
            __atomic_compare_exchange_n(&clients[i]->control_fd, &mine, -1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    }
    pthread_mutex_unlock(&lock);
}

static void try_again(void *argument)
{
    struct device *device = argument;

    connecting = device;
    if (vdev_path_wait(device->path, 0))
        driver_calls_memif_connect(device->dpdk_name); /* if it fails, the link stays down */
    connecting = NULL;
    __atomic_store_n(&device->is_trying, false, __ATOMIC_RELEASE);
}

void reconnect_look(struct device *device)
{
    if (!(device->vdev->traits & VDEV_CONNECTS_ONCE) || __atomic_load_n(&device->control_fd, __ATOMIC_ACQUIRE) >= 0 ||
        __atomic_exchange_n(&device->is_trying, true, __ATOMIC_ACQ_REL))
        return;
    /* The connection may have come meanwhile, from a stack that looked before. */
    if (__atomic_load_n(&device->control_fd, __ATOMIC_ACQUIRE) >= 0 ||
        rte_eal_alarm_set(TRY_AGAIN_US, try_again, device) != 0)
        __atomic_store_n(&device->is_trying, false, __ATOMIC_RELEASE);
}

/*
 * The two sides still talk when the start of a client returns: a program's first connect() would find no
 * route. A server that listens and does not answer (it is stopped, or has another client) ends the wait,
 * not the start: its link is down, as it can be at any later time.
 */
static void handshake_await(const struct device *device, uint32_t wait_s)
{
    uint64_t end_us = clock_now_us() + RTE_MIN(wait_s, HANDSHAKE_MAX_S) * UINT64_C(1000000);
    struct rte_eth_link link = {0};

    while (rte_eth_link_get_nowait(device->port.id, &link) == 0 && link.link_status != RTE_ETH_LINK_UP &&
           clock_now_us() < end_us)
        usleep(HANDSHAKE_LOOK_US);
}

int reconnect_start(struct device *device, const struct port_config *config)
{
    int status;

    if (!device->is_client || !(device->vdev->traits & VDEV_CONNECTS_ONCE))
        return rte_eth_dev_start(device->port.id);
    snprintf(device->path, sizeof(device->path), "%s", config->path);
    device->control_fd = -1;
    pthread_mutex_lock(&lock);
    driver_calls_connected = connected;
    driver_calls_closing = closing;
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        if (clients[i] == NULL) {
            clients[i] = device;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    connecting = device;
    status = rte_eth_dev_start(device->port.id);
    connecting = NULL;
    if (status == 0)
        handshake_await(device, config->wait_s);
    return status;
}

/* No stack looks any more. */
void reconnect_leave(struct device *device)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
        if (clients[i] == device)
            clients[i] = NULL;
    pthread_mutex_unlock(&lock);
    if (device->is_client)
        rte_eal_alarm_cancel(try_again, device); /* waits for one that runs */
}
