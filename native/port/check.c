/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is commonly wrong with a port line, found before DPDK is asked and said in words that help:
 * which device, why, what to do. What only the driver can find is reported by open.c, with the
 * driver's own words.
 */
#include <ctype.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/kernel_calls.h"
#include "base/log.h"
#include "port/device.h"
#include "port/pci.h"
#include "port/plugin.h"

int device_problem(const struct device *device, int status, char *err, size_t err_size,
                   const char *format, ...)
{
    va_list values;
    int length = snprintf(err, err_size, "port %s: ", device->port.name);

    va_start(values, format);
    if (length >= 0 && (size_t)length < err_size)
        vsnprintf(err + length, err_size - (size_t)length, format, values);
    va_end(values);
    return status;
}

static int interface_check(struct device *device, const struct port_config *config, char *err,
                           size_t err_size)
{
    uint32_t mtu = config->mtu;
    char names[256];
    int fd;

    if (config->iface[0] == '\0')
        return device_problem(device, -EINVAL, err, err_size,
                              "no interface given. Add iface=NAME to the port line");
    if (interface_read(config->iface, &device->interface) != 0) {
        interface_names(names, sizeof(names));
        return device_problem(device, -ENODEV, err, err_size,
                              "there is no interface %s here; there are %s. Create it (ip link add) or correct "
                              "iface=",
                              config->iface, names);
    }
    if (!device->interface.up)
        return device_problem(device, -ENETDOWN, err, err_size,
                              "the interface is down. Bring it up: ip link set %s up", config->iface);
    if (mtu > device->interface.mtu)
        return device_problem(device, -EINVAL, err, err_size,
                              "mtu=%u is more than the interface's %u. Lower it, or: ip link set %s mtu %u", mtu,
                              device->interface.mtu, config->iface, mtu);
    fd = kernel.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return device_problem(device, -errno, err, err_size,
                              "no permission to open a packet socket (%s). Run as root, or give the program the "
                              "capability: setcap cap_net_raw,cap_net_admin+ep PROGRAM",
                              strerror(errno));
    kernel.close(fd);
    return 0;
}

/* A frame, its packet's headers and the kernel's headroom lie in one page of memory. */
#define XDP_MTU_MAX 3400u

/* What bpf(2) and the XDP socket want; the driver's own words for it are no help. */
static int xdp_check(struct device *device, const struct port_config *config, unsigned queues, char *err,
                     size_t err_size)
{
    static const struct {
        unsigned bit;
        const char *name;
    } wanted[] = {
        {CAP_NET_ADMIN, "cap_net_admin"},
        {CAP_SYS_ADMIN, "cap_sys_admin"},
        {CAP_IPC_LOCK, "cap_ipc_lock"},
    };
    uint64_t have = capabilities_read();
    unsigned taken = config->start_queue + queues, all = interface_queues(config->iface);
    struct rlimit lock = {0};

    getrlimit(RLIMIT_MEMLOCK, &lock);
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        if ((have >> wanted[i].bit & 1) != 0 || (wanted[i].bit == CAP_IPC_LOCK && lock.rlim_cur == RLIM_INFINITY))
            continue;
        return device_problem(device, -EPERM, err, err_size,
                              "no permission for XDP (%s is missing). Run as root, give the program the capabilities "
                              "(setcap cap_net_raw,cap_net_admin,cap_sys_admin,cap_ipc_lock+ep PROGRAM), or use "
                              "af_packet on the same interface",
                              wanted[i].name);
    }
    if (config->mtu > XDP_MTU_MAX)
        return device_problem(device, -EINVAL, err, err_size,
                              "mtu=%u is more than XDP's %u. Lower it, or use af_packet", config->mtu, XDP_MTU_MAX);
    if (all != 0 && taken > all)
        return device_problem(device, -EINVAL, err, err_size,
                              "%u queues from %u on are wanted, the interface has %u. Use fewer stacks, or give it "
                              "more: ethtool -L %s combined %u (veth: rx %u tx %u)",
                              queues, config->start_queue, all, config->iface, taken, taken, taken);
    if (taken < all || config->start_queue > 0)
        log_warn("port %s: takes the frames of queues %u to %u of %u; those of the others stay the kernel's "
                 "(ethtool -L %s combined %u changes their number)",
                 device->port.name, config->start_queue, taken - 1, all, config->iface, queues);
    return 0;
}

