/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's own network interfaces, as far as ports stand on them. Cold path. */
#ifndef PORT_INTERFACE_H
#define PORT_INTERFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct port_config;

struct interface {
    int index;
    uint32_t mtu;
    uint8_t mac[6];
    bool up;
    bool running; /* its link is up, too */
};

/* 0, or -ENODEV: there is none of that name in this network namespace. */
int interface_read(const char *name, struct interface *out);

/* "lo, eth0, ..." for messages. */
void interface_names(char *out, size_t out_size);

/* Its receive queues, 0: unknown. */
unsigned interface_queues(const char *name);

/* The effective capabilities of this process, a bit each (capabilities(7)). */
uint64_t capabilities_read(void);

/*
 * Lets the interface take in frames for other MAC addresses than its own for as long as the returned
 * descriptor is open, also when the process is killed. Or a negative errno.
 */
int interface_open_promiscuous(const struct interface *interface);

#endif
