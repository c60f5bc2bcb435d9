/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/core.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <rte_errno.h>

#include "platform/topology.h"

/*
 * rte_thread_register() gives the calling thread an id; the id is then taken off the thread and
 * belongs to the stack, until core_release() puts it on some thread once more to give it back.
 */
int core_claim(unsigned *lcore)
{
    unsigned previous = core_enter(LCORE_ID_ANY);
    int status = rte_thread_register() == 0 ? 0 : -ENOSPC;

    if (status == 0)
        *lcore = rte_lcore_id();
    core_leave(previous);
    return status;
}

void core_release(unsigned lcore)
{
    unsigned previous = core_enter(lcore);

    rte_thread_unregister();
    core_leave(previous);
}

int core_pin(unsigned cpu)
{
    cpu_set_t set;

    if (!topology_cpu_usable(cpu))
        return -EINVAL;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return -pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

void core_name_thread(const char *name)
{
    char cut[16]; /* the kernel's limit */

    snprintf(cut, sizeof(cut), "%s", name);
    pthread_setname_np(pthread_self(), cut);
}
