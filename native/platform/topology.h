/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's processors and NUMA nodes, as far as this process may use them. Cold path. */
#ifndef PLATFORM_TOPOLOGY_H
#define PLATFORM_TOPOLOGY_H

#include <stdbool.h>

/* How many CPUs this process may run on (its affinity mask at the first call). */
unsigned topology_cpu_count(void);
bool topology_cpu_usable(unsigned cpu);

/* NUMA node of a CPU; 0 on a machine without nodes. */
int topology_cpu_node(unsigned cpu);

/* Kept free of other work by isolcpus= or an isolated cpuset partition: busy polling is right. */
bool topology_cpu_isolated(unsigned cpu);

#endif
