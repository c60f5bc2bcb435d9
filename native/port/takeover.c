/* SPDX-License-Identifier: Apache-2.0 */
#include "port/takeover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/kernel_calls.h"
#include "base/log.h"
#include "config/config.h"
#include "port/interface.h"
#include "port/netlink.h"

#define RECORDS "/run/pronghorn-takeover"
#define MTU_MAX 9600u /* of keys.def */

/* At the head of a record; addresses and routes follow as messages. */
struct record {
    char magic[8];
    char interface[16];
    int32_t index;
    int32_t disable_ipv6, forwarding; /* as they were; -1: there is no such setting */
};
static const char magic[8] = "phtake1";

static struct taken {
    char interface[16];
    int fd; /* of the record, locked as long as we live */
} taken[CONFIG_PORTS_MAX];

/* ---- the kernel's settings --------------------------------------------------------------------- */

static int setting_read(const char *family, const char *interface, const char *name)
{
    char path[128];
    int value = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, interface, name);
    file = fopen(path, "re");
    if (file == NULL || fscanf(file, "%d", &value) != 1)
        value = -1;
    if (file != NULL)
        fclose(file);
    return value;
}

static void setting_write(const char *family, const char *interface, const char *name, int value)
{
    char path[128];
    FILE *file;

    if (value < 0)
        return;
    snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, interface, name);
    file = fopen(path, "we");
    if (file == NULL || fprintf(file, "%d\n", value) < 0)
        log_warn("takeover: %s cannot be set to %d: %s", path, value, strerror(errno));
    if (file != NULL)
        fclose(file);
}

/* ---- records ------------------------------------------------------------------------------------ */

/* Of this network namespace: other ones may have interfaces of the same name. */
static uint64_t namespace_read(void)
{
    struct stat ns;

    return stat("/proc/self/ns/net", &ns) == 0 ? ns.st_ino : 0;
}

static void record_path(const char *interface, char *out, size_t out_size)
{
    snprintf(out, out_size, RECORDS "/%llu.%.15s", (unsigned long long)namespace_read(), interface);
}

static void give_back(const struct record *record, const struct netlink_list *list)
{
    const struct nlmsghdr *message = NULL;
    unsigned failed = 0;

    setting_write("ipv4", record->interface, "forwarding", record->forwarding);
    setting_write("ipv6", record->interface, "disable_ipv6", record->disable_ipv6);
    /* Addresses stand first; a route may need another one: what fails is tried again. */
    for (int round = 0; round < 3; round++) {
        failed = 0;
        while ((message = netlink_next(list, message)) != NULL) {
            int status = netlink_create(message);

            failed += status != 0 && status != -EEXIST;
        }
        if (failed == 0)
            break;
    }
    if (failed > 0)
        log_warn("takeover: %u addresses or routes of %s could not be given back to the kernel", failed,
                 record->interface);
}

/* Reads a record whole; false: it is none. */
static bool record_load(FILE *file, struct record *record, struct netlink_list *list)
{
    struct stat about;

    if (fstat(fileno(file), &about) != 0 || fread(record, sizeof(*record), 1, file) != 1 ||
        memcmp(record->magic, magic, sizeof(magic)) != 0)
        return false;
    record->interface[sizeof(record->interface) - 1] = '\0';
    list->length = (size_t)about.st_size - sizeof(*record);
    list->bytes = malloc(list->length + 1);
    return list->bytes != NULL && fread(list->bytes, 1, list->length, file) == list->length;
}

/* The record is nobody's any more, or ours: the kernel gets everything back. */
static void record_end(int fd, const char *path)
{
    FILE *file = fdopen(fd, "r");
    struct netlink_list list = {0};
    struct interface now;
    struct record record;

    if (file == NULL) {
        kernel.close(fd);
        return;
    }
    rewind(file);
    if (record_load(file, &record, &list) && interface_read(record.interface, &now) == 0 && now.index == record.index)
        give_back(&record, &list);
    unlink(path);
    netlink_free(&list);
    fclose(file);
}

