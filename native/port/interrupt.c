/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a queue's descriptor comes from:
 * - af_packet and af_xdp read a socket of their own that DPDK does not tell: it is the one that
 *   appeared while the device was opened (FD_NEW). Readable means packets; nothing to arm.
 * - tap tells the descriptor (FD_STEADY); nothing to arm.
 * - vhost, virtio_user and cards have an event that must be enabled before each sleep, and whose
 *   descriptor is another one after the peer came back (FD_MOVES). The queue's own descriptor, an
 *   epoll, stays the same; the event is put into it when the queue is armed.
 */
#include "port/interrupt.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/kernel_calls.h"
#include "port/device.h"

/* Packet and XDP sockets; nothing else that a device or another thread may open meanwhile. */
static bool fd_carries_frames(int fd)
{
    int domain = 0;
    socklen_t length = sizeof(domain);

    return kernel.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 &&
           (domain == AF_PACKET || domain == AF_XDP);
}

void interrupt_snapshot(struct fd_snapshot *out)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;

    out->count = 0;
    if (folder == NULL)
        return;
    while ((entry = readdir(folder)) != NULL) {
        int fd = atoi(entry->d_name);

        if (entry->d_name[0] != '.' && out->count < DEVICE_FDS_MAX && fd_carries_frames(fd))
            out->fd[out->count++] = fd;
    }
    closedir(folder);
}

static bool snapshot_has(const struct fd_snapshot *snapshot, int fd)
{
    for (int i = 0; i < snapshot->count; i++)
        if (snapshot->fd[i] == fd)
            return true;
    return false;
}

static int fd_compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static void new_fds_find(struct device *device, const struct fd_snapshot *before)
{
    struct fd_snapshot now;
    unsigned queue = 0;

    interrupt_snapshot(&now);
    qsort(now.fd, (size_t)now.count, sizeof(now.fd[0]), fd_compare); /* queues are opened in order */
    for (int i = 0; i < now.count && queue < device->port.queues; i++)
        if (!snapshot_has(before, now.fd[i]) && now.fd[i] != device->promiscuous_fd)
            device->queue[queue++].fd = now.fd[i];
}

void interrupt_find(struct device *device, const struct fd_snapshot *before)
{
    unsigned traits = device->vdev ? device->vdev->traits : VDEV_FD_MOVES;

    if (traits & VDEV_FD_NEW)
        new_fds_find(device, before);
    for (unsigned i = 0; i < device->port.queues; i++) {
        struct port_queue *queue = &device->queue[i];

        if (traits & VDEV_FD_STEADY)
            queue->fd = rte_eth_dev_rx_intr_ctl_q_get_fd(queue->port_id, queue->queue_id);
        else if ((traits & VDEV_FD_MOVES) && (device->port.offloads & PORT_RX_INTERRUPT))
            queue->fd = kernel.epoll_create1(EPOLL_CLOEXEC);
        queue->fd_moves = (traits & VDEV_FD_MOVES) && queue->fd >= 0;
        queue->fd = queue->fd < 0 ? -1 : queue->fd;
        queue->never_wakes = (traits & VDEV_SILENT) != 0;
    }
}

void interrupt_release(struct device *device)
{
    for (unsigned i = 0; i < device->port.queues && device->queue != NULL; i++)
        if (device->queue[i].fd_moves)
            kernel.close(device->queue[i].fd);
}

int port_queue_fd(const struct port_queue *queue)
{
    return queue->fd;
}

void port_queue_doorbell(struct port_queue *queue, struct doorbell *bell)
{
    struct device *device = device_of(queue->port);

    if (device->wire != NULL)
        wire_set_doorbell(device, queue->queue_id, bell);
    else
        queue->doorbell = bell;
}

int port_queue_wakes(const struct port_queue *queue)
{
    struct device *device = device_of(queue->port);

    if (queue->never_wakes)
        return 1;
    if (device->wire != NULL)
        return queue->doorbell != NULL;
    return queue->fd >= 0 && (!queue->fd_moves || queue->moving_fd >= 0);
}

int port_queue_arm(struct port_queue *queue)
{
    /* By edges: the event need not be read, and vhost's cannot be (its descriptor is an epoll over an
     * event counter that it does not tell). */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int fd;

    if (!queue->fd_moves)
        return 0;
    queue->moving_fd = -1;
    /* Without a peer nothing wakes us: the next one brings an event of its own. */
    if (device_of(queue->port)->vdev != NULL && !port_link_is_up(queue->port))
        return 0;
    fd = rte_eth_dev_rx_intr_ctl_q_get_fd(queue->port_id, queue->queue_id);
    if (fd < 0)
        return 0;
    event.data.fd = fd;
    /* Added each time: a new peer's event may have the number of the last one's. */
    if (kernel.epoll_ctl(queue->fd, EPOLL_CTL_ADD, fd, &event) != 0 && errno != EEXIST)
        return 0;
    if (rte_eth_dev_rx_intr_enable(queue->port_id, queue->queue_id) != 0)
        return 0;
    queue->moving_fd = fd;
    return rte_eth_rx_queue_count(queue->port_id, queue->queue_id) > 0 ? -EAGAIN : 0;
}

void port_queue_disarm(struct port_queue *queue)
{
    struct epoll_event event;

    if (!queue->fd_moves || queue->moving_fd < 0)
        return;
    rte_eth_dev_rx_intr_disable(queue->port_id, queue->queue_id);
    kernel.epoll_wait(queue->fd, &event, 1, 0); /* takes the edge back */
}

void port_queue_settle(struct port_queue *queue)
{
    int error;
    socklen_t length = sizeof(error);

    if (queue->fd >= 0 && !queue->fd_moves)
        kernel.getsockopt(queue->fd, SOL_SOCKET, SO_ERROR, &error, &length); /* reading it clears it */
}
