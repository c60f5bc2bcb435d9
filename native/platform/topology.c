/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/topology.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static cpu_set_t usable, isolated;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* "0-3,8,10-11" as the kernel writes it; anything else is an empty list. */
static void cpu_list_read(const char *path, cpu_set_t *set)
{
    FILE *file = fopen(path, "re");
    unsigned first, last;

    CPU_ZERO(set);
    if (file == NULL)
        return;
    while (fscanf(file, "%u", &first) == 1) {
        int separator = fgetc(file);

        last = first;
        if (separator == '-') {
            if (fscanf(file, "%u", &last) != 1)
                break;
            separator = fgetc(file);
        }
        for (unsigned cpu = first; cpu <= last && cpu < CPU_SETSIZE; cpu++)
            CPU_SET(cpu, set);
        if (separator != ',')
            break;
    }
    fclose(file);
}

static void topology_read(void)
{
    if (sched_getaffinity(0, sizeof(usable), &usable) != 0) {
        CPU_ZERO(&usable);
        CPU_SET(0, &usable);
    }
    cpu_list_read("/sys/devices/system/cpu/isolated", &isolated);
}

unsigned topology_cpu_count(void)
{
    pthread_once(&once, topology_read);
    return (unsigned)CPU_COUNT(&usable);
}

bool topology_cpu_usable(unsigned cpu)
{
    pthread_once(&once, topology_read);
    /* An isolated CPU is left out of the default affinity, yet may be asked for by number. */
    return cpu < CPU_SETSIZE && (CPU_ISSET(cpu, &usable) || CPU_ISSET(cpu, &isolated));
}

int topology_cpu_node(unsigned cpu)
{
    char path[96];

    for (int node = 0; node < 64; node++) {
        snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/node%d", cpu, node);
        if (access(path, F_OK) == 0)
            return node;
    }
    return 0;
}

bool topology_cpu_isolated(unsigned cpu)
{
    pthread_once(&once, topology_read);
    return cpu < CPU_SETSIZE && CPU_ISSET(cpu, &isolated);
}
