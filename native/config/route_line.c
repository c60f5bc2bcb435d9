/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one route line: ours, kernel or both, then conditions, all of which must hold:
 *
 *     ours,process=nginx,type=tcp,use=listen,address=10.0.0.0/8,port=80-443
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/compiler.h"
#include "config/config.h"

struct word {
    const char *text;
    int value;
};

static const struct word verdicts[] = { { "ours", ROUTE_OURS }, { "kernel", ROUTE_KERNEL },
                                        { "both", ROUTE_BOTH } };
static const struct word families[] = { { "ipv4", AF_INET }, { "ipv6", AF_INET6 } };
static const struct word types[] = { { "tcp", SOCK_STREAM }, { "udp", SOCK_DGRAM } };
static const struct word uses[] = { { "listen", ROUTE_USE_LISTEN }, { "connect", ROUTE_USE_CONNECT } };

static int find(const struct word *words, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i].text, text) == 0)
            return words[i].value;
    return -1;
}
#define FIND(words, text) find(words, ARRAY_SIZE(words), text)

/* An address, or a network as address/bits. */
static bool parse_network(const char *text, struct config_address *network)
{
    char ip[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    char *end;
    long bits;

    memset(network, 0, sizeof(*network));
    if (length >= sizeof(ip))
        return false;
    memcpy(ip, text, length);
    ip[length] = '\0';
    if (inet_pton(AF_INET, ip, network->bytes) == 1)
        network->family = AF_INET;
    else if (inet_pton(AF_INET6, ip, network->bytes) == 1)
        network->family = AF_INET6;
    else
        return false;
    bits = network->family == AF_INET ? 32 : 128;
    if (slash) {
        long given = strtol(slash + 1, &end, 10);

        if (!isdigit((unsigned char)slash[1]) || *end || given > bits)
            return false;
        bits = given;
    }
    network->prefix_bits = (uint8_t)bits;
    return true;
}

static bool parse_ports(const char *text, struct config_range *range)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    range->first = range->last = (uint32_t)strtoul(text, &end, 10);
    if (*end == '-' && isdigit((unsigned char)end[1]))
        range->last = (uint32_t)strtoul(end + 1, &end, 10);
    return *end == '\0' && range->last > 0 && range->last <= 65535 && range->first <= range->last;
}

static bool set_condition(struct route_config *route, char *pair, struct value_problem *problem)
{
    char *value = strchr(pair, '=');
    bool good;

    if (!value)
        return value_fail(problem, "has \"%.40s\" in it; give name=value, separated by commas", pair);
    *value++ = '\0';
    if (strcmp(pair, "process") == 0) {
        good = *value && strlen(value) < sizeof(route->process);
        if (good)
            strcpy(route->process, value);
    } else if (strcmp(pair, "family") == 0) {
        good = (route->family = FIND(families, value)) > 0;
    } else if (strcmp(pair, "type") == 0) {
        good = (route->type = FIND(types, value)) > 0;
    } else if (strcmp(pair, "use") == 0) {
        int use = FIND(uses, value);

        good = use > 0;
        route->use = (enum route_use)use;
    } else if (strcmp(pair, "address") == 0) {
        good = parse_network(value, &route->address);
    } else if (strcmp(pair, "port") == 0) {
        good = parse_ports(value, &route->port);
    } else {
        return value_fail(problem, "has the unknown condition \"%.40s\"; there are process, family "
                          "(ipv4, ipv6), type (tcp, udp), use (listen, connect), address and port", pair);
    }
    if (!good)
        return value_fail(problem, "is wrong at %s: \"%.60s\"; give %s", pair, value,
                          strcmp(pair, "process") == 0   ? "a program's name"
                          : strcmp(pair, "family") == 0  ? "ipv4 or ipv6"
                          : strcmp(pair, "type") == 0    ? "tcp or udp"
                          : strcmp(pair, "use") == 0     ? "listen or connect"
                          : strcmp(pair, "address") == 0 ? "an address or a network like 10.0.0.0/8"
                                                         : "a port number or a range like 80-443");
    return true;
}

bool route_line_parse(const char *line, struct route_config *route, struct value_problem *problem)
{
    char copy[CONFIG_ROUTE_LINE_BYTES];
    char *rest = copy, *part;
    int verdict;

    if (!value_trimmed(line, copy, sizeof(copy), problem))
        return false;
    memset(route, 0, sizeof(*route));
    memcpy(route->text, copy, strlen(copy) + 1);
    part = strsep(&rest, ",");
    verdict = FIND(verdicts, part);
    if (verdict < 0)
        return value_fail(problem, "begins with \"%.40s\"; begin it with ours, kernel or both", part);
    route->verdict = (enum route_verdict)verdict;
    while ((part = strsep(&rest, ",")))
        if (!set_condition(route, part, problem))
            return false;
    return true;
}
