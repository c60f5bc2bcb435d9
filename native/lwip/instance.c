/* SPDX-License-Identifier: Apache-2.0 */
/* See instance.h. */
#include "lwip/instance.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "lwip/demux.h"
#include "lwip/init.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/memory.h"
#include "lwip/multicast.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/ports.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/siphash.h"
#include "lwip/sys.h"
#include "lwip/tcp_timer.h"
#include "lwip/timers.h"
#include "lwip/udp.h"

/* The template's bounds (instance.ld). */
extern const uint8_t instance_template_start[] __attribute__((visibility("hidden")));
extern const uint8_t instance_template_end[] __attribute__((visibility("hidden")));

/* What an instance knows about itself, inside its variables. */
struct self {
    uint64_t now_us;
    struct instance_tcp_settings tcp;
    struct paths *paths;
};

static INSTANCE_VAR struct self template_self;

/* The variables follow the struct, aligned as the linker aligned the template. */
struct instance {
    unsigned long delta; /* first: instance_enter() reads it without knowing the rest */
    size_t bytes;
    void (*page_free)(void *context, void *pages, size_t bytes);
    void *page_context;
    uint8_t variables[] __attribute__((aligned(64)));
};

static size_t variables_bytes(void)
{
    return (size_t)(instance_template_end - instance_template_start);
}

static void fill_defaults(struct instance_tcp_settings *tcp)
{
#define DEFAULT(field, value) tcp->field = tcp->field ? tcp->field : (value)
    DEFAULT(send_buffer_bytes, TCP_SND_BUF);
    DEFAULT(receive_buffer_bytes, TCP_WND);
    DEFAULT(time_wait_ms, 60000);
    DEFAULT(local_port_first, 32768);
    DEFAULT(local_port_last, 60999);
    DEFAULT(rto_min_ms, 5);
    DEFAULT(delayed_ack_ms, 10);
    DEFAULT(syn_retries, 6);
    DEFAULT(retries, 15);
#undef DEFAULT
}

int instance_create(struct instance **out, const struct instance_settings *settings)
{
    size_t bytes = sizeof(struct instance) + variables_bytes();
    struct instance *instance;
    unsigned long outside;
    int error;

    bytes = (bytes + INSTANCE_PAGE_BYTES - 1) & ~(INSTANCE_PAGE_BYTES - 1);
    if (settings->page_alloc)
        instance = settings->page_alloc(settings->page_context, bytes);
    else
        instance = aligned_alloc(INSTANCE_PAGE_BYTES, bytes);
    if (!instance)
        return -ENOMEM;
    instance->bytes = bytes;
    instance->page_free = settings->page_free;
    instance->page_context = settings->page_context;
    memcpy(instance->variables, instance_template_start, variables_bytes());
    instance->delta = (unsigned long)instance->variables - (unsigned long)instance_template_start;

    outside = instance_enter(instance);
    INSTANCE(self).now_us = settings->now_us;
    INSTANCE(self).tcp = settings->tcp;
    INSTANCE(self).paths = settings->paths;
    fill_defaults(&INSTANCE(self).tcp);
    memory_start(settings);
    siphash_start(settings->secret);
    error = demux_start();
    if (!error)
        error = ports_start();
    if (!error)
        error = tcp_timer_start(settings->now_us);
    if (error) {
        instance_leave(outside);
        instance_destroy(instance);
        return error;
    }
    lwip_init();
    /* What goes round in memory needs no checksum, and TCP's and UDP's are made for devices only (packet_sum). */
    NETIF_SET_CHECKSUM_CTRL(INSTANCE(netif_list), NETIF_CHECKSUM_DISABLE_ALL);
    instance_leave(outside);
    *out = instance;
    return 0;
}

static void drop_connections(void)
{
    while (INSTANCE(tcp_active_pcbs))
        tcp_abort(INSTANCE(tcp_active_pcbs));
    while (INSTANCE(tcp_tw_pcbs))
        tcp_abort(INSTANCE(tcp_tw_pcbs));
    while (INSTANCE(tcp_bound_pcbs))
        tcp_abort(INSTANCE(tcp_bound_pcbs));
    while (INSTANCE(tcp_listen_pcbs).pcbs)
        tcp_close(INSTANCE(tcp_listen_pcbs).pcbs);
    while (INSTANCE(udp_pcbs))
        udp_remove(INSTANCE(udp_pcbs));
}

static void drop_netifs(void)
{
    while (INSTANCE(netif_list)) {
        struct netif *netif = INSTANCE(netif_list);

        if (netif->loop_first)
            pbuf_free(netif->loop_first);
        netif->loop_first = netif->loop_last = NULL;
        multicast_netif_gone(netif);
        netif_remove(netif);
    }
    /* half-received datagrams: their time is over now */
    for (int i = 0; i <= IP_REASS_MAXAGE; i++)
        ip_reass_tmr();
    for (int i = 0; i <= IPV6_REASS_MAXAGE; i++)
        ip6_reass_tmr();
}

size_t instance_destroy(struct instance *instance)
{
    unsigned long outside = instance_enter(instance);
    size_t lost;

    drop_connections();
    drop_netifs();
    demux_stop();
    ports_stop();
    tcp_timer_stop();
    lost = memory_stop();
    INVARIANT(lost == 0);
    instance_leave(outside);
    if (instance->page_free)
        instance->page_free(instance->page_context, instance, instance->bytes);
    else
        free(instance);
    return lost;
}

unsigned long instance_delta(const struct instance *instance)
{
    return instance->delta;
}

static void set_clock(uint64_t now_us)
{
    if (now_us <= INSTANCE(self).now_us)
        return;
    INSTANCE(self).now_us = now_us;
    tcp_timer_clock(now_us);
}

void instance_clock(struct instance *instance, uint64_t now_us)
{
    unsigned long outside = instance_enter(instance);

    set_clock(now_us);
    instance_leave(outside);
}

uint64_t instance_timers(struct instance *instance, uint64_t now_us)
{
    unsigned long outside = instance_enter(instance);
    uint64_t next_us, tcp_us;

    set_clock(now_us);
    next_us = timers_run(INSTANCE(self).now_us);
    tcp_us = tcp_timer_run(INSTANCE(self).now_us);
    if (tcp_us < next_us)
        next_us = tcp_us;
    instance_loopback();
    instance_leave(outside);
    return next_us;
}

unsigned instance_loopback(void)
{
    struct netif *netif;
    unsigned count = 0;

    NETIF_FOREACH(netif) {
        if (!netif->loop_first)
            continue;
        netif_poll(netif);
        count++;
    }
    return count;
}

uint64_t instance_now_us(void)
{
    return INSTANCE(self).now_us;
}

const struct instance_tcp_settings *instance_tcp_settings(void)
{
    return &INSTANCE(self).tcp;
}

struct paths *instance_paths(void)
{
    return INSTANCE(self).paths;
}

u32_t sys_now(void)
{
    return (u32_t)(INSTANCE(self).now_us / 1000);
}

void lwip_assert_failed(const char *message, const char *file, int line)
{
    invariant_failed(message, file, line);
}

void lwip_diagnose(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
}

const char *instance_version(void)
{
    return LWIP_VERSION_STRING;
}
