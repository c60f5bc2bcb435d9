/* SPDX-License-Identifier: Apache-2.0 */
#include "api/start.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "api/facts.h"
#include "api/flight.h"
#include "api/parts.h"
#include "api/set.h"
#include "api/trace.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "console/console.h"
#include "control/address.h"
#include "control/address_netif.h"
#include "control/device.h"
#include "control/ports.h"
#include "control/steer.h"
#include "fd/fd_table.h"
#include "loop/loop.h"
#include "loop/tick.h"
#include "lwip/netif_steer.h"
#include "lwip/packet.h"
#include "lwip/paths.h"
#include "platform/arena.h"
#include "platform/eal.h"
#include "platform/telemetry.h"
#include "platform/topology.h"
#include "port/interrupt.h"
#include "port/plugin.h"
#include "port/port.h"
#include "port/takeover.h"
#include "socket/ready.h"
#include "socket/socket.h"
#include "socket/udp.h"
#include "stack/group.h"
#include "stats/flight.h"
#include "stats/segment.h"

/* A blocked call looks so long before it sleeps: a wake-up through the kernel costs about as much. */
#define WAIT_SPIN_NS 20000
#define CORES_TO_SPIN 4
/* mbuf, pbuf, headroom, pool's own header. */
#define PACKET_OVERHEAD_BYTES 512
#define DRIVERS_MIB 16
#define MIB_PER_STACK 64

struct start_parts parts;

static bool serves(const struct port_config *port, unsigned stack)
{
    for (unsigned i = 0; i < port->stacks.count; i++) {
        if (port->stacks.core[i] == stack)
            return true;
    }
    return port->stacks.count == 0;
}

static void limits(const struct config *c)
{
    socket_limits = (struct socket_limits){
        .send_min = c->tcp_send_buffer_min_bytes,
        .send_default = c->tcp_send_buffer_default_bytes,
        .send_max = c->tcp_send_buffer_max_bytes,
        .receive_min = c->tcp_receive_buffer_min_bytes,
        .receive_default = c->tcp_receive_buffer_default_bytes,
        .receive_max = c->tcp_receive_buffer_max_bytes,
        .udp_send_default = c->udp_send_buffer_bytes,
        .udp_receive_default = c->udp_receive_buffer_bytes,
        .keep_idle_s = c->tcp_keepalive_idle_s,
        .keep_interval_s = c->tcp_keepalive_interval_s,
        .keep_count = c->tcp_keepalive_probes,
        .syn_retries = c->tcp_syn_retries,
        .backlog_max = c->tcp_backlog_max,
        .no_delay = c->tcp_nodelay,
        .congestion = c->tcp_congestion == CONFIG_CONGESTION_RENO ? TCP_RENO : TCP_CUBIC,
    };
    ports_init((uint16_t)c->tcp_local_ports.first, (uint16_t)c->tcp_local_ports.last);
    steer_init(c->stack_count, (uint16_t)c->tcp_local_ports.first, (uint16_t)c->tcp_local_ports.last);
}

/* What the pools of all stacks need, and some for the drivers. */
static uint32_t memory_mib(const struct config *c)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < c->stack_count; i++) {
        uint64_t packet = 0;

        for (unsigned p = 0; p < c->port.count; p++) {
            uint64_t need = port_packet_bytes(&c->port.entry[p]);

            if (serves(&c->port.entry[p], i) && need > packet)
                packet = need;
        }
        bytes += c->memory_packets * (packet + PACKET_OVERHEAD_BYTES) +
                 (c->memory_chunks + 1) * (uint64_t)CHUNK_BYTES;
    }
    /* An upper bound: what is never touched is never resident. */
    bytes = (bytes * 5 / 4 >> 20) + DRIVERS_MIB;
    return bytes > MIB_PER_STACK * c->stack_count ? (uint32_t)bytes : MIB_PER_STACK * c->stack_count;
}

