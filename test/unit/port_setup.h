/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of ports share: DPDK started once, a pool, ports from a line of text. */
#ifndef TEST_UNIT_PORT_SETUP_H
#define TEST_UNIT_PORT_SETUP_H

#include <check.h>
#include <rte_mbuf.h>

#include "config/config.h"
#include "platform/eal.h"
#include "port/port.h"

static struct rte_mempool *port_packets;

/* Also outside of a test, where Check's assertions cannot be used. */
static inline void must(bool good, const char *what, const char *why)
{
    if (good)
        return;
    fprintf(stderr, "%s: %s\n", what, why);
    abort();
}

static inline void port_setup(void)
{
    struct eal_settings settings = {.name = "test", .hugepages = EAL_HUGEPAGES_OFF, .memory_mib = 64};
    char err[1024] = "";

    if (eal_is_running())
        return;
    must(eal_start(&settings, err, sizeof(err)) == 0, "DPDK", err);
    port_packets = rte_pktmbuf_pool_create("packets", 4095, 0, 64, 2048 + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
    must(port_packets != NULL, "packets", "no memory");
}

static inline struct port_config *port_line(const char *line)
{
    static struct port_config config;
    struct value_problem problem = {0};

    must(port_line_parse(line, &config, &problem), line, problem.text);
    return &config;
}

static inline int port_try(const char *line, unsigned queues, struct port **out, char *err, size_t size)
{
    struct rte_mempool *pools[16];

    for (unsigned i = 0; i < 16; i++)
        pools[i] = port_packets;
    return port_open(port_line(line), queues, pools, err, size, out);
}

static inline struct port *port_must(const char *line, unsigned queues)
{
    char err[1024] = "";
    struct port *port;

    must(port_try(line, queues, &port, err, sizeof(err)) == 0, line, err);
    return port;
}

static inline struct rte_mbuf *packet_of(uint32_t bytes, uint8_t fill)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(port_packets);

    ck_assert_ptr_nonnull(packet);
    memset(rte_pktmbuf_append(packet, (uint16_t)bytes), fill, bytes);
    return packet;
}

#define ck_assert_packets_home() \
    ck_assert_uint_eq(rte_mempool_avail_count(port_packets), port_packets->size)

#endif
