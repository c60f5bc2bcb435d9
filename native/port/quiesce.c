/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Some drivers (VDEV_UNMAPS) take their rings away on DPDK's interrupt thread when the peer goes,
 * while a stack may be in the middle of a burst over them. That thread waits here until every burst
 * that may still use them has ended; the driver lets no new one begin.
 *
 * The stacks pay a plain store at both ends of a burst (burst.h) and no fence: the one who waits makes
 * all threads of the process pass one, by membarrier(2). Then either the burst sees what the driver
 * wrote before, or we see that it has begun.
 */
#include <linux/membarrier.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/plugins/driver_calls.h"
#include "port/device.h"

#define DEVICES_MAX CONFIG_PORTS_MAX
#define LOOK_AGAIN_US 20
/* Where membarrier(2) is forbidden: longer than a store stays in a processor's buffer. */
#define NO_BARRIER_US 1000

static struct device *devices[DEVICES_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void queue_wait(const struct port_queue *queue)
{
    uint32_t bursts = __atomic_load_n(&queue->bursts, __ATOMIC_ACQUIRE);

    while ((bursts & 1) != 0 && __atomic_load_n(&queue->bursts, __ATOMIC_ACQUIRE) == bursts)
        usleep(LOOK_AGAIN_US);
}

static void wait_for_bursts(void)
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0)
        usleep(NO_BARRIER_US);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < DEVICES_MAX; i++)
        for (unsigned q = 0; devices[i] != NULL && q < devices[i]->port.queues; q++)
            queue_wait(&devices[i]->queue[q]);
    pthread_mutex_unlock(&lock);
}

void quiesce_join(struct device *device)
{
    if (device->vdev == NULL || !(device->vdev->traits & VDEV_UNMAPS))
        return;
    syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < DEVICES_MAX; i++) {
        if (devices[i] == NULL) {
            devices[i] = device;
            break;
        }
    }
    driver_calls_quiesce = wait_for_bursts;
    pthread_mutex_unlock(&lock);
}

void quiesce_leave(struct device *device)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < DEVICES_MAX; i++)
        if (devices[i] == device)
            devices[i] = NULL;
    pthread_mutex_unlock(&lock);
}
