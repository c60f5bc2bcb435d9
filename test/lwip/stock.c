/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for instance.c under lwIP's own unit tests, which bring another configuration (with sockets,
 * DHCP, fixed pools) and initialise lwIP themselves. The variables still live in a copy of the template,
 * so that every access through INSTANCE() is tried.
 */
#include "stock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/demux.h"
#include "lwip/hooks.h"
#include "lwip/instance.h"
#include "lwip/memory.h"
#include "lwip/multicast.h"
#include "lwip/ports.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/siphash.h"
#include "lwip/tcp_timer.h"

/* the linker's names for the bounds of a section */
extern const uint8_t __start_instance_vars[], __stop_instance_vars[];

int stock_main(void);

static uint32_t clock_ms; /* tcp_ticks as we left them */

static const struct instance_tcp_settings settings = {
    .time_wait_ms = 120000,
    .local_port_first = 49152,
    .local_port_last = 65535,
    .rto_min_ms = 1000,
    .delayed_ack_ms = 250,
    .congestion = TCP_RENO,
    .syn_retries = 6,
    .retries = 5,
};

/* The old versions are lwIP's own. */
int multicast_report(struct netif *netif, const ip_addr_t *group, int leave)
{
    (void)netif;
    (void)group;
    (void)leave;
    return 0;
}

int multicast_query(struct netif *netif, const struct pbuf *p, int is_ip6)
{
    (void)netif;
    (void)p;
    (void)is_ip6;
    return 0;
}

uint64_t instance_now_us(void)
{
    return (uint64_t)INSTANCE(tcp_ticks) * 1000;
}

const struct instance_tcp_settings *instance_tcp_settings(void)
{
    return &settings;
}

/* Tests set tcp_ticks to get the sequence numbers they want: the wheel begins anew there. */
static void follow_clock(void)
{
    struct tcp_pcb *pcb;

    if (INSTANCE(tcp_ticks) == clock_ms)
        return;
    for (pcb = INSTANCE(tcp_active_pcbs); pcb; pcb = pcb->next)
        tcp_timer_disarm(pcb);
    tcp_timer_stop();
    tcp_timer_start(instance_now_us());
    for (pcb = INSTANCE(tcp_active_pcbs); pcb; pcb = pcb->next)
        tcp_timer_update(pcb);
    clock_ms = INSTANCE(tcp_ticks);
}

void tcp_fasttmr(void)
{
    follow_clock();
    clock_ms = INSTANCE(tcp_ticks) += 250;
    while (tcp_timer_run(instance_now_us()) <= instance_now_us())
        continue;
}

void tcp_slowtmr(void)
{
}

void tcp_tmr(void)
{
    tcp_fasttmr();
}

void lwip_assert_failed(const char *message, const char *file, int line)
{
    fprintf(stderr, "lwIP invariant \"%s\" failed at %s:%d\n", message, file, line);
    abort();
}

void lwip_diagnose(const char *format, ...)
{
}

bool hook_is_elsewhere(struct netif *netif, struct pbuf *packet)
{
    (void)netif, (void)packet;
    return false;
}

bool hook_port_comes_home(const struct tuple *tuple)
{
    return true;
}

/* No routers here. */
struct paths *instance_paths(void)
{
    return NULL;
}

int main(void)
{
    size_t bytes = (size_t)(__stop_instance_vars - __start_instance_vars);
    static uint8_t *variables; /* for the leak checker: it does not see the distance */
    struct instance_settings instance = {0};

    variables = aligned_alloc(64, (bytes + 63) & ~63UL);
    memcpy(variables, __start_instance_vars, bytes);
    lwip_delta = (unsigned long)variables - (unsigned long)__start_instance_vars;
    memory_start(&instance);
    siphash_start(instance.secret);
    if (demux_start() || ports_start() || tcp_timer_start(0))
        return EXIT_FAILURE;
    return stock_main();
}
