/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces as programs name them (SO_BINDTODEVICE, IP_UNICAST_IF, IP_PKTINFO): the loopback is 1, ports have the
 * numbers from 2 on, in the order of the settings and the same on every stack. A port is called as the kernel's
 * interface that it stands on, else by its kind and a number ("memif0").
 *
 * A table of the process, filled while the stacks start and constant afterwards.
 */
#ifndef CONTROL_DEVICE_H
#define CONTROL_DEVICE_H

#include <stdint.h>

#define DEVICE_LOOPBACK 1u
#define DEVICE_NAME_BYTES 16 /* as IFNAMSIZ */

/* The number of the next port, which these stacks serve; interface "": it stands on none. Only while starting. */
unsigned device_add(const char *interface, const char *kind, uint64_t stacks);
void device_clear(void);

/* 0: there is none of that name. */
unsigned device_find(const char *name);
/* NULL: there is none of that number. */
const char *device_name(unsigned number);
/* What a PCB's netif_idx becomes; a number that nobody has finds none. */
static inline uint8_t device_index(uint32_t number)
{
    return number < UINT8_MAX ? (uint8_t)number : UINT8_MAX;
}

/* Those that serve it; of number 0, which is any, all. */
uint64_t device_stacks(unsigned number);

#endif