static int start_eal(const struct config *c, char *err, size_t err_size)
{
    struct port_pci cards[CONFIG_PORTS_MAX];
    const char *pci[CONFIG_PORTS_MAX * PORT_PCI_MAX];
    struct eal_settings settings = {
        .name = c->runtime_name[0] ? c->runtime_name : NULL,
        .hugepages = (enum eal_hugepages)c->memory_hugepages,
        .memory_mib = c->memory_limit_mib,
        .pci = pci,
        .telemetry = c->stats_telemetry,
        .busy_cpus = c->stack_cores.core,
        .busy_cpus_count = c->stack_cores.count,
        .verbose = c->log_level >= LOG_LEVEL_DEBUG,
    };
    int status;

    for (unsigned p = 0; p < c->port.count; p++) {
        const struct port_config *port = &c->port.entry[p];

        port_pci_addresses(port, &cards[p]);
        for (unsigned i = 0; i < cards[p].count; i++)
            pci[settings.pci_count++] = cards[p].address[i];
        settings.shareable_memory |= port_shares_memory(port);
        status = plugin_open(port, err, err_size);
        if (status < 0)
            return status;
    }
    if (settings.memory_mib == 0)
        settings.memory_mib = memory_mib(c);
    return eal_start(&settings, err, err_size);
}

static struct stack *make_stack(const struct config *c, unsigned id, char *err, size_t err_size)
{
    struct instance_settings lwip = {
        .now_us = clock_now_us(),
        .paths = group.paths,
        .tcp = { .send_buffer_bytes = c->tcp_send_buffer_default_bytes,
                 .receive_buffer_bytes = c->tcp_receive_buffer_default_bytes,
                 .time_wait_ms = c->tcp_time_wait_ms,
                 .rto_min_ms = (uint16_t)c->tcp_rto_min_ms,
                 .delayed_ack_ms = (uint16_t)c->tcp_delayed_ack_ms,
                 .congestion = c->tcp_congestion == CONFIG_CONGESTION_RENO ? TCP_RENO : TCP_CUBIC,
                 .syn_retries = (uint8_t)c->tcp_syn_retries,
                 .retries = (uint8_t)c->tcp_retries },
    };
    int core = id < c->stack_cores.count ? (int)c->stack_cores.core[id] : -1;
    struct stack *s;

    if (core >= 0 && !topology_cpu_usable((unsigned)core)) {
        snprintf(err, err_size, "stack.cores=%d: this machine has no such core, or this process may not "
                 "use it (nproc, taskset -p %d); name others, or leave it empty", core, getpid());
        return NULL;
    }
    s = aligned_alloc(CACHE_LINE, sizeof(*s));
    if (s == NULL)
        goto no_memory;
    steer_share(id, &lwip.tcp.local_port_first, &lwip.tcp.local_port_last);
    lwip.tcp.bound_ports = ports_bound_tcp();
    memset(s, 0, sizeof(*s));
    group.stacks[id] = s;
    group.count = id + 1;
    s->id = id;
    s->core = core;
    s->numa_node = s->core >= 0 ? topology_cpu_node((unsigned)s->core) : 0;
    s->sleep_fd = s->bell.fd = -1;
    s->stats = segment_stack(id);
    s->driver = c->stack_drive == CONFIG_DRIVE_INLINE ? &inline_driver : &dedicated_driver;
    s->drain = socket_drain;
    s->ready_flush = ready_flush;
    s->take_back = udp_take_back;
    s->spin_us = set_spin_us(c, s);
    /* With few cores who waits for a stack's thread would take the core from it, or from its peer. */
    s->wait_spin_ns = s->driver->caller_drives || topology_cpu_count() >= CORES_TO_SPIN ? WAIT_SPIN_NS : 0;
    rpc_inbox_init(&s->inbox);
    mpsc_init(&s->dirty);
    mpsc_init(&s->returns);
    list_init(&s->timers);
    list_init(&s->ready);
    list_init(&s->starved);
    list_init(&s->sockets);
    tick_open(s);
    if (doorbell_open(&s->bell) < 0 || core_claim(&s->lcore) < 0) {
        snprintf(err, err_size, "stack %u: no descriptor or DPDK thread slot is free; raise ulimit -n "
                 "or configure fewer stacks (stack.cores)", id);
        return NULL;
    }
    parts.has_lcore[id] = true;
    s->chunks = chunk_pool_create(c->memory_chunks, s->numa_node, s->lcore);
    if (s->chunks == NULL) {
        snprintf(err, err_size, "stack %u: no memory for memory.chunks=%u (4 KiB each); lower it or "
                 "raise memory.limit_mib", id, c->memory_chunks);
        return NULL;
    }
    if (getrandom(lwip.secret, sizeof(lwip.secret), 0) != sizeof(lwip.secret) ||
        instance_create(&s->lwip, &lwip) < 0)
        goto no_memory;
    return s;

no_memory:
    snprintf(err, err_size, "stack %u: out of memory", id);
    return NULL;
}

