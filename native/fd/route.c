/* SPDX-License-Identifier: Apache-2.0 */
#include "fd/route.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"

#define NETWORKS_MAX 64
#define NETWORKS_AGE_US 1000000 /* how old our picture of the kernel's interfaces may be */

static const char *const fork_for_each[] = {
#define FORKING(name) name,
#include "fd/forking.def"
};

static struct {
    struct config_routes rules;
    bool refuses;
    struct config_address own[CONFIG_PORTS_MAX * VALUE_ADDRESSES_MAX];
    unsigned own_count;
    bool gateway4, gateway6;
    char ifaces[CONFIG_PORTS_MAX][IF_NAMESIZE]; /* those that our ports stand on */
    unsigned ifaces_count;
} known;

static struct {
    pthread_mutex_t lock;
    uint64_t read_us;
    struct config_address entry[NETWORKS_MAX];
    unsigned count;
} networks = { .lock = PTHREAD_MUTEX_INITIALIZER };

void route_start(const struct config *config)
{
    known.rules = config->route;
    known.refuses = config->shim_without_core == CONFIG_WITHOUT_CORE_REFUSE;
    /* Without a port the process has its own little network, which only rules can lead to. */
    if (config->origin[CONFIG_KEY_port].source == CONFIG_FROM_DEFAULT)
        return;
    for (uint32_t p = 0; p < config->port.count; p++) {
        const struct port_config *port = &config->port.entry[p];

        for (uint32_t i = 0; i < port->addresses.count; i++)
            known.own[known.own_count++] = port->addresses.entry[i];
        for (uint32_t i = 0; i < port->gateways.count; i++) {
            known.gateway4 |= port->gateways.entry[i].family == AF_INET;
            known.gateway6 |= port->gateways.entry[i].family == AF_INET6;
        }
        memcpy(known.ifaces[known.ifaces_count++], port->iface, IF_NAMESIZE - 1); /* at most 15 characters */
    }
}

bool route_refuses(void)
{
    return known.refuses;
}

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    return memcmp(a, b, bits / 8) == 0 &&
           (bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8)) == 0);
}

static bool inside(const struct config_address *network, const struct endpoint *e, unsigned bits)
{
    const uint8_t *bytes = e->family == AF_INET ? (const uint8_t *)&e->v4 : e->v6.s6_addr;

    return network->family == e->family && bits_equal(network->bytes, bytes, bits);
}

static const struct route_config *rule_for(int type, enum route_use use, const struct endpoint *e)
{
    for (uint32_t i = 0; i < known.rules.count; i++) {
        const struct route_config *r = &known.rules.entry[i];

        if ((r->process[0] && strcmp(r->process, program_invocation_short_name) != 0) ||
            (r->family && r->family != e->family) || (r->type && r->type != type) ||
            (r->use != ROUTE_USE_ANY && r->use != use) ||
            (r->address.family && !inside(&r->address, e, r->address.prefix_bits)) ||
            (r->port.last && (e->port < r->port.first || e->port > r->port.last)))
            continue;
        return r;
    }
    return NULL;
}

static bool own_address(const struct endpoint *e)
{
    for (unsigned i = 0; i < known.own_count; i++)
        if (inside(&known.own[i], e, e->family == AF_INET ? 32 : 128))
            return true;
    return false;
}

static bool own_family(int family)
{
    for (unsigned i = 0; i < known.own_count; i++)
        if (known.own[i].family == family || family == AF_INET6)
            return true;
    return false;
}

static bool own_network(const struct endpoint *e)
{
    for (unsigned i = 0; i < known.own_count; i++)
        if (inside(&known.own[i], e, known.own[i].prefix_bits))
            return true;
    return false;
}

bool route_stands_on(const char *iface)
{
    for (unsigned i = 0; i < known.ifaces_count; i++)
        if (strcmp(known.ifaces[i], iface) == 0)
            return true;
    return false;
}

static unsigned mask_bits(const struct sockaddr *mask)
{
    const uint8_t *bytes = mask->sa_family == AF_INET
                               ? (const uint8_t *)&((const struct sockaddr_in *)mask)->sin_addr
                               : ((const struct sockaddr_in6 *)mask)->sin6_addr.s6_addr;
    unsigned bits = 0;

    for (unsigned i = 0; i < (mask->sa_family == AF_INET ? 4 : 16); i++)
        bits += (unsigned)__builtin_popcount(bytes[i]);
    return bits;
}

