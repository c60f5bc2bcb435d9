/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_ethdev.h>

#include "base/kernel_calls.h"
#include "base/log.h"
#include "platform/eal.h"
#include "platform/plugins/driver_calls.h"
#include "port/device.h"
#include "port/pci.h"
#include "port/takeover.h"

#define PACKET_BYTES_DEFAULT 2048u
/* XDP_PACKET_HEADROOM of linux/bpf.h: the kernel keeps it before each frame in our packet. */
#define XDP_HEADROOM 256u

struct open {
    const struct port_config *config;
    unsigned queues;
    struct rte_mempool *const *pools;
    char *err;
    size_t err_size;
    struct device *device;
};

/* Failure of a DPDK call: its errno, and what the driver said meanwhile. */
static int dpdk_problem(struct open *open, const char *what, int status)
{
    char said[512];

    eal_said(said, sizeof(said));
    return device_problem(open->device, status, open->err, open->err_size, "%s failed (%s)%s%s", what,
                          strerror(-status), said[0] ? ": " : "", said);
}

static void device_name(struct device *device, const struct port_config *config)
{
    const char *more = config->iface[0] ? config->iface : config->path;

    snprintf(device->port.name, sizeof(device->port.name), "%.31s%s%.30s", config->device,
             more[0] ? " " : "", more);
    snprintf(device->port.interface, sizeof(device->port.interface), "%.15s", config->iface);
}

/* DPDK names virtual devices by their driver and a number that is theirs alone. */
static int device_probe(struct open *open)
{
    static unsigned number; /* ports are opened by one thread */
    struct device *device = open->device;
    const struct vdev *vdev = device->vdev;
    char arguments[512], devargs[640];
    int status;

    if (vdev == NULL) {
        snprintf(device->dpdk_name, sizeof(device->dpdk_name), "%s%s",
                 strlen(open->config->device) <= 7 ? "0000:" : "", open->config->device);
        /* Found when DPDK started, unless it was refused then: ask again to hear the reason. */
        if (rte_eth_dev_get_port_by_name(device->dpdk_name, &device->port.id) == 0)
            return 0;
        status = rte_dev_probe(device->dpdk_name);
    } else {
        status = vdev->traits & VDEV_BOND
                     ? bond_arguments(device, open->config, open->queues, arguments,
                                      sizeof(arguments), open->err, open->err_size)
                     : vdev_arguments(vdev, open->config, open->queues, arguments, sizeof(arguments));
        if (status != 0)
            return status;
        snprintf(device->dpdk_name, sizeof(device->dpdk_name), "%s%u", vdev->driver, number++);
        snprintf(devargs, sizeof(devargs), "%s,%s", device->dpdk_name, arguments);
        log_debug("port %s: %s", device->port.name, devargs);
        status = rte_dev_probe(devargs);
    }
    if (status != 0 && driver_calls_accept_ms < 0)
        return device_problem(device, -ETIMEDOUT, open->err, open->err_size,
                              "nobody connected to its socket for %u s (wait_s=). Start the other side",
                              open->config->wait_s);
    if (status != 0)
        return dpdk_problem(open, "opening the device", status);
    device->probed = true;
    /* A driver may fail and leave no port without saying so. */
    if (rte_eth_dev_get_port_by_name(device->dpdk_name, &device->port.id) != 0)
        return dpdk_problem(open, "opening the device (no port appeared)", -ENODEV);
    return 0;
}

static int mtu_choose(struct open *open, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
    struct device *device = open->device;
    unsigned traits = device->vdev ? device->vdev->traits : 0;
    uint32_t mtu = open->config->mtu ? open->config->mtu : 1500;

    if (open->config->mtu == 0 && (traits & VDEV_NEEDS_INTERFACE) && device->interface.mtu < mtu)
        mtu = device->interface.mtu;
    device->port.mtu = (uint16_t)mtu;
    if (traits & VDEV_MTU_ANY)
        return 0; /* these drivers announce 1518 bytes and take any */
    if (info->max_mtu != 0 && mtu > info->max_mtu)
        return device_problem(device, -EINVAL, open->err, open->err_size,
                              "mtu=%u is more than the device's %u. Lower it", mtu, info->max_mtu);
    conf->rxmode.mtu = mtu;
    return 0;
}

