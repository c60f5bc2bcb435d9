/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers that need libraries of their own (mlx5: libibverbs, af_xdp: libbpf, libxdp) are shared
 * objects beside libpronghorn.so, opened before DPDK starts, so that others need none of it.
 */
#ifndef PORT_PLUGIN_H
#define PORT_PLUGIN_H

#include <stddef.h>

struct port_config;
struct rte_mempool;

/*
 * Opens what this port and its members need; before eal_start(). 0, or -ENOENT (no such driver in this
 * build), -ELIBACC (libraries are missing), with the remedy in err.
 */
int plugin_open(const struct port_config *port, char *err, size_t err_size);

/* Whether the driver for this device ("af_xdp", or a card's kernel driver) is there. */
int plugin_check(const char *device, char *err, size_t err_size);

/* Packets of this pool that closed devices have kept for good. */
unsigned plugin_packets_kept(const struct rte_mempool *pool);

#endif
