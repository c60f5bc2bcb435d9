/* SPDX-License-Identifier: Apache-2.0 */
/*
 * takeover=on: a port has the addresses, gateways, MAC address and MTU of the kernel's interface that
 * it stands on, and the kernel has none of them meanwhile: else it would answer beside us, TCP with
 * resets. What the kernel had is written down first (RECORDS), so that it can be given back also
 * by another process, after a kill. Cold path; one thread.
 */
#ifndef PORT_TAKEOVER_H
#define PORT_TAKEOVER_H

#include <stddef.h>

struct port_config;

/* Gives back what killed processes of this network namespace have taken. At each start, before all. */
void takeover_sweep(void);

/* Completes the port's line; what it says itself stays. Nothing is changed yet. 0 or a negative errno. */
int takeover_read(struct port_config *config, char *err, size_t err_size);

/* The interface's addresses and routes are ours until takeover_end(), which may be called at any time. */
int takeover_begin(const char *interface, char *err, size_t err_size);
void takeover_end(const char *interface);

#endif
