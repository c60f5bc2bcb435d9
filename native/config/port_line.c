/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one port line: the device, then name=value pairs, separated by commas. The names, types and
 * limits are the rows of port_keys.def.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "config/config.h"

static const struct {
    struct value_rule rule;
    size_t offset;
} port_keys[] = {
#define PORT_KEY(name, field, type, default_text, min, max, help) \
    {{name, VALUE_##type, default_text, min, max}, offsetof(struct port_config, field)},
#include "config/port_keys.def"
};

static bool set_defaults(struct port_config *port, struct value_problem *problem)
{
    for (size_t i = 0; i < ARRAY_SIZE(port_keys); i++)
        if (!value_parse(&port_keys[i].rule, port_keys[i].rule.default_text,
                         (char *)port + port_keys[i].offset, problem))
            return false;
    return true;
}

static bool set_device(struct port_config *port, const char *device, struct value_problem *problem)
{
    if (strncmp(device, "device=", 7) == 0)
        device += 7;
    if (strchr(device, '=') || *device == '\0')
        return value_fail(problem, "does not begin with a device; give one first, like "
                          "af_packet,iface=eth0");
    for (const char *c = device; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_.:-", *c))
            return value_fail(problem, "begins with \"%.40s\", which is no device name; give one "
                              "like af_packet or 0000:3b:00.0", device);
    if (strlen(device) >= sizeof(port->device))
        return value_fail(problem, "has a device name that is too long: \"%.40s\"", device);
    memcpy(port->device, device, strlen(device) + 1);
    return true;
}

static bool set_pair(struct port_config *port, char *pair, uint64_t *seen,
                     struct value_problem *problem)
{
    struct value_nearest nearest = {NULL, UINT32_MAX};
    struct value_problem inner;
    char *value = strchr(pair, '=');

    if (!value)
        return value_fail(problem, "has \"%.60s\" in it; give name=value, separated by commas",
                          pair);
    *value++ = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(port_keys); i++) {
        const struct value_rule *rule = &port_keys[i].rule;

        if (strcmp(pair, rule->name) != 0) {
            value_nearest_try(&nearest, pair, rule->name);
            continue;
        }
        bool is_list = rule->type == VALUE_addresses || rule->type == VALUE_gateways;
        if (!is_list && *seen & UINT64_C(1) << i)
            return value_fail(problem, "says %s twice; give it once", pair);
        *seen |= UINT64_C(1) << i;
        if (is_list && *value == '\0')
            return value_fail(problem, "has an empty %s; leave it out", pair);
        if (!value_parse(rule, value, (char *)port + port_keys[i].offset, &inner))
            return value_fail(problem, "is wrong at %s: \"%.60s\" %s", pair, value, inner.text);
        return true;
    }
    if (nearest.name)
        return value_fail(problem, "has the unknown name \"%.40s\"; did you mean %s?", pair,
                          nearest.name);
    return value_fail(problem, "has the unknown name \"%.40s\"; see docs/configuration.md for "
                      "those that a port can have", pair);
}

static bool same_network(const struct config_address *network, const struct config_address *address)
{
    unsigned whole = network->prefix_bits / 8, rest = network->prefix_bits % 8;

    if (network->family != address->family || memcmp(network->bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 ||
           (network->bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

static bool is_link_local(const struct config_address *address)
{
    return address->family == AF_INET6 && address->bytes[0] == 0xfe &&
           (address->bytes[1] & 0xc0) == 0x80;
}

/* A gateway that the port cannot reach is a misspelt address: it would only show as silence. */
static bool check_gateways(const struct port_config *port, struct value_problem *problem)
{
    for (uint32_t i = 0; i < port->gateways.count; i++) {
        const struct config_address *gateway = &port->gateways.entry[i];
        bool reachable = is_link_local(gateway) || port->takeover;
        char ip[INET6_ADDRSTRLEN];

        for (uint32_t j = 0; j < port->addresses.count; j++)
            reachable |= same_network(&port->addresses.entry[j], gateway);
        if (reachable)
            continue;
        inet_ntop(gateway->family, gateway->bytes, ip, sizeof(ip));
        return value_fail(problem, "has the gateway %s, which is in no network of its addresses; "
                          "correct it, or add an address with a prefix that contains it", ip);
    }
    return true;
}

static bool check_together(const struct port_config *port, struct value_problem *problem)
{
    if (port->mtu != 0 && port->mtu < 576)
        return value_fail(problem, "is wrong at mtu: give 0 or a number from 576 to 9600");
    for (uint32_t i = 0; i < port->addresses.count; i++)
        if (port->addresses.entry[i].family == AF_INET6 && port->mtu != 0 && port->mtu < 1280)
            return value_fail(problem, "is wrong at mtu: IPv6 needs at least 1280");
    if (port->takeover && port->iface[0] == '\0')
        return value_fail(problem, "says takeover=on, but not of what; add iface=<interface>");
    return check_gateways(port, problem);
}

bool port_line_parse(const char *line, struct port_config *port, struct value_problem *problem)
{
    char copy[CONFIG_PORT_LINE_BYTES];
    char *rest = copy, *part;
    uint64_t seen = 0;

    if (!value_trimmed(line, copy, sizeof(copy), problem))
        return false;
    memset(port, 0, sizeof(*port));
    memcpy(port->text, copy, strlen(copy) + 1);
    if (!set_defaults(port, problem) || !set_device(port, strsep(&rest, ","), problem))
        return false;
    while ((part = strsep(&rest, ",")))
        if (!set_pair(port, part, &seen, problem))
            return false;
    return check_together(port, problem);
}