/* Received packets of any of its ports lie in the stack's pool; so it fits the largest. */
static int make_pool(const struct config *c, struct stack *s, char *err, size_t err_size)
{
    uint32_t bytes = 0;
    char name[32];

    for (unsigned p = 0; p < c->port.count; p++) {
        uint32_t need = port_packet_bytes(&c->port.entry[p]);

        if (serves(&c->port.entry[p], s->id) && need > bytes)
            bytes = need;
    }
    snprintf(name, sizeof(name), "packets-%u", s->id);
    parts.pools[s->id] = packet_pool_create(name, c->memory_packets, bytes ? bytes : 2048, s->numa_node);
    if (parts.pools[s->id] == NULL) {
        snprintf(err, err_size, "stack %u: no memory for memory.packets=%u (%u bytes each); lower it "
                 "or raise memory.limit_mib", s->id, c->memory_packets, bytes);
        return -ENOMEM;
    }
    return 0;
}

static int open_port(const struct port_config *config, char *err, size_t err_size)
{
    struct rte_mempool *pools[STACKS_MAX] = { NULL };
    struct netif_steer_member members[STACKS_MAX];
    struct stack *of_queue[STACKS_MAX] = { NULL };
    unsigned queues = 0;
    uint64_t stacks = 0;
    struct port *port;
    uint8_t number;
    int result;

    for (unsigned i = 0; i < group.count; i++) {
        if (serves(config, i)) {
            stacks |= UINT64_C(1) << i;
            of_queue[queues] = group.stacks[i];
            pools[queues++] = parts.pools[i];
        }
    }
    result = port_open(config, queues, pools, err, err_size, &port);
    if (result < 0)
        return result;
    parts.ports[parts.ports_count++] = port;
    steer_interface(stacks);
    number = (uint8_t)device_add(port->interface, config->device, stacks);
    for (unsigned q = 0; q < queues; q++) {
        struct stack *s = of_queue[q];
        struct netif_port_settings settings = { .port = port, .queue = q, .config = config,
                                                .packets = parts.pools[s->id], .chunks = s->chunks, .stats = s->stats,
                                                .number = number };
        struct stack_visit visit;

        if (s->ports_count == STACK_PORTS_MAX) {
            snprintf(err, err_size, "stack %u: more than %d ports; give some to other stacks "
                     "(stacks=...)", s->id, STACK_PORTS_MAX);
            return -ENOSPC;
        }
        visit = stack_enter(s);
        result = netif_port_add(&s->ports[s->ports_count], &settings, err, err_size);
        if (result == 0) {
            struct netif *netif = netif_port_netif(s->ports[s->ports_count]);

            port_queue_doorbell(netif_port_queue(s->ports[s->ports_count]), &s->bell);
            result = address_add_netif(s->id, s->ports_count, netif, netif_port_gateway6(netif) != NULL);
            for (unsigned i = 0; result == 0; i++) {
                netif = netif_port_alias(s->ports[s->ports_count], i);
                if (netif == NULL)
                    break;
                result = address_add_netif(s->id, s->ports_count, netif, false);
            }
            s->ports_count++;
        }
        stack_leave(visit);
        if (result < 0)
            return result;
        members[q] = (struct netif_steer_member){ .port = s->ports[s->ports_count - 1],
                                                  .bell = &s->bell, .stack = s->id };
    }
    if (queues > 1) {
        result = netif_steer_join(members, queues, steer_table(), (port->offloads & PORT_RX_RSS) == 0);
        if (result < 0)
            snprintf(err, err_size, "port %s: out of memory", port->name);
    }
    return result;
}

