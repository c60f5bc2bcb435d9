/* SPDX-License-Identifier: Apache-2.0 */
/* See ports.h. */
#include "lwip/ports.h"

#include <errno.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "lwip/demux.h"
#include "lwip/hooks.h"
#include "lwip/instance.h"
#include "lwip/memory.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/siphash.h"
#include "lwip/udp.h"

struct ports {
    uint32_t *users; /* by port; 32 bits: a server's connections all share one */
    uint32_t next;   /* algorithm 3's counter */
};

static INSTANCE_VAR struct ports template_ports;

int ports_start(void)
{
    INSTANCE(ports).users = memory_zalloc(65536, sizeof(uint32_t));
    INSTANCE(ports).next = random_u32();
    return INSTANCE(ports).users ? 0 : -ENOMEM;
}

void ports_stop(void)
{
    if (INSTANCE(ports).users)
        memory_free(INSTANCE(ports).users);
    INSTANCE(ports).users = NULL;
}

/* Written by the stack, read by all threads. */
static void set_users(uint16_t port, uint32_t users)
{
    __atomic_store_n(&INSTANCE(ports).users[port], users, __ATOMIC_RELAXED);
}

void ports_take(uint16_t port)
{
    set_users(port, INSTANCE(ports).users[port] + 1);
}

void ports_give(uint16_t port)
{
    INVARIANT(INSTANCE(ports).users[port] > 0);
    set_users(port, INSTANCE(ports).users[port] - 1);
}

uint32_t ports_users(uint16_t port)
{
    return __atomic_load_n(&INSTANCE(ports).users[port], __ATOMIC_RELAXED);
}

/* So many free ports in a row are turned down because they don't lead home: with 4 queues one of 10^8 times. */
#define HOME_TRIES 64

/* The ports of the range once, in the order that belongs to this destination. */
static uint16_t choose(const struct tuple *tuple, bool (*is_free)(const struct tuple *tuple))
{
    const struct instance_tcp_settings *settings = instance_tcp_settings();
    uint32_t count = (uint32_t)settings->local_port_last - settings->local_port_first + 1;
    struct tuple candidate = *tuple;
    uint64_t words[5];
    uint32_t offset, tries = 0;

    candidate.local_port = 0;
    tuple_words(&candidate, words);
    offset = (uint32_t)siphash(words, 5);
    for (uint32_t i = 0; i < count; i++) {
        candidate.local_port =
            (uint16_t)(settings->local_port_first + (offset + INSTANCE(ports).next++) % count);
        if (is_free(&candidate) && (hook_port_comes_home(&candidate) || ++tries > HOME_TRIES))
            return candidate.local_port;
    }
    return 0;
}

static bool tcp_port_is_unused(const struct tuple *tuple)
{
    return ports_users(tuple->local_port) == 0;
}

/* By a socket that has no PCB yet: it would find its tuple taken when it connects. */
static bool is_bound(uint16_t port)
{
    const uint32_t *bound = instance_tcp_settings()->bound_ports;

    return bound != NULL && __atomic_load_n(&bound[port], __ATOMIC_RELAXED) != 0;
}

static bool tcp_tuple_is_free(const struct tuple *tuple)
{
    return !is_bound(tuple->local_port) && !demux_port_is_claimed(tuple->local_port, NULL) &&
           !tcp_demux(tuple->local, tuple->local_port, tuple->peer, tuple->peer_port);
}

u16_t tcp_new_port(const struct tcp_pcb *pcb)
{
    struct tuple tuple = {&pcb->local_ip, &pcb->remote_ip, 0, pcb->remote_port};

    return choose(&tuple, pcb->remote_port ? tcp_tuple_is_free : tcp_port_is_unused);
}

static bool udp_port_is_unused(const struct tuple *tuple)
{
    const struct udp_pcb *pcb = udp_demux(tuple->local_port);

    while (pcb && pcb->local_port != tuple->local_port)
        pcb = pcb->hash_next;
    return !pcb;
}

u16_t udp_new_port(const struct udp_pcb *pcb)
{
    struct tuple tuple = {&pcb->local_ip, &pcb->remote_ip, 0, pcb->remote_port};

    return choose(&tuple, udp_port_is_unused);
}
