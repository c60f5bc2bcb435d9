/* SPDX-License-Identifier: Apache-2.0 */
#include "port/pci.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "config/config.h"
#include "port/port.h"

bool pci_address_is(const char *text)
{
    unsigned domain, bus, slot, function;
    int used = 0;

    if (sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &used) == 4)
        return text[used] == '\0';
    used = 0;
    return sscanf(text, "%2x:%2x.%1x%n", &bus, &slot, &function, &used) == 3 && text[used] == '\0';
}

static void pci_path(const char *address, const char *file, char *out, size_t out_size)
{
    snprintf(out, out_size, "/sys/bus/pci/devices/%s%s%s", strlen(address) <= 7 ? "0000:" : "", address,
             file);
}

bool pci_exists(const char *address)
{
    char path[128];

    pci_path(address, "", path, sizeof(path));
    return access(path, F_OK) == 0;
}

void pci_driver(const char *address, char *out, size_t out_size)
{
    char path[128], target[256];
    const char *name;
    ssize_t length;

    pci_path(address, "/driver", path, sizeof(path));
    length = readlink(path, target, sizeof(target) - 1);
    target[length > 0 ? length : 0] = '\0';
    name = strrchr(target, '/');
    snprintf(out, out_size, "%s", name ? name + 1 : target);
}

bool pci_driver_is_for_dpdk(const char *driver)
{
    static const char *const good[] = {"vfio-pci", "uio_pci_generic", "igb_uio", "mlx5_core"};

    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        if (strcmp(driver, good[i]) == 0)
            return true;
    return false;
}

void port_pci_addresses(const struct port_config *config, struct port_pci *out)
{
    char list[VALUE_STRING_BYTES], *rest = list, *text;

    out->count = 0;
    snprintf(list, sizeof(list), "%s", pci_address_is(config->device) ? config->device : config->members);
    while ((text = strsep(&rest, "+")) != NULL && out->count < PORT_PCI_MAX)
        if (pci_address_is(text))
            snprintf(out->address[out->count++], sizeof(out->address[0]), "%s%s",
                     strlen(text) <= 7 ? "0000:" : "", text);
}
