/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bond: members=af_packet:va+af_packet:vb, or PCI addresses, opened first and closed last (the
 * driver crashes the other way round). The bond sets up the members' queues itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_eth_bond.h>

#include "base/log.h"
#include "platform/dpdk_compat.h"
#include "platform/eal.h"
#include "port/device.h"
#include "port/pci.h"

/* One member from its text to a probed device; its DPDK name goes to `out`. */
static int member_open(struct device *device, const char *text, unsigned queues, char *out,
                       size_t out_size, char *err, size_t err_size)
{
    static unsigned number;
    struct port_config *config = calloc(1, sizeof(*config));
    struct device member = {.promiscuous_fd = -1};
    char arguments[512], devargs[640], said[512];
    const char *colon = strchr(text, ':');
    uint16_t id;
    int status;

    if (config == NULL)
        return -ENOMEM;
    config->rx_slots = config->tx_slots = 512;
    snprintf(member.port.name, sizeof(member.port.name), "bond member %.40s", text);
    if (pci_address_is(text)) {
        snprintf(config->device, sizeof(config->device), "%s", text);
    } else {
        snprintf(config->device, sizeof(config->device), "%.*s", colon ? (int)(colon - text) : 31, text);
        if (colon != NULL) {
            snprintf(config->iface, sizeof(config->iface), "%s", colon + 1);
            snprintf(config->path, sizeof(config->path), "%s", colon + 1);
        }
    }
    member.vdev = vdev_find(config->device);
    status = device_check(&member, config, queues, err, err_size);
    if (status != 0)
        goto out;
    if (member.vdev == NULL) {
        snprintf(out, out_size, "%s%s", strlen(text) <= 7 ? "0000:" : "", text);
        snprintf(devargs, sizeof(devargs), "%s", out);
    } else {
        vdev_arguments(member.vdev, config, queues, arguments, sizeof(arguments));
        snprintf(out, out_size, "%s_member%u", member.vdev->driver, number++);
        snprintf(devargs, sizeof(devargs), "%s,%s", out, arguments);
    }
    if (rte_eth_dev_get_port_by_name(out, &id) == 0)
        goto out; /* a card, found when DPDK started */
    status = rte_dev_probe(devargs);
    if (status != 0) {
        eal_said(said, sizeof(said));
        device_problem(device, status, err, err_size, "its member %s cannot be opened (%s): %s", text,
                       strerror(-status), said);
    }
out:
    free(config);
    return status;
}

int bond_arguments(struct device *device, const struct port_config *config, unsigned queues, char *out,
                   size_t out_size, char *err, size_t err_size)
{
    char members[VALUE_STRING_BYTES], *rest = members, *text;
    size_t length;

    if (config->members[0] == '\0')
        return device_problem(device, -EINVAL, err, err_size,
                              "it has no members. Add members=, for instance members=0000:01:00.0+0000:01:00.1");
    device->bond_mode = config->mode;
    device->primary = -1;
    length = (size_t)snprintf(out, out_size, "mode=%u", config->mode);
    snprintf(members, sizeof(members), "%s", config->members);
    while ((text = strsep(&rest, "+")) != NULL) {
        char *name = device->member[device->members];
        int status;

        if (device->members == BOND_MEMBERS_MAX)
            return device_problem(device, -EINVAL, err, err_size, "it has more than %d members",
                                  BOND_MEMBERS_MAX);
        status = member_open(device, text, queues, name, sizeof(device->member[0]), err, err_size);
        if (status != 0)
            return status;
        if (strncmp(text, "af_packet:", 10) == 0 || strncmp(text, "af_xdp:", 7) == 0)
            snprintf(device->member_interface[device->members], sizeof(device->member_interface[0]), "%.15s",
                     strchr(text, ':') + 1);
        device->members++;
        length += (size_t)snprintf(out + length, out_size - length, "," DPDK_BOND_MEMBER_KEY "=%s", name);
        if (length >= out_size)
            return -EINVAL;
    }
    return 0;
}

/*
 * Drivers that stand on an interface of the kernel say that their link is up as long as they live, so
 * that the bond would go on sending into a pulled cable. Received is on all members at any time.
 */
bool bond_look(struct device *device)
{
    struct rte_eth_link link = {0};
    int up[BOND_MEMBERS_MAX], first = -1;
    uint16_t id;

    for (unsigned i = 0; i < device->members; i++) {
        struct interface interface = {0};

        up[i] = device->member_interface[i][0] == '\0' ||
                (interface_read(device->member_interface[i], &interface) == 0 && interface.running);
        if (up[i] && first < 0)
            first = (int)i;
    }
    if (first < 0 || rte_eth_link_get_nowait(device->port.id, &link) != 0)
        return false;
    if (device->bond_mode == BONDING_MODE_ACTIVE_BACKUP && (device->primary < 0 || !up[device->primary]) &&
        device->member_interface[first][0] != '\0' && rte_eth_dev_get_port_by_name(device->member[first], &id) == 0 &&
        rte_eth_bond_primary_set(device->port.id, id) == 0) {
        if (device->primary >= 0)
            log_warn("port %s: the link of %s is down, %s takes over", device->port.name,
                     device->member_interface[device->primary], device->member_interface[first]);
        device->primary = first;
        __atomic_add_fetch(&device->port.moves, 1, __ATOMIC_RELAXED);
    }
    return link.link_status == RTE_ETH_LINK_UP;
}

void bond_close(struct device *device)
{
    uint16_t id;

    for (unsigned i = 0; i < device->members; i++) {
        if (rte_eth_dev_get_port_by_name(device->member[i], &id) != 0)
            continue;
        rte_eth_dev_stop(id);
        rte_eth_dev_close(id);
    }
    device->members = 0;
}