void takeover_sweep(void)
{
    DIR *folder = opendir(RECORDS);
    char mine[32], path[sizeof(RECORDS) + NAME_MAX + 2];
    struct dirent *entry;

    if (folder == NULL)
        return;
    snprintf(mine, sizeof(mine), "%llu.", (unsigned long long)namespace_read());
    while ((entry = readdir(folder)) != NULL) {
        int fd;

        if (strncmp(entry->d_name, mine, strlen(mine)) != 0)
            continue;
        snprintf(path, sizeof(path), RECORDS "/%s", entry->d_name);
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            continue;
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            kernel.close(fd);
            continue;
        }
        log_info("takeover: gives back to the kernel what a process that ended had of %s",
                 entry->d_name + strlen(mine));
        record_end(fd, path);
    }
    closedir(folder);
}

/* ---- taking ------------------------------------------------------------------------------------- */

static void address_take(struct config_addresses *list, uint8_t family, unsigned bits, const void *bytes)
{
    struct config_address address = {.family = family, .prefix_bits = (uint8_t)bits};

    memcpy(address.bytes, bytes, family == AF_INET ? 4 : 16);
    for (uint32_t i = 0; i < list->count; i++)
        if (list->entry[i].family == family && memcmp(list->entry[i].bytes, address.bytes, 16) == 0)
            return;
    if (list->count < VALUE_ADDRESSES_MAX)
        list->entry[list->count++] = address;
}

static void addresses_take(struct port_config *config, const struct netlink_list *list)
{
    for (struct nlmsghdr *m = netlink_next(list, NULL); m != NULL; m = netlink_next(list, m)) {
        const struct ifaddrmsg *a = NLMSG_DATA(m);
        size_t bytes = a->ifa_family == AF_INET ? 4 : 16;
        /* IFA_ADDRESS of a point-to-point link is the peer's. */
        const void *own = netlink_attribute(m, sizeof(*a), IFA_LOCAL, bytes);

        if (own == NULL)
            own = netlink_attribute(m, sizeof(*a), IFA_ADDRESS, bytes);
        if (own != NULL)
            address_take(&config->addresses, a->ifa_family, a->ifa_prefixlen, own);
    }
}

static bool has_gateway(const struct port_config *config, uint8_t family)
{
    for (uint32_t i = 0; i < config->gateways.count; i++)
        if (config->gateways.entry[i].family == family)
            return true;
    return false;
}

/* The default route of the least metric; returns how many other routes have a gateway. */
static unsigned gateway_take(struct port_config *config, const struct netlink_list *list, uint8_t family)
{
    size_t bytes = family == AF_INET ? 4 : 16;
    uint32_t best_metric = UINT32_MAX;
    const void *best = NULL;
    unsigned others = 0;

    for (struct nlmsghdr *m = netlink_next(list, NULL); m != NULL; m = netlink_next(list, m)) {
        const struct rtmsg *r = NLMSG_DATA(m);
        const void *gateway = netlink_attribute(m, sizeof(*r), RTA_GATEWAY, bytes);
        const uint32_t *metric = netlink_attribute(m, sizeof(*r), RTA_PRIORITY, sizeof(*metric));

        if (r->rtm_family != family || gateway == NULL)
            continue;
        others += r->rtm_dst_len != 0;
        if (r->rtm_dst_len == 0 && (best == NULL || (metric ? *metric : 0) < best_metric)) {
            best = gateway;
            best_metric = metric ? *metric : 0;
        }
    }
    if (best != NULL && !has_gateway(config, family))
        address_take(&config->gateways, family, family == AF_INET ? 32 : 128, best);
    return others;
}

int takeover_read(struct port_config *config, char *err, size_t err_size)
{
    struct netlink_list addresses = {0}, routes = {0};
    struct interface interface;
    unsigned others;
    int status = interface_read(config->iface, &interface);

    if (status != 0) {
        char names[256];

        interface_names(names, sizeof(names));
        snprintf(err, err_size,
                 "port %s: takeover=on of the interface %s, which is not here; there are %s. Correct iface=",
                 config->device, config->iface, names);
        return status;
    }
    status = netlink_dump(RTM_GETADDR, interface.index, &addresses);
    if (status == 0)
        status = netlink_dump(RTM_GETROUTE, interface.index, &routes);
    if (status == 0) {
        addresses_take(config, &addresses);
        others = gateway_take(config, &routes, AF_INET) + gateway_take(config, &routes, AF_INET6);
        if (others > 0)
            log_warn("port %s %s: %u routes to certain networks are not taken over: all that is not on the link goes "
                     "to the default gateway", config->device, config->iface, others);
        if (!config->mac.given)
            memcpy(config->mac.bytes, interface.mac, sizeof(config->mac.bytes));
        config->mac.given = true;
        if (config->mtu == 0)
            config->mtu = min_u32(interface.mtu, MTU_MAX);
        if (config->addresses.count == 0) {
            snprintf(err, err_size,
                     "port %s: takeover=on, but the interface %s has no address. Give it one (ip addr add), or give "
                     "address= instead", config->device, config->iface);
            status = -EADDRNOTAVAIL;
        }
    } else {
        snprintf(err, err_size, "port %s: the addresses of %s cannot be read: %s", config->device, config->iface,
                 strerror(-status));
    }
    netlink_free(&addresses);
    netlink_free(&routes);
    return status;
}