static int queues_setup(struct open *open, const struct rte_eth_dev_info *info,
                        const struct rte_eth_conf *conf)
{
    struct device *device = open->device;
    uint16_t rx_slots = (uint16_t)open->config->rx_slots, tx_slots = (uint16_t)open->config->tx_slots;
    struct rte_eth_rxconf rx = info->default_rxconf;
    struct rte_eth_txconf tx = info->default_txconf;
    int status, node = rte_eth_dev_socket_id(device->port.id);

    rte_eth_dev_adjust_nb_rx_tx_desc(device->port.id, &rx_slots, &tx_slots);
    device->slots = RTE_MIN(rx_slots, tx_slots); /* virtio has one size for both */
    rx.offloads = conf->rxmode.offloads;
    tx.offloads = conf->txmode.offloads;
    for (unsigned queue = 0; queue < open->queues; queue++) {
        struct rte_mempool *pool = open->pools[queue];

        if (rte_pktmbuf_data_room_size(pool) < port_packet_bytes(open->config) + RTE_PKTMBUF_HEADROOM)
            return device_problem(device, -EINVAL, open->err, open->err_size,
                                  "its packets need %u bytes, the pool's have %u",
                                  port_packet_bytes(open->config),
                                  rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM);
        status = rte_eth_rx_queue_setup(device->port.id, (uint16_t)queue, rx_slots,
                                        node < 0 ? (unsigned)SOCKET_ID_ANY : (unsigned)node, &rx, pool);
        if (status == 0)
            status = rte_eth_tx_queue_setup(device->port.id, (uint16_t)queue, tx_slots,
                                            node < 0 ? (unsigned)SOCKET_ID_ANY : (unsigned)node, &tx);
        if (status != 0)
            return dpdk_problem(open, "setting up its queues", status);
    }
    device->port.numa_node = node;
    return 0;
}

