/* SPDX-License-Identifier: Apache-2.0 */
#include "port/inspect.h"

#include <stdlib.h>

#include <rte_ethdev.h>

#include "base/json_out.h"
#include "port/port.h"

#define COUNTERS_MAX 1024

static void tell_link(struct json_out *out, const struct port *port)
{
    struct rte_eth_link link;

    if (rte_eth_link_get_nowait(port->id, &link) != 0)
        return;
    json_bool(out, "link_up", link.link_status != 0);
    json_number(out, "speed_mbit", link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed);
    json_bool(out, "full_duplex", link.link_duplex != 0);
}

static void tell_counters(struct json_out *out, const struct port *port)
{
    struct rte_eth_xstat_name *names = calloc(COUNTERS_MAX, sizeof(*names));
    struct rte_eth_xstat *values = calloc(COUNTERS_MAX, sizeof(*values));
    int count = 0;

    if (names != NULL && values != NULL && rte_eth_xstats_get_names(port->id, names, COUNTERS_MAX) > 0)
        count = rte_eth_xstats_get(port->id, values, COUNTERS_MAX);
    json_open(out, "counters", '{');
    for (int i = 0; i < count && i < COUNTERS_MAX; i++)
        json_number(out, names[values[i].id].name, values[i].value);
    json_close(out, '}');
    free(names);
    free(values);
}

void port_inspect(struct json_out *out, const struct port *port)
{
    struct rte_eth_dev_info info;

    json_open(out, NULL, '{');
    json_number(out, "id", port->id);
    json_string(out, "name", port->name);
    json_string(out, "driver", port->driver);
    tell_link(out, port);
    if (rte_eth_dev_info_get(port->id, &info) == 0) {
        json_number(out, "max_rx_queues", info.max_rx_queues);
        json_number(out, "max_tx_queues", info.max_tx_queues);
    }
    tell_counters(out, port);
    json_close(out, '}');
}