/* The record's file, locked; it is whole before the kernel loses anything. */
static int record_write(const struct record *record, const struct netlink_list *list, char *err, size_t err_size)
{
    char path[256];
    int fd;

    mkdir(RECORDS, 0700);
    record_path(record->interface, path, sizeof(path));
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        int status = -errno;

        snprintf(err, err_size, "port on %s: what the kernel had cannot be written down in %s: %s. takeover=on needs "
                                "root; or give address=, gateway=, mac= and mtu= instead",
                 record->interface, RECORDS, strerror(errno));
        return status;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        snprintf(err, err_size, "port on %s: another process has taken it over already. End that one first",
                 record->interface);
        kernel.close(fd);
        return -EBUSY;
    }
    if (ftruncate(fd, 0) != 0 || kernel.write(fd, record, sizeof(*record)) != sizeof(*record) ||
        kernel.write(fd, list->bytes, list->length) != (ssize_t)list->length) {
        snprintf(err, err_size, "port on %s: no room in %s: %s", record->interface, RECORDS, strerror(errno));
        unlink(path);
        kernel.close(fd);
        return -ENOSPC;
    }
    return fd;
}

int takeover_begin(const char *name, char *err, size_t err_size)
{
    struct record record = {0};
    struct netlink_list list = {0};
    struct interface interface;
    struct taken *entry = NULL;
    int status = interface_read(name, &interface), fd;

    for (size_t i = 0; i < ARRAY_SIZE(taken) && entry == NULL; i++)
        if (taken[i].interface[0] == '\0')
            entry = &taken[i];
    if (status != 0 || entry == NULL)
        return status ? status : -ENOSPC;
    memcpy(record.magic, magic, sizeof(magic));
    snprintf(record.interface, sizeof(record.interface), "%s", name);
    record.index = interface.index;
    record.disable_ipv6 = setting_read("ipv6", name, "disable_ipv6");
    record.forwarding = setting_read("ipv4", name, "forwarding");
    status = netlink_dump(RTM_GETADDR, interface.index, &list);
    if (status == 0)
        status = netlink_dump(RTM_GETROUTE, interface.index, &list);
    if (status != 0) {
        snprintf(err, err_size, "port on %s: its addresses cannot be read: %s", name, strerror(-status));
        goto out;
    }
    status = fd = record_write(&record, &list, err, err_size);
    if (fd < 0)
        goto out;
    memcpy(entry->interface, record.interface, sizeof(entry->interface));
    entry->fd = fd;
    status = 0;
    /* Without addresses the kernel neither answers nor claims them; and it must not send packets on. */
    setting_write("ipv4", name, "forwarding", record.forwarding > 0 ? 0 : -1);
    setting_write("ipv6", name, "disable_ipv6", record.disable_ipv6 == 0 ? 1 : -1);
    for (struct nlmsghdr *m = netlink_next(&list, NULL); m != NULL && status == 0; m = netlink_next(&list, m))
        if (m->nlmsg_type == RTM_NEWADDR && ((struct ifaddrmsg *)NLMSG_DATA(m))->ifa_family == AF_INET)
            status = netlink_delete_address(m);
    if (status != 0) {
        snprintf(err, err_size, "port on %s: the kernel does not give up its addresses: %s. Run as root, or give the "
                                "program the capability: setcap cap_net_raw,cap_net_admin+ep PROGRAM",
                 name, strerror(-status));
        takeover_end(name);
    }
out:
    netlink_free(&list);
    return status;
}

void takeover_end(const char *name)
{
    char path[256];

    for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
        if (taken[i].interface[0] == '\0' || strcmp(taken[i].interface, name) != 0)
            continue;
        record_path(name, path, sizeof(path));
        record_end(taken[i].fd, path);
        taken[i].interface[0] = '\0';
    }
}
