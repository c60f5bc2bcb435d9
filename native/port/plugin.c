/* SPDX-License-Identifier: Apache-2.0 */
#include "port/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/log.h"
#include "config/config.h"
#include "port/pci.h"

static struct plugin {
    const char *device; /* a row of vdev.def, or the kernel driver of a card */
    const char *file;
    const char *packages; /* of Debian and Ubuntu, that have the libraries it needs */
    void *open;
} plugins[] = {
    {"af_xdp", "libpronghorn-af_xdp.so", "libxdp1 libbpf1", NULL},
    {"mlx5_core", "libpronghorn-mlx5.so", "libibverbs1 ibverbs-providers", NULL},
};

static struct plugin *plugin_find(const char *device)
{
    for (size_t i = 0; i < ARRAY_SIZE(plugins); i++)
        if (strcmp(plugins[i].device, device) == 0)
            return &plugins[i];
    return NULL;
}

/* Beside the object that this code is in. */
static void plugin_path(const char *file, char *out, size_t out_size)
{
    const char *slash;
    Dl_info here;

    if (dladdr(plugin_path, &here) == 0 || (slash = strrchr(here.dli_fname, '/')) == NULL)
        snprintf(out, out_size, "%s", file);
    else
        snprintf(out, out_size, "%.*s/%s", (int)(slash - here.dli_fname), here.dli_fname, file);
}

/* `device`: "af_xdp", "0000:01:00.0", and a bond's member "af_xdp:va". */
static int device_plugin_open(const char *device, char *err, size_t err_size)
{
    char path[512], name[64];
    struct plugin *plugin;

    if (pci_address_is(device))
        pci_driver(device, name, sizeof(name));
    else
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(device, ":"), device);
    plugin = plugin_find(name);
    if (plugin == NULL || plugin->open != NULL)
        return 0;
    plugin_path(plugin->file, path, sizeof(path));
    if (access(path, F_OK) != 0) {
        snprintf(err, err_size,
                 "port %s: its driver, %s, is not there: this build of Pronghorn was made without it. Install "
                 "the packages libdpdk-dev libxdp-dev libbpf-dev libibverbs-dev and build again%s",
                 device, path, strcmp(name, "af_xdp") == 0 ? ", or use af_packet on the same interface" : "");
        return -ENOENT;
    }
    plugin->open = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (plugin->open == NULL) {
        snprintf(err, err_size, "port %s: its driver cannot be loaded: %s. Install the libraries that it needs: "
                                "apt-get install %s", device, dlerror(), plugin->packages);
        return -ELIBACC;
    }
    return 0;
}

int plugin_open(const struct port_config *port, char *err, size_t err_size)
{
    char members[VALUE_STRING_BYTES], *rest = members, *member;
    int status = device_plugin_open(port->device, err, err_size);

    snprintf(members, sizeof(members), "%s", port->members);
    while (status == 0 && (member = strsep(&rest, "+")) != NULL)
        status = device_plugin_open(member, err, err_size);
    return status;
}

int plugin_check(const char *device, char *err, size_t err_size)
{
    const struct plugin *plugin = plugin_find(device);

    if (plugin == NULL || plugin->open != NULL)
        return 0;
    snprintf(err, err_size, "port %s: its driver, %s, was not loaded before DPDK was started", device, plugin->file);
    return -ENOENT;
}

unsigned plugin_packets_kept(const struct rte_mempool *pool)
{
    unsigned (*ask)(const struct rte_mempool *), kept = 0;

    for (size_t i = 0; i < ARRAY_SIZE(plugins); i++) {
        ask = plugins[i].open ? (unsigned (*)(const struct rte_mempool *))dlsym(plugins[i].open, "plugin_packets_kept")
                              : NULL;
        kept += ask ? ask(pool) : 0;
    }
    return kept;
}
