/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of vdev.def, and a port line turned into DPDK's device arguments. Cold path. */
#ifndef PORT_VDEV_H
#define PORT_VDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct port_config;

enum vdev_trait {
    VDEV_NEEDS_INTERFACE = 1 << 0, /* stands on an interface that must exist */
    VDEV_MAKES_INTERFACE = 1 << 1, /* its interface must not exist */
    VDEV_OWN_MAC = 1 << 2,         /* the kernel shares the interface: we take a MAC of our own */
    VDEV_FD_NEW = 1 << 3,          /* sleep on the descriptor that its opening made */
    VDEV_FD_MOVES = 1 << 4,        /* sleep on DPDK's interrupt, whose fd changes with each peer */
    VDEV_NEEDS_PATH = 1 << 5,
    VDEV_SERVER_DEFAULT = 1 << 6, /* role=auto is the server; else the client */
    VDEV_ROLE_PROBED = 1 << 7,    /* role=auto: the server if nobody answers at the path */
    VDEV_SHARES = 1 << 8,         /* the peer maps our memory */
    VDEV_MTU_ANY = 1 << 9,        /* any frame size, whatever the driver says */
    VDEV_MTU_1500 = 1 << 10,
    VDEV_PLUGIN = 1 << 11, /* its driver is a shared object of its own, see plugin.h */
    VDEV_BOND = 1 << 12,
    VDEV_FD_STEADY = 1 << 13, /* sleep on the descriptor that DPDK tells */
    VDEV_SILENT = 1 << 14,    /* never gives a packet: nothing to wake for */
    VDEV_UNMAPS = 1 << 17,    /* takes its rings away on another thread, see quiesce.c */
    VDEV_FRAMED = 1 << 16,    /* a ring of frames that are cut to their size: the packets must hold one */
    VDEV_TSO_BY_PEER = 1 << 18, /* takes large TCP frames if its peer does, see segmentation.c */
    VDEV_CUTS_BADLY = 1 << 19,  /* its driver's own segmentation refuses segments that fill the MTU */
    VDEV_CONNECTS_ONCE = 1 << 20, /* as a client, when it is started: see reconnect.c */
    VDEV_XDP = 1 << 15,       /* takes an interface's frames, queue by queue, before the kernel sees them */
};

struct vdev {
    const char *name, *driver, *arguments, *help;
    unsigned queue_limit;
    unsigned traits;
};

/* The row, or NULL. */
const struct vdev *vdev_find(const char *name);

/* "tap, af_packet, ..." for messages. */
void vdev_names(char *out, size_t out_size);

/* Whether this end makes the socket. Looks at the path where the role is found out by trying. */
bool vdev_is_server(const struct vdev *vdev, const struct port_config *config);

/* Waits until somebody listens at the path; false: nobody did for so long. */
bool vdev_path_wait(const char *path, uint32_t seconds);

/* "iface=va,qpairs=1": 0, or -EINVAL when it does not fit. */
int vdev_arguments(const struct vdev *vdev, const struct port_config *config, unsigned queues,
                   char *out, size_t out_size);

/* Bytes of a frame of this port's packet ring, and what of it is data. */
uint32_t vdev_frame_bytes(const struct port_config *config);
uint32_t vdev_frame_data_bytes(const struct port_config *config);

#endif
