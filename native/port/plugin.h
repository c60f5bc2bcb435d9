/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers that need libraries of their own (mlx5: libibverbs, af_xdp: libbpf, libxdp) are shared
 * objects beside libpronghorn.so, opened before DPDK starts, so that others need none of it.
 */
#ifndef PORT_PLUGIN_H
#define PORT_PLUGIN_H

#include <stddef.h>

struct port_config;

/* Opens what these ports need; before eal_start(). 0, or -ENOENT with the remedy in err. */
int plugin_open(const struct port_config *ports, size_t count, char *err, size_t err_size);

/* Whether the driver for this device ("af_xdp", or a card's kernel driver) is there. */
int plugin_check(const char *device, char *err, size_t err_size);

#endif
