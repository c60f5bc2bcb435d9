/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of port/ share about a port that is being opened. Not for other layers. */
#ifndef PORT_DEVICE_H
#define PORT_DEVICE_H

#include <rte_ethdev.h>

#include "base/compiler.h"
#include "config/config.h"
#include "port/burst.h"
#include "port/interface.h"
#include "port/port.h"
#include "port/vdev.h"

#define DEVICE_FDS_MAX 64
#define BOND_MEMBERS_MAX 8

struct wire;

/* How the device spreads flows, rss.c. */
struct rss {
    bool known, tcp4, tcp6; /* tcp4, tcp6: with their ports */
    uint16_t mask;
    _Alignas(4) uint8_t key[52];
    uint16_t queue_of[RTE_ETH_RSS_RETA_SIZE_512];
};

/* struct port is its public part. */
struct device {
    struct port port;
    const struct vdev *vdev; /* NULL: a card */
    char dpdk_name[RTE_DEV_NAME_MAX_LEN];
    bool probed, started;
    bool is_client, is_trying; /* reconnect.c: waited for a server at `path`; lets it connect again soon */
    int control_fd;            /* its connection, or -1 */
    char path[128];
    bool tso_by_peer; /* segmentation.c listens to its link */
    uint16_t slots; /* of the smaller of a queue's two rings */
    struct interface interface;
    int promiscuous_fd;
    struct wire *wire;
    unsigned wire_end;
    unsigned members; /* of a bond */
    unsigned bond_mode;
    char member[BOND_MEMBERS_MAX][RTE_DEV_NAME_MAX_LEN];
    char member_interface[BOND_MEMBERS_MAX][16]; /* of the kernel, or "" */
    int primary;                                 /* the member that was chosen to send, -1: DPDK's choice */
    struct rss rss;
    struct stats_stack stats; /* of queues that no stack counts */
    struct port_queue *queue; /* port.queues of them */
};

static inline struct device *device_of(struct port *port)
{
    return container_of(port, struct device, port);
}

/* Writes "port af_packet va: <reason>. <remedy>" and returns status. */
int device_problem(const struct device *device, int status, char *err, size_t err_size,
                   const char *format, ...) PRINTF_LIKE(5, 6);

/* offload.c: what to ask the device for, given what it can; fills port.offloads. */
void offload_choose(struct device *device, const struct port_config *config,
                    const struct rte_eth_dev_info *info, struct rte_eth_conf *out);

/* rss.c: once started. */
void rss_begin(struct device *device, const struct rte_eth_dev_info *info);

/* segmentation.c: before the device is configured (0 or a negative errno); once started; before it is closed. */
int segmentation_join(struct device *device);
void segmentation_begin(struct device *device, const struct rte_eth_dev_info *info);
void segmentation_leave(struct device *device);
/* Its driver says that it cuts frames, but should not be asked to. */
bool segmentation_is_bad(const struct device *device);
/* Shows the pending packets to the driver; drops and counts what it cannot send. */
void segmentation_prepare(struct port_queue *queue);

/* check.c: what can be said before DPDK is asked, in words that DPDK does not find. */
int device_check(struct device *device, const struct port_config *config, unsigned queues, char *err,
                 size_t err_size);

/* bond.c: the members first, then the device arguments. */
int bond_arguments(struct device *device, const struct port_config *config, unsigned queues, char *out,
                   size_t out_size, char *err, size_t err_size);
void bond_close(struct device *device);
/* Looks at the members' links, and lets one send whose link is up. False: none is. */
bool bond_look(struct device *device);

/* wire.c: one end of a pair in this process. */
int wire_open(struct device *device, const struct port_config *config, unsigned queues, char *err,
              size_t err_size);
void wire_close(struct device *device);
void wire_join(struct device *device); /* once its queues exist */
bool wire_is_up(const struct device *device);
void wire_set_doorbell(struct device *device, unsigned queue, struct doorbell *bell);

/* quiesce.c: before the device is probed; after it is closed. */
void quiesce_join(struct device *device);
void quiesce_leave(struct device *device);

/* reconnect.c: rte_eth_dev_start() of any device; a client's link is down; before it is stopped. */
int reconnect_start(struct device *device, const struct port_config *config);
void reconnect_look(struct device *device);
void reconnect_leave(struct device *device);

/* interrupt.c: the descriptors to sleep on. */
struct fd_snapshot {
    int count;
    int fd[DEVICE_FDS_MAX];
};
void interrupt_snapshot(struct fd_snapshot *out);
void interrupt_find(struct device *device, const struct fd_snapshot *before);
void interrupt_release(struct device *device);

#endif