static int device_configure(struct open *open)
{
    struct device *device = open->device;
    unsigned traits = device->vdev ? device->vdev->traits : 0;
    struct rte_eth_dev_info info = {0};
    struct rte_eth_conf conf = {0};
    int status = rte_eth_dev_info_get(device->port.id, &info);

    if (status != 0)
        return dpdk_problem(open, "asking for its abilities", status);
    snprintf(device->port.driver, sizeof(device->port.driver), "%s", info.driver_name);
    if (open->queues > info.max_rx_queues || open->queues > info.max_tx_queues)
        return device_problem(device, -EINVAL, open->err, open->err_size,
                              "%u queues are wanted, the device has %u. Use fewer stacks (stack.cores), or limit "
                              "the port to some of them with stacks=",
                              open->queues, RTE_MIN(info.max_rx_queues, info.max_tx_queues));
    status = mtu_choose(open, &info, &conf);
    if (status != 0)
        return status;
    offload_choose(device, open->config, &info, &conf);
    conf.intr_conf.rxq = device->vdev == NULL || (traits & (VDEV_FD_MOVES | VDEV_FD_STEADY));
    conf.intr_conf.lsc = (*info.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0 && !(traits & VDEV_BOND);
    status = rte_eth_dev_configure(device->port.id, (uint16_t)open->queues, (uint16_t)open->queues, &conf);
    if (status != 0 && conf.intr_conf.rxq) {
        conf.intr_conf.rxq = 0; /* a card without interrupts is polled */
        status = rte_eth_dev_configure(device->port.id, (uint16_t)open->queues, (uint16_t)open->queues, &conf);
    }
    if (status != 0)
        return dpdk_problem(open, "configuring it", status);
    if (conf.intr_conf.rxq)
        device->port.offloads |= PORT_RX_INTERRUPT;
    return queues_setup(open, &info, &conf);
}

/* Our MAC address: the one that is asked for, the device's, or one beside the kernel's. */
static int mac_choose(struct open *open)
{
    struct device *device = open->device;
    struct rte_ether_addr mac;
    int status;

    rte_eth_macaddr_get(device->port.id, &mac);
    if (open->config->mac.given) {
        memcpy(mac.addr_bytes, open->config->mac.bytes, sizeof(mac.addr_bytes));
        status = rte_eth_dev_default_mac_addr_set(device->port.id, &mac);
        if (status != 0 && device->vdev == NULL)
            return dpdk_problem(open, "setting its MAC address", status);
    } else if (device->vdev != NULL && (device->vdev->traits & VDEV_OWN_MAC)) {
        /*
         * The kernel's stack sees the same frames. It ignores those for another MAC address, and so
         * neither answers our peers with resets nor claims our link-local address.
         */
        mac.addr_bytes[0] = (uint8_t)((mac.addr_bytes[0] | 0x02) & ~0x01);
        mac.addr_bytes[1] ^= 0x50;
        mac.addr_bytes[2] ^= 0x48;
    }
    memcpy(device->port.mac, mac.addr_bytes, sizeof(device->port.mac));
    if (device->interface.index != 0 && memcmp(device->port.mac, device->interface.mac, 6) != 0)
        device->promiscuous_fd = interface_open_promiscuous(&device->interface);
    return 0;
}

static void queues_bind(struct open *open)
{
    struct device *device = open->device;

    for (unsigned i = 0; i < open->queues; i++) {
        struct port_queue *queue = &device->queue[i];

        queue->port_id = device->port.id;
        queue->queue_id = (uint16_t)i;
        queue->offloads = device->port.offloads;
        queue->stats = &device->stats;
        queue->port = &device->port;
        queue->flush_always = device->vdev != NULL && (device->vdev->traits & VDEV_BOND);
    }
}

/*
 * Two devices need their peer to start. memif and virtio_user as clients connect once, while they start;
 * virtio_user as server accepts its first peer inside the probe, which driver_calls_accept_ms bounds.
 */
static int peer_await(struct open *open)
{
    const struct port_config *config = open->config;
    struct device *device = open->device;
    const char *driver = device->vdev ? device->vdev->driver : "";
    bool is_virtio = strcmp(driver, "net_virtio_user") == 0;

    driver_calls_accept_ms = 0;
    if (!is_virtio && strcmp(driver, "net_memif") != 0)
        return 0;
    if (!vdev_is_server(device->vdev, config)) {
        device->is_client = true;
        if (vdev_path_wait(config->path, config->wait_s))
            return 0;
        return device_problem(device, -ECONNREFUSED, open->err, open->err_size,
                              "nobody serves its socket (for %u s, wait_s=). Start the other side first%s",
                              config->wait_s, is_virtio ? "" : ", or leave out role=client");
    }
    if (is_virtio) {
        log_info("port %s: waits up to %u s for the other side to connect", device->port.name, config->wait_s);
        driver_calls_accept_ms = (int)RTE_MAX(config->wait_s * 1000, 1u);
    }
    return 0;
}

static int open_on_thread(void *argument)
{
    struct open *open = argument;
    struct device *device = open->device;
    struct rte_eth_dev_info info = {0};
    struct fd_snapshot before;
    int status;

    eal_said_reset();
    if (device->vdev != NULL && (device->vdev->traits & VDEV_NEEDS_PATH) &&
        vdev_is_server(device->vdev, open->config))
        unlink(open->config->path); /* a killed server leaves its socket, and cannot be followed at it */
    driver_calls_fanout = -1;
    status = peer_await(open);
    if (status != 0)
        return status;
    interrupt_snapshot(&before);
    quiesce_join(device);
    status = device->vdev != NULL && device->vdev->driver[0] == '\0'
                 ? wire_open(device, open->config, open->queues, open->err, open->err_size)
                 : device_probe(open);
    if (status == 0)
        status = segmentation_join(device);
    if (status == 0)
        status = device_configure(open);
    if (status == 0)
        status = mac_choose(open);
    if (status != 0)
        return status;
    queues_bind(open);
    status = reconnect_start(device, open->config);
    if (status != 0)
        return dpdk_problem(open, "starting it", status);
    device->started = true;
    rte_eth_dev_info_get(device->port.id, &info);
    segmentation_begin(device, &info);
    rss_begin(device, &info);
    rte_eth_promiscuous_disable(device->port.id);
    rte_eth_allmulticast_enable(device->port.id);
    interrupt_find(device, &before);
    if (device->wire != NULL)
        wire_join(device);
    return open->config->takeover ? takeover_begin(open->config->iface, open->err, open->err_size) : 0;
}

/* Closes it and, for a virtual one, forgets it: its name and resources can be used again. */
static void device_remove(uint16_t id, bool is_virtual)
{
    struct rte_eth_dev_info info = {0};

    if (rte_eth_dev_info_get(id, &info) == 0 && is_virtual && info.device != NULL)
        rte_dev_remove(info.device);
    else
        rte_eth_dev_close(id);
}

static int close_on_thread(void *argument)
{
    struct device *device = argument;

    segmentation_leave(device);
    reconnect_leave(device);
    if (device->started)
        rte_eth_dev_stop(device->port.id);
    if ((device->probed && rte_eth_dev_is_valid_port(device->port.id)) || device->wire != NULL)
        device_remove(device->port.id, device->vdev != NULL);
    if (device->wire != NULL)
        wire_close(device);
    if (device->vdev != NULL && (device->vdev->traits & VDEV_BOND))
        bond_close(device);
    return 0;
}

void port_close(struct port *port)
{
    struct device *device;

    if (port == NULL)
        return;
    device = device_of(port);
    for (unsigned i = 0; i < port->queues && device->queue != NULL; i++)
        while (device->queue[i].pending > 0)
            rte_pktmbuf_free(device->queue[i].tx[--device->queue[i].pending]);
    interrupt_release(device);
    eal_run(close_on_thread, device);
    quiesce_leave(device);
    if (device->port.interface[0] != '\0')
        takeover_end(device->port.interface);
    if (device->promiscuous_fd >= 0)
        kernel.close(device->promiscuous_fd);
    free(device->queue);
    free(device);
}

int port_open(const struct port_config *config, unsigned queues, struct rte_mempool *const *pools,
              char *err, size_t err_size, struct port **out)
{
    struct device *device = aligned_alloc(CACHE_LINE, align_up(sizeof(*device), CACHE_LINE));
    struct open open = {config, queues, pools, err, err_size, device};
    int status;

    *out = NULL;
    if (device == NULL)
        return -ENOMEM;
    memset(device, 0, sizeof(*device));
    device->promiscuous_fd = -1;
    device->vdev = vdev_find(config->device);
    device->port.queues = (uint16_t)queues;
    device->port.rx_checksum_skip = !config->rx_checksum;
    device_name(device, config);
    device->queue = aligned_alloc(64, align_up(sizeof(*device->queue) * queues, 64));
    if (device->queue == NULL) {
        free(device);
        return -ENOMEM;
    }
    memset(device->queue, 0, sizeof(*device->queue) * queues);
    for (unsigned i = 0; i < queues; i++)
        device->queue[i].fd = device->queue[i].moving_fd = -1;
    status = device_check(device, config, queues, err, err_size);
    if (status == 0)
        status = eal_run(open_on_thread, &open);
    if (status != 0) {
        port_close(&device->port);
        return status;
    }
    *out = &device->port;
    return 0;
}

uint32_t port_packet_bytes(const struct port_config *config)
{
    const struct vdev *vdev = vdev_find(config->device);
    unsigned traits = vdev ? vdev->traits : 0;

    if (traits & VDEV_FRAMED)
        return RTE_MAX(vdev_frame_data_bytes(config), PACKET_BYTES_DEFAULT);
    if (traits & VDEV_XDP)
        return RTE_MAX(config->mtu + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + XDP_HEADROOM, PACKET_BYTES_DEFAULT);
    return PACKET_BYTES_DEFAULT;
}

unsigned port_queue_limit(const struct port_config *config)
{
    const struct vdev *vdev = vdev_find(config->device);

    return vdev ? vdev->queue_limit : 0;
}

bool port_shares_memory(const struct port_config *config)
{
    const struct vdev *vdev = vdev_find(config->device);

    return config->zero_copy || (vdev != NULL && (vdev->traits & VDEV_SHARES));
}

uint64_t port_lost_packets(struct port_queue *queue)
{
    struct rte_eth_stats stats;
    uint64_t lost, more;

    if (queue->queue_id != 0 || rte_eth_stats_get(queue->port_id, &stats) != 0)
        return 0;
    lost = stats.imissed + stats.rx_nombuf;
    more = lost > queue->lost ? lost - queue->lost : 0; /* some devices begin anew after a reset */
    queue->lost = lost;
    return more;
}

bool port_link_is_up(const struct port *port)
{
    struct rte_eth_link link = {0};
    struct device *device = device_of((struct port *)(uintptr_t)port);

    if (device->wire != NULL)
        return wire_is_up(device);
    if (device->members > 0)
        return bond_look(device);
    if (rte_eth_link_get_nowait(port->id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP)
        return true;
    if (device->is_client)
        reconnect_look(device);
    return false;
}

struct port_queue *port_queue(struct port *port, unsigned index)
{
    return &device_of(port)->queue[index];
}