static int new_interface_check(struct device *device, const struct port_config *config, char *err,
                               size_t err_size)
{
    struct interface existing;

    if (config->iface[0] == '\0')
        return device_problem(device, -EINVAL, err, err_size,
                              "no name given for the new interface. Add iface=NAME to the port line");
    if (interface_read(config->iface, &existing) == 0)
        return device_problem(device, -EEXIST, err, err_size,
                              "the interface exists already. Give another name, or remove it: ip link del %s",
                              config->iface);
    if (access("/dev/net/tun", F_OK) != 0)
        return device_problem(device, -ENODEV, err, err_size,
                              "there is no /dev/net/tun. Load the kernel's tun module, or let the container have "
                              "the device");
    if (access("/dev/net/tun", R_OK | W_OK) != 0)
        return device_problem(device, -EACCES, err, err_size,
                              "no permission for /dev/net/tun. Run as root, or give the program the capability: "
                              "setcap cap_net_admin+ep PROGRAM");
    return 0;
}

static int path_check(struct device *device, const struct port_config *config, char *err, size_t err_size)
{
    char folder[VALUE_STRING_BYTES];
    char *slash;

    if (config->path[0] == '\0')
        return device_problem(device, -EINVAL, err, err_size,
                              "no socket given. Add path=FILE to the port line, the same on both sides");
    snprintf(folder, sizeof(folder), "%s", config->path);
    slash = strrchr(folder, '/');
    if (slash == folder)
        slash++;
    if (slash != NULL)
        *slash = '\0';
    else
        snprintf(folder, sizeof(folder), ".");
    if (access(folder, F_OK) != 0)
        return device_problem(device, -ENOENT, err, err_size,
                              "there is no folder %s for its socket. Create it, or correct path=", folder);
    if (vdev_is_server(device->vdev, config) && access(folder, W_OK) != 0)
        return device_problem(device, -EACCES, err, err_size,
                              "no permission to create its socket in %s. Choose another path=", folder);
    return 0;
}

static int card_check(struct device *device, const struct port_config *config, char *err, size_t err_size)
{
    char driver[64], names[160];

    if (!pci_address_is(config->device)) {
        vdev_names(names, sizeof(names));
        return device_problem(device, -EINVAL, err, err_size,
                              "no such device. Known are %s, or a card's PCI address like 0000:01:00.0", names);
    }
    if (!pci_exists(config->device))
        return device_problem(device, -ENODEV, err, err_size,
                              "there is no card at this PCI address. lspci -D lists the addresses");
    pci_driver(config->device, driver, sizeof(driver));
    if (!pci_driver_is_for_dpdk(driver))
        return device_problem(device, -EBUSY, err, err_size,
                              "the card is %s%s. Hand it over (its kernel interface disappears): "
                              "modprobe vfio-pci; dpdk-devbind.py -b vfio-pci %s",
                              driver[0] ? "bound to the kernel's driver " : "bound to no driver", driver,
                              config->device);
    return plugin_check(driver, err, err_size);
}

int device_check(struct device *device, const struct port_config *config, unsigned queues, char *err,
                 size_t err_size)
{
    const struct vdev *vdev = device->vdev;
    int status = 0;

    if (config->takeover && vdev != NULL && (vdev->traits & VDEV_MAKES_INTERFACE))
        return device_problem(device, -EINVAL, err, err_size,
                              "takeover=on, but the device makes its interface itself. Give address= instead");
    if (vdev == NULL)
        return card_check(device, config, err, err_size);
    if (queues > vdev->queue_limit)
        return device_problem(device, -EINVAL, err, err_size,
                              "%u queues are wanted, the device has at most %u. Use fewer stacks (stack.cores), or "
                              "limit the port to some of them with stacks=",
                              queues, vdev->queue_limit);
    if ((vdev->traits & VDEV_MTU_1500) && config->mtu > 1500)
        return device_problem(device, -EINVAL, err, err_size,
                              "mtu=%u is more than the device's 1500. Lower it", config->mtu);
    if (vdev->traits & VDEV_PLUGIN)
        status = plugin_check(vdev->name, err, err_size);
    if (status == 0 && (vdev->traits & VDEV_NEEDS_INTERFACE))
        status = interface_check(device, config, err, err_size);
    if (status == 0 && (vdev->traits & VDEV_XDP))
        status = xdp_check(device, config, queues, err, err_size);
    if (status == 0 && (vdev->traits & VDEV_MAKES_INTERFACE))
        status = new_interface_check(device, config, err, err_size);
    if (status == 0 && (vdev->traits & VDEV_NEEDS_PATH))
        status = path_check(device, config, err, err_size);
    return status;
}
