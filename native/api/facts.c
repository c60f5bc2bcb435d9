/* SPDX-License-Identifier: Apache-2.0 */
#include "api/facts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/json_out.h"
#include "base/log.h"
#include "config/config.h"
#include "port/port.h"
#include "stack/group.h"
#include "stats/segment.h"

static const struct {
    uint32_t bit;
    const char *name;
} offloads[] = {
    { PORT_TX_IPV4_CSUM, "tx-ipv4-checksum" }, { PORT_TX_TCP_CSUM, "tx-tcp-checksum" },
    { PORT_TX_UDP_CSUM, "tx-udp-checksum" },   { PORT_TX_TSO, "tx-segmentation" },
    { PORT_TX_MULTI_SEGS, "tx-scatter" },      { PORT_RX_IPV4_CSUM, "rx-ipv4-checksum" },
    { PORT_RX_L4_CSUM, "rx-l4-checksum" },     { PORT_RX_SCATTER, "rx-scatter" },
    { PORT_RX_RSS, "rx-rss" },                 { PORT_RX_INTERRUPT, "rx-interrupt" },
    { PORT_RX_LARGE, "rx-large" },
};

static void tell_setting(void *context, const char *key, const char *value, const char *source)
{
    struct json_out *out = context;

    json_open(out, NULL, '{');
    json_string(out, "fact", "setting");
    json_string(out, "key", key);
    json_string(out, "value", value);
    json_string(out, "source", source);
    json_close(out, '}');
    json_line(out);
}

static void tell_addresses(struct json_out *out, const char *key,
                           const struct config_addresses *addresses, bool prefix)
{
    char text[INET6_ADDRSTRLEN], whole[INET6_ADDRSTRLEN + 4];

    json_open(out, key, '[');
    for (uint32_t i = 0; i < addresses->count; i++) {
        const struct config_address *address = &addresses->entry[i];

        inet_ntop(address->family, address->bytes, text, sizeof(text));
        snprintf(whole, sizeof(whole), "%s/%u", text, address->prefix_bits);
        json_string(out, NULL, prefix ? whole : text);
    }
    json_close(out, ']');
}

static void tell_port(struct json_out *out, const struct port *port, const struct port_config *config)
{
    char mac[18];

    snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", port->mac[0], port->mac[1],
             port->mac[2], port->mac[3], port->mac[4], port->mac[5]);
    json_open(out, NULL, '{');
    json_string(out, "fact", "port");
    json_number(out, "id", port->id);
    json_string(out, "name", port->name);
    json_string(out, "device", config->device);
    json_string(out, "driver", port->driver);
    json_string(out, "interface", port->interface);
    json_string(out, "mac", mac);
    json_number(out, "mtu", port->mtu);
    json_number(out, "queues", port->queues);
    json_signed(out, "numa_node", port->numa_node);
    json_bool(out, "rx_checksum", !port->rx_checksum_skip);
    tell_addresses(out, "addresses", &config->addresses, true);
    tell_addresses(out, "gateways", &config->gateways, false);
    json_open(out, "offloads", '[');
    for (size_t i = 0; i < ARRAY_SIZE(offloads); i++)
        if (port->offloads & offloads[i].bit)
            json_string(out, NULL, offloads[i].name);
    json_close(out, ']');
    json_open(out, "offloads_missing", '[');
    for (size_t i = 0; i < ARRAY_SIZE(offloads); i++)
        if (!(port->offloads & offloads[i].bit))
            json_string(out, NULL, offloads[i].name);
    json_close(out, ']');
    json_close(out, '}');
    json_line(out);
}

static void tell_stack(struct json_out *out, const struct stack *s, const struct config *config)
{
    json_open(out, NULL, '{');
    json_string(out, "fact", "stack");
    json_number(out, "id", s->id);
    json_signed(out, "core", s->core);
    json_signed(out, "numa_node", s->numa_node);
    json_string(out, "drive", s->driver->name);
    json_number(out, "packets", config->memory_packets);
    json_number(out, "chunks", s->chunks->count);
    json_open(out, "ports", '[');
    for (unsigned i = 0; i < s->ports_count; i++)
        json_number(out, NULL, netif_port_port(s->ports[i])->id);
    json_close(out, ']');
    json_close(out, '}');
    json_line(out);
}

void facts_tell(const struct config *config, struct port *const *ports, unsigned ports_count)
{
    char *text = malloc(SEGMENT_FACTS_BYTES);
    struct json_out out;

    if (text == NULL)
        return;
    json_out_init(&out, text, SEGMENT_FACTS_BYTES);
    for (unsigned i = 0; i < group.count; i++)
        tell_stack(&out, group.stacks[i], config);
    for (unsigned i = 0; i < ports_count; i++)
        tell_port(&out, ports[i], &config->port.entry[i]);
    config_dump(config, tell_setting, &out);
    if (out.cut)
        log_warn("statistics: the settings are too long to be shown all");
    segment_facts(text, out.length);
    free(text);
}
