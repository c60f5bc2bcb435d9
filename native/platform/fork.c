/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/fork.h"

#include <sys/mman.h>

#include <rte_memory.h>

static int leave_out(const struct rte_memseg_list *list, void *arg)
{
    (void)arg;
    if (!list->external)
        madvise(list->base_va, list->len, MADV_DONTFORK);
    return 0;
}

static void on_event(enum rte_mem_event event, const void *address, size_t bytes, void *arg)
{
    (void)arg;
    if (event == RTE_MEM_EVENT_ALLOC)
        madvise((void *)(uintptr_t)address, bytes, MADV_DONTFORK);
}

void fork_leave_out(void)
{
    rte_memseg_list_walk(leave_out, NULL);
    /* Not offered with --no-huge, where nothing is mapped later. */
    rte_mem_event_callback_register("pronghorn-fork", on_event, NULL);
}