static void read_networks(void)
{
    struct ifaddrs *all;

    networks.count = 0;
    if (getifaddrs(&all) < 0)
        return;
    for (struct ifaddrs *i = all; i && networks.count < NETWORKS_MAX; i = i->ifa_next) {
        struct config_address *n = &networks.entry[networks.count];

        if (!i->ifa_addr || !i->ifa_netmask || !(i->ifa_flags & IFF_UP) || route_stands_on(i->ifa_name))
            continue;
        if (i->ifa_addr->sa_family == AF_INET)
            memcpy(n->bytes, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, 4);
        else if (i->ifa_addr->sa_family == AF_INET6)
            memcpy(n->bytes, &((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr, 16);
        else
            continue;
        n->family = (uint8_t)i->ifa_addr->sa_family;
        n->prefix_bits = (uint8_t)mask_bits(i->ifa_netmask);
        networks.count++;
    }
    freeifaddrs(all);
}

static bool kernel_network(const struct endpoint *e)
{
    uint64_t now = clock_now_us();
    bool found = false;

    pthread_mutex_lock(&networks.lock);
    if (networks.read_us == 0 || now - networks.read_us > NETWORKS_AGE_US) {
        read_networks();
        networks.read_us = now;
    }
    for (unsigned i = 0; i < networks.count && !found; i++)
        found = inside(&networks.entry[i], e, networks.entry[i].prefix_bits);
    pthread_mutex_unlock(&networks.lock);
    return found;
}

/* One of all addresses is claimed by a rule for some addresses: then a listener on all is both's. */
static const struct route_config *rule_within(int type, const struct endpoint *e)
{
    for (uint32_t i = 0; i < known.rules.count; i++) {
        const struct route_config *r = &known.rules.entry[i];
        struct endpoint one = *e;

        if (r->verdict == ROUTE_KERNEL || !r->address.family ||
            (e->family == AF_INET && r->address.family != AF_INET))
            continue;
        one.family = r->address.family;
        memcpy(&one.v6, r->address.bytes, sizeof(one.v6));
        if (rule_for(type, ROUTE_USE_LISTEN, &one) == r)
            return r;
    }
    return NULL;
}

static void answer(struct route_answer *a, enum route_verdict verdict, const char *reason)
{
    a->verdict = verdict;
    snprintf(a->reason, sizeof(a->reason), "%s", reason);
}

static void decide_listen(struct route_answer *a, const struct endpoint *e)
{
    for (size_t i = 0; i < ARRAY_SIZE(fork_for_each); i++) {
        if (strcmp(fork_for_each[i], program_invocation_short_name) == 0) {
            a->verdict = ROUTE_KERNEL;
            snprintf(a->reason, sizeof(a->reason), "built-in: %s serves connections in children, "
                     "which cannot use our stack", fork_for_each[i]);
            return;
        }
    }
    if (endpoint_is_any(e) && own_family(e->family))
        answer(a, ROUTE_BOTH, "default: all addresses, so ours and the kernel's");
    else if (!endpoint_is_any(e) && own_address(e))
        answer(a, ROUTE_OURS, "default: an address of our ports");
    else if (known.own_count == 0)
        answer(a, ROUTE_KERNEL, "default: no port of ours is configured");
    else
        answer(a, ROUTE_KERNEL, "default: no address of our ports");
}

static void decide_connect(struct route_answer *a, const struct endpoint *e)
{
    if (known.own_count == 0)
        answer(a, ROUTE_KERNEL, "default: no port of ours is configured");
    else if (own_address(e))
        answer(a, ROUTE_OURS, "default: an address of our ports");
    else if (endpoint_is_any(e) || endpoint_is_loopback(e))
        answer(a, ROUTE_KERNEL, "default: this host's own addresses are the kernel's");
    else if (endpoint_is_multicast(e) ||
             (e->family == AF_INET && e->v4.s_addr == INADDR_BROADCAST))
        answer(a, ROUTE_KERNEL, "default: multicast and broadcast are the kernel's");
    else if (own_network(e))
        answer(a, ROUTE_OURS, "default: in the network of a port of ours");
    else if (!(e->family == AF_INET ? known.gateway4 : known.gateway6))
        answer(a, ROUTE_KERNEL, "default: no port of ours has a way there; give it a gateway");
    else if (kernel_network(e))
        answer(a, ROUTE_KERNEL, "default: in the network of an interface of the kernel's");
    else
        answer(a, ROUTE_OURS, "default: by the gateway of a port of ours");
}

void route_decide(struct route_answer *a, int type, enum route_use use, const struct endpoint *e, bool on_port)
{
    const struct route_config *rule = rule_for(type, use, e);
    bool within = false;

    if (rule == NULL && use == ROUTE_USE_LISTEN && endpoint_is_any(e))
        within = (rule = rule_within(type, e)) != NULL;

    if (rule) {
        a->verdict = rule->verdict;
        if (a->verdict == ROUTE_BOTH && use == ROUTE_USE_CONNECT)
            a->verdict = ROUTE_OURS;
        if (within)
            a->verdict = ROUTE_BOTH;
        snprintf(a->reason, sizeof(a->reason), "rule: %s", rule->text);
    } else if (use == ROUTE_USE_LISTEN) {
        decide_listen(a, e);
    } else {
        decide_connect(a, e);
    }
    /* The kernel's half of such a socket would hear nothing: the port has the interface. */
    if (on_port && a->verdict == ROUTE_BOTH)
        a->verdict = ROUTE_OURS;
    else if (on_port && rule == NULL && use == ROUTE_USE_CONNECT && a->verdict == ROUTE_KERNEL)
        answer(a, ROUTE_OURS, "bound to an interface that a port of ours stands on");
}

void route_forked(void)
{
    pthread_mutex_init(&networks.lock, NULL);
}
