/* SPDX-License-Identifier: Apache-2.0 */
#include "port/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "config/config.h"
#include "port/pci.h"

static struct plugin {
    const char *device; /* a row of vdev.def, or the kernel driver of a card */
    const char *file;
    bool open;
} plugins[] = {
    {"af_xdp", "libpronghorn-af_xdp.so", false},
    {"mlx5_core", "libpronghorn-mlx5.so", false},
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

int plugin_open(const struct port_config *ports, size_t count, char *err, size_t err_size)
{
    char path[512], driver[64];

    for (size_t i = 0; i < count; i++) {
        struct plugin *plugin = plugin_find(ports[i].device);

        if (plugin == NULL && pci_address_is(ports[i].device)) {
            pci_driver(ports[i].device, driver, sizeof(driver));
            plugin = plugin_find(driver);
        }
        if (plugin == NULL || plugin->open)
            continue;
        plugin_path(plugin->file, path, sizeof(path));
        if (dlopen(path, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE) == NULL) {
            snprintf(err, err_size,
                     "port %s: its driver cannot be loaded: %s. Install the libraries that it names, or use a "
                     "package of Pronghorn that was built with this driver",
                     ports[i].device, dlerror());
            return -ENOENT;
        }
        plugin->open = true;
    }
    return 0;
}

int plugin_check(const char *device, char *err, size_t err_size)
{
    const struct plugin *plugin = plugin_find(device);

    if (plugin == NULL || plugin->open)
        return 0;
    snprintf(err, err_size,
             "port %s: its driver is a library of its own, %s, which is not built yet. Use af_packet on the "
             "same interface", device, plugin->file);
    return -ENOENT;
}
