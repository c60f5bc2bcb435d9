/* SPDX-License-Identifier: Apache-2.0 */
/* What start_all() made besides the stacks themselves, for stop_all() to take apart. */
#ifndef API_PARTS_H
#define API_PARTS_H

#include <stdbool.h>

#include "config/config.h"
#include "stack/group.h"

struct port;
struct rte_mempool;

extern struct start_parts {
    struct port *ports[CONFIG_PORTS_MAX];
    unsigned ports_count;
    struct rte_mempool *pools[STACKS_MAX]; /* of received packets, by stack */
    bool has_lcore[STACKS_MAX], running[STACKS_MAX];
} parts;

#endif
