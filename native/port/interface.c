/* SPDX-License-Identifier: Apache-2.0 */
#include "port/interface.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/kernel_calls.h"

int interface_read(const char *name, struct interface *out)
{
    struct ifreq request = {0};
    int fd = kernel.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), status = -ENODEV;

    if (fd < 0)
        return -errno;
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (kernel.ioctl(fd, SIOCGIFINDEX, &request) != 0)
        goto out;
    out->index = request.ifr_ifindex;
    if (kernel.ioctl(fd, SIOCGIFMTU, &request) != 0)
        goto out;
    out->mtu = (uint32_t)request.ifr_mtu;
    if (kernel.ioctl(fd, SIOCGIFFLAGS, &request) != 0)
        goto out;
    out->up = (request.ifr_flags & IFF_UP) != 0;
    out->running = (request.ifr_flags & IFF_RUNNING) != 0;
    if (kernel.ioctl(fd, SIOCGIFHWADDR, &request) != 0)
        goto out;
    memcpy(out->mac, request.ifr_hwaddr.sa_data, sizeof(out->mac));
    status = 0;
out:
    kernel.close(fd);
    return status;
}

void interface_names(char *out, size_t out_size)
{
    struct if_nameindex *list = if_nameindex();
    size_t length = 0;

    out[0] = '\0';
    for (struct if_nameindex *entry = list; entry && entry->if_name && length < out_size; entry++)
        length += (size_t)snprintf(out + length, out_size - length, "%s%s", length ? ", " : "",
                                   entry->if_name);
    if (list != NULL)
        if_freenameindex(list);
}

unsigned interface_queues(const char *name)
{
    char path[64];
    unsigned count = 0;

    do
        snprintf(path, sizeof(path), "/sys/class/net/%.15s/queues/rx-%u", name, count);
    while (access(path, F_OK) == 0 && ++count < UINT16_MAX);
    return count;
}

uint64_t capabilities_read(void)
{
    unsigned long long have = 0;
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "CapEff: %llx", &have) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return have;
}

int interface_open_promiscuous(const struct interface *interface)
{
    struct packet_mreq request = {.mr_ifindex = interface->index, .mr_type = PACKET_MR_PROMISC};
    int fd = kernel.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), status;

    if (fd < 0)
        return -errno;
    if (kernel.setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)) != 0) {
        status = -errno;
        kernel.close(fd);
        return status;
    }
    return fd;
}
