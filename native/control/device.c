/* SPDX-License-Identifier: Apache-2.0 */
#include "control/device.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "config/config.h"
#include "stack/group.h"

#define DEVICES_MAX (CONFIG_PORTS_MAX + DEVICE_LOOPBACK)

static struct {
    char name[DEVICE_NAME_BYTES];
    uint64_t stacks;
} devices[DEVICES_MAX + 1] = { [DEVICE_LOOPBACK] = { .name = "lo" } };

static unsigned last = DEVICE_LOOPBACK;

unsigned device_add(const char *interface, const char *kind, uint64_t stacks)
{
    unsigned same = 0;

    INVARIANT(last < DEVICES_MAX);
    devices[++last].stacks = stacks;
    if (interface[0] != '\0') {
        snprintf(devices[last].name, sizeof(devices[last].name), "%.15s", interface);
        return last;
    }
    do
        snprintf(devices[last].name, sizeof(devices[last].name), "%.12s%u", kind, same++);
    while (device_find(devices[last].name) != last);
    return last;
}

void device_clear(void)
{
    last = DEVICE_LOOPBACK;
}

unsigned device_find(const char *name)
{
    for (unsigned i = DEVICE_LOOPBACK; i <= last; i++)
        if (strcmp(devices[i].name, name) == 0)
            return i;
    return 0;
}

const char *device_name(unsigned number)
{
    return number >= DEVICE_LOOPBACK && number <= last ? devices[number].name : NULL;
}

uint64_t device_stacks(unsigned number)
{
    if (number <= DEVICE_LOOPBACK)
        return group_mask();
    return number <= last ? devices[number].stacks : 0;
}