static int drive(const struct config *c, char *err, size_t err_size)
{
    int result = log_start(group_here);

    for (unsigned i = 0; i < group.count && result == 0; i++)
        result = loop_sleep_open(group.stacks[i]);
    /* All ports are open now: a first turn sees their links, so that the first connect finds a route. */
    for (unsigned i = 0; i < group.count && result == 0; i++)
        loop_turn(group.stacks[i]);
    for (unsigned i = 0; i < group.count && result == 0; i++) {
        struct stack *s = group.stacks[i];

        if (s->driver == &dedicated_driver) {
            result = dedicated_start(s);
            parts.running[i] = result == 0;
        }
    }
    if (result == 0 && c->stack_drive == CONFIG_DRIVE_INLINE)
        result = caretaker_start(c->stack_caretaker_ms);
    if (result < 0)
        snprintf(err, err_size, "cannot start the stacks' threads: %s", strerror(-result));
    return result;
}

/* A process must not fail because it cannot be steered. */
static void open_console(struct config *c)
{
    struct console_settings settings = { .ports = parts.ports, .ports_count = parts.ports_count, .use = fd_use,
                                         .set = set_live };
    int result;

    set_open(c, parts.ports, parts.ports_count);
    result = c->stats_enabled ? console_start(&settings) : 0;
    if (result < 0)
        log_warn("the console cannot be opened: %s; pronghorn set, capture, inject and log will not reach this process",
                 strerror(-result));
}

static void open_telemetry(const struct config *c)
{
    int result = c->stats_telemetry ? telemetry_start() : 0;

    telemetry_sweep();
    if (result < 0)
        log_warn("DPDK's telemetry socket is not there: %s; stats.telemetry = on has no effect", strerror(-result));
}

/* The size of the pools depends on it: before all else. */
static int take_over(struct config *c, char *err, size_t err_size)
{
    int result = 0;

    takeover_sweep();
    for (unsigned p = 0; p < c->port.count && result == 0; p++)
        if (c->port.entry[p].takeover)
            result = takeover_read(&c->port.entry[p], err, err_size);
    return result;
}

void start_log(const struct config *c)
{
    log_set_level(c->log_level);
    log_set_format(c->log_format);
    log_set_file(c->log_file);
}

int start_all(struct config *c, const char *product, char *err, size_t err_size)
{
    struct segment_settings segment = { .name = c->runtime_name, .product = product,
                                        .stacks = c->stack_count,
                                        .sockets_max = c->stats_sockets_max,
                                        .shared = c->stats_enabled };
    int result;

    memset(&parts, 0, sizeof(parts));
    group.count = 0;
    group.paths = paths_create(); /* without memory nothing is learnt */
    start_log(c);
    limits(c);
    result = take_over(c, err, err_size);
    if (result == 0)
        result = start_eal(c, err, err_size);
    if (result == 0)
        result = segment_create(&segment, err, err_size);
    for (unsigned i = 0; i < segment.stacks && result == 0; i++) {
        struct stack *s = make_stack(c, i, err, err_size);

        result = s ? make_pool(c, s, err, err_size) : -ENOMEM;
    }
    for (unsigned p = 0; p < c->port.count && result == 0; p++)
        result = open_port(&c->port.entry[p], err, err_size);
    if (result == 0) {
        arena_settle();
        facts_tell(c, parts.ports, parts.ports_count);
        result = drive(c, err, err_size);
    }
    if (result == 0) {
        flight_apply(c);
        flight_apply_watch(c);
        trace_apply(c);
        open_console(c);
        open_telemetry(c);
    }
    if (result < 0)
        stop_all();
    return result;
}
