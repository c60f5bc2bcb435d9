/* SPDX-License-Identifier: Apache-2.0 */
/* Cards on the PCI bus, as sysfs shows them. Cold path. */
#ifndef PORT_PCI_H
#define PORT_PCI_H

#include <stdbool.h>
#include <stddef.h>

/* "0000:01:00.0" or "01:00.0". */
bool pci_address_is(const char *text);
bool pci_exists(const char *address);

/* Name of the kernel driver that holds the card, "" if none. */
void pci_driver(const char *address, char *out, size_t out_size);

/* vfio-pci and the like hand the card to us; mlx5_core shares it. */
bool pci_driver_is_for_dpdk(const char *driver);

#endif
